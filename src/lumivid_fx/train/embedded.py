"""Train the embedded model from nothing: VAE, SDR prior, HDR LoRA, in that order.

    python -m lumivid_fx.train.embedded vae|prior|lora --maps MAPS --run RUN --steps N

The classes are LTX-2's own (diffusers), made small. Stages:

vae     the video autoencoder, on SDR pictures and LogC3 pictures alike
prior   the transformer, on SDR targets, with a degraded SDR reference as clean tokens
lora    a LoRA and a scene embedding on the frozen prior, on LogC3 targets with the SDR reference
"""

from __future__ import annotations

import argparse
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

from lumivid_fx.color.transfer import LOGC3_REC709
from lumivid_fx.model.video_only import build_video_transformer, predict_velocity
from lumivid_fx.train import clips, degradations
from lumivid_fx.train.flow_matching import noisy, sample_sigmas, velocity_loss
from lumivid_fx.train.trainer import Schedule, step_generator, train

HEIGHT, WIDTH, FPS = 144, 256, 24.0

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
    "patch_size": 8,
    "latent_channels": 64,
    "block_out_channels": (128, 128, 128),
    "down_block_types": ("LTX2VideoDownBlock3D",) * 3,
    "layers_per_block": (1, 1, 1, 1),
    "spatio_temporal_scaling": (True, True, True),
    "downsample_type": ("spatiotemporal", "temporal", "temporal"),
    "decoder_block_out_channels": (64, 128, 128),
    "decoder_layers_per_block": (2, 1, 1, 1),
    "decoder_spatio_temporal_scaling": (True, True, True),
    "decoder_inject_noise": (False,) * 4,
    "upsample_type": ("temporal", "temporal", "spatiotemporal"),
    "upsample_residual": (True, True, True),
    "upsample_factor": (1, 1, 1),
    "decoder_causal": False,
    "decoder_spatial_padding_mode": "zeros",
    "spatial_compression_ratio": 16,
    "temporal_compression_ratio": 8,
}

TRANSFORMER_CONFIG: dict[str, Any] = {
    "in_channels": 64,
    "out_channels": 64,
    "num_attention_heads": 8,
    "attention_head_dim": 32,
    "cross_attention_dim": 256,
    "num_layers": 6,
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
    "audio_num_attention_heads": 8,
    "audio_attention_head_dim": 8,
    "audio_cross_attention_dim": 64,
    "audio_gated_attn": True,
    "audio_cross_attn_mod": True,
}

LORA_TARGETS = (
    r".*transformer_blocks\.\d+\.(attn1|attn2)\.(to_[qkv]|to_out\.0)"
    r"|.*transformer_blocks\.\d+\.ff\.net\.(0\.proj|2)"
)
LORA_RANK = 32
PROMPT_TOKENS = 4

Report = Callable[[int, float, float], None]


@dataclass(frozen=True)
class Pair:
    """One training example, codes ``f 3 h w`` in [0, 1].

    Attributes:
        reference: Degraded SDR, what the user will have.
        sdr: The same clip, clean SDR.
        hdr: The same clip, LogC3 of the light itself.
        clipped: ``f 1 h w``, 1 where the tone curve has run out.
    """

    reference: Tensor
    sdr: Tensor
    hdr: Tensor
    clipped: Tensor


def make_pair(maps: list[Tensor], num_frames: int, generator: Generator) -> Pair:
    """Render one clip and its SDR reference."""
    environment = maps[int(torch.randint(len(maps), (), generator=generator))]
    if float(torch.rand((), generator=generator)) < 0.5:
        environment = environment.flip(2)
    move = clips.random_move(num_frames, generator)
    light = clips.render_view(environment, move, HEIGHT, WIDTH)
    light = light * degradations.random_exposure(light, generator)
    curve = degradations.random_tone_curve(generator)
    shown = curve(light)
    sdr = degradations.srgb_encode(shown)
    target, _ = LOGC3_REC709.clip(light * degradations.grey_scale(curve))
    return Pair(
        reference=degradations.degrade(sdr, generator),
        sdr=sdr,
        hdr=LOGC3_REC709.forward(target),
        clipped=(sdr.amax(dim=1, keepdim=True) > 0.98).float(),
    )


def to_vae(codes: Tensor) -> Tensor:
    """Codes ``f 3 h w`` in [0, 1] to the VAE's ``1 3 f h w`` in [-1, 1]."""
    return codes.transpose(0, 1)[None] * 2 - 1


def train_vae(maps: list[Tensor], run: Path, schedule: Schedule, report: Report) -> None:
    """Stage 1: reconstruct SDR and LogC3 crops; stills and 9-frame clips by turns."""
    torch.manual_seed(schedule.seed)
    vae = AutoencoderKLLTX2Video(**VAE_CONFIG)

    def loss_of_step(step: int, generator: Generator) -> Tensor:
        frames, count, size = ((1, 6, 128), (9, 2, 112))[step % 2]
        batch = []
        for _ in range(count):
            pair = make_pair(maps, frames, generator)
            top = int(torch.randint(HEIGHT - size + 1, (), generator=generator))
            left = int(torch.randint(WIDTH - size + 1, (), generator=generator))
            both = (pair.reference, pair.hdr)
            batch += [to_vae(x[..., top : top + size, left : left + size]) for x in both]
        pixels = torch.cat(batch)
        posterior = vae.encode(pixels).latent_dist
        spread = 0.05 * torch.randn(posterior.mean.shape, generator=generator)
        decoded = vae.decode(posterior.mean + spread).sample
        prior = posterior.mean.square().mean()
        loss: Tensor = _picture_loss(decoded, pixels) + 1e-3 * prior
        return loss

    average = train(
        dict(vae.named_parameters()),
        loss_of_step,
        schedule,
        run / "vae_checkpoint.safetensors",
        report,
    )
    vae.load_state_dict(average, strict=False)
    mean, std = _latent_statistics(vae, maps, schedule.seed)
    vae.latents_mean.copy_(mean)
    vae.latents_std.copy_(std)
    vae.save_pretrained(run / "vae")


def _picture_loss(decoded: Tensor, pixels: Tensor) -> Tensor:
    """Error by size of structure: `detail` brings texture back, so large shapes weigh most."""
    error = decoded - pixels
    loss = 0.5 * error.abs().mean() + error.square().mean()
    for size in (2, 4, 8, 16):
        loss = loss + F.avg_pool3d(error, (1, size, size)).abs().mean()
    return loss


@torch.no_grad()
def _latent_statistics(
    vae: AutoencoderKLLTX2Video, maps: list[Tensor], seed: int
) -> tuple[Tensor, Tensor]:
    drawn = []
    for index in range(48):
        pair = make_pair(maps, 9 if index % 4 == 0 else 1, step_generator(seed + 1, index))
        means = [vae.encode(to_vae(x)).latent_dist.mean for x in (pair.reference, pair.hdr)]
        drawn += [mean[0].flatten(1) for mean in means]
    latents = torch.cat(drawn, dim=1)
    return latents.mean(dim=1), latents.std(dim=1)


@dataclass(frozen=True)
class LatentPair:
    """A :class:`Pair` after the VAE: tokens ``n c``, and the weight of each, ``n 1``."""

    reference: Tensor
    sdr: Tensor
    hdr: Tensor
    weight: Tensor


@torch.no_grad()
def encode_pair(vae: AutoencoderKLLTX2Video, pair: Pair) -> LatentPair:
    """Encode and normalise; a token weighs up to five times more where the plate clipped."""

    def tokens(codes: Tensor) -> Tensor:
        latents = vae.encode(to_vae(codes)).latent_dist.mode()
        mean, std = (x.view(1, -1, 1, 1, 1) for x in (vae.latents_mean, vae.latents_std))
        packed: Tensor = ((latents - mean) / std)[0].flatten(1).T.contiguous()
        return packed

    covered = F.avg_pool2d(pair.clipped, 16).flatten(1)
    first, *later = covered.split([1] + [8] * ((len(covered) - 1) // 8))
    groups = [first, *(group.mean(dim=0, keepdim=True) for group in later)]
    return LatentPair(
        reference=tokens(pair.reference),
        sdr=tokens(pair.sdr),
        hdr=tokens(pair.hdr),
        weight=1 + 4 * torch.cat(groups).flatten()[:, None],
    )


def cache_latents(
    vae: AutoencoderKLLTX2Video, maps: list[Tensor], run: Path, counts: dict[int, int], seed: int
) -> dict[int, dict[str, Tensor]]:
    """Make or load latents, by number of pixel frames: stacked tensors ``k n c``."""
    cached = {}
    for frames, count in counts.items():
        path = run / f"latents_{frames}.safetensors"
        if not path.exists():
            pairs = [
                encode_pair(vae, make_pair(maps, frames, step_generator(seed + 7 * frames, index)))
                for index in range(count)
            ]
            stacked = {
                name: torch.stack([getattr(p, name) for p in pairs]).half()
                for name in ("reference", "sdr", "hdr", "weight")
            }
            save_file(stacked, path)
        cached[frames] = load_file(path)
    return cached


def train_transformer(
    maps: list[Tensor],
    run: Path,
    schedule: Schedule,
    report: Report,
    *,
    hdr: bool,
    clips_cached: int,
) -> None:
    """Stages 2 and 3: the SDR prior (all weights), or the HDR LoRA with its scene embedding."""
    torch.manual_seed(schedule.seed + 10)
    vae = AutoencoderKLLTX2Video.from_pretrained(run / "vae").eval()
    cached = cache_latents(
        vae, maps, run, {1: clips_cached, 9: clips_cached * 3 // 10}, schedule.seed + 100
    )
    transformer, prompt = _make_transformer(run, hdr=hdr)
    parameters = {n: p for n, p in transformer.named_parameters() if p.requires_grad}
    parameters["prompt"] = prompt
    target_name = "hdr" if hdr else "sdr"

    def loss_of_step(step: int, generator: Generator) -> Tensor:
        frames, count = ((1, 8), (9, 4))[step % 2]
        latents = cached[frames]
        pick = torch.randint(len(latents["hdr"]), (count,), generator=generator)
        clean, reference = latents[target_name][pick].float(), latents["reference"][pick].float()
        noise = torch.randn(clean.shape, generator=generator)
        sigmas = sample_sigmas(count, generator)
        groups = [noisy(clean, noise, sigmas), reference]
        positions = _positions(transformer, count, 1 + (frames - 1) // 8)
        (velocity,) = predict_velocity(
            transformer,
            groups,
            [sigmas, torch.zeros(count)],
            positions,
            prompt.expand(count, -1, -1),
        )
        return velocity_loss(velocity, clean, noise, latents["weight"][pick].float())

    name = "lora" if hdr else "prior"
    average = train(
        parameters, loss_of_step, schedule, run / f"{name}_checkpoint.safetensors", report
    )
    save_file({k: v.contiguous() for k, v in average.items()}, run / f"{name}.safetensors")


def _make_transformer(run: Path, *, hdr: bool) -> tuple[LTX2VideoTransformer3DModel, nn.Parameter]:
    transformer = build_video_transformer(TRANSFORMER_CONFIG).to_empty(device="cpu")
    prompt = nn.Parameter(torch.randn(1, PROMPT_TOKENS, 256) * 0.5)
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
    learned = load_file(run / "prior.safetensors")
    prompt.data.copy_(learned.pop("prompt"))
    transformer.load_state_dict(learned, strict=True)
    transformer.requires_grad_(False)
    transformer.add_adapter(
        LoraConfig(r=LORA_RANK, lora_alpha=LORA_RANK, target_modules=LORA_TARGETS),
        adapter_name="hdr",
    )
    return transformer, prompt


def _positions(transformer: LTX2VideoTransformer3DModel, batch: int, frames: int) -> Tensor:
    coords = transformer.rope.prepare_video_coords(
        batch, frames, HEIGHT // 16, WIDTH // 16, "cpu", fps=FPS
    )
    return torch.cat([coords, coords], dim=2)


def main() -> None:
    """Parse the command line and run one stage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stage", choices=("vae", "prior", "lora"))
    parser.add_argument("--maps", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    maps = [clips.load_environment(p) for p in clips.find_maps(args.maps, HELD_OUT)]
    schedule = Schedule(steps=args.steps, learning_rate=args.rate, seed=args.seed)

    def report(step: int, loss: float, seconds: float) -> None:
        print(f"{args.stage} {step}/{args.steps} loss {loss:.5f} {seconds:.2f} s/step", flush=True)

    args.run.mkdir(parents=True, exist_ok=True)
    if args.stage == "vae":
        train_vae(maps, args.run, schedule, report)
    else:
        train_transformer(
            maps, args.run, schedule, report, hdr=args.stage == "lora", clips_cached=args.clips
        )


if __name__ == "__main__":
    main()
