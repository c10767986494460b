"""The same model twice, ours and diffusers', with weights that mean nothing and lie on no disk.

A pool of random numbers is copied into every weight: what a weight is changes no time, and numbers
for 19 billion of them would take longer than the measurement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import (
    AutoencoderKLLTX2Video,
    FlowMatchEulerDiscreteScheduler,
    LTX2HDRPipeline,
    LTX2LatentUpsamplePipeline,
    LTX2VideoTransformer3DModel,
)
from diffusers.pipelines.ltx2.latent_upsampler import LTX2LatentUpsamplerModel
from torch import Tensor, nn

from lumivid_fx.color.transfer import get_transfer
from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.model.published import LTX_2_3, LTX_2_3_VAE
from lumivid_fx.model.shape import published_shape
from lumivid_fx.model.video_only import strip_audio

POOL = 1 << 22


@dataclass(frozen=True)
class Kind:
    """Configs of a model, and how wide its prompt is."""

    transformer: Mapping[str, Any]
    vae: Mapping[str, Any]
    upsampler: Mapping[str, Any]
    context: tuple[int, int]
    audio_width: int


FULL = Kind(LTX_2_3, LTX_2_3_VAE, {}, (1024, 4096), 2048)

SMALL = Kind(
    {
        **LTX_2_3,
        "in_channels": 8,
        "out_channels": 8,
        "num_layers": 2,
        "num_attention_heads": 4,
        "attention_head_dim": 16,
        "cross_attention_dim": 64,
        "audio_num_attention_heads": 4,
        "audio_attention_head_dim": 8,
        "audio_cross_attention_dim": 32,
    },
    {
        **LTX_2_3_VAE,
        "latent_channels": 8,
        "block_out_channels": (16, 16, 32, 32),
        "layers_per_block": (1,) * 5,
        "decoder_block_out_channels": (16, 32, 32, 64),
        "decoder_layers_per_block": (1,) * 5,
    },
    {"in_channels": 8, "mid_channels": 32, "num_blocks_per_stage": 1},
    (6, 64),
    32,
)
"""For a look at whether all of this runs, on a machine without a card."""


def ours(kind: Kind, device: str, dtype: torch.dtype) -> HdrModel:
    """Our model, read and placed nowhere: on the device it is made on."""
    transformer = strip_audio(_empty(LTX2VideoTransformer3DModel, kind.transformer))
    vae, upsampler = _others(kind, device, dtype)
    return HdrModel(
        manifest=published_shape().manifest,
        transformer=_filled(transformer, device, dtype),
        vae=vae,
        upsampler=upsampler,
        context=torch.randn(1, *kind.context).to(device, dtype),
        transfer=get_transfer("logc3_rec709"),
        digest="0" * 64,
        lora=("", 1.0),
    )


@dataclass(frozen=True)
class Theirs:
    """Diffusers' pipelines over one set of modules."""

    render: Any
    upsample: Any
    video: Tensor
    audio: Tensor


def theirs(kind: Kind, device: str, dtype: torch.dtype, *, offload: bool) -> Theirs:
    """Diffusers' two pipelines, audio half included, as they come.

    Args:
        kind: Configs.
        device: Where they run.
        dtype: Of transformer and upsampler.
        offload: Whether the transformer's blocks wait in main memory, by diffusers' own hooks.
    """
    at = "cpu" if offload else device
    transformer = _filled(_empty(LTX2VideoTransformer3DModel, kind.transformer), at, dtype)
    vae, upsampler = _others(kind, device, dtype)
    vae.enable_tiling()
    if offload:
        transformer.enable_group_offload(
            onload_device=torch.device(device),
            offload_type="block_level",
            num_blocks_per_group=1,
            use_stream=device != "cpu",
        )
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=False, shift_terminal=None)
    render = LTX2HDRPipeline(
        scheduler=scheduler,
        vae=vae,
        audio_vae=None,
        text_encoder=None,
        tokenizer=None,
        connectors=None,
        transformer=transformer,
        vocoder=None,
    )
    render.set_progress_bar_config(disable=True)
    upsample = LTX2LatentUpsamplePipeline(vae=vae, latent_upsampler=upsampler)
    video = torch.randn(1, *kind.context).to(device, dtype)
    audio = torch.randn(1, kind.context[0], kind.audio_width).to(device, dtype)
    return Theirs(render, upsample, video, audio)


def _others(kind: Kind, device: str, dtype: torch.dtype) -> tuple[Any, Any]:
    vae = _filled(_empty(AutoencoderKLLTX2Video, kind.vae), device, torch.float32)
    upsampler = _filled(_empty(LTX2LatentUpsamplerModel, kind.upsampler), device, dtype)
    return vae, upsampler


def _empty(kind: Any, config: Mapping[str, Any]) -> Any:
    with torch.device("meta"):
        return kind.from_config(dict(config))


def _filled(module: nn.Module, device: str, dtype: torch.dtype) -> Any:
    """A module of meta tensors with numbers in it, small enough for nothing to overflow."""
    pool = 0.02 * torch.randn(POOL, device=device, dtype=torch.float32)
    for part in module.modules():
        for name, parameter in part._parameters.items():
            if parameter is not None:
                numbers = _from_pool(pool, parameter.shape).to(dtype)
                part._parameters[name] = nn.Parameter(numbers, requires_grad=False)
        for name, buffer in part._buffers.items():
            if buffer is not None:
                part._buffers[name] = torch.ones(buffer.shape, device=device)
    return module.eval().requires_grad_(requires_grad=False)


def _from_pool(pool: Tensor, shape: Iterable[int]) -> Tensor:
    size = torch.Size(shape)
    whole, rest = divmod(size.numel(), len(pool))
    return torch.cat([*[pool] * whole, pool[:rest]]).view(size)
