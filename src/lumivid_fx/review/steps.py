"""What changed from one frame to the next: in level, in place, and whether it is the same picture.

A frame is looked at as the mean stops of a grid of cells, so that grain and fine motion average out
and what remains is light that came or went.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from lumivid_fx.media.plate import FloatImage
from lumivid_fx.review.measures import MID_GREY, box_mean, luminance

GRID = (18, 32)
"""Rows and columns of cells; fewer for a picture of fewer pixels."""

FLOOR_STOPS = -8.0
"""Light darker than that, from mid grey, counts as that: what moves in black is noise."""

T = TypeVar("T")

SAME_SHOT = 0.7
"""Correlation of two frames' cells from which on they are of one shot; a cut comes out near 0."""


@dataclass(frozen=True)
class Step:
    """From one frame to the next.

    Attributes:
        level: Median over the cells of their change, stops: what a change of exposure does to all.
        unrest: Root mean square of their changes around the level, stops: what motion does.
        alike: Correlation of the cells of both, 1 where both are flat.
    """

    level: float
    unrest: float
    alike: float

    @property
    def is_cut(self) -> bool:
        """Whether another shot begins."""
        return self.alike < SAME_SHOT


def cells_of(light: FloatImage) -> FloatImage:
    """Mean stops of luminance of each cell of a frame of linear Rec.709 ``h w 3``, finite."""
    levels = luminance(light) / np.float32(MID_GREY)
    stops = np.log2(np.maximum(levels, np.float32(2.0**FLOOR_STOPS)))
    return box_mean(stops, min(GRID[0], stops.shape[0]), min(GRID[1], stops.shape[1]))


def step_between(before: FloatImage, after: FloatImage) -> Step:
    """What changed from one frame's cells to the next's."""
    level, unrest = level_and_unrest(after - before)
    return Step(level, unrest, _alike(before, after))


def level_and_unrest(change: FloatImage) -> tuple[float, float]:
    """See :class:`Step`, of what the cells changed by."""
    level = float(np.median(change))
    return level, float(np.sqrt(np.square(change - level).mean()))


def _alike(before: FloatImage, after: FloatImage) -> float:
    a, b = (cells - cells.mean() for cells in (before, after))
    size = float(np.sqrt(np.square(a).sum() * np.square(b).sum()))
    if size < 1e-3 * a.size:  # a hundredth of a stop of contrast in either: nothing to tell by
        return 1.0
    return float((a * b).sum() / size)


def neighbours(values: Sequence[T], place: int, reach: int) -> list[T]:
    """The values up to `reach` places before and after one, without it."""
    return [*values[max(place - reach, 0) : place], *values[place + 1 : place + reach + 1]]
