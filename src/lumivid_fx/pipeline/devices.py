"""What a render runs on: which it is, what it is called, and when its memory runs out.

torch is imported when it is needed, for the command line asks here about errors of any kind.
"""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

from lumivid_fx.errors import InputError, LumividError

if TYPE_CHECKING:
    import torch


def choose_device(asked: str) -> str:
    """The torch device to load a model on.

    Args:
        asked: ``cpu``, ``cuda``, or ``auto`` for a GPU if there is one.

    Raises:
        InputError: A GPU was asked for and torch sees none.
    """
    import torch

    there = torch.cuda.is_available()
    if asked == "cuda" and not there:
        raise InputError("torch sees no CUDA device; check `lumivid doctor`, or give --device cpu")
    return "cuda" if there and asked != "cpu" else "cpu"


def choose_devices(asked: str) -> list[str]:
    """The torch devices to spread windows over.

    Args:
        asked: As :func:`choose_device` takes it, ``all`` for every GPU, or several devices, as
            ``cuda:0,cuda:1``.

    Raises:
        InputError: A device is not there, or is none.
    """
    import torch

    if asked == "all":
        return [f"cuda:{n}" for n in range(torch.cuda.device_count())] or [choose_device("cuda")]
    found = []
    for name in asked.split(","):
        kind, _, number = name.partition(":")
        if kind not in ("auto", "cpu", "cuda") or (
            number and (kind, number.isdecimal()) != ("cuda", True)
        ):
            raise InputError(
                f"device is {name!r}; give auto, cpu, cuda, cuda:1, all, or several with commas"
            )
        chosen = choose_device(kind)
        if number and int(number) >= torch.cuda.device_count():
            raise InputError(
                f"torch sees no {name}, only {torch.cuda.device_count()} CUDA devices; check "
                "`lumivid doctor`"
            )
        found.append(name if number else chosen)
    return found


def device_name(device: str) -> str:
    """What people call a device: ``cpu``, or ``cuda:0 NVIDIA H200`` by the driver's number."""
    import torch

    if device == "cpu":
        return device
    index = torch.cuda.current_device()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    number = visible[index] if index < len(visible) and visible[index] else str(index)
    return f"{device}:{number} {torch.cuda.get_device_name(index)}"


def kernels_name(device: str) -> str:
    """What decides how a device rounds: the GPU's model, or the CPU's widest instructions."""
    import torch

    if device == "cpu":
        return f"cpu {torch.backends.cpu.get_cpu_capability()}"
    return str(torch.cuda.get_device_name())


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: torch has no class for it on the CPU."""
    if isinstance(error, LumividError):
        return False
    known = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return known or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))


def free_memory() -> None:
    """Give back what nobody holds any more."""
    gc.collect()
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def peak_memory(device: torch.device | None = None) -> int:
    """Bytes that tensors took on a GPU at most since :func:`forget_peak`; 0 without one."""
    import torch

    if not torch.cuda.is_available() or (device is not None and device.type != "cuda"):
        return 0
    return int(torch.cuda.max_memory_allocated(device))


def forget_peak(device: torch.device) -> None:
    """Count :func:`peak_memory` anew."""
    import torch

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
