"""Processes that render no more and do not end: the watchdog ends them, and nobody else waits."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import psutil
import pytest
from tests.worker.caller import new_id
from tests.worker.faults.sound import states, still_sound, whole
from tests.worker.faults.taker import Taker
from tests.worker.faults.workers import faulty_worker, new_folder, request
from tests.worker.running import RunningWorker

from lumivid_fx.protocol import messages as m

PATIENCE = {"pulse": 1.5, "stall": 1.5, "cancel": 0.5}
"""Long for runners that do their work, which give a sign of life five times a second."""

ANSWER_S = 5.0
"""An answer that takes longer has waited for a runner; on a busy machine one takes 0.1 s."""


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorker]:
    """A worker of little patience, with four runners so that four may hang at once."""
    with faulty_worker(
        tmp_path_factory.mktemp("hung"), devices=["cpu"] * 4, patience=PATIENCE
    ) as worker:
        still_sound(worker)
        yield worker


def test_hung_runners_are_ended(worker: RunningWorker) -> None:
    """Case 4: asleep, stopped, in C with Python's lock held, babbling; the server answers on.

    Each happens once, and the jobs end well.
    """
    kinds = ("hang", "mute", "regex", "flood")
    shots = {kind: new_folder(worker, kind) for kind in kinds}
    with Taker(worker) as taker, Taker(worker) as other:
        for kind in kinds:
            job = taker.submit(request(shots[kind], "1-4", f"{kind}1@2"), new_id()).job
            taker.follow(job)
        states = set()
        slowest = 0.0
        while len(taker.ends) < len(kinds):
            ping, asked = m.Ping(id=new_id()), time.monotonic()
            other.send(ping)
            pong = other.hear(m.Pong)
            slowest = max(slowest, time.monotonic() - asked)
            states |= {tuple(sorted(device.state for device in pong.devices))}
            taker.take(0.02)
            assert slowest < ANSWER_S
        assert ("busy",) * 4 in states
        assert {done.state for done in taker.ends.values()} == {"done"}
        assert all(sorted(held) == [1, 2, 3, 4] for held in taker.held.values())
    for folder in shots.values():
        whole(folder, range(1, 5))
    for kind in ("gave no sign of life for 1.5 s", "made no progress for 1.5 s"):
        assert worker.logged(kind)
    still_sound(worker)


def test_babbling_runner_keeps_nobody_waiting(worker: RunningWorker) -> None:
    """Case 4: steps without end are progress: only a cancel ends it, and others are served."""
    with Taker(worker) as taker:
        babbling = taker.submit(request(new_folder(worker, "babble"), "1-4", "chatter@2")).job
        taker.follow(babbling)
        taker.take_more(babbling, 2)
        for _ in range(3):
            asked = time.monotonic()
            assert taker.run(request(new_folder(worker, "other"))).state == "done"
            assert time.monotonic() - asked < ANSWER_S
        assert taker.cancel(babbling).state == "cancelling"
        done = taker.done(babbling)
        assert (done.state, done.frames) == ("cancelled", 2)
    still_sound(worker)


def test_job_that_hangs_every_time(worker: RunningWorker) -> None:
    """Case 4: three attempts, then it has failed, and the next is rendered."""
    with Taker(worker) as taker:
        done = taker.run(request(new_folder(worker, "stalled"), "1-4", "hang@0"))
        assert (done.state, done.code, done.frames) == ("failed", "E_STALLED", 0)
        assert "made no progress for 1.5 s, 3 times" in done.message
    still_sound(worker)


def test_deaf_runner_is_ended_by_a_cancel(worker: RunningWorker) -> None:
    """Case 4: by force, and what was finished stays."""
    shots = new_folder(worker, "deaf")
    with Taker(worker) as taker:
        job = taker.submit(request(shots, "1-1000", "deaf,slow")).job
        taker.follow(job)
        taker.take_more(job, 2)
        taker.cancel(job)
        done = taker.done(job)
        assert (done.state, done.code) == ("cancelled", "E_CANCELLED")
        assert "did not stop within 0.5 s" in done.message
        taker.again(job)
        taker.done(job)
        assert 2 <= len(taker.held[job]) == done.frames < 1000
    still_sound(worker)


def test_stopped_while_idle(worker: RunningWorker) -> None:
    """Case 4: a runner without a job is missed as well, and replaced."""
    with Taker(worker) as taker:
        worker.wait_until(lambda: states(taker) == ["ready"] * 4, "all are up")
    for pid in (stopped := worker.runners):
        os.kill(pid, signal.SIGSTOP)
    worker.wait_until(lambda: not set(stopped) & set(worker.runners), "they are ended")
    still_sound(worker)


def test_stopped_server_is_as_before(worker: RunningWorker) -> None:
    """Case 4: it finds its runners as they are; a job that ran meanwhile has lost nothing."""
    shots = new_folder(worker, "asleep")
    with Taker(worker) as taker:
        job = taker.submit(request(shots, "1-25", "slow")).job
        taker.follow(job)
        taker.take_more(job, 2)
        server = psutil.Process(worker.pid)
        server.suspend()
        time.sleep(2)  # longer than either patience
        server.resume()
        done = taker.done(job)
        assert (done.state, done.frames) == ("done", 25)
        assert sorted(taker.held[job]) == list(range(1, 26))
    whole(shots, range(1, 26))
    still_sound(worker)
