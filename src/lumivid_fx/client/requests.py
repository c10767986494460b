"""What callers say of a render, made into a request."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Literal, TypedDict
from uuid import uuid4

from lumivid_fx.client.worker_paths import StrPath, worker_path
from lumivid_fx.errors import InputError
from lumivid_fx.protocol.messages import PathSource, PixelSource, Request, Settings
from lumivid_fx.protocol.wire import RefusedError, pack_request, read_request

if TYPE_CHECKING:
    from typing import Unpack  # Python 3.11's; annotations alone name it

_ID = re.compile(r"[0-9a-f]{32}")


class RenderOptions(TypedDict, total=False):
    """What may be said of every render.

    Attributes:
        deliver: EXRs at the target, or pixels; left out, what the target suggests.
        settings: What decides about the picture; left out, the worker's defaults.
        mask: Image sequence or still that limits where the model speaks.
        model: Name in the worker's library, or model folder, with a slash; left out, the worker's
            own.
        lora: LoRA in place of the model's own.
        lora_strength: 1 as trained, 0 none.
        ocio: A studio's OCIO config.
        compression: EXR compression.
        overwrite: Render again what is at the target already.
        priority: -100 to 100; higher goes first.
        label: What the job is called in lists.
    """

    deliver: Literal["path", "pixels"] | None
    settings: Settings | None
    mask: StrPath | None
    model: StrPath | None
    lora: StrPath | None
    lora_strength: float
    ocio: StrPath | None
    compression: Literal["zip", "zips", "piz", "dwaa", "dwab", "none"]
    overwrite: bool
    priority: int
    label: str


def make_request(
    source: StrPath | PixelSource,
    target: StrPath | None,
    frames: str | None = None,
    **options: Unpack[RenderOptions],
) -> Request:
    """A request that a worker will understand, its paths as the worker says them.

    Raises:
        InputError: A value is out of range, or a path is not known to a worker.
    """
    request = Request(
        source=source if isinstance(source, PixelSource) else PathSource(path=worker_path(source)),
        target=_path_or_none(target),
        frames=frames,
        deliver=options.get("deliver") or ("pixels" if target is None else "path"),
        settings=options.get("settings") or Settings(),
        mask=_path_or_none(options.get("mask")),
        model=_model(options.get("model")),
        lora=_path_or_none(options.get("lora")),
        lora_strength=options.get("lora_strength", 1.0),
        ocio=_path_or_none(options.get("ocio")),
        compression=options.get("compression", "zip"),
        overwrite=options.get("overwrite", False),
        priority=options.get("priority", 0),
        label=options.get("label", ""),
    )
    unknown = sorted(set(options) - set(RenderOptions.__annotations__))
    if unknown:
        raise TypeError(f"a render has no option {unknown[0]!r}")
    return checked(request)


def checked(request: Request) -> Request:
    """A request as the worker will read it.

    Raises:
        InputError: A value is out of range.
    """
    try:
        return read_request(pack_request(request))
    except RefusedError as error:
        raise InputError(f"this cannot be submitted: {error}") from error


def job_id(job: str | None) -> str:
    """A job's id as it was given, or a new one.

    Raises:
        InputError: It is no id.
    """
    if job is None:
        return uuid4().hex
    if not _ID.fullmatch(job):
        raise InputError(f"{job!r} is no job's id, which has 32 hex digits, small ones")
    return job


def _path_or_none(path: StrPath | None) -> str | None:
    return None if path is None else worker_path(path)


def _model(model: StrPath | None) -> str | None:
    """A name as it is, a path as the worker says it."""
    text = None if model is None else os.fspath(model)
    return text if text is None or not {"/", os.sep} & set(text) else worker_path(text)
