"""PU21: codes in which equal steps look equal, and PSNR and SSIM of them.

Pictures are linear Rec.709 light ``... 3``, any leading axes, in which 1.0 is SDR white; a display
makes :data:`WHITE_NITS` of it. Curves and means are computed in float64.

Source: Mantiuk and Azimi, "PU21: A novel perceptually uniform encoding for adapting existing
quality metrics for HDR", PCS 2021; parameters and conventions from
github.com/gfxdisp/pu21 at 78340c0.
"""

from __future__ import annotations

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

_P = (
    0.353487901,
    0.3734658629,
    8.277049286e-05,
    0.9062562627,
    0.09150303166,
    0.9099517204,
    596.3148142,
)
"""Type banding_glare: the only one its authors still recommend."""


def nits_to_pu21(nits: Array) -> Float:
    """Encode luminance in perceptually uniform steps: 0.005 -> 0, 100 -> 256.384, 10000 -> 595.394.

    Args:
        nits: Absolute cd/m^2, clamped to :data:`NITS_RANGE`.
    """
    raised = np.clip(np.asarray(nits, np.float64), *NITS_RANGE) ** _P[3]
    curve = ((_P[0] + _P[1] * raised) / (1 + _P[2] * raised)) ** _P[4]
    return np.maximum(_P[6] * (curve - _P[5]), 0)


def pu21_to_nits(codes: Array) -> Float:
    """Decode PU21 to cd/m^2, the inverse of :func:`nits_to_pu21`."""
    curve = np.maximum(np.asarray(codes, np.float64) / _P[6] + _P[5], 0) ** (1 / _P[4])
    raised = np.maximum(curve - _P[0], 0) / (_P[1] - _P[2] * curve)
    return raised ** (1 / _P[3])


def light_to_pu21(light: Array) -> Float:
    """Encode light, linear 1.0 at :data:`WHITE_NITS`, each channel for itself."""
    return nits_to_pu21(np.asarray(light, np.float64) * WHITE_NITS)


def luminance(light: Array) -> Float:
    """Luminance ``...`` of linear Rec.709 ``... 3``."""
    levels: Float = np.asarray(light, np.float64) @ np.array(LUMA_WEIGHTS)
    return levels


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
    gap = light_to_pu21(result) - light_to_pu21(truth)
    return psnr_of(gap if where is None else gap[where])


def psnr_of(gap: Float) -> float:
    """PSNR in dB of a difference of PU21 codes: infinite for none at all, NaN for no samples."""
    if not gap.size:
        return float("nan")
    error = float(np.mean(np.square(gap)))
    return float(10 * np.log10(PU21_PEAK**2 / error)) if error else float("inf")


def pu21_ssim(result: Array, truth: Array) -> float:
    """SSIM of PU21 codes of luminance; 1 where both are equal.

    Args:
        result: Linear light ``h w 3``, at least 11 by 11 pixels.
        truth: The same shape.
    """
    codes = (light_to_pu21(luminance(x)) for x in (result, truth))
    return ssim(*codes, peak=PU21_PEAK)


def ssim(x: Array, y: Array, *, peak: float) -> float:
    """Structural similarity of two pictures ``h w``, over windows that lie wholly inside.

    Args:
        x: At least 11 by 11 samples.
        y: The same shape.
        peak: Range of the samples.

    Source: Wang et al. 2004: an 11 x 11 Gaussian window of sigma 1.5, K = (0.01, 0.03).
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    mean_x, mean_y = _window_mean(x), _window_mean(y)
    both = mean_x * mean_y
    squares = mean_x**2 + mean_y**2
    variance = _window_mean(x * x + y * y) - squares
    covariance = _window_mean(x * y) - both
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    same = (2 * both + c1) * (2 * covariance + c2)
    return float(np.mean(same / ((squares + c1) * (variance + c2))))


def _window_mean(picture: Float) -> Float:
    weights = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    weights /= weights.sum()
    rows = np.lib.stride_tricks.sliding_window_view(picture, 11, axis=0) @ weights
    return np.lib.stride_tricks.sliding_window_view(rows, 11, axis=1) @ weights
