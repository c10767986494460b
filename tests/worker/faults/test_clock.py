"""Clocks that jump: no job is forgotten, nothing times out, and whoever is let in stays so."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from tests.worker.caller import new_id
from tests.worker.faults.sound import still_sound
from tests.worker.faults.taker import Taker
from tests.worker.faults.workers import (
    ODD,
    faulty_worker,
    new_folder,
    pixel_request,
    request,
    shots_of,
    stranger,
)
from tests.worker.running import RunningWorker

from lumivid_fx.protocol import messages as m

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)

DAY = 86400

PATIENCE = {"pulse": 60, "stall": 60, "cancel": 1}
"""Less than any jump."""

Made = Callable[[Path, "Clock"], AbstractContextManager[RunningWorker]]


class Clock:
    """A wall clock that is set by days.

    Args:
        file: Where it is written down.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.jump(0)

    def jump(self, days: int) -> None:
        """Set it."""
        beside = self.file.with_name("new")
        beside.write_text(f"{days * DAY:+d}")
        beside.replace(self.file)


@contextmanager
def worker_of_python(folder: Path, clock: Clock) -> Iterator[RunningWorker]:
    """A worker whose Python has that clock."""
    by = ("tests.worker.faults.wound_server", str(clock.file))
    with faulty_worker(folder, by=by, patience=PATIENCE) as worker:
        yield worker


@contextmanager
def worker_of_libfaketime(folder: Path, clock: Clock) -> Iterator[RunningWorker]:
    """A worker that has that clock altogether, SQLite and libzmq too."""
    if FAKETIME is None:
        pytest.skip("libfaketime is not installed; Debian has it as faketime")
    environ = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock.file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # which nobody can set
    }
    # Not for its runners: libfaketime breaks Python's own sleep, which the server does not use.
    runner = ("env", "-u", "LD_PRELOAD", *ODD)
    with faulty_worker(folder, environ=environ, runner=runner, patience=PATIENCE) as worker:
        yield worker


@pytest.mark.parametrize("made", [worker_of_python, worker_of_libfaketime])
def test_clock_jumps(tmp_path: Path, made: Made) -> None:
    """Case 23: by days, back and forth, as jobs run, as they wait, and between two starts."""
    clock = Clock(tmp_path / "clock")
    with made(tmp_path, clock) as worker:
        still_sound(worker)
        with Taker(worker) as taker:
            fetched = taker.run(request(new_folder(worker, "fetched"), "1-2")).job
            unfetched = taker.submit(pixel_request(shots_of(worker), "1-2")).job
            taker.attach(unfetched, frames=False)
            taker.done(unfetched)
            running = taker.submit(request(new_folder(worker, "running"), "1-9", "slow,hang@6")).job
            waiting = taker.submit(request(new_folder(worker, "waiting"), "1-2")).job
            taker.follow(running)
            for days in (1, -1, 400, -400):
                clock.jump(days)
                taker.take_more(running)
                (row,) = _rows(taker, running)
                assert abs(row.updated - time.time() - days * DAY) < DAY / 2, "it did not jump"
                with Taker(worker, stranger(worker, f"at{days}")) as guest:
                    guest.send(m.List(id=new_id()))
                    assert guest.hear(m.Jobs).jobs == ()
            worker.kill()
        for days in (-3, 3):
            clock.jump(days)
            worker.start()
            with Taker(worker) as taker:
                states = {row.job: row.state for row in _rows(taker)}
                assert {running, waiting, unfetched, fetched} <= set(states)
            worker.kill()
        clock.jump(20)
        worker.start()
        with Taker(worker) as taker:
            states = {row.job: row.state for row in _rows(taker)}
            assert running in states
            assert waiting in states
            assert unfetched in states, "nobody has had its pixels"
            assert fetched not in states
            assert not worker.logged("is killed")
            taker.cancel(running)
            taker.follow(running)
            ended = taker.done(running)
            assert ended.state == "cancelled"
            assert 4 <= ended.frames <= 6
            for job in (waiting, unfetched):
                taker.follow(job)
                assert taker.done(job).frames == 2
        still_sound(worker)


def _rows(taker: Taker, job: str | None = None) -> tuple[m.JobRow, ...]:
    taker.send(asked := m.List(id=new_id(), job=job))
    return taker.hear(m.Jobs, lambda jobs: jobs.re == asked.id).jobs
