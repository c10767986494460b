"""Lightricks' names and config in diffusers' terms, at the published model's own size."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLLTX2Video, LTX2VideoTransformer3DModel
from diffusers.pipelines.ltx2.latent_upsampler import LTX2LatentUpsamplerModel
from tests.official_files import official_transformer_name, official_vae_name

from lumivid_fx.model.official import (
    UnknownLayoutError,
    transformer_config,
    transformer_name,
    upsampler_config,
    vae_config,
    vae_name,
)
from lumivid_fx.model.tensor_file import TensorEntry
from lumivid_fx.model.video_only import build_video_transformer, is_audio

PUBLISHED_TRANSFORMER: dict[str, Any] = {
    "apply_gated_attention": True,
    "attention_head_dim": 128,
    "audio_attention_head_dim": 64,
    "audio_cross_attention_dim": 2048,
    "audio_num_attention_heads": 32,
    "audio_out_channels": 128,
    "caption_channels": 3840,
    "caption_proj_before_connector": True,
    "cross_attention_adaln": True,
    "cross_attention_dim": 4096,
    "frequencies_precision": "float64",
    "in_channels": 128,
    "norm_eps": 1e-06,
    "num_attention_heads": 32,
    "num_layers": 48,
    "out_channels": 128,
    "positional_embedding_max_pos": [20, 2048, 2048],
    "positional_embedding_theta": 10000.0,
    "qk_norm": "rms_norm",
    "rope_type": "split",
    "timestep_scale_multiplier": 1000,
}

PUBLISHED_VAE: dict[str, Any] = {
    "_class_name": "CausalVideoAutoencoder",
    "causal_decoder": False,
    "decoder_base_channels": 128,
    "decoder_blocks": [
        ["res_x", {"num_layers": 4}],
        ["compress_space", {"multiplier": 2}],
        ["res_x", {"num_layers": 6}],
        ["compress_time", {"multiplier": 2}],
        ["res_x", {"num_layers": 4}],
        ["compress_all", {"multiplier": 1}],
        ["res_x", {"num_layers": 2}],
        ["compress_all", {"multiplier": 2}],
        ["res_x", {"num_layers": 2}],
    ],
    "encoder_base_channels": 128,
    "encoder_blocks": [
        ["res_x", {"num_layers": 4}],
        ["compress_space_res", {"multiplier": 2}],
        ["res_x", {"num_layers": 6}],
        ["compress_time_res", {"multiplier": 2}],
        ["res_x", {"num_layers": 4}],
        ["compress_all_res", {"multiplier": 2}],
        ["res_x", {"num_layers": 2}],
        ["compress_all_res", {"multiplier": 1}],
        ["res_x", {"num_layers": 2}],
    ],
    "in_channels": 3,
    "latent_channels": 128,
    "out_channels": 3,
    "patch_size": 4,
    "scaling_factor": 1.0,
    "spatial_padding_mode": "zeros",
    "timestep_conditioning": False,
}
"""Of LTX-2.3, as third parties have copied it from the checkpoint's metadata."""

CONVERTED_VAE: dict[str, Any] = {
    "block_out_channels": [256, 512, 1024, 1024],
    "decoder_block_out_channels": [256, 512, 512, 1024],
    "layers_per_block": [4, 6, 4, 2, 2],
    "decoder_layers_per_block": [4, 6, 4, 2, 2],
    "downsample_type": ["spatial", "temporal", "spatiotemporal", "spatiotemporal"],
    "upsample_type": ["spatiotemporal", "spatiotemporal", "temporal", "spatial"],
    "upsample_residual": [False] * 4,
    "upsample_factor": [2, 2, 1, 2],
    "timestep_conditioning": False,
    "decoder_causal": False,
    "encoder_spatial_padding_mode": "zeros",
    "decoder_spatial_padding_mode": "zeros",
    "spatial_compression_ratio": 32,
    "temporal_compression_ratio": 8,
}
"""What diffusers' own script gives LTX-2.3's VAE."""


@pytest.fixture(scope="module")
def whole() -> LTX2VideoTransformer3DModel:
    """The published transformer, audio included, without weights."""
    with torch.device("meta"):
        return LTX2VideoTransformer3DModel.from_config(
            transformer_config(PUBLISHED_TRANSFORMER, (8, 32))
        )


def test_published_transformer(whole: LTX2VideoTransformer3DModel) -> None:
    """19 billion parameters come out as they were counted, 13.1 of them the video's."""
    assert sum(p.numel() for p in whole.parameters()) == pytest.approx(18.99e9, rel=1e-3)
    video = build_video_transformer(dict(whole.config))
    assert sum(p.numel() for p in video.parameters()) == pytest.approx(13.12e9, rel=1e-3)
    assert whole.config["rope_double_precision"]
    assert not whole.config["use_prompt_embeddings"]


def test_every_video_tensor_finds_its_name(whole: LTX2VideoTransformer3DModel) -> None:
    """From Lightricks' names, all of the video's tensors come back, and none of the audio's."""
    for name in whole.state_dict():
        official = official_transformer_name(name)
        assert transformer_name(official) == (None if is_audio(name) else name)
    for spare in (
        "video_embeddings_connector.transformer_1d_blocks.0.attn1.to_q.weight",
        "audio_embeddings_connector.learnable_registers",
        "text_embedding_projection.video_aggregate_embed.weight",
        "transformer_blocks.0.attn1.to_q.weight_scale",
        "transformer_blocks.0.attn1.to_q.input_scale",
    ):
        assert transformer_name(spare) is None


def test_published_lora_fits(whole: LTX2VideoTransformer3DModel) -> None:
    """960 matrices of rank 32 over ten modules of 48 blocks are 163.58 million numbers."""
    modules = [f"{a}.{m}" for a in ("attn1", "attn2") for m in ("to_q", "to_k", "to_v", "to_out.0")]
    modules += ["ff.net.0.proj", "ff.net.2"]
    state = whole.state_dict()
    shapes = [
        state[f"transformer_blocks.{block}.{module}.weight"].shape
        for block in range(48)
        for module in modules
    ]
    assert 2 * len(shapes) == 960
    assert sum(32 * (rows + columns) for rows, columns in shapes) == 163_577_856


def test_published_vae() -> None:
    """The block lists give what diffusers' script writes down for LTX-2.3, and its names."""
    config = vae_config(PUBLISHED_VAE)
    assert {name: config[name] for name in CONVERTED_VAE} == CONVERTED_VAE
    with torch.device("meta"):
        vae = AutoencoderKLLTX2Video.from_config(config)
    assert sum(p.numel() for p in vae.parameters()) == pytest.approx(0.73e9, rel=0.01)
    for name in vae.state_dict():
        assert vae_name(official_vae_name(name), 9) == name
    assert vae_name("per_channel_statistics.mean-of-stds", 9) is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"_class_name": "CausalDiffusionVAE"}, "a VAE of the kind CausalDiffusionVAE"),
        ({"encoder_base_channels": 64}, "begins wider than its latents"),
        ({"decoder_blocks": [["attn", {}]]}, "block 'attn' that is not known"),
        ({"decoder_blocks": [["res_x", {"num_layers": 1}]] * 2}, "block 'res_x'"),
        ({"encoder_blocks": []}, "not layers and resamplers in turn"),
    ],
)
def test_vaes_of_another_kind(changes: dict[str, Any], told: str) -> None:
    """What cannot be built is told before anything is."""
    with pytest.raises(UnknownLayoutError, match=told):
        vae_config({**PUBLISHED_VAE, **changes})


def upsampler_entries(**settings: Any) -> dict[str, TensorEntry]:
    """The header of an upsampler of other settings, made by diffusers."""
    model = LTX2LatentUpsamplerModel(
        in_channels=8, mid_channels=32, num_blocks_per_stage=2, **settings
    )
    return {name: TensorEntry("F32", tuple(t.shape)) for name, t in model.state_dict().items()}


@pytest.mark.parametrize("rational", [True, False])
def test_upsampler_is_read_off_its_tensors(rational: bool) -> None:
    """Both ways in which a latent is doubled, and their sizes."""
    config = upsampler_config(upsampler_entries(use_rational_resampler=rational))
    assert (config["in_channels"], config["mid_channels"], config["dims"]) == (8, 32, 3)
    assert config["num_blocks_per_stage"] == 2
    assert config["use_rational_resampler"] == rational


@pytest.mark.parametrize(
    "settings",
    [
        {"rational_spatial_scale": 1.5},
        {"rational_spatial_scale": 4.0},
        {"spatial_upsample": False, "temporal_upsample": True},
        {"spatial_upsample": True, "temporal_upsample": True},
    ],
)
def test_upsampler_of_another_factor(settings: dict[str, Any]) -> None:
    """x1.5, x4 and the temporal one are refused with the name of the right file."""
    with pytest.raises(UnknownLayoutError, match=r"give ltx-2\.3-spatial-upscaler-x2-1\.1"):
        upsampler_config(upsampler_entries(**settings))
