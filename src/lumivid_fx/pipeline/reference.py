"""From the plate's display codes to what the VAE takes: fitted, padded, and in [-1, 1].

Pad first, then halve: the second stage's picture is padded at full size and the first stage's is
exactly half of that, so both see the same content in the same place. (The reference code scales and
pads each stage by itself, which shifts odd sizes by up to 32 pixels.)
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def fit_size(height: int, width: int, longest: int | None) -> tuple[int, int]:
    """Size at which the model sees a plate: its longest side at most `longest`, never enlarged."""
    if longest is None or max(height, width) <= longest:
        return height, width
    scale = longest / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def shrink(pictures: Tensor, height: int, width: int) -> Tensor:
    """Reduce ``f c h w`` with an antialiased triangle filter; its own size leaves it untouched."""
    if pictures.shape[-2:] == (height, width):
        return pictures
    return F.interpolate(
        pictures, size=(height, width), mode="bilinear", antialias=True, align_corners=False
    )


def reflect_pad(pictures: Tensor, multiple: int) -> Tensor:
    """Pad ``f c h w`` below and at the right to a multiple, reflecting as often as needed."""
    for axis in (-2, -1):
        size = pictures.shape[axis]
        padded = -(-size // multiple) * multiple
        if padded != size:
            index = reflect_index(size, padded).to(pictures.device)
            pictures = pictures.index_select(axis, index)
    return pictures


def reflect_index(size: int, padded: int) -> Tensor:
    """Source index of each sample of a reflected axis: ``0 1 2 1 0 1 ...``; one sample repeats."""
    if size == 1:
        return torch.zeros(padded, dtype=torch.long)
    period = 2 * (size - 1)
    index = torch.arange(padded) % period
    return torch.where(index < size, index, period - index)


def to_vae_range(codes: Tensor) -> Tensor:
    """Codes ``f c h w`` in [0, 1] to the VAE's ``1 c f h w`` in [-1, 1].

    Raises:
        ValueError: A code outside [0, 1]; clamp and count before, nothing is clamped here.
    """
    if float(codes.min()) < 0 or float(codes.max()) > 1:
        raise ValueError(f"codes must lie in [0, 1], got [{codes.min():.4f}, {codes.max():.4f}]")
    return (codes.transpose(0, 1)[None] * 2).sub_(1)


def from_vae_range(pixels: Tensor) -> Tensor:
    """The VAE's ``1 c f h w`` in [-1, 1] to codes ``f c h w``, not clamped."""
    return (pixels[0].transpose(0, 1) + 1).div_(2)


def halve(pixels: Tensor) -> Tensor:
    """Exactly half size: the mean of each 2 by 2 block of ``1 c f h w``."""
    return F.avg_pool3d(pixels, (1, 2, 2))
