"""A request to a plan and its job bundle, in one folder: what the node and scripts call.

FOLDER/plan.json   the plan
FOLDER/windows/    window files, once they are rendered
FOLDER/bundle/     the Open Job Description job bundle

>>> from lumivid_fx.client.requests import make_request
>>> request = make_request("/show/plate.####.exr", "/show/hdr.####.exr")
>>> prepare(request, Path("/show/farm/sh010"))  # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path

from lumivid_fx.errors import InputError
from lumivid_fx.farm.job_bundle import wants_gpu, write_bundle
from lumivid_fx.farm.plan_file import Plan, write_plan
from lumivid_fx.farm.planning import OnFile, make_plan
from lumivid_fx.protocol.messages import Request
from lumivid_fx.protocol.wire import RefusedError
from lumivid_fx.protocol.wire import read_request as unpacked

PLAN, WINDOWS, BUNDLE = "plan.json", "windows", "bundle"

MAX_REQUEST = 1024 * 1024
"""Bytes of a request; the longest has a few paths of 4 KiB."""


def prepare(
    request: Request, folder: Path, *, gpu: bool | None = None, on_file: OnFile = lambda *_: None
) -> Plan:
    """Plan a request, and write its bundle.

    Args:
        request: What is to be rendered, from files to files.
        folder: Gets all of it; made if missing.
        gpu: Whether windows need a GPU; None is unless the model is the embedded one.
        on_file: Progress of hashing the plate; raise to stop.

    Raises:
        InputError: It cannot be done as asked.
    """
    folder = folder.absolute()
    plan = make_plan(request, folder / WINDOWS, on_file)
    write_plan(folder / PLAN, plan)
    needs = wants_gpu(plan) if gpu is None else gpu
    write_bundle(plan, folder / PLAN, folder / BUNDLE, gpu=needs)
    return plan


def read_request(path: Path) -> Request:
    """Read a request from a file, packed as it is for a worker.

    Raises:
        InputError: It is none.
    """
    try:
        with path.open("rb") as file:
            return unpacked(file.read(MAX_REQUEST))
    except (OSError, RefusedError) as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(f"{path} is no request ({why}); send it from the node again") from error
