"""What must hold after every fault: the worker answers, renders, and has not grown."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil
from tests.worker.caller import new_id
from tests.worker.faults.taker import Taker
from tests.worker.faults.workers import new_folder, pixel_request, request
from tests.worker.quick_runner import pixels
from tests.worker.running import RunningWorker

from lumivid_fx.protocol import messages as m

GROWTH_BYTES = 16 * 1024 * 1024
"""What a worker may grow by: allocators keep what they had once, SQLite keeps 2 MB of pages, libzmq
8 KB a connection each way. Faults that put more than that into one message say so."""

SETTLE_S = 30.0
"""How long what was let go may take to be gone, on a busy machine."""


@dataclass(frozen=True)
class Vitals:
    """What a process holds."""

    memory: int
    handles: int
    threads: int


_at_first: dict[int, Vitals] = {}


def vitals(worker: RunningWorker) -> Vitals:
    """What the server holds now."""
    process = psutil.Process(worker.pid)
    return Vitals(process.memory_info().rss, process.num_fds(), process.num_threads())


def still_sound(worker: RunningWorker, growth: int = GROWTH_BYTES) -> None:
    """The server is there and ready, renders a new job, holds no more than at first, has erred not.

    The first call for a process says what it held at first.

    Args:
        worker: Which.
        growth: What it may have grown by.
    """
    with Taker(worker) as taker:
        ping = m.Ping(id=new_id())
        taker.send(ping)
        assert taker.hear(m.Pong, lambda pong: pong.re == ping.id).boot == worker.connection.boot
        worker.wait_until(lambda: "ready" in states(taker), "a runner is ready")
        shots = new_folder(worker, "sound")
        done = taker.run(request(shots, "1-3"))
        assert (done.state, done.frames) == ("done", 3), done
        assert sorted(taker.held[done.job]) == [1, 2, 3]
        whole(shots, range(1, 4))
        # Large enough that libzmq sends them from where they lie: pyzmq starts a thread for that.
        pixels_done = taker.run(pixel_request(shots, "1-2", "edge128"))
        assert (pixels_done.state, pixels_done.frames) == ("done", 2), pixels_done
        assert sorted(taker.held[pixels_done.job]) == [1, 2]
        taker.take_until(lambda: len(taker.safe[pixels_done.job]) == 2, "all are safe")
    told = [line for line in worker.log() if "Traceback" in str(line.get("message"))]
    assert not told, f"the log holds {told}"
    at_first = _at_first.get(worker.pid)
    if at_first is None:
        time.sleep(0.1)  # until the connection above is gone
        _at_first[worker.pid] = vitals(worker)
        return
    worker.wait_until(
        lambda: vitals(worker).handles <= at_first.handles,
        f"no more than {at_first.handles} handles are open",
        SETTLE_S,
    )
    now = vitals(worker)
    assert now.threads <= at_first.threads
    grown = now.memory - at_first.memory
    assert grown <= growth, f"the worker has grown by {grown / 1e6:.1f} MB"


def whole(shots: Path, frames: Iterable[int], edge: int = 2) -> None:
    """A folder has exactly these frames, whole, and nothing half made."""
    there = {path.name: path for path in shots.iterdir()}
    assert not [name for name in there if name.startswith(".")], there
    wanted = {f"q.{number:04d}.exr": pixels(number, edge) for number in frames}
    assert {name for name in there if name.endswith(".exr")} == set(wanted)
    for name, content in wanted.items():
        assert there[name].read_bytes() == content, name


def states(taker: Taker) -> list[str]:
    """How the worker's runners are."""
    ping = m.Ping(id=new_id())
    taker.send(ping)
    return [device.state for device in taker.hear(m.Pong, lambda p: p.re == ping.id).devices]
