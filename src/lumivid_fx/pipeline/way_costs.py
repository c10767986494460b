"""What one way of holding a model's weights takes on a card: bytes and seconds, phase by phase.

Times are arithmetic: operations over the card's rate, or bytes over the bus where that takes
longer, for copies run beside the work.
"""

from __future__ import annotations

from dataclasses import dataclass

from lumivid_fx.model.residency import SLOTS, Way
from lumivid_fx.model.shape import ModelShape
from lumivid_fx.pipeline.cards import GB, Card
from lumivid_fx.pipeline.phases import Demand, Phase, Tiling, phases

SPARE = GB // 2
"""Bytes of a card that no tensor gets: workspaces of matrix products and convolutions."""

FRAGMENTED = 0.05
"""Share of a card that the allocator loses to gaps, assumed."""

TRANSFORMER_SHARE = 0.6
"""Of a card's matrix rate that the transformer reaches, assumed until it is measured."""

VAE_SHARE = 0.4
"""The same of the VAE's convolutions in TF32, at half the rate of bfloat16."""

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
