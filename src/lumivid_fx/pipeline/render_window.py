"""One window through the model: SDR codes in, HDR codes out.

reference -> encode -> [noise | reference tokens] -> denoise -> (upsample -> denoise) -> decode
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.model.video_only import predict_velocity
from lumivid_fx.pipeline.noise import NoiseSource, window_noise
from lumivid_fx.pipeline.reference import from_vae_range, halve, reflect_pad, to_vae_range
from lumivid_fx.pipeline.sampling import Latents, denoise
from lumivid_fx.pipeline.tiles import Tile, cut_tiles, over_tiles

StepCallback = Callable[[str, int, int], None]
"""Called with the stage's name, steps done and steps in all; raise to cancel."""


@dataclass(frozen=True)
class Sampling:
    """How a window is sampled.

    Attributes:
        noise: Where noise comes from.
        sigmas: Noise levels of each stage.
        fps: Frames a second, for the transformer's sense of time.
        reference_strength: 1 holds the plate, 0 lets go of it.
        tile: Edge of a tile in latents, None for no tiles.
    """

    noise: NoiseSource
    sigmas: tuple[tuple[float, ...], ...]
    fps: float
    reference_strength: float = 1.0
    tile: int | None = None


@torch.inference_mode()
def render_window(
    model: HdrModel, codes: Tensor, first: int, sampling: Sampling, on_step: StepCallback
) -> Tensor:
    """Render one window.

    Args:
        model: The model.
        codes: Display-referred Rec.709 codes ``f 3 h w`` in [0, 1], 8k+1 frames.
        first: Absolute index of the window's first frame.
        sampling: How.
        on_step: Progress and cancel.

    Returns:
        Codes of the model's transfer ``f 3 h w``, float32, not clamped.
    """
    height, width = codes.shape[-2:]
    stages = len(sampling.sigmas)
    padded = reflect_pad(codes, model.spatial_ratio * 2 ** (stages - 1)).to(model.device)
    pixels = to_vae_range(padded)
    reference = encode(model, pixels if stages == 1 else halve(pixels), sampling.tile)
    latents = _run_stage(model, reference, None, first, 0, sampling, on_step)
    if stages == 2:
        reference = encode(model, pixels, sampling.tile)
        latents = _run_stage(
            model, reference, upsample(model, latents), first, 1, sampling, on_step
        )
    decoded = decode(model, latents, sampling.tile)
    return from_vae_range(decoded)[: codes.shape[0], :, :height, :width].cpu()


def encode(model: HdrModel, pixels: Tensor, tile: int | None = None) -> Tensor:
    """Encode ``1 3 f h w`` in [-1, 1] to normalised latents ``1 c f h w``, float32."""
    ratio = model.spatial_ratio
    height, width = pixels.shape[-2] // ratio, pixels.shape[-1] // ratio

    def run(part: Tile) -> Tensor:
        rows = slice(part.rows.start * ratio, part.rows.stop * ratio)
        columns = slice(part.columns.start * ratio, part.columns.stop * ratio)
        latents: Tensor = model.vae.encode(pixels[..., rows, columns]).latent_dist.mode()
        return latents

    raw = over_tiles(run, cut_tiles(height, width, tile), height, width)
    mean, std = latent_statistics(model)
    return (raw - mean) / std


def decode(model: HdrModel, latents: Tensor, tile: int | None = None) -> Tensor:
    """Decode normalised latents ``1 c f h w`` to ``1 3 f h w``, always in float32."""
    mean, std = latent_statistics(model)
    raw = latents.float() * std + mean
    height, width = raw.shape[-2:]

    def run(part: Tile) -> Tensor:
        pixels: Tensor = model.vae.decode(part.crop(raw)).sample
        return pixels

    return over_tiles(run, cut_tiles(height, width, tile), height, width, model.spatial_ratio)


def upsample(model: HdrModel, latents: Tensor) -> Tensor:
    """Double the latents' height and width with the model's latent upsampler.

    Raises:
        ValueError: The model has none.
    """
    if model.upsampler is None:
        raise ValueError(f"the model {model.manifest.name} has no latent upsampler")
    mean, std = latent_statistics(model)
    raw = (latents.float() * std + mean).to(model.context.dtype)
    larger: Tensor = model.upsampler(raw)
    return (larger.float() - mean) / std


def latent_statistics(model: HdrModel) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the latents by channel, ``1 c 1 1 1``."""
    mean: Tensor = model.vae.latents_mean.view(1, -1, 1, 1, 1)
    std: Tensor = model.vae.latents_std.view(1, -1, 1, 1, 1)
    return mean, std / float(model.vae.config.scaling_factor)


def pack(latents: Tensor) -> Tensor:
    """``1 c f h w`` to tokens ``1 (f h w) c``."""
    return latents.flatten(2).transpose(1, 2)


def unpack(tokens: Tensor, frames: int, height: int, width: int) -> Tensor:
    """Tokens ``1 (f h w) c`` to ``1 c f h w``."""
    latents: Tensor = tokens.transpose(1, 2).unflatten(2, (frames, height, width))
    return latents


def _run_stage(
    model: HdrModel,
    reference: Tensor,
    initial: Tensor | None,
    first: int,
    stage: int,
    sampling: Sampling,
    on_step: StepCallback,
) -> Tensor:
    _, channels, frames, height, width = reference.shape
    shape = (channels, frames, height, width)
    held = sampling.reference_strength < 1

    def noise(role: str) -> Tensor:
        drawn = window_noise(
            sampling.noise, shape, first=first, ratio=model.temporal_ratio, stage=stage, role=role
        )
        return drawn.to(model.device)

    tiles = cut_tiles(height, width, sampling.tile)
    count = 2 if held else 1

    def predict(latents: Latents, sigma: float, reference_sigma: float) -> Latents:
        def run(tile: Tile) -> Tensor:
            return _tile_velocity(
                model,
                [tile.crop(x) for x in latents],
                (sigma, reference_sigma),
                sampling.fps,
                count,
            )

        velocity = over_tiles(run, tiles, height, width)
        target, *rest = velocity.split(channels, dim=1)
        return Latents(target, rest[0] if rest else torch.zeros_like(target))

    name = f"stage {stage + 1}" if len(sampling.sigmas) > 1 else "denoise"
    target = noise("target")
    return denoise(
        predict,
        Latents(target, noise("reference") if held else torch.zeros_like(target)),
        initial,
        reference,
        sampling.sigmas[stage],
        lambda done, total, _: on_step(name, done, total),
        sampling.reference_strength,
    )


def _tile_velocity(
    model: HdrModel, groups: list[Tensor], sigmas: tuple[float, float], fps: float, count: int
) -> Tensor:
    _, _, frames, height, width = groups[0].shape
    coordinates = model.transformer.rope.prepare_video_coords(
        1, frames, height, width, model.device, fps=fps
    )
    levels = [torch.tensor([s], device=model.device) for s in sigmas]
    velocity = predict_velocity(
        model.transformer,
        [pack(x).to(model.context.dtype) for x in groups],
        levels,
        coordinates.repeat(1, 1, 2, 1),
        model.context,
        outputs=count,
    )
    parts = [unpack(v.float(), frames, height, width) for v in velocity]
    return torch.cat(parts, dim=1)
