"""Metrics: published and measured points, and what each of them must not see."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumivid_fx.evaluation import metrics

GOLDEN = {
    0.005: 0.000,
    0.1: 5.717,
    1: 36.544,
    10: 123.647,
    100: 256.384,
    203: 303.800,
    1000: 420.097,
    1500: 451.303,
    4000: 527.494,
    10000: 595.394,
}
"""From `pu21_encoder.m` of github.com/gfxdisp/pu21 at 78340c0, type banding_glare."""

NITS = st.floats(*metrics.NITS_RANGE)


def picture(seed: int = 0, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    """Light of ten stops without structure."""
    random = np.random.default_rng(seed)
    return 0.18 * 2 ** random.uniform(-5, 5, (*size, 3))


@pytest.mark.parametrize(("nits", "code"), GOLDEN.items())
def test_pu21_points(nits: float, code: float) -> None:
    """PU21 passes through the points of its authors' own code."""
    got = float(metrics.nits_to_pu21(np.array(nits)))
    assert got == pytest.approx(code, abs=5e-4)  # the points were written down to three decimals


@given(NITS)
def test_pu21_round_trip(nits: float) -> None:
    """Decoding gives back what was encoded."""
    back = metrics.pu21_to_nits(metrics.nits_to_pu21(np.array(nits)))
    # At 0.005 the curve starts 2e-9 below 0 and is held there, hence the absolute part.
    assert float(back) == pytest.approx(nits, rel=1e-9, abs=1e-6)


@given(NITS, st.floats(1.001, 2))
def test_pu21_increases(nits: float, ratio: float) -> None:
    """More light is a larger code, up to the end of the range."""
    low, high = metrics.nits_to_pu21(np.array([nits, nits * ratio]))
    assert high > low or nits * ratio > metrics.NITS_RANGE[1]


def test_pu21_clamps() -> None:
    """Light outside of the range is held at its ends, negatives included."""
    low, high = metrics.nits_to_pu21(np.array([-1.0, 1e9]))
    assert (low, high) == (
        pytest.approx(GOLDEN[0.005], abs=5e-4),
        pytest.approx(GOLDEN[10000], abs=5e-4),
    )


def test_psnr_of_known_step() -> None:
    """White against a tenth of it is 10 log10(256^2 / (256.384 - 123.647)^2)."""
    white = np.ones((4, 4, 3))
    expected = 20 * math.log10(256 / (GOLDEN[100] - GOLDEN[10]))
    # The points are good to 5e-4 of 132: 7e-5 dB.
    assert metrics.pu21_psnr(white / 10, white) == pytest.approx(expected, abs=1e-4)


def test_psnr_counts_only_where_asked() -> None:
    """A mask leaves pixels out; with no pixel left there is no number."""
    truth, result = picture(), picture()
    result[0] *= 8
    rest = np.ones(truth.shape[:2], bool)
    rest[0] = False
    assert metrics.pu21_psnr(result, truth) < 40
    assert metrics.pu21_psnr(result, truth, rest) == math.inf
    assert math.isnan(metrics.pu21_psnr(result, truth, np.zeros_like(rest)))


def test_ssim_sees_structure_and_not_equality_alone() -> None:
    """Equal pictures score 1; another picture of the same statistics scores far less."""
    truth = picture()
    assert metrics.pu21_ssim(truth, truth) == pytest.approx(1, abs=1e-12)  # float64 rounding
    assert metrics.pu21_ssim(truth * 1.05, truth) > 0.99
    assert abs(metrics.pu21_ssim(picture(1), truth)) < 0.2


def test_ssim_of_flat_pictures() -> None:
    """Without structure only the first of SSIM's two factors is left: luminance."""
    x, y = GOLDEN[100], GOLDEN[10]
    c1 = (0.01 * 256) ** 2
    expected = (2 * x * y + c1) / (x * x + y * y + c1)
    white = np.ones((16, 16, 3))
    # The points are good to 5e-4 of 123.
    assert metrics.pu21_ssim(white / 10, white) == pytest.approx(expected, abs=2e-5)


@given(st.floats(0.01, 100))
def test_exposure_match_finds_the_factor(factor: float) -> None:
    """Whatever the result's exposure, it is brought back to the truth's."""
    truth = picture()
    found = metrics.exposure_match(truth / factor, truth, truth.clip(0, 1))
    assert found == pytest.approx(factor, rel=1e-9)


def test_exposure_match_passes_over_what_clipped() -> None:
    """Invented highlights do not pull on the exposure."""
    truth = picture()
    display = truth.clip(0, 1)
    result = np.where(display.max(axis=-1, keepdims=True) >= 0.9, truth * 50, truth)
    assert metrics.exposure_match(result, truth, display) == pytest.approx(1)
    assert metrics.exposure_match(result, truth, np.ones_like(truth)) == 1


def test_errors_are_stops_of_their_own_pixels() -> None:
    """Highlights two stops short and shadows one stop over say so, each apart from the other."""
    display = np.full((10, 10, 3), 0.5)
    display[0], display[-1] = 250 / 255, 13 / 255
    truth = np.full((10, 10, 3), 0.5)
    truth[0], truth[-1] = 8.0, 0.01
    result = truth.copy()
    result[0] /= 4
    result[-1] *= 2
    assert metrics.highlight_error(result, truth, display) == pytest.approx(2)
    assert metrics.shadow_error(result, truth, display) == pytest.approx(1)
    assert metrics.highlight_error(truth, truth, display) == 0


def test_errors_without_such_pixels() -> None:
    """A picture without highlights or shadows has no error there, not a perfect one."""
    grey = np.full((4, 4, 3), 0.5)
    assert math.isnan(metrics.highlight_error(grey, grey, grey))
    assert math.isnan(metrics.shadow_error(grey, grey, grey))


def test_black_is_measured_from_the_floor() -> None:
    """A crushed result is as far from 0.01 as PU21's darkest light is, not infinitely far."""
    truth, black = np.full((4, 4, 3), 0.01), np.zeros((4, 4, 3))
    floor = metrics.NITS_RANGE[0] / metrics.WHITE_NITS
    expected = math.log2(0.01 / floor)
    assert metrics.shadow_error(black, truth, black) == pytest.approx(expected)


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


def test_flicker_of_known_swing() -> None:
    """Frames of mean 1 that swing by 0.1 flicker by 0.1, at any exposure; a still shot by 0."""
    frames = [np.full((4, 4, 3), level) for level in (0.9, 1.1, 0.9, 1.1)]
    assert metrics.flicker(frames) == pytest.approx(0.1)
    assert metrics.flicker([8 * f for f in frames]) == pytest.approx(0.1)
    assert metrics.flicker(frames[:1] * 4) == 0
