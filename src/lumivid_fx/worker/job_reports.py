"""What the server hears of a job while it runs, and where a cancel takes hold."""

from __future__ import annotations

import hashlib
from pathlib import Path
from time import monotonic

from msgspec.structs import replace

from lumivid_fx.errors import LimitError
from lumivid_fx.media.exr import read_attributes
from lumivid_fx.pipeline.frame_file import FrameFile
from lumivid_fx.pipeline.frame_keys import CLIPPED_ATTRIBUTE, FrameStore
from lumivid_fx.pipeline.pace import Pace
from lumivid_fx.pipeline.render_shot import Progress
from lumivid_fx.protocol.messages import MAX_FRAMES
from lumivid_fx.worker.orders import FrameDone, Render, Step
from lumivid_fx.worker.pixel_files import pixels_of, read_picture, write_pixels
from lumivid_fx.worker.server_line import ServerLine

STEP_S = 0.1
"""Steps are reported no more often than this, but for the first and the last of a window."""


class JobReports:
    """Reports of one job; every method that reports raises CancelledError once it is cancelled.

    Args:
        order: The job.
        line: To the server.

    Attributes:
        finished: Frames that the server knows of.
        steps_per_window: Sampler steps of one window, all stages together.
    """

    def __init__(self, order: Render, line: ServerLine) -> None:
        self.finished: set[int] = set()
        self.steps_per_window = 1
        self._order = order
        self._line = line
        self._pace = Pace()
        self._total = 0
        self._step = Step(job=order.job, phase="starting")
        self._said = ("", 0.0)

    def phase(self, words: str) -> None:
        """Tell what is being done; the same again only so often."""
        before, at = self._said
        now = self._pace.at = monotonic()  # what is no step and no frame is in nobody's pace
        if words != before or now - at >= STEP_S:
            self._said = (words, now)
            self._line.say(Step(job=self._order.job, phase=words, total=self._total))
        self._line.check(self._order.job)

    def on_start(self, missing: int, there: int) -> None:
        """Take in how many frames there are.

        Raises:
            LimitError: More than a job may have, of a plate that no range was named of.
        """
        self._total = missing + there + len(self.finished)
        if self._total > MAX_FRAMES:
            raise LimitError(
                f"the plate has {self._total} frames, and a job has at most {MAX_FRAMES}; cut it "
                "into several jobs, each with a range"
            )
        self._pace = Pace(frames=missing)
        self.phase("looking at the plate")

    def on_progress(self, progress: Progress) -> None:
        """Tell that a sampler step is done."""
        now = monotonic()
        self._pace.steps = progress.windows * self.steps_per_window
        self._pace.step(now)
        self._step = Step(
            job=self._order.job,
            phase=progress.phase,
            step=progress.done,
            steps=progress.steps,
            window=progress.window,
            windows=progress.windows,
            total=self._total,
            eta_s=self._pace.left,
        )
        if progress.done in (1, progress.steps) or now - self._said[1] >= STEP_S:
            self._said = (progress.phase, now)
            self._line.say(self._step)
        self._line.check(self._order.job)

    def on_frame(self, frame: FrameFile) -> None:
        """Tell that a frame is on disk, and make its pixels ready where those are wanted."""
        done = self._pixels_done(frame) if self._wants_pixels else self._path_done(frame)
        if frame.how == "rendered":
            now = monotonic()
            self._pace.frame(now)
            if now - self._said[1] >= STEP_S or self._pace.left is None:
                self._said = ("writing", now)
                self._line.say(replace(self._step, phase="writing", eta_s=self._pace.left))
        elif frame.how == "cache":
            self._pace.frames -= 1
        self._line.say(done)
        self.finished.add(frame.number)
        self._line.check(self._order.job)

    @property
    def _wants_pixels(self) -> bool:
        return self._order.request.deliver == "pixels"

    def _path_done(self, frame: FrameFile) -> FrameDone:
        with frame.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
        return self._done(frame, frame.path, digest, size)

    def _pixels_done(self, frame: FrameFile) -> FrameDone:
        picture = read_picture(frame.path)
        path = pixels_of(Path(self._order.spool), frame.number)
        write_pixels(path, picture)
        return self._done(frame, path, picture.sha256, picture.samples.nbytes, picture.shape)

    def _done(
        self,
        frame: FrameFile,
        path: Path,
        sha256: str,
        size: int,
        shape: tuple[int, int, int] | None = None,
    ) -> FrameDone:
        share = read_attributes(frame.path).get(CLIPPED_ATTRIBUTE)
        return FrameDone(
            job=self._order.job,
            frame=frame.number,
            how=frame.how,
            sha256=sha256,
            size=size,
            path=str(path.absolute()),
            shape=shape,
            space=self._order.request.settings.output_space,
            model_clipped=share if isinstance(share, float) else 0.0,
            half_clamped=frame.half_clamped,
        )


class WatchedStore:
    """A store that tells of each look into it, so that a long search is no silence.

    Args:
        store: The store.
        reports: Of the job.
    """

    def __init__(self, store: FrameStore, reports: JobReports) -> None:
        self._store = store
        self._reports = reports

    def fetch(self, key: str, path: Path) -> bool:
        """See :class:`lumivid_fx.pipeline.frame_keys.FrameStore`."""
        self._reports.phase("looking in the cache")
        return self._store.fetch(key, path)

    def keep(self, key: str, path: Path) -> None:
        """Likewise."""
        self._store.keep(key, path)
