"""The video half alone gives what diffusers' whole transformer gives with its streams isolated."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from diffusers import LTX2VideoTransformer3DModel
from tests.tiny_model import CHANNELS, WIDTH, randomise, tiny_transformer
from torch import Tensor

from lumivid_fx.model.video_only import (
    build_video_transformer,
    is_audio,
    predict_velocity,
    strip_audio,
)

FRAMES, HEIGHT, WIDTH_LATENTS = 2, 3, 4
TOKENS = FRAMES * HEIGHT * WIDTH_LATENTS
SIGMA = 0.7

TOLERANCE = 2e-6
"""Of the largest velocity: float32 sums of a few hundred terms, in another order."""


def older_transformer() -> LTX2VideoTransformer3DModel:
    """LTX-2.0's flags: no gates, no modulation of the prompt, interleaved rotation."""
    torch.manual_seed(7)
    transformer = LTX2VideoTransformer3DModel(
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        num_attention_heads=4,
        attention_head_dim=WIDTH // 4,
        cross_attention_dim=WIDTH,
        audio_in_channels=8,
        audio_out_channels=8,
        audio_num_attention_heads=4,
        audio_attention_head_dim=8,
        audio_cross_attention_dim=32,
        num_layers=2,
        use_prompt_embeddings=False,
    )
    randomise(transformer, 0.1)
    return transformer


FAMILIES = {"2.3": tiny_transformer, "2.0": older_transformer}


@pytest.fixture(scope="module", params=FAMILIES)
def stock(request: pytest.FixtureRequest) -> Any:
    """A whole transformer, audio included."""
    return FAMILIES[request.param]().eval()


def tokens(seed: int, count: int = TOKENS, channels: int = CHANNELS) -> Tensor:
    """Random tokens ``1 n c``."""
    return torch.randn(1, count, channels, generator=torch.Generator().manual_seed(seed))


def positions(transformer: Any) -> Tensor:
    """Coordinates of the target, then the same again for the reference."""
    one = transformer.rope.prepare_video_coords(
        1, FRAMES, HEIGHT, WIDTH_LATENTS, torch.device("cpu"), fps=24.0
    )
    return torch.cat([one, one], dim=2)


def stock_velocity(
    transformer: Any, reference_sigma: float, *, audio_seed: int = 3, isolate: bool = True
) -> Tensor:
    """Diffusers' own forward: a timestep for each video token, five audio tokens with their own."""
    timestep = [torch.full((1, TOKENS), 1000 * s) for s in (SIGMA, reference_sigma)]
    velocity: Tensor = transformer(
        hidden_states=torch.cat([tokens(1), tokens(2)], dim=1),
        audio_hidden_states=tokens(audio_seed, 5, 8),
        encoder_hidden_states=tokens(4, 6, WIDTH),
        audio_encoder_hidden_states=tokens(5, 6, 32),
        timestep=torch.cat(timestep, dim=1),
        audio_timestep=torch.full((1, 5), 1000 * SIGMA),
        sigma=torch.tensor([1000 * SIGMA]),
        num_frames=FRAMES,
        height=HEIGHT,
        width=WIDTH_LATENTS,
        audio_num_frames=5,
        video_coords=positions(transformer),
        isolate_modalities=isolate,
        return_dict=False,
    )[0]
    return velocity


def our_velocity(transformer: Any, reference_sigma: float, outputs: int = 1) -> Tensor:
    """The same tokens through the video half alone."""
    video = strip_audio(copy.deepcopy(transformer))
    velocity = predict_velocity(
        video,
        [tokens(1), tokens(2)],
        [torch.tensor([SIGMA]), torch.tensor([reference_sigma])],
        positions(transformer),
        tokens(4, 6, WIDTH),
        outputs=outputs,
    )
    return torch.cat(velocity, dim=1)


def difference(ours: Tensor, theirs: Tensor) -> float:
    """Largest difference, as a part of the largest value."""
    return float((ours - theirs).abs().max() / theirs.abs().max())


@torch.no_grad()
@pytest.mark.parametrize("reference_sigma", [0.0, 0.21])
def test_velocity_equals_the_stock_forward(stock: Any, reference_sigma: float) -> None:
    """Target and reference get the stock velocity, with the reference clean or noised a little."""
    theirs = stock_velocity(stock, reference_sigma)
    assert difference(our_velocity(stock, reference_sigma, outputs=2), theirs) < TOLERANCE
    target = our_velocity(stock, reference_sigma)
    assert target.shape == (1, TOKENS, CHANNELS)
    assert difference(target, theirs[:, :TOKENS]) < TOLERANCE


@torch.no_grad()
def test_audio_would_change_the_picture(stock: Any) -> None:
    """Departure 2: with its streams joined the stock forward moves the video by much, by noise."""
    alone = stock_velocity(stock, 0.0)
    assert torch.equal(alone, stock_velocity(stock, 0.0, audio_seed=9))
    joined = stock_velocity(stock, 0.0, isolate=False)
    assert difference(joined, alone) > 0.01
    assert difference(stock_velocity(stock, 0.0, audio_seed=9, isolate=False), joined) > 1e-4


def test_what_is_taken_out_serves_audio_alone(stock: Any) -> None:
    """The video's output has a gradient in each parameter that is kept, and in no other."""
    transformer = copy.deepcopy(stock)
    stock_velocity(transformer, 0.0)[:, :TOKENS].square().sum().backward()
    reached = {
        name
        for name, p in transformer.named_parameters()
        if p.grad is not None and bool(p.grad.abs().max() > 0)
    }
    everything = {name for name, _ in transformer.named_parameters()}
    kept = {name for name, _ in strip_audio(copy.deepcopy(stock)).named_parameters()}
    assert kept == {name for name in everything if not is_audio(name)}
    assert reached <= kept
    # A key's bias moves every logit of a query alike, so that softmax has no gradient in it; and
    # 2.0's flags leave the table of a prompt unused. Both are kept as the checkpoint has them.
    assert all(name.endswith(("to_k.bias", "norm_k.weight")) for name in kept - reached)


def test_building_allocates_nothing() -> None:
    """A transformer made from a config has no audio module and no memory."""
    config = dict(tiny_transformer().config)
    video = build_video_transformer(config)
    assert all(p.is_meta for p in video.parameters())
    ends = {"proj_in", "time_embed", "prompt_adaln", "rope", "norm_out", "proj_out"}
    assert {name for name, _ in video.named_children()} == {*ends, "transformer_blocks"}
    layers = {"norm1", "attn1", "norm2", "attn2", "norm3", "ff"}
    assert {name for name, _ in video.transformer_blocks[0].named_children()} == layers


@torch.no_grad()
def test_half_precision_goes_through() -> None:
    """In bfloat16 the velocity comes back in bfloat16, near that of float32."""
    stock = tiny_transformer()
    full = our_velocity(stock, 0.0)
    video = strip_audio(copy.deepcopy(stock)).to(torch.bfloat16)
    (half,) = predict_velocity(
        video,
        [tokens(1).bfloat16(), tokens(2).bfloat16()],
        [torch.tensor([SIGMA]), torch.tensor([0.0])],
        positions(stock),
        tokens(4, 6, WIDTH).bfloat16(),
    )
    assert half.dtype == torch.bfloat16
    # 8 bits of mantissa through two blocks; facts of the real model: 0.9 % rms.
    rms = float((half.float() - full).square().mean().sqrt() / full.square().mean().sqrt())
    assert rms < 0.03


def test_checkpointed_gradients_are_the_same() -> None:
    """Training may recompute blocks instead of keeping their activations."""
    gradients = []
    for checkpointed in (False, True):
        video = strip_audio(tiny_transformer())
        if checkpointed:
            video.enable_gradient_checkpointing()
        video.train()
        our = predict_velocity(
            video,
            [tokens(1), tokens(2)],
            [torch.tensor([SIGMA]), torch.tensor([0.0])],
            positions(video),
            tokens(4, 6, WIDTH),
        )
        our[0].square().sum().backward()
        gradients.append(video.proj_in.weight.grad)
    assert torch.equal(*gradients)
