"""Numbers of a frame: how bright, how dark, how wide, and how steady from frame to frame.

Light is linear Rec.709 in which 1.0 is :data:`~lumivid_fx.color.transfer.SDR_WHITE_NITS` and 0.18
is mid grey. Stops are counted from mid grey.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lumivid_fx.color.primaries import luminance as weights_of
from lumivid_fx.media.plate import FloatImage

Array = npt.NDArray[np.float32] | npt.NDArray[np.float64]

MID_GREY = 0.18

DARKEST_STOP, BRIGHTEST_STOP = -12, 10
"""Ends of histogram and waveform, stops from mid grey: 4.4e-5 to 184, past LogC3's 55.08."""

BINS_A_STOP = 8

MOST_WAVEFORM_COLUMNS = 600

_WEIGHTS = np.array([float(weight) for weight in weights_of("Rec.709")], np.float32)
_LOG_FLOOR = 1e-6
"""Added to light before its logarithm is averaged, so that black counts and is finite."""


@dataclass(frozen=True)
class FrameLevels:
    """Levels of one frame, of luminance in linear light.

    Attributes:
        frame: Its number.
        peak: The brightest pixel.
        bright: The 99.99th percentile: the peak, but for a stray pixel.
        median: The middle pixel.
        mean: The mean, which flicker is told from.
        log_average: The geometric mean, 0.18 for a picture that is mid grey on the whole.
        dynamic_range: See :func:`dynamic_range`, stops.
        negative: Share of R, G and B samples below 0, in the plate's own space.
    """

    frame: int
    peak: float
    bright: float
    median: float
    mean: float
    log_average: float
    dynamic_range: float
    negative: float


def luminance(light: FloatImage) -> FloatImage:
    """Luminance ``h w`` of linear Rec.709 ``h w 3``."""
    levels: FloatImage = light @ _WEIGHTS
    return levels


def stops(light: Array) -> Array:
    """Stops from mid grey of light above 0."""
    counted: Array = np.log2(light / MID_GREY)
    return counted


def levels_of(number: int, light: FloatImage, stored: FloatImage) -> FrameLevels:
    """Measure one frame.

    Args:
        number: Of the frame.
        light: Linear Rec.709 ``h w 3``, finite.
        stored: The samples as they are in the file, any linear space.
    """
    levels = luminance(light)
    bright, median = np.percentile(levels, (99.99, 50))
    return FrameLevels(
        frame=number,
        peak=float(levels.max()),
        bright=float(bright),
        median=float(median),
        mean=float(levels.mean(dtype=np.float64)),
        log_average=log_average(levels),
        dynamic_range=dynamic_range(levels),
        negative=float(np.count_nonzero(stored < 0) / stored.size),
    )


def log_average(levels: Array) -> float:
    """Geometric mean of luminance, in linear light; what is below 0 counts as black."""
    raised = np.log(np.maximum(levels, 0) + np.float32(_LOG_FLOOR))
    return float(max(np.exp(raised.mean(dtype=np.float64)) - _LOG_FLOOR, 0.0))


def dynamic_range(levels: Array) -> float:
    """Stops between the 0.1th and the 99.9th percentile of luminance over 0.

    A result is to come near the truth's number, not to pass it; a black picture has none, NaN.
    """
    lit = levels[levels > 0]
    if not lit.size:
        return float("nan")
    low, high = np.percentile(lit, (0.1, 99.9))
    return float(np.log2(high / low))


def flicker(means: Sequence[float]) -> float:
    """Standard deviation over mean of the frames' mean luminance; NaN for a still or for black.

    Source: section 4.1 of LumiVid (arXiv 2604.11788).
    """
    if len(means) < 2 or not np.mean(means) > 0:
        return float("nan")
    return float(np.std(means) / np.mean(means))


class Histogram:
    """How many samples there are at each level, by stops from mid grey.

    Attributes:
        counts: ``3 bins`` of red, green and blue.
        below: Of each channel, samples darker than :data:`DARKEST_STOP`, 0 and less among them.
        above: Of each channel, samples brighter than :data:`BRIGHTEST_STOP`.
    """

    edges = np.linspace(
        DARKEST_STOP, BRIGHTEST_STOP, (BRIGHTEST_STOP - DARKEST_STOP) * BINS_A_STOP + 1
    )
    """Ends of the bins, stops."""

    def __init__(self) -> None:
        self.counts = np.zeros((3, len(self.edges) - 1), np.int64)
        self.below = np.zeros(3, np.int64)
        self.above = np.zeros(3, np.int64)

    def add(self, light: FloatImage) -> None:
        """Count the samples of a frame ``h w 3``."""
        places = bin_of(light)
        bins = self.counts.shape[1]
        for channel in range(3):
            counted = np.bincount((places[..., channel] + 1).ravel(), minlength=bins + 2)
            self.below[channel] += counted[0]
            self.counts[channel] += counted[1:-1]
            self.above[channel] += counted[-1]


def bin_of(light: FloatImage) -> npt.NDArray[np.int16]:
    """Which bin of a :class:`Histogram` each sample lies in: -1 below them, their number above."""
    bins = len(Histogram.edges) - 1
    least = np.float32(MID_GREY * 2.0 ** (DARKEST_STOP - 1))
    place = np.log2(np.maximum(light, least) / np.float32(MID_GREY))
    place -= DARKEST_STOP
    place *= BINS_A_STOP
    return np.clip(np.floor(place), -1, bins).astype(np.int16)


def waveform(light: FloatImage) -> npt.NDArray[np.int64]:
    """Count the samples at each level of each part of a frame's width.

    Args:
        light: Linear Rec.709 ``h w 3``.

    Returns:
        ``3 bins columns``, darkest bin first. Samples beyond the bins lie in the outermost.
    """
    width = light.shape[1]
    bins, pixels = len(Histogram.edges) - 1, -(-width // MOST_WAVEFORM_COLUMNS)
    column = np.arange(width) // pixels  # of as many pixels each, or some would look brighter
    columns = int(column[-1]) + 1
    places = np.clip(bin_of(light), 0, bins - 1)
    counted = [
        np.bincount(
            (places[..., channel] * np.int64(columns) + column).ravel(), minlength=bins * columns
        )
        for channel in range(3)
    ]
    return np.stack(counted).reshape(3, bins, columns)


def box_mean(picture: FloatImage, rows: int, columns: int) -> FloatImage:
    """Average a picture ``h w ...`` over a grid of cells as even as whole pixels allow.

    Args:
        picture: At least as large as the grid.
        rows: Of the grid.
        columns: Of the grid.
    """
    for axis, count in enumerate((rows, columns)):
        edges = np.arange(count + 1) * picture.shape[axis] // count
        sums = np.add.reduceat(picture, edges[:-1], axis=axis)
        shape = [-1 if place == axis else 1 for place in range(picture.ndim)]
        picture = sums / np.diff(edges).astype(np.float32).reshape(shape)
    return picture
