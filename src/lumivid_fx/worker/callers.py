"""Who is connected: their keys, what they follow, and answers that wait for a slow reader."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from mmap import mmap

from lumivid_fx.protocol import messages as m
from lumivid_fx.protocol.wire import pack

Buffer = bytes | memoryview | mmap

Send = Callable[[bytes, Sequence[Buffer]], bool | None]
"""Send parts to a routing id: True if taken, False if its queue is full, None if it is gone."""

SILENCE_S = 60.0
"""A connection that says nothing for so long is forgotten; its jobs go on."""

MAX_OUTBOX = 1000
"""Answers that wait for a slow reader before it is forgotten."""

MAX_OUTBOX_BYTES = 32 * 1024 * 1024
"""The same in bytes: a list of a thousand jobs with long paths has 9 million."""


@dataclass
class Follow:
    """What one connection wants of one job.

    Attributes:
        frames: Whether it wants finished frames.
        after: The last frame that it has been sent.
        credit: How many more it may be sent.
        told: When progress was told last.
        news: Whether there is progress to tell.
        look: Whether frames may have become due since they were looked through last.
        more: Whether finished frames wait for credit, or for the reader.
        ended: Whether it has been told the end, and so is over.
    """

    frames: bool
    after: int | None
    credit: int = 0
    told: float = 0.0
    news: bool = True
    look: bool = True
    more: bool = False
    ended: bool = False


@dataclass
class Caller:
    """A connection.

    Attributes:
        owner: Its public key.
        session: What it called its session; empty before its hello.
        heard: When it last said anything.
        follows: By job.
        outbox: Answers that could not be sent yet.
        outbox_bytes: Their size.
        left: Whether it cannot be reached any more; what it said before may still have to be heard.
    """

    owner: str
    session: str = ""
    heard: float = 0.0
    follows: dict[str, Follow] = field(default_factory=dict)
    outbox: deque[Sequence[Buffer]] = field(default_factory=deque)
    outbox_bytes: int = 0
    left: bool = False


class Callers:
    """All connections, by routing id.

    A client that ends says its last words and hangs up. Sending to it fails from then on, while
    what it said still waits to be read, acks above all: its session is kept for that, until it has
    been silent for long.

    Args:
        send: How to send.
        on_gone: Called with a connection that has hung up, or has been forgotten.
    """

    def __init__(self, send: Send, on_gone: Callable[[bytes, Caller], None]) -> None:
        self._send = send
        self._on_gone = on_gone
        self._callers: dict[bytes, Caller] = {}

    def __len__(self) -> int:
        return sum(not caller.left for caller in self._callers.values())

    def __iter__(self) -> Iterator[tuple[bytes, Caller]]:
        return iter([(who, caller) for who, caller in self._callers.items() if not caller.left])

    def heard(self, identity: bytes, owner: str, now: float) -> Caller:
        """The connection that has just said something, known or new."""
        caller = self._callers.get(identity)
        if caller is None or caller.owner != owner:
            self.forget(identity)
            caller = self._callers[identity] = Caller(owner)
        caller.heard = now
        return caller

    def post(self, identity: bytes, message: m.WorkerMessage) -> None:
        """Send an answer, now or when the reader's queue has room."""
        caller = self._callers.get(identity)
        parts = pack(message)
        taken = False if caller is not None and caller.outbox else self._send(identity, parts)
        if taken is None:
            self._leave(identity)
        elif not taken and caller is not None:
            caller.outbox.append(parts)
            caller.outbox_bytes += _size(parts)
            if len(caller.outbox) > MAX_OUTBOX or caller.outbox_bytes > MAX_OUTBOX_BYTES:
                self.forget(identity)

    def offer(self, identity: bytes, parts: Sequence[Buffer]) -> bool:
        """Send something that need not be sent now; False if the reader's queue is full."""
        caller = self._callers.get(identity)
        if caller is None or caller.outbox:
            return False
        taken = self._send(identity, parts)
        if taken is None:
            self._leave(identity)
        return bool(taken)

    def forget(self, identity: bytes) -> None:
        """A connection is gone."""
        caller = self._callers.pop(identity, None)
        if caller is not None:
            self._on_gone(identity, caller)

    def tick(self, now: float) -> bool:
        """Send what waited, forget the silent; whether something still waits."""
        stuck = False
        for identity, caller in list(self._callers.items()):
            if now > caller.heard + SILENCE_S:
                self.forget(identity)
            stuck |= self._empty_outbox(identity, caller)
        return stuck

    def _leave(self, identity: bytes) -> None:
        """A connection has hung up."""
        caller = self._callers.get(identity)
        if caller is not None and not caller.left:
            caller.left = True
            caller.outbox.clear()
            caller.outbox_bytes = 0
            self._on_gone(identity, caller)

    def _empty_outbox(self, identity: bytes, caller: Caller) -> bool:
        while caller.outbox:
            taken = self._send(identity, caller.outbox[0])
            if taken is None:
                self._leave(identity)
                return False
            if not taken:
                return True
            caller.outbox_bytes -= _size(caller.outbox.popleft())
        return False


def _size(parts: Sequence[Buffer]) -> int:
    return sum(map(len, parts))
