"""A job from submit to end, on whatever thread waits for it; what it tells goes to one listener."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, Protocol

from lumivid_fx.errors import LumividError

if TYPE_CHECKING:
    from lumivid_fx.client import FinishedFrame, Worker
    from lumivid_fx.client.job import Job
    from lumivid_fx.protocol.messages import Done, Progress, Request

TICK_S = 0.25
"""How often a job is looked at: how quickly a cancel is heard."""


class Listener(Protocol):
    """Who wants to know of a job; called on the thread that follows it."""

    def wants_to_stop(self) -> bool:
        """Whether the job is to be cancelled."""

    def heard(self, progress: Progress | None, frames: list[FinishedFrame]) -> None:
        """Where the job is, and what is finished since the last time."""


def submit_and_follow(worker: Worker, job: str, request: Request, listener: Listener) -> Done:
    """Submit a job, and follow it to its end.

    Returns:
        How it ended: done, failed or cancelled.

    Raises:
        LumividError: It could not be submitted, or its end will not be heard.
    """
    finished: queue.SimpleQueue[FinishedFrame] = queue.SimpleQueue()
    return _follow(
        worker.submit_request(request, job=job, on_frame=finished.put), finished, listener
    )


def attach_and_follow(worker: Worker, job: str, listener: Listener) -> Done:
    """Follow a job that was submitted before; see :func:`submit_and_follow`."""
    finished: queue.SimpleQueue[FinishedFrame] = queue.SimpleQueue()
    return _follow(worker.attach(job, on_frame=finished.put), finished, listener)


def _follow(job: Job, finished: queue.SimpleQueue[FinishedFrame], listener: Listener) -> Done:
    asked = False
    told: Progress | None = None
    while True:
        if not asked and listener.wants_to_stop():
            job.cancel()
            asked = True
        try:
            done: Done | None = job.wait(TICK_S)
        except TimeoutError:
            done = None
        except LumividError:
            done = job.done
            if done is None:
                raise
        frames = []
        while not finished.empty():
            frames.append(finished.get())
        if frames or job.progress is not told:
            told = job.progress
            listener.heard(told, frames)
        if done is not None:
            return done


def in_words(progress: Progress) -> str:
    """Where a job is, for a status line: ``12 of 40 frames, 3:20 left``."""
    if progress.state == "queued":
        ahead = f"{progress.ahead} jobs before it" if progress.ahead > 1 else "next"
        return f"waiting, {ahead if progress.ahead != 1 else '1 job before it'}"
    parts = [progress.phase] if progress.phase and not progress.total else []
    if progress.total:
        parts.append(f"{progress.frames} of {progress.total} frames")
    if progress.eta_s is not None:
        parts.append(f"{clock(progress.eta_s)} left")
    if progress.attempt > 1:
        parts.append(f"attempt {progress.attempt}")
    return ", ".join([*parts, *([progress.note] if progress.note else [])]) or "rendering"


def share(progress: Progress) -> int:
    """Percent done: finished frames, and steps of the window that is being rendered."""
    if not progress.total:
        return 0
    window = progress.step / progress.steps if progress.steps else 0.0
    size = 1 / max(1, progress.windows)
    done = max(progress.frames / progress.total, (max(1, progress.window) - 1 + window) * size)
    return int(min(1.0, done) * 100)


def end_in_words(done: Done) -> str:
    """How a job ended, for a status line."""
    if done.state == "cancelled":
        return f"cancelled; {_frames(done.frames)} finished and kept"
    if done.state != "done":
        return done.message or f"the job is {done.state}"
    kept = done.kept + done.cached
    before = f", {kept} of them from before" if kept else ""
    return "; ".join([f"{_frames(done.frames)}{before}, {clock(done.seconds)}", *done.notes])


def clock(seconds: float) -> str:
    """A time as people say it: ``3:20``, ``1:03:20``."""
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _frames(count: int) -> str:
    return f"{count} frame" if count == 1 else f"{count} frames"
