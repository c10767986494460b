"""Quality control of a plate, frame by frame: each file on its own first, then what changed."""

from __future__ import annotations

from collections.abc import Callable

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.errors import InputError
from lumivid_fx.review.faults import (
    Change,
    Finding,
    Limits,
    black_faults,
    change_between,
    change_faults,
    frame_faults,
)
from lumivid_fx.review.frame_facts import FrameFacts, Seen, look_at, with_source
from lumivid_fx.review.reel import Reel, join_frames, linear_space, settings_in
from lumivid_fx.review.steps import FLOOR_STOPS


class Inspection:
    """A plate under inspection.

    Args:
        source: The plate.
        against: What it was made from; None if that is not at hand.
        spaces: The colour config.
        frames: Frames that there should be; see :class:`~lumivid_fx.review.reel.Reel`.
        space: Of the plate's pixels; None takes the plate's own.
        limits: From where on a thing is a fault.

    Attributes:
        facts: Of every frame that could be read, once :meth:`run` has come to its end.
        findings: What was found, by frame.
        joins: Frames at which windows were joined, as far as the files say.
        cuts: Frames at which another shot begins.

    Raises:
        InputError: There is nothing to look at.
    """

    def __init__(
        self,
        source: str,
        against: str | None,
        spaces: ColorSpaces,
        *,
        frames: str | None = None,
        space: str | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self._reel = Reel(source, frames)
        self._against = None if against is None else Reel(against)
        if self._against is not None and not set(self._reel.numbers) & set(self._against.numbers):
            raise InputError(
                f"{against} has none of the frames of {source}; name the source that it was "
                "rendered from"
            )
        self._spaces = spaces
        self._space = space
        self.facts: list[FrameFacts] = []
        self.findings: list[Finding] = []
        self.joins: frozenset[int] = frozenset()
        self.cuts: list[int] = []

    def run(self, on_frame: Callable[[int, int], None] | None = None) -> None:
        """Look at every frame.

        Args:
            on_frame: Called after each, with how many are done and how many there are.

        Raises:
            InputError: The plate is not scene-linear.
        """
        changes: list[Change] = []
        before: Seen | None = None
        for done, number in enumerate(self._reel.numbers, start=1):
            seen = self._look(number)
            if seen is not None:
                self.facts.append(seen.facts)
                self.findings += frame_faults(seen.facts, self.facts[0], self.limits)
                if before is not None and _belong_together(before, seen):
                    last = changes[-1] if changes else None
                    same = last is not None and last.same and last.frame == before.facts.frame
                    changes.append(change_between(before, seen, after_same=same))
            before = seen
            if on_frame is not None:
                on_frame(done, len(self._reel.numbers))
        if self._against is None:
            self.findings += black_faults(self.facts)
        self.cuts = [change.frame for change in changes if change.step.is_cut]
        self.findings += change_faults(changes, self.limits, self.joins)
        self.findings.sort(key=lambda finding: finding.frame)

    def close(self) -> None:
        """Let go of files."""
        for reel in (self._reel, self._against):
            if reel is not None:
                reel.close()

    def _look(self, number: int) -> Seen | None:
        """Look at a frame, or tell why that cannot be."""
        if self._reel.path(number) is None:
            self.findings.append(Finding(number, "missing", None, "is missing; render it again"))
            return None
        try:
            frame, plate = self._reel.read(number)
        except InputError as error:
            self.findings.append(Finding(number, "unreadable", None, f"cannot be read: {error}"))
            return None
        space = linear_space(plate, self._spaces, self._space)
        attributes = self._reel.attributes(number)
        self.joins |= join_frames(settings_in(attributes))
        seen = look_at(number, frame, space, attributes, self._spaces)
        if self._against is None:
            return seen
        seen = with_source(seen, self._against, self._spaces)
        if seen.facts.black and seen.source is not None and seen.source.max() > FLOOR_STOPS + 1:
            told = "is black, and the source is not"
            self.findings.append(Finding(number, "black", None, told))
        return seen


def _belong_together(before: Seen, after: Seen) -> bool:
    """Whether two frames can be held together: of one size, and neither of them black."""
    return before.cells.shape == after.cells.shape and not (before.facts.black or after.facts.black)
