"""Options of a trim, which several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lumivid_fx.cli import options as o

if TYPE_CHECKING:
    from lumivid_fx.review.expose import Trimming

Stops = Annotated[
    float | None,
    typer.Option(
        "--stops", min=-o.MAX_STOPS, max=o.MAX_STOPS, help="Exposure.", rich_help_panel="Trim"
    ),
]
TrimFile = Annotated[
    Path | None,
    typer.Option(
        "--trim", help="CDL or CLF to apply: .cc, .ccc, .cdl, .clf.", rich_help_panel="Trim"
    ),
]
TrimSpace = Annotated[
    str | None,
    typer.Option(
        help="Space that --trim was made in, as acescct; an exposure needs none.",
        rich_help_panel="Trim",
    ),
]


def trimming(stops: float | None, file: Path | None, space: str | None) -> Trimming:
    """What the options ask for; no exposure where they ask for nothing.

    Raises:
        InputError: They ask for two trims, or the file is none.
    """
    from lumivid_fx.color.trim import exposure, read_trim
    from lumivid_fx.errors import InputError
    from lumivid_fx.review.expose import Trimming

    if stops is not None and file is not None:
        raise InputError("--stops and --trim are two trims; give one of them")
    if file is None:
        return Trimming(exposure(stops or 0.0))
    return Trimming(read_trim(file), space)
