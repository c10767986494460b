"""Workers for the faults: on any disk, with death lying in wait, and with a runner that errs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import msgspec
import zmq
from tests.worker.running import SOON_S, RunningWorker

from lumivid_fx.errors import WireError
from lumivid_fx.protocol import messages as m
from lumivid_fx.protocol.places import KeyPair, read_key_pair

ODD = (sys.executable, "-m", "tests.worker.faults.odd_runner")


@contextmanager
def faulty_worker(
    folder: Path,
    *,
    before: Sequence[str] = (),
    by: Sequence[str] = ("tests.worker.start_worker",),
    point: str = "",
    environ: Mapping[str, str] | None = None,
    start: bool = True,
    **settings: object,
) -> Iterator[RunningWorker]:
    """A worker whose home is ``folder/home`` and whose only root is ``folder/shots``.

    Args:
        folder: Of both.
        before: What its command line begins with, such as ``nsenter``; it must not fork.
        by: Module that starts it, and what that is told before the settings.
        point: Where it dies, once, as :mod:`tests.worker.crashing_server` wants it.
        environ: Variables of its environment.
        start: Whether to start it, and wait until it listens.
        **settings: Fields of WorkerSettings.
    """
    shots = folder / "shots"
    shots.mkdir(parents=True, exist_ok=True)
    given = {"devices": ["cpu"], "runner": ODD, **settings, "roots": [str(shots)]}
    text = json.dumps(given, default=str)
    if point:
        by = ("tests.worker.crashing_server", point, str(folder / "died"))
    command = [*before, sys.executable, "-m", *by, text]
    worker = RunningWorker(folder / "home", command, environ or {})
    try:
        if start:
            worker.start()
        yield worker
    finally:
        worker.end_hard()


def shots_of(worker: RunningWorker) -> Path:
    """The root of a worker."""
    return worker.places.keys.parents[1] / "shots"


def new_folder(worker: RunningWorker, name: str) -> Path:
    """A folder in its root that nobody has used."""
    taken = sum(path.name.startswith(name) for path in shots_of(worker).iterdir())
    folder = shots_of(worker) / f"{name}{taken}"
    folder.mkdir()
    return folder


def own_pair(worker: RunningWorker) -> KeyPair:
    """The key pair of the worker's own user."""
    pair = read_key_pair(worker.places.keys / "client.key")
    assert pair is not None
    return pair


def stranger(worker: RunningWorker, name: str) -> KeyPair:
    """A key pair of somebody else, admitted."""
    public, secret = zmq.curve_keypair()
    (worker.places.admitted / f"{name}.key").write_text(public.decode())
    return KeyPair(public.decode(), secret.decode())


def request(shots: Path, frames: str = "1-4", label: str = "", **more: object) -> m.Request:
    """A job whose results are files in a folder."""
    asked = m.Request(
        source=m.PathSource(path=f"{shots}/plate.mp4"), frames=frames, target=str(shots)
    )
    return msgspec.structs.replace(asked, label=label, **more)


def pixel_request(shots: Path, frames: str = "1-4", label: str = "") -> m.Request:
    """The same with pixels for an answer."""
    return request(shots, frames, label, deliver="pixels", target=None)


def plate(width: int, height: int, count: int, channels: Literal[3, 4] = 4) -> m.Request:
    """A job whose plate is sent, from frame 1 on, and whose results are pixels."""
    source = m.PixelSource(width=width, height=height, channels=channels, first=1, count=count)
    settings = m.Settings(input_space="acescg")
    return m.Request(source=source, deliver="pixels", settings=settings)


def starts(worker: RunningWorker) -> bool:
    """Start a worker that may refuse to: whether it listens, or has ended with one sentence."""
    told = len(worker.log())
    worker.start(wait=False)
    assert worker.process is not None
    deadline = time.monotonic() + SOON_S
    while worker.process.poll() is None:
        with suppress(WireError):
            if worker.connection.pid == worker.pid:
                return True
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert worker.process.returncode == 1
    last = [line for line in worker.log()[told:] if "level" not in line]
    assert len(last) == 1, last
    assert str(last[0]["message"]).startswith("lumivid: ")
    return False
