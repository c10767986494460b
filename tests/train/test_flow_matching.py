"""Noise levels, the mix, and the loss."""

from __future__ import annotations

import pytest
import torch

from lumivid_fx.train.flow_matching import (
    LEAST_SIGMA,
    noisy,
    sample_sigmas,
    shifted_logit_normal,
    token_shift,
    velocity_loss,
)


def test_sigmas_lie_in_the_open_unit_interval_and_lean_to_noise() -> None:
    """All in (0, 1], highest first; half of them above 0.97, where a render's longest step is."""
    sigmas = sample_sigmas(10_000, torch.Generator().manual_seed(0))
    assert float(sigmas.min()) > 0
    assert float(sigmas.max()) <= 1
    assert bool((sigmas.diff() <= 0).all())
    normal = torch.randn(10_000, generator=torch.Generator().manual_seed(1))
    beside = float((torch.sigmoid(normal + 1.5) > 0.97).float().mean())
    share = float((sigmas > 0.97).float().mean())
    assert share == pytest.approx(0.5 + 0.5 * beside, abs=0.02)  # four standard errors


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


def test_shift_grows_with_tokens_as_published() -> None:
    """0.95 at 1,024 tokens, 2.05 at 4,096, a straight line through both."""
    assert token_shift(1024) == pytest.approx(0.95)
    assert token_shift(4096) == pytest.approx(2.05)
    assert token_shift(2560) == pytest.approx(1.5)


@pytest.mark.parametrize("tokens", [40, 1024, 6120])
def test_shifted_levels_fill_the_unit_interval(tokens: int) -> None:
    """Quantiles are those of a logit-normal stretched to [0, 1], with a tenth drawn evenly."""
    drawn = shifted_logit_normal(40_000, tokens, torch.Generator().manual_seed(0))
    assert float(drawn.min()) >= LEAST_SIGMA
    assert float(drawn.max()) <= 1
    ends = torch.sigmoid(torch.tensor([-2.5758, 3.0902]) + token_shift(tokens))
    normal = torch.randn(40_000, generator=torch.Generator().manual_seed(1))
    stretched = (torch.sigmoid(normal + token_shift(tokens)) - ends[0]) / (ends[1] - ends[0])
    even = torch.rand(40_000, generator=torch.Generator().manual_seed(2))
    for level in (0.1, 0.5, 0.9, 0.99):
        share = 0.9 * float((stretched < level).float().mean()) + 0.1 * float(
            (even < level).float().mean()
        )
        found = float((drawn < level).float().mean())
        assert found == pytest.approx(share, abs=0.01)  # four standard errors of 40,000 draws
