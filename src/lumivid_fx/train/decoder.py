"""Teach a model's decoder to draw what the model says: the last stage of the embedded model.

The VAE learned to draw latents of real pictures. What a transformer foretells from an SDR plate is
smoother than those, and a decoder that has never seen it draws small lights a stop too dim. So the
decoder alone goes on learning, from latents as a render makes them, on crops about clipped areas.
It is held most to what `detail` takes from it, clipped pixels, and least to the ring around them,
where the plate's own pixels stay and light may spill.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Generator, Tensor

from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.pipeline.noise import SeededNoise
from lumivid_fx.pipeline.render_window import Sampling, render_latents
from lumivid_fx.train.export import DECODER
from lumivid_fx.train.pairs import make_pairs
from lumivid_fx.train.scenes import Scenes
from lumivid_fx.train.trainer import Report, Schedule, step_generator, train

SHAPES = (
    (9, 288, 384, True),
    (9, 256, 384, True),
    (9, 224, 384, False),
    (9, 288, 384, True),
    (9, 384, 288, True),
    (9, 256, 384, True),
    (9, 288, 384, True),
    (9, 224, 384, False),
)
"""Frames, rows, columns of the clips by turns, and whether all frames are one picture: plates at
the embedded model's own size."""

EDGE = 8
"""Edge of a crop in latents."""

AIMED = 0.6
"""Share of cameras that are turned to the light. Left to chance, most of what clips is a pale wall
just over the clip, and a decoder that learns from those draws lamps and suns too dim."""

TRIES = 3
"""Places that are looked at for each crop; the one where about half is clipped is taken."""

CLIPPED, RING, RING_PIXELS = 5.0, 0.15, 8
"""Weight of a clipped pixel, and of those that lie so near one; all others weigh 1."""

SOFT = 0.15
"""Codes, two stops, under which an error counts by its square: nearer to a mean than to a median,
which would lie below it, for light has a long tail upwards."""

BLOCKS = (8, 16)
"""Edges of the blocks whose mean codes are held too: how bright a light is as a whole."""


@dataclass(frozen=True)
class Example:
    """What a model foretold of a clip, and what was there.

    Attributes:
        latents: Normalised latents ``c f h w``, half precision.
        codes: Codes of the light, ``n 3 h w``, half precision; one frame for a still.
        clipped: ``n 1 h w`` uint8, 1 where a channel of the plate ran out.
    """

    latents: Tensor
    codes: Tensor
    clipped: Tensor


def foretell(model: HdrModel, scenes: Scenes, count: int, seed: int) -> Iterator[Example]:
    """Draw clips and let the model foretell their light.

    Args:
        model: The model, with its LoRA and in its own steps.
        scenes: Where light comes from.
        count: Clips.
        seed: Of all chance; an example depends on it and on its place alone.

    Yields:
        Examples on the CPU.
    """
    for place in range(count):
        frames, height, width, still = SHAPES[place % len(SHAPES)]
        size = (1, frames, height, width)
        chance = step_generator(seed, place, scenes.wrapped.device)
        pairs = make_pairs(scenes, size, chance, still=still, transfer=model.transfer, aimed=AIMED)
        sampling = Sampling(SeededNoise(seed + place), model.manifest.sigmas, fps=24.0)
        latents = render_latents(model, pairs.reference[0], 0, sampling, lambda *_: None)
        shown = slice(0, 1 if still else frames)
        yield Example(
            latents[0].half().cpu(),
            pairs.hdr[0, shown].half().cpu(),
            pairs.clipped[0, shown].to(torch.uint8).cpu(),
        )


def train_decoder(
    model: HdrModel,
    examples: Sequence[Example],
    schedule: Schedule,
    batch: int,
    run: Path,
    report: Report,
) -> None:
    """Go on training a model's decoder; the rest of the model stays as it is.

    Args:
        model: Its VAE in float32, whose decoder is changed in place.
        examples: What to learn from; all of one VAE.
        schedule: How long and how fast.
        batch: Crops in a step.
        run: Folder of the checkpoint, so that a run that was killed goes on, and of the result.
        report: Told how it goes.
    """
    vae, device = model.vae, model.device
    mean, std = (x.float().view(1, -1, 1, 1, 1) for x in (vae.latents_mean, vae.latents_std))
    parameters = dict(vae.decoder.named_parameters())
    for parameter in parameters.values():
        parameter.requires_grad_(True)

    def loss_of_step(step: int, _: Generator) -> Tensor:
        chance = step_generator(schedule.seed + 2, step)
        # Crops of one length go together: all stills, or all clips that move.
        first = examples[int(torch.randint(len(examples), (), generator=chance))]
        alike = [e for e in examples if len(e.codes) == len(first.codes)]
        drawn = [alike[int(torch.randint(len(alike), (), generator=chance))] for _ in range(batch)]
        crops = [crop(example, model.spatial_ratio, chance) for example in drawn]
        latents, codes, clipped = (
            torch.stack(x).to(device).float() for x in zip(*crops, strict=True)
        )
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type != "cpu"):
            decoded = vae.decode(latents * std + mean).sample
        told = (decoded.float().transpose(1, 2) + 1) / 2
        return decoder_loss(told, codes.expand_as(told), clipped.expand_as(told[:, :, :1]))

    checkpoint = run / "decoder_checkpoint.safetensors"
    average = train(parameters, loss_of_step, schedule, checkpoint, report)
    vae.decoder.load_state_dict(average, strict=False)
    vae.decoder.requires_grad_(False)
    kept = {name: tensor.contiguous() for name, tensor in vae.decoder.state_dict().items()}
    save_file(kept, run / DECODER)


def crop(example: Example, ratio: int, chance: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Cut a square out of an example, where about half is clipped if there is such a place.

    Args:
        example: Of any size.
        ratio: Pixels along a latent.
        chance: On the CPU.

    Returns:
        Latents ``c f e e``, codes ``n 3 e e`` and clipped ``n 1 e e``, the last two in pixels.
    """
    height, width = example.latents.shape[-2:]
    edge = min(EDGE, height, width)
    best, chosen = -1.0, (0, 0)
    for _ in range(TRIES):
        top, left = (
            int(torch.randint(n - edge + 1, (), generator=chance)) for n in (height, width)
        )
        share = float(
            _cut(example.clipped[0], top * ratio, left * ratio, edge * ratio).float().mean()
        )
        if min(share, 1 - share) > best:
            best, chosen = min(share, 1 - share), (top, left)
    top, left = chosen
    pixels = (top * ratio, left * ratio, edge * ratio)
    return (
        _cut(example.latents, top, left, edge),
        _cut(example.codes, *pixels),
        _cut(example.clipped, *pixels),
    )


def _cut(pictures: Tensor, top: int, left: int, edge: int) -> Tensor:
    return pictures[..., top : top + edge, left : left + edge]


def decoder_loss(told: Tensor, codes: Tensor, clipped: Tensor) -> Tensor:
    """How far decoded codes are from the light's, where `detail` will take them.

    Args:
        told: Codes ``b f 3 h w`` as decoded.
        codes: The truth.
        clipped: ``b f 1 h w``, 1 where the plate ran out.

    Returns:
        The mean over pixels, and over the means of blocks, each by its weight.
    """
    told, codes, clipped = (x.flatten(0, 1) for x in (told, codes, clipped))
    near = F.max_pool2d(clipped, 2 * RING_PIXELS + 1, stride=1, padding=RING_PIXELS)
    weight = 1 + (RING - 1) * (near - clipped) + (CLIPPED - 1) * clipped
    weight = weight / weight.mean()
    error = told - codes
    loss = (_soft(error) * weight).mean()
    for edge in BLOCKS:
        held = F.avg_pool2d(weight, edge, stride=edge // 2)
        means = F.avg_pool2d(error * weight, edge, stride=edge // 2) / held.clamp(min=1e-3)
        loss = loss + 0.5 * (_soft(means) * held).mean()
    return loss


def _soft(error: Tensor) -> Tensor:
    """The absolute error, rounded off at 0."""
    return (error.square() + SOFT**2).sqrt() - SOFT
