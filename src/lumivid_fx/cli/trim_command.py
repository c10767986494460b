"""``lumivid expose`` and ``lumivid trim``: plates re-exposed, and trims to and from other hands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lumivid_fx.cli import options as o
from lumivid_fx.cli import trim_options as t
from lumivid_fx.cli.outcome import one_sentence
from lumivid_fx.cli.phase_bar import PhaseBar

if TYPE_CHECKING:
    from lumivid_fx.color.trim import Trim

trim = typer.Typer(
    name="trim",
    help="Exposures as CDL, CLF and viewing LUTs.",
    no_args_is_help=True,
)

_Exposure = Annotated[
    float, typer.Option("--stops", min=-o.MAX_STOPS, max=o.MAX_STOPS, help="Exposure.")
]


def expose(
    *,
    source: o.Plates,
    target: o.Target,
    stops: t.Stops = None,
    file: t.TrimFile = None,
    trim_space: t.TrimSpace = None,
    frames: o.PlateFrames = None,
    input_space: o.PlateSpace = None,
    ocio: o.Ocio = None,
    compression: o.Compression = "zip",
    overwrite: o.Overwrite = False,
    as_json: o.AsJson = False,
) -> None:
    """Write plates re-exposed: scene-linear light times 2 to the power of the stops."""
    with one_sentence(as_json=as_json, interrupted=lambda: "frames that were finished stay"):
        from lumivid_fx.color.spaces import ColorSpaces
        from lumivid_fx.errors import InputError
        from lumivid_fx.media import open_plate
        from lumivid_fx.review.expose import write_exposed

        if stops is None and file is None:
            raise InputError("nothing was asked for; give --stops, or --trim with a file")
        trimming = t.trimming(stops, file, trim_space)
        bar = PhaseBar("writing frames", quiet=as_json)
        with open_plate(source, frames) as plate, bar:
            written = write_exposed(
                plate,
                target,
                trimming,
                ColorSpaces(None if ocio is None else str(ocio)),
                space=input_space,
                compression=compression,
                overwrite=overwrite,
                on_frame=bar.frames,
            )
        if as_json:
            told = {
                "frames": list(map(str, written.files)),
                "kept": written.kept,
                "clamped": written.clamped,
            }
            typer.echo(json.dumps(told))
            return
        typer.echo(
            f"{len(written.files)} frames, {trimming.trim.name}, from {written.files[0]} to "
            f"{written.files[-1]}; {written.kept} kept from before"
        )
        typer.echo(f"samples beyond half float, clamped: {written.clamped}")


@trim.command("export")
def export(
    *,
    target: Annotated[
        Path, typer.Argument(metavar="FILE", help="As shot.cdl, .ccc, .cc, .clf or .ctf.")
    ],
    stops: _Exposure,
    as_json: o.AsJson = False,
) -> None:
    """Write an exposure as ASC CDL or CLF: slope 2^stops on scene-linear light."""
    with one_sentence(as_json=as_json, interrupted=lambda: f"{target} was not written"):
        from lumivid_fx.color.trim import trim_text
        from lumivid_fx.media.whole_file import whole_file

        text = trim_text(stops, target.suffix)
        with whole_file(target, str(target)) as beside:
            beside.write_text(text, "utf-8")
        if as_json:
            typer.echo(json.dumps({"trim": str(target), "slope": 2.0**stops}))
        else:
            typer.echo(f"{target} is written, slope {2.0**stops:g} on scene-linear light.")


@trim.command("import")
def read(
    *,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A CDL or CLF.")],
    as_json: o.AsJson = False,
) -> None:
    """Say what a CDL or CLF does, and how `lumivid expose --trim` takes it."""
    with one_sentence(as_json=as_json, interrupted=lambda: "nothing was done"):
        from lumivid_fx.color.trim import read_trim

        found = read_trim(source)
        if as_json:
            told = {"trim": str(source), "gain": found.gain, "stops": found.stops}
            typer.echo(json.dumps(told))
        else:
            typer.echo(_what_it_does(found, source))


def _what_it_does(found: Trim, source: Path) -> str:
    if found.stops is not None:
        return (
            f"{source} is an exposure of {found.stops:+.4g} stops on scene-linear light: "
            f"lumivid expose PLATES OUT --trim {source}"
        )
    does = "does more than multiply"
    if found.gain is not None:
        does = "multiplies red, green and blue by {:.5g}, {:.5g} and {:.5g}".format(*found.gain)
    return (
        f"{source} {does}, in the space it was made in; name that: lumivid expose PLATES OUT "
        f"--trim {source} --trim-space acescct"
    )


@trim.command("bake")
def bake(
    *,
    target: Annotated[Path, typer.Argument(metavar="CUBE", help="3D LUT to write, as look.cube.")],
    stops: _Exposure = 0.0,
    view: Annotated[str, typer.Option(help="SDR view that is shown.")] = "srgb",
    fed: Annotated[
        str,
        typer.Option("--input-space", help="Log space the box is fed: logc3_rec709, acescct ..."),
    ] = "logc3_rec709",
    size: Annotated[int, typer.Option(min=9, max=129, help="Samples along an edge.")] = 65,
    ocio: o.Ocio = None,
    as_json: o.AsJson = False,
) -> None:
    """Bake an exposure and a view as a .cube for a viewing box; say how far it is off."""
    with one_sentence(as_json=as_json, interrupted=lambda: f"{target} was not written"):
        from lumivid_fx.color.spaces import ColorSpaces
        from lumivid_fx.color.trim import cube_error, cube_text, exposure
        from lumivid_fx.errors import InputError
        from lumivid_fx.media.whole_file import whole_file

        if target.suffix.lower() != ".cube":
            raise InputError(
                f"{target} does not end in .cube, which is what is written; name it so"
            )
        spaces, wanted = ColorSpaces(None if ocio is None else str(ocio)), exposure(stops)
        text = cube_text(spaces, wanted, view, input_space=fed, size=size)
        with whole_file(target, str(target)) as beside:
            beside.write_text(text, "utf-8")
        error = cube_error(target, spaces, wanted, view, input_space=fed)
        if as_json:
            told = {"lut": str(target), "input": spaces.resolve(fed), "error": error._asdict()}
            typer.echo(json.dumps(told))
            return
        typer.echo(f"{target} is written: feed it codes of {spaces.resolve(fed)}, it shows {view}.")
        greys, colours, worst = (255 * part for part in error)
        typer.echo(
            f"off by at most {greys:.2f} of 255 in greys, {colours:.2f} in colours on average, "
            f"{worst:.1f} in one of a thousand of them, where the view clips"
        )
