"""Large latents in overlapping tiles, joined by linear fades so that no seam is left.

One plan of tiles serves both ways of use: the VAE decodes tile by tile, and the transformer
predicts tile by tile at every step, so that neighbours agree before the next step begins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from lumivid_fx.errors import InputError

MARGIN = 2
"""Latents at a tile's inner edge without weight: there the network saw padding, not picture."""


@dataclass(frozen=True)
class Span:
    """One tile along one axis, in latents: `start` to `stop`, and what it shares on either side."""

    start: int
    stop: int
    shared_before: int
    shared_after: int

    def weights(self, scale: int = 1) -> Tensor:
        """Weight of each sample of the tile, `scale` samples a latent."""
        size = (self.stop - self.start) * scale
        weight = torch.ones(size)
        margin = MARGIN * scale
        for shared, flip in ((self.shared_before, False), (self.shared_after, True)):
            if shared:
                fade = shared * scale - 2 * margin
                ramp = ((torch.arange(size) + 0.5 - margin) / fade).clamp(0, 1)
                weight = weight * (ramp.flip(0) if flip else ramp)
        return weight


@dataclass(frozen=True)
class Tile:
    """One tile of a latent picture."""

    rows: Span
    columns: Span

    def crop(self, latents: Tensor) -> Tensor:
        """Cut the tile out of ``... h w``."""
        rows, columns = self.rows, self.columns
        return latents[..., rows.start : rows.stop, columns.start : columns.stop]


def cut_axis(size: int, tile: int, overlap: int) -> list[Span]:
    """Cut an axis into tiles that overlap by at least `overlap`, evenly spread.

    Raises:
        InputError: The overlap leaves no room for a fade, or none for progress.
    """
    if size <= tile:
        return [Span(0, size, 0, 0)]
    if not 2 * MARGIN < overlap < tile:
        raise InputError(
            f"tiles of {tile} latents cannot overlap by {overlap}; an overlap lies between "
            f"{2 * MARGIN + 1} and {tile - 1}, so choose tiles of at least {overlap + 1}"
        )
    count = -(-(size - overlap) // (tile - overlap))
    starts = [round(i * (size - tile) / (count - 1)) for i in range(count)]
    shared = [0, *(a + tile - b for a, b in pairwise(starts)), 0]
    return [Span(s, s + tile, shared[i], shared[i + 1]) for i, s in enumerate(starts)]


def cut_tiles(height: int, width: int, tile: int | None, overlap: int = 8) -> list[Tile]:
    """Cut a latent picture into tiles of `tile` latents an edge; None is one tile."""
    rows = cut_axis(height, tile or height, overlap)
    columns = cut_axis(width, tile or width, overlap)
    return [Tile(r, c) for r in rows for c in columns]


def over_tiles(
    run: Callable[[Tile], Tensor], tiles: list[Tile], height: int, width: int, scale: int = 1
) -> Tensor:
    """Run a function on every tile and join what it returns.

    Args:
        run: From a tile to its result ``... h w``, `scale` samples a latent.
        tiles: From :func:`cut_tiles`.
        height: Rows of the whole, in latents.
        width: Columns of the whole, in latents.
        scale: Samples a latent along an edge.

    Returns:
        The whole, ``... h w``.
    """
    part = run(tiles[0])
    if len(tiles) == 1:
        return part
    whole = part.new_zeros(*part.shape[:-2], height * scale, width * scale)
    total = part.new_zeros(height * scale, width * scale)
    for index, tile in enumerate(tiles):
        if index:
            part = run(tile)
        weight = (tile.rows.weights(scale)[:, None] * tile.columns.weights(scale)).to(part)
        rows = slice(tile.rows.start * scale, tile.rows.stop * scale)
        columns = slice(tile.columns.start * scale, tile.columns.stop * scale)
        whole[..., rows, columns] += part * weight
        total[rows, columns] += weight
    return whole.div_(total)
