"""Tiny random models of LTX-2's own classes, written as the real files are."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderKLLTX2Video, LTX2VideoTransformer3DModel
from diffusers.pipelines.ltx2.latent_upsampler import LTX2LatentUpsamplerModel
from safetensors.torch import save_file
from torch import nn

CHANNELS, WIDTH, LAYERS, RANK = 8, 64, 2, 4

LORA_MODULES = (
    *(f"{a}.{m}" for a in ("attn1", "attn2") for m in ("to_q", "to_k", "to_v", "to_out.0")),
    "ff.net.0.proj",
    "ff.net.2",
)


def tiny_transformer() -> LTX2VideoTransformer3DModel:
    """LTX-2.3's flags at width 64, audio half included, as published checkpoints have it."""
    torch.manual_seed(1)
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
        num_layers=LAYERS,
        gated_attn=True,
        cross_attn_mod=True,
        perturbed_attn=True,
        audio_gated_attn=True,
        audio_cross_attn_mod=True,
        use_prompt_embeddings=False,
        rope_type="split",
    )
    randomise(transformer, 0.1)
    return transformer


def tiny_vae() -> AutoencoderKLLTX2Video:
    """A VAE of 32x32x8, as the real one."""
    torch.manual_seed(2)
    vae = AutoencoderKLLTX2Video(
        latent_channels=CHANNELS,
        block_out_channels=(16, 16, 32, 32),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_block_out_channels=(16, 32, 64),
        decoder_layers_per_block=(1, 1, 1, 1),
        scaling_factor=0.9,
        decoder_spatial_padding_mode="zeros",
        spatial_compression_ratio=32,
        temporal_compression_ratio=8,
    )
    vae.latents_mean.copy_(torch.linspace(-0.2, 0.2, CHANNELS))
    vae.latents_std.copy_(torch.linspace(0.8, 1.2, CHANNELS))
    return vae


def quick_vae() -> AutoencoderKLLTX2Video:
    """A VAE of 8x8x8, so that small pictures have several latents an edge."""
    torch.manual_seed(2)
    return AutoencoderKLLTX2Video(
        latent_channels=CHANNELS,
        patch_size=4,
        block_out_channels=(16, 16, 16),
        down_block_types=("LTX2VideoDownBlock3D",) * 3,
        layers_per_block=(1, 1, 1, 1),
        spatio_temporal_scaling=(True, True, True),
        downsample_type=("spatiotemporal", "temporal", "temporal"),
        decoder_block_out_channels=(8, 16, 16),
        decoder_layers_per_block=(1, 1, 1, 1),
        decoder_spatio_temporal_scaling=(True, True, True),
        upsample_type=("temporal", "temporal", "spatiotemporal"),
        upsample_factor=(1, 1, 1),
        decoder_causal=False,
        decoder_spatial_padding_mode="zeros",
        spatial_compression_ratio=8,
        temporal_compression_ratio=8,
    )


def tiny_upsampler() -> LTX2LatentUpsamplerModel:
    """A latent upsampler that doubles height and width."""
    torch.manual_seed(3)
    return LTX2LatentUpsamplerModel(in_channels=CHANNELS, mid_channels=32, num_blocks_per_stage=1)


def tiny_lora() -> dict[str, torch.Tensor]:
    """A LoRA with the published key names, alpha equal to rank."""
    generator = torch.Generator().manual_seed(4)
    weights = {}
    for layer in range(LAYERS):
        for module in LORA_MODULES:
            rows = 4 * WIDTH if module == "ff.net.0.proj" else WIDTH
            columns = 4 * WIDTH if module == "ff.net.2" else WIDTH
            key = f"diffusion_model.transformer_blocks.{layer}.{module}"
            weights[f"{key}.lora_A.weight"] = 0.1 * torch.randn(RANK, columns, generator=generator)
            weights[f"{key}.lora_B.weight"] = 0.1 * torch.randn(rows, RANK, generator=generator)
    return weights


def randomise(module: nn.Module, std: float) -> None:
    """Give every parameter a value that matters, tables and biases included."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(std * torch.randn(parameter.shape, generator=generator))


def write_tiny_model(
    folder: Path, *, stages: int, vae: AutoencoderKLLTX2Video | None = None
) -> Path:
    """Write a whole model folder.

    Args:
        folder: Where.
        stages: 1, or 2 with a latent upsampler.
        vae: In place of :func:`tiny_vae`.
    """
    tiny_transformer().save_pretrained(folder / "transformer")
    (vae or tiny_vae()).save_pretrained(folder / "vae")
    if stages == 2:
        tiny_upsampler().save_pretrained(folder / "upsampler")
    save_file(
        tiny_lora(),
        folder / "hdr_lora.safetensors",
        metadata={"hdr_transform": "logc3", "reference_downscale_factor": "1"},
    )
    context = torch.randn(6, WIDTH, generator=torch.Generator().manual_seed(6))
    save_file({"video_context": context}, folder / "scene_embedding.safetensors")
    sigmas = "[1.0, 0.725, 0.421875, 0.0]"
    second = ", [0.909375, 0.725, 0.0]" if stages == 2 else ""
    (folder / "lumivid.toml").write_text(
        'name = "tiny"\n'
        'transfer = "logc3_rec709"\n'
        f"sigmas = [{sigmas}{second}]\n"
        "window_frames = 25\n"
        "overlap_frames = 9\n"
        'prompt_embedding = "scene_embedding.safetensors"\n'
        'lora = "hdr_lora.safetensors"\n'
    )
    return folder
