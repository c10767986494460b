"""What training a LoRA takes, worked out on meta tensors: nothing is allocated, no weights needed.

The transformer is built from its ``config.json`` with its LoRA on the meta device, and two small
cuts of it, of one and two blocks, are run there to see what autograd keeps of a block. Attention is
counted as the fused kernels of a GPU have it, which keep no matrix of scores.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from lumivid_fx.errors import InputError
from lumivid_fx.model.library import find_model
from lumivid_fx.model.published import LTX_2_3, LTX_CONTEXT_TOKENS
from lumivid_fx.model.video_only import build_video_transformer
from lumivid_fx.train.adapter import add_lora, lora_velocity
from lumivid_fx.train.latents import Geometry, size_bytes
from lumivid_fx.train.recipe import Recipe

LTX_GEOMETRY = Geometry(channels=128, spatial=32, temporal=8)

LEARNED_BYTES = 4 + 4 + 8 + 4
"""A learned parameter in float32: itself, its gradient, AdamW's two moments, its average."""


@dataclass(frozen=True)
class Row:
    """A line of the plan.

    Attributes:
        name: What takes memory.
        bytes: How much.
        how: How it comes about.
    """

    name: str
    bytes: int
    how: str


@dataclass(frozen=True)
class MemoryPlan:
    """What a recipe takes.

    Attributes:
        model: Whose config it was worked out for.
        rows: On the device that trains.
        disk: Latents and checkpoints.
        lora_tensors: Tensors in the LoRA file.
        lora_parameters: Numbers in it.
        tokens: Tokens the transformer sees at once, reference included, of the longest clip.
    """

    model: str
    rows: tuple[Row, ...]
    disk: tuple[Row, ...]
    lora_tensors: int
    lora_parameters: int
    tokens: int

    @property
    def total(self) -> int:
        """Bytes on the device."""
        return sum(row.bytes for row in self.rows)


def plan_lora(recipe: Recipe, device: str) -> MemoryPlan:
    """Work out what a recipe takes.

    Args:
        recipe: The recipe; its model need not be there: LTX-2.3's published config is taken then.
        device: ``cpu``, where the base is held in float32, or ``cuda``, where in bfloat16.
    """
    told, config, geometry = _published(recipe)
    base_dtype = torch.float32 if device == "cpu" else torch.bfloat16
    width = _bytes_each(base_dtype)
    transformer = build_video_transformer(config)
    base = sum(parameter.numel() for parameter in transformer.parameters())
    learned = add_lora(transformer, recipe.lora.rank, 0)
    lora = sum(tensor.numel() for tensor in learned.values())
    layers = len(transformer.transformer_blocks)
    frames = max(recipe.clips.frames)
    grid = geometry.grid(frames, recipe.clips)
    tokens = 2 * geometry.tokens(frames, recipe.clips) * recipe.training.batch
    ends, block = _saved_bytes(config, recipe, grid, base_dtype)
    hidden = int(transformer.config.num_attention_heads * transformer.config.attention_head_dim)
    inputs = tokens * hidden * width
    rows = [
        Row("frozen base", base * width, f"{base / 1e9:.2f} B parameters, {_word(base_dtype)}"),
        Row("LoRA", lora * LEARNED_BYTES, f"{lora / 1e6:.2f} M, 20 bytes each: AdamW and average"),
    ]
    if recipe.training.gradient_checkpointing:
        rows.append(Row("block inputs", layers * inputs, f"{layers} blocks, {tokens} tokens"))
        rows.append(Row("a block worked backwards", 2 * block, "what it keeps, and its gradients"))
    else:
        rows.append(Row("activations", (layers + 1) * block, f"{layers} blocks, {tokens} tokens"))
    rows.append(Row("ends", 2 * ends, "first and last projection, and their gradients"))
    disk = (
        Row("latents", size_bytes(recipe, geometry), f"{recipe.clips.count} pairs"),
        Row("checkpoint", lora * 16, "weights, average and AdamW's moments"),
        Row("LoRA file", lora * 2, f"{len(learned)} tensors, {recipe.lora.dtype}"),
    )
    return MemoryPlan(told, tuple(rows), disk, len(learned), lora, tokens)


def _published(recipe: Recipe) -> tuple[str, dict[str, Any], Geometry]:
    """Whose config, and what it says of the transformer and the VAE."""
    try:
        folder = find_model(recipe.model.folder)
    except InputError:  # a name of a model that is not here yet
        folder = Path(recipe.model.folder or "")
    configs = [folder / part / "config.json" for part in ("transformer", "vae")]
    if not all(path.is_file() for path in configs):
        told = f"LTX-2.3 as published, for {folder} has no config.json of transformer and VAE"
        return told, LTX_2_3, LTX_GEOMETRY
    transformer, vae = (json.loads(path.read_text(encoding="utf-8")) for path in configs)
    geometry = Geometry(
        int(vae["latent_channels"]),
        int(vae["spatial_compression_ratio"]),
        int(vae["temporal_compression_ratio"]),
    )
    return str(folder), transformer, geometry


def _saved_bytes(
    config: dict[str, Any], recipe: Recipe, grid: tuple[int, int, int], dtype: torch.dtype
) -> tuple[int, int]:
    """Bytes that autograd keeps of the ends and the last block, and of any other block."""
    one, two = (_run_on_meta(config | {"num_layers": n}, recipe, grid, dtype) for n in (1, 2))
    return one, two - one


def _run_on_meta(
    config: dict[str, Any], recipe: Recipe, grid: tuple[int, int, int], dtype: torch.dtype
) -> int:
    transformer = build_video_transformer(config)
    _cast(transformer.parameters(), dtype)
    learned = add_lora(transformer, recipe.lora.rank, 0)
    working = torch.bfloat16 if recipe.training.precision == "bf16" else dtype
    _cast([*transformer.parameters(), *learned.values()], working)
    batch, tokens = recipe.training.batch, grid[0] * grid[1] * grid[2]
    own = {parameter.untyped_storage()._cdata for parameter in transformer.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        scores = tensor.ndim >= 3 and tuple(tensor.shape[-3:]) in scores_of
        if not scores and tensor.device.type == "meta":
            kept.setdefault(tensor.untyped_storage()._cdata, tensor)
        return tensor

    heads, both = int(transformer.config.num_attention_heads), (tokens, 2 * tokens)
    scores_of = {(heads * batch, q, k) for q in both for k in (2 * tokens, LTX_CONTEXT_TOKENS)}
    scores_of |= {(heads, q, k) for _, q, k in scores_of}
    with torch.device("meta"):
        channels = int(transformer.config.in_channels)
        width = int(transformer.config.cross_attention_dim)
        target, reference = (torch.empty(batch, tokens, channels, dtype=working) for _ in range(2))
        sigmas = torch.empty(batch)
        context = torch.empty(1, LTX_CONTEXT_TOKENS, width, dtype=working)
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        velocity = lora_velocity(
            transformer, target, reference, sigmas, context, grid, recipe.clips.fps, bf16=False
        )
    del velocity
    return sum(t.untyped_storage().nbytes() for key, t in kept.items() if key not in own)


def _cast(tensors: Iterable[Tensor], dtype: torch.dtype) -> None:
    for tensor in tensors:
        tensor.data = tensor.data.to(dtype)


def _bytes_each(dtype: torch.dtype) -> int:
    return int(dtype.itemsize)


def _word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
