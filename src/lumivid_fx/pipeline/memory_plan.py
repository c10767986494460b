"""How a render fits a card: worked out before anything is loaded, from sizes alone.

Each way of holding the weights (:mod:`lumivid_fx.model.residency`) is given the largest tiles that
leave it enough room, for tiles are what the picture may show; then those tiles of the VAE, which
leave no seam, and as many blocks on the card, that take the least time. Of the ways with the
largest tiles the fastest is chosen; within a tenth of it, weights are rather whole than in fp8.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from lumivid_fx.errors import OutOfMemoryError
from lumivid_fx.model.residency import WAYS, Way, WayName
from lumivid_fx.model.shape import ModelShape
from lumivid_fx.pipeline.cards import GB, Card
from lumivid_fx.pipeline.phases import Demand, Tiling
from lumivid_fx.pipeline.way_costs import Option, evaluate, memory_for, room_on

NEAR = 1.1
"""A way that takes so many times the fastest one's seconds is as good as it."""

TILES = (80, 64, 56, 48, 40, 32, 24, 16)
"""Edges of the transformer's tiles that are tried, in latents, after none at all."""

VAE_TILES = (64, 48, 40, 32, 24, 20, 16, 12, 9)
VAE_FRAMES = (24, 16, 12, 10, 8, 7)
"""Edges and lengths of the VAE's, after none at all."""

PREFERRED: tuple[WayName, ...] = ("resident", "offload", "stream", "fp8")
"""Which of two ways is taken that are as fast: fp8 last, for it rounds the weights."""


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
