"""Make the demo clip that ships with the package, out of light that a render is to find again.

    python scripts/make_demo_clip.py tests/data/modern_buildings_2.exr [OUT.mp4]

A camera turns inside an environment map. What it sees is exposed for the ground, so that the sky
around the sun is blown, goes through a camera's S-curve and a little grain, and is encoded as a
phone or an edit would: H.264, 8 bit, 4:2:0.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Generator, Tensor

from lumivid_fx.color.tone_curves import MID_GREY, sigmoid, srgb_encode
from lumivid_fx.media.movie_writer import write_movie
from lumivid_fx.train import clips

FRAMES, HEIGHT, WIDTH, FPS = 33, 288, 512, Fraction(24)
EXPOSURE = 1.4
CONTRAST, WHITE = 1.35, 5.0
GRAIN = 0.005
SEED = 7

CLIP = Path(__file__).parents[1] / "src" / "lumivid_fx" / "demo" / "clip.mp4"


def move() -> clips.CameraMove:
    """Pan slowly left past the sun, ease in and out, tilt down a little and level the horizon."""
    time = torch.linspace(0, 1, FRAMES)
    eased = time * time * (3 - 2 * time)

    def between(start: float, end: float) -> Tensor:
        return torch.deg2rad(start + (end - start) * eased)

    sway = math.radians(0.3) * torch.sin(2 * math.pi * time)
    return clips.CameraMove(
        yaw=between(42, 25),
        pitch=between(10.5, 9) + sway,
        roll=between(1.5, -0.5),
        fov=between(92, 88),
    )


def light(map_path: Path) -> Tensor:
    """What the camera sees, ``f 3 h w`` linear Rec.709 at the clip's exposure: its truth."""
    seen = clips.render_view(clips.load_environment(map_path), move(), HEIGHT, WIDTH)
    key = torch.exp(seen.mean(dim=1).clamp(min=1e-5).log().mean())
    return seen * (EXPOSURE * MID_GREY / key)


def tone(seen: Tensor) -> Tensor:
    """The camera's curve, display-linear."""
    return sigmoid(seen, CONTRAST, WHITE)


def codes(seen: Tensor) -> Iterator[npt.NDArray[np.float32]]:
    """The clip's frames, ``h w 3`` display codes in [0, 1]."""
    generator = Generator().manual_seed(SEED)
    for shown in srgb_encode(tone(seen)):
        grain = GRAIN * torch.randn(shown.shape, generator=generator)
        yield np.ascontiguousarray((shown + grain).clamp(0, 1).permute(1, 2, 0).numpy())


def main() -> None:
    """Write the clip and say how much of it is blown."""
    parser = argparse.ArgumentParser(description="Make the demo clip out of an environment map.")
    parser.add_argument("map", type=Path, help="equirectangular EXR")
    parser.add_argument("out", type=Path, nargs="?", default=CLIP)
    chosen = parser.parse_args()
    seen = light(chosen.map)
    write_movie(chosen.out, codes(seen), FPS)
    blown = float((srgb_encode(tone(seen)).amax(dim=1) > 0.98).float().mean())
    stops = math.log2(float(seen.max()))
    print(f"{chosen.out}: {chosen.out.stat().st_size:,} bytes, {blown:.1%} of it blown,")
    print(f"its light peaks {stops:.1f} stops over 1.0")


if __name__ == "__main__":
    main()
