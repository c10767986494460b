"""What a render tells: a bar for a person, plain lines for a log file, JSON for a program.

Progress goes to standard error and the result to standard output; so do all JSON lines.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING

import typer

from lumivid_fx.cli.options import GB
from lumivid_fx.cli.phase_bar import PhaseBar, brief_time
from lumivid_fx.pipeline.pace import Pace

if TYPE_CHECKING:
    from rich.console import Console

    from lumivid_fx.pipeline.frame_file import FrameFile
    from lumivid_fx.pipeline.memory_plan import MemoryPlan
    from lumivid_fx.pipeline.render_files import RenderReport
    from lumivid_fx.pipeline.render_shot import Progress


class RenderLog:
    """Follows one render and tells how far it is.

    Args:
        as_json: Print a JSON line on standard output for each finished frame.
        console: Where a person reads; standard error if not given.

    Attributes:
        kept: Frames that were there before.
        steps_per_window: Sampler steps of one window, all stages together.
        pace: Of the render.
        bar: What is being done.
    """

    def __init__(self, *, as_json: bool = False, console: Console | None = None) -> None:
        self.kept = 0
        self.pace = Pace()
        self.steps_per_window = 1
        self.bar = PhaseBar("reading the plate", quiet=as_json, console=console)
        self._as_json = as_json

    def __enter__(self) -> RenderLog:
        self.bar.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.__exit__(kind, error, trace)

    @property
    def finished(self) -> int:
        """Frames on disk, those that were there before included."""
        return self.kept + self.pace.frames_done

    def on_plan(self, plan: MemoryPlan) -> None:
        """Tell how the render will fit the card, in one line."""
        chosen = plan.chosen
        self.bar.line(
            f"plan for {plan.card.name}: {chosen.describe()}; {chosen.peak / GB:.1f} of "
            f"{plan.card.memory / GB:.1f} GB, about {brief_time(plan.seconds)}"
        )
        self.bar.phase("placing the model")

    def on_start(self, to_render: int, kept: int) -> None:
        """Take in how many frames there are."""
        self.pace = Pace(frames=to_render)
        self.kept = kept
        if kept:
            self.bar.phase(f"keeping {kept} frames that were rendered before, {to_render} to go")

    def on_progress(self, progress: Progress) -> None:
        """Tell that a sampler step is done."""
        self.pace.steps = progress.windows * self.steps_per_window
        self.pace.step(monotonic())
        where = f"window {progress.window} of {progress.windows}, {progress.phase}"
        self.bar.phase(where, f"{progress.done} of {progress.steps}")
        self._advance()

    def on_frame(self, frame: FrameFile) -> None:
        """Tell that a frame is on disk; one that is kept was told of before."""
        if frame.how == "kept":
            return
        self.pace.frame(monotonic())
        if self._as_json:
            told = {"frame": frame.number, "path": str(frame.path)}
            typer.echo(json.dumps({**told, "model_clipped": asdict(frame.clipped)}))
        elif not self.bar.seen:
            left = self.pace.left
            done = f"frame {frame.number} is done, {self.pace.frames_done} of {self.pace.frames}"
            self.bar.line(done if left is None else f"{done}, {brief_time(left)} left")
        self._advance()

    def on_end(self, report: RenderReport, sheet: Path | None) -> None:
        """Tell what was done, on standard output."""
        tell = _json_summary if self._as_json else _summary
        typer.echo(tell(report, self.pace.seconds, sheet))

    def _advance(self) -> None:
        pace = self.pace
        self.bar.advance(
            pace.steps_done + pace.frames_done,
            pace.steps + pace.frames,
            f"{pace.frames_done} of {pace.frames} frames",
            pace.left,
        )


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
    if report.memory is not None:
        lines.append(f"memory, {report.memory}")
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
            "memory": None if report.memory is None else asdict(report.memory),
            "seconds": round(seconds, 3),
            "seconds_per_frame": round(seconds / report.rendered, 3) if report.rendered else None,
            "waited": {part: round(each, 3) for part, each in asdict(report.waits).items()},
            "sheet": None if sheet is None else str(sheet),
        }
    )
