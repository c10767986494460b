"""What a watched job tells: the same as a render of one's own, but for what only a worker knows."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import typer

from lumivid_fx.cli.phase_bar import PhaseBar, brief_time
from lumivid_fx.protocol.job_state import ENDED

if TYPE_CHECKING:
    from rich.console import Console

    from lumivid_fx.client import FinishedFrame
    from lumivid_fx.protocol.messages import Done, Progress


class JobLog:
    """Follows one job and tells how far it is.

    Its methods may be called from the client's thread.

    Args:
        as_json: Print JSON lines on standard output.
        tell_progress: With `as_json`: print progress as lines too.
        console: Where a person reads; standard error if not given.

    Attributes:
        frames: Finished frames, as far as they were asked for, ascending.
        finished: How many frames are finished.
    """

    def __init__(
        self,
        *,
        as_json: bool = False,
        tell_progress: bool = False,
        console: Console | None = None,
    ) -> None:
        self.frames: list[FinishedFrame] = []
        self.finished = 0
        self.bar = PhaseBar("asking the worker", quiet=as_json, console=console)
        self._as_json = as_json
        self._tell_progress = tell_progress
        self._total = 0
        self._left: float | None = None
        self._notes: set[str] = set()

    def __enter__(self) -> JobLog:
        self.bar.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.__exit__(kind, error, trace)

    def on_progress(self, progress: Progress) -> None:
        """Tell where the job is."""
        self.finished = max(self.finished, progress.frames)
        self._total, self._left = progress.total, progress.eta_s
        self._note(progress.note)
        if self._as_json and self._tell_progress:
            typer.echo(json.dumps({"progress": _progress_as_json(progress)}))
        if progress.state not in ENDED:
            self.bar.phase(*_where(progress))
        # Every window takes as many steps, and a frame is worth one.
        steps = progress.steps * progress.windows
        done = progress.steps * max(0, progress.window - 1) + progress.step
        if progress.total:
            self.bar.advance(
                done + progress.frames,
                steps + progress.total,
                f"{progress.frames} of {progress.total} frames",
                progress.eta_s,
            )

    def on_frame(self, frame: FinishedFrame) -> None:
        """Tell that a frame is finished; of one that was there before nothing is said."""
        self.frames.append(frame)
        self.finished = max(self.finished, len(self.frames))
        if frame.how == "kept":
            return
        if self._as_json:
            typer.echo(json.dumps(frame_as_json(frame)))
        elif not self.bar.seen:
            count = f"{len(self.frames)} of {self._total}" if self._total else ""
            left = "" if self._left is None else f"{brief_time(self._left)} left"
            told = [f"frame {frame.number} is done", count, left]
            self.bar.line(", ".join(filter(None, told)))

    def on_end(self, done: Done, sheet: Path | None = None) -> None:
        """Tell what was done, on standard output."""
        for note in done.notes:
            self._note(note)
        if self._as_json:
            typer.echo(json.dumps(self._json_summary(done, sheet)))
        else:
            typer.echo("\n".join(self._summary(done, sheet)))

    def _note(self, note: str) -> None:
        """Tell something the artist should know, once."""
        if note and note not in self._notes:
            self._notes.add(note)
            self.bar.line(f"note: {note}")

    def _summary(self, done: Done, sheet: Path | None) -> list[str]:
        count = done.frames - done.kept - done.cached
        pace = (
            f" in {brief_time(done.seconds)}, {done.seconds / count:.2f} s a frame" if count else ""
        )
        cached = f", {done.cached} from the cache" if done.cached else ""
        lines = [f"{count} frames rendered{pace}; {done.kept} kept from before{cached}"]
        if self.frames:
            first, last = self.frames[0].path, self.frames[-1].path
            lines.append(f"from {first}" if first == last else f"from {first} to {last}")
            share, half = self._clamped()
            lines.append(f"model samples outside its curve, clamped: {100 * share:.3g} %")
            lines.append(f"samples beyond half float, clamped: {half}")
        return lines if sheet is None else [*lines, f"contact sheet: {sheet}"]

    def _json_summary(self, done: Done, sheet: Path | None) -> dict[str, object]:
        count = done.frames - done.kept - done.cached
        share, half = self._clamped()
        told: dict[str, object] = {
            "job": done.job,
            "state": done.state,
            "rendered": count,
            "kept": done.kept,
            "cached": done.cached,
            "seconds": done.seconds,
            "seconds_per_frame": round(done.seconds / count, 3) if count else None,
            "notes": list(done.notes),
        }
        if self.frames:
            told |= {
                "frames": [frame.path for frame in self.frames],
                "model_clipped_share": share,
                "half_clamped": half,
                "sheet": None if sheet is None else str(sheet),
            }
        return told

    def _clamped(self) -> tuple[float, int]:
        """Share of the model's samples, and samples beyond half float, of the frames made now."""
        made = [frame for frame in self.frames if frame.how == "rendered"]
        share = sum(frame.model_clipped for frame in made) / max(1, len(made))
        return share, sum(frame.half_clamped for frame in made)


def frame_as_json(frame: FinishedFrame) -> dict[str, object]:
    """A finished frame for a program."""
    return {
        "frame": frame.number,
        "path": frame.path,
        "how": frame.how,
        "sha256": frame.sha256,
        "size": frame.size,
        "model_clipped_share": frame.model_clipped,
        "half_clamped": frame.half_clamped,
    }


def _progress_as_json(progress: Progress) -> dict[str, object]:
    return {name: getattr(progress, name) for name in progress.__struct_fields__}


def _where(progress: Progress) -> tuple[str, str]:
    """What is being done in words, and the step it is at."""
    if progress.state == "queued":
        ahead = progress.ahead
        jobs = "one job" if ahead == 1 else f"{ahead} jobs"
        return (f"waiting for {jobs} before this" if ahead else "waiting for the worker"), ""
    if progress.state == "cancelling":
        return "stopping after the step that is under way", ""
    step = f"{progress.step} of {progress.steps}" if progress.steps else ""
    if not progress.windows:
        return progress.phase or "running", step
    return f"window {progress.window} of {progress.windows}, {progress.phase}", step
