"""A plan that is followed: its tiles are rendered with, and frames of its other ways are kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.model.shape import shape_of
from lumivid_fx.pipeline.cards import GB, card_of_size
from lumivid_fx.pipeline.fitting import Fitted, MemoryReport, PlateSize, with_tiles
from lumivid_fx.pipeline.memory_plan import MemoryPlan, make_plan
from lumivid_fx.pipeline.phases import Tiling, demand_of
from lumivid_fx.pipeline.render_files import render
from lumivid_fx.pipeline.render_shot import ShotSettings

from .plates import write_png


def planned(model: HdrModel, settings: ShotSettings, size: PlateSize) -> MemoryPlan:
    """A plan for some card, whose second way has tiles."""
    shape = shape_of(model)
    made = make_plan(shape, demand_of(settings, shape, *size), card_of_size(8 * GB))
    first, second, *rest = made.options
    tiled = replace(second, tiling=Tiling(9, 9, 7))
    return replace(made, options=(first, tiled, *rest), chosen=first)


def test_a_render_follows_its_plan_and_keeps_what_another_way_made(
    quick_model: HdrModel, tmp_path: Path
) -> None:
    """The tiles of the plan are written into the frames; a run by another way adds nothing."""
    plate = write_png(tmp_path / "in", range(1, 10))
    seen: list[PlateSize] = []
    index = 0

    def fit(model: HdrModel, settings: ShotSettings, size: PlateSize) -> Fitted:
        seen.append(size)
        assert settings.window == 25
        plan = planned(model, settings, size)
        plan = replace(plan, chosen=plan.options[index])
        return Fitted(model, with_tiles(settings, plan.chosen), plan)

    target = str(tmp_path / "out" / "p.####.exr")
    first = render(plate, target, model=quick_model, fit=fit)
    assert (first.rendered, first.kept) == (9, 0)
    assert seen[0][2] == 9
    assert first.memory is not None
    assert first.memory.way == "resident"
    assert first.memory.measured == 0  # nobody counts on the CPU
    index = 1
    again = render(plate, target, model=quick_model, fit=fit)
    assert (again.rendered, again.kept, again.memory) == (0, 9, None)


def test_a_report_holds_the_plan_against_what_came() -> None:
    """In one line, with how far it was off."""
    told = str(MemoryReport("offload", 10 * GB, 8 * GB))
    assert told == "offload: 8.0 GB on the card at the most, 10.0 GB were expected (+25%)"
    assert "(+0%)" in str(MemoryReport("resident", GB, 0))
