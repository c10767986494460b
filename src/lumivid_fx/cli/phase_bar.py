"""What is being done, on standard error: a bar for a person, plain lines for a log file."""

from __future__ import annotations

from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID


class PhaseBar:
    """One bar with words beside it; where nobody looks on, a line for each new phase.

    Args:
        first: The phase to begin with, told to a person alone.
        quiet: Say nothing where nobody looks on: a program reads standard output.
        console: Where a person reads; standard error if not given.
    """

    def __init__(self, first: str, *, quiet: bool, console: Console | None = None) -> None:
        from rich import progress
        from rich.console import Console

        self._console = console or Console(stderr=True)
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.TextColumn("{task.fields[frames]}", markup=False),
            progress.TextColumn("{task.fields[left]}", markup=False),
            console=self._console,
        )
        self._task: TaskID | None = None
        self._first = first
        self._quiet = quiet
        self._said = ""
        self._begin = monotonic()

    def __enter__(self) -> PhaseBar:
        self._begin = monotonic()
        if self._console.is_terminal:
            self._bar.start()
            self._task = self._bar.add_task(self._first, total=None, frames="", left="")
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
    def seen(self) -> bool:
        """Whether a person looks on."""
        return self._task is not None

    def phase(self, words: str, step: str = "") -> None:
        """Tell what is being done; `step` is for a person, being too much for a log file."""
        if self._task is not None:
            self._bar.update(self._task, description=f"{words} {step}".rstrip())
        elif words != self._said:
            self.line(words)
        self._said = words

    def line(self, words: str) -> None:
        """Tell something that stays: above the bar, or as a line."""
        if self._task is not None:
            self._console.print(words, markup=False, highlight=False)
        elif not self._quiet:
            typer.echo(words, err=True)

    def advance(self, done: int, total: int, frames: str, left: float | None) -> None:
        """Move the bar.

        Args:
            done: Of `total`, in steps of any kind.
            total: See `done`.
            frames: How many frames there are, in words.
            left: Seconds that the rest will take, if anybody knows.
        """
        if self._task is not None:
            told = "" if left is None else f"{brief_time(left)} left"
            self._bar.update(self._task, total=total, completed=done, frames=frames, left=told)

    def frames(self, done: int, total: int) -> None:
        """Move the bar by frames that take alike long."""
        left = (monotonic() - self._begin) / done * (total - done)
        self.advance(done, total, f"{done} of {total} frames", left)


def brief_time(seconds: float) -> str:
    """Write a duration as people say it: ``45 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
