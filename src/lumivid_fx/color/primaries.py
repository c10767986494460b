"""Gamuts by the chromaticities their makers print, and the matrices between them.

Matrices are worked out in fractions and rounded once, at the end, so that every machine and every
library of linear algebra gives the same digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

Matrix = tuple[tuple[Fraction, ...], ...]
"""Three rows of three numbers."""


class Cone(NamedTuple):
    """A way to adapt colours from one white to another.

    Attributes:
        name: What it is called.
        response: From CIE XYZ to the responses that are scaled, row by row.
    """

    name: str
    response: tuple[str, ...]


# Lam 1985, as ICC.1 prints it; and CIECAM02 (CIE 159:2004).
BRADFORD = Cone(
    "Bradford",
    ("0.8951", "0.2664", "-0.1614", "-0.7502", "1.7135", "0.0367", "0.0389", "-0.0685", "1.0296"),
)
CAT02 = Cone(
    "CAT02",
    ("0.7328", "0.4296", "-0.1624", "-0.7036", "1.6975", "0.0061", "0.0030", "0.0136", "0.9834"),
)


class Gamut(NamedTuple):
    """The primaries and the white of an RGB space.

    Attributes:
        xy: CIE 1931 x and y of red, green, blue and white, in decimals as printed.
        cone: How its maker adapts its white to that of ACES.
    """

    xy: tuple[str, ...]
    cone: Cone = BRADFORD


_D65, _ACES_WHITE = ("0.3127", "0.3290"), ("0.32168", "0.33767")

GAMUTS = {
    # SMPTE ST 2065-1 and AMPAS S-2014-004.
    "AP0": Gamut(("0.7347", "0.2653", "0.0", "1.0", "0.0001", "-0.077", *_ACES_WHITE)),
    "AP1": Gamut(("0.713", "0.293", "0.165", "0.830", "0.128", "0.044", *_ACES_WHITE)),
    # ITU-R BT.709-6, ITU-R BT.2020-2, SMPTE EG 432-1.
    "Rec.709": Gamut(("0.64", "0.33", "0.30", "0.60", "0.15", "0.06", *_D65)),
    "Rec.2020": Gamut(("0.708", "0.292", "0.170", "0.797", "0.131", "0.046", *_D65)),
    "P3-D65": Gamut(("0.680", "0.320", "0.265", "0.690", "0.150", "0.060", *_D65)),
    # ARRI, "ALEXA Log C Curve - Usage in VFX"; ARRI, "LogC4 Specification" (2022).
    "ARRI Wide Gamut 3": Gamut(
        ("0.684", "0.313", "0.221", "0.848", "0.0861", "-0.102", *_D65), CAT02
    ),
    "ARRI Wide Gamut 4": Gamut(
        ("0.7347", "0.2653", "0.1424", "0.8576", "0.0991", "-0.0308", *_D65), CAT02
    ),
    # Sony, "Technical Summary for S-Gamut3.Cine/S-Log3 and S-Gamut3/S-Log3".
    "S-Gamut3": Gamut(("0.730", "0.280", "0.140", "0.855", "0.100", "-0.050", *_D65), CAT02),
    "S-Gamut3.Cine": Gamut(("0.766", "0.275", "0.225", "0.800", "0.089", "-0.087", *_D65), CAT02),
    # Canon, "Input Transform Version 202007 for EOS C300 Mark III".
    "CinemaGamut D55": Gamut(("0.74", "0.27", "0.17", "1.14", "0.08", "-0.1", *_D65), CAT02),
    # Panasonic, "V-Log/V-Gamut Reference Manual" (2014).
    "V-Gamut": Gamut(("0.730", "0.280", "0.165", "0.840", "0.100", "-0.030", *_D65)),
    # RED, "White Paper on REDWideGamutRGB and Log3G10" (915-0187).
    "REDWideGamutRGB": Gamut(
        ("0.780308", "0.304253", "0.121595", "1.493994", "0.095612", "-0.084589", *_D65)
    ),
    # Blackmagic Design, "DaVinci Resolve 17 - Wide Gamut Intermediate" (2021).
    "DaVinci WideGamut": Gamut(
        ("0.8", "0.313", "0.1682", "0.9877", "0.079", "-0.1155", *_D65), CAT02
    ),
}
"""Gamuts by name."""

# Sony's Input Transforms for Venice print a matrix to ACES2065-1, and no primaries.
TO_ACES_AS_PRINTED = {
    "Venice S-Gamut3": (
        ("0.7933297411", "0.0890786256", "0.1175916333"),
        ("0.0155810585", "1.0327123069", "-0.0482933654"),
        ("-0.0188647478", "0.0127694121", "1.0060953358"),
    ),
    "Venice S-Gamut3.Cine": (
        ("0.6742570921", "0.2205717359", "0.1051711720"),
        ("-0.0093136061", "1.1059588614", "-0.0966452553"),
        ("-0.0382090673", "-0.0179383766", "1.0561474439"),
    ),
}
"""Gamuts whose maker prints the matrix alone."""


def to_aces(gamut: str) -> Matrix:
    """Give the matrix from linear light in a gamut to ACES2065-1."""
    if gamut in TO_ACES_AS_PRINTED:
        return tuple(tuple(map(Fraction, row)) for row in TO_ACES_AS_PRINTED[gamut])
    return between(gamut, "AP0")


def between(source: str, target: str) -> Matrix:
    """Give the matrix from one gamut's linear light to another's, white to white."""
    here, there = GAMUTS[source], GAMUTS[target]
    cone = next((g.cone for g in (here, there) if g.cone is not BRADFORD), BRADFORD)
    adapted = multiply(_adapt(_white(here), _white(there), cone), _to_xyz(here))
    return multiply(invert(_to_xyz(there)), adapted)


def to_xyz_d65(gamut: str) -> Matrix:
    """Give the matrix from a gamut's linear light to CIE XYZ seen from D65, by Bradford."""
    here, d65 = GAMUTS[gamut], GAMUTS["Rec.709"]
    return multiply(_adapt(_white(here), _white(d65), BRADFORD), _to_xyz(here))


def luminance(gamut: str) -> tuple[Fraction, ...]:
    """Give what red, green and blue of a gamut weigh in luminance; they sum to 1."""
    return _to_xyz(GAMUTS[gamut])[1]


def multiply(left: Matrix, right: Matrix) -> Matrix:
    """Multiply two matrices."""
    columns = tuple(zip(*right, strict=True))
    return tuple(tuple(_dot(row, column) for column in columns) for row in left)


def invert(matrix: Matrix) -> Matrix:
    """Invert a matrix, by its cofactors."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    cofactors = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    determinant = a * cofactors[0][0] + b * cofactors[1][0] + c * cofactors[2][0]
    return tuple(tuple(value / determinant for value in row) for row in cofactors)


def _to_xyz(gamut: Gamut) -> Matrix:
    """From linear light to CIE XYZ, white at luminance 1."""
    columns = [_xyz(*gamut.xy[i : i + 2]) for i in (0, 2, 4)]
    primaries = tuple(zip(*columns, strict=True))
    gains = _apply(invert(primaries), _white(gamut))
    return tuple(
        tuple(value * gain for value, gain in zip(row, gains, strict=True)) for row in primaries
    )


def _adapt(white: Sequence[Fraction], target: Sequence[Fraction], cone: Cone) -> Matrix:
    values = tuple(map(Fraction, cone.response))
    response = (values[:3], values[3:6], values[6:])
    pairs = zip(_apply(response, white), _apply(response, target), strict=True)
    scaled = tuple(
        tuple(value * (after / before) for value in row)
        for row, (before, after) in zip(response, pairs, strict=True)
    )
    return multiply(invert(response), scaled)


def _white(gamut: Gamut) -> tuple[Fraction, ...]:
    return _xyz(*gamut.xy[6:])


def _xyz(x: str, y: str) -> tuple[Fraction, ...]:
    """CIE XYZ at luminance 1; a primary's own scale does not matter."""
    across, up = Fraction(x), Fraction(y)
    return across / up, Fraction(1), (1 - across - up) / up


def _apply(matrix: Matrix, vector: Sequence[Fraction]) -> tuple[Fraction, ...]:
    return tuple(_dot(row, vector) for row in matrix)


def _dot(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))
