"""What the virtual camera sees: maps, made-up maps, and objects that move before them.

Maps were taken where nothing moves, and there are few of them. So light of two scenes is mixed as
light does mix (it adds), a piece of one scene moves before another as an object, and some maps are
made up: lamps, windows, suns and thin strokes over surfaces of many sizes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from lumivid_fx.train.clips import (
    chance,
    normal,
    random_moves,
    render_views,
    uniform,
    wrap_columns,
)


@dataclass(frozen=True)
class Scenes:
    """Maps to draw clips from.

    Attributes:
        wrapped: ``m 3 h w+2`` linear Rec.709 light, the median luminance of each at 1.
    """

    wrapped: Tensor

    @classmethod
    def of(cls, environments: Sequence[Tensor], device: str | torch.device = "cpu") -> Scenes:
        """Take in maps ``3 h w`` of one size."""
        levelled = [e / e.mean(dim=0).median().clamp(min=1e-6) for e in environments]
        # Half floats end at 65504: a sun that is brighter still lies far over every curve.
        stacked = torch.stack(levelled).clamp(max=60_000.0)
        return cls(wrap_columns(stacked).to(device))

    def draw(
        self, count: int, frames: int, height: int, width: int, generator: Generator
    ) -> Tensor:
        """Draw clips of scene light at no exposure in particular: ``b f 3 h w``, at least 0."""
        light = self._look(count, frames, height, width, generator)
        other = self._look(count, frames, height, width, generator)
        level = torch.exp2(normal(count, 1.5, generator)).view(-1, 1, 1, 1, 1)
        mixed = chance(count, 0.12, generator).view(-1, 1, 1, 1, 1)
        held = chance(count, 0.3, generator).view(-1, 1, 1, 1, 1)
        shape = _moving_shape(count, frames, height, width, generator) * (held & ~mixed)
        light = light + other * level * mixed
        light = light + shape * (other * level - light)
        mirrored = chance(count, 0.5, generator).view(-1, 1, 1, 1, 1)
        light = torch.where(mirrored, light.flip(-1), light)
        return light * tint(count, generator)[:, None, :, None, None]

    def _look(
        self, count: int, frames: int, height: int, width: int, generator: Generator
    ) -> Tensor:
        pick = torch.randint(
            len(self.wrapped), (count,), generator=generator, device=generator.device
        )
        moves = random_moves(count, frames, generator)
        return render_views(self.wrapped[pick].float(), moves, height, width)


def tint(count: int, generator: Generator) -> Tensor:
    """White balance of a camera, ``b 3``: half of them neutral, none far from it."""
    gains = torch.exp2(0.15 * torch.randn(count, 3, generator=generator, device=generator.device))
    gains = gains / gains.mean(dim=1, keepdim=True)
    return torch.where(chance(count, 0.5, generator)[:, None], gains, torch.ones_like(gains))


def _moving_shape(count: int, frames: int, height: int, width: int, generator: Generator) -> Tensor:
    """Masks ``b f 1 h w`` in [0, 1]: a soft ellipse or box that crosses the picture."""
    device = generator.device
    time = torch.arange(frames, dtype=torch.float32, device=device)

    def path(span: float) -> Tensor:
        start = uniform(count, -span, span, generator)[:, None]
        return (start + normal(count, 0.03, generator)[:, None] * time)[..., None, None]

    reach = height / width
    x = torch.linspace(-1, 1, width, device=device) - path(0.9)
    y = torch.linspace(-reach, reach, height, device=device)[:, None] - path(0.9 * reach)
    wide, tall = (torch.exp(uniform(count, math.log(0.04), math.log(0.5), generator)) for _ in "xy")
    x, y = x.abs() / wide[:, None, None, None], y.abs() / tall[:, None, None, None]
    x, y = torch.broadcast_tensors(x, y)
    round_ = chance(count, 0.5, generator)[:, None, None, None]
    away = torch.where(round_, torch.hypot(x, y), torch.maximum(x, y))
    size = torch.minimum(wide, tall)[:, None, None, None]
    soft = uniform(count, 0.01, 0.06, generator)[:, None, None, None]
    return ((1 - away) * size / soft).clamp(0, 1)[:, :, None]


def made_up_environment(height: int, width: int, generator: Generator) -> Tensor:
    """Make up a map ``3 h w``: surfaces of many sizes under lamps, windows, strokes or a sun.

    Luminance spans what real maps span: shadows 6 stops under the middle, lamps 4 to 12 over it.
    """
    device = generator.device
    rows = torch.linspace(0, 1, height, device=device)[:, None]
    columns = torch.linspace(0, 1, width, device=device)[None]
    stops = _cloud(3, height, width, generator) * uniform(1, 0.3, 1.2, generator)
    stops = stops + normal(1, 2.0, generator) * (rows - 0.5)
    light = torch.exp2(stops) * torch.exp2(normal(3, 0.3, generator))[:, None, None]
    grain = _cloud(1, height, width, generator, coarsest=16)

    def one(low: float, high: float) -> Tensor:
        return uniform(1, low, high, generator)

    def box(size: Tensor, aspect: Tensor) -> tuple[Tensor, Tensor]:
        dx = (columns - one(0, 1)).abs()
        return torch.minimum(dx, 1 - dx) / size, (rows - one(0.15, 0.9)).abs() / (size * aspect)

    for _ in range(40):
        x, y = box(torch.exp(one(-4.6, -1.8)), torch.exp(one(-0.7, 1.5)))
        away = torch.where(one(0, 1) < 0.5, torch.hypot(x, y), torch.maximum(x, y))
        colour = torch.exp2(one(-5, 1.5) + normal(3, 0.5, generator))[:, None, None]
        surface = colour * torch.exp2(grain * one(0, 1.2))
        light = torch.where(away < 1, surface, light)
    light = light * torch.where(
        one(0, 1) < 0.3, torch.exp2(one(-7, -3)), torch.ones_like(one(0, 1))
    )
    for _ in range(14):
        x, y = box(torch.exp(one(-6.2, -3.2)), torch.exp(one(-0.9, 1.6)))
        away = torch.where(one(0, 1) < 0.6, torch.hypot(x, y), torch.maximum(x, y))
        colour = torch.exp2(one(3, 10) + normal(3, 0.4, generator))[:, None, None]
        inside = (away < 1) * torch.exp2(grain * one(0, 1.5))
        halo = torch.exp2(one(-11, -5)) / (0.5 + away.square())
        light = light + colour * (inside + halo) * (one(0, 1) < 0.6)
    x, y = box(one(0.004, 0.008), one(1.9, 2.1))
    away = torch.hypot(x, y)
    sun = torch.exp2(one(10, 15)) * ((away < 1) + 2e-3 / (0.2 + away.square()))
    return light + sun * (one(0, 1) < 0.25)


def _cloud(
    channels: int, height: int, width: int, generator: Generator, coarsest: int = 4
) -> Tensor:
    """Noise of many sizes, ``channels height width``, about zero; finer structure is fainter."""
    total = torch.zeros(channels, height, width, device=generator.device)
    size, weight = coarsest, 1.0
    while size <= height:
        drawn = torch.randn(
            1, channels, size // 2, size, generator=generator, device=generator.device
        )
        total += weight * F.interpolate(drawn, (height, width), mode="bicubic")[0]
        size, weight = size * 2, weight * 0.6
    return total
