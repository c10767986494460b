"""A model onto a device so that a shot fits: plan, place, and hold the plan against what came."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.model.placement import place
from lumivid_fx.model.residency import Way, WayName
from lumivid_fx.model.shape import shape_of
from lumivid_fx.pipeline.cards import GB, card_here
from lumivid_fx.pipeline.memory_plan import MemoryPlan, make_plan
from lumivid_fx.pipeline.phases import demand_of
from lumivid_fx.pipeline.render_shot import ShotSettings
from lumivid_fx.pipeline.way_costs import Option

log = logging.getLogger(__name__)

PlateSize = tuple[int, int, int]
"""Height and width in pixels, and frames."""


@dataclass(frozen=True)
class Fitted:
    """A model that is placed, and how a shot is rendered with it.

    Attributes:
        model: On its device.
        settings: With the plan's tiles filled in.
        plan: What was chosen, and from what; None where nothing was planned.
        more: The same model on further devices.
    """

    model: HdrModel
    settings: ShotSettings
    plan: MemoryPlan | None = None
    more: tuple[HdrModel, ...] = ()

    @property
    def alternatives(self) -> list[ShotSettings]:
        """Settings of the plan's other ways: frames of theirs are as good as those of this one."""
        if self.plan is None:
            return []
        others = [with_tiles(self.settings, option) for option in self.plan.options]
        return [settings for settings in others if settings != self.settings]


Fit = Callable[[HdrModel, ShotSettings, PlateSize], Fitted]
"""Called once the plate has been looked at and the model has been read."""


@dataclass(frozen=True)
class MemoryReport:
    """What a plan said, and what came of it.

    Attributes:
        way: How weights were held.
        expected: Bytes of tensors on the card at the most, as planned.
        measured: As the allocator counted.
    """

    way: str
    expected: int
    measured: int

    def __str__(self) -> str:
        off = self.expected / self.measured - 1 if self.measured else 0.0
        return (
            f"{self.way}: {self.measured / GB:.1f} GB on the card at the most, "
            f"{self.expected / GB:.1f} GB were expected ({off:+.0%})"
        )


def plan_for(
    model: HdrModel,
    settings: ShotSettings,
    size: PlateSize,
    device: str,
    only: WayName | None = None,
    share: float = 1.0,
    peers: int = 1,
) -> MemoryPlan:
    """Plan a shot for a card as it is now.

    Args:
        model: As it was read, or as an earlier shot left it: how it is held then is not changed
            for little.
        settings: What the user decided, with window and overlap filled in.
        size: Of the plate.
        device: Of the card.
        only: The way that the user insists on.
        share: Of the card's memory that may be taken; less after it ran out.
        peers: Devices that share this machine's main memory.

    Raises:
        OutOfMemoryError: Nothing fits.
    """
    shape, card = shape_of(model), card_here(device)
    demand = demand_of(settings, shape, *size)
    waiting = 0 if model.blocks is None else model.blocks.waiting_bytes
    card = replace(
        card,
        memory=int(card.memory * share),
        main_memory=(card.main_memory + waiting) // peers,
    )
    made = make_plan(shape, demand, card, only)
    if model.blocks is not None or model.context.device.type == "cuda":
        made = made.keeping(shape, model.way)
    log.info("%s for %s: %s", model.manifest.name, card.name, made.chosen.describe())
    return made


def fit_to_devices(
    devices: Sequence[str],
    read: Callable[[], HdrModel],
    only: WayName | None,
    tell: Callable[[MemoryPlan], None],
) -> Fit:
    """How a single render fits its model: on the CPU it stays as it is, on cards by plan.

    Args:
        devices: Torch devices; one plan serves all, that of the card with the least memory.
        read: Reads the model again, for each device after the first.
        only: The way that the user insists on.
        tell: Told the plan before the model is placed.
    """

    def fit(model: HdrModel, settings: ShotSettings, size: PlateSize) -> Fitted:
        plan, way = None, Way(only or "resident")
        if devices[0] != "cpu":
            plans = [
                plan_for(model, settings, size, device, only, peers=len(devices))
                for device in devices
            ]
            plan = min(plans, key=lambda plan: plan.card.memory)
            tell(plan)
            way, settings = plan.chosen.way, with_tiles(settings, plan.chosen)
        placed = place(model, devices[0], way)
        more = tuple(place(read(), device, way) for device in devices[1:])
        return Fitted(placed, settings, plan, more)

    return fit


def with_tiles(settings: ShotSettings, option: Option) -> ShotSettings:
    """Settings with the tiles of one way of a plan."""
    tiling = option.tiling
    return replace(
        settings, tile=tiling.tile, vae_tile=tiling.vae_tile, vae_frames=tiling.vae_frames
    )
