"""What a request is refused for before it becomes a job: everything the server can see by itself.

The runner judges what takes a look at pixels.
"""

from __future__ import annotations

import re

from lumivid_fx.errors import InputError
from lumivid_fx.model.library import find_entry, is_entry_name
from lumivid_fx.protocol.messages import MAX_FRAME, MAX_FRAMES, PathSource, Request
from lumivid_fx.worker.roots import Roots
from lumivid_fx.worker.spool import Spool

MAX_JOBS = 1000
"""Jobs that have not ended, everybody's together."""

MAX_SESSION_JOBS = 250
"""The same for one session."""

_SPAN = re.compile(r"\s*(-?\d{1,10})(?:-(-?\d{1,10})(?:[xy:]\d{1,10})?)?\s*")
"""One of the spans, parted by commas, that a frame range is made of."""


def check_request(request: Request, roots: Roots, spool: Spool) -> None:
    """Refuse what cannot be done as asked.

    Raises:
        InputError: With the protocol's code; the message says what to change.
    """
    source = request.source
    if isinstance(source, PathSource):
        roots.check(source.path, "the plate")
    else:
        if request.settings.input_space is None:
            raise _refusal(
                "E_INPUT",
                "the input space of pixels cannot be guessed; name it, such as srgb or acescg",
            )
        if source.frame_bytes > MAX_FRAME:
            raise _refusal(
                "E_LIMIT",
                f"a frame of {source.width} x {source.height} has {source.frame_bytes} bytes, and "
                f"at most {MAX_FRAME} are sent; give the worker a path instead",
            )
        if not spool.has_room_for(source.count * source.frame_bytes):
            raise _refusal(
                "E_DISK_FULL",
                f"{source.count} frames of {source.frame_bytes} bytes find no room where the "
                "worker keeps plates; free space there, or give the worker a path",
            )
    if request.deliver == "path":
        if request.target is None:
            raise _refusal("E_PATH", "the request names no output; give a target, or take pixels")
        roots.check(request.target, "the output")
    elif request.settings.generated:
        raise _refusal(
            "E_INPUT",
            "frames that are sent as pixels carry no channel of what was generated; name a target, "
            "or leave that out",
        )
    for what, path in (
        ("the mask", request.mask),
        ("the model", None if is_entry_name(request.model) else request.model),
        ("the LoRA", request.lora),
        ("the OCIO config", request.ocio),
    ):
        if path is not None:
            roots.check(path, what)
    if request.model is not None and is_entry_name(request.model):
        find_entry(request.model)
    _check_range(request.frames)


def _check_range(frames: str | None) -> None:
    """Refuse a range that runs backwards or is absurdly long; the plate's own is checked later."""
    if frames is None:
        return
    count = 0
    for span in frames.split(","):
        found = _SPAN.fullmatch(span)
        if found is None:
            raise _refusal(
                "E_RANGE",
                f"frame range {frames!r} cannot be read; write it as 1001-1049, as 1-100x2 or as "
                "one number",
            )
        first = int(found[1])
        last = first if found[2] is None else int(found[2])
        if last < first:
            raise _refusal("E_RANGE", f"frame range {frames} runs backwards; write {last}-{first}")
        count += last - first + 1
    if count > MAX_FRAMES:
        raise _refusal(
            "E_LIMIT",
            f"frame range {frames} has {count} frames, and a job has at most {MAX_FRAMES}; cut "
            "it into several jobs",
        )


def _refusal(code: str, message: str) -> InputError:
    error = InputError(message)
    error.code = code
    return error
