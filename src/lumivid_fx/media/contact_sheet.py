"""Contact sheets: a shot at a glance, its input above its result at several exposures.

Pictures are sRGB, clipped as a viewer clips them. Pillow draws, and is imported only then.
"""

from __future__ import annotations

import errno
import secrets
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lumivid_fx.color.display_curves import linear_to_srgb
from lumivid_fx.errors import InputError, RenderError
from lumivid_fx.media.plate import FloatImage

if TYPE_CHECKING:
    from PIL.Image import Image

SHEET_WIDTH = 1600
"""Width of a whole sheet, pixels; less where pictures would become taller than `MAX_PICTURE`."""

MAX_PICTURE = 720
"""Tallest picture, pixels: a portrait still needs no sheet of many thousand lines."""

STOPS = (-4.0, 0.0, 4.0)
"""Exposures that show what lies in the highlights, the picture itself, and the shadows."""

BACKGROUND = (38, 38, 38)
"""A dark neutral grey, so that neither brightness nor hue of the surround sways the eye."""

LETTERING = (190, 190, 190)

_GAP, _MARGIN, _HEADER, _TEXT = 6, 72, 28, 14

Codes = npt.NDArray[np.uint8]


def write_sheet(
    path: Path,
    inputs: Sequence[tuple[int, FloatImage]],
    results: Sequence[FloatImage],
    stops: Sequence[float] = STOPS,
    title: str = "",
) -> None:
    """Write a sheet as PNG: a column for each frame, a row for the input and for each exposure.

    Args:
        path: The file, replaced if it exists; it is there whole or not at all.
        inputs: Frame numbers with display codes `h w 3` in [0, 1].
        results: The same frames' scene-linear Rec.709 light `h w 3`.
        stops: Exposures of the result.
        title: Written in the corner.

    Raises:
        InputError: The name does not end in `.png`, or the file cannot be made there.
        RenderError: The disk is full.
    """
    require_png(path)
    rows = [("input", [to_8_bit(codes) for _, codes in inputs])]
    for exposure in stops:
        seen = [to_8_bit(_expose(light, exposure)) for light in results]
        rows.append((exposure_label(exposure), seen))
    sheet = contact_sheet(rows, [f"frame {number}" for number, _ in inputs], title)
    save_sheet(path, sheet)


def require_png(path: Path) -> None:
    """Refuse a name that promises another format.

    Raises:
        InputError: It does not end in `.png`.
    """
    if path.suffix.lower() != ".png":
        raise InputError(
            f"{path} does not end in .png, which is what a contact sheet is; name it so"
        )


def contact_sheet(
    rows: Sequence[tuple[str, Sequence[Codes]]],
    headings: Sequence[str],
    title: str = "",
    width: int = SHEET_WIDTH,
) -> Image:
    """Draw pictures as a table.

    Args:
        rows: The label of each row and its pictures `h w 3`, all of one size.
        headings: What stands above each column.
        title: What stands in the corner.
        width: Of the whole sheet, pixels; less where pictures would become too tall.

    Returns:
        The sheet; pictures are scaled alike, with an antialiased filter.

    Raises:
        ValueError: No picture, rows of different lengths, or pictures of different sizes.
    """
    from PIL import Image, ImageDraw, ImageFont

    shapes = {picture.shape for _, pictures in rows for picture in pictures}
    if len(shapes) != 1 or any(len(pictures) != len(headings) for _, pictures in rows):
        raise ValueError("a contact sheet needs pictures of one size, one for each heading")
    tall, wide, _ = shapes.pop()
    room = (width - _MARGIN - _GAP * (len(headings) + 1)) / len(headings)
    scale = min(room / wide, MAX_PICTURE / tall)
    size = (max(1, round(wide * scale)), max(1, round(tall * scale)))
    left = [_MARGIN + _GAP + column * (size[0] + _GAP) for column in range(len(headings) + 1)]
    top = [_HEADER + row * (size[1] + _GAP) for row in range(len(rows) + 1)]
    sheet = Image.new("RGB", (left[-1], top[-1]), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_TEXT)
    draw.text((_GAP, _HEADER / 2), title, LETTERING, font, anchor="lm")
    for x, heading in zip(left, headings, strict=False):
        draw.text((x, _HEADER / 2), heading, LETTERING, font, anchor="lm")
    for (label, pictures), (y, below) in zip(rows, pairwise(top), strict=True):
        draw.text((_GAP, (y + below - _GAP) / 2), label, LETTERING, font, anchor="lm")
        for x, picture in zip(left, pictures, strict=False):
            scaled = Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)
            sheet.paste(scaled, (x, y))
    return sheet


def _expose(light: FloatImage, stops: float) -> FloatImage:
    return linear_to_srgb(np.clip(light * np.float32(2.0**stops), 0, 1))


def exposure_label(stops: float) -> str:
    """What stands beside a row of that exposure."""
    return f"{stops:+g} stops" if stops else "0 stops"


def to_8_bit(codes: FloatImage) -> Codes:
    """Display codes, clamped to [0, 1], as bytes."""
    return np.rint(np.clip(codes, 0, 1) * 255).astype(np.uint8)


def save_sheet(path: Path, sheet: Image) -> None:
    """Write a sheet as PNG, whole or not at all.

    Raises:
        InputError: The file cannot be made there.
        RenderError: The disk is full.
    """
    beside = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.png")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(beside)
        beside.replace(path)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise RenderError(
                f"{path} was not written ({error.strerror}); free space on that disk"
            ) from error
        raise InputError(
            f"{path} cannot be written ({error.strerror}); choose another folder or change its "
            "permissions"
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
