"""One window's codes as a file: safetensors, float32, with a digest of what is in it.

The codes are kept as the model gave them: what half float would save, the cross-fade would lose.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct
from safetensors import SafetensorError
from torch import Tensor

from lumivid_fx.errors import InputError
from lumivid_fx.farm.plan_file import Plan
from lumivid_fx.media.whole_file import whole_file
from lumivid_fx.model.tensor_file import TensorEntry, TensorFile, look, write
from lumivid_fx.pipeline.devices import kernels_name
from lumivid_fx.pipeline.fitting import Fitted
from lumivid_fx.protocol.messages import Digest, Name

CODES = "codes"
"""The one tensor: the model's codes ``f 3 h w``."""


DEVICES = ("cpu", "cuda")
"""Kinds of device that windows are rendered on."""

TILES = ("tile", "vae_tile", "vae_frames")
"""Settings that a GPU's memory may decide."""


class WindowMarks(Struct, frozen=True):
    """What a window file says of itself.

    Attributes:
        key: :meth:`Plan.window_key`, what it was made from.
        sha256: Of the codes.
        device: ``cpu`` or ``cuda``.
        kernels: The processor or GPU, which decides about the last bits.
        model: Digest of the model as it ran.
        tiles: The settings :data:`TILES`.
    """

    key: Digest
    sha256: Digest
    device: Literal["cpu", "cuda"]
    kernels: Name
    model: Digest
    tiles: tuple[int | None, int | None, int | None]

    @property
    def made_by(self) -> str:
        """The processor, and its tiles where there are some."""
        told = zip(TILES, self.tiles, strict=True)
        tiles = [f"{name} {size}" for name, size in told if size is not None]
        return f"{self.kernels}{' with ' if tiles else ''}{', '.join(tiles)}"


def write_window(path: Path, codes: Tensor, key: str, fitted: Fitted) -> None:
    """Write a window, whole or not at all.

    Args:
        path: The file, replaced if it exists.
        codes: ``f 3 h w`` float32.
        key: What it was made from.
        fitted: What made it, and how.

    Raises:
        InputError: It cannot be written there.
        DiskFullError: The disk took only part of it.
    """
    codes = codes.contiguous()
    model, settings, device = fitted.model, fitted.settings, fitted.model.device.type
    marks = {
        "key": key,
        "sha256": _digest(codes),
        "device": device,
        "kernels": kernels_name(device),
        "model": model.digest,
        "tiles": json.dumps([getattr(settings, name) for name in TILES]),
    }
    with whole_file(path, str(path)) as beside:
        beside.unlink()  # the writer makes it itself
        write(
            beside,
            {CODES: TensorEntry("F32", tuple(codes.shape))},
            [(CODES, codes)],
            {"lumivid_window": "1", **marks},
        )


def look_at_window(plan: Plan, index: int) -> tuple[TensorFile, WindowMarks] | None:
    """Look at a window's header; None where there is no file, or it is one of something else.

    A file of other settings, or of a plate that was another then, is as good as none.
    """
    try:
        file = look(plan.window_path(index))
    except (OSError, SafetensorError):
        return None
    window, said = plan.windows[index], file.metadata
    shape = (window.frames, 3, window.height, window.width)
    if file.tensors != {CODES: TensorEntry("F32", shape)} or said.get("lumivid_window") != "1":
        return None
    try:
        tiles = json.loads(said.get("tiles", ""))
        marks = msgspec.convert({**said, "tiles": tiles}, WindowMarks)
    except (ValueError, RecursionError):
        return None
    return (file, marks) if marks.key == plan.window_key(index) else None


def read_window(plan: Plan, index: int) -> Tensor:
    """Read a window's codes ``f 3 h w``, and hold them against their digest.

    Raises:
        InputError: There is none, or it is damaged.
    """
    found = look_at_window(plan, index)
    remedy = f"render it again with `lumivid window --index {index}`"
    path = plan.window_path(index)
    if found is None:
        raise InputError(f"{path} is no window of this plan; {remedy}")
    file, marks = found
    try:
        ((_, codes),) = file.read([CODES])
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read ({error}); {remedy}") from error
    codes = codes.clone()  # the file is mapped, and may be replaced while it is hashed
    if _digest(codes) != marks.sha256:
        raise InputError(f"{path} is damaged; remove it, and {remedy}")
    return codes


def is_whole(plan: Plan, index: int) -> bool:
    """Whether a window is there, made from what the plan says, with every bit as it was written."""
    try:
        read_window(plan, index)
    except InputError:
        return False
    return True


def _digest(codes: Tensor) -> str:
    samples: npt.NDArray[np.float32] = np.ascontiguousarray(codes.numpy())
    return hashlib.sha256(samples.data).hexdigest()
