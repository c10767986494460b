"""Looks on scene light: exposures, and stops from mid grey as colours.

The colours are 19 flat bands: one for each whole stop from -8 to +8, each half a stop to either
side, and one for what lies below and above. They grow brighter with the light, so that their order
is seen without colour too; mid grey is the grey one, and shown un-tone-mapped it is half the code.

OpenColorIO 2.0 reads no table from within a config, and its curves only rise. So the bands are made
in two steps: a staircase takes stops to the whole numbers -9 to 9, then red and blue follow curves
of that number, to which the number itself is added to make them rise. A matrix takes it off again,
and makes green what is missing to the brightness.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import PyOpenColorIO
from PyOpenColorIO import (
    Config,
    ExponentWithLinearTransform,
    GradingBSplineCurve,
    GradingRGBCurve,
    GradingRGBCurveTransform,
    GroupTransform,
    LogAffineTransform,
    Look,
    MatrixTransform,
    RangeTransform,
)

from lumivid_fx.color import primaries
from lumivid_fx.color.camera_curves import in_print
from lumivid_fx.color.display_curves import Pixels, linear_to_srgb
from lumivid_fx.color.filmic import GREY
from lumivid_fx.color.scene_spaces import matrix_transform

EXPOSURES = (-4, -2, -1, 1, 2, 4)
"""Stops of the exposure looks."""

FALSE_COLOUR = "LumiVid False Colour"

LAST_STOP = 8
"""The outermost whole stops that have a band of their own."""

_TOP = LAST_STOP + 1

# Red and blue as sRGB codes, by the number of the band. What is not listed lies on a smooth curve.
RED = {-9: 0.0, -6: 0.40, -5: 0.28, -4: 0.0, -2: 0.0, -1: 0.10, 0: 0.5, 1: 0.95, 2: 1.0}
RED |= {4: 1.0, 5: 0.90, 6: 0.75, 7: 0.66, 8: 1.0, 9: 1.0}
BLUE = {-9: 0.0, -6: 0.40, -5: 0.72, -4: 0.98, -3: 0.70, -2: 0.48, -1: 0.12, 0: 0.5}
BLUE |= {1: 0.55, 2: 0.15, 3: 0.05, 5: 0.0, 6: 0.25, 7: 0.93, 8: 0.82, 9: 1.0}

BRIGHTNESS = (0.30, 0.59, 0.11)
"""What red, green and blue codes weigh in a band's brightness, which rises in even steps."""

_EDGE = 0.01
"""Half the width of an edge between two bands, in stops."""


def exposure_name(stops: int) -> str:
    """Name the look that exposes by so many stops."""
    return f"LumiVid Exposure {stops:+d} stop{'s' if abs(stops) > 1 else ''}"


def exposure_look(stops: int, linear_space: str) -> Any:
    """The look that multiplies light by a power of two, in any linear space."""
    gain = 2.0**stops
    return Look(
        name=exposure_name(stops),
        processSpace=linear_space,
        description=f"Light times {gain:g}.",
        transform=MatrixTransform.Scale([gain, gain, gain, 1.0]),
    )


def false_colour_look(aces: str) -> Any:
    """The look that shows stops from mid grey as colours; `aces` is the name of ACES2065-1."""
    weights = primaries.to_xyz_d65("AP0")[1]
    stops = LogAffineTransform(
        logSideSlope=[1.0] * 3,
        logSideOffset=[0.0] * 3,
        linSideSlope=[in_print(1 / GREY)] * 3,
        linSideOffset=[0.0] * 3,
    )
    steps = [
        matrix_transform((weights, weights, weights)),
        stops,
        GradingRGBCurveTransform(
            GradingRGBCurve(_line(), _line(), _line(), _staircase()),
            style=PyOpenColorIO.GRADING_LOG,
        ),
        GradingRGBCurveTransform(
            GradingRGBCurve(_rising(RED), _line(), _rising(BLUE), _line()),
            style=PyOpenColorIO.GRADING_LOG,
        ),
        _colours(),
        RangeTransform(0.0, 1.0, 0.0, 1.0),
        ExponentWithLinearTransform([2.4, 2.4, 2.4, 1.0], [0.055, 0.055, 0.055, 0.0]),
        matrix_transform(primaries.to_aces("Rec.709")),
    ]
    return Look(
        name=FALSE_COLOUR,
        processSpace=aces,
        description=(
            f"Stops from mid grey, {GREY}, as colours: {2 * LAST_STOP + 1} bands from "
            f"{-LAST_STOP} to +{LAST_STOP}, each of one stop, grey in the middle, brighter with "
            "the light. For an un-tone-mapped view; any other turns the colours."
        ),
        transform=GroupTransform(steps),
    )


def false_colours() -> Pixels:
    """The colours of the bands as sRGB codes ``19 3``, the darkest first."""
    bands = np.arange(-_TOP, _TOP + 1)
    colours: Pixels = (GREY * np.exp2(bands)).astype(np.float32)[:, None].repeat(3, axis=1)
    to_rec709 = matrix_transform(primaries.invert(primaries.to_aces("Rec.709")))
    steps = GroupTransform([false_colour_look("").getTransform(), to_rec709])
    Config.CreateRaw().getProcessor(steps).getDefaultCPUProcessor().applyRGB(colours)
    return linear_to_srgb(colours).clip(0, 1)


def _staircase() -> Any:
    """Stops to the number of their band."""
    points = [(-_TOP - 1.0, -float(_TOP))]
    for band in range(-_TOP, _TOP):
        edge = band + 0.5
        points += [(edge - _EDGE, float(band)), (edge + _EDGE, band + 1.0)]
    points.append((_TOP + 1.0, float(_TOP)))
    return _spline(points)


def _rising(codes: dict[int, float]) -> Any:
    """The number of a band to that number and its code, which rises."""
    return _spline([(float(band), band + code) for band, code in codes.items()])


def _line() -> Any:
    return _spline([(-1.0, -1.0), (1.0, 1.0)])


def _spline(points: list[tuple[float, float]]) -> Any:
    return GradingBSplineCurve([number for point in points for number in point])


def _colours() -> Any:
    """Band and code, band, band and code to the codes of red, green and blue."""
    red, green, blue = BRIGHTNESS
    share = 1 / (2 * _TOP)  # brightness is (band + 9) / 18
    rows = (
        (1.0, -1.0, 0.0, 0.0),
        (-red / green, (share + red + blue) / green, -blue / green, 0.0),
        (0.0, -1.0, 1.0, 0.0),
        (0.0, 0.0, 0.0, 1.0),
    )
    return MatrixTransform([value for row in rows for value in row], [0.0, 0.5 / green, 0.0, 0.0])
