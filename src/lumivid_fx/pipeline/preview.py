"""A look at a finished render: a few of its frames beside the plate's, on one contact sheet.

Frames are read back from disk, so that a sheet shows what is there, rendered now or long before.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from lumivid_fx.color.spaces import LINEAR_REC709, ColorSpaces
from lumivid_fx.color.transfer import LOGC3_REC709
from lumivid_fx.media import open_plate
from lumivid_fx.media.contact_sheet import SHEET_WIDTH, write_sheet
from lumivid_fx.media.exr import FRAME_ATTRIBUTE, read_attributes
from lumivid_fx.pipeline.ingest import Ingest, Pixels
from lumivid_fx.pipeline.reference import fit_size, shrink
from lumivid_fx.pipeline.render_shot import ShotSettings

COLUMNS = 5
"""Frames on a sheet."""


def write_preview(
    path: Path, source: str, frames: Sequence[Path], settings: ShotSettings, ocio: str | None = None
) -> None:
    """Write a contact sheet of up to five frames of a render.

    Args:
        path: A PNG to write.
        source: The plate, as it was rendered from.
        frames: Files of the result, in order.
        settings: What they were rendered with.
        ocio: A studio's OCIO config; None is the built-in one.

    Raises:
        InputError: The sheet or a frame cannot be written or read.
        RenderError: The disk is full.
    """
    spaces = ColorSpaces(ocio)
    inputs, results = [], []
    for file in spread(frames, COLUMNS):
        number = int(str(read_attributes(file)[FRAME_ATTRIBUTE]))
        with open_plate(source, str(number)) as plate:
            space = plate.space_or(settings.input_space)
            ingest = Ingest.of(spaces, space, settings.source_view, LOGC3_REC709)
            codes = ingest.display(plate.read(number)).movedim(0, -1).numpy()
        with open_plate(str(file)) as result:
            light = result.read(result.first_frame).rgb
        inputs.append((number, _small(codes)))
        results.append(_small(spaces.convert(light, settings.output_space, LINEAR_REC709)))
    write_sheet(path, inputs, results)


def spread(frames: Sequence[Path], count: int) -> list[Path]:
    """Choose at most `count` files, evenly from the first to the last."""
    last = len(frames) - 1
    if last < count:
        return list(frames)
    return [frames[round(i * last / (count - 1))] for i in range(count)]


def _small(picture: Pixels) -> Pixels:
    """Reduce `h w 3` to what a sheet can show, so that five large frames need little memory."""
    height, width = fit_size(picture.shape[0], picture.shape[1], SHEET_WIDTH)
    pixels = torch.from_numpy(picture).movedim(-1, 0)[None]
    return np.ascontiguousarray(shrink(pixels, height, width)[0].movedim(0, -1).numpy())
