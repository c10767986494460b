"""A look at a safetensors file before its reader believes it."""

from __future__ import annotations

import os
from pathlib import Path

MAX_HEADER = 16 * 1024 * 1024
"""Bytes of a header: some 100,000 tensors. The largest published LTX checkpoint has 7 % of that; a
header may claim millions that hold nothing, which take the reader minutes and gigabytes."""


def header_is_sane(path: Path) -> bool:
    """Whether a file's header is no longer than those of real models; its reader judges the rest.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        claimed = int.from_bytes(file.read(8), "little")
        return claimed <= min(MAX_HEADER, os.fstat(file.fileno()).st_size)
