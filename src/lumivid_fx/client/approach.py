"""From the file that says where the worker listens to a socket that it has been greeted on.

The file is looked at again and again; every try is a new socket to the address it names then.
"""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from uuid import uuid4

import zmq

from lumivid_fx.client.dealer import Dealer
from lumivid_fx.errors import NotAdmittedError, WireError
from lumivid_fx.protocol.codes import error_for
from lumivid_fx.protocol.messages import VERSION, Error, Hello, Welcome, WorkerMessage
from lumivid_fx.protocol.places import Connection, KeyPair, read_connection

LOOK_S = 0.25
"""How often the file is looked at while there is no connection."""

WELCOME_S = 5.0
"""How long a worker may take to welcome before another connection is tried."""

STRANGE = 3
"""Handshakes that must fail, and ..."""

STRANGE_S = 1.5
"""... for how long, before the worker counts as another than the file names: one that is just being
restarted writes its file a moment after it listens."""

DRAIN_S = 15.0
"""How long a worker that said it would end is left alone."""


class Approach:
    """The way to a worker. For one thread alone.

    Args:
        file: Says where the worker listens.
        keys: This user's.
        name: What the client calls itself.

    Attributes:
        dealer: The socket, if there is one.
        reason: Why there is no connection yet.
        next: When to look again.
    """

    def __init__(self, file: Path, keys: KeyPair, name: str) -> None:
        self.dealer: Dealer | None = None
        self.reason = ""
        self.next = 0.0
        self._file = file
        self._keys = keys
        self._name = name
        self._session = uuid4().hex
        self._connection: Connection | None = None
        self._hello = ""
        self._deadline = 0.0
        self._strange: list[float] = []
        self._shunned = ("", 0.0)

    def look(self, context: zmq.Context[zmq.Socket[bytes]], now: float) -> None:
        """See where the worker listens, and connect there unless that is under way."""
        self.next = now + LOOK_S
        try:
            connection = read_connection(self._file)
            shunned, until = self._shunned
            if connection.boot == shunned and now < until:
                return
            same = connection == self._connection
            if same and self.dealer is not None and now < self._deadline:
                return
            if not same:
                self._strange.clear()
            self.leave(now + LOOK_S)
            self._connection, self._deadline = connection, now + WELCOME_S
            self.dealer = Dealer(context, connection, self._keys)
        except WireError as error:
            self.reason = str(error)
            self.leave(now + LOOK_S)

    def happened(self, event: int, value: int) -> Hello | None:
        """Hear from the socket's monitor; what is to be said then.

        Raises:
            NotAdmittedError: The worker does not know this key, or is another than the file names.
        """
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._hello = uuid4().hex
            self._deadline = monotonic() + WELCOME_S
            return Hello(
                id=self._hello, versions=(VERSION,), client=self._name, session=self._session
            )
        if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH and value == 400:
            # ZeroMQ does not try again after this, and the worker would only say the same.
            raise NotAdmittedError(
                f"the worker does not know this user's key, {self._keys.public}; have the worker's "
                "owner run `lumivid keys admit`"
            )
        if event != zmq.EVENT_DISCONNECTED:
            self._fail_handshake(monotonic())
        return None

    def welcomed(self, message: WorkerMessage) -> Welcome | None:
        """Hear the answer to the hello; None if it is not that.

        Raises:
            WireError: The worker speaks another version.
            LumividError: It refused.
        """
        if not self._hello or getattr(message, "re", "") != self._hello:
            return None
        if isinstance(message, Error):
            raise error_for(message.code, message.message)
        if not isinstance(message, Welcome):
            return None
        if message.version != VERSION:
            raise WireError(
                f"the worker speaks version {message.version} of the protocol, and this client "
                f"version {VERSION}; update the older of the two"
            )
        self._hello = self.reason = ""
        self._shunned = ("", 0.0)
        self._strange.clear()
        return message

    def shun(self, boot: str) -> None:
        """That start of the worker is about to end: wait for the next."""
        self._shunned = (boot, monotonic() + DRAIN_S)

    def leave(self, again: float) -> None:
        """Drop the socket, if there is one.

        Args:
            again: When to look for the next.
        """
        self.next = again
        self._hello = ""
        dealer, self.dealer = self.dealer, None
        if dealer is not None:
            dealer.close()

    def _fail_handshake(self, now: float) -> None:
        self._strange = [*(then for then in self._strange if now - then < WELCOME_S), now]
        where = "" if self._connection is None else self._connection.endpoint
        if len(self._strange) >= STRANGE and now - self._strange[0] >= STRANGE_S:
            raise NotAdmittedError(
                f"what listens at {where} is not the worker that {self._file} names; start the "
                "worker again"
            )
        self.reason = f"what listens at {where} is not the worker"
        self.leave(now + LOOK_S)
