"""Plates as what a client asks for: linear EXR for a comp, movies for a screen.

Whatever is written is read back before it counts as written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from lumivid_fx.color.spaces import ACES2065_1, ACESCG, ColorSpaces
from lumivid_fx.errors import InputError, RenderError
from lumivid_fx.media import open_plate
from lumivid_fx.media.exr import HALF_MAX, read_attributes
from lumivid_fx.media.light_movie import Show, Shown, write_light_movie
from lumivid_fx.media.movie_writer import HLG, PQ, PRORES_HLG, PRORES_PQ, SDR
from lumivid_fx.media.plate import FloatImage, Frame, Plate
from lumivid_fx.media.timecode import timecode_text
from lumivid_fx.review.expose import Trimming
from lumivid_fx.review.exr_delivery import ExrKind, Written, write_plates
from lumivid_fx.review.read_back import ReadBack, Verified
from lumivid_fx.review.reel import linear_space

EXR_SPACES = {"aces": ACES2065_1, "acescg": ACESCG}
"""Linear deliveries by name, and their space."""

QUALITY = 6
"""Rate factor of H.264 and HEVC at which flat light comes back as its code: measured on patches,
where 10 and more shift 10-bit codes by up to a step and a third."""

MOVIES = {
    "prores-pq": Show("pq", PRORES_PQ),
    "prores-hlg": Show("hlg", PRORES_HLG),
    "hdr10": Show("pq", PQ, mastered=True, quality=QUALITY),
    "hlg": Show("hlg", HLG, quality=QUALITY),
    "sdr": Show("sdr", SDR, quality=QUALITY),
}
"""Movies by name."""

KINDS = (*EXR_SPACES, *MOVIES)

DEFAULT_PEAK = 1000.0
"""Peak of the display that PQ is made for, cd/m2, where none is named."""

DELIVERED = "lumivid/delivered"
"""Attribute of a linear delivery: what it was made as."""


@dataclass(frozen=True)
class Movie:
    """A movie that was written.

    Attributes:
        path: Its file.
        shown: What became of the light; None for SDR.
        verified: How it came back.
        fps: Frames per second.
    """

    path: Path
    shown: Shown | None
    verified: Verified
    fps: Fraction


def deliver_exr(
    plate: Plate,
    target: str,
    kind: str,
    trimming: Trimming,
    spaces: ColorSpaces,
    *,
    space: str | None = None,
    overwrite: bool = False,
    on_frame: Callable[[int, int], None] | None = None,
) -> tuple[Written, bool]:
    """Write a plate as half-float EXR in a linear space, and read every frame back.

    ACES2065-1 is written as SMPTE ST 2065-4 has it: R, G, B and perhaps A alone, not compressed.

    Args:
        plate: Scene-linear frames.
        target: Pattern such as ``out/plate.####.exr``, or a folder.
        kind: One of :data:`EXR_SPACES`.
        trimming: Done first, in the plate's own space.
        spaces: The colour config.
        space: Of the plate's pixels; None takes the plate's own.
        overwrite: Whether frames that were made in another way are replaced.
        on_frame: Called after each frame, with how many are done and how many there are.

    Returns:
        What was written, and whether all of it says that it holds to ST 2065-4.

    Raises:
        InputError: The plate is not scene-linear, or a file is in the way.
        RenderError: A frame did not read back as it was written, or the disk is full.
    """
    source, wanted = linear_space(plate, spaces, space), EXR_SPACES[kind]
    is_aces = wanted == ACES2065_1

    def change(frame: Frame) -> FloatImage:
        return spaces.convert(trimming.apply(spaces, frame.rgb, source), source, wanted)

    def notes(had: Mapping[str, object]) -> Mapping[str, object]:
        asked = {} if trimming.is_nothing else trimming.notes(had)
        return {**asked, DELIVERED: kind}

    def check(path: Path, pixels: FloatImage) -> None:
        _same_pixels(path, pixels, wanted)

    written = write_plates(
        plate,
        target,
        change,
        ExrKind(
            spaces.chromaticities(wanted),
            spaces.interop_id(wanted),
            "none" if is_aces else "zip",
            with_generated=not is_aces,
        ),
        recipe={**trimming.recipe, "from": source, "to": kind},
        notes=notes,
        check=check,
        overwrite=overwrite,
        on_frame=on_frame,
    )
    flagged = all(
        read_attributes(path).get("acesImageContainerFlag") == 1 for path in written.files
    )
    return written, flagged


def deliver_movie(
    plate: Plate,
    target: Path,
    kind: str,
    trimming: Trimming,
    spaces: ColorSpaces,
    *,
    space: str | None = None,
    view: str = "srgb",
    peak: float = DEFAULT_PEAK,
    fps: Fraction | None = None,
    on_frame: Callable[[int, int], None] | None = None,
) -> Movie:
    """Write a plate as a movie that was read back, whole or not at all.

    Args:
        plate: Scene-linear frames.
        target: The file; its name ends as the kind's do.
        kind: One of :data:`MOVIES`.
        trimming: Done first, in the plate's own space.
        spaces: The colour config.
        space: Of the plate's pixels; None takes the plate's own.
        view: SDR view; for SDR alone.
        peak: Of the display that PQ is made for, cd/m2: brighter light is cut to it.
        fps: Frames per second; None takes the plate's, or 24.
        on_frame: See :func:`~lumivid_fx.media.light_movie.write_light_movie`.

    Raises:
        InputError: The name, the plate or a file will not do.
        RenderError: The movie did not read back as it was sent, or was not written.
    """
    show = replace(MOVIES[kind], view=view, peak=peak)
    if target.suffix.lower() != show.format.suffix:
        raise InputError(
            f"{target} does not end in {show.format.suffix}, which is what {kind} is written as; "
            "name it so"
        )
    source = linear_space(plate, spaces, space)
    first = plate.read(plate.first_frame)
    rate = fps or plate.fps or Fraction(24)
    timecode = timecode_text(first.attributes.get("smpte:TimeCode"), rate)
    reading = ReadBack(show, spaces, len(plate.frame_numbers))
    verified: list[Verified] = []

    def check(path: Path, shown: Shown | None) -> None:
        verified.append(reading.verify(path, target, shown, rate, timecode))

    shown = write_light_movie(
        target,
        plate,
        show,
        spaces,
        space=source,
        adjust=lambda pixels: trimming.apply(spaces, pixels, source),
        fps=rate,
        check=check,
        on_codes=reading.remember,
        on_frame=on_frame,
    )
    return Movie(target, shown, verified[0], rate)


def _same_pixels(path: Path, pixels: FloatImage, space: str) -> None:
    """Hold a file against what was written: every pixel, rounded to half floats, and its space."""
    with open_plate(str(path)) as plate:
        back = plate.read(plate.first_frame).rgb
        said = plate.space
    limit = np.float32(HALF_MAX)
    if said != space or not np.array_equal(
        back, pixels.clip(-limit, limit).astype(np.float16).astype(np.float32)
    ):
        raise RenderError(
            f"{path} was not written, for it did not read back as it was sent; write it again, and "
            "tell us if that does not help"
        )
