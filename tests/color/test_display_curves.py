"""The plain display curves: published points, round trips, order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumivid_fx.color.display_curves import DISPLAY_CURVES, DisplayCurve, Pixels

PLAIN = {name: curve for name, curve in DISPLAY_CURVES.items() if name != "hable"}
every_curve = pytest.mark.parametrize("curve", DISPLAY_CURVES.values(), ids=DISPLAY_CURVES)
plain_curve = pytest.mark.parametrize("curve", PLAIN.values(), ids=PLAIN)
codes = st.floats(-0.5, 1.5, width=32)


def array(*numbers: float) -> Pixels:
    """Put numbers in a float32 array."""
    return np.array(numbers, dtype=np.float32)


@pytest.mark.parametrize(
    ("name", "code", "linear"),
    [
        ("srgb", 0.5, 0.2140411),  # IEC 61966-2-1
        ("srgb", 0.04045, 0.0031308),  # its two pieces meet here
        ("srgb", 0.4613561, 0.18),
        ("rec709", 0.5, 0.5**2.4),  # BT.1886, black at 0
        ("gamma22", 0.5, 0.5**2.2),
        ("hable", 0.3934711, 0.18),  # the 2010 slides' constants, worked out in double precision
        ("hable", 1.0, 5.6),
    ],
)
def test_points(name: str, code: float, linear: float) -> None:
    """Each curve goes through the points of its standard, both ways."""
    # 1e-5: the 7 digits written here, and what sRGB's constants leave where its pieces meet.
    assert DISPLAY_CURVES[name].to_linear(array(code))[0] == pytest.approx(linear, rel=1e-5)
    assert DISPLAY_CURVES[name].to_code(array(linear))[0] == pytest.approx(code, rel=1e-5)


@plain_curve
def test_black_and_white_stay(curve: DisplayCurve) -> None:
    """Code 0 is no light and code 1 is white, exactly."""
    ends = array(0, 1)
    np.testing.assert_array_equal(curve.to_linear(ends), ends)
    np.testing.assert_allclose(curve.to_code(ends), ends, rtol=1.2e-7)  # one ulp: 1.055 - 0.055


@plain_curve
@given(code=codes)
def test_round_trip(curve: DisplayCurve, code: float) -> None:
    """Codes come back, below 0 and above 1 too."""
    back = curve.to_code(curve.to_linear(array(code)))[0]
    # 1e-6: float32 rounding through a power; 4e-8: sRGB's pieces do not quite meet.
    # A power of 2.4 underflows float32 below 1e-15, far under any code.
    assert back == pytest.approx(code, rel=1e-6, abs=4e-8)


@plain_curve
@given(lower=codes, step=st.floats(1e-6, 0.5))
def test_increasing(curve: DisplayCurve, lower: float, step: float) -> None:
    """A higher code is never less light, and more by whole steps of 8 bits."""
    first, second, third = curve.to_linear(array(lower, lower + step, lower + step + 1 / 255))
    assert first <= second < third


@every_curve
def test_result_is_new_float32(curve: DisplayCurve) -> None:
    """The array that came in is left alone; shape and dtype stay."""
    codes_in = np.full((2, 5, 3), 0.25, np.float32)
    codes_in.flags.writeable = False
    for function in curve:
        result = function(codes_in)
        assert result.shape == codes_in.shape
        assert result.dtype == np.float32
        assert not np.shares_memory(result, codes_in)


@given(code=st.floats(-1, 1, width=32))
def test_the_filmic_curve_comes_back(code: float) -> None:
    """Both ways between black and white, mirrored about black."""
    curve = DISPLAY_CURVES["hable"]
    back = curve.to_code(curve.to_linear(array(code)))[0]
    # Its toe is steep: float32 light of 1e-7 of white is 1e-6 of a code.
    assert back == pytest.approx(code, rel=2e-6, abs=2e-6)


def test_the_filmic_curve_ends_at_its_white() -> None:
    """Codes above 1, which no light makes, are white's; light above white shows as white."""
    curve = DISPLAY_CURVES["hable"]
    np.testing.assert_array_equal(
        curve.to_linear(array(1, 1.09, 7)), curve.to_linear(array(1, 1, 1))
    )
    np.testing.assert_array_equal(curve.to_code(array(5.7, 60_000)), curve.to_code(array(5.6, 5.6)))
    light = curve.to_linear(np.linspace(0, 1, 256, dtype=np.float32))
    assert (np.diff(light) > 0).all()
