"""One image file by OpenImageIO: find the picture in it, and read its samples without loss.

Codes are read in the file's own integers and divided here, so that an 8-bit code is exactly
code/255, a 10-bit DPX code exactly code/1023 and a 16-bit code exactly code/65535. EXR samples come
as they are. Every header is looked at, its size above all, before memory is taken for pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import OpenImageIO

from lumivid_fx.errors import InputError
from lumivid_fx.media import attributes as metadata
from lumivid_fx.media.color_tags import Told, code_space, light_space
from lumivid_fx.media.plate import FloatImage, Windows, check_size, require_file

IMAGE_FORMATS = {
    ".exr": "openexr",
    ".png": "png",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".dpx": "dpx",
}
"""Image endings, each with OpenImageIO's name of the format its content must have."""

UNASSOCIATED = "oiio:UnassociatedAlpha"
"""Set to 1 beside a picture whose colour is not multiplied by its alpha, as in PNG."""

_CODES = (OpenImageIO.UINT8, OpenImageIO.UINT16)
_LIGHT = (OpenImageIO.HALF, OpenImageIO.FLOAT)
_LAB = (8, 9, 10)
"""TIFF's photometric interpretations CIE L*a*b*, ICC Lab and ITU Lab."""

_ON_ITS_SIDE = 5
"""First EXIF orientation in which rows and columns change places."""


@contextmanager
def open_image(path: Path, where: str) -> Iterator[OpenImageIO.ImageInput]:
    """Open an image whose content is what its name says; its pixels are not yet read.

    Args:
        path: The file.
        where: What to call it in messages.

    Raises:
        InputError: The file is missing, empty, damaged, or of another format than its name says.
    """
    require_file(path, where)
    expected = IMAGE_FORMATS.get(path.suffix.lower())
    if expected is None:
        raise InputError(
            f"{where} is not a kind of file that is read; convert it to EXR, PNG, TIFF, JPEG or DPX"
        )
    config = OpenImageIO.ImageSpec()
    config.attribute(UNASSOCIATED, 1)  # else PNG and TIFF colours come multiplied by alpha
    image = OpenImageIO.ImageInput.open(str(path), config)
    if image is None:
        raise _damaged(where, error_text(OpenImageIO))
    try:
        if image.format_name() != expected:
            raise InputError(
                f"{where} holds {image.format_name()} data under the name of another format; "
                "rename or convert it"
            )
        yield image
    finally:
        image.close()


class _Told(Protocol):
    """What keeps the reason of its last failure: OpenImageIO itself, an input, an output."""

    def geterror(self) -> str:
        """The reason, which is then forgotten."""


def error_text(source: _Told) -> str:
    """Why a call of OpenImageIO failed, as one line; empty where it did not."""
    try:
        said = source.geterror()
    except UnicodeDecodeError:  # it quotes bytes of the file, which may be any
        return "its header is not text"
    return said.strip().split("\n", maxsplit=1)[0].strip().rstrip(".")


def _damaged(where: str, reason: str) -> InputError:
    said = reason or "no reason given"
    return InputError(
        f"{where} is cut short, damaged or not what its name says ({said}); copy or render it again"
    )


@dataclass(frozen=True)
class Picture:
    """Where in one file the picture is, and how its samples are stored.

    Attributes:
        part: Which part of a multi-part file.
        rgb: Channel numbers; three times the same for grey.
        alpha: Channel number, or None.
        stored: Sample type in the file.
        bits: Significant bits of an integer sample, 0 where the file does not say.
        orientation: As in EXIF, 1 to 8.
        windows: Of the picture when it stands upright.
        told: The space of its samples, and the doubt about it.
        attributes: Everything in the header.
    """

    part: int
    rgb: tuple[int, int, int]
    alpha: int | None
    stored: OpenImageIO.TypeDesc
    bits: int
    orientation: int
    windows: Windows
    told: Told
    attributes: dict[str, object]


def find_picture(image: OpenImageIO.ImageInput, path: Path, where: str) -> Picture:
    """Find the first part that holds R, G and B, or grey; other layers and parts are passed over.

    Raises:
        InputError: There is none, it is deep, absurdly large, or stored as nothing we read.
    """
    passed_over: list[str] = []
    part = 0
    while image.seek_subimage(part, 0):
        spec = image.spec()
        names = list(spec.channelnames)
        rgb = _colour_channels(names)
        if rgb is not None:
            is_exr = image.format_name() == "openexr"
            return _picture(part, spec, rgb, path, where, is_exr=is_exr)
        passed_over += names
        part += 1
    raise InputError(
        f"{where} has no R, G and B channels (it holds {', '.join(passed_over[:8])}); write the "
        "picture as the main layer"
    )


def _colour_channels(names: list[str]) -> tuple[int, int, int] | None:
    if {"R", "G", "B"} <= set(names):
        return names.index("R"), names.index("G"), names.index("B")
    if "Y" in names and not {"RY", "BY", "Cb", "Cr"} & set(names):  # beside those it is luminance
        grey = names.index("Y")
        return grey, grey, grey
    return None


def _picture(
    part: int,
    spec: OpenImageIO.ImageSpec,
    rgb: tuple[int, int, int],
    path: Path,
    where: str,
    *,
    is_exr: bool,
) -> Picture:
    if spec.deep:
        raise InputError(f"{where} is a deep image; flatten it first (DeepToImage in Nuke)")
    check_size(spec.width, spec.height, where)
    stored = spec.channelformats[rgb[0]] if spec.channelformats else spec.format
    if stored.basetype not in _CODES + _LIGHT:
        raise InputError(
            f"{where} stores colour as {stored}, which is not read; convert it to half, float, "
            "8 or 16 bit"
        )
    attributes = metadata.from_spec(spec)
    _require_rgb(attributes, where)
    if "dpx:Packing" in attributes:
        _require_plain_rows(spec, path, where)
    is_code = stored.basetype in _CODES
    orientation, windows = 1, Windows.whole(spec.width, spec.height)
    if is_exr:
        windows = Windows(
            *(spec.x, spec.y, spec.width, spec.height),
            *(spec.full_x, spec.full_y, spec.full_width, spec.full_height),
        )
    else:
        orientation = spec.get_int_attribute("Orientation", 1)
        if orientation >= _ON_ITS_SIDE:
            windows = Windows.whole(spec.height, spec.width)
            aspect = attributes.get("PixelAspectRatio")
            if isinstance(aspect, float) and aspect > 0:
                attributes["PixelAspectRatio"] = 1 / aspect
    names = list(spec.channelnames)
    return Picture(
        part=part,
        rgb=rgb,
        alpha=names.index("A") if "A" in names else None,
        stored=stored,
        bits=spec.get_int_attribute("oiio:BitsPerSample", 0),
        orientation=orientation,
        windows=windows,
        told=code_space(attributes, spec.getattribute("ICCProfile"))
        if is_code
        else light_space(attributes),
        attributes=attributes,
    )


def _require_plain_rows(spec: OpenImageIO.ImageSpec, path: Path, where: str) -> None:
    """Refuse DPX whose rows are filled up to 32 bits, which OpenImageIO reads as if they were not.

    Some writers fill them, others do not, and no field of the header says which; the size does.
    """
    row = spec.width * spec.nchannels * spec.format.size()
    words = spec.get_int_attribute("oiio:BitsPerSample", 0) in (8, 12, 16)
    with path.open("rb") as file:
        magic, offset = file.read(4), file.read(4)
    start = int.from_bytes(offset, "big" if magic == b"SDPX" else "little")
    filled = spec.height * (row + 4 - row % 4)
    if words and row % 4 and path.stat().st_size >= start + filled:
        raise InputError(
            f"{where} fills its rows up to 32 bits, which is not read right in this width; convert "
            "it to TIFF or EXR"
        )


def _require_rgb(attributes: Mapping[str, object], where: str) -> None:
    """Refuse colour that OpenImageIO makes RGB of by a guess at a matrix or an ink."""
    stored = attributes.get("jpeg:ColorSpace") or attributes.get("tiff:ColorSpace")
    if attributes.get("tiff:PhotometricInterpretation") in _LAB:
        stored = "Lab"
    if str(attributes.get("dpx:ImageDescriptor", "")).startswith("Cb"):
        stored = "Y'CbCr"
    if stored in ("CMYK", "YCCK", "Lab", "Y'CbCr"):
        raise InputError(f"{where} stores {stored} colour, which is not read; convert it to RGB")


def read_pixels(
    image: OpenImageIO.ImageInput, picture: Picture, where: str, *, finite: bool = True
) -> tuple[FloatImage, FloatImage | None]:
    """Read colour `h w 3` and alpha `h w`, both float32, upright, alpha None where there is none.

    Args:
        image: The open file.
        picture: Where the picture is in it.
        where: What to call it in messages.
        finite: Whether NaN and infinity are refused.

    Raises:
        InputError: The file is cut short or damaged, or holds NaN or infinity that are refused.
    """
    wanted = [*picture.rgb] if picture.alpha is None else [*picture.rgb, picture.alpha]
    first, last = min(wanted), max(wanted)
    is_code = picture.stored.basetype in _CODES
    stored = picture.stored if is_code else OpenImageIO.FLOAT
    raw = image.read_image(picture.part, 0, first, last + 1, stored)
    said = error_text(image)
    if raw is None or said:  # a JPEG that ends early gives both pixels and an error
        raise _damaged(where, said)
    in_place = wanted == list(range(first, last + 1))  # as nearly always
    samples = raw if in_place else raw[..., [channel - first for channel in wanted]]
    if is_code:
        depth = samples.dtype.itemsize * 8
        bits = picture.bits if depth == 16 and 8 < picture.bits < 16 else depth
        # 10 and 12 bit codes come spread over 16 bits, their high bits repeated below.
        pixels = (samples >> (depth - bits)).astype(np.float32) / np.float32(2**bits - 1)
    else:
        pixels = samples
        if finite and not np.isfinite(pixels).all():
            bad = int(np.count_nonzero(~np.isfinite(pixels)))
            raise InputError(
                f"{where} holds {bad} samples that are NaN or infinite; repair the frame or leave "
                "it out of the range"
            )
    pixels = _upright(pixels, picture.orientation)
    alpha = None if picture.alpha is None else np.ascontiguousarray(pixels[..., 3])
    return np.ascontiguousarray(pixels[..., :3]), alpha


def _upright(pixels: FloatImage, orientation: int) -> FloatImage:
    """Turn pixels as the orientation tag says (TIFF 6.0, page 36), so that row 0 is the top."""
    if orientation >= _ON_ITS_SIDE:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels
