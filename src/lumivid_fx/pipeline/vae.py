"""Between pixels and latents: the VAE in float32, in tiles of space and time that leave no seam.

Tiles overlap; at their inner edges the network saw padding in place of picture, and so the first
two latents there have no weight and the rest fades linearly. In time a tile after the first begins
with a latent that stands for one frame, as the clip's first does: it too lies under that margin.

The encoder is causal: it looks back and never ahead, and remembers for longer than the decoder
looks. Its tiles in time need no fade, but a run-up that is thrown away.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.pipeline.tiles import MARGIN, Span, Tile, cut_axis, cut_tiles, over_tiles

TIME_OVERLAP = 6
"""Latents that two tiles share in time: twice the margin, and two to fade over."""


LOOK_BACK = 8
"""Latents that the encoder is shown before those that are kept. Measured on a trained VAE, on a
moving picture: latents differ from those of the whole by 0.01 of their spread after four latents,
by 0.0001 after seven."""


def encode(
    model: HdrModel, pixels: Tensor, tile: int | None = None, frames: int | None = None
) -> Tensor:
    """Encode ``1 3 f h w`` in [-1, 1] to normalised latents ``1 c f h w``, float32.

    Args:
        model: The model.
        pixels: On any device; tiles are moved to the model's one by one.
        tile: Edge of a tile in latents, None for no tiles.
        frames: Length of a tile in latents, None for no tiles.
    """
    ratio, time = model.spatial_ratio, model.temporal_ratio
    height, width = pixels.shape[-2] // ratio, pixels.shape[-1] // ratio
    tiles = cut_tiles(height, width, tile)
    count = (pixels.shape[2] - 1) // time + 1

    def run(start: int, stop: int) -> Tensor:
        clip = pixels[:, :, start * time : (stop - 1) * time + 1]

        def one(part: Tile) -> Tensor:
            rows = slice(part.rows.start * ratio, part.rows.stop * ratio)
            columns = slice(part.columns.start * ratio, part.columns.stop * ratio)
            shown = clip[..., rows, columns].to(model.device)
            latents: Tensor = model.vae.encode(shown).latent_dist.mode()
            return latents

        return over_tiles(one, tiles, height, width)

    parts = []
    for start in range(0, count, frames or count):
        early = max(0, start - LOOK_BACK)
        parts.append(run(early, min(count, start + (frames or count)))[:, :, start - early :])
    return normalised(model, torch.cat(parts, dim=2) if len(parts) > 1 else parts[0])


def decode(
    model: HdrModel, latents: Tensor, tile: int | None = None, frames: int | None = None
) -> Tensor:
    """Decode normalised latents ``1 c f h w`` to ``1 3 f h w``, always in float32.

    Args:
        model: The model.
        latents: The latents.
        tile: Edge of a tile in latents, None for no tiles.
        frames: Length of a tile in latents, None for no tiles.

    Returns:
        Pixels on the model's device; of more than one tile, in main memory.
    """
    raw = denormalised(model, latents)
    time = model.temporal_ratio
    count, height, width = raw.shape[-3:]
    tiles = cut_tiles(height, width, tile)
    spans = cut_axis(count, frames or count, TIME_OVERLAP)

    def run(span: Span) -> Tensor:
        clip = raw[:, :, span.start : span.stop]

        def one(part: Tile) -> Tensor:
            pixels: Tensor = model.vae.decode(part.crop(clip)).sample
            return pixels if len(tiles) * len(spans) == 1 else pixels.cpu()

        return over_tiles(one, tiles, height, width, model.spatial_ratio)

    if len(spans) == 1:
        return run(spans[0])
    whole, total = torch.empty(0), torch.zeros((count - 1) * time + 1, 1, 1)
    for span in spans:
        part = run(span)
        if not whole.numel():
            whole = part.new_zeros(*part.shape[:2], len(total), *part.shape[-2:])
        weight = frame_weights(span, time)[:, None, None]
        shown = slice(span.start * time, (span.stop - 1) * time + 1)
        whole[:, :, shown] += part * weight
        total[shown] += weight
    return whole.div_(total)


def frame_weights(span: Span, ratio: int) -> Tensor:
    """Weight of each frame that a tile in time decodes to.

    Latents `start` to `stop` are frames ``start * ratio`` to ``(stop - 1) * ratio``, the last
    included, for a clip's first latent is one frame and every other one ends at a multiple.
    """
    size = (span.stop - span.start - 1) * ratio + 1
    weight, margin = torch.ones(size), MARGIN * ratio
    for shared, flip in ((span.shared_before, False), (span.shared_after, True)):
        if shared:
            fade = (shared - 1) * ratio + 1 - 2 * margin
            ramp = ((torch.arange(size) + 0.5 - margin) / fade).clamp(0, 1)
            weight = weight * (ramp.flip(0) if flip else ramp)
    return weight


def upsample(model: HdrModel, latents: Tensor) -> Tensor:
    """Double the latents' height and width with the model's latent upsampler.

    Raises:
        ValueError: The model has none.
    """
    if model.upsampler is None:
        raise ValueError(f"the model {model.manifest.name} has no latent upsampler")
    larger: Tensor = model.upsampler(denormalised(model, latents).to(model.context.dtype))
    return normalised(model, larger.float())


def normalised(model: HdrModel, latents: Tensor) -> Tensor:
    """Latents of the VAE as the transformer takes them."""
    mean, std = _statistics(model)
    return (latents - mean) / std


def denormalised(model: HdrModel, latents: Tensor) -> Tensor:
    """Latents of the transformer as the VAE takes them, float32."""
    mean, std = _statistics(model)
    return latents.float() * std + mean


def _statistics(model: HdrModel) -> tuple[Tensor, Tensor]:
    mean: Tensor = model.vae.latents_mean.view(1, -1, 1, 1, 1)
    std: Tensor = model.vae.latents_std.view(1, -1, 1, 1, 1)
    return mean, std / float(model.vae.config.scaling_factor)
