"""Tiny models as Lightricks publishes them: its names, its config, audio beside the video.

The names are written down here once more, from diffusers' side: what is loaded is held against
these, not against the loader's own table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLLTX2Video
from safetensors.torch import save_file
from torch import Tensor

from tests.tiny_model import CHANNELS, WIDTH, tiny_lora, tiny_transformer, tiny_upsampler

CHECKPOINT = "ltx-2.3-22b-distilled-tiny.safetensors"
UPSAMPLER = "spatial-upscaler-x2.safetensors"
HDR_LORA = "ic-lora-hdr.safetensors"
EMBEDDING = "ic-lora-hdr-scene-emb.safetensors"

HDR_METADATA = {"hdr_transform": "logc3", "reference_downscale_factor": "1"}

TRANSFORMER_CONFIG: dict[str, Any] = {
    "_class_name": "AVTransformer3DModel",
    "activation_fn": "gelu-approximate",
    "apply_gated_attention": True,
    "attention_head_dim": WIDTH // 4,
    "audio_attention_head_dim": 8,
    "audio_cross_attention_dim": 32,
    "audio_in_channels": 8,
    "audio_num_attention_heads": 4,
    "audio_out_channels": 8,
    "caption_channels": 48,
    "caption_proj_before_connector": True,
    "cross_attention_adaln": True,
    "cross_attention_dim": WIDTH,
    "frequencies_precision": "float64",
    "in_channels": CHANNELS,
    "norm_eps": 1e-06,
    "num_attention_heads": 4,
    "num_layers": 2,
    "out_channels": CHANNELS,
    "positional_embedding_max_pos": [20, 2048, 2048],
    "positional_embedding_theta": 10000.0,
    "rope_type": "split",
    "timestep_scale_multiplier": 1000,
}

VAE_CONFIG: dict[str, Any] = {
    "_class_name": "CausalVideoAutoencoder",
    "causal_decoder": False,
    "decoder_base_channels": 8,
    "decoder_blocks": [
        ["res_x", {"num_layers": 1}],
        ["compress_space", {"multiplier": 2}],
        ["res_x", {"num_layers": 2}],
        ["compress_time", {"multiplier": 2}],
        ["res_x", {"num_layers": 1}],
        ["compress_all", {"multiplier": 1}],
        ["res_x", {"num_layers": 1}],
        ["compress_all", {"multiplier": 2}],
        ["res_x", {"num_layers": 1}],
    ],
    "encoder_base_channels": CHANNELS,
    "encoder_blocks": [
        ["res_x", {"num_layers": 1}],
        ["compress_space_res", {"multiplier": 2}],
        ["res_x", {"num_layers": 2}],
        ["compress_time_res", {"multiplier": 2}],
        ["res_x", {"num_layers": 1}],
        ["compress_all_res", {"multiplier": 2}],
        ["res_x", {"num_layers": 1}],
        ["compress_all_res", {"multiplier": 1}],
        ["res_x", {"num_layers": 1}],
    ],
    "in_channels": 3,
    "latent_channels": CHANNELS,
    "out_channels": 3,
    "patch_size": 4,
    "scaling_factor": 1.0,
    "spatial_padding_mode": "zeros",
    "timestep_conditioning": False,
}
"""Of the blocks that LTX-2.3 has, in its order, with fewer and narrower layers."""

BLOCKS = ["spatial", "temporal", "spatiotemporal", "spatiotemporal"]


def official_vae() -> AutoencoderKLLTX2Video:
    """The same VAE in diffusers' class."""
    torch.manual_seed(2)
    vae = AutoencoderKLLTX2Video(
        latent_channels=CHANNELS,
        block_out_channels=(16, 32, 64, 64),
        layers_per_block=(1, 2, 1, 1, 1),
        downsample_type=BLOCKS,
        decoder_block_out_channels=(16, 32, 32, 64),
        decoder_layers_per_block=(1, 2, 1, 1, 1),
        decoder_spatio_temporal_scaling=(True,) * 4,
        decoder_inject_noise=(False,) * 5,
        upsample_type=BLOCKS[::-1],
        upsample_residual=(False,) * 4,
        upsample_factor=(2, 2, 1, 2),
        decoder_causal=False,
        decoder_spatial_padding_mode="zeros",
        spatial_compression_ratio=32,
        temporal_compression_ratio=8,
    )
    vae.latents_mean.copy_(torch.linspace(-0.2, 0.2, CHANNELS))
    vae.latents_std.copy_(torch.linspace(0.8, 1.2, CHANNELS))
    return vae


TRANSFORMER_NAMES = (
    ("proj_in.", "patchify_proj."),
    ("audio_proj_in.", "audio_patchify_proj."),
    ("time_embed.", "adaln_single."),
    ("audio_time_embed.", "audio_adaln_single."),
    ("prompt_adaln.", "prompt_adaln_single."),
    ("audio_prompt_adaln.", "audio_prompt_adaln_single."),
    ("av_cross_attn_video_scale_shift.", "av_ca_video_scale_shift_adaln_single."),
    ("av_cross_attn_audio_scale_shift.", "av_ca_audio_scale_shift_adaln_single."),
    ("av_cross_attn_video_a2v_gate.", "av_ca_a2v_gate_adaln_single."),
    ("av_cross_attn_audio_v2a_gate.", "av_ca_v2a_gate_adaln_single."),
)
"""First words, diffusers' and Lightricks'."""

BLOCK_NAMES = (
    ("video_a2v_cross_attn_scale_shift_table", "scale_shift_table_a2v_ca_video"),
    ("audio_a2v_cross_attn_scale_shift_table", "scale_shift_table_a2v_ca_audio"),
    ("norm_q", "q_norm"),
    ("norm_k", "k_norm"),
)
"""Words inside a block."""


def official_transformer_name(name: str) -> str:
    """Lightricks' name of a tensor of diffusers' transformer."""
    for ours, theirs in TRANSFORMER_NAMES:
        if name.startswith(ours):
            name = theirs + name.removeprefix(ours)
            break
    for ours, theirs in BLOCK_NAMES:
        name = name.replace(ours, theirs)
    return name


def official_vae_name(name: str) -> str:
    """Lightricks' name of a tensor of diffusers' VAE: blocks and resamplers are counted alike."""
    if name.startswith("latents_"):
        return f"per_channel_statistics.{name.removeprefix('latents_')}-of-means"
    half, kind, *rest = name.split(".")
    if kind == "mid_block":
        number = {"encoder": 8, "decoder": 0}[half]
    elif kind in ("down_blocks", "up_blocks"):
        block, rest = int(rest[0]), rest[1:]
        resamples = rest[0] in ("downsamplers", "upsamplers")
        rest = rest[2:] if resamples else rest
        before, after = (1, 0) if half == "encoder" else (1, 2)
        number = 2 * block + (before if resamples else after)
    else:
        return name
    blocks = {"encoder": "down_blocks", "decoder": "up_blocks"}[half]
    return ".".join([half, blocks, str(number), *rest]).replace("resnets.", "res_blocks.")


def transformer_tensors(prefix: str = "model.diffusion_model.") -> dict[str, Tensor]:
    """The transformer's tensors, audio included, and a text connector beside them."""
    state = tiny_transformer().state_dict()
    tensors = {prefix + official_transformer_name(name): t for name, t in state.items()}
    for word in ("video", "audio"):
        tensors[f"{prefix}{word}_embeddings_connector.learnable_registers"] = torch.ones(4, WIDTH)
    return tensors


def vae_tensors(prefix: str = "vae.") -> dict[str, Tensor]:
    """The video VAE's tensors, and statistics that nobody needs."""
    state = official_vae().state_dict()
    tensors = {prefix + official_vae_name(name): t for name, t in state.items()}
    tensors[f"{prefix}per_channel_statistics.channel"] = torch.arange(CHANNELS).float()
    tensors[f"{prefix}per_channel_statistics.mean-of-stds"] = torch.ones(CHANNELS)
    return tensors


def audio_tensors() -> dict[str, Tensor]:
    """What else a single-file checkpoint holds."""
    return {
        "audio_vae.encoder.conv_in.conv.weight": torch.ones(4, 2, 3, 3),
        "audio_vae.per_channel_statistics.mean-of-means": torch.ones(4),
        "vocoder.conv_pre.weight": torch.ones(4, 4, 7),
        "text_embedding_projection.video_aggregate_embed.weight": torch.ones(4, 4),
    }


def config(**changes: Mapping[str, Any]) -> dict[str, str]:
    """A checkpoint's metadata, parts of its config changed."""
    whole = {
        "transformer": {**TRANSFORMER_CONFIG, **changes.get("transformer", {})},
        "vae": {**VAE_CONFIG, **changes.get("vae", {})},
        "audio_vae": {"model": {}},
    }
    return {"config": json.dumps(whole), "model_version": "2.3.0"}


def write_checkpoint(path: Path, *, fp8: bool = False) -> Path:
    """The single file: transformer, VAE, connectors and audio all in one.

    Args:
        path: Where.
        fp8: The blocks' matrices in float8 with a scale each, as the fp8 release has them.
    """
    tensors = transformer_tensors()
    if fp8:
        tensors = as_fp8(tensors)
    save(path, {**tensors, **vae_tensors(), **audio_tensors()}, config())
    return path


def as_fp8(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Matrices inside blocks divided by their scale and stored as float8, the rest in bfloat16."""
    stored = {}
    for name, tensor in tensors.items():
        if "transformer_blocks" in name and name.endswith(".weight") and tensor.ndim == 2:
            scale = tensor.abs().max() / 448  # the largest number of e4m3
            module = name.removesuffix(".weight")
            stored[name] = (tensor / scale).to(torch.float8_e4m3fn)
            stored[f"{module}.weight_scale"] = scale
            stored[f"{module}.input_scale"] = torch.tensor(1.0)
        else:
            stored[name] = tensor.bfloat16()
    return stored


def write_parts(folder: Path) -> dict[str, Path]:
    """Upsampler, LoRA and scene embedding, each in its own file."""
    paths = {name: folder / name for name in (UPSAMPLER, HDR_LORA, EMBEDDING)}
    save(paths[UPSAMPLER], tiny_upsampler().state_dict(), {"config": "{}"})
    save(paths[HDR_LORA], tiny_lora(), HDR_METADATA)
    context = torch.randn(6, WIDTH, generator=torch.Generator().manual_seed(6))
    both = {"video_context": context, "audio_context": torch.zeros(6, 32)}
    save(paths[EMBEDDING], both)
    return paths


def save(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> Path:
    """Write a safetensors file."""
    plain = {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
    save_file(plain, path, dict(metadata) if metadata else None)
    return path
