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
from lumivid_fx.pipeline import reference_tilers
from lumivid_fx.pipeline.noise import NoiseSource, window_noise
from lumivid_fx.pipeline.reference import from_vae_range, halve, reflect_pad, to_vae_range
from lumivid_fx.pipeline.sampling import Latents, Velocity, denoise
from lumivid_fx.pipeline.tiles import Tile, cut_tiles, over_tiles
from lumivid_fx.pipeline.vae import decode, encode, upsample

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
        tile: Edge of the transformer's tiles in latents, None for no tiles.
        vae_tile: Edge of the VAE's, None for as the transformer's.
        vae_frames: Length of the VAE's, None for no tiles in time.
        reference_tilers: Tile as the reference code does, whatever is said above.
        high_quality: Show the model every frame twice, and keep every other of what it makes.
    """

    noise: NoiseSource
    sigmas: tuple[tuple[float, ...], ...]
    fps: float
    reference_strength: float = 1.0
    tile: int | None = None
    vae_tile: int | None = None
    vae_frames: int | None = None
    reference_tilers: bool = False
    high_quality: bool = False


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
    if sampling.high_quality:
        codes, first = codes.repeat_interleave(2, dim=0)[:-1], 2 * first
    pixels = to_vae_range(reflect_pad(codes, model.spatial_ratio * 2 ** (stages - 1)))
    reference = _encode(model, pixels if stages == 1 else halve(pixels), sampling)
    latents = _run_stage(model, reference, None, first, 0, sampling, on_step)
    if stages == 2:
        reference = _encode(model, pixels, sampling)
        with model.present(model.upsampler):
            larger = upsample(model, latents)
        latents = _run_stage(model, reference, larger, first, 1, sampling, on_step)
    del pixels, codes
    decoded = from_vae_range(_decode(model, latents, sampling))
    return decoded[:: 2 if sampling.high_quality else 1, :, :height, :width].cpu()


def _encode(model: HdrModel, pixels: Tensor, sampling: Sampling) -> Tensor:
    with model.present(model.vae):
        if sampling.reference_tilers:
            return reference_tilers.encode(model, pixels)
        return encode(model, pixels, sampling.vae_tile or sampling.tile, sampling.vae_frames)


def _decode(model: HdrModel, latents: Tensor, sampling: Sampling) -> Tensor:
    with model.present(model.vae):
        if sampling.reference_tilers:
            return reference_tilers.decode(model, latents)
        return decode(model, latents, sampling.vae_tile or sampling.tile, sampling.vae_frames)


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
    """One stage; the reference's tilers run all of its second stage on one tile after another."""
    name = f"stage {stage + 1}" if len(sampling.sigmas) > 1 else "denoise"

    def run(begin: Tensor | None, held: Tensor, noise: Latents, part: int, parts: int) -> Tensor:
        return denoise(
            _velocity(model, held, sampling),
            noise,
            begin,
            held,
            sampling.sigmas[stage],
            lambda done, total, _: on_step(name, part * total + done, parts * total),
            sampling.reference_strength,
        )

    if not sampling.reference_tilers:
        return run(initial, reference, _noise(model, reference, first, stage, sampling), 0, 1)
    if initial is None:
        return run(None, reference, _noise_in_one(model, reference, 0, sampling), 0, 1)
    return reference_tilers.stage_2(
        lambda begin, held, part, parts: run(
            begin, held, _noise_in_one(model, held, part, sampling), part, parts
        ),
        initial,
        reference,
    )


def _noise(
    model: HdrModel, reference: Tensor, first: int, stage: int, sampling: Sampling
) -> Latents:
    """Noise by absolute frame, whatever window or tile asks; for the reference if it is needed."""
    _, channels, frames, height, width = reference.shape

    def drawn(role: str) -> Tensor:
        noise = window_noise(
            sampling.noise,
            (channels, frames, height, width),
            first=first,
            ratio=model.temporal_ratio,
            stage=stage,
            role=role,
        )
        return noise.to(model.device)

    target = drawn("target")
    held = sampling.reference_strength < 1
    return Latents(target, drawn("reference") if held else torch.zeros_like(target))


def _noise_in_one(model: HdrModel, reference: Tensor, tile: int, sampling: Sampling) -> Latents:
    """Noise as the reference code draws it: one draw for all tokens, the target's first."""
    _, channels, frames, height, width = reference.shape
    count = frames * height * width
    drawn = sampling.noise.tokens(2 * count, channels, tile=tile).to(model.device)
    return Latents(*(unpack(part, frames, height, width) for part in drawn.split(count, dim=1)))


def _velocity(model: HdrModel, reference: Tensor, sampling: Sampling) -> Velocity:
    """The network on latents of this size, in tiles whose velocities are blended at each step."""
    _, channels, _, height, width = reference.shape
    edge = None if sampling.reference_tilers else sampling.tile
    tiles = cut_tiles(height, width, edge)
    count = 2 if sampling.reference_strength < 1 else 1

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

    return predict


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
        blocks=model.blocks,
        compiled=model.compiled,
    )
    parts = [unpack(v.float(), frames, height, width) for v in velocity]
    return torch.cat(parts, dim=1)
