"""Image metadata as plain Python values, from OpenImageIO and back to it.

Values are `str`, `int`, `float`, `Fraction` (EXR's rational), tuples of numbers or strings
(vectors, matrices, windows, time codes) and pairs of pairs of floats (EXR's box2f). Names are
OpenImageIO's, such as `smpte:TimeCode` and `PixelAspectRatio`; names it does not know, such as
`nuke/node_hash`, stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from math import inf

import OpenImageIO

from lumivid_fx.media.timecode import exact_rate

OURS = "lumivid/"
"""What begins so says how we made a file; it is never carried from one plate to the next."""

_STORAGE = frozenset({
    *("compression", "dwaCompressionLevel", "planarconfig", "tiles", "chunkCount", "Orientation"),
    *("name", "type", "version", "multiView", "textureformat", "Exif:ColorSpace", "CICP"),
    *("acesImageContainerFlag", "dpx:EndOfLinePadding", "dpx:EndOfImagePadding", "dpx:DittoKey"),
    *("dpx:ImageDescriptor", "dpx:Transfer", "dpx:Colorimetric", "dpx:Packing", "dpx:Version"),
    *("dpx:LowData", "dpx:LowQuantity", "dpx:HighData", "dpx:HighQuantity"),
})  # fmt: skip
_STORAGE_PREFIXES = ("oiio:", "openexr:", "tiff:", "jpeg:", "png:", "ICCProfile", "thumbnail")
_FIXED_TYPES = {"smpte:TimeCode": "timecode", "smpte:KeyCode": "keycode"}
_NO_TEXT = re.compile("[\ud800-\udfff]")
"""How bytes come that are not UTF-8; in a header of text they are of an older encoding."""

_BOX_OF_FLOATS = "float2[2]"
_FRAME_RATES = ("framesPerSecond", "FramesPerSecond", "dpx:FrameRate", "dpx:TemporalFrameRate")


def describes_storage(name: str) -> bool:
    """Whether an attribute tells how a file was stored, so that a new file must not repeat it."""
    return name in _STORAGE or name.startswith(_STORAGE_PREFIXES)


def carried(attributes: Mapping[str, object]) -> dict[str, object]:
    """The attributes that a frame takes along: neither about storage nor our own."""
    return {
        name: value
        for name, value in attributes.items()
        if not describes_storage(name) and not name.startswith(OURS)
    }


def from_spec(spec: OpenImageIO.ImageSpec) -> dict[str, object]:
    """Every attribute of an image header that means something.

    Blobs, such as profiles and thumbnails, are left out. So are bytes that are no text in DPX, and
    a pixel aspect that no pixel has: some writers leave parts of a header unset.
    """
    attributes: dict[str, object] = {}
    for entry in spec.extra_attribs:
        try:
            value: object = entry.value
        except UnicodeDecodeError:  # text of an older encoding, which says nothing about pixels
            continue
        if entry.name == "PixelAspectRatio" and not (isinstance(value, float) and 0 < value < inf):
            continue
        texts = [entry.name, *(value if isinstance(value, tuple) else [value])]
        if any(isinstance(text, str) and _NO_TEXT.search(text) for text in texts):
            known = not entry.name.startswith("dpx:") and not _NO_TEXT.search(entry.name)
            if not known or not isinstance(value, str):
                continue
            value = value.encode(errors="surrogateescape").decode("latin-1")
        if entry.type.vecsemantics == OpenImageIO.RATIONAL and isinstance(value, tuple):
            if len(value) == 2 and value[1] != 0:
                attributes[entry.name] = Fraction(*value)
        elif isinstance(value, tuple) and str(entry.type) == _BOX_OF_FLOATS:
            attributes[entry.name] = (value[:2], value[2:])
        elif isinstance(value, str | int | float | tuple):
            attributes[entry.name] = value
    return attributes


def to_spec(spec: OpenImageIO.ImageSpec, name: str, value: object) -> None:
    """Put one value into a header, under the type EXR has for it.

    Where EXR, or OpenImageIO's writer, has none: an integer beyond 32 bits and a list of integers
    that is neither vector nor box are written as text, and doubles as floats.

    Raises:
        TypeError: The value is of no kind that a header holds.
    """
    if isinstance(value, str):
        spec.attribute(name, value)
    elif isinstance(value, int):
        spec.attribute(name, int(value) if -(2**31) <= value < 2**31 else str(value))
    elif isinstance(value, float):
        spec.attribute(name, value)
    elif isinstance(value, Fraction):
        spec.attribute(name, OpenImageIO.TypeDesc("rational"), [value.numerator, value.denominator])
    elif isinstance(value, tuple) and value:
        kind = _FIXED_TYPES.get(name) or _array_type(value)
        flat = sum(value, ()) if kind == _BOX_OF_FLOATS else value
        if kind == "string":
            spec.attribute(name, ", ".join(map(str, value)))
        else:
            spec.attribute(name, OpenImageIO.TypeDesc(kind), flat)
    else:
        raise TypeError(f"attribute {name} is a {type(value).__name__}, which no header holds")


def _array_type(values: tuple[object, ...]) -> str:
    if all(isinstance(v, str) for v in values):
        return f"string[{len(values)}]"
    if all(isinstance(v, tuple) for v in values):
        return _BOX_OF_FLOATS
    if all(isinstance(v, int) for v in values):
        return {2: "int[2]", 3: "int[3]", 4: "box2i"}.get(len(values), "string")
    return f"float[{len(values)}]"


def frame_rate(attributes: Mapping[str, object]) -> Fraction | None:
    """Frames per second as a header tells it; 23.976 and its kin become exact NTSC rates.

    None for one beyond 0.01 to 1000, as stands in headers whose writer set none.
    """
    for name in _FRAME_RATES:
        value = attributes.get(name)
        least = 1 if name.startswith("dpx:") else 0.01  # what is unset in DPX may be any number
        if isinstance(value, Fraction | float) and least <= value <= 1000:
            return exact_rate(value)
    return None
