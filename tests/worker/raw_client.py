"""A client written from ``docs/protocol.md`` alone: pyzmq and msgpack, and nothing of ours.

It shows that the page is enough, and what the least is that a client must do:

    with RawClient(home) as client:
        client.ask("submit", job=job, request={...})
        for said in client.follow(job):
            ...
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

import msgpack
import zmq
from zmq.utils.monitor import recv_monitor_message

Said = dict[str, Any]
"""A message as it came; the bytes of a third part stand under ``pixels``."""

FIND_S = 60.0
"""How long to look for a worker that is starting."""


class RefusedError(Exception):
    """The worker answered with an error.

    Attributes:
        said: The whole message.
    """

    def __init__(self, said: Said) -> None:
        super().__init__(f"{said['code']}: {said['message']}")
        self.said = said


class LostError(Exception):
    """The worker does not answer, or does not know this connection any more."""


class RawClient:
    """One connection to the worker of a LUMIVID_HOME, made again when it is lost.

    Args:
        home: The folder.
        pair: Public and secret key; those of ``client.key`` if not given.

    Attributes:
        welcome: What the worker said at first.
    """

    def __init__(self, home: Path, pair: tuple[str, str] | None = None) -> None:
        self._home = home
        self._pair = pair
        self._session = uuid4().hex
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] | None = None
        self._monitor: zmq.Socket[bytes] | None = None
        self._backlog: list[Said] = []
        self.welcome: Said = {}

    def __enter__(self) -> RawClient:
        try:
            self.connect()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the worker; its jobs go on."""
        self._disconnect()
        self._context.term()

    def connect(self) -> None:
        """Find the worker, and say hello; again for as long as it may be starting.

        Raises:
            PermissionError: It does not admit this key.
            LostError: There is none.
        """
        deadline = time.monotonic() + FIND_S
        while True:
            try:
                self._connect_once()
            except (FileNotFoundError, LostError) as error:
                if time.monotonic() > deadline:
                    raise LostError("no worker answers") from error
                time.sleep(0.1)
            else:
                return

    def say(self, kind: str, pixels: bytes | None = None, **fields: Any) -> None:
        """Send a message.

        Raises:
            LostError: Nobody takes it.
        """
        assert self._socket is not None
        parts = [b"LVX1", msgpack.packb({"t": kind, **fields})]
        try:
            self._socket.send_multipart(parts if pixels is None else [*parts, pixels])
        except zmq.Again as error:
            raise LostError("there is no connection") from error

    def ask(self, kind: str, **fields: Any) -> Said:
        """Send a message that has an answer, and wait for it.

        Raises:
            RefusedError: The answer is an error.
        """
        number = uuid4().hex
        self.say(kind, id=number, **fields)
        said = self.hear(lambda said: said.get("re") == number)
        if said["t"] == "error":
            raise RefusedError(said)
        return said

    def hear(self, fits: Callable[[Said], bool]) -> Said:
        """Wait for a message; what comes before it is kept for later.

        Raises:
            LostError: Three pings went unanswered.
            PermissionError: The worker does not admit this key.
        """
        for place, kept in enumerate(self._backlog):
            if fits(kept):
                return self._backlog.pop(place)
        silent = self.welcome.get("limits", {}).get("heartbeat_s", 1.0)
        pings = 0
        while True:
            said = self._receive(silent)
            if said is None:
                pings += 1
                if pings > 3:
                    raise LostError("three pings went unanswered")
                self.say("ping", id=uuid4().hex)
                continue
            pings = 0
            if said.get("code") == "E_NO_SESSION" and self.welcome:
                raise LostError("the connection was lost and made anew")
            if said.get("code") == "E_AUTH" and said["re"] == "":
                raise PermissionError(said["message"])
            if fits(said):
                return said
            if said["t"] != "pong":
                self._backlog.append(said)

    def send_plate(self, accepted: Said, frames: dict[int, bytes]) -> None:
        """Send the frames that are still needed of a plate, as many pieces ahead as may be."""
        if accepted["need"] is None:
            return
        limits, job, under_way = self.welcome["limits"], accepted["job"], 0
        for frame in range(accepted["need"], max(frames) + 1):
            for offset in range(0, len(frames[frame]), limits["chunk"]):
                if under_way == limits["chunks"]:
                    self._took(job)
                    under_way -= 1
                piece = frames[frame][offset : offset + limits["chunk"]]
                self.say("put", piece, job=job, frame=frame, offset=offset)
                under_way += 1
        for _ in range(under_way):
            self._took(job)

    def follow(self, job: str, after: int | None = None, credit: int = 4) -> Iterator[Said]:
        """Yield what the worker says of a job: progress, frames one after the other, its end.

        A frame is acknowledged when the next message is asked for. A lost connection is made anew.
        """
        attached = False
        while True:
            try:
                if not attached:
                    self.ask("attach", job=job, after=after)
                    self.say("credit", job=job, frames=credit)
                    attached = True
                said = self.hear(lambda said: said.get("job") == job)
                if said["t"] == "error":
                    raise RefusedError(said)
                if said["t"] == "frame":
                    check(said)
                yield said
                if said["t"] == "done":
                    return
                if said["t"] == "frame":
                    after = said["frame"]
                    self.say("ack", job=job, frame=after, sha256=said["sha256"])
                    self.say("credit", job=job, frames=1)
            except LostError:
                self.connect()
                attached = False

    def _connect_once(self) -> None:
        self._disconnect()
        there = json.loads((self._home / "run" / "worker.json").read_text())
        assert 1 in there["versions"]
        public, secret = self._pair or own_pair(self._home)
        socket = self._socket = self._context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 1000)
        socket.setsockopt(zmq.IMMEDIATE, 1)
        socket.setsockopt(zmq.SNDTIMEO, 1000)
        socket.setsockopt(zmq.CURVE_SERVERKEY, there["public_key"].encode())
        socket.setsockopt(zmq.CURVE_PUBLICKEY, public.encode())
        socket.setsockopt(zmq.CURVE_SECRETKEY, secret.encode())
        self._monitor = socket.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_DISCONNECTED
        )
        socket.connect(there["endpoint"])
        try:
            self.welcome = self.ask("hello", versions=[1], client="raw", session=self._session)
        except LostError:
            self._receive(0)  # the monitor may know why
            raise

    def _disconnect(self) -> None:
        if self._socket is not None:
            self._socket.disable_monitor()
            self._socket.close()
        if self._monitor is not None:
            self._monitor.close()
        self._socket = self._monitor = None
        self._backlog.clear()
        self.welcome = {}

    def _receive(self, seconds: float) -> Said | None:
        """The next message, or None after a while without any."""
        assert self._socket is not None
        assert self._monitor is not None
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        ready = dict(poller.poll(int(1000 * seconds)))
        if self._monitor in ready:
            if recv_monitor_message(self._monitor)["event"] == zmq.EVENT_DISCONNECTED:
                raise LostError("the connection was lost")
            raise PermissionError("the worker does not admit this key")
        if self._socket not in ready:
            return None
        magic, packed, *pixels = self._socket.recv_multipart()
        assert magic == b"LVX1"
        said: Said = msgpack.unpackb(packed)
        return said | {"pixels": pixels[0]} if pixels else said

    def _took(self, job: str) -> None:
        said = self.hear(lambda said: said["t"] in ("took", "error") and said.get("job") == job)
        if said["t"] == "error":
            raise RefusedError(said)


def own_pair(home: Path) -> tuple[str, str]:
    """This user's key pair, made if it is missing."""
    path = home / "keys" / "client.key"
    if not path.exists():
        public, secret = (key.decode() for key in zmq.curve_keypair())
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = path.with_suffix(".new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"public": public, "secret": secret}, file)
        beside.replace(path)
    pair = json.loads(path.read_text())
    return pair["public"], pair["secret"]


def check(frame: Said) -> None:
    """Hold a frame against its digest.

    Raises:
        ValueError: These are not the bytes that the worker meant.
    """
    held = frame["pixels"] if frame["path"] is None else Path(frame["path"]).read_bytes()
    if len(held) != frame["size"] or hashlib.sha256(held).hexdigest() != frame["sha256"]:
        raise ValueError(f"frame {frame['frame']} came in other bytes than it was sent")
