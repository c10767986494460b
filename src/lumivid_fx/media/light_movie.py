"""Scene light as movies: what an SDR view shows of it, or the light itself as PQ and HLG.

HDR is not tone-mapped: light 1.0 is 100 cd/m2, as the OCIO config's views have it, and what lies
above the display's peak, or outside of Rec.2020, is cut to the nearest there is, and counted. PQ is
made for a display of any peak up to 10,000 cd/m2; HLG for its monitor of 1000 cd/m2, on which it
shows what PQ shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from lumivid_fx.color.spaces import LINEAR_REC709, LINEAR_REC2020, ColorSpaces
from lumivid_fx.color.transfer import (
    HLG_PEAK_LINEAR,
    PQ_PEAK_NITS,
    SDR_WHITE_NITS,
    linear_to_hlg,
    linear_to_pq,
)
from lumivid_fx.errors import InputError
from lumivid_fx.media.light_levels import LightLevels, Mastering
from lumivid_fx.media.movie_writer import MovieFormat, write_movie
from lumivid_fx.media.plate import FloatImage, Frame, Plate
from lumivid_fx.media.timecode import timecode_text

Kind = Literal["sdr", "hlg", "pq"]

HLG_PEAK_NITS = 1000.0
"""Nominal peak of the monitor that HLG is made for."""

HLG_GAMMA = 1.2
"""System gamma of that monitor, ITU-R BT.2100-2, table 5."""

_REC2020_LUMA = np.array([0.2627, 0.6780, 0.0593], np.float32)
_WIDE = ("p3", "2020", "2100", "xyz", "dcdm")
_FPS = Fraction(24)


@dataclass(frozen=True)
class Show:
    """How light becomes codes.

    Attributes:
        kind: SDR through a view, or light as HLG or PQ.
        format: What the movie is encoded as.
        view: SDR view; for SDR alone.
        peak: What brighter light is cut to, cd/m2; for PQ alone.
        mastered: Whether the movie says that it was mastered on a display of that peak.
        quality: See :func:`~lumivid_fx.media.movie_writer.write_movie`.
    """

    kind: Kind
    format: MovieFormat
    view: str = "srgb"
    peak: float = PQ_PEAK_NITS
    mastered: bool = False
    quality: int = 14

    @property
    def space(self) -> str:
        """Linear space of the light that :meth:`codes` takes."""
        return LINEAR_REC709 if self.kind == "sdr" else LINEAR_REC2020

    @property
    def mastering(self) -> Mastering | None:
        """What the movie says of the display that it was mastered on."""
        return Mastering(self.peak) if self.mastered else None

    def codes(self, light: FloatImage, spaces: ColorSpaces) -> FloatImage:
        """Code values ``h w 3`` of light in :attr:`space`."""
        if self.kind == "sdr":
            return spaces.linear_to_display(light, self.view)
        return hdr_codes(light, self.kind, self.peak)


@dataclass(frozen=True)
class Shown:
    """What became of a plate's light.

    Attributes:
        pixels: How many there were.
        above: Of those, how many had a channel brighter than the display's peak, which was cut.
        below: How many had a channel below 0, out of Rec.2020's colours, which was cut.
        levels: Light levels after that.
    """

    pixels: int = 0
    above: int = 0
    below: int = 0
    levels: LightLevels = field(default_factory=LightLevels)

    def with_frame(self, light: FloatImage, show: Show) -> Shown:
        """Take in one more frame of light."""
        nits = light * np.float32(SDR_WHITE_NITS)
        peak = np.float32(_peak(show.kind, show.peak))
        return Shown(
            self.pixels + nits.shape[0] * nits.shape[1],
            # 1e-4: light of the very peak is not cut for the rounding of a matrix.
            self.above + int(np.count_nonzero(nits.max(axis=-1) > peak * np.float32(1 + 1e-4))),
            self.below + int(np.count_nonzero(nits.min(axis=-1) < np.float32(-1e-3))),
            self.levels.with_frame(nits.clip(0, peak)),
        )


def write_light_movie(
    path: Path,
    plate: Plate,
    show: Show,
    spaces: ColorSpaces,
    *,
    space: str,
    adjust: Callable[[FloatImage], FloatImage] | None = None,
    fps: Fraction | None = None,
    check: Callable[[Path, Shown | None], None] | None = None,
    on_codes: Callable[[int, FloatImage], None] | None = None,
    on_frame: Callable[[int, int], None] | None = None,
) -> Shown | None:
    """Write a movie of a scene-linear plate, whole or not at all.

    The movie shows the display window. Sizes must be even: of an odd one the last row or column is
    repeated. Where a movie holds light levels, the plate is read twice, for they stand at its
    start.

    Args:
        path: The file, whose name ends as the format's do.
        plate: Scene-linear frames.
        show: How light becomes codes.
        spaces: The colour config.
        space: Of the plate's pixels.
        adjust: What is done to pixels in `space` before anything else.
        fps: Frames per second; None takes the plate's, or 24.
        check: Called with the finished file and what became of the light, before the file takes its
            place; see :func:`~lumivid_fx.media.movie_writer.write_movie`.
        on_codes: Called with each frame's place in the movie, from 1, and its codes.
        on_frame: Called after each frame, with how many passes over frames are done, and of how
            many.

    Returns:
        What became of the light; None for SDR, where the view says that.

    Raises:
        InputError: A frame cannot be read, or the view is for a display of wider colours.
        RenderError: The movie was not written.
    """
    if show.kind == "sdr":
        _require_rec709(show.view)
    numbers = plate.frame_numbers
    is_hdr, twice = show.kind != "sdr", show.format.says_levels
    total = len(numbers) * (2 if twice else 1)
    shown, done = Shown(), 0

    def light() -> Iterator[FloatImage]:
        nonlocal done
        for number in numbers:
            pixels = shown_pixels(plate.read(number))
            if adjust is not None:
                pixels = adjust(pixels)
            yield spaces.convert(pixels, space, show.space)
            done += 1
            if on_frame is not None:
                on_frame(done, total)

    def codes() -> Iterator[FloatImage]:
        nonlocal shown
        for place, frame in enumerate(light(), start=1):
            if is_hdr and not twice:
                shown = shown.with_frame(frame, show)
            coded = show.codes(frame, spaces)
            if on_codes is not None:
                on_codes(place, coded)
            yield coded

    if twice:
        for frame in light():
            shown = shown.with_frame(frame, show)
    first = plate.read(plate.first_frame)
    rate = fps or plate.fps or _FPS
    write_movie(
        path,
        codes(),
        rate,
        quality=show.quality,
        kind=show.format,
        light=shown.levels if twice else None,
        mastering=show.mastering,
        aspect=_aspect(first),
        timecode=timecode_text(first.attributes.get("smpte:TimeCode"), rate),
        check=None if check is None else lambda file: check(file, shown if is_hdr else None),
    )
    return shown if is_hdr else None


def hdr_codes(rec2020: FloatImage, kind: Kind, peak: float = PQ_PEAK_NITS) -> FloatImage:
    """Code values of light ``h w 3`` in linear Rec.2020, 1.0 at 100 cd/m2.

    Args:
        rec2020: The light.
        kind: ``pq`` or ``hlg``.
        peak: What brighter light is cut to, cd/m2; for PQ, as HLG has a peak of its own.

    Source: ITU-R BT.2100-2, tables 4 (PQ) and 5 (HLG, whose OOTF is undone for its monitor).
    """
    nits = np.clip(rec2020 * np.float32(SDR_WHITE_NITS), 0, np.float32(_peak(kind, peak)))
    if kind == "pq":
        return _curve(linear_to_pq, nits / np.float32(SDR_WHITE_NITS))
    display = nits / np.float32(HLG_PEAK_NITS)
    luminance = np.maximum(display @ _REC2020_LUMA, np.float32(1e-12))[..., None]
    scene = display * luminance ** np.float32((1 - HLG_GAMMA) / HLG_GAMMA)
    return _curve(linear_to_hlg, np.minimum(scene, 1) * np.float32(HLG_PEAK_LINEAR))


def _require_rec709(view: str) -> None:
    """Refuse a view whose codes are not those of Rec.709, which SDR movies are tagged as.

    A display is known by its name: `Display P3`, `P3-D65`, `Rec.1886 Rec.2020`.
    """
    display = view.lower().split("/")[0]
    if any(wide in display for wide in _WIDE) and "709" not in display:
        raise InputError(
            f"view {view!r} is for a display of other colours than Rec.709, which an SDR movie is "
            "tagged as; choose a view of an sRGB or Rec.709 display"
        )


def _peak(kind: Kind, peak: float) -> float:
    return HLG_PEAK_NITS if kind == "hlg" else peak


def _curve(curve: Callable[[torch.Tensor], torch.Tensor], light: FloatImage) -> FloatImage:
    codes: FloatImage = curve(torch.from_numpy(np.ascontiguousarray(light))).numpy()
    return codes


def shown_pixels(frame: Frame) -> FloatImage:
    """The display window, black where there are no pixels; rows and columns made even."""
    w = frame.windows
    canvas = np.zeros((w.display_height, w.display_width, 3), np.float32)
    left, top = w.data_x - w.display_x, w.data_y - w.display_y
    rows = slice(max(top, 0), max(min(top + w.data_height, w.display_height), 0))
    columns = slice(max(left, 0), max(min(left + w.data_width, w.display_width), 0))
    if rows.start < rows.stop and columns.start < columns.stop:
        canvas[rows, columns] = frame.rgb[
            rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
        ]
    odd = ((0, w.display_height % 2), (0, w.display_width % 2), (0, 0))
    return np.pad(canvas, odd, mode="edge")


def _aspect(frame: Frame) -> Fraction | None:
    aspect = frame.attributes.get("PixelAspectRatio")
    if not isinstance(aspect, float):
        return None
    return Fraction(aspect).limit_denominator(1000)
