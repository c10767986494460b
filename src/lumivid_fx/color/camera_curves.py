"""Curves of cameras and of video, with the constants their makers print, as OpenColorIO has them.

Only what OpenColorIO 2.0 reads: a logarithm with a line under its cut, a power, and for Canon's
curves, which are logarithms below black too, OpenColorIO's own tables.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, NamedTuple

import PyOpenColorIO
from PyOpenColorIO import ExponentTransform, ExponentWithLinearTransform, LogCameraTransform

from lumivid_fx.color import transfer

_INVERSE = PyOpenColorIO.TRANSFORM_DIR_INVERSE


def in_print(value: float | Fraction) -> float:
    """A number to the 13 digits that every machine's mathematics and every reader agree on."""
    return float(f"{float(value):.13g}")


class Log(NamedTuple):
    """A camera's curve: log(slope * light + offset), and a straight line under `cut`.

    Attributes:
        base: Of the logarithm.
        code_slope: What the logarithm is multiplied by.
        code_offset: What is added to that.
        light_slope: What light is multiplied by inside the logarithm.
        light_offset: What is added to that.
        cut: The light under which the line goes on.
        line_slope: Slope of the line; the curve's own at the cut if not printed.
    """

    base: float
    code_slope: float
    code_offset: float
    light_slope: float
    light_offset: float
    cut: float
    line_slope: float | None = None

    def to_linear(self) -> Any:
        """Codes to light."""
        line = {} if self.line_slope is None else {"linearSlope": [in_print(self.line_slope)] * 3}
        return LogCameraTransform(
            base=self.base,
            logSideSlope=[in_print(self.code_slope)] * 3,
            logSideOffset=[in_print(self.code_offset)] * 3,
            linSideSlope=[in_print(self.light_slope)] * 3,
            linSideOffset=[in_print(self.light_offset)] * 3,
            linSideBreak=[in_print(self.cut)] * 3,
            **line,
            direction=_INVERSE,
        )


class Power(NamedTuple):
    """A video curve: a power, with a straight line at its foot where `offset` is not 0."""

    gamma: float
    offset: float = 0.0

    def to_linear(self) -> Any:
        """Codes to light; light below 0 goes through as it is, or along the line."""
        gamma = [in_print(self.gamma)] * 3 + [1.0]
        if not self.offset:
            return ExponentTransform(gamma, negativeStyle=PyOpenColorIO.NEGATIVE_PASS_THRU)
        return ExponentWithLinearTransform(gamma, [self.offset] * 3 + [0.0])


class Canon(NamedTuple):
    """A curve that is a logarithm below black too, which only OpenColorIO's own tables have.

    Attributes:
        style: OpenColorIO's name for curve and gamut to ACES2065-1 together, since 2.0.
    """

    style: str


def _logc4() -> Log:
    # ARRI, "ARRI LogC4 Logarithmic Color Space Specification" (2022), section 3.
    a, b, c = (2**18 - 16) / 117.45, (1023 - 95) / 1023, 95 / 1023
    s = 7 * math.log(2) * 2 ** (7 - 14 * c / b) / (a * b)
    t = (2 ** (14 * (-c / b) + 6) - 64) / a
    return Log(2, b / 14, c - 6 * b / 14, a, 64, t, 1 / s)


# The printed six digits of ARRI, "ALEXA Log C Curve - Usage in VFX", which our tensors have.
LUMIVID_LOGC3_CURVE = Log(
    10,
    transfer.LOGC3_C,
    transfer.LOGC3_D,
    transfer.LOGC3_A,
    transfer.LOGC3_B,
    transfer.LOGC3_CUT,
    transfer.LOGC3_E,
)

CURVES: dict[str, Log | Power | Canon] = {
    # AMPAS S-2016-001.
    "ACEScct": Log(2, 1 / 17.52, 9.72 / 17.52, 1, 0, 0.0078125, transfer.ACESCCT_A),
    "LumiVid LogC3": LUMIVID_LOGC3_CURVE,
    # The same curve with the ten digits of ARRI's Input Transform, as ACES configs have it.
    "ARRI LogC3": Log(
        10, 0.2471896383, 0.3855369987, 1 / 0.18, 0.052272275, (1 / 9 - 0.052272275) * 0.18
    ),
    "ARRI LogC4": _logc4(),
    # Sony, "Technical Summary for S-Gamut3.Cine/S-Log3 and S-Gamut3/S-Log3".
    "S-Log3": Log(
        *(10, 261.5 / 1023, 420 / 1023, 1 / 0.19, 0.01 / 0.19, 0.01125),
        (171.2102946929 - 95) / 0.01125 / 1023,
    ),
    # RED, "White Paper on REDWideGamutRGB and Log3G10" (915-0187).
    "Log3G10": Log(10, 0.224282, 0, 155.975327, 155.975327 * 0.01 + 1, -0.01),
    # Panasonic, "V-Log/V-Gamut Reference Manual" (2014).
    "V-Log": Log(10, 0.241514, 0.598206, 1, 0.00873, 0.01),
    # Blackmagic Design, "DaVinci Resolve 17 - Wide Gamut Intermediate" (2021).
    "DaVinci Intermediate": Log(2, 0.07329248, 0.07329248 * 7, 1, 0.0075, 0.00262409, 10.44426855),
    "Canon Log 2": Canon("CANON_CLOG2-CGAMUT_to_ACES2065-1"),
    "Canon Log 3": Canon("CANON_CLOG3-CGAMUT_to_ACES2065-1"),
    # IEC 61966-2-1. Like every OCIO config it takes the cut from the power: slope 12.9232.
    "sRGB": Power(2.4, 0.055),
    "Camera Rec.709": Power(1 / 0.45, 0.099),  # ITU-R BT.709-6, the camera's own curve
    "Gamma 2.4": Power(2.4),  # ITU-R BT.1886 with black at 0
    "Gamma 2.2": Power(2.2),
}
"""Curves by name."""
