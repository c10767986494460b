"""What counts as a fault, of a frame and of what changed since the one before.

Where the source is given, a change counts only as far as the source does not have it; without it,
only as far as the frames around do not, so that a step hides in motion and a dead frame cannot be
told from a still. A cut is no fault, nor is a fade to black.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np

from lumivid_fx.media.exr import HALF_MAX
from lumivid_fx.review.frame_facts import FrameFacts, Seen
from lumivid_fx.review.steps import Step, level_and_unrest, neighbours, step_between

Kind = Literal[
    "missing", "unreadable", "size", "nonfinite", "negative", "clipped", "overflow", "black",
    "dead", "jump", "seam",
]  # fmt: skip

FADED = 3.0
"""Stops below a plate's usual level at which a frame may well be the last of a fade to black."""

REACH = 4
"""Frames before and after that a step is held against."""

SEAM_RATIO, SEAM_LEAST = 1.5, 0.05
"""At a join, what a step may be: so many times the largest around it, and these stops on top."""


@dataclass(frozen=True)
class Limits:
    """From where on a thing is a fault.

    Attributes:
        negative: Share of a frame's samples that may lie below 0.
        clipped: Share of a frame's samples that may lie at the ceiling of the model's curve.
        jump: Stops that the level may change by on its own from one frame to the next.
    """

    negative: float = 0.05
    clipped: float = 0.01
    jump: float = 0.25


@dataclass(frozen=True)
class Finding:
    """A limit that was passed.

    Attributes:
        frame: Where.
        kind: What it is.
        value: How much of it there is; None where that is no number.
        told: The same as the second half of a sentence about the frame.
    """

    frame: int
    kind: Kind
    value: float | None
    told: str


@dataclass(frozen=True)
class Change:
    """From one frame that could be read to the next.

    Attributes:
        frame: The later one.
        step: What changed.
        source: What changed in the source; None where that is not at hand.
        level: Change of level that the source does not have, or that of the step.
        unrest: Likewise what changed around it.
        same: Whether the frame is the one before once more.
        source_same: Whether the source's is too; None where that is not at hand.
        after_same: Whether the frame before was one.
    """

    frame: int
    step: Step
    source: Step | None
    level: float
    unrest: float
    same: bool
    source_same: bool | None
    after_same: bool

    @property
    def comparable(self) -> bool:
        """Whether it is one step of one shot, so that levels can be held together."""
        cut = self.step.is_cut or (self.source is not None and self.source.is_cut)
        return not (cut or self.same or self.after_same)


def change_between(before: Seen, after: Seen, *, after_same: bool) -> Change:
    """What changed from one frame to the next.

    Args:
        before: The earlier.
        after: The later.
        after_same: Whether the earlier one was its own predecessor once more.
    """
    step = step_between(before.cells, after.cells)
    source, level, unrest = None, step.level, step.unrest
    source_same = None
    if before.source is not None and after.source is not None:
        source = step_between(before.source, after.source)
        source_same = before.source_digest == after.source_digest
        moved = after.cells - before.cells
        if before.source.shape == after.source.shape == moved.shape:
            moved = moved - (after.source - before.source)
        level, unrest = level_and_unrest(moved)
    same = before.digest == after.digest
    number = after.facts.frame
    return Change(number, step, source, level, unrest, same, source_same, after_same)


def frame_faults(facts: FrameFacts, first: FrameFacts, limits: Limits) -> Iterator[Finding]:
    """Hold one frame against the limits, and its size against the first one's."""
    number = facts.frame
    if facts.size != first.size:
        told = "is {} x {} pixels, and frame {} is {} x {}"
        said = told.format(*facts.size, first.frame, *first.size)
        yield Finding(number, "size", None, said)
    if facts.nonfinite:
        told = f"holds NaN or infinity, in {facts.nonfinite} of its samples"
        yield Finding(number, "nonfinite", facts.nonfinite, told)
    if facts.negative > limits.negative:
        told = f"has {facts.negative:.2%} of its samples below 0, down to {facts.lowest:.3g}"
        yield Finding(number, "negative", facts.negative, told)
    if facts.clipped > limits.clipped:
        told = f"has {facts.clipped:.2%} of its samples at the curve's end, {facts.ceiling:.2f}"
        yield Finding(number, "clipped", facts.clipped, told)
    if facts.overflow:
        told = f"has {facts.overflow} of its samples at half float's end, {HALF_MAX:.0f}"
        yield Finding(number, "overflow", facts.overflow, told)


def black_faults(plate: Sequence[FrameFacts]) -> Iterator[Finding]:
    """Black frames of a plate without a source: faults, but where a fade leads to them."""
    lit = [facts.level for facts in plate if not facts.black]
    bright = float(np.median(lit)) - FADED if lit else 0.0
    runs = [(black, list(run)) for black, run in groupby(plate, key=lambda facts: facts.black)]
    for place, (black, run) in enumerate(runs):
        beside = [runs[place - 1][1][-1]] if place else []
        beside += [runs[place + 1][1][0]] if place + 1 < len(runs) else []
        if black and (not beside or max(facts.level for facts in beside) > bright):
            for facts in run:
                yield Finding(facts.frame, "black", None, "is black")


def change_faults(
    changes: Sequence[Change], limits: Limits, joins: Collection[int]
) -> Iterator[Finding]:
    """Hold every change against the source and the frames around it.

    Args:
        changes: In order.
        limits: From where on a thing is a fault.
        joins: Frames at which windows of the render were joined.
    """
    for place, change in enumerate(changes):
        if change.same:
            if not change.source_same:
                moved = "" if change.source_same is None else ", and the source moves on"
                told = f"is the frame before once more{moved}"
                yield Finding(change.frame, "dead", None, told)
        elif change.step.is_cut:
            if change.source is not None and not change.source.is_cut:
                told = "shows another picture than the frame before, and the source does not"
                yield Finding(change.frame, "jump", change.step.level, told)
        elif change.comparable:
            around = [one for one in neighbours(changes, place, REACH) if one.comparable]
            yield from _step_faults(change, around, limits, at_join=change.frame in joins)


def _step_faults(
    change: Change, around: Sequence[Change], limits: Limits, *, at_join: bool
) -> Iterator[Finding]:
    """Hold a step of one shot against those around it."""
    usual = float(np.median([one.level for one in around] or [0.0]))
    level = change.level - usual
    allowed = limits.jump + abs(usual) / 2
    if change.source is None:  # a fade to black grows steeper, by up to 1.7 times a frame
        beside = [one for one in around if abs(one.frame - change.frame) == 1]
        allowed += 2 * max(0.0, max((one.level * np.sign(level) for one in beside), default=0.0))
    unrest = max([one.unrest for one in around], default=np.inf)
    if abs(level) > allowed:
        told = f"is {abs(level):.2f} stops {'brighter' if level > 0 else 'darker'}"
        where = ", where two windows are joined" if at_join else ""
        kind: Kind = "seam" if at_join else "jump"
        told = f"{told} than the frame before lets expect{where}"
        yield Finding(change.frame, kind, level, told)
    elif at_join and change.unrest > SEAM_RATIO * unrest + SEAM_LEAST:
        told = (
            f"differs by {change.unrest:.2f} stops from the frame before, where two windows are "
            f"joined, and by at most {unrest:.2f} around it"
        )
        yield Finding(change.frame, "seam", change.unrest, told)
