"""A trained LoRA as LTX tools read it: published key names, alpha equal to rank, metadata.

Read back by :mod:`lumivid_fx.model.lora`, by diffusers and by whatever else reads IC-LoRAs for LTX.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save_file
from torch import Tensor

from lumivid_fx.media.whole_file import whole_file
from lumivid_fx.model.lora import TRANSFORM_NAMES

PREFIX = "diffusion_model."

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def write_lora(
    path: Path,
    weights: Mapping[str, Tensor],
    *,
    rank: int,
    transfer: str | None,
    dtype: Literal["bf16", "fp16"],
    made: Mapping[str, str],
) -> None:
    """Write a LoRA, whole or not at all.

    Args:
        path: A safetensors file, replaced if it exists.
        weights: By peft's names: ``transformer_blocks.0.attn1.to_q.lora_A.hdr.weight``.
        rank: Of all of them; alpha is the same.
        transfer: Our name of the curve it was trained in; None says nothing of it.
        dtype: To store them in.
        made: What it was made with, for the record.
    """
    words = {ours: theirs for theirs, ours in TRANSFORM_NAMES.items()}
    metadata = {
        **made,
        **({} if transfer is None else {"hdr_transform": words[transfer]}),
        "reference_downscale_factor": "1",
        "rank": str(rank),
        "alpha": str(rank),
        "format": "pt",
    }
    kept = {
        published_name(name): tensor.detach().to("cpu", _DTYPES[dtype]).contiguous()
        for name, tensor in weights.items()
    }
    with whole_file(path, str(path)) as beside:
        save_file(kept, beside, metadata=metadata)


def published_name(name: str) -> str:
    """A LoRA tensor's name as published: without the adapter's own in it."""
    module, part, rest = name.partition(".lora_")
    matrix = rest.split(".")[0]
    return f"{PREFIX}{module}{part}{matrix}.weight"
