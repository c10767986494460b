"""Every code that a job or a message can fail with: who can mend it, and whether to try again.

The table in ``docs/protocol.md`` is this one; a test holds the two together.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from lumivid_fx.errors import (
    CancelledError,
    InputError,
    LumividError,
    NotAdmittedError,
    RenderError,
    WireError,
)


class Who(Enum):
    """Who can mend what went wrong, and the error that a client raises for it."""

    ARTIST = "artist"  # the plate, the range, a path, a setting
    WORKER = "worker"  # the machine the worker runs on: memory, disk, drivers
    CLIENT = "client"  # the program that speaks to the worker
    NOBODY = "nobody"  # it was asked for


class Failure(NamedTuple):
    """What a code means.

    Attributes:
        who: Who can mend it.
        retry: Whether the same again may succeed with nothing mended.
        advice: What to do, in a few words.
    """

    who: Who
    retry: bool
    advice: str


# fmt: off
CODES: dict[str, Failure] = {
    # the connection
    "E_FRAMING":        Failure(Who.CLIENT, False, "send the parts that the document names"),
    "E_VERSION":        Failure(Who.CLIENT, False, "use a client and a worker of one release"),
    "E_AUTH":           Failure(Who.CLIENT, False, "have the worker's owner admit this key"),
    "E_NO_SESSION":     Failure(Who.CLIENT, True,  "say hello first"),
    # one message
    "E_SCHEMA":         Failure(Who.CLIENT, False, "send the fields that the document names"),
    "E_TOO_LARGE":      Failure(Who.CLIENT, False, "keep to the limits of the welcome"),
    "E_NO_JOB":         Failure(Who.CLIENT, False, "check the job's id"),
    "E_JOB_CONFLICT":   Failure(Who.CLIENT, False, "choose a new id for a new request"),
    "E_BAD_ACK":        Failure(Who.CLIENT, False, "attach again and take the frame anew"),
    # what a job asks for
    "E_RANGE":          Failure(Who.ARTIST, False, "ask for frames that the plate holds"),
    "E_LIMIT":          Failure(Who.ARTIST, False, "ask for less at once"),
    "E_PATH":           Failure(Who.ARTIST, False, "use a path under the worker's roots"),
    "E_INPUT":          Failure(Who.ARTIST, False, "mend what the message names"),
    # what the worker has room for
    "E_BUSY":           Failure(Who.WORKER, True,  "wait until jobs have ended"),
    "E_DRAINING":       Failure(Who.WORKER, True,  "wait until the worker is back"),
    "E_JOURNAL":        Failure(Who.WORKER, True,  "free space where the worker keeps its state"),
    # how a job ends
    "E_OOM":            Failure(Who.WORKER, False, "use a smaller window, tile or model size"),
    "E_DISK_FULL":      Failure(Who.WORKER, False, "free space; finished frames are kept"),
    "E_RENDER":         Failure(Who.WORKER, False, "see the message"),
    "E_STALLED":        Failure(Who.WORKER, False, "see the worker's log; render fewer frames"),
    "E_WORKER_CRASHED": Failure(Who.WORKER, False, "see the worker's log; check the plate"),
    "E_INTERNAL":       Failure(Who.WORKER, False, "report it with the worker's log"),
    "E_CANCELLED":      Failure(Who.NOBODY, False, "submit again to go on"),
}
# fmt: on


def error_for(code: str, message: str) -> LumividError:
    """The error that a client raises for a code; codes of a newer worker count as the worker's.

    Args:
        code: A key of :data:`CODES`.
        message: One sentence for the artist.
    """
    known = CODES.get(code)
    kind: type[LumividError]
    if code == "E_AUTH":
        kind = NotAdmittedError
    elif known is None or known.who is Who.WORKER:
        kind = WireError if known is not None and known.retry else RenderError
    elif known.who is Who.ARTIST:
        kind = InputError
    elif known.who is Who.NOBODY:
        kind = CancelledError
    else:
        kind = WireError
    error = kind(message)
    error.code = code
    return error


def code_of(error: BaseException) -> str:
    """The code under which a worker reports an error of its own."""
    if isinstance(error, LumividError) and error.code in CODES:
        return error.code
    if isinstance(error, InputError):
        return "E_INPUT"
    if isinstance(error, RenderError):
        return "E_RENDER"
    return "E_INTERNAL"
