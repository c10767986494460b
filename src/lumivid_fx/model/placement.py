"""Where a loaded model's parts lie when it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from lumivid_fx.model.digests import joint_digest
from lumivid_fx.model.residency import BorrowedBlocks, Visit, Way

if TYPE_CHECKING:
    from lumivid_fx.model.checkpoint import HdrModel

RESIDENT = Way()
"""All weights where the work is."""


def place(model: HdrModel, device: str, way: Way = RESIDENT) -> HdrModel:
    """Put a model's parts where they run or wait, set to infer.

    Weights come here as views of their files and are taken from disk as they are moved, so that the
    host holds none of what goes to another device.

    Args:
        model: As it was loaded, on the CPU, and placed nowhere yet.
        device: Torch device.
        way: How its weights are held; all but `resident` bring VAE and upsampler for their turn.

    Returns:
        The model on its device. Rounded to fp8 it is another model, and has another digest.
    """
    parts = [part for part in (model.transformer, model.vae, model.upsampler) if part is not None]
    for part in parts:
        part.eval().requires_grad_(requires_grad=False)
    at = torch.device(device)
    context = model.context.to(at)
    if way.name == "resident":
        for part in parts:
            part.to(at)
        return replace(model, context=context)
    transformer = model.transformer
    blocks = BorrowedBlocks(transformer.transformer_blocks, at, way)
    for name, child in transformer.named_children():
        if name != "transformer_blocks":
            child.to(at)
    for table in transformer._parameters.values():
        if table is not None:
            table.data = table.data.to(at)
    rounded = joint_digest(f"{model.digest} float8_e4m3fn", []) if way.name == "fp8" else None
    return replace(
        model,
        context=context,
        way=way,
        blocks=blocks,
        visits={id(part): Visit(part, at) for part in parts[1:]},
        digest=rounded or model.digest,
    )


def release(model: HdrModel) -> None:
    """Let go of a model's weights, whoever still holds it; it can run no more."""
    for part in (model.transformer, model.vae, model.upsampler):
        if part is not None:
            for parameter in part.parameters():
                parameter.data = parameter.data.new_empty(0)
    if model.blocks is not None:
        model.blocks.release()
