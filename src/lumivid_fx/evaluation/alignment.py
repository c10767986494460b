"""Exposure and camera response: what an SDR picture does not tell, and a metric should not punish.

Three ways to compare stand beside each other in every table: raw; aligned, after one factor; and
CRF-corrected, after the fit that PU21's authors ask for where tone curves differ.
"""

from __future__ import annotations

import numpy as np
import torch

from lumivid_fx.color.transfer import linear_to_pq, pq_to_linear
from lumivid_fx.evaluation.pu21 import NITS_RANGE, WHITE_NITS, Array, Float, luminance

WELL_EXPOSED = 0.9
"""Display code under which all channels of a well-exposed pixel lie."""

DARK = 0.02
"""True luminance over which a well-exposed pixel lies."""

DEGREE, STIFFNESS = 3, 0.01
"""Degree of the polynomials, and the pull of the chroma's towards the identity."""

_RGB_TO_XYZ = np.array(
    [[0.412424, 0.357579, 0.180464], [0.212656, 0.715158, 0.072186], [0.019332, 0.119193, 0.950444]]
)
"""Linear Rec.709 to CIE XYZ at D65 (IEC 61966-2-1), as the method's authors have it."""


def exposure_ratios(result: Array, truth: Array, display: Array) -> Float:
    """Log ratios of truth to result over well-exposed pixels, in no order.

    Args:
        result: Linear light ``... 3``.
        truth: The same shape.
        display: The SDR picture's codes ``... 3`` in [0, 1].
    """
    ours, theirs = luminance(result), luminance(truth)
    fit = (display.max(axis=-1) < WELL_EXPOSED) & (theirs > DARK) & (ours > 0)
    ratios: Float = np.log(theirs[fit] / ours[fit])
    return ratios


def exposure_match(result: Array, truth: Array, display: Array) -> float:
    """Factor that brings a result to the truth's exposure, which an SDR picture does not tell.

    It is the exponential of the median log ratio over well-exposed pixels: no channel of the SDR
    picture at 0.9 or more, true luminance over 0.02. Where there are none it is 1. Arguments are
    those of :func:`exposure_ratios`.
    """
    return median_factor(exposure_ratios(result, truth, display))


def median_factor(ratios: Float) -> float:
    """Factor of :func:`exposure_match` from all log ratios there are; 1 where there are none."""
    return float(np.exp(np.median(ratios))) if ratios.size else 1.0


def crf_corrected(result: Array, truth: Array) -> Float:
    """Undo whatever smooth camera response lies between a result and the truth.

    Luminance goes through the cubic of its PQ code that comes nearest to the truth; chroma (u'v')
    through a cubic in both, drawn towards the identity. So methods that differ in tone curve alone
    become equal, and what is left is what they got wrong in place.

    Args:
        result: Linear light ``h w 3``.
        truth: The same shape.

    Returns:
        The corrected result, at least 0.

    Source: Hanji et al., "Comparison of single image HDR reconstruction methods: the caveats of
    quality assessment", SIGGRAPH 2022, with the parameters of its authors (cubic, PQ, u'v', 0.01).
    """
    pictures = [np.maximum(np.asarray(x, np.float64) * WHITE_NITS, 0.005) for x in (result, truth)]
    (ours, our_chroma), (theirs, their_chroma) = (_to_luminance_and_chroma(x) for x in pictures)
    codes = [_to_pq(x)[..., None] for x in (ours, theirs)]
    fitted = _fit(codes[0], codes[1], 0.0)
    lowest = float(_to_pq(np.array([NITS_RANGE[0]]))[0])
    level = _from_pq(np.clip(fitted[..., 0], lowest, 1))
    chroma = np.maximum(_fit(our_chroma, their_chroma, STIFFNESS), 0.005)
    return _to_rgb(level, chroma) / WHITE_NITS


def _fit(ours: Float, theirs: Float, stiffness: float) -> Float:
    """Ridge regression of channels ``... c`` on powers and products, drawn to the identity."""
    channels = ours.shape[-1]
    x, y = ours.reshape(-1, channels), theirs.reshape(-1, channels)
    cross = [x[:, :1] * x[:, 1:]] if channels == 2 else []
    terms = np.concatenate(
        [x, *(x**power for power in range(2, DEGREE + 1)), *cross, np.ones((len(x), 1))], axis=1
    )
    identity = np.eye(terms.shape[1], channels)
    pull = stiffness * len(terms) / terms.shape[1]
    normal = terms.T @ terms + pull * np.eye(terms.shape[1])
    weights = np.linalg.lstsq(normal, terms.T @ y + pull * identity, rcond=None)[0]
    fitted: Float = (terms @ weights).reshape(ours.shape)
    return fitted


def _to_luminance_and_chroma(nits: Float) -> tuple[Float, Float]:
    xyz = np.maximum(nits @ _RGB_TO_XYZ.T, 1e-4)
    scale = xyz @ np.array([1.0, 15.0, 3.0])
    chroma = np.stack([4 * xyz[..., 0] / scale, 9 * xyz[..., 1] / scale], axis=-1)
    return xyz[..., 1], chroma * (410 / 255)


def _to_rgb(level: Float, chroma: Float) -> Float:
    u, v = chroma[..., 0] * (255 / 410), chroma[..., 1] * (255 / 410)
    x = level * 9 * u / (4 * v)
    z = level * (12 - 3 * u - 20 * v) / (4 * v)
    xyz = np.clip(np.stack([x, level, z], axis=-1), 1e-4, 1e8)
    rgb: Float = np.maximum(xyz @ np.linalg.inv(_RGB_TO_XYZ).T, 0)
    return rgb


def _to_pq(nits: Float) -> Float:
    light = torch.as_tensor(nits / WHITE_NITS, dtype=torch.float64)
    codes: Float = linear_to_pq(light).numpy()
    return codes


def _from_pq(codes: Float) -> Float:
    light: Float = pq_to_linear(torch.from_numpy(codes)).numpy()
    return light * WHITE_NITS
