"""Metrics of one picture: stops, colour, range and peak, and what each of them must not see."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lumivid_fx.color.transfer import linear_to_pq
from lumivid_fx.evaluation import metrics
from lumivid_fx.evaluation.pu21 import NITS_RANGE, WHITE_NITS


def picture(seed: int = 0, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    """Light of ten stops without structure."""
    random = np.random.default_rng(seed)
    return 0.18 * 2 ** random.uniform(-5, 5, (*size, 3))


def everywhere(light: np.ndarray) -> np.ndarray:
    """A mask of all pixels."""
    return np.ones(light.shape[:-1], bool)


def test_errors_are_stops_of_their_own_pixels() -> None:
    """Highlights two stops short and shadows one stop over say so, each apart from the other."""
    display = np.full((10, 10, 3), 0.5)
    display[0], display[-1] = 250 / 255, 13 / 255
    truth = np.full((10, 10, 3), 0.5)
    truth[0], truth[-1] = 8.0, 0.01
    result = truth.copy()
    result[0] /= 4
    result[-1] *= 2
    bright, dark = metrics.highlights(display), metrics.shadows(display)
    assert metrics.stops_apart(result, truth, bright) == pytest.approx((2, -2))
    assert metrics.stops_apart(result, truth, dark) == pytest.approx((1, 1))
    assert metrics.stops_apart(truth, truth, bright) == (0, 0)


def test_bias_cancels_where_error_does_not() -> None:
    """Half a stop over here and half a stop under there is an error, and no bias."""
    truth = np.full((2, 2, 3), 4.0)
    result = truth * np.array([2**0.5, 2**-0.5])[:, None, None]
    error, bias = metrics.stops_apart(result, truth, everywhere(truth))
    assert error == pytest.approx(0.5)
    assert bias == pytest.approx(0, abs=1e-12)


def test_errors_without_such_pixels() -> None:
    """A picture without highlights or shadows has no error there, not a perfect one."""
    grey = np.full((4, 4, 3), 0.5)
    for mask in (metrics.highlights(grey), metrics.shadows(grey)):
        assert not mask.any()
        assert all(math.isnan(x) for x in metrics.stops_apart(grey, grey, mask))
        assert all(math.isnan(x) for x in metrics.colour_shift(grey, grey, mask))


def test_black_is_measured_from_the_floor() -> None:
    """A crushed result is as far from 0.01 as PU21's darkest light is, not infinitely far."""
    truth, black = np.full((4, 4, 3), 0.01), np.zeros((4, 4, 3))
    floor = NITS_RANGE[0] / WHITE_NITS
    expected = math.log2(0.01 / floor)
    assert metrics.stops_apart(black, truth, everywhere(truth))[0] == pytest.approx(expected)


def test_chroma_is_that_of_bt2100() -> None:
    """Rec.709 red at 100 cd/m2, worked out from the integers of BT.2100 and BT.2087's matrix."""
    red_2020 = np.array([0.6274039, 0.0690973, 0.0163914])
    to_lms = np.array([[1688, 2146, 262], [683, 2951, 462], [99, 309, 3688]]) / 4096
    codes = linear_to_pq(torch.from_numpy(to_lms @ red_2020)).numpy()
    ct = (6610 * codes[0] - 13613 * codes[1] + 7003 * codes[2]) / 4096
    cp = (17933 * codes[0] - 17390 * codes[1] - 543 * codes[2]) / 4096
    red, grey = (np.array([[c]], np.float64) for c in ([1.0, 0, 0], [0.212656] * 3))
    _, distance = metrics.colour_shift(grey, red, everywhere(red))
    # 1e-4: the matrix is printed to seven digits.
    assert distance == pytest.approx(720 * math.hypot(ct / 2, cp), rel=1e-4)


def test_colour_shift_ignores_brightness() -> None:
    """A result of the same colours at another brightness has no shift; an exchanged channel has."""
    truth = picture()
    hue, distance = metrics.colour_shift(truth * 0.25, truth, everywhere(truth))
    assert hue == pytest.approx(0, abs=1e-4)  # the arc of a rounding error
    assert distance == pytest.approx(0, abs=1e-8)
    hue, distance = metrics.colour_shift(truth[..., ::-1], truth, everywhere(truth))
    assert hue > 60
    assert distance > 20


def test_colour_on_a_grey_has_no_hue_but_distance() -> None:
    """The hue of a white lamp says nothing; a coloured one in its place shows as distance."""
    white = np.full((4, 4, 3), 20.0)
    hue, distance = metrics.colour_shift(white * np.array([1, 0.6, 0.6]), white, everywhere(white))
    assert math.isnan(hue) or hue >= 0  # of rounding errors of grey
    assert distance > 5


@given(st.floats(0.1, 10))
def test_dynamic_range_ignores_exposure(exposure: float) -> None:
    """A ramp of ten stops has ten stops, less its two tails, at any exposure."""
    ramp = exposure * 2 ** np.linspace(-5, 5, 10_001)
    light = np.repeat(ramp[None, :, None], 3, axis=2)
    assert metrics.dynamic_range(light) == pytest.approx(10 * 0.998, abs=1e-6)


def test_dynamic_range_of_black_is_no_number() -> None:
    """Black pixels are passed over, and where all are black nothing is left."""
    light = picture()
    half_black = np.concatenate([light, np.zeros_like(light)])
    assert metrics.dynamic_range(half_black) == metrics.dynamic_range(light)
    assert math.isnan(metrics.dynamic_range(np.zeros((4, 4, 3))))


def test_peak_passes_over_a_stray_pixel() -> None:
    """One hot pixel in forty thousand is no peak; a lamp of a thousandth of the picture is."""
    light = np.full((200, 200, 3), 0.5)
    light[0, 0] = 90
    assert metrics.peak_nits(light) == pytest.approx(50)
    light[0, :40] = 40
    assert metrics.peak_nits(light) == pytest.approx(4000)
