"""The worker's process as the command line sees it: whether it lives, and starting it apart.

A worker that was killed leaves its address behind, and its process number may belong to somebody
else by now; so both are held against each other before anything is said about them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lumivid_fx.errors import LumividError, WireError

if TYPE_CHECKING:
    from lumivid_fx.protocol.places import Connection, Places

LOG_NAME = "worker.log"
"""The log of a detached worker, in the folder of its state."""

MAX_LOG_BYTES = 50_000_000
"""A larger log becomes ``worker.log.1`` at the next start, in place of the one before."""

START_S = 120.0
"""How long a detached worker may take until it answers: Python on a cold disk, no model."""

_SETTLE_S = 2.0
"""A clock that is set, and files' coarse times, put a process off by no more than this."""


def log_file(places: Places) -> Path:
    """Where a detached worker logs."""
    return places.state / LOG_NAME


def running(places: Places) -> Connection | None:
    """What is known of the worker whose process lives; None where none does.

    Raises:
        WireError: The file that tells is damaged.
    """
    from lumivid_fx.protocol.places import read_connection

    try:
        written = places.connection.stat().st_mtime
    except FileNotFoundError:
        return None
    connection = read_connection(places.connection)
    began = _began(connection.pid)
    # A process that is younger than the file has only inherited the number.
    return None if began is None or began > written + _SETTLE_S else connection


def wait_until_gone(pid: int, seconds: float) -> bool:
    """Wait for a process to end; whether it has."""
    deadline = time.monotonic() + seconds
    while _began(pid) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def start_detached(options: Sequence[str], places: Places) -> Connection:
    """Start ``lumivid worker`` in a session of its own, and wait until it listens.

    Args:
        options: Of the worker.
        places: Where it keeps its state and log.

    Raises:
        LumividError: It ended; the message is the last of its log.
        WireError: It lives, and does not answer.
    """
    from lumivid_fx.protocol.places import private_folder, read_connection

    private_folder(places.state)
    log = log_file(places)
    if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
        log.replace(log.with_name(f"{LOG_NAME}.1"))
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        # -P: a plate's folder, where this may be called, is no place to import from.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "lumivid_fx.cli", "worker", *options],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        status = process.poll()
        if status is not None:
            error = LumividError(_last_words(log))
            error.exit_code = max(1, status)
            raise error
        with suppress(WireError):
            connection = read_connection(places.connection)
            if connection.pid == process.pid:
                return connection
        time.sleep(0.05)
    raise WireError(
        f"the worker (pid {process.pid}) was started and does not answer; see {log}, and end it "
        f"with `kill {process.pid}`"
    )


def _began(pid: int) -> float | None:
    """When a process began, in seconds since 1970; None if it is gone, or dead and not buried."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # proc(5): the name, in brackets, may hold anything; then the state is field 3 and the start,
    # in clock ticks since boot, field 22.
    fields = text.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.time() - age


def _last_words(log: Path) -> str:
    """What the last line of a log says."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() or ["it said nothing"]
    with suppress(ValueError, TypeError, KeyError):
        return str(json.loads(lines[-1])["message"])
    return f"the worker ended at once ({lines[-1].strip()}); see {log}"
