"""Weights as they run: the video half alone, LoRAs fused, in the type of the device.

Reading a published checkpoint means passing over its audio, undoing fp8 and multiplying out 480
pairs of LoRA matrices. What comes of it is kept as one safetensors file under a name made from all
that went into it, so that the next start maps the file and is as fast as the disk. A file appears
whole or not at all; one that is not there is done without.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import torch
from safetensors import SafetensorError
from torch import Tensor

from lumivid_fx.model.library import library_folder
from lumivid_fx.model.parts import Change, Part
from lumivid_fx.model.tensor_file import DTYPES, TensorEntry, look, write

FORMAT = 1
"""Another number whenever the same files would come out as other weights."""

_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def ready_key(said: object, digests: list[str]) -> str:
    """The name of what comes of some files: SHA-256 in hex.

    Args:
        said: All that decides besides, as JSON can hold it.
        digests: Of the files.
    """
    return hashlib.sha256(json.dumps([FORMAT, said, digests]).encode()).hexdigest()


def ready_file(key: str) -> Path:
    """Where weights of that name lie, if they do."""
    return library_folder() / "ready" / f"{key}.safetensors"


def read_ready(key: str, part: Part) -> dict[str, Tensor] | None:
    """Memory-mapped weights of that name; None where there are none, or they are not whole."""
    try:
        file = look(ready_file(key))
    except (OSError, SafetensorError):
        return None
    if file.metadata.get("key") != key or file.tensors.keys() != part.places.keys():
        return None
    with suppress(OSError, SafetensorError):
        return dict(file.read(file.tensors))
    return None


def write_ready(
    key: str,
    part: Part,
    change: Change,
    dtype: torch.dtype,
    on_bytes: Callable[[int, int], None],
) -> Path:
    """Make weights ready, one tensor at a time.

    Args:
        key: Their name.
        part: What they are made of.
        change: What is done to each tensor, the change of type included.
        dtype: That they have then.
        on_bytes: Told bytes written, and in all; raise to stop, and nothing is left.

    Raises:
        InputError: A file of the part is damaged.
        OSError: The disk is full.
    """
    entries = {n: TensorEntry(_NAMES[dtype], part.entry(n).shape) for n in part.order}
    total = sum(entry.nbytes for entry in entries.values())
    path = ready_file(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{uuid4().hex}.part")
    try:
        write(
            beside,
            entries,
            part.stream(change),
            {"key": key, "format": "pt"},
            lambda done: on_bytes(done, total),
        )
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return path
