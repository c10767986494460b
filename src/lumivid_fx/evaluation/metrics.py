"""How far a picture is from the light that was there, in numbers that follow the eye.

Pictures are linear Rec.709 light ``... 3``, any leading axes, in which 1.0 is SDR white; a display
makes :data:`WHITE_NITS` of it. Curves and means are computed in float64.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32] | npt.NDArray[np.float64]
Float = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

WHITE_NITS = 100.0
"""Luminance of linear 1.0 in cd/m^2: the white of an SDR display, ITU-R BT.2035."""

NITS_RANGE = (0.005, 10_000.0)
"""Luminance that PU21 speaks of, cd/m^2; what lies outside is clamped, in result and truth."""

PU21_PEAK = 256.0
"""PU21's code of 100 cd/m^2, which its authors take for the peak in PSNR."""

LUMA_WEIGHTS = (0.212656, 0.715158, 0.072186)
"""Luminance of linear Rec.709, as PU21's own code has it."""

HIGHLIGHT_CODE, SHADOW_CODE = 250 / 255, 13 / 255
"""Display codes from which a pixel counts as highlight, and up to which as shadow."""

_P = (
    0.353487901,
    0.3734658629,
    8.277049286e-05,
    0.9062562627,
    0.09150303166,
    0.9099517204,
    596.3148142,
)
"""PU21, type banding_glare: the only one its authors still recommend."""


def nits_to_pu21(nits: Array) -> Float:
    """Encode luminance in perceptually uniform steps: 0.005 -> 0, 100 -> 256.384, 10000 -> 595.394.

    Args:
        nits: Absolute cd/m^2, clamped to :data:`NITS_RANGE`.

    Source: Mantiuk and Azimi, "PU21: A novel perceptually uniform encoding for adapting existing
    quality metrics for HDR", PCS 2021; parameters from github.com/gfxdisp/pu21 at 78340c0.
    """
    raised = np.clip(np.asarray(nits, np.float64), *NITS_RANGE) ** _P[3]
    curve = ((_P[0] + _P[1] * raised) / (1 + _P[2] * raised)) ** _P[4]
    return np.maximum(_P[6] * (curve - _P[5]), 0)


def pu21_to_nits(codes: Array) -> Float:
    """Decode PU21 to cd/m^2, the inverse of :func:`nits_to_pu21`; same source."""
    curve = np.maximum(np.asarray(codes, np.float64) / _P[6] + _P[5], 0) ** (1 / _P[4])
    raised = np.maximum(curve - _P[0], 0) / (_P[1] - _P[2] * curve)
    return raised ** (1 / _P[3])


def pu21_psnr(result: Array, truth: Array, where: Mask | None = None) -> float:
    """PSNR of PU21 codes over R, G and B in dB, peak :data:`PU21_PEAK`.

    Args:
        result: Linear light ``... 3``.
        truth: The same shape.
        where: ``...``, the pixels that count; None is all.

    Returns:
        Infinity where both are equal; NaN where no pixel counts.

    Source: `PSNR` of github.com/gfxdisp/pu21 (`PSNRY` there is luminance alone).
    """
    gap = nits_to_pu21(result * WHITE_NITS) - nits_to_pu21(truth * WHITE_NITS)
    chosen = gap if where is None else gap[where]
    if not chosen.size:
        return float("nan")
    error = float(np.mean(np.square(chosen)))
    return float(10 * np.log10(PU21_PEAK**2 / error)) if error else float("inf")


def luminance(light: Array) -> Float:
    """Luminance ``...`` of linear Rec.709 ``... 3``."""
    levels: Float = np.asarray(light, np.float64) @ np.array(LUMA_WEIGHTS)
    return levels


def exposure_match(result: Array, truth: Array, display: Array) -> float:
    """Factor that brings a result to the truth's exposure, which an SDR picture does not tell.

    It is the exponential of the median log ratio over well-exposed pixels: no channel of the SDR
    picture at 0.9 or more, true luminance over 0.02. Where there are none it is 1.

    Args:
        result: Linear light ``... 3``.
        truth: The same shape.
        display: The SDR picture's codes ``... 3`` in [0, 1].
    """
    ours, theirs = luminance(result), luminance(truth)
    fit = (display.max(axis=-1) < 0.9) & (theirs > 0.02) & (ours > 0)
    return float(np.exp(np.median(np.log(theirs[fit] / ours[fit])))) if fit.any() else 1.0


def highlight_error(result: Array, truth: Array, display: Array) -> float:
    """Mean |log2| ratio of luminance, in stops, where a channel reached :data:`HIGHLIGHT_CODE`.

    Luminance is clamped to :data:`NITS_RANGE`; NaN where the picture has no highlights.
    """
    return _stops_apart(result, truth, display.max(axis=-1) > HIGHLIGHT_CODE - 1e-4)


def shadow_error(result: Array, truth: Array, display: Array) -> float:
    """Mean |log2| ratio of luminance, in stops, where no channel passes :data:`SHADOW_CODE`.

    Luminance is clamped to :data:`NITS_RANGE`; NaN where the picture has no shadows.
    """
    return _stops_apart(result, truth, display.max(axis=-1) < SHADOW_CODE + 1e-4)


def _stops_apart(result: Array, truth: Array, where: Mask) -> float:
    if not where.any():
        return float("nan")
    floor, ceiling = (n / WHITE_NITS for n in NITS_RANGE)
    ours, theirs = (np.clip(luminance(x[where]), floor, ceiling) for x in (result, truth))
    return float(np.mean(np.abs(np.log2(ours / theirs))))


def dynamic_range(light: Array) -> float:
    """Stops between the 0.1th and the 99.9th percentile of luminance over 0.

    A result is to come near the truth's number, not to pass it; a black picture has none, NaN.
    """
    levels = luminance(light)
    levels = levels[levels > 0]
    if not levels.size:
        return float("nan")
    low, high = np.percentile(levels, (0.1, 99.9))
    return float(np.log2(high / low))


def flicker(frames: Sequence[Array]) -> float:
    """Standard deviation over mean of the frames' mean luminance.

    A camera that moves makes some of its own, so that it says something beside the truth's only.

    Source: Table 3 of LumiVid (arXiv 2604.11788), which leaves the formula out: this is the usual
    one.
    """
    means = np.array([luminance(frame).mean() for frame in frames])
    return float(means.std() / means.mean())


def pu21_ssim(result: Array, truth: Array) -> float:
    """SSIM of PU21 codes of luminance, over windows that lie wholly inside the picture.

    Args:
        result: Linear light ``h w 3``, at least 11 by 11 pixels.
        truth: The same shape.

    Returns:
        1 where both are equal.

    Source: Wang et al. 2004: an 11 x 11 Gaussian window of sigma 1.5, K = (0.01, 0.03); its range
    is :data:`PU21_PEAK`, as in github.com/gfxdisp/pu21.
    """
    x, y = (nits_to_pu21(luminance(picture) * WHITE_NITS) for picture in (result, truth))
    mean_x, mean_y = _window_mean(x), _window_mean(y)
    both = mean_x * mean_y
    squares = mean_x**2 + mean_y**2
    variance = _window_mean(x * x + y * y) - squares
    covariance = _window_mean(x * y) - both
    c1, c2 = (0.01 * PU21_PEAK) ** 2, (0.03 * PU21_PEAK) ** 2
    same = (2 * both + c1) * (2 * covariance + c2)
    return float(np.mean(same / ((squares + c1) * (variance + c2))))


def _window_mean(picture: Float) -> Float:
    weights = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    weights /= weights.sum()
    rows = np.lib.stride_tricks.sliding_window_view(picture, 11, axis=0) @ weights
    return np.lib.stride_tricks.sliding_window_view(rows, 11, axis=1) @ weights
