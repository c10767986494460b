"""Which of the known tone curves a plate went through, read from the plate alone.

A tone curve leaves marks that need no knowledge of the scene. A shoulder flattens what lies under
it: steps between neighbours are smaller there. Colours pale towards white where channels run into
it one by one. A hard clip piles pixels up at its end, a toe at the other. A small network (two
layers of `WIDTH`) reads such counts, and says how likely each curve of
:func:`~lumivid_fx.pipeline.tone_fit.known_curves` is before any model has spoken.
`lumivid_fx.train.tone_reader` trains it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

WEIGHTS = Path(__file__).with_name("tone_reader.safetensors")

WIDTH = 64

LEVELS = 32
"""Bands of display codes that are counted apart."""

FINE = 4
"""Steps of a code of 8 bits in which codes are counted."""

EDGES = (3, 6, 10, 18, 34, 66, 130, 258)
"""Upper ends of the classes of differences, in such steps: 0.75 codes to 64."""

SCALES = 3
"""How often neighbours are compared, each time on means over 3 x 3 of the time before."""

FRAMES = 5
"""Frames of a window that are read, evenly from its first to its last."""

RARE = 3e-3
"""Share of a level under which its differences are taken to be mostly those of all levels."""

MARKS = 6 * LEVELS * (1 + len(EDGES)) + 15
"""How many marks there are."""


def read_tone(display: Tensor) -> Tensor:
    """Log of the share of each known curve, ``k``, as a window's plate tells it.

    Args:
        display: Display codes ``f 3 h w`` in [0, 1].
    """
    count = min(FRAMES, len(display))
    chosen = torch.linspace(0, len(display) - 1, count).round().long()
    return judge(marks(display[chosen].cpu())[None], _weights())[0]


def judge(read: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
    """What the network makes of marks ``n m``: log shares ``n k``."""
    hidden = ((read - weights["mean"]) / weights["spread"]).clamp(-5, 5)
    for layer in ("first", "second"):
        hidden = F.gelu(F.linear(hidden, weights[f"{layer}.weight"], weights[f"{layer}.bias"]))
    return F.linear(hidden, weights["last.weight"], weights["last.bias"]).log_softmax(dim=-1)


@cache
def _weights() -> dict[str, Tensor]:
    return {name: tensor.float() for name, tensor in load_file(WEIGHTS).items()}


def marks(display: Tensor) -> Tensor:
    """Count what tone curves leave in pictures ``f 3 h w``, as a row of `MARKS` numbers."""
    found, pictures = [], display.float()
    for _ in range(SCALES):
        fine = _fine(pictures)
        counts = torch.zeros(LEVELS, len(EDGES) + 1)
        for ahead, behind in (
            (fine[..., 1:], fine[..., :-1]),
            (fine[..., 1:, :], fine[..., :-1, :]),
        ):
            counts += _counts(ahead + behind, (ahead - behind).abs(), EDGES)
        found.append(_told(counts))
        pictures = F.avg_pool2d(pictures, 3, ceil_mode=True, count_include_pad=False)
    fine = _fine(display)
    high, low = fine.amax(dim=1), fine.amin(dim=1)
    middle = fine.sum(dim=1, dtype=torch.int32) - high - low
    wide = [2 * edge for edge in EDGES]
    found.append(_told(_counts(2 * high, high - low, wide)))
    found.append(_told(_counts(2 * high, high - middle, EDGES)))
    found.append(_told(_counts(2 * low, middle - low, EDGES)))
    white, black = 255 * FINE, FINE
    ends = [(fine > t * white).float().mean() for t in (0.9, 0.94, 0.97, 0.985, 0.995)]
    ends += [(high > t * white).float().mean() for t in (0.94, 0.985, 0.995)]
    ends += [(low < t * black).float().mean() for t in (1.5, 4.5, 8.5)]
    found.append(torch.log(torch.stack(ends) + 1e-4))
    found.append(torch.stack([display.mean(), display.std(), display.amax(), display.amin()]))
    return torch.cat(found)


def _fine(pictures: Tensor) -> Tensor:
    return (pictures * (255 * FINE)).round().int()


def _counts(twice_level: Tensor, difference: Tensor, edges: tuple[int, ...] | list[int]) -> Tensor:
    """How often each class of differences comes at each level: ``LEVELS classes``."""
    top = 255 * FINE
    classes = torch.bucketize(torch.arange(top + 1), torch.tensor(edges)).int()
    level = (twice_level * LEVELS).div(2 * top + 1, rounding_mode="floor")
    place = level * (len(edges) + 1) + classes[difference]
    counts = torch.bincount(place.flatten(), minlength=LEVELS * (len(edges) + 1))
    return counts.view(LEVELS, -1).float()


def _told(counts: Tensor) -> Tensor:
    """Counts as log shares of levels, and the running shares of classes within each level."""
    shares = counts / counts.sum().clamp(min=1)
    level, everywhere = shares.sum(dim=1), shares.sum(dim=0)
    within = (shares + RARE / LEVELS * everywhere) / (level + RARE / LEVELS)[:, None]
    return torch.cat([torch.log(level + 1e-4), within.cumsum(dim=1)[:, :-1].flatten()])
