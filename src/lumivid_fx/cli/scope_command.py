"""``lumivid scope``: levels, histogram and waveform of finished plates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lumivid_fx.cli import options as o
from lumivid_fx.cli.outcome import one_sentence
from lumivid_fx.cli.phase_bar import PhaseBar

if TYPE_CHECKING:
    from lumivid_fx.review.scope import Scope


def scope(
    *,
    source: o.Plates,
    frames: o.PlateFrames = None,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder for scope.png and scope.json.")
    ] = None,
    waveform: Annotated[
        int | None, typer.Option(help="Frame whose waveform is drawn; the middle one if not said.")
    ] = None,
    input_space: o.PlateSpace = None,
    ocio: o.Ocio = None,
    as_json: o.AsJson = False,
) -> None:
    """Measure plates: peak, median, log average, range and flicker; draw waveform and histogram."""
    with one_sentence(as_json=as_json, interrupted=lambda: "nothing was written"):
        from lumivid_fx.color.spaces import ColorSpaces
        from lumivid_fx.media import open_plate
        from lumivid_fx.media.whole_file import whole_file
        from lumivid_fx.review.scope import look_through

        bar = PhaseBar("measuring", quiet=as_json)
        with open_plate(source, frames) as plate, bar:
            found = look_through(
                plate,
                ColorSpaces(None if ocio is None else str(ocio)),
                space=input_space,
                at=waveform,
                on_frame=bar.frames,
            )
        told = json.dumps(found.as_json())
        if folder is not None:
            from lumivid_fx.review.scope_picture import write_scope_picture

            write_scope_picture(folder / "scope.png", found)
            with whole_file(folder / "scope.json", str(folder / "scope.json")) as beside:
                beside.write_text(told + "\n", "utf-8")
        if as_json:
            typer.echo(told)
            return
        _tell(found)
        if folder is not None:
            typer.echo(f"{folder / 'scope.png'} and scope.json are written.")


def _tell(found: Scope) -> None:
    typer.echo(f"{found.source}, in {found.space}; light 1.0 is 100 cd/m2, 0.18 is mid grey")
    typer.echo("frame     peak   99.99 %   median   log avg   stops  negative")
    for level in found.levels:
        typer.echo(
            f"{level.frame:5} {level.peak:8.3f}  {level.bright:8.3f} {level.median:8.4f}  "
            f"{level.log_average:8.4f}  {level.dynamic_range:6.2f}  {100 * level.negative:6.2f} %"
        )
    if len(found.levels) > 1:
        typer.echo(f"flicker {found.flicker:.4f} (deviation over mean of the frames' means)")
