"""Waiting for a job: nothing that changes is overlooked for longer than a moment."""

from __future__ import annotations

import threading
import time

from lumivid_fx.client.feed import Feed
from lumivid_fx.client.following import SLICE_S, Following


def following() -> Following:
    """A job of which nothing has been heard."""
    feed = Feed("ab" * 16, wanted=True, after=None, pixels=False)
    return Following(feed, lambda _: None)


def test_an_endless_wait_looks_up_by_itself() -> None:
    """As it must for Ctrl-C: its signal may fall just before Python waits, and wakes nobody."""
    job = following()
    looked, changed, waited = threading.Event(), threading.Event(), threading.Event()

    def so() -> bool:
        found = changed.is_set()
        looked.set()
        return found

    def wait() -> None:
        with job.changed:
            assert job.wait_for(so, None)
        waited.set()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    assert looked.wait(20 * SLICE_S)
    changed.set()  # and tells nobody
    assert waited.wait(20 * SLICE_S)


def test_a_wait_ends_in_time() -> None:
    """Not before, and not with the slice it is in."""
    job, began = following(), time.monotonic()
    with job.changed:
        assert not job.wait_for(lambda: False, 1.25 * SLICE_S)
        assert not job.wait_for(lambda: False, 0)
        assert job.wait_for(lambda: True, 0)
    assert time.monotonic() - began >= 1.25 * SLICE_S
