"""The thread that owns the socket: connects, watches the worker's life, connects again.

Whatever ends a connection, the next begins with a new socket at whatever address the file then
names, so that nothing that was meant for the old one arrives at the new one.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from math import ceil
from time import monotonic
from typing import Protocol
from uuid import uuid4

import zmq

from lumivid_fx.client.approach import LOOK_S, Approach
from lumivid_fx.client.dealer import Dealer
from lumivid_fx.client.questions import Question, Questions
from lumivid_fx.errors import LumividError, WireError
from lumivid_fx.protocol.codes import error_for
from lumivid_fx.protocol.messages import (
    ClientMessage,
    Drain,
    Error,
    Ping,
    Welcome,
    WorkerMessage,
)
from lumivid_fx.protocol.places import KeyPair, Places
from lumivid_fx.protocol.wire import RefusedError, pack, read_worker_message

log = logging.getLogger(__name__)

MISSED = 3
"""Unanswered pings after which a worker is lost."""

STALE_S = 30.0
"""A thread that was held up for so long begins anew: a worker forgets the silent after a minute."""

SHORTEST_BEAT_S = 0.05
"""Pings come no more often, whatever a worker asks for."""

BRIEF_S = 1.0
"""A connection that was lost sooner is not made again at once."""

MAX_SAID = 16 * 1024 * 1024
"""Bytes of a worker's message without pixels: a list of a thousand jobs with the longest paths."""

MESSAGES_A_TURN = 64
"""Messages that are read before what is due is said."""

LINGER_MS = 500
"""How long what was acknowledged just before the end may take to go out."""

CLOSE_S = 2.0
"""How long closing waits for the thread."""

Says = tuple[ClientMessage, memoryview | None]
"""A message and its pixels."""


class Listener(Protocol):
    """What a link tells; always on its thread."""

    def welcome(self, welcome: Welcome) -> None:
        """There is a connection, and nothing has been said on it yet."""

    def hear(self, message: WorkerMessage, pixels: memoryview | None) -> None:
        """The worker said something that is no answer to a question."""

    def due(self) -> Iterable[Says]:
        """What is to be said now; it counts as said until the connection is lost."""

    def lost(self) -> None:
        """The connection is gone."""

    def fail(self, error: LumividError) -> None:
        """There will be no connection any more."""


class Link:
    """The connection to this user's worker.

    Args:
        places: Where the file lies that says where the worker listens.
        keys: This user's.
        name: What the client calls itself.
        listener: Told what happens.
    """

    def __init__(self, places: Places, keys: KeyPair, name: str, listener: Listener) -> None:
        self._listener = listener
        self._questions = Questions(self.wake)
        self._ending = False
        self._woken, self._wakeup = socket.socketpair()
        self._woken.setblocking(False)
        self._wakeup.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="lumivid-link", daemon=True)
        # From here on: the thread's own.
        self._approach = Approach(places.connection, keys, name)
        self._welcome: Welcome | None = None
        self._outbox: deque[list[bytes | memoryview]] = deque()
        self._met = self._beat = self._every = 0.0
        self._pings = 0
        self._back = monotonic()

    # ---- for callers ----------------------------------------------------------------------------

    @property
    def welcome(self) -> Welcome | None:
        """What the worker said when it was reached; None while it is not."""
        return self._questions.welcome

    @property
    def error(self) -> LumividError | None:
        """Why there will be no connection any more."""
        return self._questions.error

    def start(self, timeout: float) -> None:
        """Connect.

        Raises:
            WireError: The worker does not answer in time.
            NotAdmittedError: It does not know this key, or is another than the file names.
        """
        self._thread.start()
        try:
            self._questions.wait_for_welcome(timeout)
        except BaseException:
            self.close()
            raise

    def ask(self, question: Question, timeout: float) -> WorkerMessage:
        """Ask the worker something; its answer. Asked again if the worker comes back meanwhile.

        Raises:
            WireError: It did not answer in time, or there is no connection any more.
            LumividError: It refused.
        """
        return self._questions.ask(question, timeout)

    def wake(self) -> None:
        """There is something to say."""
        with suppress(OSError):  # full: it wakes anyway; closed: there is nobody to wake
            self._wakeup.send(b"\0")

    def close(self) -> None:
        """End the connection: at once, or within two seconds."""
        self._ending = True
        self.wake()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(CLOSE_S)

    # ---- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        context: zmq.Context[zmq.Socket[bytes]] | None = None
        error: LumividError = WireError("the connection to the worker was closed")
        try:
            context = zmq.Context()
            while not self._ending:
                self._turn(context)
            self._say()
        except LumividError as told:
            error = told
        except Exception as fault:
            log.exception("the connection to the worker broke")
            error = WireError(f"the connection to the worker broke ({fault}); see the log")
        finally:
            self._questions.fail(error)
            self._listener.fail(error)
            if self._approach.dealer is not None:
                self._approach.dealer.close(0 if self._welcome is None else LINGER_MS)
            if context is not None:
                context.term()
            self._woken.close()
            self._wakeup.close()

    def _turn(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        now = monotonic()
        held_up = now - self._back
        if self._welcome is None:
            if now >= self._approach.next:
                self._approach.look(context, now)
                self._questions.because(self._approach.reason)
        elif held_up > STALE_S:
            self._lose("this program stood still for too long")
        elif now >= self._beat:
            self._ping(now)
        self._say()
        dealer = self._approach.dealer
        self._back = self._approach.next if self._welcome is None else self._beat
        self._wait(dealer, self._back - monotonic())
        if dealer is None:
            return
        for _ in range(MESSAGES_A_TURN):
            parts = dealer.receive() if self._approach.dealer is dealer else None
            if parts is None:
                break
            self._read(parts)
        for event, value in dealer.events() if self._approach.dealer is dealer else ():
            self._happened(event, value)
            if self._approach.dealer is not dealer:
                break

    def _wait(self, dealer: Dealer | None, seconds: float) -> None:
        """Wait for messages, events, or somebody who has something to say."""
        if dealer is not None:
            dealer.wait(self._woken.fileno(), seconds, to_send=bool(self._outbox))
        else:
            poller = zmq.Poller()  # select.poll is not everywhere, nor does select take every file
            poller.register(self._woken, zmq.POLLIN)
            poller.poll(max(0, ceil(seconds * 1000)))
        with suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass

    def _say(self) -> None:
        """Say what is due, as far as there is room."""
        dealer = self._approach.dealer
        if self._welcome is not None:
            for question in self._questions.due():
                self._outbox.append([*pack(question)])
            for message, pixels in self._listener.due():
                self._outbox.append([*pack(message), *(() if pixels is None else (pixels,))])
        while dealer is not None and self._outbox and dealer.send(self._outbox[0]):
            self._outbox.popleft()

    def _happened(self, event: int, value: int) -> None:
        """Hear from the socket's monitor."""
        if self._welcome is not None:
            if event == zmq.EVENT_DISCONNECTED:
                self._lose("it hung up")
            return
        hello = self._approach.happened(event, value)
        self._outbox.clear()
        if hello is not None:
            self._outbox.append([*pack(hello)])

    def _read(self, parts: list[memoryview]) -> None:
        """Take what the worker said to whom it is for."""
        self._pings = 0
        try:
            if sum(map(len, parts[:2])) > MAX_SAID:
                raise RefusedError("E_TOO_LARGE", f"a message has over {MAX_SAID} bytes")
            message, payload = read_worker_message(parts)
        except RefusedError as error:
            log.warning("something that is no message came from the worker: %s", error)
            return
        if self._welcome is None:
            self._hear_welcome(message)
        elif isinstance(message, Drain):
            self._approach.shun(message.boot)
            self._lose("it is about to end")
        elif isinstance(message, Error) and message.code == "E_NO_SESSION":
            self._lose("it has forgotten this client")
        elif isinstance(message, Error) and message.code == "E_AUTH" and not message.re:
            raise error_for(message.code, message.message)
        elif not self._questions.answered(message):
            self._listener.hear(message, None if payload is None else memoryview(payload))

    def _hear_welcome(self, message: WorkerMessage) -> None:
        welcome = self._approach.welcomed(message)
        if welcome is None:
            return
        self._welcome = welcome
        self._pings = 0
        self._met = monotonic()
        self._every = max(SHORTEST_BEAT_S, welcome.limits.heartbeat_s)
        self._beat = self._met + self._every
        self._listener.welcome(welcome)
        self._questions.open(welcome)
        log.info("connected to the worker, start %s", welcome.boot)

    def _ping(self, now: float) -> None:
        """Ping: for news of the worker, and so that it does not forget who only listens."""
        if self._pings >= MISSED:
            self._lose(f"it left {MISSED} pings unanswered")
            return
        self._pings += 1
        self._beat = now + self._every
        self._outbox.append([*pack(Ping(id=uuid4().hex))])

    def _lose(self, why: str) -> None:
        """There is no connection any more; begin anew."""
        log.warning("the worker is lost: %s", why)
        self._welcome = None
        self._outbox.clear()
        self._approach.reason = f"the connection was lost because {why}"
        now = monotonic()
        lived = now - self._met
        self._approach.leave(now if lived > BRIEF_S else now + LOOK_S)
        self._questions.close(self._approach.reason)
        self._listener.lost()
