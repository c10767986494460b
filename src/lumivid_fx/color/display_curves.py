"""Plain display curves on Rec.709 primaries: code values to linear light and back.

Each is increasing over all numbers: it mirrors about 0 and goes on above 1, so that an overshoot
from a resize or a codec is kept. Float32 in, a new float32 array out, any shape.
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
        to_linear: Code values to linear light, code 1.0 to linear 1.0.
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


DISPLAY_CURVES = {
    "srgb": DisplayCurve(srgb_to_linear, linear_to_srgb),
    "rec709": power_curve(2.4),  # ITU-R BT.1886 with black at 0 is a pure power
    "gamma22": power_curve(2.2),
}
"""Curves by the name of their view."""
