"""EXR files by the OpenEXR package: written for our reader, and our own read back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import OpenEXR

Array = npt.NDArray[Any]


def header_of(path: Path) -> dict[str, Any]:
    """The header, under EXR's own names."""
    with OpenEXR.File(str(path), header_only=True) as file:
        assert len(file.parts) == 1
        return dict(file.header())


def pixels_of(path: Path) -> Array:
    """The picture `h w c`, alpha last where there is one, as it is stored."""
    with OpenEXR.File(str(path)) as file:
        assert len(file.parts) == 1
        channels = file.channels()
        assert set(channels) in ({"RGB"}, {"RGBA"})
        return np.array(next(iter(channels.values())).pixels)


def box(x: int, y: int, width: int, height: int) -> tuple[Array, Array]:
    """A window as EXR has it, corner to corner."""
    return np.array([x, y], np.int32), np.array([x + width - 1, y + height - 1], np.int32)


def plain(value: object) -> object:
    """A header's value so that `==` compares all of it, its type included."""
    if isinstance(value, np.ndarray):
        return value.dtype.name, value.tolist()
    if isinstance(value, tuple | list):
        return type(value).__name__, [plain(each) for each in value]
    if isinstance(value, OpenEXR.TimeCode | OpenEXR.KeyCode | OpenEXR.Channel):
        return str(value)
    return value


def write(path: Path, pixels: Array, header: Mapping[str, Any] | None = None) -> Path:
    """Write one part; scan lines and ZIP unless the header says otherwise."""
    whole = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    name = "RGBA" if pixels.shape[-1] == 4 else "RGB"
    with OpenEXR.File({**whole, **(header or {})}, {name: pixels}) as file:
        file.write(str(path))
    return path


def write_parts(path: Path, parts: Mapping[str, tuple[Mapping[str, Array], str]]) -> Path:
    """Write several parts, each with its channels and its compression's name."""
    made = [
        OpenEXR.Part(
            {
                "name": name,
                "type": OpenEXR.scanlineimage,
                "compression": getattr(OpenEXR, f"{compression}_COMPRESSION"),
            },
            dict(channels),
        )
        for name, (channels, compression) in parts.items()
    ]
    with OpenEXR.File(made) as file:
        file.write(str(path))
    return path
