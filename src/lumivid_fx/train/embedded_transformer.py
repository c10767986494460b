"""Two stages of the embedded model: its SDR prior, and the LoRA that speaks LogC3."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLLTX2Video, LTX2VideoTransformer3DModel
from peft import LoraConfig
from safetensors.torch import load_file, save_file
from torch import Generator, Tensor, nn

from lumivid_fx.model.video_only import build_video_transformer, predict_velocity
from lumivid_fx.train.embedded import (
    FPS,
    LORA_RANK,
    LORA_TARGETS,
    PROMPT_TOKENS,
    SHAPES,
    TRANSFORMER_CONFIG,
    WIDTH_OF_TOKENS,
    Run,
    Shape,
)
from lumivid_fx.train.embedded_vae import latent_statistics, load_vae, to_vae
from lumivid_fx.train.flow_matching import noisy, sample_sigmas, velocity_loss
from lumivid_fx.train.pairs import make_pairs
from lumivid_fx.train.trainer import Report, Schedule, train

LOSS_BLOCK = 4
"""Pixels along the edge of the blocks whose mean codes the LoRA is held to, beside its latents."""


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
    mean, std = latent_statistics(vae)

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
    mean, std = latent_statistics(vae)
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
