"""``lumivid worker``: render for Nuke, scripts and other machines; say how it is; end it."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lumivid_fx.cli import worker_process
from lumivid_fx.cli.options import GB, AsJson
from lumivid_fx.cli.outcome import one_sentence
from lumivid_fx.cli.worker_status import status_as_json, status_in_words
from lumivid_fx.errors import InputError, LumividError, NotAdmittedError, WireError

if TYPE_CHECKING:
    from lumivid_fx.protocol.places import Connection
    from lumivid_fx.worker.server import WorkerSettings

STOP_S = 60.0
"""How long a worker may take to end: its runners are given two seconds each, then killed."""

_GPU = re.compile(r"\d{1,3}|(GPU|MIG)-[\w/-]{1,100}")
"""A GPU's number, or its name as ``nvidia-smi -L`` prints it."""

log = logging.getLogger(__name__)

worker = typer.Typer(name="worker")


@worker.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    *,
    root: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of plates and results, again for more; home and the current one if not "
            "said."
        ),
    ] = None,
    listen: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 lets other machines reach it.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen at; 0 takes any that is free.")
    ] = 0,
    devices: Annotated[
        str, typer.Option(help="auto takes every GPU or else the CPU; or cpu, or 0,1.")
    ] = "auto",
    model: Annotated[
        str | None,
        typer.Option(help="Name of `lumivid models`, or folder; the embedded one if not said."),
    ] = None,
    cache_gb: Annotated[
        float, typer.Option(min=0, help="Finished frames that are kept for reuse; 0 for none.")
    ] = 20.0,
    metrics_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port of this machine for Prometheus to read."),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return once it listens; the log goes to a file.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --detach: print one JSON object.")
    ] = False,
) -> None:
    """Take jobs from Nuke, from scripts and from `lumivid submit`, and render them.

    Runs until Ctrl-C or `lumivid worker stop`. What was not finished goes on at the next start.
    """
    if context.invoked_subcommand is not None:
        return
    with one_sentence(as_json=as_json, interrupted=lambda: "the worker was not started"):
        from lumivid_fx.protocol.places import Places, runs_workers

        if not runs_workers():
            raise InputError(
                "a worker runs on Linux alone; docs/worker.md says how this machine reaches one"
            )
        if find_spec("torch") is None:
            raise InputError(
                "a worker without torch can render nothing; install lumivid-fx[worker]"
            )
        from lumivid_fx.model.library import find_model
        from lumivid_fx.model.manifest import read_manifest
        from lumivid_fx.worker.roots import default_roots
        from lumivid_fx.worker.server import WorkerSettings

        folder = None if model is None else find_model(model).absolute()
        if folder is not None:
            read_manifest(folder)
        settings = WorkerSettings(
            places=Places.of(),
            roots=tuple(each.absolute() for each in root or default_roots()),
            listen=listen,
            port=port,
            devices=_devices(devices),
            model=folder,
            cache_bytes=round(cache_gb * GB),
            metrics_port=metrics_port,
        )
        if detach:
            _start_detached(settings, as_json=as_json)
        else:
            _serve(settings)


@worker.command()
def status(as_json: AsJson = False) -> None:
    """Say where the worker listens, what it renders on, and how that is.

    The exit code is 0 if it can render, 1 if it is starting or its devices are down, 4 if none
    answers.
    """
    with one_sentence(as_json=as_json, interrupted=lambda: "nothing was changed"):
        from lumivid_fx import client
        from lumivid_fx.protocol.places import Places, read_connection

        places = Places.of()
        alive = worker_process.running(places) is not None
        connection = read_connection(places.connection)
        if not alive and _is_loopback(
            connection.endpoint.removeprefix("tcp://").rpartition(":")[0]
        ):
            raise WireError(
                f"the worker (pid {connection.pid}) is gone without a word; start it again with "
                "`lumivid worker`, its jobs are kept"
            )
        with client.connect(places=places, name="lumivid worker status") as there:
            welcome = there.welcome
        up = time.time() - places.connection.stat().st_mtime if alive else None
        tell = status_as_json if as_json else status_in_words
        typer.echo(tell(welcome, connection, up))
        if not any(device.state in ("ready", "busy") for device in welcome.devices):
            raise typer.Exit(1)


@worker.command()
def stop(as_json: AsJson = False) -> None:
    """End the worker, and wait until it has ended; its jobs go on when it is started again."""
    with one_sentence(
        as_json=as_json, interrupted=lambda: "the worker was asked to end, and may still be there"
    ):
        from lumivid_fx import client
        from lumivid_fx.protocol.places import Places

        places = Places.of()
        connection = worker_process.running(places)
        if connection is None:
            _tell_stop(None, as_json=as_json)
            return
        pid = connection.pid
        # That the worker hangs up is what is wanted, and nothing to be warned of.
        logging.getLogger("lumivid_fx.client").addHandler(logging.NullHandler())
        try:
            with client.connect(places=places, name="lumivid worker stop") as there:
                there.stop()
        except NotAdmittedError:
            raise
        except WireError as error:
            # It may have been about to end on its own.
            if not worker_process.wait_until_gone(pid, 1):
                raise WireError(
                    f"the worker (pid {pid}) does not answer; end it with `kill {pid}`"
                ) from error
        if not worker_process.wait_until_gone(pid, STOP_S):
            raise WireError(
                f"the worker (pid {pid}) was asked to end and has not; end it with `kill -9 {pid}`"
            )
        _tell_stop(pid, as_json=as_json)


def _devices(text: str) -> tuple[str, ...]:
    """The devices that an option names."""
    from lumivid_fx.worker.server import find_devices

    if text == "auto":
        return find_devices()
    if text == "cpu":
        return ("cpu",)
    names = tuple(name.strip() for name in text.split(","))
    wrong = [name for name in names if not _GPU.fullmatch(name)]
    if wrong or len(set(names)) < len(names):
        raise InputError(
            f"devices are {text!r}; give auto, cpu, or each GPU's number once, such as 0,1"
        )
    return names


def _serve(settings: WorkerSettings) -> None:
    """Run a worker in this process; on a terminal a person is told in words too."""
    from lumivid_fx.worker.log import log_json_lines
    from lumivid_fx.worker.server import new_boot, serve

    person = sys.stderr.isatty()

    def on_ready(connection: Connection) -> None:
        if person:
            listens = f"lumivid worker listens at {connection.endpoint}"
            typer.secho(f"{listens}; its log follows as JSON lines", err=True, bold=True)

    boot = new_boot()
    log_json_lines(boot)
    if warning := _exposed(settings.listen):
        log.warning("%s", warning)
    try:
        serve(settings, boot, on_ready)
    except LumividError as error:
        if person:
            raise
        log.critical("%s", error)
        raise typer.Exit(error.exit_code) from error
    except Exception as error:
        log.critical("the worker stopped (%s: %s)", type(error).__name__, error, exc_info=True)
        raise typer.Exit(1) from error


def _start_detached(settings: WorkerSettings, *, as_json: bool) -> None:
    if warning := _exposed(settings.listen):
        typer.secho(f"Warning: {warning}", fg="yellow", err=True)
    connection = worker_process.start_detached(_as_options(settings), settings.places)
    file = worker_process.log_file(settings.places)
    if as_json:
        told = {
            "endpoint": connection.endpoint,
            "pid": connection.pid,
            "boot": connection.boot,
            "log": str(file),
        }
        typer.echo(json.dumps(told))
    else:
        typer.echo(f"worker listens at {connection.endpoint} (pid {connection.pid}), log in {file}")


def _as_options(settings: WorkerSettings) -> list[str]:
    """The options that give these settings, defaults spelt out."""
    options = [part for root in settings.roots for part in ("--root", str(root))]
    options += ["--listen", settings.listen, "--port", str(settings.port)]
    options += ["--devices", ",".join(settings.devices)]
    options += ["--cache-gb", repr(settings.cache_bytes / GB)]
    if settings.model is not None:
        options += ["--model", str(settings.model)]
    if settings.metrics_port is not None:
        options += ["--metrics-port", str(settings.metrics_port)]
    return options


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:  # the name of a machine, or of a network interface
        return False


def _exposed(listen: str) -> str:
    """What to say about an address that other machines may reach, or nothing."""
    if _is_loopback(listen):
        return ""
    return (
        f"other machines may reach this worker at {listen}; it lets in this user's key and those "
        "that `lumivid keys admit` has named, and nobody else"
    )


def _tell_stop(pid: int | None, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"stopped": pid is not None, "pid": pid}))
    elif pid is None:
        typer.echo("no worker is running")
    else:
        typer.echo(f"the worker (pid {pid}) has ended; its jobs go on when it is started again")
