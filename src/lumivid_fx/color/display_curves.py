"""Plain display curves on Rec.709 primaries: code values to linear light and back.

Each mirrors about 0 and, but for the filmic one, goes on above 1, so that an overshoot from a
resize or a codec is kept. Float32 in, a new float32 array out, any shape.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.float32]

_ONE_OVER_2_4 = np.float32(1 / 2.4)
_2_4 = np.float32(2.4)


class DisplayCurve(NamedTuple):
    """A display's curve.

    Attributes:
        to_linear: Code values to linear light, code 1.0 to the light that shows as white.
        to_code: The inverse.
    """

    to_linear: Callable[[Pixels], Pixels]
    to_code: Callable[[Pixels], Pixels]


def srgb_to_linear(code: Pixels) -> Pixels:
    """Decode sRGB: 0.5 -> 0.214041. Source: IEC 61966-2-1:1999, section 5.2."""
    size = np.abs(code)
    linear = np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** _2_4)
    return np.copysign(linear, code)


def linear_to_srgb(linear: Pixels) -> Pixels:
    """Encode sRGB: 0.18 -> 0.461356. Source: IEC 61966-2-1:1999, section 5.3."""
    size = np.abs(linear)
    code = np.where(size <= 0.0031308, size * 12.92, 1.055 * size**_ONE_OVER_2_4 - 0.055)
    return np.copysign(code, linear)


def power_curve(gamma: float) -> DisplayCurve:
    """Make the curve linear = code ** gamma."""
    decode, encode = np.float32(gamma), np.float32(1 / gamma)
    return DisplayCurve(
        lambda code: np.copysign(np.abs(code) ** decode, code),
        lambda linear: np.copysign(np.abs(linear) ** encode, linear),
    )


_A, _B, _C, _D, _E, _F = 0.15, 0.50, 0.10, 0.20, 0.02, 0.30
_BIAS, _WHITE = 2.0, 11.2


def _shoulder(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return (x * (_A * x + _C * _B) + _D * _E) / (x * (_A * x + _B) + _D * _F) - _E / _F


_PEAK = float(_shoulder(np.array(_WHITE)))


def linear_to_hable(linear: Pixels) -> Pixels:
    """Show light by Hable's filmic curve, then sRGB: 0.18 -> 0.394. 5.6 and more are white.

    Source: John Hable, "Uncharted 2: HDR Lighting", GDC 2010, with its exposure bias of 2 and its
    white of 11.2.
    """
    light = np.minimum(np.abs(linear.astype(np.float64)) * _BIAS, _WHITE)
    shown = (_shoulder(light) / _PEAK).astype(np.float32)
    return np.copysign(linear_to_srgb(shown), linear)


def hable_to_linear(code: Pixels) -> Pixels:
    """Undo :func:`linear_to_hable`: 1.0 -> 5.6, and no more above, where the curve never was."""
    shown = srgb_to_linear(np.minimum(np.abs(code), np.float32(1)))
    y = shown.astype(np.float64) * _PEAK + _E / _F
    # y (A x^2 + B x + D F) = A x^2 + C B x + D E
    a, b, c = _A * (y - 1), _B * (y - _C), _D * (y * _F - _E)
    light = (-b - np.sqrt(np.maximum(b * b - 4 * a * c, 0))) / (2 * a)
    linear: Pixels = (light / _BIAS).astype(np.float32)
    return np.copysign(linear, code)


DISPLAY_CURVES = {
    "srgb": DisplayCurve(srgb_to_linear, linear_to_srgb),
    "rec709": power_curve(2.4),  # ITU-R BT.1886 with black at 0 is a pure power
    "gamma22": power_curve(2.2),
    "hable": DisplayCurve(hable_to_linear, linear_to_hable),
}
"""Curves by the name of their view."""
