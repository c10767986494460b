"""The render of a window as a plain chain of diffusers' own modules.

Nothing of the package is used here: the stock transformer with its audio half, to which diffusers'
loader applies the LoRA; its scheduler; the VAE and the upsampler as they come. Every stage is kept,
so that a test can hold ours against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLLTX2Video,
    FlowMatchEulerDiscreteScheduler,
    LTX2VideoTransformer3DModel,
)
from diffusers.loaders import LTX2LoraLoaderMixin
from diffusers.pipelines.ltx2.image_processor import LTX2VideoHDRProcessor
from diffusers.pipelines.ltx2.latent_upsampler import LTX2LatentUpsamplerModel
from safetensors.torch import load_file
from torch import Tensor

AUDIO_TOKENS = 4


@dataclass
class Record:
    """What one stage was made of.

    Attributes:
        reference: Normalised reference latents ``1 c f h w``.
        positions: Coordinates ``1 3 n 2`` of target and reference.
        timesteps: One ``1 n`` for each step.
        velocities: The target's, ``1 n c``, of each step.
        states: The target's tokens before each step and after the last.
        latents: Normalised latents ``1 c f h w`` that come out.
    """

    reference: Tensor
    positions: Tensor
    timesteps: list[Tensor] = field(default_factory=list)
    velocities: list[Tensor] = field(default_factory=list)
    states: list[Tensor] = field(default_factory=list)
    latents: Tensor = field(default_factory=lambda: torch.empty(0))


class PlainChain:
    """A model folder's modules, loaded by diffusers."""

    def __init__(self, folder: Path, *, lora_strength: float = 1.0) -> None:
        """Load a folder, and fuse its LoRA at a strength."""
        self.transformer: Any = LTX2VideoTransformer3DModel.from_pretrained(folder / "transformer")
        self.transformer.eval()
        lora = LTX2LoraLoaderMixin.lora_state_dict(load_file(folder / "hdr_lora.safetensors"))
        self.transformer.load_lora_adapter(lora, prefix="transformer", adapter_name="hdr")
        self.transformer.fuse_lora(lora_scale=lora_strength)
        self.vae: Any = AutoencoderKLLTX2Video.from_pretrained(folder / "vae").eval()
        self.upsampler: Any = None
        if (folder / "upsampler").exists():
            upsampler = LTX2LatentUpsamplerModel.from_pretrained(folder / "upsampler")
            self.upsampler = upsampler.eval()
        self.context = load_file(folder / "scene_embedding.safetensors")["video_context"][None]

    def normalised(self, latents: Tensor) -> Tensor:
        """Latents of the VAE as the transformer takes them."""
        mean, std = self._statistics()
        return (latents - mean) / std

    def denormalised(self, latents: Tensor) -> Tensor:
        """The other way."""
        mean, std = self._statistics()
        return latents * std + mean

    def _statistics(self) -> tuple[Tensor, Tensor]:
        mean: Tensor = self.vae.latents_mean.view(1, -1, 1, 1, 1)
        std: Tensor = self.vae.latents_std.view(1, -1, 1, 1, 1)
        return mean, std / float(self.vae.config.scaling_factor)

    def velocity(
        self, tokens: Tensor, positions: Tensor, timesteps: Tensor, sigma: float
    ) -> Tensor:
        """The stock forward with its streams isolated, and some audio tokens for its other half."""
        generator = torch.Generator().manual_seed(99)
        audio = torch.randn(1, AUDIO_TOKENS, 8, generator=generator)
        velocity: Tensor = self.transformer(
            hidden_states=tokens,
            audio_hidden_states=audio,
            encoder_hidden_states=self.context,
            audio_encoder_hidden_states=torch.randn(1, 3, 32, generator=generator),
            timestep=timesteps,
            audio_timestep=torch.full((1, AUDIO_TOKENS), sigma * 1000),
            sigma=torch.tensor([sigma * 1000]),
            audio_num_frames=AUDIO_TOKENS,
            video_coords=positions,
            isolate_modalities=True,
            return_dict=False,
        )[0]
        return velocity

    def stage(
        self,
        pixels: Tensor,
        noise: Tensor,
        sigmas: Sequence[float],
        *,
        fps: float,
        initial: Tensor | None = None,
    ) -> Record:
        """One stage.

        Args:
            pixels: The reference ``1 3 f h w`` in [-1, 1].
            noise: ``1 c f h w``.
            sigmas: With the last 0.
            fps: Frames a second.
            initial: Normalised latents of the stage before.
        """
        reference = self.normalised(self.vae.encode(pixels).latent_dist.mode())
        _, _, frames, height, width = reference.shape
        place = self.transformer.rope.prepare_video_coords(
            1, frames, height, width, torch.device("cpu"), fps=fps
        )
        record = Record(reference, torch.cat([place, place], dim=2))
        euler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=False, shift_terminal=None)
        euler.set_timesteps(sigmas=list(sigmas)[:-1])
        assert torch.equal(euler.sigmas, torch.tensor(sigmas))
        latents = noise
        if initial is not None:
            latents = euler.scale_noise(initial, euler.timesteps[:1], noise)
        x, held = as_tokens(latents), as_tokens(reference)
        count = x.shape[1]
        for sigma, timestep in zip(sigmas, euler.timesteps, strict=False):
            levels = torch.cat([torch.full((1, count), 1000 * sigma), torch.zeros(1, count)], 1)
            tokens = torch.cat([x, held], dim=1)
            velocity = self.velocity(tokens, record.positions, levels, sigma)[:, :count]
            record.timesteps.append(levels)
            record.velocities.append(velocity)
            record.states.append(x)
            x = euler.step(velocity, timestep, x).prev_sample
        record.states.append(x)
        record.latents = x.transpose(1, 2).reshape(reference.shape)
        return record

    def upsampled(self, latents: Tensor) -> Tensor:
        """Normalised latents of twice the size."""
        return self.normalised(self.upsampler(self.denormalised(latents)))

    def decoded(self, latents: Tensor) -> Tensor:
        """Pixels ``1 3 f h w``, nominally in [-1, 1]."""
        pixels: Tensor = self.vae.decode(self.denormalised(latents)).sample
        return pixels

    @staticmethod
    def light(pixels: Tensor) -> Tensor:
        """Linear light ``f h w 3`` as diffusers takes it out of LogC3, not below zero.

        diffusers lets the toe go down to -0.0173; the reference code ends it at 0.
        """
        light: Tensor = LTX2VideoHDRProcessor().postprocess_hdr_video(pixels, output_type="pt")[0]
        return light.clamp(min=0)


def as_tokens(latents: Tensor) -> Tensor:
    """``1 c f h w`` to ``1 n c``."""
    return latents.flatten(2).transpose(1, 2)
