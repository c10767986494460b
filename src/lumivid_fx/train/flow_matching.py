"""Flow matching with a velocity target, as LTX-2 is trained.

``x_sigma = (1 - sigma) x0 + sigma noise``; the network predicts ``noise - x0``.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

FEW_TOKENS, MANY_TOKENS = 1024, 4096
LEAST_SHIFT, MOST_SHIFT = 0.95, 2.05
"""The logit-normal's mean, linear in the number of target tokens, as LTX's trainer has it."""

LOW_NORMAL, HIGH_NORMAL = -2.5758293, 3.0902323
"""Where 0.5 and 99.9 percent of a unit normal lie: the draw is stretched so that they become 0
and 1."""

UNIFORM_SHARE = 0.1
"""Of the levels, drawn evenly, so that none is ever forgotten."""

LEAST_SIGMA = 1e-3
"""The smallest level drawn: at 0 there is nothing to learn."""


def token_shift(tokens: int) -> float:
    """Mean of the logit-normal for a number of target tokens: larger pictures get more noise."""
    slope = (MOST_SHIFT - LEAST_SHIFT) / (MANY_TOKENS - FEW_TOKENS)
    return LEAST_SHIFT + slope * (tokens - FEW_TOKENS)


def shifted_logit_normal(count: int, tokens: int, generator: Generator) -> Tensor:
    """Draw noise levels as LTX-2 is trained with.

    Args:
        count: How many.
        tokens: Tokens of the target.
        generator: Source of chance; the levels lie on its device.

    Returns:
        Levels ``count`` in [:data:`LEAST_SIGMA`, 1].
    """
    device = generator.device
    shift = token_shift(tokens)
    low, high = (1 / (1 + math.exp(-(shift + normal))) for normal in (LOW_NORMAL, HIGH_NORMAL))
    drawn = torch.sigmoid(torch.randn(count, generator=generator, device=device) + shift)
    stretched = (drawn - low) / (high - low)
    even = torch.rand(count, generator=generator, device=device)
    pick = torch.rand(count, generator=generator, device=device) < UNIFORM_SHARE
    return torch.where(pick, even, stretched).clamp(LEAST_SIGMA, 1)


def sample_sigmas(count: int, generator: Generator, shift: float = 1.5) -> Tensor:
    """Draw noise levels ``count`` in (0, 1], highest first: shifted logit-normal, half near 1.

    A render takes few steps, the longest of them from pure noise, so that end is trained most.
    """
    device = generator.device
    logit = torch.sigmoid(torch.randn(count, generator=generator, device=device) + shift)
    top = 1 - 0.03 * torch.rand(count, generator=generator, device=device) ** 2
    pick = torch.rand(count, generator=generator, device=device) < 0.5
    return torch.where(pick, top, logit).sort(descending=True).values


def noisy(clean: Tensor, noise: Tensor, sigmas: Tensor) -> Tensor:
    """Mix clean tokens ``b n c`` with noise at level ``b``."""
    level = sigmas[:, None, None]
    return (1 - level) * clean + level * noise


def velocity_loss(predicted: Tensor, clean: Tensor, noise: Tensor, weight: Tensor) -> Tensor:
    """Mean squared velocity error ``b n c``, weighted by token ``b n 1`` and normalised."""
    error = (predicted.float() - (noise - clean).float()).square().mean(dim=2, keepdim=True)
    return (error * weight).sum() / weight.sum()
