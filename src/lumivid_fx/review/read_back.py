"""Deliveries read back: known light as patches, then the movie's own frames and what it says.

Patches are flat, so that they come back through any codec as they are, within a step of the
format. A picture comes back with its codec's noise, which is of either sign; a wrong matrix, range
or curve shifts all areas of like colour one way, so that these are averaged.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.color.transfer import SDR_WHITE_NITS
from lumivid_fx.errors import RenderError
from lumivid_fx.media import open_plate
from lumivid_fx.media.light_movie import HLG_PEAK_NITS, Show, Shown
from lumivid_fx.media.movie_facts import MovieFacts, read_movie_facts
from lumivid_fx.media.movie_writer import MovieFormat, rgb_to_ycc, rgb_to_yuv, write_movie
from lumivid_fx.media.plate import FloatImage
from lumivid_fx.media.yuv import decode_yuv
from lumivid_fx.review.measures import box_mean

GREYS = (0.0, 0.1, 1.0, 5.0, 18.0, 48.0, 100.0, 203.0, 400.0, 1000.0, 4000.0, 10_000.0)
"""Grey patches, cd/m2, as far as the display goes."""

COLOURS = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 0))
"""Primaries of the format and their sums."""

COLOUR_NITS = 60.0
"""Light of one channel of a colour patch: every format has a code for it."""

PATCH, BLOCK = 32, 16
"""Edges of a patch, and of an area of a picture, pixels."""

MOST_SHIFT = 4.0
"""Steps that areas of like colour may be off by on average: white noise in ProRes comes back 2 off,
and limited range taken for full one 60."""


@dataclass(frozen=True)
class Verified:
    """How a delivery came back.

    Attributes:
        patches: How many patches of known light there were.
        patch_steps: Largest error of Y', Cb and Cr of a patch, in steps of the format.
        frames: Places in the movie, from 1, of the frames that were held against what was sent.
        colour_steps: Largest mean error of areas of like colour, in steps.
        area_steps: Largest error of an area.
        facts: What the movie says.
    """

    patches: int
    patch_steps: float
    frames: Sequence[int]
    colour_steps: float
    area_steps: float
    facts: MovieFacts


@dataclass
class ReadBack:
    """Remembers what goes into a movie, and holds what comes out against it.

    Args:
        show: How light became codes.
        spaces: The colour config.
        frames: How many frames the movie will have.

    Attributes:
        sent: Areas of the frames that are held together, by place from 1.
    """

    show: Show
    spaces: ColorSpaces
    frames: int
    sent: dict[int, FloatImage] = field(default_factory=dict)

    def remember(self, place: int, codes: FloatImage) -> None:
        """See a frame of codes on its way into the movie."""
        if place in {1, self.frames // 2 + 1, self.frames}:  # first, middle, last
            self.sent[place] = _areas(_in_format(codes, self.show.format), self.show.format)

    def verify(
        self, path: Path, name: Path, shown: Shown | None, fps: Fraction, timecode: str | None
    ) -> Verified:
        """Read a movie back.

        Args:
            path: The file as it is now.
            name: What it will be called.
            shown: What became of the light; its levels are looked for where a movie holds them.
            fps: Frames per second that it is to have.
            timecode: That it is to have.

        Raises:
            RenderError: It is not what was sent; the sentence says what differs.
        """
        patches, patch_steps = self._patches(name)
        facts = read_movie_facts(path)
        kind = self.show.format
        levels = shown.levels.whole if shown is not None and kind.says_levels else None
        mastering = self.show.mastering
        for what, found, wanted in (
            ("frames", facts.frames, self.frames),
            ("tags", facts.tags, (kind.primaries, kind.transfer, kind.matrix)),
            ("light levels", facts.levels, levels),
            ("mastering display", facts.mastering, None if mastering is None else mastering.steps),
            ("frame rate", facts.fps, fps if self.frames > 1 else facts.fps),
            ("time code", facts.timecode, timecode),
        ):
            if found != wanted:
                raise _unlike(name, f"its {what} read {found}, not {wanted}")
        sent = np.concatenate([areas.reshape(-1, 3) for areas in self.sent.values()])
        with open_plate(str(path)) as movie:
            back = [_areas(movie.read(place).rgb, kind).reshape(-1, 3) for place in self.sent]
        errors = np.concatenate(back) - sent
        colour_steps = _worst_shift(sent, errors)
        if colour_steps > MOST_SHIFT:
            raise _unlike(name, f"areas of one colour are off by {colour_steps:.1f} steps")
        area_steps = float(np.abs(errors).max())
        return Verified(patches, patch_steps, sorted(self.sent), colour_steps, area_steps, facts)

    def _patches(self, name: Path) -> tuple[int, float]:
        """Send known light through the same encoder, and read it back."""
        codes = self.show.codes(known_light(self.show), self.spaces)
        with tempfile.TemporaryDirectory(prefix="lumivid-") as folder:
            movie = Path(folder) / f"patches{self.show.format.suffix}"
            write_movie(
                movie,
                [codes],
                Fraction(24),
                quality=self.show.quality,
                kind=self.show.format,
                mastering=self.show.mastering,
            )
            with open_plate(str(movie)) as plate:
                back = plate.read(1).rgb
        # The patch without its edge, which chroma of half size shares with its neighbour.
        inner = slice(PATCH // 4, -PATCH // 4)
        sent, came = (
            _steps(
                part.reshape(PATCH, -1, PATCH, 3)[inner, :, inner].mean((0, 2)), self.show.format
            )
            for part in (codes.clip(0, 1), back)
        )
        worst = float(np.abs(came - sent).max())
        if worst > 1:
            raise _unlike(name, f"known light comes back {worst:.1f} steps off")
        return len(sent), worst


def known_light(show: Show) -> FloatImage:
    """Patches side by side ``32 w 3``: greys to the display's peak, then colours, in its space."""
    peak = {"sdr": SDR_WHITE_NITS, "hlg": HLG_PEAK_NITS, "pq": show.peak}[show.kind]
    nits = [(grey,) * 3 for grey in GREYS if grey < peak] + [(peak,) * 3]
    nits += [(COLOUR_NITS * r, COLOUR_NITS * g, COLOUR_NITS * b) for r, g, b in COLOURS]
    row = np.array(nits, np.float32).repeat(PATCH, axis=0) / np.float32(SDR_WHITE_NITS)
    return np.ascontiguousarray(np.broadcast_to(row, (PATCH, *row.shape)))


def _in_format(codes: FloatImage, kind: MovieFormat) -> FloatImage:
    """What is left of R'G'B' in a format before any codec: rounded, with its size of chroma."""
    planes: Any = rgb_to_yuv(codes, kind)  # of either depth
    return decode_yuv(
        planes,
        bits=kind.bits,
        full_range=False,
        weights=kind.weights,
        halved=(2, 2) if kind.halved else (1, 1),
    )


def _worst_shift(sent: FloatImage, errors: FloatImage) -> float:
    """Largest mean error over an eighth of the areas, by how much Y', Cb or Cr they have.

    Args:
        sent: Y', Cb and Cr of areas ``n 3``.
        errors: What they came back off by.
    """
    groups = max(1, min(8, len(sent) // 16))
    shifts = [
        np.abs(errors[part].mean(axis=0)).max()
        for channel in range(3)
        for part in np.array_split(np.argsort(sent[:, channel], kind="stable"), groups)
    ]
    return float(max(shifts))


def _areas(codes: FloatImage, kind: MovieFormat) -> FloatImage:
    """Mean Y', Cb and Cr of areas of a picture, in steps of the format."""
    height, width, _ = codes.shape
    return _steps(box_mean(codes, -(-height // BLOCK), -(-width // BLOCK)), kind)


def _steps(codes: FloatImage, kind: MovieFormat) -> FloatImage:
    """Y', Cb and Cr of R'G'B' ``... 3``, in steps of the format."""
    step = 1 << (kind.bits - 8)
    luma, *chroma = rgb_to_ycc(codes, kind)
    return np.stack([luma * (219 * step), *(part * (224 * step) for part in chroma)], axis=-1)


def _unlike(name: Path, told: str) -> RenderError:
    return RenderError(
        f"{name} was not written, for it did not read back as it was sent: {told}; write it again, "
        "and tell us if that does not help"
    )
