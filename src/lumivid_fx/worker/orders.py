"""What the server and a runner say to each other: JSON, one message a line, over a socket pair.

Server to runner: :data:`Order`. Runner to server: :data:`Report`. Reports of a job come in the
order in which things happened; the server may rely on it.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from lumivid_fx.protocol.messages import Digest, FrameNumber, Request

MAX_LINE = 4 * 1024 * 1024
"""Bytes of a message; a list of ten thousand finished frames is half a megabyte."""


Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""What the journal can hold: a process that says anything else has lost its mind."""


class _Line(msgspec.Struct, frozen=True, kw_only=True, tag_field="t"):
    """What all have in common."""


# ---- how a runner is started ------------------------------------------------------------------


class RunnerConfig(_Line, frozen=True, tag="config"):
    """The second argument of ``python -m lumivid_fx.worker.runner FD CONFIG``, as JSON.

    Attributes:
        roots: Folders of plates, results, models: what it may read and write.
        private: Folders of the worker's own that it may read and write: spool, cache, scratch.
        cache: Folder of the result cache; empty for none.
        cache_bytes: How large that may grow.
        device: Where to render; ``auto`` takes a GPU if torch sees one.
        model: Model folder for requests that name none; empty is the embedded one.
    """

    roots: tuple[str, ...]
    private: tuple[str, ...]
    cache: str
    cache_bytes: int
    device: Literal["auto", "cpu", "cuda"] = "auto"
    model: str = ""


# ---- server to runner -------------------------------------------------------------------------


class Render(_Line, frozen=True, tag="render"):
    """Render a job.

    Attributes:
        job: Its id.
        request: What to do; paths have been checked.
        spool: Folder for pixels that came in and are to go out.
        finished: Frames in the journal, with the SHA-256 and bytes of the file; each is looked at,
            and rendered again only if its file is gone or another.
        rung: How far down the memory ladder the job has been before.
    """

    job: str
    request: Request
    spool: str
    finished: dict[int, tuple[str, int]]
    rung: int


class Cancel(_Line, frozen=True, tag="cancel"):
    """Stop that job after the step that is under way."""

    job: str


class GoOn(_Line, frozen=True, tag="go_on"):
    """The journal holds the fall-back that was reported."""


class End(_Line, frozen=True, tag="end"):
    """End the process."""


Order = Render | Cancel | GoOn | End

# ---- runner to server -------------------------------------------------------------------------


class Ready(_Line, frozen=True, tag="ready"):
    """The process is up and takes a job.

    Attributes:
        device: Such as ``cpu`` or ``cuda:0 NVIDIA H200``.
        model: Model that is loaded, or empty.
        confined: Whether the kernel holds it to its roots.
    """

    device: str
    model: str
    confined: bool


class Pulse(_Line, frozen=True, tag="pulse"):
    """The process is alive; comes every second from a thread of its own."""


class Step(_Line, frozen=True, tag="step"):
    """Something moved: the watchdog of progress starts anew.

    Attributes are those of :class:`lumivid_fx.protocol.messages.Progress`.
    """

    job: str
    phase: str
    step: Count = 0
    steps: Count = 0
    window: Count = 0
    windows: Count = 0
    total: Count = 0
    eta_s: float | None = None


class FrameDone(_Line, frozen=True, tag="frame"):
    """A frame's file is whole and on disk.

    Attributes:
        sha256: Of the EXR, or of the half floats where those are delivered.
        size: Bytes of the same.
        path: Its file.
    """

    job: str
    frame: FrameNumber
    how: Literal["rendered", "kept", "cache"]
    sha256: Digest
    size: Count
    path: str
    shape: tuple[int, int, int] | None = None
    space: str = ""
    model_clipped: float = 0.0
    half_clamped: Count = 0


class FallBack(_Line, frozen=True, tag="fall_back"):
    """Memory ran out; the job goes on further down the ladder once the server says so.

    Attributes:
        rung: How far down.
        note: What that means for the result, for the artist.
    """

    job: str
    rung: Count
    note: str


class Ended(_Line, frozen=True, tag="ended"):
    """The job is over, and unless `spoilt` the process takes the next.

    Attributes:
        code: Empty when all frames are there; else a key of the protocol's codes.
        message: The same in a sentence.
        spoilt: The process cannot be trusted any more, and ends.
    """

    job: str
    code: str = ""
    message: str = ""
    spoilt: bool = False


Report = Ready | Pulse | Step | FrameDone | FallBack | Ended

_ORDERS: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)
_REPORTS: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)


def encode(line: Order | Report) -> bytes:
    """A message as a line."""
    return msgspec.json.encode(line) + b"\n"


class Lines:
    """Bytes as they come, cut into lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Add bytes; yield the lines that are complete.

        Raises:
            ValueError: A line is longer than :data:`MAX_LINE`.
        """
        *whole, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > MAX_LINE:
            raise ValueError(f"a line has more than {MAX_LINE} bytes")
        yield from whole


def read_report(line: bytes) -> Report:
    """Read what a runner said.

    Raises:
        msgspec.MsgspecError: It is nothing that runners say.
    """
    return _REPORTS.decode(line)


class RunnerEnd:
    """The runner's end of the socket pair; any thread may report.

    Attributes:
        descriptor: Of the socket.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._socket = socket.socket(fileno=descriptor)
        self._lock = threading.Lock()

    def report(self, report: Report) -> None:
        """Say something to the server."""
        with self._lock:
            self._socket.sendall(encode(report))

    def orders(self) -> Iterator[Order]:
        """What the server says, until it is gone."""
        lines = Lines()
        while piece := self._socket.recv(65536):
            for line in lines.feed(piece):
                yield _ORDERS.decode(line)
