"""The scope: levels of every frame, the histogram of a shot, the waveform of one frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lumivid_fx.color.spaces import LINEAR_REC709, ColorSpaces
from lumivid_fx.color.transfer import SDR_WHITE_NITS
from lumivid_fx.errors import InputError
from lumivid_fx.media.data_windows import own_frame
from lumivid_fx.media.plate import Plate
from lumivid_fx.review.measures import (
    MID_GREY,
    FrameLevels,
    Histogram,
    flicker,
    levels_of,
    waveform,
)
from lumivid_fx.review.reel import linear_space


@dataclass(frozen=True)
class Scope:
    """What a scope shows of a shot.

    Attributes:
        source: The plate.
        space: Its colour space.
        levels: Of every frame, in order.
        histogram: Of all frames.
        waveform: ``3 bins columns`` of one frame.
        waveform_frame: Which.
    """

    source: str
    space: str
    levels: list[FrameLevels]
    histogram: Histogram
    waveform: npt.NDArray[np.int64]
    waveform_frame: int

    @property
    def flicker(self) -> float:
        """See :func:`lumivid_fx.review.measures.flicker`."""
        return flicker([level.mean for level in self.levels])

    def as_json(self) -> dict[str, Any]:
        """Everything but the waveform, as JSON has it: NaN becomes null."""
        levels = self.levels
        bins = self.histogram
        return {
            "plate": self.source,
            "space": self.space,
            "nits_at_1": SDR_WHITE_NITS,
            "mid_grey": MID_GREY,
            "peak": max(level.peak for level in levels),
            "median": float(np.median([level.median for level in levels])),
            "dynamic_range": max(_finite(level.dynamic_range for level in levels), default=None),
            "flicker": _number(self.flicker),
            "frames": [{k: _number(v) for k, v in asdict(level).items()} for level in levels],
            "histogram": {
                "edges_stops": bins.edges.tolist(),
                **dict(zip(("red", "green", "blue"), bins.counts.tolist(), strict=True)),
                "below": bins.below.tolist(),
                "above": bins.above.tolist(),
            },
        }


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _finite(values: Iterable[float]) -> list[float]:
    return [value for value in values if np.isfinite(value)]


def look_through(
    plate: Plate,
    spaces: ColorSpaces,
    *,
    space: str | None = None,
    at: int | None = None,
    on_frame: Callable[[int, int], None] | None = None,
) -> Scope:
    """Measure every frame of a plate.

    Args:
        plate: Scene-linear frames.
        spaces: The colour config.
        space: Of the plate's pixels; None takes the plate's own.
        at: Frame of the waveform; None takes the middle one.
        on_frame: Called after each frame, with how many are done and how many there are.

    Raises:
        InputError: The plate is not scene-linear, a frame cannot be read, or there is no such one.
    """
    source = linear_space(plate, spaces, space)
    numbers = plate.frame_numbers
    shown = numbers[len(numbers) // 2] if at is None else at
    if shown not in numbers:
        raise InputError(
            f"{plate.source} has no frame {shown} among those asked for; ask for the waveform of "
            f"one from {numbers[0]} to {numbers[-1]}"
        )
    levels, histogram, wave = [], Histogram(), np.zeros((3, 1, 1), np.int64)
    for done, number in enumerate(numbers, start=1):
        rgb = own_frame(plate.read(number)).rgb
        light = spaces.convert(rgb, source, LINEAR_REC709)
        levels.append(levels_of(number, light, rgb))
        histogram.add(light)
        if number == shown:
            wave = waveform(light)
        if on_frame is not None:
            on_frame(done, len(numbers))
    return Scope(plate.source, source, levels, histogram, wave, shown)
