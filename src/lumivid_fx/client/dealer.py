"""One socket to one worker, and what its monitor tells of it. For one thread alone."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from math import ceil
from typing import TYPE_CHECKING

import zmq

from lumivid_fx.errors import WireError
from lumivid_fx.protocol.messages import MAX_FRAME

if TYPE_CHECKING:
    from lumivid_fx.protocol.places import Connection, KeyPair

Buffer = bytes | memoryview

ENVELOPE = 64 * 1024
"""Bytes that a part may have beyond a frame's pixels: encryption adds 33."""

HEARTBEAT_MS = 5000
"""ZeroMQ's own heartbeat, which finds a dead machine; a stopped process it finds too."""

_OPTIONS = (
    (zmq.LINGER, 0),  # else closing waits for a worker that is gone
    (zmq.IMMEDIATE, 1),  # else what is said while it is down arrives when nobody means it any more
    (zmq.SNDTIMEO, 1000),
    (zmq.SNDHWM, 64),
    (zmq.RCVHWM, 64),  # more than any credit and its progress
    (zmq.MAXMSGSIZE, MAX_FRAME + ENVELOPE),
    (zmq.RECONNECT_IVL, 100),
    (zmq.RECONNECT_IVL_MAX, 1000),
    (zmq.HANDSHAKE_IVL, 3000),  # something else may listen there, and say nothing
    (zmq.HEARTBEAT_IVL, HEARTBEAT_MS),
    (zmq.HEARTBEAT_TIMEOUT, 3 * HEARTBEAT_MS),
    (zmq.HEARTBEAT_TTL, 3 * HEARTBEAT_MS),
)

_EVENTS = (
    zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
)


class Dealer:
    """A DEALER socket that speaks CURVE.

    Raises:
        WireError: The connection's endpoint is none.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], connection: Connection, keys: KeyPair
    ) -> None:
        self._socket = context.socket(zmq.DEALER)
        self._monitor = self._socket.get_monitor_socket(_EVENTS)
        self._poller = zmq.Poller()
        self._poller.register(self._monitor, zmq.POLLIN)
        try:
            for option, value in _OPTIONS:
                self._socket.setsockopt(option, value)
            self._socket.curve_serverkey = connection.public_key.encode("ascii")
            self._socket.curve_publickey = keys.public.encode("ascii")
            self._socket.curve_secretkey = keys.secret.encode("ascii")
            self._socket.connect(connection.endpoint)
        except zmq.ZMQError as error:
            self.close()
            raise WireError(
                f"nothing can be connected to {connection.endpoint!r} ({error}); start the worker "
                "again"
            ) from error

    def wait(self, wake: int, seconds: float, *, to_send: bool) -> None:
        """Wait until something has come, or can be sent, or the file `wake` can be read."""
        self._poller.register(wake, zmq.POLLIN)
        self._poller.register(self._socket, zmq.POLLIN | (zmq.POLLOUT if to_send else 0))
        self._poller.poll(max(0, ceil(seconds * 1000)))

    def events(self) -> Iterator[tuple[int, int]]:
        """What has happened to the connection: ``zmq.EVENT_...`` and its value."""
        while True:
            try:
                told = self._monitor.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            event, value = struct.unpack("=HI", told[0])
            yield event, value

    def send(self, parts: Sequence[Buffer]) -> bool:
        """Send a message; False if there is no room for it now."""
        try:
            self._socket.send_multipart(parts, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def receive(self) -> list[memoryview] | None:
        """The parts of a message that has come, each in its own memory; None if none has."""
        try:
            parts = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return None
        return [part.buffer for part in parts]

    def close(self, linger_ms: int = 0) -> None:
        """Close; what is not sent within `linger_ms` is lost."""
        self._socket.disable_monitor()
        self._monitor.close(0)
        self._socket.close(linger_ms)
