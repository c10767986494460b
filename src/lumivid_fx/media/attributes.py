"""Image metadata as plain Python values, from OpenImageIO and back to it.

Values are `str`, `int`, `float`, `Fraction` (EXR's rational) and tuples of numbers or strings
(vectors, matrices, windows, time codes). Names are OpenImageIO's, such as `smpte:TimeCode` and
`PixelAspectRatio`; names it does not know, such as `nuke/node_hash`, stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import OpenImageIO

from lumivid_fx.media.timecode import exact_rate

OURS = "lumivid/"
"""What begins so says how we made a file; it is never carried from one plate to the next."""

_STORAGE = frozenset({
    *("compression", "dwaCompressionLevel", "planarconfig", "tiles", "chunkCount", "Orientation"),
    *("name", "type", "version", "view", "multiView", "textureformat", "wrapmodes"),
    *("Exif:ColorSpace", "acesImageContainerFlag"),
})  # fmt: skip
_STORAGE_PREFIXES = (
    *("oiio:", "openexr:", "tiff:", "jpeg:", "png:", "dpx:", "ICCProfile", "thumbnail"),
)
_FIXED_TYPES = {"smpte:TimeCode": "timecode", "smpte:KeyCode": "keycode"}
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
    """Every attribute of an image header; blobs, such as profiles and thumbnails, are left out."""
    attributes: dict[str, object] = {}
    for entry in spec.extra_attribs:
        try:
            value: object = entry.value
        except UnicodeDecodeError:  # text of an older encoding, which says nothing about pixels
            continue
        if entry.type.vecsemantics == OpenImageIO.RATIONAL and isinstance(value, tuple):
            if len(value) == 2 and value[1] != 0:
                attributes[entry.name] = Fraction(*value)
        elif isinstance(value, str | int | float | tuple):
            attributes[entry.name] = value
    return attributes


def to_spec(spec: OpenImageIO.ImageSpec, name: str, value: object) -> None:
    """Put one value into a header, under the type EXR has for it.

    An integer beyond 32 bits, which EXR cannot hold, is written as its decimal string.

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
        spec.attribute(
            name, OpenImageIO.TypeDesc(_FIXED_TYPES.get(name) or _array_type(value)), value
        )
    else:
        raise TypeError(f"attribute {name} is a {type(value).__name__}, which no header holds")


def _array_type(values: tuple[object, ...]) -> str:
    if all(isinstance(v, str) for v in values):
        return f"string[{len(values)}]"
    if all(isinstance(v, int) for v in values):
        return "box2i" if len(values) == 4 else f"int[{len(values)}]"
    return f"float[{len(values)}]"


def frame_rate(attributes: Mapping[str, object]) -> Fraction | None:
    """Frames per second as a header tells it; 23.976 and its kin become exact NTSC rates."""
    for name in _FRAME_RATES:
        value = attributes.get(name)
        if isinstance(value, Fraction | float) and 0 < value < 1000:
            return exact_rate(value)
    return None
