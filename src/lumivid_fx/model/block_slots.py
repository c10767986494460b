"""A block's weights where they wait, and the slots on the device that they are brought into.

A block is one flat run of bytes, so that it crosses the bus in one copy. On a GPU the copies are
ordered against the work by events alone; nothing here waits for the device but the reader of files,
which must not overwrite a buffer that is still being copied.
"""

from __future__ import annotations

import math
import weakref
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

FP8_MAX = 448.0
"""Largest number of float8_e4m3fn; beyond it there is only NaN."""

_ALIGNMENT = 256
"""Bytes; what a tensor of its own would have on a GPU."""


@dataclass(frozen=True)
class Layout:
    """Where each of a block's parameters lies in a flat run of bytes.

    Attributes:
        places: Name, first byte, shape and type of each.
        nbytes: Of all.
    """

    places: tuple[tuple[str, int, torch.Size, torch.dtype], ...]
    nbytes: int

    @classmethod
    def of(cls, block: nn.Module) -> Layout:
        """The layout of a block."""
        places, reached = [], 0
        for name, parameter in block.named_parameters():
            places.append((name, reached, parameter.shape, parameter.dtype))
            size = parameter.numel() * parameter.element_size()
            reached += -(-size // _ALIGNMENT) * _ALIGNMENT
        return cls(tuple(places), reached)

    def empty(self, device: torch.device | str, *, pinned: bool = False) -> Tensor:
        """Memory for one block; a plain tensor, so that it may lie in a parameter."""
        with torch.inference_mode(mode=False):
            flat = torch.empty(self.nbytes, dtype=torch.uint8, device=device)
        if pinned:
            _pin(flat)
        return flat

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """Its parameters, by name."""
        with torch.inference_mode(mode=False):
            return {
                name: flat[at : at + shape.numel() * dtype.itemsize].view(dtype).view(shape)
                for name, at, shape, dtype in self.places
            }


def _pin(flat: Tensor) -> None:
    """Lock main memory for copies to a GPU; where that is refused they are slower, and as right.

    Torch's own pinned memory comes in powers of two: a block of 0.54 GB would take a whole one.
    """
    cuda: Any = torch.cuda.cudart()
    if int(cuda.cudaHostRegister(flat.data_ptr(), flat.nbytes, 0)) == 0:
        weakref.finalize(flat, cuda.cudaHostUnregister, flat.data_ptr())


class Source(Protocol):
    """Weights of a block that can be copied into a slot."""

    def into(self, flat: Tensor, views: Mapping[str, Tensor]) -> None:
        """Copy them, on the current stream."""


@dataclass(frozen=True)
class Flat:
    """Weights in main memory as they are, in one run of bytes."""

    bytes: Tensor

    @classmethod
    def of(cls, weights: Mapping[str, Tensor], layout: Layout, device: torch.device) -> Flat:
        """Weights as they come from the model's files; pinned if they are meant for a GPU."""
        flat = layout.empty("cpu", pinned=device.type == "cuda")
        for name, view in layout.views(flat).items():
            view.copy_(weights[name])
        return cls(flat)

    def into(self, flat: Tensor, views: Mapping[str, Tensor]) -> None:  # noqa: ARG002 # see Source
        """See :class:`Source`."""
        flat.copy_(self.bytes, non_blocking=True)


@dataclass(frozen=True)
class InEight:
    """Weights on the device, the large ones in float8_e4m3fn with a scale each."""

    weights: Mapping[str, tuple[Tensor, float]]

    @classmethod
    def of(
        cls, weights: Mapping[str, Tensor], large: Collection[str], device: torch.device
    ) -> InEight:
        """Weights as they come, rounded on the device."""
        held = {}
        for name, weight in weights.items():
            there = weight.to(device, copy=True)
            held[name] = to_fp8(there) if name in large else (there, 1.0)
        return cls(held)

    def into(self, flat: Tensor, views: Mapping[str, Tensor]) -> None:  # noqa: ARG002 # see Source
        """See :class:`Source`: widened, which is exact, and scaled, which is too."""
        for name, (weight, scale) in self.weights.items():
            views[name].copy_(weight)
            if scale != 1:
                views[name].mul_(scale)


def to_fp8(weight: Tensor) -> tuple[Tensor, float]:
    """Round a weight to float8_e4m3fn.

    It is scaled by a power of two first, which is exact, so that its largest magnitude comes to lie
    between 224 and 448 and little of it falls among the subnormal numbers.

    Returns:
        The rounded weight, and what it is to be multiplied with.
    """
    largest = float(weight.abs().amax())
    scale = 2.0 ** math.ceil(math.log2(largest / FP8_MAX)) if largest > 0 else 1.0
    return (weight.float() / scale).to(torch.float8_e4m3fn), scale


@dataclass(frozen=True)
class Mapped:
    """Weights in a mapped file; the system reads them when they are copied."""

    weights: Mapping[str, Tensor]


class Reader:
    """Reads mapped blocks ahead of their turn, on a thread, into two buffers of main memory.

    Args:
        layout: Of a block.
        device: Where they go; for a GPU the buffers are pinned.
    """

    def __init__(self, layout: Layout, device: torch.device) -> None:
        pinned = device.type == "cuda"
        self._buffers = [layout.empty("cpu", pinned=pinned) for _ in range(2)]
        self._views = [layout.views(buffer) for buffer in self._buffers]
        self._copied: list[torch.cuda.Event | None] = [None, None]

    def ahead(self, blocks: Sequence[Mapped], lane: torch.cuda.Stream | None) -> Iterator[Source]:
        """Blocks in order, each read while those before it are on their way.

        A block that was given out must have been copied, or its copy been asked for on `lane`, when
        the next one is asked for.
        """
        waiting: deque[Future[Tensor]] = deque()
        with ThreadPoolExecutor(1, "weights") as thread:
            for turn in range(min(2, len(blocks))):
                waiting.append(thread.submit(self._read, blocks[turn], turn))
            for turn in range(len(blocks)):
                flat = Flat(waiting.popleft().result())
                try:
                    yield flat
                finally:  # a pass that breaks off has asked for this copy too
                    if lane is not None:
                        self._copied[turn % 2] = lane.record_event()
                if turn + 2 < len(blocks):
                    waiting.append(thread.submit(self._read, blocks[turn + 2], turn % 2))

    def _read(self, block: Mapped, place: int) -> Tensor:
        copied = self._copied[place]  # by this pass or the one before, and not done perhaps
        if copied is not None:
            copied.synchronize()
        for name, view in self._views[place].items():
            view.copy_(block.weights[name])
        return self._buffers[place]


class Slot:
    """Room on the device for one block at a time.

    Args:
        layout: Of a block.
        device: Where.
        lane: The stream that fills it; None where nothing runs beside.
    """

    def __init__(
        self, layout: Layout, device: torch.device, lane: torch.cuda.Stream | None
    ) -> None:
        self._flat = layout.empty(device)
        self._views = layout.views(self._flat)
        self._device = device
        self._lane = lane
        self._filled: torch.cuda.Event | None = None
        self._left: torch.cuda.Event | None = None

    def fill(self, source: Source) -> None:
        """Copy a block in, once the one before has worked."""
        if self._lane is None:
            source.into(self._flat, self._views)
            return
        if self._left is not None:
            self._lane.wait_event(self._left)
        with torch.cuda.stream(self._lane):
            source.into(self._flat, self._views)
        self._filled = self._lane.record_event()

    @contextmanager
    def lent_to(self, block: nn.Module) -> Iterator[None]:
        """Have a block work with what lies here."""
        work = None if self._lane is None else torch.cuda.current_stream(self._device)
        if work is not None and self._filled is not None:
            work.wait_event(self._filled)
        parameters = dict(block.named_parameters())
        for name, view in self._views.items():
            parameters[name].data = view
        try:
            yield
        finally:
            for parameter in parameters.values():
                parameter.data = parameter.data.new_empty(0)
            if work is not None:
                self._left = work.record_event()
