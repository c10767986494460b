"""The LoRA on the transformer: attention and feed-forward of the video stream, nothing else.

Ten modules a block, as Lightricks' HDR IC-LoRA has them; alpha equals rank, so that files need not
say it. The base stays frozen; the adapter learns in float32 whatever the base is held in.
"""

from __future__ import annotations

from contextlib import nullcontext

import torch
from diffusers import LTX2VideoTransformer3DModel
from peft import LoraConfig
from torch import Tensor

from lumivid_fx.model.video_only import predict_velocity

ADAPTER = "hdr"

TARGETS = (
    r"transformer_blocks\.\d+\.(attn1|attn2)\.(to_q|to_k|to_v|to_out\.0)"
    r"|transformer_blocks\.\d+\.ff\.net\.(0\.proj|2)"
)
"""Names of the ten modules, as a pattern; those of the audio stream begin with ``audio_``."""


def add_lora(transformer: LTX2VideoTransformer3DModel, rank: int, seed: int) -> dict[str, Tensor]:
    """Put a fresh LoRA on a transformer and freeze all else; it changes nothing yet.

    Args:
        transformer: Video only; may lie on the meta device.
        rank: Of every module; alpha is the same.
        seed: Of its first values.

    Returns:
        What is to be learned, by peft's names, float32.
    """
    transformer.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = LoraConfig(r=rank, lora_alpha=rank, target_modules=TARGETS)
        transformer.add_adapter(config, adapter_name=ADAPTER)
    learned = {}
    for name, parameter in transformer.named_parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
            learned[name] = parameter
    return learned


def lora_velocity(
    transformer: LTX2VideoTransformer3DModel,
    target: Tensor,
    reference: Tensor,
    sigmas: Tensor,
    context: Tensor,
    grid: tuple[int, int, int],
    fps: float,
    *,
    bf16: bool,
) -> Tensor:
    """Velocity of the target, with the clean reference as extra tokens at the same positions.

    Args:
        transformer: With its LoRA.
        target: Noisy tokens ``b n c``.
        reference: Clean tokens ``b n c``; their timestep is 0 and nothing is asked of them.
        sigmas: Noise level of each target ``b``.
        context: Prompt embedding ``1 m d``.
        grid: Latent frames, height and width; their product is ``n``.
        fps: Frames a second.
        bf16: Whether matrices are multiplied in bfloat16.

    Returns:
        Velocity ``b n c``.
    """
    batch, device = len(target), target.device
    coordinates = transformer.rope.prepare_video_coords(batch, *grid, device, fps=fps)
    mixed = torch.autocast(device.type, torch.bfloat16) if bf16 else nullcontext()
    with mixed:
        (velocity,) = predict_velocity(
            transformer,
            [target.to(context.dtype), reference.to(context.dtype)],
            [sigmas, torch.zeros_like(sigmas)],
            coordinates.repeat(1, 1, 2, 1),
            context.expand(batch, -1, -1),
        )
    return velocity
