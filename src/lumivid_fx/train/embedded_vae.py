"""The first stage of the embedded model: its video autoencoder."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLLTX2Video
from torch import Generator, Tensor

from lumivid_fx.train.embedded import SHAPES, VAE_CONFIG, Run
from lumivid_fx.train.pairs import make_pairs
from lumivid_fx.train.trainer import Report, Schedule, step_generator, train


def to_vae(codes: Tensor) -> Tensor:
    """Codes ``b f 3 h w`` in [0, 1] to the VAE's ``b 3 f h w`` in [-1, 1]."""
    return codes.transpose(1, 2) * 2 - 1


VAE_SHAPES = ((1, 10, 192, 256, 160), (9, 3, 144, 256, 128), (17, 1, 144, 256, 128))
"""Frames, clips at scale 1, rows, columns, and the edge of the crop, by turns."""


def train_vae(run: Run, schedule: Schedule, report: Report) -> None:
    """Stage 1: reconstruct crops of SDR and of LogC3, stills and clips by turns."""
    torch.manual_seed(schedule.seed)
    vae = AutoencoderKLLTX2Video(**VAE_CONFIG).to(run.device, memory_format=run.layout)

    def loss_of_step(step: int, generator: Generator) -> Tensor:
        frames, count, height, width, size = VAE_SHAPES[step % len(VAE_SHAPES)]
        still = frames > 1 and step % 2 == 0
        shape = (count * run.scale, frames, height, width)
        pairs = make_pairs(run.scenes, shape, generator, still=still)
        chance = step_generator(schedule.seed + 1, step)
        top = int(torch.randint(height - size + 1, (), generator=chance))
        left = int(torch.randint(width - size + 1, (), generator=chance))
        both = torch.cat([pairs.reference, pairs.hdr])
        pixels = to_vae(both[..., top : top + size, left : left + size])
        with run.half():
            means = vae.encode(pixels).latent_dist.mean
            spread = torch.randn(means.shape, generator=generator, device=run.device)
            decoded = vae.decode(means + 0.05 * spread).sample
        error = decoded.float() - pixels
        loss: Tensor = 0.5 * error.abs().mean() + error.square().mean()
        loss = loss + 1e-3 * means.float().square().mean()
        for block in (2, 4, 8, 16):
            loss = loss + F.avg_pool3d(error, (1, block, block)).abs().mean()
        return loss

    checkpoint = run.folder / "vae_checkpoint.safetensors"
    average = train(dict(vae.named_parameters()), loss_of_step, schedule, checkpoint, report)
    vae.load_state_dict(average, strict=False)
    mean, std = _measured_statistics(vae, run, schedule.seed)
    vae.latents_mean.copy_(mean)
    vae.latents_std.copy_(std)
    vae.save_pretrained(run.folder / "vae")


@torch.no_grad()
def _measured_statistics(vae: AutoencoderKLLTX2Video, run: Run, seed: int) -> tuple[Tensor, Tensor]:
    drawn = []
    for index, shape in enumerate(SHAPES * 4):
        pairs = make_pairs(
            run.scenes,
            (shape.batch, shape.frames, shape.height, shape.width),
            run.generator(seed + 1, index),
            still=shape.still,
        )
        for codes in (pairs.reference, pairs.hdr):
            means = vae.encode(to_vae(codes)).latent_dist.mean
            drawn.append(means.transpose(0, 1).flatten(1))
    latents = torch.cat(drawn, dim=1)
    return latents.mean(dim=1), latents.std(dim=1)


def load_vae(run: Run) -> AutoencoderKLLTX2Video:
    """The finished VAE of a run, frozen."""
    vae = AutoencoderKLLTX2Video.from_pretrained(run.folder / "vae")
    vae.to(run.device, memory_format=run.layout)
    return vae.eval().requires_grad_(False)


def latent_statistics(vae: AutoencoderKLLTX2Video) -> tuple[Tensor, Tensor]:
    """Mean and spread of a VAE's latents, ``1 c 1 1 1`` each."""
    mean, std = (x.float().view(1, -1, 1, 1, 1) for x in (vae.latents_mean, vae.latents_std))
    return mean, std
