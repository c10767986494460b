"""``lumivid sheet``: a contact sheet of finished plates, over frames and exposures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lumivid_fx.cli import options as o
from lumivid_fx.cli.outcome import one_sentence
from lumivid_fx.cli.phase_bar import PhaseBar


def sheet(
    *,
    source: o.Plates,
    target: Annotated[Path, typer.Argument(metavar="PNG", help="Sheet to write, as look.png.")],
    frames: Annotated[
        str | None,
        typer.Option("--frames", help="Frames to show, as 1001,1010-1012; six if not said."),
    ] = None,
    exposures: Annotated[
        str, typer.Option("--ev", help="Stops, a row each, separated by commas.")
    ] = "-4,-2,0,2,4",
    view: Annotated[
        str, typer.Option(help="SDR view of the pictures.", rich_help_panel=o.COLOUR)
    ] = "srgb",
    input_space: o.PlateSpace = None,
    ocio: o.Ocio = None,
    as_json: o.AsJson = False,
) -> None:
    """Write a contact sheet: a column for each frame, a row for each exposure."""
    with one_sentence(as_json=as_json, interrupted=lambda: f"{target} was not written"):
        from lumivid_fx.color.spaces import ColorSpaces
        from lumivid_fx.media import open_plate
        from lumivid_fx.review.sheet import write_plate_sheet

        bar = PhaseBar("drawing the sheet", quiet=as_json)
        with open_plate(source, frames) as plate, bar:
            shown = write_plate_sheet(
                target,
                plate,
                ColorSpaces(None if ocio is None else str(ocio)),
                numbers=None if frames is None else plate.frame_numbers,
                exposures=o.numbers("--ev", exposures),
                view=view,
                space=input_space,
                on_frame=bar.frames,
            )
        if as_json:
            typer.echo(json.dumps({"sheet": str(target), "frames": shown}))
        else:
            typer.echo(f"{target} is written, {len(shown)} frames.")
