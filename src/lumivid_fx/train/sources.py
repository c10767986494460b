"""Where training clips come from: made-up maps, environment maps, and plates of one's own.

A source gives scene-linear Rec.709 light, or, from SDR footage, display codes. What it gives
depends on the generator alone, so that a clip can be made again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Lock

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from lumivid_fx.color.spaces import LINEAR_REC709, ColorSpaces
from lumivid_fx.errors import InputError
from lumivid_fx.media import Plate, open_plate
from lumivid_fx.train import clips
from lumivid_fx.train.recipe import SDR, Recipe, Source
from lumivid_fx.train.scenes import Scenes, made_up_environment

DISPLAY_SPACES = ("srgb", "rec709", "gamma22")
"""Spaces of display-referred Rec.709: SDR, and no light."""

MADE_UP_SIZE = (256, 512)
"""Rows and columns of a made-up map: 0.7 degrees a pixel, and clips that show it are small."""

MAPS_KEPT = 16
"""Maps in memory at a time: 0.4 GB each where they are 8k."""

SAMPLE_BYTES = 1 << 20
WHOLE_BYTES = 64 << 20
"""Files up to this size are hashed whole, larger ones by their size and both ends."""


@dataclass(frozen=True)
class Clip:
    """What a source gives.

    Attributes:
        pixels: ``f 3 h w``: scene-linear Rec.709 light, or display codes in [0, 1].
        is_display: Whether they are codes.
        as_shot: Whether the light has the exposure it is meant to have; that of a map has not.
    """

    pixels: Tensor
    is_display: bool = False
    as_shot: bool = False


@dataclass
class Maps:
    """Views of a folder's equirectangular maps, or of maps made up on the spot.

    Two maps at a time, for a piece of one may move before the other.

    Attributes:
        paths: The maps; none where they are made up.
    """

    paths: Sequence[Path] = ()

    def clip(self, frames: int, height: int, width: int, generator: Generator) -> Clip:
        """Turn a camera inside them."""
        one, other = self._environment(generator), self._environment(generator)
        pair = [one, other] if one.shape == other.shape else [one]
        return Clip(Scenes.of(pair).draw(1, frames, height, width, generator)[0])

    def _environment(self, generator: Generator) -> Tensor:
        if not self.paths:
            return made_up_environment(*MADE_UP_SIZE, generator)
        return _map(self.paths[int(torch.randint(len(self.paths), (), generator=generator))])

    def files(self) -> Iterator[Path]:
        """The files it reads."""
        yield from self.paths


@dataclass
class Footage:
    """Crops of a plate: scene-linear or log frames, or an SDR movie.

    Attributes:
        plate: The frames.
        space: The space they are in.
        spaces: Colour, to bring them to linear Rec.709.
    """

    plate: Plate
    space: str
    spaces: ColorSpaces
    _lock: Lock = field(default_factory=Lock)

    @property
    def is_display(self) -> bool:
        """Whether it is SDR."""
        return self.space.lower() in DISPLAY_SPACES

    def clip(self, frames: int, height: int, width: int, generator: Generator) -> Clip:
        """Cut consecutive frames at a random place and scale, never enlarged."""
        numbers = self.plate.frame_numbers
        start = int(torch.randint(len(numbers) - frames + 1, (), generator=generator))
        largest = min(self.plate.height / height, self.plate.width / width)
        scale = 1 + (largest - 1) * float(torch.rand((), generator=generator))
        tall = min(self.plate.height, round(height * scale))
        wide = min(self.plate.width, round(width * scale))
        top = int(torch.randint(self.plate.height - tall + 1, (), generator=generator))
        left = int(torch.randint(self.plate.width - wide + 1, (), generator=generator))
        mirrored = float(torch.rand((), generator=generator)) < 0.5
        cut = []
        for number in numbers[start : start + frames]:
            with self._lock:
                whole = self.plate.read(number).rgb
            part = np.ascontiguousarray(whole[top : top + tall, left : left + wide])
            if not self.is_display:
                part = self.spaces.convert(part, self.space, LINEAR_REC709)
            picture = torch.from_numpy(part).permute(2, 0, 1)
            cut.append(picture.flip(2) if mirrored else picture)
        pixels = F.interpolate(
            torch.stack(cut), (height, width), mode="bilinear", antialias=True, align_corners=False
        )
        low, high = (0.0, 1.0) if self.is_display else (0.0, None)
        return Clip(pixels.clamp(low, high), is_display=self.is_display, as_shot=True)

    def files(self) -> Iterator[Path]:
        """The files it reads."""
        yield from dict.fromkeys(self.plate.file_of(n) for n in self.plate.frame_numbers)


@lru_cache(MAPS_KEPT)
def _map(path: Path) -> Tensor:
    return clips.load_environment(path)


class Sources:
    """All sources of a recipe, each drawn as often as its weight says.

    Args:
        recipe: Which they are, and what clips are cut.

    Raises:
        InputError: A source is not there, too small, too short, or of no use for the target.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._clips = recipe.clips
        self._sources: list[Maps | Footage] = []
        for source in recipe.sources:
            self._sources.append(_open(source, recipe))
        self._weights = torch.tensor([source.weight for source in recipe.sources])

    def clip(self, frames: int, generator: Generator) -> Clip:
        """Draw a clip of the recipe's size."""
        chosen = int(torch.multinomial(self._weights, 1, generator=generator))
        source = self._sources[chosen]
        return source.clip(frames, self._clips.height, self._clips.width, generator)

    def digest(self) -> str:
        """SHA-256 of the content of every file."""
        total = hashlib.sha256()
        for source in self._sources:
            for path in source.files():
                total.update(file_digest(path))
        return total.hexdigest()

    def close(self) -> None:
        """Let go of files."""
        for source in self._sources:
            if isinstance(source, Footage):
                source.plate.close()


def file_digest(path: Path) -> bytes:
    """SHA-256 of a file, or of both ends and the size of one too large to read for that."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= WHOLE_BYTES:
            return hashlib.file_digest(file, "sha256").digest()
        ends = file.read(SAMPLE_BYTES)
        file.seek(-SAMPLE_BYTES, 2)
        return hashlib.sha256(b"%d" % size + ends + file.read()).digest()


def _open(source: Source, recipe: Recipe) -> Maps | Footage:
    match source.kind:
        case "made_up":
            return Maps()
        case "maps":
            return _maps(Path(source.path or ""), source.held_out)
        case "plate":
            return _footage(source, recipe)


def _maps(folder: Path, held_out: tuple[str, ...]) -> Maps:
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; a source of maps names the folder they are in")
    there = {path.stem for path in folder.glob("*.exr")}
    if unknown := sorted(set(held_out) - there):
        raise InputError(
            f"{folder} holds no map {unknown[0]}, which is to be held out; correct held_out"
        )
    paths = clips.find_maps(folder, held_out)
    if not paths:
        raise InputError(f"{folder} holds no EXR map to train on; check the path and held_out")
    return Maps(paths)


def _footage(source: Source, recipe: Recipe) -> Footage:
    spaces = ColorSpaces()
    plate = open_plate(source.path or "", source.frames)
    try:
        footage = Footage(plate, plate.space_or(source.space), spaces)
        if not footage.is_display:
            spaces.resolve(footage.space)
        elif recipe.target.transfer != SDR:
            raise InputError(
                f"{plate.source} is SDR ({footage.space}), so it holds no light to learn; "
                'name its space if it is log or linear, or train with target.transfer = "sdr"'
            )
        wanted = recipe.clips
        if len(plate.frame_numbers) < max(wanted.frames):
            raise InputError(
                f"{plate.source} has {len(plate.frame_numbers)} frames, fewer than a clip's "
                f"{max(wanted.frames)}; leave it out or shorten clips.frames"
            )
        if plate.width < wanted.width or plate.height < wanted.height:
            raise InputError(
                f"{plate.source} is {plate.width} x {plate.height} pixels, smaller than a clip's "
                f"{wanted.width} x {wanted.height}; leave it out or make clips smaller"
            )
    except BaseException:
        plate.close()
        raise
    return footage
