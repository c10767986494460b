"""A connection to a worker that says exactly what a test wants said, and hears all there is.

For the server's own tests: nothing is acknowledged, repeated or hidden, as a real client would.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar
from uuid import uuid4

import zmq

from lumivid_fx.protocol import messages as m
from lumivid_fx.protocol.places import Connection, KeyPair
from lumivid_fx.protocol.wire import pack, read_worker_message

Said = TypeVar("Said", bound=m.Message)

PATIENCE_S = 30.0
"""How long a test waits for what must come: a loaded machine is slow."""


def new_id() -> str:
    """An id nobody else has."""
    return uuid4().hex


class Caller:
    """One DEALER socket.

    Args:
        connection: Where the worker is.
        pair: The key pair to show.
        session: Its session; a new one if not given.
        room: Messages that wait on this side until they are read, libzmq's 1000 if not given.
    """

    def __init__(
        self,
        connection: Connection,
        pair: KeyPair,
        session: str | None = None,
        room: int = 1000,
    ) -> None:
        self.session = session or new_id()
        self.payloads: list[bytes] = []
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.linger = 0
        self._socket.rcvhwm = room
        self._socket.curve_serverkey = connection.public_key.encode()
        self._socket.curve_publickey = pair.public.encode()
        self._socket.curve_secretkey = pair.secret.encode()
        self._socket.connect(connection.endpoint)
        self._heard: list[m.WorkerMessage] = []

    def __enter__(self) -> Caller:
        self.hello()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go, as a client that dies does."""
        self._context.destroy(linger=0)

    def leave(self) -> None:
        """Let go, as a client that ends does: what it has said goes out first."""
        self._context.destroy(linger=int(1000 * PATIENCE_S))

    def send(self, message: m.ClientMessage, payload: bytes | None = None) -> None:
        """Say something."""
        self.send_raw([*pack(message), *([] if payload is None else [payload])])

    def send_raw(self, parts: list[bytes]) -> None:
        """Say anything."""
        self._socket.send_multipart(parts)

    def hear(self, kind: type[Said], fits: Callable[[Said], bool] = lambda _: True) -> Said:
        """Wait for a message of a kind; what comes before it is kept for later."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            for place, message in enumerate(self._heard):
                if isinstance(message, kind) and fits(message):
                    del self._heard[place]
                    return message
            if not self._socket.poll(max(0, int(1000 * (deadline - time.monotonic())))):
                raise AssertionError(f"no {kind.__name__} came, but {self._heard}")
            self._take()

    def all_heard(self, kind: type[Said], seconds: float) -> list[Said]:
        """All messages of a kind that have come by the end of a while."""
        deadline = time.monotonic() + seconds
        while self._socket.poll(max(0, int(1000 * (deadline - time.monotonic())))):
            self._take()
        return [message for message in self._heard if isinstance(message, kind)]

    def hello(self) -> m.Welcome:
        """Begin."""
        hello = m.Hello(id=new_id(), versions=(1,), client="test", session=self.session)
        self.send(hello)
        return self.hear(m.Welcome, lambda w: w.re == hello.id)

    def submit(self, request: m.Request, job: str | None = None) -> m.Accepted:
        """Ask for a job, and wait until it is accepted."""
        submit = m.Submit(id=new_id(), job=job or new_id(), request=request)
        self.send(submit)
        return self.hear(m.Accepted, lambda a: a.re == submit.id)

    def attach(self, job: str, *, frames: bool = True, after: int | None = None) -> m.Accepted:
        """Follow a job."""
        attach = m.Attach(id=new_id(), job=job, frames=frames, after=after)
        self.send(attach)
        return self.hear(m.Accepted, lambda a: a.re == attach.id)

    def cancel(self, job: str) -> m.Accepted:
        """Stop a job."""
        cancel = m.Cancel(id=new_id(), job=job)
        self.send(cancel)
        return self.hear(m.Accepted, lambda a: a.re == cancel.id)

    def done(self, job: str) -> m.Done:
        """Wait for a job's end."""
        return self.hear(m.Done, lambda d: d.job == job)

    def error(self, re: str | None = None) -> m.Error:
        """Wait for a refusal."""
        return self.hear(m.Error, lambda e: re is None or e.re == re)

    def _take(self) -> None:
        parts = self._socket.recv_multipart()
        message, payload = read_worker_message(parts)
        if payload is not None:
            self.payloads.append(bytes(payload))
        self._heard.append(message)
