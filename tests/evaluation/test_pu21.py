"""PU21: published points, and PSNR and SSIM against values worked out elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from lumivid_fx.evaluation import pu21

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

NITS = st.floats(*pu21.NITS_RANGE)


def picture(seed: int = 0, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    """Light of ten stops without structure."""
    random = np.random.default_rng(seed)
    return 0.18 * 2 ** random.uniform(-5, 5, (*size, 3))


@pytest.mark.parametrize(("nits", "code"), GOLDEN.items())
def test_pu21_points(nits: float, code: float) -> None:
    """PU21 passes through the points of its authors' own code."""
    got = float(pu21.nits_to_pu21(np.array(nits)))
    assert got == pytest.approx(code, abs=5e-4)  # the points were written down to three decimals


@given(NITS)
def test_pu21_round_trip(nits: float) -> None:
    """Decoding gives back what was encoded."""
    back = pu21.pu21_to_nits(pu21.nits_to_pu21(np.array(nits)))
    # At 0.005 the curve starts 2e-9 below 0 and is held there, hence the absolute part.
    assert float(back) == pytest.approx(nits, rel=1e-9, abs=1e-6)


@given(NITS, st.floats(1.001, 2))
def test_pu21_increases(nits: float, ratio: float) -> None:
    """More light is a larger code, up to the end of the range."""
    low, high = pu21.nits_to_pu21(np.array([nits, nits * ratio]))
    assert high > low or nits * ratio > pu21.NITS_RANGE[1]


def test_pu21_clamps() -> None:
    """Light outside of the range is held at its ends, negatives included."""
    low, high = pu21.nits_to_pu21(np.array([-1.0, 1e9]))
    assert (low, high) == (
        pytest.approx(GOLDEN[0.005], abs=5e-4),
        pytest.approx(GOLDEN[10000], abs=5e-4),
    )


def test_psnr_of_known_step() -> None:
    """White against a tenth of it is 10 log10(256^2 / (256.384 - 123.647)^2)."""
    white = np.ones((4, 4, 3))
    expected = 20 * math.log10(256 / (GOLDEN[100] - GOLDEN[10]))
    # The points are good to 5e-4 of 132: 7e-5 dB.
    assert pu21.pu21_psnr(white / 10, white) == pytest.approx(expected, abs=1e-4)


def test_psnr_counts_only_where_asked() -> None:
    """A mask leaves pixels out; with no pixel left there is no number."""
    truth, result = picture(), picture()
    result[0] *= 8
    rest = np.ones(truth.shape[:2], bool)
    rest[0] = False
    assert pu21.pu21_psnr(result, truth) < 40
    assert pu21.pu21_psnr(result, truth, rest) == math.inf
    assert math.isnan(pu21.pu21_psnr(result, truth, np.zeros_like(rest)))


def test_ssim_is_that_of_scikit_image() -> None:
    """Another implementation, told the same window, comes to the same map inside the border."""
    truth = picture()
    blurred = (truth + np.roll(truth, 1, 0) + np.roll(truth, 1, 1)) / 3
    x, y = (pu21.light_to_pu21(pu21.luminance(p)) for p in (blurred, truth))
    _, found = structural_similarity(
        *(x, y),
        data_range=256,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    # It takes windows over the border too; those inside are the same to float64 rounding.
    expected = float(found[5:-5, 5:-5].mean())
    assert 0.2 < expected < 0.9
    assert pu21.pu21_ssim(blurred, truth) == pytest.approx(expected, abs=1e-9)


def test_ssim_sees_structure_and_not_equality_alone() -> None:
    """Equal pictures score 1; another picture of the same statistics scores far less."""
    truth = picture()
    assert pu21.pu21_ssim(truth, truth) == pytest.approx(1, abs=1e-12)  # float64 rounding
    assert pu21.pu21_ssim(truth * 1.05, truth) > 0.99
    assert abs(pu21.pu21_ssim(picture(1), truth)) < 0.2


def test_ssim_of_flat_pictures() -> None:
    """Without structure only the first of SSIM's two factors is left: luminance."""
    x, y = GOLDEN[100], GOLDEN[10]
    c1 = (0.01 * 256) ** 2
    expected = (2 * x * y + c1) / (x * x + y * y + c1)
    white = np.ones((16, 16, 3))
    # The points are good to 5e-4 of 123.
    assert pu21.pu21_ssim(white / 10, white) == pytest.approx(expected, abs=2e-5)
