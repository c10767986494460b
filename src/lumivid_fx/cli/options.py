"""Options that several commands have, each declared once."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

import typer

COLOUR, MODEL, LOOK = "Colour", "Model", "Look"
SIZE, REPORT, QUEUE = "Memory and time", "Output", "Queue"

MAX_STOPS = 20.0
"""Largest exposure either way; half float spans 40 stops in all."""

GB = 1_000_000_000
"""Bytes that sizes on the command line are counted in."""

Source = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        help="Movie, image sequence such as plate.####.exr, single image, or folder.",
    ),
]
Target = Annotated[
    str,
    typer.Argument(metavar="OUTPUT", help="Frames to write, as out/plate.####.exr, or folder."),
]
Frames = Annotated[
    str | None,
    typer.Option(
        "--frames", "--range", help="Frames to render, as 1001-1049 or 1-100x2; all if not said."
    ),
]

Plates = Annotated[
    str,
    typer.Argument(
        metavar="PLATES", help="Finished scene-linear frames, such as hdr.####.exr, or a folder."
    ),
]
PlateFrames = Annotated[
    str | None,
    typer.Option("--frames", help="Frames of PLATES, as 1001-1049; all if not said."),
]
PlateSpace = Annotated[
    str | None,
    typer.Option(
        "--input-space",
        help="Scene-linear space of PLATES; as they say if not said.",
        rich_help_panel=COLOUR,
    ),
]

InputSpace = Annotated[
    str | None,
    typer.Option(help="Colour space of INPUT; guessed if not said.", rich_help_panel=COLOUR),
]
OutputSpace = Annotated[
    str, typer.Option(help="Scene-linear space to write.", rich_help_panel=COLOUR)
]
SourceView = Annotated[
    str | None,
    typer.Option(
        help="SDR view INPUT was made with: srgb, rec709, gamma22, hable or Display/View.",
        rich_help_panel=COLOUR,
    ),
]
Ocio = Annotated[Path | None, typer.Option(help="A studio's config.ocio.", rich_help_panel=COLOUR)]

Model = Annotated[
    str | None,
    typer.Option(
        help="Name of `lumivid models`, or folder with a slash; the embedded one if not said.",
        rich_help_panel=MODEL,
    ),
]
Lora = Annotated[
    Path | None,
    typer.Option(help="HDR LoRA in place of the model's own.", rich_help_panel=MODEL),
]
LoraStrength = Annotated[
    float, typer.Option(help="1 as trained, 0 none, at most 2.", rich_help_panel=MODEL)
]

Seed = Annotated[int, typer.Option(help="Of the noise.", rich_help_panel=LOOK)]
Steps = Annotated[
    int | None,
    typer.Option(help="Sampler steps a stage; the model's own if not said.", rich_help_panel=LOOK),
]
Detail = Annotated[
    float,
    typer.Option(
        help="1 keeps the plate's well-exposed pixels, 0 is the model alone.",
        rich_help_panel=LOOK,
    ),
]
ReferenceStrength = Annotated[
    float, typer.Option(help="1 holds on to the plate, 0 lets go of it.", rich_help_panel=LOOK)
]
Schedule = Annotated[
    Literal["8+2", "8+3"] | None,
    typer.Option(
        help="LTX's own sampler steps: 8+2 as its HDR pipeline, 8+3 as the paper.",
        rich_help_panel=LOOK,
    ),
]
HighQuality = Annotated[
    bool,
    typer.Option(
        "--high-quality",
        help="Show the model every frame twice: twice the time, less flicker.",
        rich_help_panel=LOOK,
    ),
]
Mask = Annotated[
    Path | None,
    typer.Option(
        help="Image or sequence that limits the model: 0 keeps the plate, 1 lets it speak.",
        rich_help_panel=LOOK,
    ),
]
Exposure = Annotated[float, typer.Option(help="Stops added to the result.", rich_help_panel=LOOK)]
Fps = Annotated[
    float | None,
    typer.Option(help="Frames a second; the plate's if not said.", rich_help_panel=LOOK),
]

ModelSize = Annotated[
    int | None,
    typer.Option(
        help="Longest side the model sees, pixels; 0 is the plate's own.", rich_help_panel=SIZE
    ),
]
Memory = Annotated[
    Literal["auto", "resident", "fp8", "offload", "stream"],
    typer.Option(
        help="How weights are held on a GPU: auto plans it; see `lumivid plan`.",
        rich_help_panel=SIZE,
    ),
]
Compile = Annotated[
    bool,
    typer.Option(
        "--compile",
        help="Compile the transformer on a GPU: minutes of warm-up, for shots of many windows.",
        rich_help_panel=SIZE,
    ),
]
Tile = Annotated[
    int | None,
    typer.Option(help="Edge of a tile in latents; one tile if not said.", rich_help_panel=SIZE),
]
Tilers = Annotated[
    Literal["seamless", "reference"],
    typer.Option(help="reference: tile as LTX's own code does.", rich_help_panel=SIZE),
]
Window = Annotated[
    int | None,
    typer.Option(help="Frames rendered at once, 8k+1.", rich_help_panel=SIZE),
]
Overlap = Annotated[
    int | None,
    typer.Option(
        help="Frames two windows share, 8k+1, at most half a window.", rich_help_panel=SIZE
    ),
]

Compression = Annotated[
    str, typer.Option(help="zip, zips, piz, dwaa, dwab or none.", rich_help_panel=REPORT)
]
Generated = Annotated[
    bool,
    typer.Option(
        "--generated",
        help="Add the channel lumivid.generated: 0 the plate's own pixel, 1 the model's.",
        rich_help_panel=REPORT,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Render again what is there.", rich_help_panel=REPORT),
]
JsonLines = Annotated[
    bool,
    typer.Option("--json", help="One JSON line a frame, and a summary.", rich_help_panel=REPORT),
]

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
JobId = Annotated[
    str, typer.Argument(metavar="JOB", help="Its id, or as many of its first characters as differ.")
]


def numbers(option: str, text: str) -> list[float]:
    """Read numbers separated by commas, each within 20 stops of none.

    Raises:
        InputError: One is no such number.
    """
    from lumivid_fx.errors import InputError

    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = [math.nan]
    if not all(abs(number) <= MAX_STOPS for number in found):
        raise InputError(
            f"{option} {text!r} cannot be read; give stops from -{MAX_STOPS:g} to {MAX_STOPS:g} "
            "separated by commas, as -2,0,2"
        )
    return found
