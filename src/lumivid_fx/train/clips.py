"""Scene-linear training clips: a virtual camera turning inside an equirectangular map.

The paper (section 3.2) renders its training clips so. A map holds the light of every direction at
one point: a rotating and zooming camera sees exactly what a real one would, with no parallax.
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
    """Where a camera looks, frame by frame: radians, one tensor ``f`` each.

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


def random_move(num_frames: int, generator: Generator) -> CameraMove:
    """Draw a hand-held or mounted move: drift in yaw, pitch, roll and zoom, and a shake."""

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator))

    def normal(std: float) -> float:
        return std * float(torch.randn((), generator=generator))

    time = torch.arange(num_frames, dtype=torch.float32)

    def drift(start: float, speed: float) -> Tensor:
        shake = 0.15 * abs(speed) * torch.sin(time * uniform(0.3, 1.2) + uniform(0, 2 * math.pi))
        return start + speed * time + shake

    return CameraMove(
        yaw=drift(uniform(-math.pi, math.pi), normal(math.radians(0.7))),
        pitch=drift(normal(math.radians(16)), normal(math.radians(0.25))),
        roll=drift(normal(math.radians(3)), normal(math.radians(0.1))),
        fov=drift(math.radians(uniform(55, 100)), normal(math.radians(0.2))).clamp(0.5, 2.0),
    )


def render_view(environment: Tensor, move: CameraMove, height: int, width: int) -> Tensor:
    """Look into a map along a camera move.

    Args:
        environment: ``3 h w`` linear light, equirectangular, up at the top.
        move: The camera, ``f`` frames.
        height: Rows of the picture.
        width: Columns of the picture.

    Returns:
        ``f 3 height width`` linear light.
    """
    half = torch.tan(move.fov / 2)[:, None, None]
    x = torch.linspace(-1, 1, width).view(1, 1, width) * half
    y = torch.linspace(1, -1, height).view(1, height, 1) * half * (height / width)
    x, y = torch.broadcast_tensors(x, y)
    cos_r, sin_r = torch.cos(move.roll)[:, None, None], torch.sin(move.roll)[:, None, None]
    x, y = cos_r * x - sin_r * y, sin_r * x + cos_r * y
    cos_p, sin_p = torch.cos(move.pitch)[:, None, None], torch.sin(move.pitch)[:, None, None]
    up = cos_p * y + sin_p
    ahead = cos_p - sin_p * y
    longitude = torch.atan2(x, ahead) + move.yaw[:, None, None]
    latitude = torch.atan2(up, torch.hypot(x, ahead))
    wrapped = torch.remainder(longitude / math.pi + 1, 2) - 1
    columns = environment.shape[2]
    padded = F.pad(environment[None], (1, 1, 0, 0), mode="circular")
    grid = torch.stack([wrapped * columns / (columns + 2), -2 * latitude / math.pi], dim=-1)
    return torch.cat(
        [F.grid_sample(padded, g[None], padding_mode="border", align_corners=False) for g in grid]
    )


def find_maps(folder: Path, held_out: Sequence[str] = ()) -> list[Path]:
    """List the EXR maps of a folder by name, less those whose stem is held out."""
    return sorted(p for p in folder.glob("*.exr") if p.stem not in held_out)
