"""The reference code's own tiles, for those who want its very numbers.

They are not the default. Its decoder's tiles are four latents long and overlap by two, so that a
frame's sharpness depends on where in a tile it lies; its second stage begins the second tile in
time as if it were a clip's start; and each tile has noise of its own, by its number.

What is known of them: tiles of one size at a step of size minus overlap; weights that rise and fall
linearly across an overlap (a trapezoid), summed and divided by their sum; a tile in time after the
first begins one latent earlier, whose frame has no weight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.pipeline.vae import denormalised, normalised

DECODE_PX, DECODE_FRAMES = (1280, 256), (32, 16)
"""Size and overlap of its decoder's tiles, in pixels and in frames."""

ENCODE_PX, ENCODE_FRAMES = (512, 64), (64, 24)
"""The same of its encoder's, which are used above :data:`ENCODE_WHOLE` pixels."""

ENCODE_WHOLE = 512 * 768
"""Pixels of a frame up to which it encodes without tiles."""

STAGE_2 = ((2, 8), (2, 6), (2, 6))
"""Tiles of its second stage along frames, rows and columns, and their overlaps in latents."""


@dataclass(frozen=True)
class Trapezoid:
    """A tile along one axis, in latents.

    Attributes:
        start: First.
        stop: Past the last.
        before: Latents of the tile before that it shares.
        after: Latents of the tile after that it shares.
        early: Latents before `start` that it is run with and that have no weight: 1 in time.
    """

    start: int
    stop: int
    before: int
    after: int
    early: int = 0

    def cut(self, latents: Tensor, axis: int) -> Tensor:
        """The tile out of latents, along one axis."""
        return latents.narrow(axis, self.start - self.early, self.stop - self.start + self.early)

    def weights(self, scale: int = 1) -> Tensor:
        """Of each sample, `scale` samples a latent: interior points of rising and falling lines."""
        weight = torch.ones((self.stop - self.start) * scale)
        if self.before:
            weight[: self.before * scale] *= torch.linspace(0, 1, self.before * scale + 2)[1:-1]
        if self.after:
            weight[-self.after * scale :] *= torch.linspace(1, 0, self.after * scale + 2)[1:-1]
        return weight

    def early_weights(self, scale: int) -> Tensor:
        """Of each frame that a tile in time decodes to; the first of a later tile has none."""
        size = (self.stop - self.start + self.early - 1) * scale + 1
        weight = torch.ones(size)
        if self.before:
            rise = self.before * scale + 1
            weight[:rise] *= torch.linspace(0, 1, rise + 1)[:-1]
        if self.after:
            weight[-self.after * scale :] *= torch.linspace(1, 0, self.after * scale + 2)[1:-1]
        return weight


def by_size(size: int, tile: int, overlap: int, *, early: bool = False) -> list[Trapezoid]:
    """Tiles of one size from the start on; the last one is what is left."""
    if size <= tile:
        return [Trapezoid(0, size, 0, 0)]
    step = tile - overlap
    count = -(-(size - overlap) // step)
    return [
        Trapezoid(
            i * step,
            min(i * step + tile, size),
            overlap if i else 0,
            overlap if i + 1 < count else 0,
            early=1 if i and early else 0,
        )
        for i in range(count)
    ]


def by_count(size: int, count: int, overlap: int) -> list[Trapezoid]:
    """So many tiles; an overlap that the axis has no room for becomes what it has room for."""
    overlap = min(overlap, size - 1)
    return by_size(size, -(-(size + (count - 1) * overlap) // count), overlap)


def encode(model: HdrModel, pixels: Tensor) -> Tensor:
    """Encode ``1 3 f h w`` in [-1, 1] to normalised latents, in the reference's tiles."""
    space, time = model.spatial_ratio, model.temporal_ratio
    height, width = pixels.shape[-2:]
    if height * width <= ENCODE_WHOLE:
        return normalised(model, model.vae.encode(pixels.to(model.device)).latent_dist.mode())
    shape = ((pixels.shape[2] - 1) // time + 1, height // space, width // space)
    axes = _axes(shape, ENCODE_PX, ENCODE_FRAMES, space, time)
    whole, total = torch.zeros(1, 1, *shape), torch.zeros(shape)
    for frames, rows, columns in product(*axes):
        first = frames.start - frames.early
        shown = pixels[
            :,
            :,
            first * time : (frames.stop - 1) * time + 1,
            rows.start * space : rows.stop * space,
            columns.start * space : columns.stop * space,
        ]
        part = model.vae.encode(shown.to(model.device)).latent_dist.mode()[:, :, frames.early :]
        weight = _outer(frames.weights(), rows.weights(), columns.weights()).to(part)
        whole, total = whole.to(part), total.to(part)
        if whole.shape[1] != part.shape[1]:
            whole = whole.expand(-1, part.shape[1], -1, -1, -1).clone()
        place = _place(frames, rows, columns)
        whole[:, :, *place] += part * weight
        total[*place] += weight
    return normalised(model, whole / total)


def decode(model: HdrModel, latents: Tensor) -> Tensor:
    """Decode normalised latents to ``1 3 f h w`` in main memory, in the reference's tiles."""
    space, time = model.spatial_ratio, model.temporal_ratio
    raw = denormalised(model, latents)
    axes = _axes(tuple(raw.shape[-3:]), DECODE_PX, DECODE_FRAMES, space, time)
    size = ((raw.shape[2] - 1) * time + 1, raw.shape[3] * space, raw.shape[4] * space)
    whole, total = torch.zeros(1, 3, *size), torch.zeros(size)
    for frames, rows, columns in product(*axes):
        crop = columns.cut(rows.cut(frames.cut(raw, 2), 3), 4)
        part = model.vae.decode(crop).sample.cpu()
        weight = _outer(frames.early_weights(time), rows.weights(space), columns.weights(space))
        place = (
            slice((frames.start - frames.early) * time, (frames.stop - 1) * time + 1),
            slice(rows.start * space, rows.stop * space),
            slice(columns.start * space, columns.stop * space),
        )
        whole[:, :, *place] += part * weight
        total[*place] += weight
    return whole / total


def stage_2(
    run: Callable[[Tensor, Tensor, int, int], Tensor], initial: Tensor, reference: Tensor
) -> Tensor:
    """Run a whole second stage tile by tile, and blend what comes out.

    Args:
        run: From a tile of the initial latents, the same of the reference, the tile's number and
            how many there are, to its denoised latents.
        initial: Upsampled latents ``1 c f h w``.
        reference: Of the same size.
    """
    axes = [by_count(initial.shape[2 + i], *STAGE_2[i]) for i in range(3)]
    tiles = list(product(*axes))
    whole, total = torch.zeros_like(initial), torch.zeros_like(initial[0, 0])
    for number, tile in enumerate(tiles):
        place = _place(*tile)
        part = run(initial[:, :, *place], reference[:, :, *place], number, len(tiles))
        weight = _outer(*(axis.weights() for axis in tile)).to(part)
        whole[:, :, *place] += part * weight
        total[*place] += weight
    return whole / total


def _axes(
    shape: tuple[int, ...], px: tuple[int, int], frames: tuple[int, int], space: int, time: int
) -> list[list[Trapezoid]]:
    along_time = by_size(shape[0], frames[0] // time, frames[1] // time, early=True)
    along_space = [by_size(n, px[0] // space, px[1] // space) for n in shape[1:]]
    return [along_time, *along_space]


def _place(*tile: Trapezoid) -> tuple[slice, ...]:
    return tuple(slice(axis.start, axis.stop) for axis in tile)


def _outer(frames: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    return frames[:, None, None] * rows[:, None] * columns
