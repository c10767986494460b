"""The LoRA sits on the video stream's attention and feed-forward, and the reference is free."""

from __future__ import annotations

import pytest
import torch
from diffusers import LTX2VideoTransformer3DModel
from tests.tiny_model import CHANNELS, LAYERS, LORA_MODULES, WIDTH, tiny_transformer
from torch import Tensor

from lumivid_fx.model.video_only import strip_audio
from lumivid_fx.train.adapter import add_lora, lora_velocity

GRID = (2, 3, 4)


def with_lora(
    rank: int = 4, base: torch.dtype = torch.float32
) -> tuple[LTX2VideoTransformer3DModel, dict[str, Tensor]]:
    """A tiny transformer and what is learned of it."""
    transformer = strip_audio(tiny_transformer()).to(base)
    return transformer, add_lora(transformer, rank, seed=0)


def tokens(seed: int, count: int = 24) -> Tensor:
    """Two rows of random tokens."""
    return torch.randn(2, count, CHANNELS, generator=torch.Generator().manual_seed(seed))


def velocity(
    transformer: LTX2VideoTransformer3DModel, *, reference: Tensor | None = None, bf16: bool = False
) -> Tensor:
    """Velocity of some tokens."""
    context = torch.randn(1, 6, WIDTH, generator=torch.Generator().manual_seed(3))
    context = context.to(torch.bfloat16 if bf16 else torch.float32)
    held = tokens(2) if reference is None else reference
    sigmas = torch.tensor([0.3, 0.9])
    return lora_velocity(transformer, tokens(1), held, sigmas, context, GRID, 24.0, bf16=bf16)


def test_ten_modules_a_block_are_learned_and_nothing_else() -> None:
    """Also on a transformer that still has its audio stream."""
    for transformer in (tiny_transformer(), strip_audio(tiny_transformer())):
        learned = add_lora(transformer, 4, seed=0)
        modules = {name.split(".lora_")[0] for name in learned}
        wanted = {f"transformer_blocks.{n}.{m}" for n in range(LAYERS) for m in LORA_MODULES}
        assert modules == wanted
        assert len(learned) == 2 * len(wanted)
        alive = {n for n, p in transformer.named_parameters() if p.requires_grad}
        assert alive == set(learned)


def test_a_fresh_lora_changes_nothing_and_its_seed_decides_it() -> None:
    """Its second matrix is zero; the first is the same for the same seed."""
    plain = velocity(strip_audio(tiny_transformer()))
    transformer, learned = with_lora()
    assert torch.allclose(velocity(transformer), plain, atol=1e-6)  # adding zeros, in float32
    again = with_lora()[1]
    assert all(torch.equal(learned[name], again[name]) for name in learned)


def test_scale_is_one_for_any_rank() -> None:
    """Alpha equals rank: what is added is B A, no more and no less."""
    transformer, learned = with_lora(rank=2)
    module = "transformer_blocks.0.attn1.to_q"
    down, up = (learned[f"{module}.lora_{x}.hdr.weight"] for x in "AB")
    torch.nn.init.normal_(up)
    layer = transformer.get_submodule(module)
    x = torch.randn(3, WIDTH)
    added = layer(x) - layer.base_layer(x)
    assert torch.allclose(added, x @ down.T @ up.T, rtol=1e-4, atol=1e-5)  # float32 products


def test_the_reference_is_seen_and_clean() -> None:
    """Other references give other velocities: they are conditions, at timestep 0."""
    transformer, _ = with_lora()
    one, other = velocity(transformer), velocity(transformer, reference=tokens(7))
    assert one.shape == (2, 24, CHANNELS)
    assert not torch.allclose(one, other, atol=1e-3)


def test_checkpointing_gives_the_same_gradients() -> None:
    """It only saves memory."""
    found = []
    for checkpointing in (False, True):
        transformer, learned = with_lora()
        if checkpointing:
            transformer.enable_gradient_checkpointing()
        for name, tensor in learned.items():
            if ".lora_B." in name:
                torch.nn.init.constant_(tensor, 0.01)
        loss = velocity(transformer).square().mean()
        found.append(torch.autograd.grad(loss, list(learned.values())))
    for plain, checkpointed in zip(*found, strict=True):
        assert float(plain.abs().max()) > 0
        assert torch.equal(plain, checkpointed)


def test_bf16_multiplies_coarsely_and_learns_in_float32() -> None:
    """Velocities agree to bfloat16's 8 bits over a few layers; what is learned is float32."""
    fine = velocity(with_lora()[0])
    transformer, learned = with_lora(base=torch.bfloat16)
    coarse = velocity(transformer, bf16=True)
    error = (coarse.float() - fine).detach().square().mean() / fine.detach().square().mean()
    assert 1e-4 < float(error.sqrt()) < 0.05
    coarse.float().square().mean().backward()
    for tensor in learned.values():
        assert tensor.dtype == torch.float32
        assert tensor.grad is not None
        assert tensor.grad.dtype == torch.float32


@pytest.mark.parametrize("base", [torch.float32, torch.bfloat16])
def test_what_is_learned_is_float32_on_any_base(base: torch.dtype) -> None:
    """AdamW's small steps would vanish in bfloat16."""
    assert {t.dtype for t in with_lora(base=base)[1].values()} == {torch.float32}
