"""Clients that ask and do not read: what they are owed fills no memory, and others are served."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.worker.caller import Caller, new_id
from tests.worker.faults.sound import still_sound, vitals
from tests.worker.faults.taker import Taker
from tests.worker.faults.workers import (
    faulty_worker,
    new_folder,
    own_pair,
    pixel_request,
    request,
    shots_of,
    stranger,
)
from tests.worker.running import RunningWorker

from lumivid_fx.protocol import messages as m
from lumivid_fx.worker.callers import MAX_OUTBOX_BYTES

MB = 1024 * 1024

EDGE = 900
FRAME_BYTES = EDGE * EDGE * 3 * 2  # 4.9 MB

GROWTH_BYTES = 16 * MB + 2 * FRAME_BYTES
"""Beside what every fault may leave: malloc keeps the room of the last large message, plain and
encrypted. In six rounds of each test it was 0 or that, and never more."""


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorker]:
    """A worker that all tests of this module share."""
    with faulty_worker(tmp_path_factory.mktemp("slow")) as worker:
        still_sound(worker)
        yield worker


def test_readers_that_do_not_read(worker: RunningWorker) -> None:
    """Case 21: the server does not grow with what they are owed, and others are served."""
    base = vitals(worker).memory
    with ExitStack() as stack:
        readers = [
            stack.enter_context(Caller(worker.connection, own_pair(worker), room=1))
            for _ in range(4)
        ]
        asked = pixel_request(shots_of(worker), "1-8", f"edge{EDGE}")
        jobs = [reader.submit(asked).job for reader in readers]
        peak = 0
        with Taker(worker) as taker:
            for _ in range(5):
                for reader, job in zip(readers, jobs, strict=True):
                    # Each attach begins anew, with new credit.
                    reader.send(m.Attach(id=new_id(), job=job))
                    reader.send(m.Credit(job=job, frames=8))
                assert taker.run(request(new_folder(worker, "beside"))).frames == 4
                peak = max(peak, vitals(worker).memory)
        # A frame is a view of its file until libzmq encrypts it: then there is a copy, plain and
        # encrypted, and the kernel counts the view as well. All that is owed would be 8 times that.
        assert peak - base < len(readers) * 3 * FRAME_BYTES + 16 * MB
        for reader, job in zip(readers, jobs, strict=True):
            reader.send(m.Attach(id=new_id(), job=job))
            reader.send(m.Credit(job=job, frames=8))
            told = set[int]()
            while told != set(range(1, 9)):
                told.add(reader.hear(m.Frame).frame)
            reader.done(job)
    still_sound(worker, GROWTH_BYTES)


def test_reader_without_credit(worker: RunningWorker) -> None:
    """Case 21: frames wait on disk, however long."""
    base = vitals(worker).memory
    with Taker(worker) as taker:
        job = taker.submit(pixel_request(shots_of(worker), "1-20", f"edge{EDGE}")).job
        taker.attach(job)
        taker.hear(m.Progress, lambda said: said.state == "done")
        assert vitals(worker).memory - base < 2 * FRAME_BYTES
        taker.send(m.Credit(job=job, frames=1))
        assert taker.done(job).frames == 20
        taker.take_until(lambda: len(taker.safe[job]) == 20, "all are safe")
    assert not list((worker.places.state / "spool" / job).rglob("*.f16"))
    still_sound(worker, GROWTH_BYTES)


def test_answers_that_nobody_reads(worker: RunningWorker) -> None:
    """Case 21: who asks for long lists and reads none is let go before they fill the memory."""
    base = vitals(worker).memory
    shots = new_folder(worker, "list")
    long = "/" + "/".join(["x" * 200] * 18)
    asked = request(
        shots, "1-1", source=m.PathSource(path=f"{shots}{long}"), target=f"{shots}{long}"
    )
    with (
        Caller(worker.connection, stranger(worker, "lister"), room=1) as lister,
        Taker(worker) as taker,
    ):
        for _ in range(100):
            lister.submit(asked)
        peak = 0
        for _ in range(10):
            for _ in range(20):  # 0.7 MB each, 150 MB in all
                lister.send(m.List(id=new_id()))
            assert taker.run(request(new_folder(worker, "beside"), priority=9)).frames == 4
            peak = max(peak, vitals(worker).memory - base)
        # What waits, what libzmq has taken, and the message that is being made.
        assert peak < MAX_OUTBOX_BYTES + 32 * 0.7 * MB, f"{peak / MB:.0f} MB"
    still_sound(worker, GROWTH_BYTES + MAX_OUTBOX_BYTES)
