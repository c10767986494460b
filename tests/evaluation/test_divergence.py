"""KL by histogram and by normal distributions, against forms that are known."""

from __future__ import annotations

import numpy as np
import pytest

from lumivid_fx.evaluation.divergence import divergence, gaussian_divergence, histogram


def test_divergence_of_halves() -> None:
    """Codes over half the range against codes over all of it: log 2, and more the other way."""
    half, whole = (histogram(np.linspace(0, top, 100_000)) for top in (0.5, 1))
    # The floor of the 128 empty bins takes 128e-6 * log(1 / 256e-6) of it, 1.1e-3.
    assert divergence(half, whole) == pytest.approx(np.log(2), abs=2e-3)
    assert divergence(whole, half) > 3
    assert divergence(half, half) == 0


def test_histogram_counts_what_lies_outside_at_its_ends() -> None:
    """Overflow, as HLG has it, is seen and not dropped."""
    shares = histogram(np.array([-5.0, 0.5, 9.0, 9.0]))
    assert (shares[0], shares[-1], shares.sum()) == (0.25, 0.5, 1)


def test_gaussian_divergence_of_known_normals() -> None:
    """Between N(1, 4) and N(0, 1) it is (4 + 1 - 1 - log 4) / 2."""
    samples = np.random.default_rng(0).normal(size=(200_000, 1))
    samples = (samples - samples.mean()) / samples.std()
    found = gaussian_divergence(1 + 2 * samples, samples)
    assert found == pytest.approx((4 - np.log(4)) / 2, rel=1e-9)
