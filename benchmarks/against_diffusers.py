"""One window by us and by diffusers' LTX2HDRPipeline: same weights, steps and machine.

The model is LTX-2.3's shape made small: the same flags, the real proportions of video to audio
(width 2 to 1), 1024 prompt tokens as in the published scene embedding, 8 distilled steps.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLLTX2Video,
    FlowMatchEulerDiscreteScheduler,
    LTX2HDRPipeline,
    LTX2VideoTransformer3DModel,
)
from diffusers.pipelines.ltx2.pipeline_ltx2_hdr_lora import LTX2HDRReferenceCondition
from diffusers.utils import logging
from PIL import Image
from safetensors.torch import save_file

from benchmarks.table import show, take_turns
from lumivid_fx.model.checkpoint import load_model
from lumivid_fx.model.schedules import DISTILLED_SIGMAS
from lumivid_fx.pipeline.noise import SeededNoise
from lumivid_fx.pipeline.render_window import Sampling, render_window

WIDTH, LAYERS, CHANNELS, RANK = 512, 6, 32, 32
FRAMES, HEIGHT, PICTURE_WIDTH = 17, 256, 448
MODULES = (
    *(f"{a}.{m}" for a in ("attn1", "attn2") for m in ("to_q", "to_k", "to_v", "to_out.0")),
    "ff.net.0.proj",
    "ff.net.2",
)


def _transformer() -> LTX2VideoTransformer3DModel:
    return LTX2VideoTransformer3DModel(
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        num_attention_heads=8,
        attention_head_dim=WIDTH // 8,
        cross_attention_dim=WIDTH,
        audio_in_channels=128,
        audio_out_channels=128,
        audio_num_attention_heads=8,
        audio_attention_head_dim=WIDTH // 16,
        audio_cross_attention_dim=WIDTH // 2,
        num_layers=LAYERS,
        gated_attn=True,
        cross_attn_mod=True,
        perturbed_attn=True,
        audio_gated_attn=True,
        audio_cross_attn_mod=True,
        use_prompt_embeddings=False,
        rope_type="split",
        vae_scale_factors=(8, 16, 16),
    )


def _vae() -> AutoencoderKLLTX2Video:
    return AutoencoderKLLTX2Video(
        latent_channels=CHANNELS,
        patch_size=4,
        block_out_channels=(64, 64, 64),
        down_block_types=("LTX2VideoDownBlock3D",) * 3,
        layers_per_block=(1, 1, 1, 1),
        spatio_temporal_scaling=(True, True, True),
        downsample_type=("spatiotemporal", "spatiotemporal", "temporal"),
        decoder_block_out_channels=(64, 64, 64),
        decoder_layers_per_block=(1, 1, 1, 1),
        upsample_type=("temporal", "spatiotemporal", "spatiotemporal"),
        upsample_factor=(1, 1, 1),
        decoder_spatial_padding_mode="zeros",
        spatial_compression_ratio=16,
        temporal_compression_ratio=8,
    )


def _lora() -> dict[str, torch.Tensor]:
    weights = {}
    for layer in range(LAYERS):
        for module in MODULES:
            rows = 4 * WIDTH if module == "ff.net.0.proj" else WIDTH
            columns = 4 * WIDTH if module == "ff.net.2" else WIDTH
            key = f"diffusion_model.transformer_blocks.{layer}.{module}"
            weights[f"{key}.lora_A.weight"] = 0.02 * torch.randn(RANK, columns)
            weights[f"{key}.lora_B.weight"] = 0.02 * torch.randn(rows, RANK)
    return weights


def _write(folder: Path) -> None:
    torch.manual_seed(0)
    _transformer().save_pretrained(folder / "transformer")
    _vae().save_pretrained(folder / "vae")
    save_file(_lora(), folder / "hdr_lora.safetensors", metadata={"hdr_transform": "logc3"})
    save_file({"video_context": torch.randn(1024, WIDTH)}, folder / "scene_embedding.safetensors")
    (folder / "lumivid.toml").write_text(
        'name = "benchmark"\ntransfer = "logc3_rec709"\n'
        f"sigmas = [{list(DISTILLED_SIGMAS)}]\n"
        "window_frames = 25\noverlap_frames = 9\n"
        'prompt_embedding = "scene_embedding.safetensors"\nlora = "hdr_lora.safetensors"\n'
    )


def _pipeline(folder: Path, *, fuse: bool) -> Any:
    pipeline = LTX2HDRPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=False, shift_terminal=None),
        vae=AutoencoderKLLTX2Video.from_pretrained(folder / "vae"),
        audio_vae=None,
        text_encoder=None,
        tokenizer=None,
        connectors=None,
        transformer=LTX2VideoTransformer3DModel.from_pretrained(folder / "transformer"),
        vocoder=None,
    )
    pipeline.load_lora_weights(folder, weight_name="hdr_lora.safetensors", adapter_name="hdr")
    if fuse:
        pipeline.fuse_lora(components=["transformer"])
        pipeline.unload_lora_weights()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def main() -> None:
    """Measure and print."""
    logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder)
        model = load_model(folder)
        codes = torch.rand(FRAMES, 3, HEIGHT, PICTURE_WIDTH)
        sampling = Sampling(SeededNoise(0), model.manifest.sigmas, fps=24.0)
        pictures = [
            Image.fromarray((c.permute(1, 2, 0).numpy() * 255).astype("uint8")) for c in codes
        ]
        video, audio = torch.randn(1, 1024, WIDTH), torch.randn(1, 1024, WIDTH // 2)

        def stock(pipeline: Any) -> None:
            pipeline(
                reference_conditions=LTX2HDRReferenceCondition(frames=pictures, strength=1.0),
                height=HEIGHT,
                width=PICTURE_WIDTH,
                num_frames=FRAMES,
                sigmas=list(DISTILLED_SIGMAS[:-1]),
                num_inference_steps=8,
                connector_video_embeds=video,
                connector_audio_embeds=audio,
                generator=torch.Generator().manual_seed(0),
            )

        loaded, fused = _pipeline(folder, fuse=False), _pipeline(folder, fuse=True)
        ours, as_documented, with_fusing = take_turns(
            [
                lambda: render_window(model, codes, 0, sampling, lambda *_: None),
                lambda: stock(loaded),
                lambda: stock(fused),
            ],
            rounds=2,
        )
    show(
        f"One window of {FRAMES} x {PICTURE_WIDTH} x {HEIGHT}, 8 steps, encode to decode",
        ("", "seconds", "times ours"),
        [
            ("lumivid-fx", f"{ours:.2f}", "1.00"),
            ("LTX2HDRPipeline, LoRA loaded", f"{as_documented:.2f}", f"{as_documented / ours:.2f}"),
            ("LTX2HDRPipeline, LoRA fused", f"{with_fusing:.2f}", f"{with_fusing / ours:.2f}"),
        ],
    )


if __name__ == "__main__":
    main()
