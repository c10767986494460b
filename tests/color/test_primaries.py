"""Matrices between gamuts against those that standards and makers print."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from lumivid_fx.color.primaries import (
    GAMUTS,
    TO_ACES_AS_PRINTED,
    Matrix,
    between,
    invert,
    luminance,
    multiply,
    to_aces,
    to_xyz_d65,
)


def floats(matrix: Matrix) -> npt.NDArray[np.float64]:
    """A matrix as numbers of the usual kind."""
    return np.array([[float(value) for value in row] for row in matrix])


PRINTED = {
    # AMPAS S-2014-004, annex A: AP1 to AP0.
    "AP1": [
        [0.6954522414, 0.1406786965, 0.1638690622],
        [0.0447945634, 0.8596711185, 0.0955343182],
        [-0.0055258826, 0.0040252103, 1.0015006723],
    ],
    # ARRI's Input Transform for Alexa, EI 800.
    "ARRI Wide Gamut 3": [
        [0.680206, 0.236137, 0.083658],
        [0.085415, 1.017471, -0.102886],
        [0.002057, -0.062563, 1.060506],
    ],
    # Sony's Input Transform for S-Gamut3.
    "S-Gamut3": [
        [0.7529825954, 0.1433702162, 0.1036471884],
        [0.0217076974, 1.0153188355, -0.0370265330],
        [-0.0094160527, 0.0033704179, 1.0060456349],
    ],
}
APART = {"AP1": 6e-11, "ARRI Wide Gamut 3": 6e-7, "S-Gamut3": 6e-11}
"""Half the last printed digit."""


@pytest.mark.parametrize("gamut", PRINTED)
def test_matrices_to_aces_are_the_printed_ones(gamut: str) -> None:
    """What makers publish comes out of their primaries."""
    np.testing.assert_allclose(floats(to_aces(gamut)), PRINTED[gamut], rtol=0, atol=APART[gamut])


def test_rec709_to_xyz() -> None:
    """IEC 61966-2-1 prints four digits; BT.709's luminance has as many."""
    expected = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    np.testing.assert_allclose(floats(to_xyz_d65("Rec.709")), expected, atol=6e-5)
    weights = [float(weight) for weight in luminance("Rec.709")]
    np.testing.assert_allclose(weights, [0.2126, 0.7152, 0.0722], atol=6e-5)


@pytest.mark.parametrize("gamut", [*GAMUTS, *TO_ACES_AS_PRINTED])
def test_white_stays_white(gamut: str) -> None:
    """Greys are greys in every gamut: exactly, or as exactly as the maker printed."""
    sums = [sum(row, Fraction(0)) for row in to_aces(gamut)]
    if gamut in GAMUTS:
        assert sums == [1, 1, 1]
    assert all(abs(total - 1) <= Fraction("2e-10") for total in sums)


@pytest.mark.parametrize("gamut", GAMUTS)
def test_there_and_back_is_exact(gamut: str) -> None:
    """Fractions lose nothing."""
    identity = tuple(tuple(Fraction(row == column) for column in range(3)) for row in range(3))
    assert multiply(between("AP0", gamut), between(gamut, "AP0")) == identity
    assert multiply(invert(to_xyz_d65(gamut)), to_xyz_d65(gamut)) == identity
