"""Train the reader of tone curves: plates made from maps, marks counted, a small network on them.

The reader says how likely each known curve is; what it is judged by is the curve that comes of it,
their mean, on the codes of the plate. Being unsure costs less than being wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Generator, Tensor, nn

from lumivid_fx.color.tone_curves import undone
from lumivid_fx.color.transfer import LOGC3_REC709
from lumivid_fx.pipeline.tone_fit import known_curves
from lumivid_fx.pipeline.tone_reader import MARKS, WIDTH, marks
from lumivid_fx.train.clips import chance, random_moves, render_views
from lumivid_fx.train.degradations import degrade, random_exposures, random_tone_curves
from lumivid_fx.train.examples import random_compression
from lumivid_fx.train.scenes import Scenes, tint
from lumivid_fx.train.trainer import step_generator

SIZES = ((288, 384), (216, 384), (320, 240))
"""Rows and columns of plates, as the embedded model sees them."""

VIEWS, CURVES = 3, 6
"""Views of a map in one draw, and the tone curves that each of them goes through."""

CODED = 0.5
"""How often a plate went through a video codec, before whatever else befell it: most plates that
are not linear are movies, and their codecs smooth just the small steps that tell a shoulder."""

OWN, EVEN, WHITE = 0.7, 0.2, 0.1
"""By what a curve's error counts: the plate's own codes, all codes alike, and white, on which all
that clipped will stand."""

DROPPED, DECAY, NOISE = 0.3, 0.1, 0.05
"""Against learning scenes by heart: marks and units left out, weight decay, noise on the marks."""


@dataclass(frozen=True)
class Plates:
    """What was counted on plates, and what they went through.

    Attributes:
        marks: ``n m``.
        curves: Display code to LogC3 code, ``n 256``.
        spread: How the plate's codes spread over 256, ``n 256``.
        map: Number of the map, ``n``.
    """

    marks: Tensor
    curves: Tensor
    spread: Tensor
    map: Tensor


@torch.no_grad()
def draw_plates(scenes: Scenes, draws: int, seed: int, told: Callable[[int], None]) -> Plates:
    """Make plates of every map by turns and count their marks.

    Args:
        scenes: Maps, on the CPU.
        draws: Each gives `VIEWS` times `CURVES` plates of one map.
        seed: Of all chance.
        told: Called with the draws done.
    """
    found: dict[str, list[Tensor]] = {"marks": [], "curves": [], "spread": [], "map": []}
    for draw in range(draws):
        random = step_generator(seed, draw)
        place = draw % len(scenes.wrapped)
        for codes, curve in zip(*_plates(scenes.wrapped[place], random), strict=True):
            found["marks"].append(marks(codes))
            found["curves"].append(curve)
            found["spread"].append(_spread(codes))
            found["map"].append(torch.tensor(place))
        told(draw + 1)
    return Plates(**{name: torch.stack(rows) for name, rows in found.items()})


def _plates(wrapped: Tensor, random: Generator) -> tuple[Tensor, Tensor]:
    """Stills ``n 1 3 h w`` of one map and the tables that undo their tone, ``n 256``."""
    height, width = SIZES[int(torch.randint(len(SIZES), (), generator=random))]
    moves = random_moves(VIEWS, 1, random)
    light = render_views(wrapped.float().expand(VIEWS, -1, -1, -1), moves, height, width)
    mirrored = chance(VIEWS, 0.5, random).view(-1, 1, 1, 1, 1)
    light = (
        torch.where(mirrored, light.flip(-1), light) * tint(VIEWS, random)[:, None, :, None, None]
    )
    light = light.repeat(CURVES, 1, 1, 1, 1)
    curves = random_tone_curves(len(light), random)
    light = light * random_exposures(light, curves, random).view(-1, 1, 1, 1, 1)
    exact = replace(
        curves,
        first=curves.first.double(),
        second=curves.second.double(),
        gamma=curves.gamma.double(),
    )
    coded = [random_compression(c, CODED, random) for c in curves.encode(light)]
    return degrade(torch.stack(coded), random), undone(exact, LOGC3_REC709).float()


def _spread(codes: Tensor) -> Tensor:
    """Share of each code of 8 bits that is neither crushed nor clipped; what clipped is white."""
    whole = (codes * 255).round().long().clamp(0, 255).flatten()
    counts = torch.bincount(whole, minlength=256).float()
    counts[255] = counts[241:].sum()
    counts[:4] = counts[241:255] = 0
    return counts / counts.sum().clamp(min=1)


def train_reader(
    plates: Plates, epochs: int, held_out: Sequence[int], told: Callable[[str], None]
) -> dict[str, Tensor]:
    """Train the network.

    Args:
        plates: What to learn from.
        epochs: How often each plate is seen.
        held_out: Numbers of maps that are only looked at, to see how it does on unseen ones.
        told: Given a line to show now and then.

    Returns:
        Weights as :func:`~lumivid_fx.pipeline.tone_reader.judge` takes them.
    """
    unseen = torch.isin(plates.map, torch.tensor(list(held_out), dtype=plates.map.dtype))
    seen = plates.marks[~unseen]
    mean, spread = seen.mean(dim=0), seen.std(dim=0).clamp(min=1e-3)
    tables, shares = known_curves(LOGC3_REC709)
    tables, shares = tables.float(), shares.float()
    even = torch.zeros(256)
    even[4:241], white = 1 / 237, torch.eye(256)[255]
    weight = OWN * plates.spread + EVEN * even + WHITE * white

    def errors(logits: Tensor, which: Tensor) -> Tensor:
        """Mean square error of the curves that come of it."""
        curves = logits.softmax(dim=1) @ tables
        return (weight[which] * (curves - plates.curves[which]).square()).sum(dim=1)

    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Dropout(DROPPED / 2), nn.Linear(MARKS, WIDTH), nn.GELU(),
        nn.Dropout(DROPPED), nn.Linear(WIDTH, WIDTH), nn.GELU(),
        nn.Dropout(DROPPED), nn.Linear(WIDTH, len(tables)),
    )  # fmt: skip
    layers = [part for part in network if isinstance(part, nn.Linear)]
    with torch.no_grad():
        layers[-1].weight.zero_()
        layers[-1].bias.copy_(shares.log())
    read = ((plates.marks - mean) / spread).clamp(-5, 5)
    batch, learn = 256, (~unseen).nonzero()[:, 0]
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=DECAY)
    steps = epochs * -(-len(learn) // batch)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for epoch in range(epochs):
        network.train()
        for which in learn[torch.randperm(len(learn))].split(batch):
            error = errors(network(read[which] + NOISE * torch.randn(len(which), MARKS)), which)
            loss = (error + 1e-6).sqrt().mean() + 20 * error.mean()
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            falling.step()
        if (epoch + 1) % 10 == 0 or epoch + 1 == epochs:
            network.eval()
            with torch.no_grad():
                groups = {"seen": learn, "unseen": unseen.nonzero()[:, 0]}
                figures = [
                    f"{name} {float(errors(network(read[w]), w).sqrt().mean()):.4f}"
                    for name, w in groups.items()
                    if len(w)
                ]
            told(f"{epoch + 1} of {epochs}, error of codes on maps: {', '.join(figures)}")
    names = ("first", "second", "last")
    weights = {"mean": mean, "spread": spread}
    for name, layer in zip(names, layers, strict=True):
        weights |= {f"{name}.weight": layer.weight.detach(), f"{name}.bias": layer.bias.detach()}
    return weights


def save_reader(weights: dict[str, Tensor], path: Path) -> None:
    """Write a reader's weights in half precision."""
    save_file({name: tensor.half().contiguous() for name, tensor in weights.items()}, path)
