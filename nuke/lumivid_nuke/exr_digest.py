"""A hash of what an EXR shows, whatever its header says of when and how it was written.

Nuke writes the time into every file, so that the same frame rendered twice has other bytes. Hashed
are the pixels as they are stored, and of the header what says how to read them. Layout: "OpenEXR
File Layout", openexr.com. Only single-part scanline files, which is what our own Write makes.
"""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING

from lumivid_fx.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAGIC = b"\x76\x2f\x31\x01"
NOT_PLAIN = 0x200 | 0x800 | 0x1000
"""Version flags of tiled, deep and multi-part files."""

SHAPE = (b"channels", b"compression", b"dataWindow", b"displayWindow", b"lineOrder")
"""Attributes that say how the stored bytes are pixels."""

MAX_HEADER = 16 * 1024 * 1024


def exr_digest(path: Path) -> str:
    """SHA-256 of a file's pixels, in hex.

    Raises:
        InputError: It is no scanline EXR, or is cut short.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            content = memoryview(file.read())
        found = dict(_attributes(content))
        end = int.from_bytes(found.pop(b""), "little")
        for name in SHAPE:
            digest.update(found[name])
        # Behind the header: where each chunk begins, in the file; the first follows the table.
        (first,) = struct.unpack_from("<Q", content, end)
        if not end < first < len(content):
            raise InputError(f"{path} is cut short; render it again")
        digest.update(content[first:])
    except (OSError, struct.error, KeyError, ValueError) as error:
        raise InputError(f"{path} is no EXR that can be read ({error}); render it again") from error
    return digest.hexdigest()


def _attributes(content: memoryview) -> Iterator[tuple[bytes, bytes]]:
    """The header's attributes by name; behind them, under no name, where the header ends."""
    (flags,) = struct.unpack_from("<I", content, 4)
    if bytes(content[:4]) != MAGIC or flags & NOT_PLAIN:
        raise ValueError("not one part of scanlines")
    at, header = 8, bytes(content[:MAX_HEADER])
    while header[at] != 0:
        name_end = header.index(b"\0", at)
        kind_end = header.index(b"\0", name_end + 1)
        (size,) = struct.unpack_from("<I", header, kind_end + 1)
        value = kind_end + 5
        yield header[at:name_end], header[value : value + size]
        at = value + size
        if at >= len(header):
            raise ValueError("its header has no end")
    yield b"", (at + 1).to_bytes(8, "little")
