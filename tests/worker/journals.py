"""Jobs and frames for the tests of journal and line."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from lumivid_fx.protocol.messages import PathSource, PixelSource, Request, Settings
from lumivid_fx.worker.journal import FrameRecord, Journal

OWNER = "x" * 40
SESSION = hashlib.md5(b"session", usedforsecurity=False).hexdigest()

TO_PATH = Request(
    source=PathSource(path="/show/sc010/plate.####.exr"),
    frames="1001-1049",
    target="/show/sc010/hdr.####.exr",
    settings=Settings(sigmas=((1.0, 0.5, 0.0),), exposure=-0.25),
    label="sc010 Tür",
)

TO_PIXELS = Request(
    source=PixelSource(width=64, height=36, channels=3, first=1001, count=9), deliver="pixels"
)


def job_id(number: int) -> str:
    """An id as a client would choose it."""
    return hashlib.md5(b"job %d" % number, usedforsecurity=False).hexdigest()


def digest(words: str) -> str:
    """A digest of something."""
    return hashlib.sha256(words.encode()).hexdigest()


def frame_record(frame: int, version: int = 1) -> FrameRecord:
    """A finished frame; another `version` is another file."""
    return FrameRecord(
        frame=frame,
        how="rendered",
        sha256=digest(f"{frame} v{version}"),
        size=16_588_800 + frame,
        path=f"/show/sc010/hdr.{frame:04d}.exr",
        shape=(36, 64, 3) if frame % 2 else None,
        space="lin_rec709",
        model_clipped=0.125,
        half_clamped=frame % 7,
        acked=False,
    )


def acked(frame: FrameRecord) -> FrameRecord:
    """The same, and the client has it safe."""
    return replace(frame, acked=True)


def add(journal: Journal, number: int, request: Request = TO_PATH, session: str = SESSION) -> str:
    """Put a job into the queue; give its id."""
    return journal.add_job(job_id(number), OWNER, session, request, "queued").job


def end(journal: Journal, job: str) -> None:
    """Have a queued job run, and be done."""
    assert journal.move(job, "queued", "running")
    assert journal.move(job, "running", "done")


@contextmanager
def opened(folder: Path, clock: Callable[[], float] = time.time) -> Iterator[Journal]:
    """A journal, closed again."""
    journal = Journal.open(folder, clock)
    try:
        yield journal
    finally:
        journal.close()
