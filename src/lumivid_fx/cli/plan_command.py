"""``lumivid plan``: how a render would fit a card, before anything is fetched, loaded or bought."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lumivid_fx.cli import options as o
from lumivid_fx.cli.options import GB, AsJson
from lumivid_fx.cli.outcome import one_sentence
from lumivid_fx.cli.phase_bar import brief_time
from lumivid_fx.errors import InputError
from lumivid_fx.model.quiet import quieten_libraries

if TYPE_CHECKING:
    from lumivid_fx.model.shape import ModelShape
    from lumivid_fx.pipeline.cards import Card
    from lumivid_fx.pipeline.memory_plan import MemoryPlan
    from lumivid_fx.pipeline.way_costs import Option

LARGEST = 16384
"""Pixels along an edge; above it the arithmetic is of no use to anybody."""


def plan(
    *,
    size: Annotated[
        str, typer.Option(metavar="WIDTHxHEIGHT", help="Of the plate, as 3840x2160.")
    ] = "1920x1080",
    frames: Annotated[int, typer.Option(min=1, max=100_000, help="Of the plate.")] = 121,
    vram: Annotated[
        float | None,
        typer.Option(
            min=1, max=1000, help="GB that are free on the card; the card here if not said."
        ),
    ] = None,
    ram: Annotated[
        float | None,
        typer.Option(min=1, max=10_000, help="GB of main memory that are free beside it."),
    ] = None,
    model: o.Model = None,
    window: o.Window = None,
    as_json: AsJson = False,
) -> None:
    """Say how a render fits a card: how weights are held, in what tiles, and what it will take.

    Nothing is loaded. ltx-2.3-hdr is known without its weights. Times are arithmetic.
    """
    with one_sentence(as_json=as_json, interrupted=lambda: "nothing was planned"):
        quieten_libraries()
        from lumivid_fx.pipeline.memory_plan import make_plan
        from lumivid_fx.pipeline.phases import demand_of
        from lumivid_fx.pipeline.render_shot import ShotSettings

        width, height = _read_size(size)
        shape = _shape(model)
        demand = demand_of(ShotSettings(window=window), shape, height, width, frames)
        made = make_plan(shape, demand, _card(vram, ram))
        if as_json:
            typer.echo(json.dumps(_as_json(made, shape.manifest.name)))
        else:
            _tell(made, f"{shape.manifest.name}, {width} x {height}, {frames} frames")


def _read_size(size: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,6})[xX](\d{1,6})", size)
    if found is None:
        raise InputError(f"size is {size!r}; give width and height, as 1920x1080")
    width, height = map(int, found.groups())
    if not (16 <= width <= LARGEST and 16 <= height <= LARGEST):
        raise InputError(f"size is {size}; give 16 to {LARGEST} pixels along an edge")
    return width, height


def _shape(model: str | None) -> ModelShape:
    """A model's shape: LTX-2.3's needs no files."""
    from lumivid_fx.model.library import entries, find_model
    from lumivid_fx.model.manifest import read_manifest
    from lumivid_fx.model.published import PULLABLE
    from lumivid_fx.model.shape import published_shape, shape_in

    if model in PULLABLE and model not in dict(entries()):
        return published_shape()
    folder = find_model(model)
    return shape_in(folder, read_manifest(folder))


def _card(vram: float | None, ram: float | None) -> Card:
    from lumivid_fx.pipeline.cards import card_here, card_of_size
    from lumivid_fx.pipeline.devices import choose_device

    if vram is not None:
        card = card_of_size(int(vram * GB))
    elif choose_device("auto") == "cpu":
        raise InputError(
            "torch sees no CUDA device to plan for; say how large one is, as --vram 24"
        )
    else:
        card = card_here("cuda")
    return card if ram is None else replace(card, main_memory=int(ram * GB))


def _tell(made: MemoryPlan, what: str) -> None:
    from rich.console import Console
    from rich.table import Table

    demand, card, chosen = made.demand, made.card, made.chosen
    windows = "one window" if demand.windows == 1 else f"{demand.windows} windows"
    typer.echo(
        f"{what}, in {windows}; {card.memory / GB:.1f} GB on a card as fast as {card.name} "
        f"({card.rate / 1e12:.0f} TFLOP/s), {card.main_memory / GB:.0f} GB of main memory"
    )
    typer.echo(f"chosen: {chosen.describe()}")
    console = Console(width=110)
    table = Table("of a window", "weights", "working", "on the card", "time")
    for phase, nbytes, seconds in chosen.phases:
        sizes = (nbytes - phase.working, phase.working, nbytes)
        table.add_row(phase.name, *(f"{n / GB:.1f} GB" for n in sizes), brief_time(seconds))
    console.print(table)
    table = Table("way", "tiles", "VAE tiles", "on the card", "main memory", "time", "")
    for option in made.options:
        table.add_row(*_row(option, demand.windows, "chosen" if option is chosen else ""))
    console.print(table)
    typer.echo(
        f"expected: {chosen.peak / GB:.1f} GB at the most, {brief_time(made.seconds)} in all. "
        "Worked out, not measured; docs/real-model.md says from what."
    )


def _row(option: Option, windows: int, note: str) -> list[str]:
    tiling = option.tiling
    cells = [
        option.way.name,
        str(tiling.tile or "none"),
        f"{tiling.vae_tile} x {tiling.vae_frames}",
    ]
    cells += [f"{nbytes / GB:.1f} GB" for nbytes in (option.peak, option.main_memory)]
    time = "" if option.why_not else brief_time(option.seconds * windows)
    return [*cells, time, option.why_not or note]


def _as_json(made: MemoryPlan, model: str) -> dict[str, Any]:
    return {
        "model": model,
        "card": made.card.name,
        "card_bytes": made.card.memory,
        "windows": made.demand.windows,
        "chosen": made.chosen.way.name,
        "seconds": round(made.seconds, 1),
        "peak_bytes": made.chosen.peak,
        "phases": [
            {"phase": phase.name, "bytes": nbytes, "seconds": round(seconds, 2)}
            for phase, nbytes, seconds in made.chosen.phases
        ],
        "ways": [
            {
                "way": option.way.name,
                "blocks_kept": option.way.kept,
                "tile": option.tiling.tile,
                "vae_tile": option.tiling.vae_tile,
                "vae_frames": option.tiling.vae_frames,
                "peak_bytes": option.peak,
                "main_memory_bytes": option.main_memory,
                "seconds_a_window": None if option.why_not else round(option.seconds, 1),
                "why_not": option.why_not,
            }
            for option in made.options
        ],
    }
