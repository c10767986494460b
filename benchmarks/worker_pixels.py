"""Pixels out of a worker, beside what carries them: memory, ZeroMQ, CURVE, files, digests."""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psutil
from tests.worker.running import RunningWorker

from benchmarks.frame_runner import SIZE, FrameRunner
from benchmarks.table import show
from benchmarks.zmq_peer import Asked, peer
from lumivid_fx import client

FRAMES = 12
ROUNDS = 4


@dataclass(frozen=True)
class Took:
    """What one frame took.

    Attributes:
        wall: Seconds from one frame to the next.
        cpu: Seconds of processor time, all processes together.
    """

    wall: float
    cpu: float


class Stopwatch:
    """What happened while it ran; processes are named by their ids.

    Attributes:
        took: Of one frame, once it has stopped.
    """

    def __init__(self, *processes: int) -> None:
        self._processes = [psutil.Process(), *map(psutil.Process, processes)]
        self.took = Took(0, 0)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run."""
        cpu, wall = self._cpu(), time.perf_counter()
        yield
        wall = time.perf_counter() - wall
        self.took = Took(wall / FRAMES, (self._cpu() - cpu) / FRAMES)

    def _cpu(self) -> float:
        times = [process.cpu_times() for process in self._processes]
        return sum(each.user + each.system for each in times)


def pixels_table(worker: RunningWorker, connected: client.Worker, folder: Path) -> None:
    """Measure and print."""
    content = FrameRunner.content
    for number in range(FRAMES):
        (folder / str(number)).write_bytes(content)
    with ExitStack() as stack:
        plain = stack.enter_context(peer(folder, curve=False))
        curve = stack.enter_context(peer(folder, curve=True))
        names: dict[str, Callable[[], Took]] = {
            "memory, copied": lambda: _copied(content),
            "ZeroMQ": lambda: _received(plain, files=False, digest=False),
            "ZeroMQ, CURVE": lambda: _received(curve, files=False, digest=False),
            "the same from mapped files": lambda: _received(curve, files=True, digest=False),
            "the same, SHA-256 checked": lambda: _received(curve, files=True, digest=True),
            "worker, frames finished before": lambda: _delivered(worker, connected, folder),
            "worker, from submit to the last": lambda: _from_submit(worker, connected, folder),
        }
        found = dict(zip(names, _in_turns(list(names.values())), strict=True))
    base = found["ZeroMQ, CURVE"].wall
    show(
        "1080p RGBA half floats from one process to another, SHA-256 and acks with the worker's",
        ("", "frames a second", "MB a second", "times CURVE's", "processor, ms a frame"),
        [
            (
                *(name, f"{1 / took.wall:.1f}", f"{SIZE / 1e6 / took.wall:.0f}"),
                *(f"{took.wall / base:.2f}", f"{took.cpu * 1e3:.0f}"),
            )
            for name, took in found.items()
        ],
    )
    shares = [took.cpu for took in list(found.values())[1:6]]
    steps = [
        shares[0],
        *(after - before for before, after in pairwise(shares)),
    ]
    whats = (
        "ZeroMQ",
        "CURVE, both ends",
        "files, mapped",
        "SHA-256, client's",
        "the worker's rest",
    )
    show(
        "Of the processor's time for a frame that was finished before",
        ("", "ms", "share"),
        [
            (what, f"{step * 1e3:.1f}", f"{step / shares[-1]:.0%}")
            for what, step in zip(whats, steps, strict=True)
        ],
    )


def _in_turns(runs: list[Callable[[], Took]]) -> list[Took]:
    """Medians; the first turn warms up."""
    turns = [[run() for run in runs] for _ in range(ROUNDS + 1)][1:]
    return [
        Took(
            statistics.median(took.wall for took in of),
            statistics.median(took.cpu for took in of),
        )
        for of in zip(*turns, strict=True)
    ]


def _copied(content: bytes) -> Took:
    watch = Stopwatch()
    with watch.running():
        for _ in range(FRAMES):
            bytearray(content)
    return watch.took


def _received(asked: Asked, *, files: bool, digest: bool) -> Took:
    watch = Stopwatch(asked.pid)
    with watch.running():
        for pixels in asked.frames(FRAMES, files=files):
            if digest:
                hashlib.sha256(pixels).hexdigest()
    return watch.took


def _submit(connected: client.Worker, folder: Path, *, want_frames: bool) -> client.Job:
    return connected.submit(
        folder / "plate.mov",
        deliver="pixels",
        frames=f"1-{FRAMES}",
        label="1080p",
        want_frames=want_frames,
    )


def _delivered(worker: RunningWorker, connected: client.Worker, folder: Path) -> Took:
    job = _submit(connected, folder, want_frames=False)
    job.wait()
    watch = Stopwatch(worker.pid)
    with watch.running():
        for _ in connected.attach(job.id).frames():
            pass
    return watch.took


def _from_submit(worker: RunningWorker, connected: client.Worker, folder: Path) -> Took:
    watch = Stopwatch(worker.pid, *worker.runners)
    with watch.running():
        for _ in _submit(connected, folder, want_frames=True).frames():
            pass
    return watch.took
