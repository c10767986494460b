"""Processes that are killed, at any moment: what was told is true afterwards, and goes on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.worker.caller import new_id
from tests.worker.faults.sound import still_sound, whole
from tests.worker.faults.taker import Taker
from tests.worker.faults.workers import (
    faulty_worker,
    new_folder,
    plate,
    request,
    shots_of,
)
from tests.worker.running import RunningWorker

from lumivid_fx.protocol import messages as m


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorker]:
    """A worker whose runners die."""
    with faulty_worker(tmp_path_factory.mktemp("killed"), devices=["cpu"] * 4) as worker:
        still_sound(worker)
        yield worker


# ---- the process that renders -------------------------------------------------------------------


def test_runner_is_killed_again_and_again(worker: RunningWorker) -> None:
    """Case 1: each time with a new frame finished; the job goes on, and no frame is made twice."""
    shots = new_folder(worker, "killed")
    with Taker(worker) as taker:
        job = taker.submit(request(shots, "1-12", "slow")).job
        taker.follow(job)
        files: dict[str, int] = {}
        for _ in range(4):  # more often than a job may take a runner with it without a new frame
            taker.take_more(job)
            files |= {path.name: path.stat().st_ino for path in shots.glob("*.exr")}
            _kill_who_renders(worker)
        done = taker.done(job)
        assert (done.state, done.frames) == ("done", 12)
        assert sorted(taker.held[job]) == list(range(1, 13))
    whole(shots, range(1, 13))
    assert files.items() <= {path.name: path.stat().st_ino for path in shots.glob("*.exr")}.items()
    still_sound(worker)


@pytest.mark.parametrize("kind", ["die", "segv", "exit", "long", "far", "minus"])
def test_runner_dies_or_speaks_nonsense_once(worker: RunningWorker, kind: str) -> None:
    """Case 1: by whatever end, in the middle of a job that is then finished."""
    shots = new_folder(worker, kind)
    with Taker(worker) as taker:
        done = taker.run(request(shots, "1-4", f"{kind}1@0"))
        assert (done.state, done.frames) == ("done", 4), done
        assert taker.all_heard(m.Progress, 0)[-1].attempt == 2
        assert sorted(taker.held[done.job]) == [1, 2, 3, 4]
    whole(shots, range(1, 5))
    still_sound(worker)


@pytest.mark.parametrize("kind", ["child", "fork"])
def test_what_a_runner_leaves_behind_dies_with_it(worker: RunningWorker, kind: str) -> None:
    """Case 1: a process that it has started is no orphan, and does not hide its death."""
    shots = new_folder(worker, kind)
    with Taker(worker) as taker:
        assert taker.run(request(shots, "1-4", f"{kind}1@2")).state == "done"
    child = int((shots / "left").read_text())
    worker.wait_until(lambda: not _lives(child), "the runner's child is gone")
    still_sound(worker)


def test_runner_without_standard_output(worker: RunningWorker) -> None:
    """Case 1: one that closes it goes on, and the server does not spin for it."""
    shots = new_folder(worker, "hush")
    server = psutil.Process(worker.pid)
    with Taker(worker) as taker:
        job = taker.submit(request(shots, "1-10", "hush1@1,slow")).job
        taker.follow(job)
        taker.take_more(job, 3)
        before, began = sum(server.cpu_times()[:2]), time.monotonic()
        assert taker.done(job).state == "done"
        # Half of one core would be a loop that never waits on a machine that is twice overloaded.
        assert sum(server.cpu_times()[:2]) - before < 0.5 * (time.monotonic() - began)
    still_sound(worker)


def test_poison(worker: RunningWorker) -> None:
    """Case 5: what kills every runner fails after three, and no other job suffers for it."""
    kinds = ("die", "segv", "exit", "minus")
    shots = {kind: new_folder(worker, f"poison-{kind}") for kind in kinds}
    with Taker(worker) as taker:
        jobs = {kind: taker.submit(request(shots[kind], "1-4", f"{kind}@1")).job for kind in kinds}
        healthy = taker.submit(request(new_folder(worker, "healthy"), "1-4")).job
        for job in (*jobs.values(), healthy):
            taker.follow(job)
        for kind, job in jobs.items():
            done = taker.done(job)
            assert (done.state, done.code) == ("failed", "E_WORKER_CRASHED"), done
            assert "3 times one after another" in done.message
            assert done.frames == 1
            assert sorted(taker.held[job]) == [1]
            deaths = (shots[kind] / ("died" if kind == "die" else kind)).read_text().splitlines()
            # The attempt that finished a frame does not count.
            assert len(deaths) == 4, kind
        assert taker.done(healthy).state == "done"
    still_sound(worker)


# ---- the server ---------------------------------------------------------------------------------


def test_server_is_killed_again_and_again(tmp_path: Path) -> None:
    """Case 2: what ran goes on at the first frame that is missing, and clients see another boot."""
    with faulty_worker(tmp_path) as worker:
        shots, out = new_folder(worker, "plate"), new_folder(worker, "waiting")
        asked, waits = request(shots, "1-9", "slow"), request(out, "1-2")
        taker = Taker(worker)
        taker.hello()
        job, waiting = taker.submit(asked).job, taker.submit(waits).job
        taker.follow(job)
        boots = {worker.connection.boot}
        for _ in range(3):
            taker.take_more(job)
            orphans = worker.runners
            worker.kill()
            taker.take(0.1)
            taker.close()
            told = dict(taker.held[job])
            worker.start()
            boots.add(worker.connection.boot)
            taker = Taker(worker, before=taker)
            taker.hello()
            assert taker.submit(asked, job).dup
            taker.follow(job)
            assert not [pid for pid in orphans if _lives(pid)]
        assert len(boots) == 4
        assert taker.done(job).frames == 9
        assert told.items() <= taker.held[job].items()
        assert sorted(taker.held[job]) == list(range(1, 10))
        taker.follow(waiting)
        assert taker.done(waiting).state == "done"
        taker.close()
        whole(shots, range(1, 10))
        still_sound(worker)


def test_job_that_kills_the_whole_worker(tmp_path: Path) -> None:
    """Case 5: three times without a new frame, and it is not begun a fourth time."""
    with faulty_worker(tmp_path) as worker:
        shots = new_folder(worker, "plate")
        with Taker(worker) as taker:
            job = taker.submit(request(shots, "1-4", "hang@0")).job
        marks = shots / "hang"
        for _ in range(3):
            worker.wait_until(marks.exists, "the job has begun")
            worker.kill()
            marks.unlink()
            worker.start()
        with Taker(worker) as taker:
            taker.follow(job)
            done = taker.done(job)
            assert (done.state, done.code) == ("failed", "E_WORKER_CRASHED")
        still_sound(worker)


POINTS = [
    "journal:Journal.add_job:within:1",
    "journal:Journal.add_job:after:1",
    "journal:Journal.move:before:1",  # to run
    "journal:Journal.move:after:1",
    "supervisor:Runner.give:after:1",
    "journal:Journal.set_total:within:1",
    "journal:Journal.add_frame:within:3",
    "journal:Journal.add_frame:after:3",
    "journal:Journal.forgive:within:1",
    "journal:Journal.add_seconds:within:1",
    "journal:Journal.move:before:2",  # done
    "journal:Journal.move:after:2",
    "server:_send:before:4",
    "server:_send:after:6",
]


@pytest.mark.parametrize("point", POINTS)
def test_server_dies_on_the_way_of_a_job(tmp_path: Path, point: str) -> None:
    """Case 3: wherever it dies, the client that asks again gets the same plate, each frame once."""
    with faulty_worker(tmp_path, point=point) as worker:
        shots = shots_of(worker) / "plate"
        asked, job = request(shots, "1-4"), new_id()
        taker = Taker(worker)
        _drive_to_its_death(worker, taker, asked, job)
        known = job in taker.accepted
        made = {path.name: path.stat().st_ino for path in shots.glob("*.exr")}
        worker.start()
        with Taker(worker, before=taker) as taker:
            accepted = taker.submit(asked, job)
            assert accepted.dup or not known
            taker.follow(job)
            done = taker.done(job)
            assert (done.state, done.frames) == ("done", 4), done
            taker.again(job)
            taker.done(job)
            assert sorted(taker.held[job]) == [1, 2, 3, 4]
        whole(shots, range(1, 5))
        inodes = {path.name: path.stat().st_ino for path in shots.glob("*.exr")}
        assert made.items() <= inodes.items()
        still_sound(worker)


PIXEL_POINTS = [
    "spool:Upload.put:after:1",  # a piece
    "spool:Upload.put:before:4",
    "journal:Journal.move:before:1",  # the plate is whole: to be queued
    "journal:Journal.move:after:1",
    "journal:Journal.ack:before:2",
    "journal:Journal.ack:after:2",
    "spool:Spool.drop:before:2",
    "spool:Spool.remove_plate:before:1",
]


@pytest.mark.parametrize("point", PIXEL_POINTS)
def test_server_dies_on_the_way_of_pixels(tmp_path: Path, point: str) -> None:
    """Case 3: a plate in pieces arrives whole, and what is acknowledged comes no more."""
    with faulty_worker(tmp_path, point=point) as worker:
        asked, job = plate(5, 4, 4), new_id()
        taker = Taker(worker)
        _drive_to_its_death(worker, taker, asked, job)
        worker.start()
        with Taker(worker, before=taker) as taker:
            need = taker.submit(asked, job).need
            _put(taker, job, asked, need)
            taker.follow(job)
            done = taker.done(job)
            assert (done.state, done.frames) == ("done", 4), done
            assert sorted(taker.held[job]) == [1, 2, 3, 4]
            taker.take_until(lambda: taker.safe[job] == {1, 2, 3, 4}, "all are safe")
            taker.again(job)
            taker.done(job)
            assert not taker.held[job]
        left = list((worker.places.state / "spool" / job).rglob("*.f16"))
        assert not left, "neither what came in is left, nor what went out"
        still_sound(worker)


@pytest.mark.parametrize("when", ["within", "after"])
def test_server_dies_as_it_recovers(tmp_path: Path, when: str) -> None:
    """Case 3: a start that is cut short changes nothing for the next."""
    with faulty_worker(tmp_path) as worker:
        shots = new_folder(worker, "plate")
        with Taker(worker) as taker:
            job = taker.submit(request(shots, "1-6", "slow")).job
            taker.follow(job)
            taker.take_more(job, 2)
            worker.kill()
            held = taker.held
    with faulty_worker(tmp_path, point=f"journal:Journal.recover:{when}:1", start=False) as worker:
        worker.start(wait=False)
        assert worker.process is not None
        assert worker.process.wait(timeout=60) == -signal.SIGKILL
        worker.start()
        with Taker(worker) as taker:
            taker.held = held
            taker.follow(job)
            assert taker.done(job).frames == 6
            assert sorted(taker.held[job]) == list(range(1, 7))
        whole(shots, range(1, 7))
        still_sound(worker)


@pytest.mark.parametrize(
    "point",
    [
        "journal:Journal.move:before:2",  # to be cancelled
        "journal:Journal.move:after:2",
        "journal:Journal.move:before:3",  # cancelled
    ],
)
def test_server_dies_as_it_cancels(tmp_path: Path, point: str) -> None:
    """Case 3: a cancel that was heard is heeded, and one that was not may be said again."""
    with faulty_worker(tmp_path, point=point) as worker:
        shots = new_folder(worker, "plate")
        taker = Taker(worker)
        taker.hello()
        job = taker.submit(request(shots, "1-100", "slow")).job
        taker.follow(job)
        taker.take_more(job)
        taker.send(m.Cancel(id=new_id(), job=job))
        _until_dead(worker, taker)
        heard = any(a.state == "cancelling" for a in taker.all_heard(m.Accepted, 0))
        taker.close()
        worker.start()
        with Taker(worker, before=taker) as taker:
            taker.send(m.List(id=new_id(), job=job))
            (row,) = taker.hear(m.Jobs).jobs
            if heard or point != "journal:Journal.move:before:2":
                assert row.state == "cancelled" or not heard
            taker.cancel(job)
            taker.follow(job)
            done = taker.done(job)
            assert (done.state, done.code) == ("cancelled", "E_CANCELLED")
            taker.again(job)
            taker.done(job)
            whole(shots, taker.held[job])
        still_sound(worker)


# ---- what the tests above have in common --------------------------------------------------------


def _until_dead(worker: RunningWorker, taker: Taker) -> None:
    """Take what comes until the worker has killed itself."""
    assert worker.process is not None
    deadline = time.monotonic() + 60
    while worker.process.poll() is None:
        assert time.monotonic() < deadline, "the point was not reached"
        taker.take(0.02)
    assert worker.process.returncode == -signal.SIGKILL
    taker.take(0.05)


def _drive_to_its_death(worker: RunningWorker, taker: Taker, asked: m.Request, job: str) -> None:
    """Submit, follow and take, without waiting for what may never come."""
    hello = m.Hello(id=new_id(), versions=(1,), client="test", session=taker.session)
    taker.send(hello)
    taker.send(m.Submit(id=new_id(), job=job, request=asked))
    _put(taker, job, asked, 1)
    taker.follow(job)
    _until_dead(worker, taker)
    taker.close()


def _put(taker: Taker, job: str, asked: m.Request, need: int | None) -> None:
    """Send the frames of a plate from one on, if there is one to send, each in two pieces."""
    source = asked.source
    if need is not None and isinstance(source, m.PixelSource):
        size = source.frame_bytes
        for frame in range(need, source.first + source.count):
            taker.send(m.Put(job=job, frame=frame, offset=0), bytes(size // 2))
            taker.send(m.Put(job=job, frame=frame, offset=size // 2), bytes(size - size // 2))


def _kill_who_renders(worker: RunningWorker) -> None:
    """Kill all runners: one of them has the job."""
    for pid in worker.runners:
        os.kill(pid, signal.SIGKILL)


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
