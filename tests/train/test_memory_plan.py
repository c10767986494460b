"""The plan for LTX-2.3 22B, worked out on meta tensors, and for a model that can be run, seen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tests.tiny_model import CHANNELS, LAYERS, WIDTH, tiny_transformer
from tests.train.recipes import tiny_recipe
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from lumivid_fx.model.video_only import strip_audio
from lumivid_fx.train.adapter import add_lora, lora_velocity
from lumivid_fx.train.memory_plan import MemoryPlan, plan_lora
from lumivid_fx.train.recipe import read_recipe


@pytest.fixture(scope="module")
def full_size() -> MemoryPlan:
    """Of the shipped recipe, whose weights are not here."""
    return plan_lora(read_recipe("ltx-2.3-hdr"), "cuda")


def bytes_of(plan: MemoryPlan) -> dict[str, int]:
    """Rows by name."""
    return {row.name: row.bytes for row in (*plan.rows, *plan.disk)}


def test_the_lora_is_as_large_as_the_published_one(full_size: MemoryPlan) -> None:
    """960 tensors, 163.58 M numbers; in bfloat16 the file is the published one but for 12 kB.

    ltx-2.3-22b-ic-lora-hdr-0.9.safetensors has 327,309,312 bytes, 153,600 of them header.
    """
    assert full_size.lora_tensors == 960
    assert full_size.lora_parameters == 163_577_856
    assert bytes_of(full_size)["LoRA file"] == 327_309_312 - 153_600


def test_the_base_is_the_video_half_of_22b(full_size: MemoryPlan) -> None:
    """13.12 of 18.99 B parameters, in bfloat16; the audio half is never there."""
    assert "LTX-2.3 as published" in full_size.model
    assert bytes_of(full_size)["frozen base"] == pytest.approx(13.124e9 * 2, rel=1e-3)


def test_it_fits_an_80_gb_gpu_and_says_of_what(full_size: MemoryPlan) -> None:
    """As LTX's own trainer is recommended for; 12,240 tokens of 89 frames at 960 x 544."""
    rows = bytes_of(full_size)
    assert full_size.tokens == 2 * 12 * 17 * 30
    assert rows["LoRA"] == 163_577_856 * 20
    assert rows["block inputs"] == 48 * 12_240 * 4096 * 2
    assert rows["latents"] == 300 * 6120 * (2 * 128 + 1) * 2
    assert 40e9 < full_size.total < 70e9


def test_what_autograd_keeps_is_what_was_planned(tmp_path: Path) -> None:
    """The tiny model is planned on meta and then run: the bytes agree to a tenth.

    The real run keeps a few scalars more, and fused attention keeps a sum for each query.
    """
    folder = tmp_path / "model"
    for part in ("transformer", "vae"):
        (folder / part).mkdir(parents=True)
    config = dict(tiny_transformer().config)
    (folder / "transformer" / "config.json").write_text(json.dumps(config))
    vae = {"latent_channels": 8, "spatial_compression_ratio": 8, "temporal_compression_ratio": 8}
    (folder / "vae" / "config.json").write_text(json.dumps(vae))
    recipe = tiny_recipe(tmp_path, folder)
    rows = bytes_of(plan_lora(recipe, "cpu"))
    block = rows["activations"] // (LAYERS + 1)
    planned = rows["ends"] // 2 + (LAYERS - 1) * block
    transformer = strip_audio(tiny_transformer())
    add_lora(transformer, recipe.lora.rank, 0)
    own = {parameter.untyped_storage().data_ptr() for parameter in transformer.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    tokens = 2 * 4 * 8
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        velocity = lora_velocity(
            transformer,
            torch.randn(2, tokens, CHANNELS),
            torch.randn(2, tokens, CHANNELS),
            torch.rand(2),
            torch.randn(1, 1024, WIDTH),
            (2, 4, 8),
            24.0,
            bf16=False,
        )
    assert velocity.requires_grad
    assert sum(kept.values()) == pytest.approx(planned, rel=0.1)
