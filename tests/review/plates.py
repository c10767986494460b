"""Small scene-linear plates for the tests of review: written as a render writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from lumivid_fx.media import Windows
from lumivid_fx.media.exr import write_exr
from lumivid_fx.media.plate import FloatImage

FIRST = 1001
WIDTH, HEIGHT = 96, 54


def turning(count: int, gain: float = 1.0) -> list[FloatImage]:
    """A highlight over a textured ramp, which moves by two pixels a frame; with grain."""
    rows, columns = np.mgrid[:HEIGHT, : WIDTH + 2 * count].astype(np.float32)
    texture = 0.5 + 0.4 * np.sin(columns / 3) * np.cos(rows / 5) + 0.3 * np.sin(columns / 17)
    light = 0.08 + 0.25 * texture + 0.1 * rows / HEIGHT
    light += 9 * np.exp(-((rows - 15) ** 2 + (columns - 60) ** 2) / 60)
    tint = np.array([1.0, 0.9, 0.7], np.float32)
    grain = np.random.default_rng(5)
    return [
        gain
        * tint
        * light[:, 2 * n : 2 * n + WIDTH, None]
        * (1 + 0.01 * grain.standard_normal((HEIGHT, WIDTH, 3)).astype(np.float32))
        for n in range(count)
    ]  # fmt: skip


def write_plates(
    folder: Path,
    pictures: Sequence[FloatImage],
    *,
    alpha: FloatImage | None = None,
    space: str = "lin_rec709_scene",
    window: int = 25,
    overlap: int = 9,
    more: Mapping[str, object] | None = None,
    windows: Sequence[Windows] | None = None,
) -> str:
    """Write pictures as half-float frames from 1001 on, and give their pattern."""
    last = FIRST + len(pictures) - 1
    settings = {"window": window, "overlap": overlap, "plate": [WIDTH, HEIGHT, f"{FIRST}-{last}"]}
    for number, rgb in enumerate(pictures, start=FIRST):
        marks = {
            "lumivid/frame": number,
            "lumivid/settings": json.dumps(settings),
            "lumivid/digest": "0" * 64,
            "lumivid/transfer": "logc3_rec709",
        }
        write_exr(
            folder / f"hdr.{number}.exr",
            rgb.astype(np.float32),
            alpha,
            windows=windows[number - FIRST]
            if windows
            else Windows.whole(rgb.shape[1], rgb.shape[0]),
            attributes={**marks, **(more or {})},
            chromaticities=None,
            interop_id=space,
            fps=Fraction(24000, 1001),
        )
    return str(folder / "hdr.####.exr")
