"""The worker that a node's jobs go to: found, connected to once, and started if that is allowed.

No Nuke here: all of it runs on whatever thread waits for it.
"""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import subprocess
import threading
from collections.abc import Iterable
from pathlib import Path

from lumivid_fx import client
from lumivid_fx.errors import LumividError, NotAdmittedError, WireError
from lumivid_fx.protocol.places import HOME, Places, runs_workers

log = logging.getLogger(__name__)

COMMAND = "LUMIVID_COMMAND"
"""Environment variable: how ``lumivid`` is started on this machine, where PATH does not say."""

COMMAND_FILE = Path(__file__).parents[1] / "lumivid_command.txt"
"""The same as the installer noted it."""

ROOTS = "LUMIVID_ROOTS"
"""Environment variable: folders that a worker started from here works in, as PATH separates."""

START_S = 180.0
"""How long a worker may take to start: Python on a cold disk, no model."""

_NOT_OURS = ("PYTHONHOME", "PYTHONPATH")
"""What Nuke says to its own Python, and another must not hear."""

_lock = threading.Lock()
_workers: dict[str, client.Worker] = {}


def reach(endpoint: str, name: str, *, start: bool, roots: Iterable[Path]) -> client.Worker:
    """The worker of a folder of keys and addresses, connected.

    Args:
        endpoint: That folder, as ``LUMIVID_HOME`` says it; empty for this user's.
        name: What we are, for the worker's log.
        start: Whether to start one if none runs.
        roots: Folders that it must be allowed to work in, if it is started.

    Raises:
        WireError: None runs, and none may be started; or it does not answer.
        LumividError: It could not be started.
    """
    with _lock:
        worker = _workers.get(endpoint)
        if worker is not None and worker.connected:
            return worker
        found = _connect(endpoint, name, start=start, roots=roots)
        if worker is None:
            worker = _workers[endpoint] = found
        else:
            found.close()  # jobs hang on the first connection, which comes again by itself
        return worker


def let_go() -> None:
    """End every connection; jobs go on."""
    with _lock:
        for worker in _workers.values():
            worker.close()
        _workers.clear()


def start_worker(endpoint: str, roots: Iterable[Path] = ()) -> None:
    """Start a worker in a session of its own, and wait until it listens.

    Raises:
        LumividError: It could not be started.
    """
    environ = environment()
    if endpoint:
        environ[HOME] = endpoint
    told = [Path(each) for each in os.environ.get(ROOTS, "").split(os.pathsep) if each]
    folders = told or [Path.home(), *roots]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    options = [part for folder in dict.fromkeys(folders) for part in ("--root", str(folder))]
    command = [*lumivid_command(), "worker", "--detach", *options]
    log.info("starting a worker: %s", shlex.join(command))
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=START_S,
            check=False,
            env=environ,
            cwd=Path.home(),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LumividError(
            f"a worker could not be started by {shlex.join(command[:-1])!r} ({error}); start it in "
            "a terminal with `lumivid worker`"
        ) from error
    if ended.returncode != 0:
        said = (ended.stderr.strip() or ended.stdout.strip() or "it said nothing").splitlines()
        raise LumividError(f"a worker could not be started: {said[-1]}")


def environment() -> dict[str, str]:
    """The environment in which another Python than Nuke's is started."""
    return {name: value for name, value in os.environ.items() if name not in _NOT_OURS}


def lumivid_command() -> list[str]:
    """How ``lumivid`` is started on this machine.

    Raises:
        LumividError: Nobody says how.
    """
    if os.environ.get(COMMAND):
        return shlex.split(os.environ[COMMAND])
    if COMMAND_FILE.is_file():
        noted = COMMAND_FILE.read_text(encoding="utf-8").strip()
        if Path(noted).is_file():  # the folder may have been installed from another machine
            return [noted]
    found = shutil.which("lumivid")
    if found is None:
        raise LumividError(
            "no worker runs, and `lumivid` is not on PATH to start one; start it in a terminal "
            f"with `lumivid worker`, or set {COMMAND}"
        )
    return [found]


def _connect(endpoint: str, name: str, *, start: bool, roots: Iterable[Path]) -> client.Worker:
    places = Places.of({**os.environ, HOME: endpoint} if endpoint else os.environ)
    try:
        return client.connect(places=places, name=name)
    except NotAdmittedError:
        raise
    except WireError as error:
        if not runs_workers():
            raise
        if not start:
            raise WireError(f"{error}, or tick 'start a worker' in the node") from error
    start_worker(endpoint, roots)
    return client.connect(places=places, name=name)
