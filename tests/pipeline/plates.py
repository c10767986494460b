"""Plates for the pipeline's tests: in memory, and as files."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import OpenImageIO
from tests.media.files import write_image

from lumivid_fx.errors import InputError
from lumivid_fx.media import Frame, Plate, Windows
from lumivid_fx.media.exr import GENERATED

Pixels = npt.NDArray[np.float32]


class Clip(Plate):
    """Frames that are made when they are read, so that a long plate takes no memory.

    Args:
        height: Of a frame.
        width: Of a frame.
        count: Number of frames.
        first: Number of the first frame.
        space: Space of the pixels.
        alpha: Whether frames have alpha.
        attributes: Of every frame.
        gain: Times the pixels, which are in [0, 1].
    """

    def __init__(
        self,
        height: int,
        width: int,
        count: int,
        *,
        first: int = 1,
        space: str = "srgb",
        alpha: bool = False,
        attributes: Mapping[str, object] | None = None,
        gain: float = 1.0,
    ) -> None:
        self.source = "clip"
        self.height, self.width = height, width
        self.frame_numbers = range(first, first + count)
        self.fps = Fraction(24)
        self.space = space
        self.has_alpha = alpha
        self.attributes = dict(attributes or {})
        self.gain = gain
        self.reads: list[int] = []
        self.held = 0
        """How many frames that were read are still in memory."""

    def read(self, number: int) -> Frame:
        """Make a frame."""
        if number not in self.frame_numbers:
            raise InputError(f"clip has no frame {number}; ask for one inside")
        self.reads.append(number)
        rgb = picture(self.height, self.width, number) * np.float32(self.gain)
        self.held += 1
        weakref.finalize(rgb, self._let_go)
        alpha = None
        if self.has_alpha:
            alpha = np.random.default_rng(number).random(rgb.shape[:2], np.float32)
        whole = Windows.whole(self.width, self.height)
        return Frame(number, rgb, alpha, whole, self.attributes)

    def _let_go(self) -> None:
        self.held -= 1

    def close(self) -> None:
        """Nothing is open."""


class Still(Plate):
    """One frame that a test made, for every number asked for."""

    def __init__(self, rgb: Pixels, space: str = "srgb") -> None:
        self.source = "still"
        self.height, self.width = rgb.shape[:2]
        self.frame_numbers = range(1, 2)
        self.fps = None
        self.space = space
        self.has_alpha = False
        whole = Windows.whole(self.width, self.height)
        self.frame = Frame(1, rgb.astype(np.float32), None, whole, {})

    def read(self, number: int) -> Frame:
        """The frame."""
        return replace(self.frame, number=number)

    def close(self) -> None:
        """Nothing is open."""


def picture(height: int, width: int, number: int) -> Pixels:
    """Codes in [0, 1]: a soft pattern that moves with the frame, black and white in it."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    phase = np.array([0.0, 0.7, 1.9], np.float32)
    wave = np.sin(x[..., None] / 9 + 0.2 * number + phase) + np.cos(y[..., None] / 7 - phase)
    return np.asarray(np.clip(0.5 + 0.4 * wave, 0, 1), np.float32)


def write_png(
    folder: Path,
    numbers: Iterable[int],
    *,
    alpha: bool = False,
    shift: int = 0,
    size: tuple[int, int] = (24, 32),
) -> str:
    """Write a PNG sequence and give its pattern.

    Args:
        folder: Where.
        numbers: Of the frames.
        alpha: Whether there is a matte.
        shift: Makes another sequence of the same size.
        size: Height and width.
    """
    folder.mkdir(exist_ok=True)
    for number in numbers:
        pixels = (picture(*size, number + shift) * 255).round().astype(np.uint8)
        if alpha:
            matte = np.linspace(0, 255, size[1]).astype(np.uint8)
            pixels = np.dstack([pixels, np.broadcast_to(matte, size)])
        path = folder / f"plate.{number:04d}.png"
        write_image(path, pixels, attributes={"oiio:UnassociatedAlpha": 1})
    return str(folder / "plate.####.png")


def generated_of(path: Path) -> npt.NDArray[np.float16]:
    """How much of each pixel of a frame is the model's, as it is stored."""
    image = OpenImageIO.ImageInput.open(str(path))
    assert image is not None
    at = list(image.spec().channelnames).index(GENERATED)
    channel = image.read_image(0, 0, at, at + 1, OpenImageIO.HALF)
    image.close()
    assert channel is not None
    return np.asarray(channel[..., 0])
