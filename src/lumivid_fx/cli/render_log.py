"""What a render tells: a bar for a person, plain lines for a log file, JSON for a program.

Progress goes to standard error and the result to standard output; so do all JSON lines.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from lumivid_fx.pipeline.render_files import RenderReport
    from lumivid_fx.pipeline.render_shot import FinishedFrame, Progress


@dataclass
class Pace:
    """How long steps and frames have taken, and so how long the rest will take.

    Attributes:
        steps: Sampler steps in all; 0 while nobody knows.
        frames: Frames to render in all.
        at: When the last of either was done, in seconds.
        steps_done: See `steps`.
        frames_done: See `frames`.
        step_seconds: Time that went into steps.
        frame_seconds: Time that went into decoding, merging and writing frames.
    """

    steps: int = 0
    frames: int = 0
    at: float = field(default_factory=monotonic)
    steps_done: int = 0
    frames_done: int = 0
    step_seconds: float = 0.0
    frame_seconds: float = 0.0

    def step(self, now: float) -> None:
        """Count a step that is done."""
        self.steps_done += 1
        self.step_seconds += now - self.at
        self.at = now

    def frame(self, now: float) -> None:
        """Count a frame that is on disk."""
        self.frames_done += 1
        self.frame_seconds += now - self.at
        self.at = now

    @property
    def seconds(self) -> float:
        """Time taken so far."""
        return self.step_seconds + self.frame_seconds

    @property
    def left(self) -> float | None:
        """Seconds that the rest will take; None before there is a frame to judge by, and after."""
        if not self.steps_done or not 0 < self.frames_done < self.frames:
            return None
        each_step = self.step_seconds / self.steps_done
        each_frame = self.frame_seconds / self.frames_done
        return each_step * (self.steps - self.steps_done) + each_frame * (
            self.frames - self.frames_done
        )


class RenderLog:
    """Follows one render and tells how far it is.

    Args:
        as_json: Print a JSON line on standard output for each finished frame.
        console: Where a person reads; standard error if not given.

    Attributes:
        kept: Frames that were there before.
        steps_per_window: Sampler steps of one window, all stages together.
        pace: Of the render.
    """

    def __init__(self, *, as_json: bool = False, console: Console | None = None) -> None:
        from rich import progress
        from rich.console import Console

        self.kept = 0
        self.pace = Pace()
        self.steps_per_window = 1
        self._as_json = as_json
        self._console = console or Console(stderr=True)
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.TextColumn("{task.fields[frames]}", markup=False),
            progress.TextColumn("{task.fields[left]}", markup=False),
            console=self._console,
        )
        self._task: TaskID | None = None
        self._said = ""

    def __enter__(self) -> RenderLog:
        if self._console.is_terminal:
            self._bar.start()
            self._task = self._bar.add_task("reading the plate", total=None, frames="", left="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._bar.stop()

    @property
    def finished(self) -> int:
        """Frames on disk, those that were there before included."""
        return self.kept + self.pace.frames_done

    def phase(self, words: str) -> None:
        """Tell what is being done."""
        if self._task is not None:
            self._bar.update(self._task, description=words)
        elif not self._as_json and words != self._said:
            typer.echo(words, err=True)
        self._said = words

    def on_start(self, to_render: int, kept: int) -> None:
        """Take in how many frames there are."""
        self.pace = Pace(frames=to_render)
        self.kept = kept
        if kept:
            self.phase(f"keeping {kept} frames that were rendered before, {to_render} to go")

    def on_progress(self, progress: Progress) -> None:
        """Tell that a sampler step is done."""
        self.pace.steps = progress.windows * self.steps_per_window
        self.pace.step(monotonic())
        where = f"window {progress.window} of {progress.windows}, {progress.phase}"
        if self._task is None:
            self.phase(where)
        else:
            self.phase(f"{where} {progress.done} of {progress.steps}")
        self._advance()

    def on_frame(self, path: Path, finished: FinishedFrame) -> None:
        """Tell that a frame is on disk."""
        self.pace.frame(monotonic())
        number = finished.source.number
        if self._as_json:
            clipped = asdict(finished.clipped)
            typer.echo(json.dumps({"frame": number, "path": str(path), "model_clipped": clipped}))
        elif self._task is None:
            left = self.pace.left
            done = f"frame {number} is done, {self.pace.frames_done} of {self.pace.frames}"
            typer.echo(done if left is None else f"{done}, {brief_time(left)} left", err=True)
        self._advance()

    def on_end(self, report: RenderReport, sheet: Path | None) -> None:
        """Tell what was done, on standard output."""
        tell = _json_summary if self._as_json else _summary
        typer.echo(tell(report, self.pace.seconds, sheet))

    def _advance(self) -> None:
        if self._task is None:
            return
        pace, left = self.pace, self.pace.left
        self._bar.update(
            self._task,
            total=pace.steps + pace.frames,
            completed=pace.steps_done + pace.frames_done,
            frames=f"{pace.frames_done} of {pace.frames} frames",
            left="" if left is None else f"{brief_time(left)} left",
        )


def brief_time(seconds: float) -> str:
    """Write a duration as people say it: ``45 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _summary(report: RenderReport, seconds: float, sheet: Path | None) -> str:
    """What was done, in words."""
    first, last = report.frames[0], report.frames[-1]
    count, clipped = report.rendered, report.model_clipped
    pace = f" in {brief_time(seconds)}, {seconds / count:.2f} s a frame" if count else ""
    lines = [
        f"{count} frames rendered{pace}; {report.kept} kept from before",
        f"from {first}" if first == last else f"from {first} to {last}",
        f"model samples outside its curve, clamped: {clipped.above} above "
        f"and {clipped.below} below, of {clipped.total}",
        f"samples beyond half float, clamped: {report.half_clamped}",
    ]
    return "\n".join(lines if sheet is None else [*lines, f"contact sheet: {sheet}"])


def _json_summary(report: RenderReport, seconds: float, sheet: Path | None) -> str:
    """What was done, as one JSON object."""
    return json.dumps(
        {
            "rendered": report.rendered,
            "kept": report.kept,
            "frames": [str(path) for path in report.frames],
            "model_clipped": asdict(report.model_clipped),
            "half_clamped": report.half_clamped,
            "seconds": round(seconds, 3),
            "seconds_per_frame": round(seconds / report.rendered, 3) if report.rendered else None,
            "sheet": None if sheet is None else str(sheet),
        }
    )
