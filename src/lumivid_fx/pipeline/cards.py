"""What a card can do: measured where there is one, published where it is only thought of."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch

GB = 1_000_000_000

BUS_RATE = 20e9
"""Bytes a second from pinned main memory to a card, assumed: PCIe 4.0 x16 has 31.5e9 nominally."""

DISK_RATE = 3e9
"""Bytes a second of a file that is mapped, assumed: half of what a PCIe 4.0 SSD is sold with."""

MAIN_MEMORY = 128 * GB
"""Free main memory beside a card that is only thought of, assumed."""


@dataclass(frozen=True)
class Card:
    """A card, and the machine around it.

    Attributes:
        name: What it is called.
        memory: Bytes on it that may be taken.
        rate: Floating point operations a second in dense bfloat16 matrix products summed in
            float32. Its rate in TF32, in which the VAE's convolutions run, is half of that.
        bus: Bytes a second from pinned main memory.
        disk: Bytes a second from mapped files.
        main_memory: Bytes of main memory that may be taken.
    """

    name: str
    memory: int
    rate: float
    bus: float = BUS_RATE
    disk: float = DISK_RATE
    main_memory: int = MAIN_MEMORY


PUBLISHED = (
    Card("RTX 4070", 12 * GB, 58.3e12),
    Card("RTX 4080", 16 * GB, 97.5e12),
    Card("RTX 4090", 24 * GB, 165.2e12),
    Card("L40S", 48 * GB, 362e12),
    Card("H100 SXM", 80 * GB, 989e12),
)
"""Common cards of each size. Rates: NVIDIA's Ada GPU architecture white paper (BF16 tensor with
FP32 accumulate, without sparsity) and the data sheets of L40S and H100."""


def card_of_size(memory: int) -> Card:
    """A published card of a size: as fast as the largest one that is no larger."""
    known = [card for card in PUBLISHED if card.memory <= memory]
    return replace(known[-1] if known else PUBLISHED[0], memory=memory)


def card_here(device: str) -> Card:
    """The card that a device is, with what is free on it: what torch holds here counts as free."""
    name, rate, bus = _measured(device)
    with torch.cuda.device(device):
        free, _ = torch.cuda.mem_get_info()
        return Card(
            name,
            free + torch.cuda.memory_reserved(),
            rate,
            bus,
            main_memory=free_main_memory(),
        )


def free_main_memory() -> int:
    """Bytes of main memory that the system could still give."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@cache
def _measured(device: str) -> tuple[str, float, float]:
    """Name, matrix rate and bus rate of a card; takes a moment and 0.5 GB, once."""
    size, megabytes = 8192, 128
    with torch.cuda.device(device):
        matrix = torch.randn(size, size, dtype=torch.bfloat16, device="cuda")
        rate = 2 * size**3 / _seconds(lambda: matrix @ matrix)
        host = torch.empty(megabytes << 20, dtype=torch.uint8, pin_memory=True)
        there = torch.empty_like(host, device="cuda")
        bus = host.nbytes / _seconds(lambda: there.copy_(host, non_blocking=True))
        name = torch.cuda.get_device_name()
    return name, rate, bus


def _seconds(run: Callable[[], object], rounds: int = 5) -> float:
    """Least seconds of one of several runs on the current card."""
    run()
    least = float("inf")
    for _ in range(rounds):
        torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        torch.cuda.synchronize()
        least = min(least, time.perf_counter() - start)
    return least
