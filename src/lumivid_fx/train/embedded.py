"""What the embedded model is and sees: its shape, its clips, and what its stages share.

The classes are LTX-2's own (diffusers), made small. Stages, each of which checkpoints and goes on
where it was:

vae       the video autoencoder, on SDR clips and LogC3 clips alike (`embedded_vae`)
prior     the transformer, on SDR targets, with a degraded SDR reference as clean tokens
          (`embedded_transformer`)
lora      a LoRA and a scene embedding on the frozen prior, on LogC3 targets with the SDR reference

``lumivid train embedded`` runs them all from a recipe, ``scripts/train_embedded.py`` in a budget of
minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator

from lumivid_fx.color.transfer import LOGC3_REC709, Transfer
from lumivid_fx.train import clips
from lumivid_fx.train.degradations import Faults
from lumivid_fx.train.scenes import Scenes, made_up_environment
from lumivid_fx.train.trainer import step_generator

FPS = 24.0

HELD_OUT = (
    "autoshop_01",
    "christmas_photo_studio_07",
    "kloppenheim_05",
    "leadenhall_market",
    "modern_buildings_2",
    "rainforest_trail",
    "st_peters_square_night",
    "thatch_chapel",
)
"""Maps that no stage ever sees; the model card's figures are measured on them."""

VAE_CONFIG: dict[str, Any] = {
    "patch_size": 4,
    "latent_channels": 96,
    "block_out_channels": (96, 96, 192),
    "down_block_types": ("LTX2VideoDownBlock3D",) * 3,
    "layers_per_block": (1, 1, 1, 1),
    "spatio_temporal_scaling": (True, True, True),
    "downsample_type": ("spatiotemporal", "spatiotemporal", "temporal"),
    "decoder_block_out_channels": (64, 96, 128),
    "decoder_layers_per_block": (1, 1, 1, 1),
    "decoder_spatio_temporal_scaling": (True, True, True),
    "decoder_inject_noise": (False,) * 4,
    "upsample_type": ("temporal", "spatiotemporal", "spatiotemporal"),
    "upsample_residual": (True, True, True),
    "upsample_factor": (1, 1, 1),
    "decoder_causal": False,
    "decoder_spatial_padding_mode": "zeros",
    "spatial_compression_ratio": 16,
    "temporal_compression_ratio": 8,
}

WIDTH_OF_TOKENS = 320

TRANSFORMER_CONFIG: dict[str, Any] = {
    "in_channels": 96,
    "out_channels": 96,
    "num_attention_heads": 10,
    "attention_head_dim": 32,
    "cross_attention_dim": WIDTH_OF_TOKENS,
    "num_layers": 7,
    "vae_scale_factors": (8, 16, 16),
    "pos_embed_max_pos": 2,
    "base_height": 256,
    "base_width": 256,
    "gated_attn": True,
    "cross_attn_mod": True,
    "perturbed_attn": True,
    "use_prompt_embeddings": False,
    "rope_type": "split",
    "audio_in_channels": 8,
    "audio_out_channels": 8,
    "audio_num_attention_heads": 10,
    "audio_attention_head_dim": 8,
    "audio_cross_attention_dim": 80,
    "audio_gated_attn": True,
    "audio_cross_attn_mod": True,
}

LORA_TARGETS = (
    r".*transformer_blocks\.\d+\.(attn1|attn2)\.(to_[qkv]|to_out\.0)"
    r"|.*transformer_blocks\.\d+\.ff\.net\.(0\.proj|2)"
)
LORA_RANK = 48
PROMPT_TOKENS = 4


@dataclass(frozen=True)
class Shape:
    """A kind of clip to train on.

    Attributes:
        frames: Frames, 8k+1.
        height: Rows.
        width: Columns.
        still: Whether all frames are one picture, as a plate of one frame is padded.
        share: How much of the training it gets.
        batch: Clips in a step, at scale 1.
    """

    frames: int
    height: int
    width: int
    still: bool
    share: float
    batch: int


SHAPES = (
    Shape(9, 192, 256, still=True, share=0.45, batch=6),
    Shape(9, 144, 256, still=False, share=0.25, batch=6),
    Shape(9, 256, 192, still=True, share=0.1, batch=6),
    Shape(25, 144, 256, still=False, share=0.2, batch=3),
)
"""What the transformer sees: what plates are, stills and clips, wide and upright."""


@dataclass(frozen=True)
class Run:
    """What all stages share.

    Attributes:
        folder: Checkpoints and results.
        scenes: Where light comes from.
        device: Where to train.
        scale: Times the batches of two CPU cores.
        layout: How the VAE's weights lie in memory; GPUs differ in what they like.
        transfer: Curve that the LoRA speaks.
        faults: What deliveries do to the reference.
    """

    folder: Path
    scenes: Scenes
    device: torch.device
    scale: int = 1
    layout: torch.memory_format = torch.contiguous_format
    transfer: Transfer = LOGC3_REC709
    faults: Faults | None = None

    def generator(self, seed: int, step: int) -> Generator:
        """Random numbers on this run's device that depend on seed and step alone."""
        return step_generator(seed, step, self.device)

    def half(self) -> torch.autocast:
        """Bfloat16 arithmetic where it is quicker: not on a CPU."""
        return torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.device.type != "cpu", cache_enabled=True
        )


def make_run(
    maps: Path, folder: Path, device: str = "cpu", *, made_up: int = 12, scale: int = 1
) -> Run:
    """Load the maps that may be trained on, make up a few, and open a run.

    Args:
        maps: Folder of equirectangular EXR maps of one size.
        folder: Of the run.
        device: Torch device.
        made_up: Maps to make up beside them.
        scale: Times the batches of two CPU cores.
    """
    real = [clips.load_environment(p) for p in clips.find_maps(maps, HELD_OUT)]
    height, width = real[0].shape[1:]
    invented = [
        made_up_environment(height, width, step_generator(1, index, device)).cpu()
        for index in range(made_up)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    return Run(folder, Scenes.of([*real, *invented], device), torch.device(device), scale)
