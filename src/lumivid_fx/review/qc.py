"""Quality control: what is wrong with a plate, frame by frame.

Each file is looked at on its own first (:class:`FrameFacts`), then against the one before. Where
the source is given, a change counts only as far as the source does not have it; without it, only as
far as the frames around do not, so that a step hides in motion and a dead frame cannot be told from
a still. A cut is no fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import groupby
from typing import Literal

import numpy as np

from lumivid_fx.color.display_curves import DISPLAY_CURVES
from lumivid_fx.color.spaces import LINEAR_REC709, ColorSpaces
from lumivid_fx.color.transfer import TRANSFERS
from lumivid_fx.errors import InputError
from lumivid_fx.media.data_windows import display_of
from lumivid_fx.media.exr import HALF_MAX
from lumivid_fx.media.light_movie import shown_pixels
from lumivid_fx.media.plate import FloatImage, Frame
from lumivid_fx.review.reel import EXPOSED, Reel, join_frames, linear_space, settings_in
from lumivid_fx.review.steps import (
    FLOOR_STOPS,
    Step,
    cells_of,
    level_and_unrest,
    neighbours,
    step_between,
)

Kind = Literal[
    "missing", "unreadable", "size", "nonfinite", "negative", "clipped", "overflow", "black",
    "dead", "jump", "seam",
]  # fmt: skip

BLACK = 2.0**-12
"""Light up to which a frame is black where nothing in it is brighter, nine stops below mid grey."""

FADED = 3.0
"""Stops below a plate's usual level at which a frame may well be the last of a fade to black."""

REACH = 4
"""Frames before and after that a step is held against."""

SEAM_RATIO, SEAM_LEAST = 1.5, 0.05
"""At a join, what a step may be: so many times the largest around it, and these stops on top."""

_ROUNDING = 1 - 2.0**-9
"""A sample at the ceiling may have been rounded to half floats twice, by 2**-11 each time, and
multiplied by a matrix between."""


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
class FrameFacts:
    """What one frame is, looked at on its own.

    Attributes:
        frame: Its number.
        size: Width and height of what is shown; data windows may change from frame to frame.
        nonfinite: Samples that are NaN or infinite.
        negative: Share of samples below 0.
        lowest: The least of them.
        clipped: Share of samples at the ceiling of the model's curve; 0 where none is known.
        ceiling: That ceiling, in light as it is in the file; None where none is known.
        overflow: Samples at the end of half float.
        brightest: The largest sample.
        level: Mean of the stops from mid grey.
    """

    frame: int
    size: tuple[int, int]
    nonfinite: int
    negative: float
    lowest: float
    clipped: float
    ceiling: float | None
    overflow: int
    brightest: float
    level: float


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
class _Seen:
    """A frame and all that the next one is held against."""

    facts: FrameFacts
    digest: bytes
    cells: FloatImage
    source: FloatImage | None
    source_digest: bytes
    black: bool


@dataclass(frozen=True)
class _Change:
    """From one frame that could be read to the next."""

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
        changes: list[_Change] = []
        before, before_number = None, 0
        for done, number in enumerate(self._reel.numbers, start=1):
            seen = self._look(number)
            if seen is not None:
                self._judge(seen.facts)
                if before is not None and _belong_together(before, seen):
                    same = bool(changes) and changes[-1].same and changes[-1].frame == before_number
                    changes.append(_change(before, seen, after_same=same))
            before, before_number = seen, number
            if on_frame is not None:
                on_frame(done, len(self._reel.numbers))
        if self._against is None:
            self._judge_black()
        self.cuts = [change.frame for change in changes if change.step.is_cut]
        for place, change in enumerate(changes):
            self.findings += self._judge_change(change, _around(changes, place))
        self.findings.sort(key=lambda finding: finding.frame)

    def close(self) -> None:
        """Let go of files."""
        for reel in (self._reel, self._against):
            if reel is not None:
                reel.close()

    def _look(self, number: int) -> _Seen | None:
        """Read a frame, or tell why it cannot be."""
        if self._reel.path(number) is None:
            self._find(number, "missing", None, "is missing; render it again")
            return None
        try:
            frame, plate = self._reel.read(number)
        except InputError as error:
            self._find(number, "unreadable", None, f"cannot be read: {error}")
            return None
        space = linear_space(plate, self._spaces, self._space)
        attributes = self._reel.attributes(number)
        self.joins |= join_frames(settings_in(attributes))
        rgb = frame.rgb
        broken = int(rgb.size - np.count_nonzero(np.isfinite(rgb)))
        finite = np.nan_to_num(rgb, posinf=HALF_MAX, neginf=-HALF_MAX) if broken else rgb
        light = self._spaces.convert(finite, space, LINEAR_REC709)
        cells = cells_of(_displayed(frame, light))
        ceiling, clipped = self._ceiling(finite, light, space, attributes)
        facts = FrameFacts(
            frame=number,
            size=(frame.windows.display_width, frame.windows.display_height),
            nonfinite=broken,
            negative=float(np.count_nonzero(finite < 0) / rgb.size),
            lowest=float(finite.min()),
            clipped=clipped,
            ceiling=ceiling,
            overflow=int(np.count_nonzero(np.abs(finite) >= HALF_MAX) - _infinite(rgb)),
            brightest=float(finite.max()),
            level=float(cells.mean()),
        )
        source, digest = self._source_cells(number)
        black = facts.brightest <= BLACK
        if black and source is not None and source.max() > FLOOR_STOPS + 1:
            self._find(number, "black", None, "is black, and the source is not")
        return _Seen(facts, _digest(rgb), cells, source, digest, black)

    def _source_cells(self, number: int) -> tuple[FloatImage | None, bytes]:
        """What the source looks like there; nothing where it has no such frame."""
        if self._against is None or self._against.path(number) is None:
            return None, b""
        frame, plate = self._against.read(number)
        # An unknown tone curve is taken for sRGB: only changes are held together, not levels.
        space = "srgb" if plate.doubt else plate.space
        light = (
            self._spaces.display_to_linear(frame.rgb, space)
            if space in DISPLAY_CURVES
            else self._spaces.convert(frame.rgb, space, LINEAR_REC709)
        )
        return cells_of(_displayed(frame, light)), _digest(frame.rgb)

    def _ceiling(
        self, stored: FloatImage, light: FloatImage, space: str, attributes: Mapping[str, object]
    ) -> tuple[float | None, float]:
        """The ceiling of the curve that the model spoke, and the share of samples at it."""
        curve = TRANSFERS.get(str(attributes.get("lumivid/transfer")))
        if curve is None:
            return None, 0.0
        exposed = [settings_in(attributes).get("exposure", 0.0), attributes.get(EXPOSED, 0.0)]
        stops = sum(float(value) for value in exposed if isinstance(value, int | float))
        ceiling = curve.linear_range[1] * 2.0**stops
        if curve.primaries != LINEAR_REC709:
            light = self._spaces.convert(stored, space, curve.primaries)
        share = np.count_nonzero(light >= ceiling * _ROUNDING) / light.size
        return ceiling, float(share)

    def _judge(self, facts: FrameFacts) -> None:
        """Hold one frame against the limits."""
        number, limits = facts.frame, self.limits
        first = self.facts[0] if self.facts else facts
        self.facts.append(facts)
        if facts.size != first.size:
            told = "is {} x {} pixels, and frame {} is {} x {}"
            self._find(number, "size", None, told.format(*facts.size, first.frame, *first.size))
        if facts.nonfinite:
            told = f"holds NaN or infinity, in {facts.nonfinite} of its samples"
            self._find(number, "nonfinite", facts.nonfinite, told)
        if facts.negative > limits.negative:
            told = f"has {facts.negative:.2%} of its samples below 0, down to {facts.lowest:.3g}"
            self._find(number, "negative", facts.negative, told)
        if facts.clipped > limits.clipped:
            told = f"has {facts.clipped:.2%} of its samples at the curve's end, {facts.ceiling:.2f}"
            self._find(number, "clipped", facts.clipped, told)
        if facts.overflow:
            told = f"has {facts.overflow} of its samples at half float's end, {HALF_MAX:.0f}"
            self._find(number, "overflow", facts.overflow, told)

    def _judge_black(self) -> None:
        """Without a source, black is a fault but where a fade leads to it."""
        lit = [facts.level for facts in self.facts if facts.brightest > BLACK]
        bright = float(np.median(lit)) - FADED if lit else 0.0
        runs = groupby(self.facts, key=lambda facts: facts.brightest <= BLACK)
        lit_before: FrameFacts | None = None
        waiting: list[FrameFacts] = []
        for black, run in runs:
            frames = list(run)
            if black:
                waiting = frames
                continue
            self._judge_run(lit_before, waiting, frames[0], bright)
            lit_before, waiting = frames[-1], []
        self._judge_run(lit_before, waiting, None, bright)

    def _judge_run(
        self,
        before: FrameFacts | None,
        run: Sequence[FrameFacts],
        after: FrameFacts | None,
        bright: float,
    ) -> None:
        """Black frames between two that are not: a fault where one of those is bright."""
        beside = [facts.level for facts in (before, after) if facts is not None]
        if not beside or max(beside) > bright:
            for facts in run:
                self._find(facts.frame, "black", None, "is black")

    def _judge_change(self, change: _Change, around: Sequence[_Change]) -> Iterator[Finding]:
        """Hold a change against the source and the frames around it."""
        number = change.frame
        if change.same:
            if not change.source_same:
                moved = "" if change.source_same is None else ", and the source moves on"
                yield Finding(number, "dead", None, f"is the frame before once more{moved}")
            return
        if change.step.is_cut:
            if change.source is not None and not change.source.is_cut:
                told = "shows another picture than the frame before, and the source does not"
                yield Finding(number, "jump", change.step.level, told)
            return
        if not change.comparable:
            return
        usual = float(np.median([c.level for c in around] or [0.0]))
        level = change.level - usual
        allowed = self.limits.jump + abs(usual) / 2
        if change.source is None:  # a fade to black grows steeper, by up to 1.7 times a frame
            same_way = [c.level * np.sign(level) for c in around if _next(c, change)]
            allowed += 2 * max(0.0, max(same_way, default=0.0))
        unrest = max([c.unrest for c in around], default=np.inf)
        at_join = number in self.joins
        if abs(level) > allowed:
            told = f"is {abs(level):.2f} stops {'brighter' if level > 0 else 'darker'}"
            where = ", where two windows are joined" if at_join else ""
            kind: Kind = "seam" if at_join else "jump"
            yield Finding(number, kind, level, f"{told} than the frame before lets expect{where}")
        elif at_join and change.unrest > SEAM_RATIO * unrest + SEAM_LEAST:
            told = (
                f"differs by {change.unrest:.2f} stops from the frame before, where two windows "
                f"are joined, and by at most {unrest:.2f} around it"
            )
            yield Finding(number, "seam", change.unrest, told)

    def _find(self, number: int, kind: Kind, value: float | None, told: str) -> None:
        self.findings.append(Finding(number, kind, value, told))


def _next(one: _Change, other: _Change) -> bool:
    return abs(one.frame - other.frame) == 1


def _around(changes: Sequence[_Change], place: int) -> list[_Change]:
    return [change for change in neighbours(changes, place, REACH) if change.comparable]


def _belong_together(before: _Seen, after: _Seen) -> bool:
    """Whether two frames can be held together: of one size, and neither of them black."""
    return before.cells.shape == after.cells.shape and not (before.black or after.black)


def _change(before: _Seen, after: _Seen, *, after_same: bool) -> _Change:
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
    return _Change(number, step, source, level, unrest, same, source_same, after_same)


def _displayed(frame: Frame, light: FloatImage) -> FloatImage:
    """The display window of a frame's light, black where its file holds no pixels."""
    if display_of(frame.windows) == frame.windows:
        return light
    return shown_pixels(replace(frame, rgb=light))


def _digest(rgb: FloatImage) -> bytes:
    return sha256(np.ascontiguousarray(rgb).data).digest()


def _infinite(rgb: FloatImage) -> int:
    return int(np.count_nonzero(np.isinf(rgb)))
