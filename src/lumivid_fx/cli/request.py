"""What the options of a render come to as a request: absolute paths, numbers in their ranges."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal, cast

from lumivid_fx.client.worker_paths import worker_path
from lumivid_fx.errors import InputError
from lumivid_fx.protocol.messages import PathSource, Request, Settings
from lumivid_fx.protocol.wire import RefusedError, pack_request

_FLAW = re.compile(r": ([^:]+) - at `\$\.(?:settings\.|source\.)?(\w+)`")
"""How msgspec puts it: ``...: Expected `float` <= 1.0 - at `$.settings.detail```."""

_BOUND = re.compile(r"Expected `\w+`( of length)? (<=|>=|<|>) (\S+)")

_SIGNS = {"<=": "at most", ">=": "at least", "<": "less than", ">": "more than"}

_NAMES = {"lora_strength": "LoRA strength", "path": "INPUT", "target": "OUTPUT"}
"""Fields that are called otherwise on the command line."""


def build_request(
    source: str,
    target: str,
    *,
    frames: str | None,
    settings: Settings,
    mask: Path | None = None,
    model: str | None,
    lora: Path | None,
    lora_strength: float,
    ocio: Path | None,
    compression: str,
    overwrite: bool,
    priority: int = 0,
    label: str = "",
) -> Request:
    """A request with absolute paths that a worker will understand.

    Raises:
        InputError: Something is out of its range; it is named with what was given.
    """
    request = Request(
        source=PathSource(path=absolute(source)),
        frames=frames,
        target=absolute(target),
        settings=settings,
        mask=_absolute(mask),
        model=absolute(model) if model and "/" in model else model,
        lora=_absolute(lora),
        lora_strength=lora_strength,
        ocio=_absolute(ocio),
        # Whether it is one of these is seen below, with all the rest.
        compression=cast(Literal["zip"], compression),
        overwrite=overwrite,
        priority=priority,
        label=label,
    )
    try:
        pack_request(request)
    except RefusedError as error:
        raise _in_words(error, request) from error
    return request


def absolute(path: str) -> str:
    """The path as the worker says it; what ends in a slash goes on doing so: it means a folder.

    Workers take no ``..``; a path that goes up is followed, links and all, to where it leads.
    """
    if not path:
        return path
    plain = os.path.realpath(path) if ".." in Path(path).parts else path
    return worker_path(f"{plain}/" if path.endswith("/") else plain)


def _absolute(path: Path | None) -> str | None:
    return None if path is None else absolute(str(path))


def _in_words(error: RefusedError, request: Request) -> InputError:
    """What is wrong with a request, in the words of the command line."""
    found = _FLAW.search(str(error))
    if found is None:
        return InputError(f"{error}; check the options")
    flaw, field = found.groups()
    holder = next(
        each for each in (request, request.settings, request.source) if hasattr(each, field)
    )
    name, value = _NAMES.get(field, field.replace("_", " ")), getattr(holder, field)
    given = repr(value) if isinstance(value, str) else f"{value:g}"
    return InputError(f"{name} is {given}; give {_wanted(flaw)}")


def _wanted(flaw: str) -> str:
    """What may be given in place of what msgspec found fault with."""
    bound = _BOUND.fullmatch(flaw)
    if bound is not None:
        length, sign, number = bound.groups()
        return f"{_SIGNS[sign]} {float(number):g}{' characters' if length else ''}"
    if "regex" in flaw:
        return "text without control characters"
    return "what --help names"
