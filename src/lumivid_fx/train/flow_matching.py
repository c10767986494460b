"""Flow matching with a velocity target, as LTX-2 is trained.

``x_sigma = (1 - sigma) x0 + sigma noise``; the network predicts ``noise - x0``.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor


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
    error = (predicted - (noise - clean)).square().mean(dim=2, keepdim=True)
    return (error * weight).sum() / weight.sum()
