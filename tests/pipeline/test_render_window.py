"""One window: each stage of the render is that of a plain chain of diffusers' own modules."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lumivid_fx.model.checkpoint import HdrModel, load_model
from lumivid_fx.model.schedules import STAGE_2_SIGMAS
from lumivid_fx.pipeline.noise import SeededNoise
from lumivid_fx.pipeline.reference import halve, reflect_pad
from lumivid_fx.pipeline.render_window import Sampling, pack, render_window, unpack
from lumivid_fx.pipeline.tiles import cut_tiles
from lumivid_fx.pipeline.vae import decode, encode, upsample

from .plain_chain import PlainChain, Record, as_tokens

FPS = 23.976
FRAMES, HEIGHT, WIDTH = 17, 50, 90
FIRST = 8

ROUNDING = 5e-6
"""Of the largest value: float32 through two blocks and three steps, sums in another order."""


@dataclass(frozen=True)
class GivenNoise:
    """A noise source that gives what a test chose, and can be asked for it."""

    seed: int

    def latent(self, frame: int, shape: tuple[int, int, int], *, stage: int, role: str) -> Tensor:
        """Noise of a latent frame."""
        number = hash((self.seed, frame, stage, role == "target")) % 2**31
        return torch.randn(shape, generator=torch.Generator().manual_seed(number))

    def tokens(self, count: int, channels: int, *, tile: int) -> Tensor:
        """Noise in one draw, as the reference code makes it."""
        return SeededNoise(self.seed).tokens(count, channels, tile=tile)

    def window(self, shape: tuple[int, ...], stage: int, role: str = "target") -> Tensor:
        """All of a window's, ``1 c f h w``."""
        _, channels, frames, height, width = shape
        drawn = [
            self.latent(FIRST + 8 * index, (channels, height, width), stage=stage, role=role)
            for index in range(frames)
        ]
        return torch.stack(drawn, dim=1)[None]


@dataclass
class Seen:
    """What went through a model's modules during a render, in order."""

    tokens: list[Tensor] = field(default_factory=list)
    positions: list[Tensor] = field(default_factory=list)
    levels: list[Tensor] = field(default_factory=list)
    velocities: list[Tensor] = field(default_factory=list)
    encoded: list[Tensor] = field(default_factory=list)
    to_decode: list[Tensor] = field(default_factory=list)
    decoded: list[Tensor] = field(default_factory=list)

    @classmethod
    def of(cls, model: HdrModel, codes: Tensor, sampling: Sampling) -> tuple[Seen, Tensor]:
        """Render a window, and look on by hooks on the model's own modules."""
        seen = cls()
        transformer, vae = model.transformer, model.vae

        def before(kept: list[Tensor], module: Any) -> Any:
            return module.register_forward_pre_hook(lambda _, args: kept.append(args[0].clone()))

        def after(kept: list[Tensor], module: Any) -> Any:
            return module.register_forward_hook(lambda _, _args, out: kept.append(out.clone()))

        hooks = [
            before(seen.tokens, transformer.proj_in),
            before(seen.positions, transformer.rope),
            before(seen.levels, transformer.time_embed),
            after(seen.velocities, transformer.proj_out),
            after(seen.encoded, vae.encoder),
            before(seen.to_decode, vae.decoder),
            after(seen.decoded, vae.decoder),
        ]
        try:
            return seen, render_window(model, codes, FIRST, sampling, lambda *_: None)
        finally:
            for hook in hooks:
                hook.remove()


def codes(height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """SDR codes ``f 3 h w`` in [0, 1]."""
    return torch.rand(FRAMES, 3, height, width, generator=torch.Generator().manual_seed(1))


def pixels(multiple: int) -> Tensor:
    """The same as the VAE takes them, padded below and at the right."""
    return reflect_pad(codes(), multiple).transpose(0, 1)[None] * 2 - 1


def assert_near(ours: Tensor, theirs: Tensor, tolerance: float = ROUNDING) -> None:
    """The same to rounding, relative to the largest value."""
    assert ours.shape == theirs.shape
    assert float((ours - theirs).abs().max()) <= tolerance * float(theirs.abs().max())


def assert_stage(seen: Seen, steps: slice, record: Record) -> None:
    """Each step of a stage saw and gave what the plain chain's did."""
    count = record.states[0].shape[1]
    assert all(torch.equal(p, record.positions) for p in seen.positions[steps])
    reference = as_tokens(record.reference)
    for index, tokens in enumerate(seen.tokens[steps]):
        assert_near(tokens[:, :count], record.states[index])
        assert_near(tokens[:, count:], reference, 1e-6)
        levels = record.timesteps[index]
        assert seen.levels[steps][index].tolist() == [levels[0, 0], levels[0, -1]]
        assert_near(seen.velocities[steps][index], record.velocities[index])


@torch.no_grad()
def test_one_stage_equals_the_plain_chain(tiny_model_folder: Path, model: HdrModel) -> None:
    """Reference, positions, timesteps, velocities, states, decode and codes of one stage."""
    noise, sigmas = GivenNoise(3), model.manifest.sigmas
    seen, result = Seen.of(model, codes(), Sampling(noise, sigmas, FPS))

    chain = PlainChain(tiny_model_folder)
    given = noise.window((1, 8, 3, 2, 3), stage=0)
    record = chain.stage(pixels(32), given, sigmas[0], fps=FPS)
    assert_near(encode(model, pixels(32)), record.reference, 0)
    assert len(seen.tokens) == 3
    assert_stage(seen, slice(None), record)
    assert_near(seen.to_decode[0], chain.denormalised(record.latents))
    decoded = chain.decoded(record.latents)
    assert_near(seen.decoded[0], decoded)
    expected = (decoded[0].transpose(0, 1) + 1) / 2
    assert_near(result, expected[:, :, :HEIGHT, :WIDTH])
    assert result.dtype == torch.float32

    # Linear: light is up to 55, and a code's rounding grows by ln(10) / 0.247 = 9.3 at most.
    light = model.transfer.inverse(result.clamp(0, 1)).clamp(min=0).movedim(1, -1)
    assert_near(light, chain.light(decoded)[:, :HEIGHT, :WIDTH], 10 * ROUNDING)


@torch.no_grad()
@pytest.mark.parametrize("strength", [0.0, 0.6])
def test_lora_strength_equals_the_plain_chain(tiny_model_folder: Path, strength: float) -> None:
    """A LoRA that diffusers fuses at a strength gives what ours does; 0 included."""
    model = load_model(tiny_model_folder, lora_strength=strength)
    noise, sigmas = GivenNoise(3), ((1.0, 0.0),)
    seen, _ = Seen.of(model, codes(), Sampling(noise, sigmas, FPS))
    chain = PlainChain(tiny_model_folder, lora_strength=strength)
    given = noise.window((1, 8, 3, 2, 3), stage=0)
    assert_stage(seen, slice(None), chain.stage(pixels(32), given, sigmas[0], fps=FPS))


@torch.no_grad()
def test_two_stages_equal_the_plain_chain(
    tiny_two_stage_folder: Path, two_stage_model: HdrModel
) -> None:
    """Half size, upsampled, full size: both stages see the plate padded once, at full size."""
    noise, sigmas = GivenNoise(5), two_stage_model.manifest.sigmas
    assert sigmas[1] == STAGE_2_SIGMAS
    seen, result = Seen.of(two_stage_model, codes(), Sampling(noise, sigmas, FPS))

    chain = PlainChain(tiny_two_stage_folder)
    full = pixels(64)
    half = torch.nn.functional.avg_pool3d(full, (1, 2, 2))
    assert_near(halve(full), half, 0)
    first = chain.stage(half, noise.window((1, 8, 3, 1, 2), stage=0), sigmas[0], fps=FPS)
    larger = chain.upsampled(first.latents)
    given = noise.window((1, 8, 3, 2, 4), stage=1)
    second = chain.stage(full, given, sigmas[1], fps=FPS, initial=larger)
    assert len(seen.tokens) == 3 + 2
    assert_stage(seen, slice(0, 3), first)
    assert_near(upsample(two_stage_model, first.latents), larger)
    assert_stage(seen, slice(3, 5), second)
    expected = (chain.decoded(second.latents)[0].transpose(0, 1) + 1) / 2
    assert_near(result, expected[:, :, :HEIGHT, :WIDTH])


@torch.no_grad()
def test_departure_8_tiles_in_both_stages(two_stage_model: HdrModel) -> None:
    """With tiles each step's velocity is the blend of the tiles' own, positions from 0 in each."""
    sigmas = ((1.0, 0.0), (0.9, 0.0))
    noise = GivenNoise(7)
    tall = codes(64, 2 * 11 * 32)
    seen, _ = Seen.of(two_stage_model, tall, Sampling(noise, sigmas, FPS, tile=16))
    tiles = cut_tiles(2, 22, 16)
    assert len(tiles) == 2
    # Stage 1 is 1 x 11 latents, which is one tile; stage 2 is 2 x 22, which is two.
    assert [t.shape[1] for t in seen.tokens] == [2 * 3 * 11, *[2 * 3 * 2 * 16] * 2]
    start = seen.positions[1]
    assert torch.equal(seen.positions[2], start)
    assert start[0, :, 0, 0].tolist() == [0, 0, 0]  # second, row and column of the first token

    weights = [tile.columns.weights() for tile in tiles]
    velocity = torch.zeros(1, 8, 3, 2, 22)
    for tile, weight, tokens in zip(tiles, weights, seen.velocities[1:], strict=True):
        part = unpack(tokens, 3, 2, 16)
        velocity[..., tile.columns.start : tile.columns.stop] += part * weight
    state = torch.zeros(1, 8, 3, 2, 22)
    for tile, tokens in zip(tiles, seen.tokens[1:], strict=True):
        own = unpack(tokens[:, : tokens.shape[1] // 2], 3, 2, 16)
        state[..., tile.columns.start : tile.columns.stop] = own
    mean, std = (
        x.view(1, -1, 1, 1, 1)
        for x in (two_stage_model.vae.latents_mean, two_stage_model.vae.latents_std)
    )
    latents = (state - 0.9 * velocity) * std / two_stage_model.vae.config.scaling_factor + mean
    for tile, given in zip(tiles, seen.to_decode, strict=True):
        assert_near(given, tile.crop(latents))


@torch.no_grad()
def test_strength_below_1_goes_through(model: HdrModel) -> None:
    """A reference at 0.6 starts between itself and its own noise, and has its own timestep."""
    noise, sigmas = GivenNoise(3), model.manifest.sigmas
    seen, _ = Seen.of(model, codes(), Sampling(noise, sigmas, FPS, reference_strength=0.6))
    clean = as_tokens(encode(model, pixels(32)))
    given = as_tokens(noise.window((1, 8, 3, 2, 3), stage=0, role="reference"))
    count = clean.shape[1]
    assert_near(seen.tokens[0][:, count:], 0.6 * clean + 0.4 * given)
    for levels, sigma in zip(seen.levels, sigmas[0], strict=False):
        assert levels.tolist() == pytest.approx([1000 * sigma, 400 * sigma])
    assert seen.velocities[0].shape[1] == 2 * count


@torch.no_grad()
def test_steps_are_told(two_stage_model: HdrModel) -> None:
    """Both stages tell their steps; what the callback raises ends the render."""
    told: list[tuple[str, int, int]] = []
    sampling = Sampling(SeededNoise(0), two_stage_model.manifest.sigmas, FPS)
    small = codes(32, 32)[:9]
    render_window(two_stage_model, small, 0, sampling, lambda *step: told.append(step))
    assert told == [
        *(("stage 1", n, 3) for n in (1, 2, 3)),
        *(("stage 2", n, 2) for n in (1, 2)),
    ]

    def stop(_name: str, done: int, _total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_window(two_stage_model, small, 0, sampling, stop)


@torch.no_grad()
def test_first_stage_alone(two_stage_model: HdrModel) -> None:
    """One schedule for a model of two stages renders at full size in one."""
    sampling = Sampling(SeededNoise(0), ((1.0, 0.0),), FPS)
    seen, result = Seen.of(two_stage_model, codes(50, 40), sampling)
    assert result.shape == (FRAMES, 3, 50, 40)
    assert [t.shape[1] for t in seen.tokens] == [2 * 3 * 2 * 2]


@torch.no_grad()
def test_half_precision_is_near(two_stage_model: HdrModel) -> None:
    """With transformer and upsampler in bfloat16, as on a GPU, VAE and codes stay float32."""
    assert two_stage_model.upsampler is not None
    half = replace(
        two_stage_model,
        transformer=copy.deepcopy(two_stage_model.transformer).to(torch.bfloat16),
        upsampler=copy.deepcopy(two_stage_model.upsampler).to(torch.bfloat16),
        context=two_stage_model.context.bfloat16(),
    )
    sampling = Sampling(SeededNoise(0), two_stage_model.manifest.sigmas, FPS)
    plain, result = (
        render_window(m, codes(64, 64)[:9], 0, sampling, lambda *_: None)
        for m in (two_stage_model, half)
    )
    assert result.dtype == torch.float32
    # Eight bits of mantissa through five steps of two blocks, on codes that vary by 0.15.
    rms = float((result - plain).square().mean().sqrt())
    assert 0 < rms < 0.01


def test_upsampling_needs_an_upsampler(model: HdrModel) -> None:
    """Asked of a model of one stage, it is a mistake that names the model."""
    with pytest.raises(ValueError, match="the model tiny has no latent upsampler"):
        upsample(model, torch.zeros(1, 8, 2, 1, 1))


def test_pack_and_unpack() -> None:
    """Tokens run along rows, then columns, frame by frame."""
    latents = torch.arange(2 * 3 * 4 * 5).view(1, 2, 3, 4, 5)
    tokens = pack(latents)
    assert tokens[0, 4 * 5 + 1].tolist() == latents[0, :, 1, 0, 1].tolist()
    assert torch.equal(unpack(tokens, 3, 4, 5), latents)


@torch.no_grad()
def test_decode_undoes_the_normalisation(model: HdrModel) -> None:
    """What is encoded and decoded is what the bare VAE makes of it."""
    picture = pixels(32)
    bare = model.vae.decode(model.vae.encode(picture).latent_dist.mode()).sample
    assert_near(decode(model, encode(model, picture)), bare)
