"""``lumivid preview``: a movie of a render, for people without a compositing package."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

import typer

from lumivid_fx.cli import options as o
from lumivid_fx.cli.outcome import one_sentence
from lumivid_fx.cli.phase_bar import PhaseBar


def preview(
    *,
    source: Annotated[
        str, typer.Argument(metavar="FRAMES", help="Scene-linear frames, such as hdr.####.exr.")
    ],
    target: Annotated[Path, typer.Argument(metavar="MOVIE", help="Movie to write, as look.mp4.")],
    kind: Annotated[
        Literal["sdr", "hlg", "pq"],
        typer.Option("--as", help="SDR in H.264, or HDR in 10-bit HEVC."),
    ] = "sdr",
    frames: o.Frames = None,
    exposure: Annotated[
        float, typer.Option(min=-20, max=20, help="Stops added.", rich_help_panel=o.COLOUR)
    ] = 0.0,
    view: Annotated[
        str, typer.Option(help="SDR view that an SDR movie shows.", rich_help_panel=o.COLOUR)
    ] = "srgb",
    input_space: Annotated[
        str | None,
        typer.Option(
            help="Scene-linear space of FRAMES; as they say if not said.", rich_help_panel=o.COLOUR
        ),
    ] = None,
    ocio: o.Ocio = None,
    fps: o.Fps = None,
    as_json: o.AsJson = False,
) -> None:
    """Write a preview movie of scene-linear frames: SDR, HLG or PQ, tagged as what it is."""
    with one_sentence(as_json=as_json, interrupted=lambda: f"{target} was not written"):
        from lumivid_fx.color.spaces import ColorSpaces
        from lumivid_fx.media import open_plate
        from lumivid_fx.media.preview_movie import write_preview_movie

        bar = PhaseBar("writing the movie", quiet=as_json)
        with open_plate(source, frames) as plate, bar:
            levels = write_preview_movie(
                target,
                plate,
                kind,
                ColorSpaces(None if ocio is None else str(ocio)),
                space=input_space,
                stops=exposure,
                view=view,
                fps=None if fps is None else Fraction(fps).limit_denominator(1001),
                on_frame=bar.frames,
            )
        _tell(target, None if levels is None else levels.whole, as_json=as_json)


def _tell(target: Path, levels: tuple[int, int] | None, *, as_json: bool) -> None:
    if as_json:
        most, average = levels or (None, None)
        typer.echo(json.dumps({"movie": str(target), "max_cll": most, "max_fall": average}))
    elif levels is None:
        typer.echo(f"{target} is written.")
    else:
        typer.echo(f"{target} is written, MaxCLL {levels[0]} and MaxFALL {levels[1]} cd/m2.")
