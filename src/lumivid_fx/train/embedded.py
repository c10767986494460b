"""Train the embedded model from nothing: VAE, SDR prior, HDR LoRA, in that order.

The classes are LTX-2's own (diffusers), made small. Stages:

vae     the video autoencoder, on SDR clips and LogC3 clips alike
prior   the transformer, on SDR targets, with a degraded SDR reference as clean tokens
lora    a LoRA and a scene embedding on the frozen prior, on LogC3 targets with the SDR reference

Each stage checkpoints and goes on where it was. ``lumivid train embedded`` runs all three from a
recipe, ``scripts/train_embedded.py`` in a budget of minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLLTX2Video, LTX2VideoTransformer3DModel
from peft import LoraConfig
from safetensors.torch import load_file, save_file
from torch import Generator, Tensor, nn

from lumivid_fx.color.transfer import LOGC3_REC709, Transfer
from lumivid_fx.model.video_only import build_video_transformer, predict_velocity
from lumivid_fx.train import clips
from lumivid_fx.train.degradations import Faults
from lumivid_fx.train.flow_matching import noisy, sample_sigmas, velocity_loss
from lumivid_fx.train.pairs import make_pairs
from lumivid_fx.train.scenes import Scenes, made_up_environment
from lumivid_fx.train.trainer import Schedule, step_generator, train

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

LOSS_BLOCK = 4
"""Pixels along the edge of the blocks whose mean codes the LoRA is held to, beside its latents."""

Report = Callable[[int, float, float], None]


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
    mean, std = _latent_statistics(vae, run, schedule.seed)
    vae.latents_mean.copy_(mean)
    vae.latents_std.copy_(std)
    vae.save_pretrained(run.folder / "vae")


@torch.no_grad()
def _latent_statistics(vae: AutoencoderKLLTX2Video, run: Run, seed: int) -> tuple[Tensor, Tensor]:
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


def _statistics(vae: AutoencoderKLLTX2Video) -> tuple[Tensor, Tensor]:
    mean, std = (x.float().view(1, -1, 1, 1, 1) for x in (vae.latents_mean, vae.latents_std))
    return mean, std


@torch.no_grad()
def encode_pairs(
    vae: AutoencoderKLLTX2Video, run: Run, shape: Shape, count: int, generator: Generator
) -> dict[str, Tensor]:
    """Draw clips and encode them.

    Returns:
        ``reference``, ``sdr`` and ``hdr``, normalised tokens ``b n c``; ``weight``, ``b n 1``, a
        token weighs up to five times more where the plate clipped; ``codes`` ``b f 3 h w`` and
        ``clipped`` ``b f 1 h w``, means over blocks of `LOSS_BLOCK` pixels of the first 9 frames.
        All in half precision.
    """
    size = (count, shape.frames, shape.height, shape.width)
    pairs = make_pairs(
        run.scenes,
        size,
        generator,
        still=shape.still,
        transfer=run.transfer,
        faults=run.faults,
    )
    mean, std = _statistics(vae)

    def tokens(codes: Tensor) -> Tensor:
        with run.half():
            latents = vae.encode(to_vae(codes)).latent_dist.mode()
        rows: Tensor = ((latents.float() - mean) / std).flatten(2).transpose(1, 2)
        return rows.half()

    covered = F.avg_pool3d(pairs.clipped.transpose(1, 2), (1, 16, 16))
    groups = [covered[:, :, :1], F.avg_pool3d(covered[:, :, 1:], (8, 1, 1))]
    weight = 1 + 4 * torch.cat(groups, dim=2).flatten(2).transpose(1, 2)

    def blocks(pictures: Tensor) -> Tensor:
        pooled = F.avg_pool3d(pictures[:, :9].transpose(1, 2), (1, LOSS_BLOCK, LOSS_BLOCK))
        return pooled.transpose(1, 2).half()

    return {
        "reference": tokens(pairs.reference),
        "sdr": tokens(pairs.sdr),
        "hdr": tokens(pairs.hdr),
        "weight": weight.half(),
        "codes": blocks(pairs.hdr),
        "clipped": blocks(pairs.clipped),
    }


def cache_latents(
    vae: AutoencoderKLLTX2Video, run: Run, clips_in_all: int, seed: int
) -> list[dict[str, Tensor]]:
    """Encode the clips that the transformer trains on, kept on the run's device, by shape."""
    cached = []
    for place, shape in enumerate(SHAPES):
        batches, wanted = [], max(shape.batch, round(clips_in_all * shape.share))
        group = shape.batch * min(4, run.scale)
        for index in range(-(-wanted // group)):
            generator = run.generator(seed + place, index)
            batches.append(encode_pairs(vae, run, shape, group, generator))
        cached.append({name: torch.cat([b[name] for b in batches]) for name in batches[0]})
    return cached


def train_transformer(
    run: Run,
    schedule: Schedule,
    report: Report,
    cached: list[dict[str, Tensor]],
    *,
    hdr: bool,
    name: str | None = None,
) -> None:
    """Stages 2 and 3: the SDR prior (all weights), or the HDR LoRA with its scene embedding.

    The LoRA is also held to the mean codes of small blocks, and most where the plate clipped:
    through the frozen decoder, for steps that start from (nearly) pure noise.
    """
    torch.manual_seed(schedule.seed + 10)
    vae = load_vae(run)
    mean, std = _statistics(vae)
    transformer, prompt = _make_transformer(run, hdr=hdr)
    parameters = {n: p for n, p in transformer.named_parameters() if p.requires_grad}
    parameters["prompt"] = prompt
    turns = _turns()

    def loss_of_step(step: int, generator: Generator) -> Tensor:
        place = turns[step % len(turns)]
        shape, latents = SHAPES[place], cached[place]
        count = shape.batch * run.scale
        pick = torch.randint(len(latents["hdr"]), (count,), generator=generator, device=run.device)
        clean = latents["hdr" if hdr else "sdr"][pick].float()
        reference, weight = latents["reference"][pick].float(), latents["weight"][pick].float()
        noise = torch.randn(clean.shape, generator=generator, device=run.device)
        sigmas = sample_sigmas(count, generator)
        mixed = noisy(clean, noise, sigmas)
        grid = (1 + (shape.frames - 1) // 8, shape.height // 16, shape.width // 16)
        with run.half():
            (velocity,) = predict_velocity(
                transformer,
                [mixed, reference],
                [sigmas, torch.zeros_like(sigmas)],
                _positions(transformer, count, grid, run.device),
                prompt.expand(count, -1, -1),
            )
        velocity = velocity.float()
        loss = velocity_loss(velocity, clean, noise, weight)
        if not hdr:
            return loss
        # The first clips of a batch are those that start from the most noise.
        first = slice(0, max(1, count // 4))
        guess = (mixed - sigmas[:, None, None] * velocity)[first]
        frames = min(2, grid[0])
        raw = guess.transpose(1, 2).unflatten(2, grid)[:, :, :frames] * std + mean
        with run.half():
            decoded = vae.decode(raw).sample
        return loss + 8 * _code_loss(decoded.float(), latents, pick[first])

    name = name or ("lora" if hdr else "prior")
    checkpoint = run.folder / f"{name}_checkpoint.safetensors"
    average = train(parameters, loss_of_step, schedule, checkpoint, report)
    kept = {k: v.contiguous() for k, v in average.items()}
    save_file(kept, run.folder / f"{name}.safetensors")


def _code_loss(decoded: Tensor, latents: dict[str, Tensor], pick: Tensor) -> Tensor:
    """Mean error of the codes of blocks, of two sizes; clipped blocks weigh seven times more."""
    truth = latents["codes"][pick].float().transpose(1, 2)
    weight = 1 + 6 * latents["clipped"][pick].float().transpose(1, 2)
    found = F.avg_pool3d((decoded + 1) / 2, (1, LOSS_BLOCK, LOSS_BLOCK))
    error = (found - truth) * weight / weight.mean()
    coarse = F.avg_pool3d(error, (1, 4, 4), ceil_mode=True, count_include_pad=False)
    return error.abs().mean() + coarse.abs().mean()


def _turns() -> list[int]:
    """In which order shapes are trained on: 20 turns, each shape as often as its share says."""
    due = [0.0] * len(SHAPES)
    turns = []
    for _ in range(20):
        due = [d + shape.share for d, shape in zip(due, SHAPES, strict=True)]
        turns.append(max(range(len(due)), key=due.__getitem__))
        due[turns[-1]] -= 1
    return turns


def _make_transformer(run: Run, *, hdr: bool) -> tuple[LTX2VideoTransformer3DModel, nn.Parameter]:
    transformer = build_video_transformer(TRANSFORMER_CONFIG).to_empty(device=run.device)
    drawn = torch.randn(1, PROMPT_TOKENS, WIDTH_OF_TOKENS) * 0.5
    prompt = nn.Parameter(drawn.to(run.device))
    if not hdr:
        for name, parameter in transformer.named_parameters():
            if parameter.ndim == 2 and "table" not in name:
                nn.init.trunc_normal_(parameter, std=0.02)
            elif "norm" in name:
                nn.init.ones_(parameter)
            else:
                nn.init.zeros_(parameter)
        for name, module in transformer.named_modules():
            if name.endswith(
                ("attn1.to_q", "attn1.to_k", "attn1.to_v", "ff.net.0.proj", "proj_in")
            ):
                nn.init.xavier_uniform_(module.weight)
        return transformer, prompt
    learned = load_file(run.folder / "prior.safetensors", device=str(run.device))
    prompt.data.copy_(learned.pop("prompt"))
    transformer.load_state_dict(learned, strict=True)
    transformer.requires_grad_(False)
    transformer.add_adapter(
        LoraConfig(r=LORA_RANK, lora_alpha=LORA_RANK, target_modules=LORA_TARGETS),
        adapter_name="hdr",
    )
    return transformer, prompt


def _positions(
    transformer: LTX2VideoTransformer3DModel,
    batch: int,
    grid: tuple[int, int, int],
    device: torch.device,
) -> Tensor:
    coords = transformer.rope.prepare_video_coords(batch, *grid, device, fps=FPS)
    return torch.cat([coords, coords], dim=2)


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
