"""What a farm's task tells: a bar for a person, JSON for a program, lines for a session."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import typer

from lumivid_fx.cli.phase_bar import PhaseBar
from lumivid_fx.farm.openjd_lines import SessionLines

Way = Literal["words", "json", "openjd"]

_RENDERING = (0.06, 0.97)
"""Shares of a window's time between which the model works, as progress is told."""

_SHARES = {
    "looking for the window": 0.0,
    "checking the plate": 0.0,
    "loading the model": 0.02,
    "reading the plate": 0.04,
    "writing the window": 0.98,
}


class WindowLog:
    """Follows one window.

    Args:
        way: How to tell.
        steps: Sampler steps of the window, all stages together.
        lines: Where a session listens, if one does.
    """

    def __init__(self, way: Way, steps: int, lines: SessionLines | None) -> None:
        self._way, self._lines = way, lines
        self._steps, self._done = max(1, steps), 0
        self._said, self._share = "", -1.0
        self._bar = PhaseBar("looking for the window", quiet=way != "words")

    @property
    def around(self) -> AbstractContextManager[object]:
        """Keeps the bar on the screen while the window is rendered."""
        return self._bar if self._way == "words" else nullcontext()

    def step(self, phase: str, done: int, steps: int) -> None:
        """Tell what is being done, `done` of `steps`."""
        share = _SHARES.get(phase)
        if share is None:
            self._done += 1
            low, high = _RENDERING
            share = low + (high - low) * min(1.0, self._done / self._steps)
        if self._way == "json":
            told = {"phase": phase, "done": done, "steps": steps, "progress": round(share, 4)}
            typer.echo(json.dumps(told))
        elif self._lines is not None:
            if phase != self._said:
                self._lines.status(phase)
            if share != self._share:
                self._lines.progress(share)
        else:
            self._bar.phase(phase, f"{done} of {steps}" if steps > 1 else "")
            self._bar.advance(round(100 * share), 100, "", None)
        self._said, self._share = phase, share

    def end(self, index: int, how: str, path: str) -> None:
        """Tell that the window is there."""
        if self._lines is not None:
            self._lines.progress(1.0)
            self._lines.status(f"window {index} {how}")
        elif self._way == "json":
            typer.echo(json.dumps({"window": index, "how": how, "path": path}))
        else:
            typer.echo(f"window {index} {how}: {path}")
