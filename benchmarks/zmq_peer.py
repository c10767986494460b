"""Frames over a ROUTER and a DEALER with nothing besides: no journal, no digests, no jobs.

    with peer(curve=True) as asked:
        asked.frames(24, files=False)

A window of frames is under way, as many as the client room asks for.
"""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zmq

from benchmarks.frame_runner import SIZE
from lumivid_fx.client.feed import PIXELS_AHEAD

HEAD = bytes(300)
"""As long as what the worker says of a frame."""


class Asked:
    """The receiving end.

    Attributes:
        pid: Process of the sending end.
    """

    def __init__(self, pid: int, socket: zmq.Socket[bytes]) -> None:
        self.pid = pid
        self._socket = socket

    def frames(self, count: int, *, files: bool) -> Iterator[memoryview]:
        """Receive frames, sent from memory or from mapped files."""
        self._socket.send_multipart([b"%d" % count, b"%d" % files])
        for _ in range(count):
            _, pixels = self._socket.recv_multipart(copy=False)
            yield pixels.buffer
            self._socket.send(b"")


@contextmanager
def peer(folder: Path, *, curve: bool) -> Iterator[Asked]:
    """A sending end in a process of its own.

    Args:
        folder: With frames in files that are called ``0`` and so on.
        curve: Whether all is encrypted, as the worker's is.
    """
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    public, secret = zmq.curve_keypair()
    if curve:
        socket.curve_serverkey = public
        socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
    socket.bind("tcp://127.0.0.1:*")
    endpoint = socket.get_string(zmq.LAST_ENDPOINT)
    keys = [public.decode(), secret.decode()] if curve else []
    command = [sys.executable, "-m", "benchmarks.zmq_peer", str(folder), endpoint, *keys]
    with subprocess.Popen(command) as process:
        try:
            yield Asked(process.pid, socket)
        finally:
            process.kill()
            context.destroy(linger=0)


def send(folder: Path, endpoint: str, keys: list[str]) -> None:
    """Be a sending end."""
    socket = zmq.Context().socket(zmq.ROUTER)
    socket.sndhwm = 0  # the window bounds what is under way
    if keys:
        socket.curve_server = True
        socket.curve_publickey, socket.curve_secretkey = (key.encode() for key in keys)
    socket.connect(endpoint)
    content = os.urandom(SIZE)
    while True:
        identity, count, files = socket.recv_multipart()
        for number in range(int(count)):
            if number >= PIXELS_AHEAD:
                socket.recv_multipart()
            frame = mapped(folder / str(number)) if int(files) else content
            socket.send_multipart([identity, HEAD, frame], copy=False)
        for _ in range(min(int(count), PIXELS_AHEAD)):
            socket.recv_multipart()


def mapped(path: Path) -> mmap.mmap:
    """A file's bytes without a copy."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


if __name__ == "__main__":
    send(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
