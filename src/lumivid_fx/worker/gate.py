"""Who is let in: CURVE proves which key a client holds, and this says which keys may.

Without somebody who answers ZeroMQ's ZAP requests a CURVE server takes every client. So the gate
answers them, and the sockets it prepares take nobody where no gate stands. A handshake happens once
in a connection; so that a key that is revoked is out at once, the server asks again for every
message.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from pathlib import Path

import zmq
from zmq.auth.thread import ThreadAuthenticator

from lumivid_fx.errors import InputError
from lumivid_fx.protocol.places import (
    NO_HANDLES,
    KeyPair,
    Places,
    keep_key_pair,
    private_folder,
    read_admitted,
    read_key_pair,
)

log = logging.getLogger(__name__)

DOMAIN = "lumivid"
"""ZAP domain of the worker's sockets; pyzmq's ``*`` would match none."""

WORKER_KEY = "worker.key"
"""File of the worker's key pair in :attr:`Places.keys`."""

SLOWEST_TICK_S = 2.0
"""A file may be changed twice within one tick of its file system's clock, of which FAT's is the
slowest: what was changed less long ago is read again."""

Stamp = tuple[tuple[str, int, int, int], ...]


class Gate:
    """Lets in clients whose key was admitted, and this user's own.

    Keys may be admitted and revoked while it stands. :meth:`admits` may be asked by any thread;
    ZeroMQ asks from one of the gate's own.

    Args:
        context: Of the sockets that it will guard; one gate a context.
        places: Whose key pairs, made if they are missing, and whose folder of admitted keys.
        tick_s: Seconds after which a file's time of change tells it from what it was.

    Attributes:
        worker_key: The worker's public key, for clients to know it by.

    Raises:
        InputError: A key pair is damaged, open to others, or cannot be written.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        places: Places,
        *,
        tick_s: float = SLOWEST_TICK_S,
    ) -> None:
        self._admitted = private_folder(places.admitted)
        self._client = places.client_key
        self._pair = load_or_make_pair(places.keys / WORKER_KEY)
        self.worker_key = self._pair.public
        self._own = load_or_make_pair(self._client).public
        self._keys: frozenset[str] = frozenset()
        self._stamp: Stamp | None = None
        self._tick_ns = int(tick_s * 1e9)
        self._lock = threading.Lock()
        # At DEBUG pyzmq logs whole keys; nothing it says below a warning is of use here.
        quiet = logging.getLogger(f"{__name__}.zap")
        quiet.setLevel(logging.WARNING)
        self._zap = ThreadAuthenticator(context, log=quiet)
        self._zap.configure_curve_callback(DOMAIN, _Asked(self))
        self._zap.start()

    @property
    def own_key(self) -> str:
        """The public key of the worker's own user; empty while the pair is missing or damaged."""
        with self._lock:
            self._look()
            return self._own

    def prepare(self, socket: zmq.Socket[bytes]) -> None:
        """Have a socket ask this gate about everybody who connects; before it is bound."""
        socket.curve_server = True
        socket.curve_publickey = self._pair.public.encode()
        socket.curve_secretkey = self._pair.secret.encode()
        socket.zap_domain = DOMAIN.encode()
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # no gate, nobody in

    def admits(self, public_key: str) -> bool:
        """Whether that key may speak to the worker now: looks at the files, for microseconds."""
        with self._lock:
            self._look()
            return public_key in self._keys

    def close(self) -> None:
        """Let nobody in any more."""
        self._zap.stop()

    def _look(self) -> None:
        """Read the keys again if a file has come, gone or changed.

        While the process can open no file, those that were known go on to be.
        """
        try:
            stamp = self._stamped()
            if stamp == self._stamp:
                return
            keys = {*read_admitted(self._admitted)}
            own = self._read_own()
        except OSError:
            self._stamp = None
            return
        self._own = own
        self._keys = frozenset({*keys, own} if own else keys)
        newest = max((changed for _, _, changed, _ in stamp), default=0)
        settled = abs(time.time_ns() - newest) > self._tick_ns
        self._stamp = stamp if settled else None

    def _read_own(self) -> str:
        try:
            pair = read_key_pair(self._client)
        except InputError as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in NO_HANDLES:
                raise error.__cause__ from None
            log.warning("this user's own key is not admitted: %s", error)
            return ""
        return pair.public if pair else ""

    def _stamped(self) -> Stamp:
        """Name, inode, time of change and size of every file that holds a key."""
        found = []
        for path in (*sorted(self._admitted.glob("*.key")), self._client):
            with suppress(OSError):
                status = path.stat()
                found.append((str(path), status.st_ino, status.st_ctime_ns, status.st_size))
        return tuple(found)


class _Asked:
    """What pyzmq asks for every handshake. An error would end its thread, and none comes."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def callback(self, domain: str, key: bytes) -> bool:
        """Whether a key, Z85 already, may come in."""
        del domain  # ours alone is configured
        public_key = key.decode("ascii", "replace")
        admitted = self._gate.admits(public_key)
        if not admitted:
            log.warning("a client whose key begins with %s was refused", public_key[:8])
        return admitted


def load_or_make_pair(path: Path) -> KeyPair:
    """The key pair of a file, which is made if it is missing.

    Raises:
        InputError: The file is damaged, open to others, or cannot be written.
    """
    known = read_key_pair(path)
    if known is not None:
        return known
    public, secret = zmq.curve_keypair()
    return keep_key_pair(path, KeyPair(public.decode(), secret.decode()))
