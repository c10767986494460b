"""Where a model's weights wait, and how they come to the device for their turn.

    resident   all on the device
    fp8        blocks on the device in eight bits, widened for their turn
    offload    blocks in pinned main memory
    stream     blocks in the file that they were mapped from

A block that is not resident is brought into one of two slots on the device: while one works, the
next is copied, on a stream of its own. Weights are the same bits wherever they waited, but for fp8,
which rounds them once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Literal, get_args

import torch
from torch import nn

from lumivid_fx.model.block_slots import Flat, InEight, Layout, Mapped, Reader, Slot, Source

WayName = Literal["resident", "fp8", "offload", "stream"]

WAYS: tuple[WayName, ...] = get_args(WayName)
"""From the one that takes most of the device's memory to those that take least of it."""

SLOTS = 2
"""Blocks in passage on the device: one works while the next is copied."""

_LARGE = re.compile(r"(^|\.)(to_[qkv]|to_out\.0|net\.0\.proj|net\.2)\.weight$")


@dataclass(frozen=True)
class Way:
    """A way to hold a model's weights.

    Attributes:
        name: See above.
        kept: With ``offload`` and ``stream``, how many blocks stay on the device all the same.
    """

    name: WayName = "resident"
    kept: int = 0

    def keeps(self, index: int, layers: int) -> bool:
        """Whether a block stays: those that do are spread, so that copies hide behind them."""
        if self.name == "resident":
            return True
        return (index + 1) * self.kept // layers > index * self.kept // layers


def is_large_matrix(name: str) -> bool:
    """Whether a parameter of a block is one of its large matrices, 99 % of its bytes.

    Only these are kept in fp8: what is small, gates and tables of modulation, costs nothing whole.
    """
    return _LARGE.search(name) is not None


class BorrowedBlocks:
    """The blocks of a transformer, each on the device when its turn comes.

    Iterating over it is one pass: a block's weights are there until the next one is asked for.

    Args:
        blocks: Alike, their weights in main memory; they are taken over.
        device: Where they work.
        way: How they wait.

    Raises:
        ValueError: The blocks are not alike.
    """

    def __init__(self, blocks: Sequence[nn.Module], device: torch.device, way: Way) -> None:
        self._blocks = blocks
        self._device = device
        self._layout = Layout.of(blocks[0])
        if any(Layout.of(block) != self._layout for block in blocks):
            raise ValueError("the transformer's blocks are not alike, and cannot take turns")
        self._copies = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._reader = Reader(self._layout, device) if way.name == "stream" else None
        self._homes: dict[int, Source | Mapped] = {}
        for index, block in enumerate(blocks):
            if way.keeps(index, len(blocks)):
                block.to(device)
            else:
                self._homes[index] = self._home(block, way)

    def _home(self, block: nn.Module, way: Way) -> Source | Mapped:
        weights = {name: parameter.data for name, parameter in block.named_parameters()}
        for parameter in block.parameters():
            parameter.data = parameter.data.new_empty(0)
        if way.name == "stream":
            return Mapped(weights)
        if way.name == "fp8":
            large = {name for name in weights if is_large_matrix(name)}
            return InEight.of(weights, large, self._device)
        return Flat.of(weights, self._layout, self._device)

    def __iter__(self) -> Iterator[nn.Module]:
        """One pass."""
        with self._lane() as lane:
            brought = self._brought(lane)
            for index, block in enumerate(self._blocks):
                if index in self._homes:
                    with next(brought).lent_to(block):
                        yield block
                else:
                    yield block

    @property
    def waiting_bytes(self) -> int:
        """Main memory that its weights take."""
        return sum(home.bytes.nbytes for home in self._homes.values() if isinstance(home, Flat))

    def release(self) -> None:
        """Let go of the weights that wait."""
        self._homes.clear()
        self._reader = None

    def _brought(self, lane: torch.cuda.Stream | None) -> Iterator[Slot]:
        """Slots in order; when one is given out, the copy into the next is under way."""
        slots = [Slot(self._layout, self._device, lane) for _ in range(SLOTS)]
        filled = None
        for slot, source in zip(cycle(slots), self._sources(lane), strict=False):
            slot.fill(source)
            if filled is not None:
                yield filled
            filled = slot
        if filled is not None:
            yield filled

    def _sources(self, lane: torch.cuda.Stream | None) -> Iterator[Source]:
        if self._reader is not None:
            mapped = [home for home in self._homes.values() if isinstance(home, Mapped)]
            yield from self._reader.ahead(mapped, lane)
        else:
            for home in self._homes.values():
                if not isinstance(home, Mapped):
                    yield home

    @contextmanager
    def _lane(self) -> Iterator[torch.cuda.Stream | None]:
        """The stream that copies, in step with the work at both ends of a pass."""
        if self._copies is None:
            yield None
            return
        work = torch.cuda.current_stream(self._device)
        self._copies.wait_stream(work)  # slots may lie where something was at work a moment ago
        try:
            yield self._copies
        finally:
            work.wait_stream(self._copies)  # what takes their place must not be copied over


class Visit:
    """A part that is on the device only while it works; its weights wait in main memory.

    Args:
        part: Its buffers, which are small, stay on the device.
        device: Where it works.
    """

    def __init__(self, part: nn.Module, device: torch.device) -> None:
        self._homes = [(parameter, parameter.data) for parameter in part.parameters()]
        self._device = device
        for module in part.modules():
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    module._buffers[name] = buffer.to(device)

    @contextmanager
    def there(self) -> Iterator[None]:
        """Bring it, and take it back."""
        try:
            with torch.inference_mode(mode=False):
                for parameter, home in self._homes:
                    parameter.data = home.to(self._device)
            yield
        finally:
            for parameter, home in self._homes:
                parameter.data = home
