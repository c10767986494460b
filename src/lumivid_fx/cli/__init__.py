"""The command line: ``lumivid render`` and ``lumivid doctor``.

A room is imported when its command runs, so that ``--help`` waits for nothing.

render_command   the render command and its options
render_log       what a render tells while it runs: a bar, plain lines, or JSON
outcome          errors as one sentence and an exit code
doctor_command   the doctor command
"""

from __future__ import annotations

from typing import Annotated

import typer

from lumivid_fx import __version__
from lumivid_fx.cli.doctor_command import doctor
from lumivid_fx.cli.render_command import render

__all__ = ["app", "main"]

app = typer.Typer(
    name="lumivid",
    help="Scene-linear HDR plates from SDR footage, for compositing.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(render)
app.command()(doctor)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"lumivid-fx {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say which this is."),
    ] = False,
) -> None:
    """Scene-linear HDR plates from SDR footage, for compositing."""


def main() -> None:
    """Run the command line."""
    app(prog_name="lumivid")
