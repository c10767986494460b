"""One window's codes as a file: safetensors, float32, with a digest of what is in it.

The codes are kept as the model gave them: what half float would save, the cross-fade would lose.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from torch import Tensor

from lumivid_fx.errors import InputError
from lumivid_fx.farm.plan_file import Plan
from lumivid_fx.media.whole_file import whole_file
from lumivid_fx.model.tensor_file import TensorEntry, TensorFile, look, write

CODES = "codes"
"""The one tensor: the model's codes ``f 3 h w``."""


DEVICES = ("cpu", "cuda")
"""Kinds of device that windows are rendered on."""


@dataclass(frozen=True)
class WindowMarks:
    """What a window file says of itself.

    Attributes:
        key: :meth:`Plan.window_key`, what it was made from.
        sha256: Of the codes.
        device: ``cpu`` or ``cuda``.
        kernels: The processor or GPU, which decides about the last bits.
    """

    key: str
    sha256: str
    device: str
    kernels: str


def write_window(path: Path, codes: Tensor, key: str, device: str, kernels: str) -> None:
    """Write a window, whole or not at all.

    Args:
        path: The file, replaced if it exists.
        codes: ``f 3 h w`` float32.
        key: What it was made from.
        device: See :class:`WindowMarks`.
        kernels: Likewise.

    Raises:
        InputError: It cannot be written there.
        DiskFullError: The disk took only part of it.
    """
    codes = codes.contiguous()
    marks = {"key": key, "sha256": _digest(codes), "device": device, "kernels": kernels}
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
    marks = WindowMarks(*(said.get(name, "") for name in ("key", "sha256", "device", "kernels")))
    fits = marks.key == plan.window_key(index) and marks.device in DEVICES
    return (file, marks) if fits else None


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
