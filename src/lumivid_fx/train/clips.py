"""Scene-linear training clips: a virtual camera turning inside equirectangular maps.

The paper (section 3.2) renders its training clips so. A map holds the light of every direction at
one point: a rotating and zooming camera sees exactly what a real one would, with no parallax.

Everything here is batched and stays on the device it is given: ``b f 3 h w`` light, and random
numbers from the generator alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from lumivid_fx.media import open_plate


@dataclass(frozen=True)
class CameraMove:
    """Where cameras look, frame by frame: radians, one tensor ``... f`` each.

    Attributes:
        yaw: Angle to the right of the map's centre.
        pitch: Angle upwards.
        roll: Rotation about the view axis.
        fov: Horizontal field of view.
    """

    yaw: Tensor
    pitch: Tensor
    roll: Tensor
    fov: Tensor


def load_environment(path: Path) -> Tensor:
    """Read an equirectangular map as ``3 h w`` linear Rec.709 light, negatives set to zero."""
    with open_plate(str(path)) as plate:
        rgb = plate.read(plate.first_frame).rgb
    return torch.from_numpy(rgb).permute(2, 0, 1).clamp(min=0).contiguous()


def uniform(count: int, low: float, high: float, generator: Generator) -> Tensor:
    """Draw ``count`` numbers evenly between `low` and `high`, on the generator's device."""
    drawn = torch.rand(count, generator=generator, device=generator.device)
    return low + (high - low) * drawn


def normal(count: int, spread: float, generator: Generator) -> Tensor:
    """Draw ``count`` numbers from a normal distribution about zero, on the generator's device."""
    return spread * torch.randn(count, generator=generator, device=generator.device)


def chance(count: int, probability: float, generator: Generator) -> Tensor:
    """Draw ``count`` truths, each true with `probability`, on the generator's device."""
    return torch.rand(count, generator=generator, device=generator.device) < probability


def random_moves(count: int, num_frames: int, generator: Generator) -> CameraMove:
    """Draw hand-held or mounted moves: drift in yaw, pitch, roll and zoom, and a shake.

    Args:
        count: Cameras.
        num_frames: Frames of each.
        generator: Source of chance; its device is that of the result.

    Returns:
        Moves of ``count num_frames``.
    """
    time = torch.arange(num_frames, dtype=torch.float32, device=generator.device)

    def drift(start: Tensor, degrees: float) -> Tensor:
        speed = normal(count, math.radians(degrees), generator)[:, None]
        rate = uniform(count, 0.3, 1.2, generator)[:, None]
        phase = uniform(count, 0, 2 * math.pi, generator)[:, None]
        return start[:, None] + speed * time + 0.15 * speed.abs() * torch.sin(time * rate + phase)

    return CameraMove(
        yaw=drift(uniform(count, -math.pi, math.pi, generator), 0.7),
        pitch=drift(normal(count, math.radians(16), generator), 0.25),
        roll=drift(normal(count, math.radians(3), generator), 0.1),
        fov=drift(uniform(count, math.radians(45), math.radians(100), generator), 0.2).clamp(
            0.5, 2.0
        ),
    )


def random_move(num_frames: int, generator: Generator) -> CameraMove:
    """Draw one move, ``f``: see :func:`random_moves`."""
    moves = random_moves(1, num_frames, generator)
    return CameraMove(moves.yaw[0], moves.pitch[0], moves.roll[0], moves.fov[0])


def wrap_columns(environments: Tensor) -> Tensor:
    """Add the neighbouring column at both ends of maps ``b 3 h w``: ``b 3 h w+2``."""
    return F.pad(environments, (1, 1, 0, 0), mode="circular")


def render_views(wrapped: Tensor, moves: CameraMove, height: int, width: int) -> Tensor:
    """Look into maps along camera moves.

    Args:
        wrapped: ``b 3 h w+2`` linear light, equirectangular, up at the top, from
            :func:`wrap_columns`.
        moves: The cameras, ``b f``.
        height: Rows of the picture.
        width: Columns of the picture.

    Returns:
        ``b f 3 height width`` linear light.
    """
    device = wrapped.device
    half = torch.tan(moves.fov / 2)[..., None, None]
    x = torch.linspace(-1, 1, width, device=device) * half
    y = torch.linspace(1, -1, height, device=device)[:, None] * half * (height / width)
    x, y = torch.broadcast_tensors(x, y)
    cos_r, sin_r = torch.cos(moves.roll)[..., None, None], torch.sin(moves.roll)[..., None, None]
    x, y = cos_r * x - sin_r * y, sin_r * x + cos_r * y
    cos_p, sin_p = torch.cos(moves.pitch)[..., None, None], torch.sin(moves.pitch)[..., None, None]
    up = cos_p * y + sin_p
    ahead = cos_p - sin_p * y
    longitude = torch.atan2(x, ahead) + moves.yaw[..., None, None]
    latitude = torch.atan2(up, torch.hypot(x, ahead))
    around = torch.remainder(longitude / math.pi + 1, 2) - 1
    columns = wrapped.shape[3] - 2
    grid = torch.stack([around * columns / (columns + 2), -2 * latitude / math.pi], dim=-1)
    batch, frames = moves.yaw.shape
    # The frames of a clip are one tall picture, so that a map is not copied for each of them.
    tall = F.grid_sample(wrapped, grid.flatten(1, 2), padding_mode="border", align_corners=False)
    return tall.view(batch, 3, frames, height, width).transpose(1, 2)


def render_view(environment: Tensor, move: CameraMove, height: int, width: int) -> Tensor:
    """Look into one map ``3 h w`` along one move ``f``: ``f 3 height width`` linear light."""
    moves = CameraMove(*(x[None] for x in (move.yaw, move.pitch, move.roll, move.fov)))
    return render_views(wrap_columns(environment[None]), moves, height, width)[0]


def find_maps(folder: Path, held_out: Sequence[str] = ()) -> list[Path]:
    """List the EXR maps of a folder by name, less those whose stem is held out."""
    return sorted(p for p in folder.glob("*.exr") if p.stem not in held_out)
