"""What a picture says of the light: how bright, how wide, how wrong where the plate told nothing.

Pictures are linear Rec.709 light ``... 3`` in which 1.0 is SDR white, :data:`~.pu21.WHITE_NITS`.
"""

from __future__ import annotations

import numpy as np
import torch

from lumivid_fx.color.transfer import linear_to_pq
from lumivid_fx.evaluation.pu21 import NITS_RANGE, WHITE_NITS, Array, Float, Mask, luminance
from lumivid_fx.review import measures

HIGHLIGHT_CODE, SHADOW_CODE = 250 / 255, 13 / 255
"""Display codes from which a pixel counts as highlight, and up to which as shadow."""

_RGB_TO_LMS = np.array(
    [
        [0.29580935, 0.62310130, 0.08108934],
        [0.15624898, 0.72732572, 0.11642530],
        [0.03513566, 0.15657473, 0.80828961],
    ]
)
"""Linear Rec.709 to the cones of BT.2100: its Rec.2020 matrix (1688 2146 262; 683 2951 462; 99 309
3688, over 4096) after BT.2087's from Rec.709."""

_LMS_TO_CHROMA = np.array([[6610, -13613, 7003], [17933, -17390, -543]]) / 4096
"""PQ codes of the cones to Ct and Cp: ITU-R BT.2100-2, table 7."""


def highlights(display: Array) -> Mask:
    """Where a channel of display codes ``... 3`` reached :data:`HIGHLIGHT_CODE`."""
    clipped: Mask = display.max(axis=-1) > HIGHLIGHT_CODE - 1e-4
    return clipped


def shadows(display: Array) -> Mask:
    """Where no channel of display codes ``... 3`` passes :data:`SHADOW_CODE`."""
    crushed: Mask = display.max(axis=-1) < SHADOW_CODE + 1e-4
    return crushed


def stops_apart(result: Array, truth: Array, where: Mask) -> tuple[float, float]:
    """Mean size and mean of the log2 ratio of luminance over some pixels.

    Args:
        result: Linear light ``... 3``.
        truth: The same shape.
        where: ``...``, the pixels that count.

    Returns:
        Error and bias in stops, the bias above 0 where the result is too bright. Luminance is
        clamped to :data:`~.pu21.NITS_RANGE`; NaN where no pixel counts.
    """
    if not where.any():
        return float("nan"), float("nan")
    floor, ceiling = (n / WHITE_NITS for n in NITS_RANGE)
    ours, theirs = (np.clip(luminance(x[where]), floor, ceiling) for x in (result, truth))
    stops = np.log2(ours / theirs)
    return float(np.abs(stops).mean()), float(stops.mean())


def colour_shift(result: Array, truth: Array, where: Mask) -> tuple[float, float]:
    """How far colours lie from the true ones over some pixels, brightness left aside.

    Each pixel is brought to the true luminance first; what differs then is chroma alone.

    Args:
        result: Linear light ``... 3``.
        truth: The same shape.
        where: ``...``, the pixels that count.

    Returns:
        Mean angle between the hues in degrees, each pixel weighed by the truth's chroma, because
        the hue of a grey says nothing; and mean distance in the chroma plane, in steps of which one
        is just noticeable, which sees colour on a grey too. NaN where no pixel counts.

    Source: ICtCp of ITU-R BT.2100-2; the distance is the chroma part of ITU-R BT.2124's.
    """
    if not where.any():
        return float("nan"), float("nan")
    ours, theirs = (np.maximum(np.asarray(x[where], np.float64), 0) for x in (result, truth))
    gain = luminance(theirs) / np.maximum(luminance(ours), 1e-6)
    a, b = _chroma(ours * gain[..., None]), _chroma(theirs)
    distance = float(720 * np.hypot(*(a - b).T).mean())
    weight = np.hypot(*b.T)
    if not weight.sum() > 1e-9:
        return float("nan"), distance
    turned = np.abs(np.arctan2(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0], (a * b).sum(axis=1)))
    return float(np.degrees((turned * weight).sum() / weight.sum())), distance


def _chroma(light: Float) -> Float:
    """Half Ct and Cp ``n 2`` of light ``n 3``, clamped to what PQ holds."""
    cones = np.clip(light @ _RGB_TO_LMS.T, 0, 100)
    codes = linear_to_pq(torch.from_numpy(cones)).numpy()
    chroma: Float = (codes @ _LMS_TO_CHROMA.T) * np.array([0.5, 1.0])
    return chroma


def dynamic_range(light: Array) -> float:
    """Stops between the 0.1th and the 99.9th percentile of luminance over 0.

    A result is to come near the truth's number, not to pass it; a black picture has none, NaN.
    """
    return measures.dynamic_range(luminance(light))


def peak_nits(light: Array) -> float:
    """Luminance of the 99.99th percentile in cd/m^2: the peak, but for a stray pixel."""
    return float(np.percentile(luminance(light), 99.99)) * WHITE_NITS
