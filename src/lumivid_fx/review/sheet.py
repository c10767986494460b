"""A contact sheet of a plate: a column for each frame, a row for each exposure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from lumivid_fx.color.spaces import LINEAR_REC709, ColorSpaces
from lumivid_fx.media.contact_sheet import (
    SHEET_WIDTH,
    contact_sheet,
    exposure_label,
    require_png,
    save_sheet,
    to_8_bit,
)
from lumivid_fx.media.plate import FloatImage, Plate
from lumivid_fx.review.measures import box_mean
from lumivid_fx.review.reel import linear_space

MOST_COLUMNS = 6
"""Frames on a sheet where none were named: more become too small to judge."""

EXPOSURES = (-4.0, -2.0, 0.0, 2.0, 4.0)


def write_plate_sheet(
    path: Path,
    plate: Plate,
    spaces: ColorSpaces,
    *,
    numbers: Sequence[int] | None = None,
    exposures: Sequence[float] = EXPOSURES,
    view: str = "srgb",
    space: str | None = None,
    on_frame: Callable[[int, int], None] | None = None,
) -> list[int]:
    """Write a contact sheet as PNG, whole or not at all.

    Args:
        path: The file, replaced if it exists.
        plate: Scene-linear frames.
        spaces: The colour config.
        numbers: Frames to show; None takes up to :data:`MOST_COLUMNS`, evenly from first to last.
        exposures: Stops, a row each.
        view: SDR view of the pictures.
        space: Of the plate's pixels; None takes the plate's own.
        on_frame: Called after each frame, with how many are done and how many there are.

    Returns:
        The frames shown.

    Raises:
        InputError: The name does not end in `.png`, the plate is not scene-linear, there is no such
            view, or a frame or the file cannot be read or written.
        RenderError: The disk is full.
    """
    require_png(path)
    source = linear_space(plate, spaces, space)
    shown = spread(plate.frame_numbers, MOST_COLUMNS) if numbers is None else list(numbers)
    columns = []
    for done, number in enumerate(shown, start=1):
        light = _small(spaces.convert(plate.read(number).rgb, source, LINEAR_REC709), len(shown))
        columns.append(
            [
                to_8_bit(spaces.linear_to_display(light * np.float32(2.0**stops), view))
                for stops in exposures
            ]
        )
        if on_frame is not None:
            on_frame(done, len(shown))
    rows = [
        (exposure_label(stops), [column[row] for column in columns])
        for row, stops in enumerate(exposures)
    ]
    save_sheet(path, contact_sheet(rows, [f"frame {number}" for number in shown], "stops"))
    return shown


def spread(numbers: Sequence[int], most: int) -> list[int]:
    """Choose at most `most` frames, evenly from the first to the last."""
    last = len(numbers) - 1
    if last < most:
        return list(numbers)
    return [numbers[round(place * last / (most - 1))] for place in range(most)]


def _small(light: FloatImage, columns: int) -> FloatImage:
    """Light averaged to about twice the size it is drawn at, which bounds the memory of a sheet."""
    height, width, _ = light.shape
    factor = max(1, width * columns // (2 * SHEET_WIDTH))
    return light if factor == 1 else box_mean(light, height // factor or 1, width // factor or 1)
