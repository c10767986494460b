"""A model that stays loaded from task to task of a session, as those see it who ask for windows.

``lumivid farm hold`` starts :mod:`lumivid_fx.farm.model_process` apart from itself, and returns
once the model is loaded. Tasks ask it over a socket in the session's own folder, which none but its
user may enter: JSON, one message a line. A task that goes away takes its window along; a folder
that goes away, as a session's does at its end, takes the process along.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumivid_fx.errors import InputError, RenderError

if TYPE_CHECKING:
    from lumivid_fx.pipeline.shot_windows import Step

SOCKET, LOG = "lumivid-model.sock", "lumivid-model.log"
"""Names in the session's folder."""

_MAX_LINE = 64 * 1024


def hold(plan: Path, folder: Path, device: str, rules: Path | None) -> str:
    """Start a process that holds a plan's model, and wait until it does.

    Args:
        plan: The plan.
        folder: The session's own.
        device: ``auto``, ``cpu`` or ``cuda``.
        rules: The session's path mapping rules.

    Returns:
        What it runs on.

    Raises:
        InputError: It could not be started; the sentence is the process's own.
    """
    listening, ready = os.pipe()
    # -P: a plate's folder, where this may be called, is no place to import from.
    here = [sys.executable, "-P", "-m", "lumivid_fx.farm.model_process"]
    with (folder / LOG).open("ab") as log, os.fdopen(listening, "rb") as told:
        process = subprocess.Popen(
            [*here, str(plan), str(folder), device, str(rules or ""), str(ready)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[ready],
            start_new_session=True,
        )
        os.close(ready)
        try:
            said = json.loads(told.read(_MAX_LINE) or b"{}")
        except BaseException:
            process.kill()
            raise
    if "ready" not in said:
        process.wait()
        raise InputError(
            said.get("error") or f"the process with the model ended before it was ready; see {LOG}"
        )
    process.returncode = 0  # it is left to itself: nobody here waits for it
    return str(said["ready"])


def let_go(folder: Path) -> bool:
    """End the process that holds a model for this session; False where there is none."""
    with suppress(OSError), _connected(folder) as there:
        there.sendall(b'{"end": true}\n')
        while there.recv(4096):
            pass
        return True
    return False


def ask(folder: Path, plan: str, index: int, step: Step, *, overwrite: bool) -> str | None:
    """Have the held model render a window.

    Args:
        folder: The session's own.
        plan: SHA-256 of the plan's file.
        index: Of the window.
        step: Progress; what it raises stops the window.
        overwrite: Render it though it is there.

    Returns:
        ``rendered`` or ``kept``; None where nobody holds this plan's model, or no more.

    Raises:
        LumividError: The window failed, as :func:`lumivid_fx.farm.window_task.render_window`.
    """
    with suppress(OSError), _connected(folder) as there:
        question = {"plan": plan, "index": index, "overwrite": overwrite}
        there.sendall(json.dumps(question).encode() + b"\n")
        for said in messages(there):
            if "error" in said:
                raise (InputError if said.get("exit_code") == 2 else RenderError)(said["error"])
            if "how" in said:
                return str(said["how"])
            if "phase" not in said:  # another plan's
                return None
            step(said["phase"], said["done"], said["steps"])
    return None


@contextmanager
def _connected(folder: Path) -> Iterator[socket.socket]:
    """A connection to the process that holds the model."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as there, short_name(folder) as short:
        there.connect(f"{short}/{SOCKET}")
        yield there


@contextmanager
def short_name(folder: Path) -> Iterator[str]:
    """A name of a folder that fits into a socket's address, which takes 107 bytes."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def messages(there: socket.socket) -> Iterator[dict[str, Any]]:
    """What comes, line by line, until the other end is gone."""
    with there.makefile("rb") as lines:
        while line := lines.readline(_MAX_LINE):
            yield json.loads(line)
