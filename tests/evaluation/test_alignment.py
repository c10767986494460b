"""Exposure and camera response: what is taken out, and what is left in."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumivid_fx.evaluation import alignment
from lumivid_fx.evaluation.pu21 import pu21_psnr


def picture(seed: int = 0) -> np.ndarray:
    """Light of ten stops, in patches."""
    random = np.random.default_rng(seed)
    return (0.18 * 2 ** random.uniform(-5, 5, (12, 16, 3))).repeat(4, 0).repeat(4, 1)


@given(st.floats(0.01, 100))
def test_exposure_match_finds_the_factor(factor: float) -> None:
    """Whatever the result's exposure, it is brought back to the truth's."""
    truth = picture()
    found = alignment.exposure_match(truth / factor, truth, truth.clip(0, 1))
    assert found == pytest.approx(factor, rel=1e-9)


def test_exposure_match_passes_over_what_clipped() -> None:
    """Invented highlights do not pull on the exposure."""
    truth = picture()
    display = truth.clip(0, 1)
    result = np.where(display.max(axis=-1, keepdims=True) >= 0.9, truth * 50, truth)
    assert alignment.exposure_match(result, truth, display) == pytest.approx(1)
    assert alignment.exposure_match(result, truth, np.ones_like(truth)) == 1


@pytest.mark.parametrize(("gain", "gamma"), [(7, 1), (1, 0.8), (3, 1.2)])
def test_crf_correction_undoes_a_tone_curve(gain: float, gamma: float) -> None:
    """A response that one curve of luminance undoes leaves little behind."""
    grey = picture()[..., :1].repeat(3, axis=-1)
    result = gain * grey**gamma
    before = pu21_psnr(result, grey)
    after = pu21_psnr(alignment.crf_corrected(result, grey), grey)
    # A cubic of PQ codes comes within a fraction of a code of a power: 35 dB and more.
    assert before < 32
    assert after > 38


def test_crf_correction_leaves_the_truth() -> None:
    """There is nothing to correct: to rounding of the authors' matrices, in colour too."""
    truth = np.clip(picture(), 0.01, 50)
    assert pu21_psnr(alignment.crf_corrected(truth, truth), truth) > 90


def test_crf_correction_does_not_repair_place() -> None:
    """What is wrong in place stays wrong: another picture does not become the true one."""
    truth, other = picture(), picture(1)
    found = pu21_psnr(alignment.crf_corrected(other, truth), truth)
    assert math.isfinite(found)
    assert found < 12


def test_crf_correction_is_its_authors_own() -> None:
    """A coloured picture that went through a curve, a tint and noise comes out as from their code.

    Produced by `crf_correction.m` of github.com/gfxdisp/pu21 at 78340c0 in GNU Octave, with its
    defaults (degree 3, lambda 0.01, PQ, u'v'), on the same arrays in cd/m2.
    """
    random = np.random.default_rng(3)
    truth = 0.18 * 2 ** random.uniform(-5, 5, (20, 30, 3))
    seen = 1.7 * truth**0.85 * np.array([1.05, 1, 0.92]) * 2 ** random.normal(0, 0.1, truth.shape)
    corrected = alignment.crf_corrected(seen, truth)
    # Their PQ has constants of four decimals: 2e-6 of light, and 1e-6 dB.
    assert corrected[0, 0] == pytest.approx([0, 0.02892632, 1.19443955], rel=1e-5)
    assert corrected[0, 1] == pytest.approx([0.35665257, 0.00946054, 0.14186307], rel=1e-5)
    assert pu21_psnr(corrected, truth) == pytest.approx(22.200951, abs=1e-5)
