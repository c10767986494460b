"""The Filmic views: light rolled off to a monitor's peak, by one formula for SDR and HDR.

On each channel of linear Rec.709 light x::

    y = peak * x^n / (x^n + s^n)

the hyperbola of Naka and Rushton, kin to Reinhard's operators and to the tone scale of ACES 2. n
and s are chosen so that mid grey stays where it is, with the same contrast on every monitor:
:data:`GREY` goes to itself, and the slope there, both sides in stops, is :data:`CONTRAST`. Below,
the curve is a power; above, it nears the monitor's peak and never reaches it: nothing clips.

Before the curve each channel is mixed with :data:`INSET` of the pixel's luminance, and after it the
mix is undone. So a bright saturated light goes to white through paler shades of its own hue, as on
film, where a bare curve would leave it at the gamut's edge or turn it to another hue. Greys stay
grey. What the monitor's Rec.709 primaries cannot show is clipped to them, channel by channel.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import PyOpenColorIO
from PyOpenColorIO import (
    GroupTransform,
    LogAffineTransform,
    LogTransform,
    RangeTransform,
    ViewTransform,
)

from lumivid_fx.color import primaries
from lumivid_fx.color.camera_curves import in_print
from lumivid_fx.color.scene_spaces import matrix_transform

GREY = 0.18
"""Mid grey, in light of the scene and of the monitor, where 1.0 is 100 cd/m2."""

CONTRAST = 1.2
"""Slope at mid grey: what BT.709's camera curve and BT.1886's monitor make together."""

INSET = Fraction(3, 20)
"""How much of its luminance a colour is mixed with before the curve."""

PEAKS = {"LumiVid Filmic SDR": 1.0, "LumiVid Filmic HDR 1000 nits": 10.0}
"""Light of the brightest white by view transform, 1.0 being 100 cd/m2."""

_BLACK = 2.0**-24
"""Added to light, so that black has a logarithm: 6e-6 cd/m2."""


def exponent_and_half(peak: float) -> tuple[float, float]:
    """Give the curve's n and s for a monitor's peak."""
    exponent = CONTRAST / (1 - GREY / peak)
    return exponent, GREY * ((peak - GREY) / GREY) ** (1 / exponent)


def view_transform(name: str) -> Any:
    """The view transform from ACES2065-1 to CIE XYZ at D65, by its name in :data:`PEAKS`."""
    peak = PEAKS[name]
    steps = [
        matrix_transform(primaries.between("AP0", "Rec.709")),
        matrix_transform(_mix(INSET)),
        RangeTransform(minInValue=0.0, minOutValue=0.0),
        *_curve(peak),
        matrix_transform(_scaled(primaries.invert(_mix(INSET)), Fraction(peak))),
        RangeTransform(0.0, peak, 0.0, peak),
        matrix_transform(primaries.to_xyz_d65("Rec.709")),
    ]
    return ViewTransform(
        PyOpenColorIO.REFERENCE_SPACE_SCENE,
        name=name,
        family="LumiVid",
        description=(
            f"LumiVid's preview for a monitor of {100 * peak:.0f} cd/m2; a studio's own view "
            "decides. Mid grey stays where it is, highlights roll off to the peak and do not clip."
        ),
        fromReference=GroupTransform(steps),
    )


def _curve(peak: float) -> list[Any]:
    """The curve up to its peak: 1 / (1 + (s / x)^n), by two logarithms and their inverses."""
    exponent, half = exponent_and_half(peak)
    power = LogAffineTransform(
        logSideSlope=[in_print(-exponent)] * 3,
        logSideOffset=[in_print(exponent * math.log2(half))] * 3,
        linSideSlope=[1.0] * 3,
        linSideOffset=[_BLACK] * 3,
    )
    reciprocal = LogAffineTransform(
        logSideSlope=[-1.0] * 3,
        logSideOffset=[0.0] * 3,
        linSideSlope=[1.0] * 3,
        linSideOffset=[1.0] * 3,
    )
    undo = LogTransform(2.0, PyOpenColorIO.TRANSFORM_DIR_INVERSE)
    return [power, undo, reciprocal, undo]


def _mix(share: Fraction) -> primaries.Matrix:
    """Mix each channel with a share of the luminance."""
    weights = primaries.luminance("Rec.709")
    return tuple(
        tuple(
            share * weight + (1 - share) * (row == column) for column, weight in enumerate(weights)
        )
        for row in range(3)
    )


def _scaled(matrix: primaries.Matrix, scale: Fraction) -> primaries.Matrix:
    return tuple(tuple(scale * value for value in row) for row in matrix)
