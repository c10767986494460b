"""Noise as a function of seed, absolute frame and position, never of the window or the tile."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class NoiseSource(Protocol):
    """Where the sampler takes its noise from; a test may give its own."""

    def latent(self, frame: int, shape: tuple[int, int, int], *, stage: int, role: str) -> Tensor:
        """Noise for one latent frame.

        Args:
            frame: Absolute index of the last pixel frame that the latent covers.
            shape: Channels, height and width of the latent frame.
            stage: 0 or 1.
            role: ``"target"``, or ``"reference"`` where its strength is below 1.

        Returns:
            Unit normal noise ``c h w``, float32 on the CPU.
        """

    def tokens(self, count: int, channels: int, *, tile: int) -> Tensor:
        """Noise in one draw, as the reference code makes it for a window or one of its tiles.

        Args:
            count: Tokens, target and reference together.
            channels: Of a token.
            tile: Number of the tile, from 0.

        Returns:
            Unit normal noise ``1 n c``, float32 on the CPU.
        """


@dataclass(frozen=True)
class SeededNoise:
    """Unit normal noise from a hash of seed, stage, role and frame."""

    seed: int

    def latent(self, frame: int, shape: tuple[int, int, int], *, stage: int, role: str) -> Tensor:
        """See :class:`NoiseSource`."""
        key = f"{self.seed} {stage} {role} {frame}".encode()
        number = int.from_bytes(hashlib.sha256(key).digest()[:8], "little") >> 1
        return torch.randn(shape, generator=torch.Generator().manual_seed(number))

    def tokens(self, count: int, channels: int, *, tile: int) -> Tensor:
        """See :class:`NoiseSource`: a generator of seed plus tile, as the reference code's."""
        generator = torch.Generator().manual_seed(self.seed + tile)
        return torch.randn(1, count, channels, generator=generator)


def window_noise(
    source: NoiseSource,
    shape: tuple[int, int, int, int],
    *,
    first: int,
    ratio: int,
    stage: int,
    role: str = "target",
) -> Tensor:
    """Noise ``1 c f h w`` for a window whose first pixel frame is `first`."""
    channels, frames, height, width = shape
    drawn = [
        source.latent(first + ratio * index, (channels, height, width), stage=stage, role=role)
        for index in range(frames)
    ]
    return torch.stack(drawn, dim=1)[None]
