"""Movies whose frames show their own number, for the tests of the media room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lumivid_fx.errors import InputError
from lumivid_fx.media import Plate, open_plate

from .files import Array, encode_movie, flat

SIZE = (64, 96)
SLATE = 5
"""Luma codes from one frame to the next, so that a frame shows its own number."""


def numbered(count: int, *, bits: int = 8, halved: int = 2, seed: int = 0) -> list[list[Array]]:
    """Frames whose top half shows their number in luma, above noise that is hard to predict."""
    random = np.random.default_rng(seed)
    frames = []
    for number in range(count):
        planes = flat(SIZE, [(16 + SLATE * number % 220) << (bits - 8), *([128 << (bits - 8)] * 2)],
                      bits, halved)  # fmt: skip
        lower = planes[0][SIZE[0] // 2 :]
        lower[:] = random.integers(16 << (bits - 8), 235 << (bits - 8), lower.shape)
        frames.append(planes)
    return frames


def shown(plate: Plate, number: int) -> int:
    """The number, counted from 0, that a frame of :func:`numbered` shows."""
    luma = float(plate.read(number).rgb[: SIZE[0] // 4].mean())
    return round((luma * 219) / SLATE)


def read_all(path: Path) -> None:
    """Open a movie and read every frame of it."""
    with open_plate(str(path)) as plate:
        for number in plate.frame_numbers:
            plate.read(number)


def refused(path: Path, told: str) -> None:
    """Opening and reading every frame fails with one sentence that names the file."""
    with pytest.raises(InputError, match=told) as caught:
        read_all(path)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)


CODECS = [
    ("a.mp4", "libx264", "yuv420p", {"g": "12"}),
    ("a.mkv", "libx264", "yuv420p", {"g": "12"}),
    ("a.mov", "libx265", "yuv420p10le", {"x265-params": "keyint=12:log-level=none"}),
    ("b.mov", "prores_ks", "yuv420p10le", {"profile": "3"}),
]


def movie(tmp_path: Path, name: str, codec: str, pix_fmt: str, options: dict[str, str]) -> Path:
    """A movie of 40 frames whose header stands before its frames."""
    frames = numbered(40, bits=10 if "10" in pix_fmt else 8)
    if codec == "prores_ks":
        frames = [[y, u.repeat(2, axis=0), v.repeat(2, axis=0)] for y, u, v in frames]
        pix_fmt = "yuv422p10le"
    muxer = {} if name.endswith("mkv") else {"movflags": "faststart"}
    return encode_movie(
        tmp_path / name, frames, codec=codec, pix_fmt=pix_fmt, options=options, muxer=muxer
    )
