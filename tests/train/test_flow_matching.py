"""Noise levels, the mix, and the loss."""

from __future__ import annotations

import pytest
import torch

from lumivid_fx.train.flow_matching import noisy, sample_sigmas, velocity_loss


def test_sigmas_lie_in_the_open_unit_interval_and_lean_to_noise() -> None:
    """All in (0, 1], four in ten above 0.97, where the distilled schedule works most."""
    sigmas = sample_sigmas(10_000, torch.Generator().manual_seed(0))
    assert float(sigmas.min()) > 0
    assert float(sigmas.max()) <= 1
    assert float((sigmas > 0.969).float().mean()) > 0.4


def test_mix_runs_from_clean_to_noise() -> None:
    """Sigma 0 is the clean token, 1 the noise."""
    clean, noise = torch.randn(2, 4, 3), torch.randn(2, 4, 3)
    mixed = noisy(clean, noise, torch.tensor([0.0, 1.0]))
    assert torch.equal(mixed[0], clean[0])
    assert torch.equal(mixed[1], noise[1])


def test_true_velocity_has_no_loss_and_weights_choose_tokens() -> None:
    """The loss is 0 for noise minus clean, and counts only tokens that weigh."""
    clean, noise = torch.randn(1, 4, 3), torch.randn(1, 4, 3)
    weight = torch.tensor([[[1.0], [1.0], [0.0], [0.0]]])
    wrong = noise - clean
    wrong[:, 2:] += 5
    assert float(velocity_loss(wrong, clean, noise, weight)) == 0
    assert float(velocity_loss(wrong, clean, noise, 1 - weight)) == pytest.approx(25, rel=1e-5)
