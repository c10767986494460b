"""Where a loaded model's parts lie when it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lumivid_fx.model.checkpoint import HdrModel


def place(model: HdrModel, device: str) -> HdrModel:
    """Put a model's parts where they run, set to infer.

    Weights come here as views of their files and are taken from disk as they are moved, so that the
    host holds none of what goes to another device.

    Args:
        model: As it was loaded, on the CPU.
        device: Torch device.
    """
    for module in (model.transformer, model.vae, model.upsampler):
        if module is not None:
            module.eval().requires_grad_(False).to(device)
    return replace(model, context=model.context.to(device))
