"""A node's render for a farm: its plan and its job bundle, in a folder; nothing is rendered here.

The plate is planned as a render in the background plans it, temporary Write included, and the node
shows the farm's frames as they come. A plate that Nuke wrote stays, for the farm reads it:

    <cache_dir>/farm/<job>/    request.msgpack, plan.json, windows, bundle
    <cache_dir>/plates/<job>/  the plate, if Nuke wrote it

Planning hashes the plate and needs the libraries that render, so that ``lumivid`` does it, in a
process of its own.
"""

from __future__ import annotations

import logging
import os
import subprocess
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from lumivid_fx.errors import InputError, LumividError
from lumivid_fx.protocol.wire import pack_request
from lumivid_nuke import callbacks, connection, host, node, plan, results, submission

if TYPE_CHECKING:
    import nuke

    from lumivid_fx.protocol.messages import Request

log = logging.getLogger(__name__)

FARM, REQUEST, BUNDLE = "farm", "request.msgpack", "bundle"


def send(here: nuke.Node, folder: str | os.PathLike[str] | None = None) -> Path:
    """Write plan and bundle of a node, and tell the ``on_farm`` callbacks where they lie.

    In the GUI it returns at once, and the node tells the end; in ``nuke -t`` it waits.

    Args:
        here: A LumiVid.
        folder: Where to; None is ``farm`` in the node's cache.

    Returns:
        The folder.

    Raises:
        LumividError: It cannot be done as asked.
    """
    node.require_idle(here)
    job = uuid4().hex
    planned = plan.plan_render(here, job)
    place = results.cache_dir(here) / FARM / job if folder is None else Path(folder).absolute()
    try:
        key = planned.key()
        request = submission.settle(here, planned, key, missing=False)
        _write_request(request, place)
        command = [*connection.lumivid_command(), "farm", "bundle", "--", *_paths(place)]
    except Exception:
        planned.clean_up()
        raise
    name = here.fullName()
    node.tell(here, "planning for the farm", node.BUSY)

    def work() -> None:
        failed: Exception | None = None
        try:
            _run(command)
        except (LumividError, OSError) as error:
            planned.clean_up()
            failed = error
        host.in_main(partial(_end, name, place, key, planned.state, failed))

    if host.has_gui():
        threading.Thread(target=work, name=f"lumivid-farm-{job[:8]}", daemon=True).start()
    else:
        work()
    return place


def _paths(place: Path) -> list[str]:
    return [str(place / REQUEST), str(place)]


def _write_request(request: Request, place: Path) -> None:
    """Leave the request where ``lumivid`` reads it: by a file, no word of it on a command line."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        (place / REQUEST).write_bytes(pack_request(request))
    except OSError as error:
        raise InputError(
            f"{place} cannot be written ({error.strerror}); choose another folder"
        ) from error


def _run(command: list[str]) -> None:
    """Have ``lumivid`` plan.

    Raises:
        LumividError: It did not; the sentence is its own.
    """
    ended = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env=connection.environment(),
        cwd=Path.home(),
    )
    if ended.returncode != 0:
        said = (ended.stderr.strip() or ended.stdout.strip() or "it said nothing").splitlines()
        raise LumividError(said[-1].removeprefix("Error: "))


def _end(name: str, place: Path, key: str, state: str, failed: Exception | None) -> None:
    """Show the result that is to come, and tell; on the main thread."""
    here = host.by_name(name)
    if failed is not None:
        if here is not None:
            node.tell_error(here, failed)
        if not host.has_gui():
            raise failed
        return
    if here is not None:
        with host.one_undo("Send to farm"):
            here["result_key"].setValue(key)
            here["sent_hash"].setValue(state)
        node.tell(here, f"for the farm: {place / BUNDLE}", node.CALM)
    host.say(f"{name}: the job bundle lies in {place / BUNDLE}")
    callbacks.on_farm(here, place)
