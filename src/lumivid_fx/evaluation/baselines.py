"""What a user would take instead of a model: display codes to light by a formula.

Every function takes sRGB codes ``h w 3`` in [0, 1] and gives linear Rec.709 light in which 1.0 is
SDR white, 100 cd/m2. The curves of BT.2446 are put on Rec.709 as it is: the report speaks of
Rec.2020, into which the same codes would go without a change of light. The fitted curve is
:func:`~.protocol.fit_log_lut`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from lumivid_fx.color.display_curves import srgb_to_linear
from lumivid_fx.evaluation.protocol import Light
from lumivid_fx.evaluation.pu21 import WHITE_NITS, luminance

_KR, _KG, _KB = 0.2126, 0.7152, 0.0722

_DARK = (1.8712e-5, -2.7334e-3, 1.3141)
_BRIGHT = (2.8305e-6, -7.4622e-4, 1.2528)
_BT2446A_PEAK_NITS = 1000.0

_K1, _K2, _K3, _K4 = 0.83802, 15.09968, 0.74204, 78.99439
_BEND_NITS = 58.5 / _K1

DISPLAY_PEAK_NITS = 1500.0
"""Where Kovaleski and Oliveira's operator puts SDR white: the peak of the display of JOD."""

_SPACE, _RANGE = 150 / 1920, 25 / 255
_CLIP_CODE = 254 / 255


def srgb_linearised(display: Light) -> Light:
    """Do nothing but undo sRGB."""
    return srgb_to_linear(display)


def bt2446_a_inverse(display: Light) -> Light:
    """Expand by method A: SDR white becomes 1000 cd/m2, 10.0 here.

    The light is encoded anew for a display of gamma 2.4, of which the report speaks: sRGB's own
    codes would be crushed by 3.4 stops in the shadows.

    Source: Report ITU-R BT.2446-1, section 4.2, table 4.
    """
    codes = np.asarray(srgb_to_linear(display), np.float64) ** (1 / 2.4)
    luma = codes @ np.array([_KR, _KG, _KB])
    full = 255 * luma
    exponent = np.where(full <= 70, np.polyval(_DARK, full), np.polyval(_BRIGHT, full))
    expanded = full**exponent
    colour = 1.075 * np.where(luma > 0, expanded / np.maximum(luma, 1e-9), 1)
    rgb = expanded[..., None] + colour[..., None] * (codes - luma[..., None])
    held = np.clip(rgb / _BT2446A_PEAK_NITS, 0, 1)
    light: Light = (held**2.4 * _BT2446A_PEAK_NITS / WHITE_NITS).astype(np.float32)
    return light


def bt2446_c_inverse(display: Light) -> Light:
    """Expand by method C, hue kept, without its crosstalk: SDR white becomes 332 cd/m2.

    Source: Report ITU-R BT.2446-1, section 6.1.4, the inverse of its tone curve.
    """
    light = srgb_to_linear(display)
    nits = luminance(light) * WHITE_NITS
    bright = _BEND_NITS * (np.exp((nits - _K4) / _K2) + _K3)
    expanded = np.where(nits < _K1 * _BEND_NITS, nits / _K1, bright)
    gain = np.where(nits > 0, expanded / np.maximum(nits, 1e-9), 1 / _K1)
    return (light * gain[..., None]).astype(np.float32)


def kovaleski_oliveira(display: Light) -> Light:
    """Brighten what clipped, by a mask that a cross-bilateral filter spreads up to edges.

    Unlike the published operator it does not stretch the whole picture first (the exposure is
    aligned anyway), and its mask brightens up to the display's peak, not four times.

    Source: Kovaleski and Oliveira, "High-quality brightness enhancement functions for real-time
    reverse tone mapping", The Visual Computer 2009, and its sequel, SIBGRAPI 2014: sigma of 150
    pixels at 1920, range sigma of 25 codes, clipped from code 254.
    """
    light = srgb_to_linear(display)
    clipped = (display.max(axis=-1) > _CLIP_CODE - 1e-4).astype(np.float32)
    guide = luminance(display).astype(np.float32)
    sigma = max(2.0, _SPACE * max(display.shape[:2]))
    spread = cross_bilateral(clipped, guide, sigma, _RANGE)
    gain = 1 + (DISPLAY_PEAK_NITS / WHITE_NITS - 1) * spread
    return (light * gain[..., None]).astype(np.float32)


def cross_bilateral(picture: Light, guide: Light, sigma: float, sigma_range: float) -> Light:
    """Smooth a picture within the edges of a guide, on a bilateral grid.

    Args:
        picture: ``h w``.
        guide: ``h w`` in [0, 1].
        sigma: Standard deviation in pixels.
        sigma_range: Standard deviation in values of the guide.

    Source: Chen, Paris and Durand, "Real-time edge-aware image processing with the bilateral grid",
    SIGGRAPH 2007: a sample a standard deviation, blurred by a Gaussian of one sample.
    """
    height, width = picture.shape
    rows, columns = np.mgrid[0:height, 0:width]
    place = [rows / sigma, columns / sigma, guide / sigma_range]
    shape = [int(np.ceil(p.max())) + 2 for p in place]
    nearest = np.ravel_multi_index([np.rint(p).astype(np.intp) for p in place], shape).ravel()
    grids = [
        np.bincount(nearest, weights.ravel(), minlength=int(np.prod(shape))).reshape(shape)
        for weights in (picture.astype(np.float64), np.ones_like(picture, np.float64))
    ]
    grid = _blur(torch.from_numpy(np.stack(grids)).float())
    at = [2 * p / (size - 1) - 1 for p, size in zip(place, shape, strict=True)]
    points = torch.from_numpy(np.stack(at[::-1], axis=-1)).float()[None, None]
    total, weight = F.grid_sample(grid[None], points, align_corners=True)[0, :, 0].numpy()
    smooth: Light = total / np.maximum(weight, 1e-6)
    return smooth


def _blur(grid: torch.Tensor) -> torch.Tensor:
    """A Gaussian of one sample along each axis of ``c x y z``."""
    weights = torch.exp(-0.5 * torch.arange(-3.0, 4.0) ** 2)
    weights = weights / weights.sum()
    for axis in range(3):
        shape = [1, 1, 1]
        shape[axis] = 7
        padding = [3 if a == axis else 0 for a in range(3)]
        grid = F.conv3d(grid[:, None], weights.view(1, 1, *shape), padding=padding)[:, 0]
    return grid


BASELINES: dict[str, Callable[[Light], Light]] = {
    "sRGB linearised": srgb_linearised,
    "BT.2446 A inverse": bt2446_a_inverse,
    "BT.2446 C inverse": bt2446_c_inverse,
    "Kovaleski-Oliveira": kovaleski_oliveira,
}
"""By the name that tables give them."""
