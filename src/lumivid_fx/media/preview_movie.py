"""Preview movies: scene light as people without a compositing package see it.

SDR is what an SDR view shows at a chosen exposure. HDR is the light itself, un-tone-mapped: light
1.0 is 100 cd/m2, as the OCIO config's views have it, and what a format has no code for is cut to
the nearest it has. PQ ends at 10,000 cd/m2; HLG is made for its monitor of 1000 cd/m2, on which it
shows what PQ shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
from lumivid_fx.media.movie_writer import HLG, PQ, SDR, LightLevels, write_movie
from lumivid_fx.media.plate import FloatImage, Frame, Plate

Kind = Literal["sdr", "hlg", "pq"]

HLG_PEAK_NITS = 1000.0
"""Nominal peak of the monitor that HLG is made for."""

HLG_GAMMA = 1.2
"""System gamma of that monitor, ITU-R BT.2100-2, table 5."""

_REC2020_LUMA = np.array([0.2627, 0.6780, 0.0593], np.float32)
_FORMATS = {"sdr": SDR, "hlg": HLG, "pq": PQ}
_FPS = Fraction(24)


def write_preview_movie(
    path: Path,
    plate: Plate,
    kind: Kind,
    spaces: ColorSpaces,
    *,
    space: str | None = None,
    stops: float = 0.0,
    view: str = "srgb",
    fps: Fraction | None = None,
    on_frame: Callable[[int, int], None] | None = None,
) -> LightLevels | None:
    """Write a preview of a scene-linear plate, whole or not at all.

    The movie shows the display window. Sizes must be even: of an odd one the last row or column is
    repeated. HDR is read twice, for its light levels stand at the movie's start.

    Args:
        path: An MP4 to write.
        plate: Scene-linear frames.
        kind: What to make.
        spaces: The colour config.
        space: Of the plate's pixels; None takes the plate's own.
        stops: Exposure added before anything else.
        view: SDR view; for SDR alone.
        fps: Frames per second; None takes the plate's, or 24.
        on_frame: Called after each frame, with how many passes over frames are done, and of how
            many.

    Returns:
        The light levels that were written; None for SDR, which has none.

    Raises:
        InputError: The name or the space will not do, or a frame cannot be read.
        RenderError: The movie was not written.
    """
    if path.suffix.lower() != ".mp4":
        raise InputError(f"{path} does not end in .mp4, which is what previews are written as")
    source = plate.space_or(space)
    if not spaces.is_scene_linear(source):
        raise InputError(
            f"{plate.source} is in {source}, which is not scene-linear; preview a render, or name "
            "the space of its light"
        )
    passes = 1 if kind == "sdr" else 2
    done, gain, levels = 0, np.float32(2.0**stops), LightLevels()
    target = LINEAR_REC709 if kind == "sdr" else LINEAR_REC2020

    def light() -> Iterator[FloatImage]:
        nonlocal done
        for number in plate.frame_numbers:
            frame = plate.read(number)
            yield spaces.convert(_shown(frame), source, target) * gain
            done += 1
            if on_frame is not None:
                on_frame(done, passes * len(plate.frame_numbers))

    if kind != "sdr":
        for rgb in light():
            levels = levels.with_frame(_display_nits(rgb, kind))
    write_movie(
        path,
        (spaces.linear_to_display(rgb, view) if kind == "sdr" else hdr_codes(rgb, kind)
         for rgb in light()),
        fps or plate.fps or _FPS,
        kind=_FORMATS[kind],
        light=None if kind == "sdr" else levels,
        aspect=_aspect(plate.read(plate.first_frame)),
    )  # fmt: skip
    return None if kind == "sdr" else levels


def hdr_codes(rec2020: FloatImage, kind: Kind) -> FloatImage:
    """Code values of light ``h w 3`` in linear Rec.2020, 1.0 at 100 cd/m2.

    Source: ITU-R BT.2100-2, tables 4 (PQ) and 5 (HLG, whose OOTF is undone for its monitor).
    """
    nits = _display_nits(rec2020, kind)
    if kind == "pq":
        return _curve(linear_to_pq, nits / np.float32(SDR_WHITE_NITS))
    display = nits / np.float32(HLG_PEAK_NITS)
    luminance = np.maximum(display @ _REC2020_LUMA, np.float32(1e-12))[..., None]
    scene = display * luminance ** np.float32((1 - HLG_GAMMA) / HLG_GAMMA)
    return _curve(linear_to_hlg, np.minimum(scene, 1) * np.float32(HLG_PEAK_LINEAR))


def _display_nits(rec2020: FloatImage, kind: Kind) -> FloatImage:
    """Light on the monitor, cut to what the format can tell it."""
    peak = PQ_PEAK_NITS if kind == "pq" else HLG_PEAK_NITS
    nits: FloatImage = np.clip(rec2020 * np.float32(SDR_WHITE_NITS), 0, np.float32(peak))
    return nits


def _curve(curve: Callable[[torch.Tensor], torch.Tensor], light: FloatImage) -> FloatImage:
    codes: FloatImage = curve(torch.from_numpy(np.ascontiguousarray(light))).numpy()
    return codes


def _shown(frame: Frame) -> FloatImage:
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
