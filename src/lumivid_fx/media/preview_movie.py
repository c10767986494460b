"""Preview movies: scene light as people without a compositing package see it.

SDR is what an SDR view shows at a chosen exposure; HLG and PQ are the light itself, PQ up to its
end of 10,000 cd/m2. See :mod:`lumivid_fx.media.light_movie`.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.errors import InputError
from lumivid_fx.media.light_levels import LightLevels
from lumivid_fx.media.light_movie import Kind, Show, write_light_movie
from lumivid_fx.media.movie_writer import HLG, PQ, SDR
from lumivid_fx.media.plate import FloatImage, Plate

_FORMATS = {"sdr": SDR, "hlg": HLG, "pq": PQ}


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

    Args:
        path: An MP4 to write.
        plate: Scene-linear frames.
        kind: What to make.
        spaces: The colour config.
        space: Of the plate's pixels; None takes the plate's own.
        stops: Exposure added before anything else.
        view: SDR view; for SDR alone.
        fps: Frames per second; None takes the plate's, or 24.
        on_frame: See :func:`~lumivid_fx.media.light_movie.write_light_movie`.

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
    gain = np.float32(2.0**stops)

    def expose(pixels: FloatImage) -> FloatImage:
        return pixels * gain

    show = Show(kind, _FORMATS[kind], view=view)
    shown = write_light_movie(
        path, plate, show, spaces, space=source, adjust=expose, fps=fps, on_frame=on_frame
    )
    return None if shown is None else shown.levels
