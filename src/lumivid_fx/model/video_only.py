"""The LTX-2 transformer without its audio half: same weights, same velocity, 31 % less to hold.

LTX-2 transformers carry a video and an audio stream that exchange words through cross-attention.
HDR needs the video alone. Here the audio modules are taken out of diffusers' own class, and the
video path runs over the submodules that are left. The result equals the stock forward with
``isolate_modalities=True``.

Two more things are cheaper here than in the stock forward, without changing the arithmetic:
modulation is computed once for each *group* of tokens that share a timestep (the noisy target, the
clean reference) instead of once for each token, and the last block answers only for the tokens
that are asked for, as no block after it looks at the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import torch
from diffusers import LTX2VideoTransformer3DModel
from torch import Tensor

AUDIO_MARKS = ("audio", "av_cross_attn", "a2v", "cross_attn_rope")
"""Parts of a parameter's name that say it serves the audio stream (diffusers' names)."""

TIMESTEP_SCALE = 1000.0
"""The transformer takes sigma times this (diffusers' ``timestep_scale_multiplier``)."""


def is_audio(name: str) -> bool:
    """Say whether a parameter or module of this dotted name belongs to the audio stream."""
    return any(mark in name for mark in AUDIO_MARKS)


def strip_audio(transformer: LTX2VideoTransformer3DModel) -> LTX2VideoTransformer3DModel:
    """Remove the audio modules and parameters from a transformer, in place.

    Works on the meta device too, so that audio weights need never be allocated.

    Args:
        transformer: A stock LTX-2 video and audio transformer.

    Returns:
        The same object; only :func:`predict_velocity` can run it from now on.
    """
    for module in [transformer, *transformer.transformer_blocks]:
        held = [*module._modules, *module._parameters]
        for name in [n for n in held if is_audio(n)]:
            delattr(module, name)
    return transformer


def build_video_transformer(config: dict[str, Any]) -> LTX2VideoTransformer3DModel:
    """Make a video-only transformer with uninitialised weights on the meta device.

    Args:
        config: The ``config.json`` of an LTX-2 transformer.
    """
    with torch.device("meta"):
        transformer = LTX2VideoTransformer3DModel.from_config(config)
    return strip_audio(transformer)


def predict_velocity(
    transformer: LTX2VideoTransformer3DModel,
    groups: Sequence[Tensor],
    sigmas: Sequence[Tensor],
    positions: Tensor,
    context: Tensor,
    outputs: int = 1,
    blocks: Iterable[Any] | None = None,
    *,
    compiled: bool = False,
) -> tuple[Tensor, ...]:
    """Run the video stream once.

    Args:
        transformer: From :func:`strip_audio` (a LoRA may ride on it).
        groups: Token groups ``b n c``, the noisy target first, then clean references.
        sigmas: One noise level ``b`` for each group, in [0, 1]; 0 marks a clean reference.
        positions: Coordinates ``b 3 n 2`` of all tokens (seconds, pixels, pixels), groups in order.
        context: Prompt embedding ``b m d``, at the transformer's own width.
        outputs: How many of the groups, from the first, are wanted back.
        blocks: The transformer's, as they come where they take turns on the device.
        compiled: Run blocks compiled; the first pass of a size then takes minutes longer.

    Returns:
        Velocity ``b n c`` of each wanted group.
    """
    lengths = [tokens.shape[1] for tokens in groups]
    hidden: Tensor = transformer.proj_in(torch.cat(list(groups), dim=1))
    rotary = transformer.rope(positions, device=hidden.device)
    levels = torch.stack(list(sigmas), dim=1) * TIMESTEP_SCALE
    modulation, embedded = _modulation(transformer.time_embed, levels, hidden.dtype)
    prompt_modulation = None
    if getattr(transformer, "prompt_adaln", None) is not None:
        prompt_modulation, _ = _modulation(transformer.prompt_adaln, levels[:, :1], hidden.dtype)
    run = _compiled() if compiled else _run_block
    last = len(transformer.transformer_blocks) - 1
    for index, block in enumerate(transformer.transformer_blocks if blocks is None else blocks):
        kept = lengths[:outputs] if index == last else lengths
        step = (hidden, context, modulation, prompt_modulation, rotary, lengths, kept)
        if torch.is_grad_enabled() and transformer.gradient_checkpointing:
            hidden = transformer._gradient_checkpointing_func(run, block, *step)
        else:
            hidden = run(block, *step)
    shift, scale = (transformer.scale_shift_table + embedded[:, :, None]).unbind(dim=2)
    modulated = _modulate(transformer.norm_out(hidden), shift, scale, lengths[:outputs])
    velocity: Tensor = transformer.proj_out(modulated)
    parts: tuple[Tensor, ...] = velocity.split(lengths[:outputs], dim=1)
    return parts


def _modulation(embed: Any, levels: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    batch, groups = levels.shape
    values, embedded = embed(levels.flatten(), batch_size=batch, hidden_dtype=dtype)
    return values.view(batch, groups, -1), embedded.view(batch, groups, -1)


@cache
def _compiled() -> Callable[..., Tensor]:
    """A block, compiled: one graph serves all blocks of a size, and one the last of them."""
    return torch.compile(_run_block, dynamic=False)


def _run_block(
    block: Any,
    hidden: Tensor,
    context: Tensor,
    modulation: Tensor,
    prompt_modulation: Tensor | None,
    rotary: tuple[Tensor, Tensor],
    lengths: Sequence[int],
    kept: Sequence[int],
) -> Tensor:
    """Run one block on all tokens; only the `kept` groups, from the first, ask and come back."""
    table: Tensor = block.scale_shift_table
    params = (table + modulation.unflatten(2, (table.shape[0], -1))).unbind(dim=2)

    normed = _modulate(block.norm1(hidden), params[0], params[1], lengths)
    count, lengths = sum(kept), kept
    attended: Tensor = block.attn1(
        normed[:, :count],
        encoder_hidden_states=normed,
        query_rotary_emb=(rotary[0][..., :count, :], rotary[1][..., :count, :]),
        key_rotary_emb=rotary,
    )
    hidden = hidden[:, :count] + _gate(attended, params[2], lengths)

    query: Tensor = block.norm2(hidden)
    if block.video_cross_attn_adaln:
        query = _modulate(query, params[6], params[7], lengths)
        prompt: Tensor = block.prompt_scale_shift_table[None, None]
        if prompt_modulation is not None:
            prompt = prompt + prompt_modulation.unflatten(2, (2, -1))
        shift, scale = prompt.unbind(dim=2)
        context = context * (1 + scale) + shift
    attended = block.attn2(query, encoder_hidden_states=context)
    if block.video_cross_attn_adaln:
        attended = _gate(attended, params[8], lengths)
    hidden = hidden + attended

    fed: Tensor = block.ff(_modulate(block.norm3(hidden), params[3], params[4], lengths))
    return hidden + _gate(fed, params[5], lengths)


def _modulate(x: Tensor, shift: Tensor, scale: Tensor, lengths: Sequence[int]) -> Tensor:
    parts = x.split(list(lengths), dim=1)
    return torch.cat(
        [p * (1 + scale[:, i, None]) + shift[:, i, None] for i, p in enumerate(parts)], dim=1
    )


def _gate(x: Tensor, gate: Tensor, lengths: Sequence[int]) -> Tensor:
    parts = x.split(list(lengths), dim=1)
    return torch.cat([p * gate[:, i, None] for i, p in enumerate(parts)], dim=1)
