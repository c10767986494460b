"""How a render fits a card: worked out before anything is loaded, from sizes alone.

Each way of holding the weights (:mod:`lumivid_fx.model.residency`) is given the largest tiles that
leave it enough room, for tiles are what the picture may show; then those tiles of the VAE, which
leave no seam, and as many blocks on the card, that take the least time. Of the ways with the
largest tiles the fastest is chosen; within a tenth of it, weights are rather whole than in fp8.

Times are arithmetic: operations over the card's rate, or bytes over the bus where that takes
longer, for copies run beside the work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from lumivid_fx.errors import OutOfMemoryError
from lumivid_fx.model.residency import SLOTS, WAYS, Way, WayName
from lumivid_fx.model.shape import ModelShape
from lumivid_fx.pipeline.cards import GB, Card
from lumivid_fx.pipeline.phases import (
    Demand,
    Phase,
    Tiling,
    phases,
)

SPARE = GB // 2
"""Bytes of a card that no tensor gets: workspaces of matrix products and convolutions."""

FRAGMENTED = 0.05
"""Share of a card that the allocator loses to gaps, assumed."""

TRANSFORMER_SHARE = 0.6
"""Of a card's matrix rate that the transformer reaches, assumed until it is measured."""

VAE_SHARE = 0.4
"""The same of the VAE's convolutions in TF32, at half the rate of bfloat16."""

NEAR = 1.1
"""A way that takes so many times the fastest one's seconds is as good as it."""

TILES = (80, 64, 56, 48, 40, 32, 24, 16)
"""Edges of the transformer's tiles that are tried, in latents, after none at all."""

VAE_TILES = (64, 48, 40, 32, 24, 20, 16, 12, 9)
VAE_FRAMES = (24, 16, 12, 10, 8, 7)
"""Edges and lengths of the VAE's, after none at all."""

PREFERRED: tuple[WayName, ...] = ("resident", "offload", "stream", "fp8")
"""Which of two ways is taken that are as fast: fp8 last, for it rounds the weights."""

PICTURES, MORE_PICTURES = 8, 3
"""Copies of a window's pixels in main memory at once, float32: the plate's and what it lost, the
model's, and what detail makes of them; and what is kept of the window before, where there is one.
"""

_WORDS = {
    "resident": "all weights on the card",
    "fp8": "blocks on the card in eight bits",
    "offload": "blocks wait in main memory",
    "stream": "blocks wait in their file",
}


@dataclass(frozen=True)
class Option:
    """One way to render.

    Attributes:
        way: How weights are held.
        tiling: How a window is cut.
        phases: Of a window, each with the bytes it takes on the card, and its seconds.
        main_memory: Bytes of main memory.
        why_not: Why it cannot be taken; empty if it can.
    """

    way: Way
    tiling: Tiling
    phases: tuple[tuple[Phase, int, float], ...]
    main_memory: int
    why_not: str = ""

    @property
    def peak(self) -> int:
        """Bytes of tensors on the card at the most."""
        return max(nbytes for _, nbytes, _ in self.phases)

    @property
    def seconds(self) -> float:
        """Of one window."""
        return sum(seconds for _, _, seconds in self.phases)

    def describe(self) -> str:
        """In words: ``offload (blocks wait in main memory, 11 stay), tiles of 40 latents, ...``."""
        words = _WORDS[self.way.name]
        stay = f", {self.way.kept} stay" if self.way.kept else ""
        tiles = f"tiles of {self.tiling.tile} latents" if self.tiling.tile else "no tiles"
        vae = f"the VAE's {self.tiling.vae_tile} x {self.tiling.vae_frames}"
        return f"{self.way.name} ({words}{stay}), {tiles}, {vae}"


@dataclass(frozen=True)
class MemoryPlan:
    """What is chosen, and what else there was.

    Attributes:
        demand: What was asked.
        card: For which card.
        options: One for each way, in the order of :data:`lumivid_fx.model.residency.WAYS`.
        chosen: One of them.
    """

    demand: Demand
    card: Card
    options: tuple[Option, ...]
    chosen: Option

    @property
    def seconds(self) -> float:
        """Of all windows."""
        return self.chosen.seconds * self.demand.windows

    def keeping(self, shape: ModelShape, way: Way) -> MemoryPlan:
        """The same plan with the weights left as they are held, where that is nearly as good."""
        held = evaluate(shape, self.demand, self.card, way, self.chosen.tiling)
        fits = held.peak <= room_on(self.card) and held.main_memory <= self.card.main_memory
        if fits and held.seconds <= NEAR * self.chosen.seconds:
            return replace(self, chosen=held)
        return self


def make_plan(
    shape: ModelShape, demand: Demand, card: Card, only: WayName | None = None
) -> MemoryPlan:
    """Choose how to render.

    Args:
        shape: The model's.
        demand: What is asked.
        card: Where.
        only: A way that somebody insists on.

    Raises:
        OutOfMemoryError: Nothing fits; the message says what would.
    """
    options = tuple(_best(shape, demand, card, name) for name in WAYS)
    fitting = [o for o in options if not o.why_not and only in (None, o.way.name)]
    if not fitting:
        raise _nothing_fits(shape, demand, card, options, only)
    largest = max(_edge(demand, option.tiling) for option in fitting)
    fitting = [o for o in fitting if _edge(demand, o.tiling) == largest]
    least = min(option.seconds for option in fitting)
    near = [option for option in fitting if option.seconds <= NEAR * least]
    chosen = min(near, key=lambda option: PREFERRED.index(option.way.name))
    return MemoryPlan(demand, card, options, chosen)


def room_on(card: Card) -> int:
    """Bytes that tensors may take on a card."""
    return int(card.memory * (1 - FRAGMENTED)) - SPARE


def memory_for(nbytes: int) -> float:
    """Size of the card, in GB, that has room for so many bytes of tensors."""
    return (nbytes + SPARE) / (1 - FRAGMENTED) / GB


def evaluate(shape: ModelShape, demand: Demand, card: Card, way: Way, tiling: Tiling) -> Option:
    """What one way takes; it is not asked whether it fits."""
    found = []
    for phase in phases(shape, demand, tiling):
        nbytes = phase.working + _weights(shape, way, phase.part)
        found.append((phase, nbytes, _seconds(shape, card, way, phase)))
    pixels = (demand.frames - 1) * shape.temporal_ratio + 1
    pixels *= demand.height * demand.width * shape.spatial_ratio**2
    main = (PICTURES + MORE_PICTURES * (demand.windows > 1)) * 3 * 4 * pixels
    if way.name != "resident":
        main += shape.vae_bytes + shape.upsampler_bytes
    if way.name == "offload":
        main += (shape.layers - way.kept) * shape.block_bytes
    if way.name == "stream":
        main += SLOTS * shape.block_bytes
    return Option(way, tiling, tuple(found), main)


def _best(shape: ModelShape, demand: Demand, card: Card, name: WayName) -> Option:
    """The best that a way can do on a card; if it does not fit, the least that it takes."""
    room, way = room_on(card), Way(name)
    for tile in _tile_edges(demand):
        tilings = [Tiling(tile, *choice) for choice in _vae_choices(demand, tile)]
        least = evaluate(shape, demand, card, way, tilings[-1])
        if least.peak > room:
            continue
        option = min(
            (_filled(shape, demand, card, way, tiling) for tiling in tilings),
            key=lambda option: (option.peak > room, option.seconds),
        )
        if option.main_memory > card.main_memory:
            wanted = f"{option.main_memory / GB:.0f} GB of main memory are wanted"
            return replace(option, why_not=f"{wanted}, {card.main_memory / GB:.0f} are free")
        return option
    return replace(least, why_not=f"takes a card of {memory_for(least.peak):.1f} GB at least")


def _filled(shape: ModelShape, demand: Demand, card: Card, way: Way, tiling: Tiling) -> Option:
    """A way with as many blocks on the card as there is room for."""
    option = evaluate(shape, demand, card, way, tiling)
    room = room_on(card) - option.peak
    if way.name not in ("offload", "stream") or room < shape.block_bytes:
        return option
    kept = min(room // shape.block_bytes, shape.layers - 1)
    return evaluate(shape, demand, card, Way(way.name, kept), tiling)


def _tile_edges(demand: Demand) -> list[int | None]:
    if demand.tile is not None:
        return [demand.tile]
    longest = max(demand.height, demand.width)
    return [None, *(edge for edge in TILES if edge < longest)]


def _vae_choices(demand: Demand, tile: int | None) -> list[tuple[int, int]]:
    """Edges and lengths of the VAE's tiles, from the largest to the smallest."""
    longest = max(demand.height, demand.width)
    edges: Sequence[int] = [longest, *(edge for edge in VAE_TILES if edge < longest)]
    lengths: Sequence[int] = [demand.frames, *(n for n in VAE_FRAMES if n < demand.frames)]
    if demand.vae_tile is not None:
        edges = [demand.vae_tile]
    if demand.vae_frames is not None:
        lengths = [demand.vae_frames]
    if tile is not None:  # as the render has it
        edges = [edge for edge in edges if edge <= tile] or [tile]
    return list(product(edges, lengths))


def _weights(shape: ModelShape, way: Way, part: str) -> int:
    """Bytes of weights on the card while a part works."""
    whole = shape.layers * shape.block_bytes
    if way.name == "resident":
        return whole + shape.ends_bytes + shape.vae_bytes + shape.upsampler_bytes
    if way.name == "fp8":
        large = whole * shape.matrix_share
        stays = int(whole - large + large / shape.dtype.itemsize)
    else:
        stays = way.kept * shape.block_bytes
    turn = {
        "transformer": SLOTS * shape.block_bytes,
        "vae": shape.vae_bytes,
        "upsampler": shape.upsampler_bytes,
    }
    return stays + shape.ends_bytes + turn[part]


def _seconds(shape: ModelShape, card: Card, way: Way, phase: Phase) -> float:
    """Of a phase, all its passes together."""
    if phase.part == "transformer":
        work = phase.flops / (card.rate * TRANSFORMER_SHARE)
        rate = {"offload": card.bus, "stream": min(card.bus, card.disk)}.get(way.name)
        moved = phase.tiles * (shape.layers - way.kept) * shape.block_bytes
        return phase.passes * (work if rate is None else max(work, moved / rate))
    arrives = {"vae": shape.vae_bytes, "upsampler": shape.upsampler_bytes}[phase.part]
    visit = 0.0 if way.name == "resident" else arrives / card.bus
    rate = card.rate / 2 if phase.part == "vae" else card.rate
    return phase.flops / (rate * VAE_SHARE) + visit


def _edge(demand: Demand, tiling: Tiling) -> int:
    return min(tiling.tile or max(demand.height, demand.width), max(demand.height, demand.width))


def _nothing_fits(
    shape: ModelShape,
    demand: Demand,
    card: Card,
    options: Sequence[Option],
    only: WayName | None,
) -> OutOfMemoryError:
    mine = [option for option in options if only in (None, option.way.name)]
    by_card = [option for option in mine if option.peak > room_on(card)]
    size = f"{demand.width * shape.spatial_ratio} x {demand.height * shape.spatial_ratio} pixels"
    length = (demand.frames - 1) * shape.temporal_ratio + 1
    what = f"{size} and {length} frames at a time" + (f" with {only}" if only else "")
    if len(by_card) < len(mine):
        least = min(option.main_memory for option in mine if option not in by_card)
        return OutOfMemoryError(
            f"{what} take {least / GB:.0f} GB of main memory and {card.main_memory / GB:.0f} GB "
            "are free; end what else takes memory there, or give a shorter --window"
        )
    least = min(option.peak for option in mine)
    largest = next(_largest(shape, demand, card, only), None)
    advice = "" if largest is None else f" or --model-size {largest}"
    return OutOfMemoryError(
        f"{what} take a card with {memory_for(least):.1f} GB free and {card.name} has "
        f"{card.memory / GB:.1f}; give a shorter --window{advice}"
    )


def _largest(shape: ModelShape, demand: Demand, card: Card, only: WayName | None) -> Iterator[int]:
    """Longest sides in pixels that would fit, from the largest."""
    multiple = 1 << (len(demand.steps) - 1)
    for part in (0.75, 0.5, 0.375, 0.25, 0.125):
        height, width = (
            max(1, int(edge * part) // multiple) * multiple
            for edge in (demand.height, demand.width)
        )
        smaller = replace(demand, height=height, width=width)
        for name in WAYS if only is None else (only,):
            if not _best(shape, smaller, card, name).why_not:
                yield max(height, width) * shape.spatial_ratio
                break
