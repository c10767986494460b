"""Plates that are sent as pixels."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import cast

import numpy as np
import pytest
from tests.client.stand_in import PATIENCE_S, StandIn, wait_until

from lumivid_fx import client
from lumivid_fx.errors import CancelledError, InputError, RenderError, WireError
from lumivid_fx.protocol import messages as m
from lumivid_fx.protocol.messages import PixelSource

SMALL = PixelSource(width=4, height=2, channels=4, first=1001, count=6)
LARGE = PixelSource(width=500, height=400, channels=3, first=0, count=3)
"""1.2 MB a frame: five chunks each."""

MANY = PixelSource(width=500, height=400, channels=3, first=0, count=40)
"""48 MB: more than the window and what is held beside it."""


def plate(source: PixelSource) -> list[bytes]:
    """Frames of noise, always the same."""
    rng = np.random.default_rng(0)
    return [rng.bytes(source.frame_bytes) for _ in range(source.count)]


def received(stand_in: StandIn, job: client.Job, source: PixelSource) -> list[bytes]:
    """What the worker has of the plate."""
    held = stand_in.jobs[job.id].plate
    assert sorted(held) == list(range(source.first, source.first + source.count))
    return [bytes(held[number]) for number in sorted(held)]


@pytest.mark.parametrize("source", [SMALL, LARGE], ids=["small", "large"])
def test_a_plate_arrives(stand_in: StandIn, worker: client.Worker, source: PixelSource) -> None:
    """Every byte, in pieces that keep to the limits; then the job is like any other."""
    sent: list[int] = []
    job = worker.submit_pixels(plate(source), source, label="a plate", on_sent=sent.append)
    assert received(stand_in, job, source) == plate(source)
    assert sent == list(range(source.first, source.first + source.count))
    assert [frame.number for frame in job.frames(PATIENCE_S)] == sent
    (submit,) = stand_in.heard(m.Submit)
    assert submit.request == m.Request(source=source, deliver="pixels", label="a plate")


def test_a_worker_with_other_limits(
    stand_in: StandIn, connect: Callable[..., client.Worker]
) -> None:
    """What its welcome allows is kept to, in pieces as in frames."""
    stand_in.limits = m.Limits(heartbeat_s=5, chunk=100_000, chunks=2, credit=6, pixel_credit=1)
    worker = connect()
    stand_in.deaf_to = {m.Put}
    with Submitting(worker, LARGE, Counted(LARGE)):
        wait_until(lambda: len(stand_in.heard(m.Put)) == 2, "two pieces are under way")
        worker.ping()
        assert [put.offset for put in stand_in.heard(m.Put)] == [0, 100_000]
        stand_in.deaf_to = set()
        stand_in.restart()
    assert {put.offset % 100_000 for put in stand_in.heard(m.Put)} == {0}
    inline = worker.submit("/show/clip.mp4")
    paths = worker.submit("/show/clip.mp4", "/show/out/")
    inline.wait(PATIENCE_S)
    paths.wait(PATIENCE_S)
    for job, most in ((inline, 1), (paths, 6)):
        assert [said.frames for said in stand_in.heard(m.Credit) if said.job == job.id] == [most]


def test_whatever_has_bytes(stand_in: StandIn, worker: client.Worker) -> None:
    """Arrays of half floats are taken as they are, and may be used again at once."""
    frames = plate(SMALL)
    array = np.empty((2, 4, 4), np.float16)

    def arrays() -> Iterator[memoryview]:
        for frame in frames:
            array[...] = np.frombuffer(frame, np.float16).reshape(array.shape)
            yield array.data

    job = worker.submit_pixels(arrays(), SMALL, "/show/out/")
    assert received(stand_in, job, SMALL) == frames


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (np.zeros((2, 4, 4), np.float32).data, "frame 1003 of the plate has 128 bytes"),
        (np.zeros((2, 4, 8), np.float16)[..., ::2].data, "in one piece"),
        (b"", "frame 1003 of the plate has 0 bytes"),
    ],
    ids=["float32", "strided", "empty"],
)
def test_a_frame_of_another_size(
    stand_in: StandIn, worker: client.Worker, bad: memoryview | bytes, told: str
) -> None:
    """It is told with its number, and the job does not wait for it for ever."""
    with pytest.raises(InputError, match=told):
        worker.submit_pixels([*plate(SMALL)[:2], bad], SMALL)
    (cancel,) = stand_in.heard(m.Cancel)
    assert cancel.job in stand_in.jobs


def test_what_holds_no_bytes(stand_in: StandIn, worker: client.Worker) -> None:
    """A list of numbers is no frame."""
    numbers = [cast("client.Bytes", range(64))]
    with pytest.raises(InputError, match="frame 1001 of the plate is range and holds no bytes"):
        worker.submit_pixels(numbers, SMALL)
    assert len(stand_in.heard(m.Cancel)) == 1


def test_too_few_frames(stand_in: StandIn, worker: client.Worker) -> None:
    """A plate that ends early is told; one that goes on is cut where it was promised to end."""
    with pytest.raises(InputError, match="the plate ends before frame 1003, and 6 frames were"):
        worker.submit_pixels(plate(SMALL)[:2], SMALL)
    assert len(stand_in.heard(m.Cancel)) == 1
    job = worker.submit_pixels(plate(SMALL) * 2, SMALL)
    assert received(stand_in, job, SMALL) == plate(SMALL)


def test_a_plate_that_breaks_off(stand_in: StandIn, worker: client.Worker) -> None:
    """What its iterator raises comes through, and the job is cancelled."""

    def frames() -> Iterator[bytes]:
        yield plate(SMALL)[0]
        raise ZeroDivisionError("as told")

    with pytest.raises(ZeroDivisionError, match="as told"):
        worker.submit_pixels(frames(), SMALL)
    assert len(stand_in.heard(m.Cancel)) == 1


class Counted:
    """A plate that knows how many of its frames have been taken."""

    def __init__(self, source: PixelSource) -> None:
        self.taken = 0
        self._frame = bytes(source.frame_bytes)
        self._count = source.count

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self._count):
            self.taken += 1
            yield self._frame


class Submitting(threading.Thread):
    """Submits a plate in a thread of its own."""

    def __init__(self, worker: client.Worker, source: PixelSource, frames: Counted) -> None:
        super().__init__(daemon=True)
        self.job: client.Job | None = None
        self.error: BaseException | None = None
        self._submit: Callable[[], client.Job] = lambda: worker.submit_pixels(frames, source)

    def __enter__(self) -> Submitting:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.join(PATIENCE_S)

    def run(self) -> None:
        """Do it."""
        try:
            self.job = self._submit()
        except (WireError, CancelledError) as error:
            self.error = error


def test_a_window_bounds_what_is_under_way(stand_in: StandIn, worker: client.Worker) -> None:
    """A worker that takes nothing is sent no more than 32 pieces, and little is held here."""
    stand_in.deaf_to = {m.Put}
    frames = Counted(MANY)
    with Submitting(worker, MANY, frames) as submitting:
        wait_until(lambda: len(stand_in.heard(m.Put)) == 32, "the window is full")
        worker.ping()
        assert len(stand_in.heard(m.Put)) == 32
        # 8 MB beside the one being sent, and the one that is handed over.
        assert frames.taken <= 8 * 1024 * 1024 // MANY.frame_bytes + 2
        stand_in.deaf_to = set()
        stand_in.restart()
    assert submitting.job is not None
    assert frames.taken == 40


def test_a_restart_in_the_middle(stand_in: StandIn, worker: client.Worker) -> None:
    """It goes on at the first frame that the worker does not have whole; none is missing."""
    frames = plate(MANY)

    def breaking() -> Iterator[bytes]:
        for place, frame in enumerate(frames):
            if place in (12, 25):
                stand_in.restart()
            yield frame

    sent: list[int] = []
    job = worker.submit_pixels(breaking(), MANY, on_sent=sent.append)
    assert received(stand_in, job, MANY) == frames
    assert sent == list(range(40))
    assert {submit.job for submit in stand_in.heard(m.Submit)} == {job.id}
    assert len(stand_in.heard(m.Submit)) == 3
    begun = [put.frame for put in stand_in.heard(m.Put) if put.offset == 0]
    assert len(begun) < 40 + 2 * 12  # what was under way, eight or nine frames, is sent again
    assert len(list(job.frames(PATIENCE_S))) == 40


def test_another_program_goes_on(stand_in: StandIn, connect: Callable[..., client.Worker]) -> None:
    """Submitted again under its id, a plate is sent from where it stopped."""
    name = "ab" * 16
    first, frames = connect(), plate(LARGE)

    def breaking() -> Iterator[bytes]:
        yield frames[0]
        wait_until(lambda: stand_in.jobs[name].need == 1, "one is whole")
        raise WireError("as told")

    with pytest.raises(WireError, match="as told"):
        first.submit_pixels(breaking(), LARGE, job=name)
    puts = len(stand_in.heard(m.Put))
    job = connect().submit_pixels(frames, LARGE, job=name)
    assert received(stand_in, job, LARGE) == frames
    assert {put.frame for put in stand_in.heard(m.Put)[puts:]} == {1, 2}
    again = connect().submit_pixels([], LARGE, job=name)
    assert again.wait(PATIENCE_S).frames == 3


def test_a_plate_that_finds_no_room(stand_in: StandIn, worker: client.Worker) -> None:
    """What the worker says about a piece ends the sending."""
    stand_in.refuse = {m.Put: "E_DISK_FULL"}
    with pytest.raises(RenderError, match="as told: E_DISK_FULL") as caught:
        worker.submit_pixels(plate(SMALL), SMALL)
    assert caught.value.code == "E_DISK_FULL"


def test_a_job_that_is_cancelled_meanwhile(stand_in: StandIn, worker: client.Worker) -> None:
    """Its plate is not wanted any more; the job tells why."""
    stand_in.deaf_to = {m.Put}
    with Submitting(worker, MANY, Counted(MANY)) as submitting:
        wait_until(lambda: len(stand_in.heard(m.Put)) == 32, "the window is full")
        (name,) = stand_in.jobs
        stand_in.say(m.Done(job=name, state="cancelled", code="E_CANCELLED", message="by another"))
    assert submitting.job is not None
    with pytest.raises(CancelledError, match="by another"):
        submitting.job.wait(PATIENCE_S)
