"""What a server lets go of, such as jobs that are over, and what it does not."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from tests.worker.caller import Caller, new_id
from tests.worker.running import QUICK, RunningWorker, running_worker

from lumivid_fx.protocol import messages as m
from lumivid_fx.protocol.places import read_key_pair
from lumivid_fx.protocol.wire import pack, read_worker_message
from lumivid_fx.worker.callers import Buffer
from lumivid_fx.worker.desk import Desk
from lumivid_fx.worker.dispatch import Dispatch
from lumivid_fx.worker.jobs import KEPT_IDLE, PLATE_S, Jobs, Live
from lumivid_fx.worker.journal import Journal
from lumivid_fx.worker.orders import RunnerConfig
from lumivid_fx.worker.roots import Roots
from lumivid_fx.worker.spool import Spool
from lumivid_fx.worker.supervisor import Patience, Runner

OWNER = "k" * 40


class Office:
    """A desk without a socket; what it says is kept."""

    def __init__(self, folder: Path, journal: Journal, runners: Sequence[Runner] = ()) -> None:
        self.said: list[m.WorkerMessage] = []
        (folder / "shots").mkdir()
        self.shots = folder / "shots"
        self.spool = Spool(folder / "spool")
        self.dispatch = Dispatch(Jobs(journal, self.spool), self.spool, runners)
        self.desk = Desk(
            self.dispatch,
            journal,
            self.spool,
            Roots((self.shots,), ()),
            boot=new_id(),
            own_key=lambda: OWNER,
            send=self.send,
        )
        self.hear(m.Hello(id=new_id(), versions=(1,), client="test", session=new_id()))

    def send(self, identity: bytes, parts: Sequence[Buffer]) -> bool:
        """Keep what is said."""
        del identity
        self.said.append(read_worker_message([bytes(part) for part in parts[:2]])[0])
        return True

    def hear(self, *messages: m.ClientMessage) -> None:
        """A client says something; the desk answers and sends what it owes."""
        for message in messages:
            self.desk.hear(b"1", OWNER, pack(message), time.monotonic())
        self.desk.tick(time.monotonic())


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An open journal."""
    with closing(Journal.open(tmp_path / "state")) as opened:
        yield opened


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[RunningWorker]:
    """A worker whose root is ``shots`` beside its home."""
    with running_worker(tmp_path / "home", roots=[tmp_path / "shots"], runner=QUICK) as running:
        yield running


def test_plates_that_break_off_leave_no_file_open(worker: RunningWorker, tmp_path: Path) -> None:
    """A job that is cancelled in the middle of a frame closes what it was written to."""
    pair = read_key_pair(worker.places.keys / "client.key")
    assert pair is not None
    source = m.PixelSource(width=5, height=3, channels=4, first=1, count=3)
    request = m.Request(
        source=source,
        target=str(tmp_path / "shots"),
        settings=m.Settings(input_space="lin_rec709"),
    )
    server = psutil.Process(worker.pid)
    worker.wait_until_ready()
    with Caller(worker.connection, pair) as caller:
        before = server.num_fds()
        for _ in range(5):
            job = caller.submit(request).job
            caller.send(m.Put(job=job, frame=1, offset=0), bytes(10))
            caller.hear(m.Took)
            assert caller.cancel(job).state == "cancelled"
        assert server.num_fds() <= before
        assert not list((worker.places.state / "spool").glob("*/in"))


def test_plates_that_never_come_are_given_up(tmp_path: Path, journal: Journal) -> None:
    """A client that has gone for good in the middle of its plate keeps no place in the queue."""
    office = Office(tmp_path, journal)
    source = m.PixelSource(width=5, height=3, channels=4, first=1, count=3)
    settings = m.Settings(input_space="srgb")
    request = m.Request(source=source, target=str(office.shots), settings=settings)
    job, now = new_id(), time.monotonic()
    office.hear(m.Submit(id=new_id(), job=job, request=request), m.Attach(id=new_id(), job=job))
    office.dispatch.jobs.give_up_plates(now + PLATE_S - 60)
    assert office.dispatch.jobs.unended() == 1
    office.dispatch.jobs.give_up_plates(now + PLATE_S + 60)
    office.hear()
    (done,) = (said for said in office.said if isinstance(said, m.Done))
    assert (done.job, done.state, done.code) == (job, "failed", "E_INPUT")


class BrokenRoots(Roots):
    """Roots with a fault that nobody foresaw."""

    def check(self, path: str, what: str) -> None:
        """Fail."""
        raise KeyError(what, path)


def test_fault_of_ours_ends_one_message(tmp_path: Path, journal: Journal) -> None:
    """It is told and logged; the next message is answered as ever."""
    office = Office(tmp_path, journal)
    office.desk._roots = BrokenRoots((office.shots,), ())
    request = m.Request(source=m.PathSource(path=str(office.shots)), target=str(office.shots))
    office.hear(m.Submit(id=new_id(), job=new_id(), request=request), m.Ping(id=new_id()))
    error, pong = office.said[-2:]
    assert isinstance(error, m.Error)
    assert error.code == "E_INTERNAL"
    assert isinstance(pong, m.Pong)


def test_ended_jobs_are_let_go(tmp_path: Path, journal: Journal) -> None:
    """A connection that stays for weeks costs no more than what is under way on it."""
    office = Office(tmp_path, journal)
    request = m.Request(
        source=m.PathSource(path=str(office.shots / "p.mov")), target=str(office.shots)
    )
    jobs = [new_id() for _ in range(3 * KEPT_IDLE)]
    for job in jobs:
        office.hear(
            m.Submit(id=new_id(), job=job, request=request),
            m.Attach(id=new_id(), job=job),
            m.Cancel(id=new_id(), job=job),
        )
    assert [done.job for done in office.said if isinstance(done, m.Done)] == jobs
    gc.collect()
    assert sum(type(thing) is Live for thing in gc.get_objects()) <= KEPT_IDLE
    # Credit that crosses the news of the end is no mistake of the client's, and asking is no harm.
    office.hear(m.Credit(job=jobs[0], frames=1), m.Attach(id=new_id(), job=jobs[0]))
    assert not [error for error in office.said if isinstance(error, m.Error)]
    assert isinstance(office.said[-1], m.Done)


READY_TWICE = """
import sys
from lumivid_fx.worker.orders import FrameDone, Ready, RunnerEnd
end = RunnerEnd(int(sys.argv[1]))
ready = Ready(device="odd", model="", confined=False)
end.report(ready)
orders = end.orders()
order = next(orders)
end.report(ready)
end.report(FrameDone(job=order.job, frame=1, how="rendered", sha256="0" * 64, size=1, path="/x"))
next(orders)
"""


def test_runner_that_is_ready_again_keeps_its_job(tmp_path: Path, journal: Journal) -> None:
    """One that says so in the middle of a job gets no other: the first would be nobody's."""
    runner = Runner(
        "odd",
        (sys.executable, "-c", READY_TWICE),
        RunnerConfig(roots=(), private=(), cache="", cache_bytes=0),
        os.environ,
        Patience(),
    )
    office = Office(tmp_path, journal, [runner])
    request = m.Request(
        source=m.PathSource(path=str(office.shots / "p.mov")), target=str(office.shots)
    )
    jobs = [new_id(), new_id()]
    office.hear(*(m.Submit(id=new_id(), job=job, request=request) for job in jobs))
    deadline = time.monotonic() + 30
    try:
        while not journal.frames(jobs[0]):
            assert time.monotonic() < deadline
            office.dispatch.work(time.monotonic())
            time.sleep(0.01)
        office.dispatch.work(time.monotonic())
        states = [record.state for job in jobs if (record := journal.job(job)) is not None]
        assert (runner.job, runner.state, states) == (jobs[0], "busy", ["running", "queued"])
    finally:
        office.dispatch.close(time.monotonic())
