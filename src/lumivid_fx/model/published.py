"""The files of LTX-2.3 HDR as they are published, and which of them go together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lumivid_fx.errors import InputError


@dataclass(frozen=True)
class PublishedFile:
    """A file on the hub.

    Attributes:
        repo: Where.
        name: Of the file.
        size: Bytes, where they are known.
        sha256: In hex, where it is known.
    """

    repo: str
    name: str
    size: int | None = None
    sha256: str | None = None


LTX_HDR = (
    PublishedFile(
        "Lightricks/LTX-2.3", "ltx-2.3-22b-distilled-1.1.safetensors", size=46_149_345_334
    ),
    PublishedFile("Lightricks/LTX-2.3", "ltx-2.3-spatial-upscaler-x2-1.1.safetensors"),
    PublishedFile(
        "Lightricks/LTX-2.3-22b-IC-LoRA-HDR",
        "ltx-2.3-22b-ic-lora-hdr-0.9.safetensors",
        size=327_309_312,
        sha256="c56bfa0f2e4461a8b2f318f494c61c5bf97f462f2220e31ece93ea7851ca871e",
    ),
    PublishedFile(
        "Lightricks/LTX-2.3-22b-IC-LoRA-HDR",
        "ltx-2.3-22b-ic-lora-hdr-scene-emb.safetensors",
        size=12_583_096,
        sha256="78bffa6049bae2649a4365ec8769db88052c21348d643e8fc1ce6d483d994c5b",
    ),
)
"""All that a two-stage HDR render takes; no text encoder. Sizes and digests of the first two are
not written down here: those of the hub count."""

PULLABLE = {"ltx-2.3-hdr": LTX_HDR}
"""What `lumivid models pull` knows, by name."""

DISTILLED, UPSAMPLER, HDR_LORA, SCENE_EMBEDDING = (file.name for file in LTX_HDR)
DISTILLED_LORA = "ltx-2.3-22b-distilled-lora-384-1.1.safetensors"

LTX_2_3: dict[str, Any] = {
    "gated_attn": True,
    "cross_attn_mod": True,
    "perturbed_attn": True,
    "audio_gated_attn": True,
    "audio_cross_attn_mod": True,
    "rope_type": "split",
    "use_prompt_embeddings": False,
}
"""LTX-2.3's published transformer config where it differs from diffusers' defaults, which are
LTX-2.0's: 48 layers, 32 heads of 128, 128 channels."""

LTX_2_3_VAE: dict[str, Any] = {
    "block_out_channels": (256, 512, 1024, 1024),
    "layers_per_block": (4, 6, 4, 2, 2),
    "decoder_block_out_channels": (256, 512, 512, 1024),
    "decoder_layers_per_block": (4, 6, 4, 2, 2),
    "decoder_spatio_temporal_scaling": (True,) * 4,
    "decoder_inject_noise": (False,) * 5,
    "upsample_type": ("spatiotemporal", "spatiotemporal", "temporal", "spatial"),
    "upsample_residual": (False,) * 4,
    "upsample_factor": (2, 2, 1, 2),
    "decoder_spatial_padding_mode": "zeros",
    "spatial_compression_ratio": 32,
    "temporal_compression_ratio": 8,
}
"""The same of its VAE: the config that diffusers' conversion writes for LTX-2.3."""

LTX_CONTEXT_TOKENS = 1024
"""Of the scene embedding that comes with the HDR IC-LoRA."""

LTX_WINDOW, LTX_OVERLAP = 121, 25
"""Frames of a window of LTX-2.3 as it is rendered here, and what two of them share."""

_KNOWN = {file.name: file for file in LTX_HDR}


def require_published(path: Path, digest: str | None = None) -> None:
    """Refuse a file that bears a published name and is another.

    Args:
        path: The file.
        digest: Its SHA-256; None looks at the size alone, which takes no time.

    Raises:
        InputError: It is not what was published: cut short, or not the same.
    """
    known = _KNOWN.get(path.name)
    if known is None:
        return
    size = path.stat().st_size
    if known.size is not None and size != known.size:
        raise InputError(
            f"{path} has {size:,} bytes, and {known.name} was published with {known.size:,}; "
            f"download it again from {known.repo}, or rename it if it is another"
        )
    if digest is not None and known.sha256 is not None and digest != known.sha256:
        raise InputError(
            f"{path} is not the published {known.name}, by its SHA-256; download it again from "
            f"{known.repo}, or rename it if it is another"
        )


def check_distillation(checkpoint: Path, loras: Sequence[Path]) -> None:
    """Refuse the undistilled model on the distilled schedule, and distillation twice over.

    Weights do not tell which they are, names do: a file that says neither is taken at its word.

    Raises:
        InputError: With the name of the right file.
    """
    words = _words(checkpoint)
    distilling = [lora for lora in loras if "distilled" in _words(lora)]
    if "dev" in words and not distilling:
        raise InputError(
            f"{checkpoint} is the undistilled model, and HDR is rendered on the distilled "
            f"schedule; give {DISTILLED}, or add {DISTILLED_LORA}"
        )
    if "distilled" in words and distilling:
        raise InputError(
            f"{checkpoint} is distilled already and {distilling[0].name} would distil it again; "
            "leave the LoRA out"
        )


def _words(path: Path) -> set[str]:
    name = path.name if path.name not in ("transformer", "") else path.parent.name
    return set(re.split(r"[-_.\s]+", name.lower()))
