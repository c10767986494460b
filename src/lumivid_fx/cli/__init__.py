"""The command line: renders, the worker, its jobs and its cache, keys, and what is missing.

A room is imported when its command runs, so that ``--help`` waits for nothing.

render_command   the render command and its options
preview_command  the preview command
review_command   the review command
sheet_command    the sheet command
scope_command    the scope command
qc_command       the qc command
trim_command     the expose command and the trim commands
trim_options     options of a trim
deliver_command  the deliver command
render_log       what a render tells while it runs: a bar, plain lines, or JSON
outcome          errors as one sentence and an exit code
window_command   the window and stitch commands
window_log       what a farm's task tells
farm_command     the farm commands
worker_command   the worker commands
worker_process   the worker's process: whether it lives, starting it apart
submit_command   the submit command
jobs_command     jobs, watch, attach, cancel
worker_render    a render at the worker, from the request to the summary
worker_log       what a watched job tells
worker_status    how a worker is, in words and as JSON
request          options of a render as a request to the worker
cache_command    the cache commands
keys_command     the keys commands
models_command   the models commands
nuke_command     the nuke commands
ocio_command     the ocio commands
train_command    the train commands
doctor_command   the doctor command
evaluate_command the evaluate commands
options          options that several commands have
phase_bar        what is being done: a bar, or plain lines
"""

from __future__ import annotations

from typing import Annotated

import typer

from lumivid_fx import __version__
from lumivid_fx.cli.cache_command import cache
from lumivid_fx.cli.deliver_command import deliver
from lumivid_fx.cli.doctor_command import doctor
from lumivid_fx.cli.evaluate_command import evaluate
from lumivid_fx.cli.farm_command import farm
from lumivid_fx.cli.jobs_command import attach, cancel, jobs, watch
from lumivid_fx.cli.keys_command import keys
from lumivid_fx.cli.models_command import models
from lumivid_fx.cli.nuke_command import nuke
from lumivid_fx.cli.ocio_command import ocio
from lumivid_fx.cli.plan_command import plan
from lumivid_fx.cli.preview_command import preview
from lumivid_fx.cli.qc_command import qc
from lumivid_fx.cli.render_command import render
from lumivid_fx.cli.review_command import review
from lumivid_fx.cli.scope_command import scope
from lumivid_fx.cli.sheet_command import sheet
from lumivid_fx.cli.submit_command import submit
from lumivid_fx.cli.train_command import train
from lumivid_fx.cli.trim_command import expose, trim
from lumivid_fx.cli.window_command import stitch, window
from lumivid_fx.cli.worker_command import worker

__all__ = ["app", "main"]

app = typer.Typer(
    name="lumivid",
    help="Scene-linear HDR plates from SDR footage, for compositing.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(render)
for _look in (preview, plan, review, sheet, scope, qc, expose, deliver):
    app.command()(_look)
for _command in (submit, jobs, watch, attach, cancel, window, stitch):
    app.command()(_command)
for _group in (trim, worker, farm, models, cache, keys, nuke, ocio, train, evaluate):
    app.add_typer(_group)
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
