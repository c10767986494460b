"""Safetensors files: looked at before anything is believed, and written without holding them.

The format is 8 bytes of length, a JSON header, and the tensors' bytes one after the other. What the
header says is held against the file's size here, so that a damaged or hostile file costs a moment
and no memory. Tensors are read by the library.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

MAX_HEADER = 16 * 1024 * 1024
"""Bytes of a header: some 100,000 tensors. The largest published LTX checkpoint has 7 % of that; a
header may claim millions that hold nothing, which take the reader minutes and gigabytes."""

MAX_RANK = 8
"""Dimensions of a tensor; no weight of any model here has more than five."""

_BITS_TO_TYPES = {
    4: ("F4",),
    6: ("F6_E2M3", "F6_E3M2"),
    8: ("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0"),
    16: ("I16", "U16", "F16", "BF16"),
    32: ("I32", "U32", "F32"),
    64: ("I64", "U64", "F64", "C64"),
}

BITS = {name: bits for bits, names in _BITS_TO_TYPES.items() for name in names}
"""Bits of one number, by the format's name of its type."""

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}
"""Types that weights are kept in."""


@dataclass(frozen=True)
class TensorEntry:
    """What a header says of one tensor: its type by the format's name, and its shape."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes in the file."""
        return -(-math.prod(self.shape) * BITS[self.dtype] // 8)


@dataclass(frozen=True)
class TensorFile:
    """A file whose header holds together.

    Attributes:
        path: Where.
        tensors: By name.
        metadata: Text beside them.
        header: SHA-256 of the header, in hex.
        size: Bytes of the file.
    """

    path: Path
    tensors: Mapping[str, TensorEntry]
    metadata: Mapping[str, str]
    header: str
    size: int

    def read(self, names: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
        """Read some tensors; they are views of the mapped file, taken from disk as they are used.

        Raises:
            SafetensorError: The file was changed meanwhile.
            OSError: It cannot be read.
        """
        with safe_open(self.path, "pt") as file:
            for name in names:
                yield name, file.get_tensor(name)


def look(path: Path) -> TensorFile:
    """Read a file's header, and hold it against the file's size.

    Raises:
        SafetensorError: It is no whole safetensors file; the message says why.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        if length > MAX_HEADER:
            raise SafetensorError("its header is longer than that of any model")
        if size < 8 or length > size - 8:
            raise SafetensorError("it is shorter than its header says")
        raw = file.read(length)
    try:
        header = json.loads(raw)
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise SafetensorError("its header is no JSON table")
    metadata = header.pop("__metadata__", None) or {}
    if not _is_text(metadata):
        raise SafetensorError("its metadata is no table of text")
    tensors, places = {}, []
    for name, said in header.items():
        tensors[name], place = _entry(name, said)
        places.append(place)
    reached = 0
    for start, stop in sorted(places):
        if start != reached:
            raise SafetensorError(f"its tensors leave a gap, or overlap, at byte {start}")
        reached = stop
    if reached != size - 8 - length:
        raise SafetensorError(
            f"its tensors take {reached} bytes and the file holds {size - 8 - length}"
        )
    return TensorFile(path, tensors, metadata, hashlib.sha256(raw).hexdigest(), size)


def write(
    path: Path,
    entries: Mapping[str, TensorEntry],
    tensors: Iterable[tuple[str, Tensor]],
    metadata: Mapping[str, str],
    on_bytes: Callable[[int], None] = lambda _: None,
) -> None:
    """Write a file tensor by tensor, so that a model larger than memory can be written.

    Args:
        path: Where; the caller gives it its name once it is whole.
        entries: Type and shape of what will come, in the order in which it is written.
        tensors: They themselves, in that order; each may be made when its turn comes.
        metadata: Text beside them.
        on_bytes: Told how many bytes have been written; raise to stop.

    Raises:
        ValueError: What comes is not what was said.
        OSError: The disk took only part of it.
    """
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    reached = 0
    for name, entry in entries.items():
        place = [reached, reached + entry.nbytes]
        header[name] = {"dtype": entry.dtype, "shape": list(entry.shape), "data_offsets": place}
        reached = place[1]
    raw = json.dumps(header, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    with path.open("xb") as file:
        file.write(struct.pack("<Q", len(raw)) + raw)
        written = 0
        for (name, entry), (came, tensor) in zip(entries.items(), tensors, strict=True):
            made = tensor.detach().cpu().contiguous()
            is_so = (came, DTYPES[entry.dtype], entry.shape)
            if (name, made.dtype, tuple(made.shape)) != is_so:
                raise ValueError(f"{came} is {made.dtype} {tuple(made.shape)}, not {name} {entry}")
            file.write(made.reshape(-1).view(torch.uint8).numpy().data if made.numel() else b"")
            written += entry.nbytes
            on_bytes(written)
        file.flush()
        os.fsync(file.fileno())


def _is_text(metadata: object) -> bool:
    return isinstance(metadata, dict) and all(isinstance(text, str) for text in metadata.values())


def _entry(name: str, said: object) -> tuple[TensorEntry, tuple[int, int]]:
    try:
        dtype, shape, (start, stop) = said["dtype"], said["shape"], said["data_offsets"]  # type: ignore[index] # what is no table raises
        sizes = [BITS[dtype], len(shape), start, stop, *shape]
    except (KeyError, TypeError, ValueError):
        raise SafetensorError(f"its header describes {name[:80]!r} in no known way") from None
    if any(type(n) is not int or n < 0 for n in sizes) or len(shape) > MAX_RANK:
        raise SafetensorError(f"its header gives {name[:80]!r} an impossible shape or place")
    entry = TensorEntry(dtype, tuple(shape))
    if stop - start != entry.nbytes:
        raise SafetensorError(f"its header gives {name[:80]!r} more or fewer bytes than its shape")
    return entry, (start, stop)
