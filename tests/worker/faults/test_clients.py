"""Clients that say things twice, vanish, or share a job or a name: jobs and others go on."""

from __future__ import annotations

import hashlib
import itertools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
import zmq
from tests.worker.caller import Caller, new_id
from tests.worker.faults.sound import still_sound, vitals
from tests.worker.faults.taker import Taker
from tests.worker.faults.workers import (
    faulty_worker,
    new_folder,
    own_pair,
    pixel_request,
    plate,
    request,
    shots_of,
    stranger,
)
from tests.worker.quick_runner import pixels
from tests.worker.running import ROOT, RunningWorker

from lumivid_fx.protocol import messages as m
from lumivid_fx.protocol.places import KeyPair
from lumivid_fx.protocol.wire import pack


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorker]:
    """A worker that all tests of this module share."""
    with faulty_worker(tmp_path_factory.mktemp("clients")) as worker:
        still_sound(worker)
        yield worker


# ---- said again ---------------------------------------------------------------------------------


class Recorder(Taker):
    """Keeps all that it says, to say it again."""

    said: tuple[list[bytes], ...] = ()

    def __enter__(self) -> Recorder:
        self.hello()
        return self

    def send_raw(self, parts: list[bytes]) -> None:
        """Say anything."""
        self.said = (*self.said, parts)
        super().send_raw(parts)


def test_everything_is_said_again(worker: RunningWorker) -> None:
    """Case 18: in order, backwards, by somebody else, to the next start: nothing is done twice."""
    shots = new_folder(worker, "again")
    with Recorder(worker) as recorder:
        done = recorder.run(request(shots, "1-4"))
        sent = recorder.submit(plate(5, 4, 2)).job
        for frame in (1, 2):
            recorder.send(m.Put(job=sent, frame=frame, offset=0), bytes(5 * 4 * 4 * 2))
        recorder.follow(sent)
        recorder.done(sent)
        recorder.take_until(lambda: recorder.safe[sent] == {1, 2}, "all are safe")
        cancelled = recorder.submit(request(new_folder(worker, "not"), "1-100", "slow")).job
        recorder.cancel(cancelled)
        recorder.follow(cancelled)
        recorder.done(cancelled)
    mine, foreign = own_pair(worker), stranger(worker, "replayer")
    jobs = _rows(worker, mine)
    assert {jobs[done.job].state, jobs[sent].state, jobs[cancelled].state} == {"done", "cancelled"}
    inodes = {path.name: path.stat().st_ino for path in shots.iterdir()}
    runs = _runs(worker)
    for pair, turn in itertools.product((mine, foreign), (1, -1)):
        with Taker(worker, pair) as again:
            for parts in (*recorder.said[::turn], *recorder.said[::turn]):
                again.send_raw(parts)
            for message in recorder.said[0][1], pack(m.Ping(id="f" * 32))[1]:
                again.send_raw([b"LVX1", message])
            again.hear(m.Pong, lambda pong: pong.re == "f" * 32)
            again.take(0.1)
            assert not again.held[sent], "pixels that are acknowledged come no more"
    worker.kill()
    worker.start()
    with Taker(worker) as again:
        for parts in recorder.said:
            again.send_raw(parts)
        again.hear(m.Done, lambda said: said.job == cancelled)
    assert _rows(worker, mine) == jobs
    assert _rows(worker, foreign) == {}
    assert _runs(worker) == runs
    assert {path.name: path.stat().st_ino for path in shots.iterdir()} == inodes
    still_sound(worker)


def test_acks_of_what_never_was(worker: RunningWorker) -> None:
    """Case 18: of a frame that is not finished, of other bytes, too early, too late."""
    with Taker(worker) as taker:
        job = taker.submit(pixel_request(shots_of(worker), "1-3", "slow")).job
        right = hashlib.sha256(pixels(3)).hexdigest()
        taker.send(m.Ack(job=job, frame=3, sha256=right))
        assert taker.error().code == "E_BAD_ACK"
        taker.follow(job)
        taker.done(job)
        for number, digest in ((3, "0" * 64), (4, right), (-1, right)):
            taker.send(m.Ack(job=job, frame=number, sha256=digest))
            assert taker.error().code == "E_BAD_ACK"
        taker.take_until(lambda: taker.safe[job] == {1, 2, 3}, "all are safe")
        taker.send(m.Ack(job=job, frame=3, sha256=right))
        taker.send(m.Ack(job=new_id(), frame=3, sha256=right))
        assert taker.error().code == "E_NO_JOB"
    still_sound(worker)


# ---- gone ---------------------------------------------------------------------------------------

STAGES = ("hello", "submit", "piece", "plate", "attach", "credit", "frame", "ack", "cancel")


@pytest.mark.parametrize("stage", STAGES)
def test_client_vanishes(worker: RunningWorker, stage: str) -> None:
    """Case 19: at whatever moment; the job ends, and what it made waits for the next connection."""
    job, asked, piece = new_id(), plate(5, 4, 3), bytes(5 * 4 * 4 * 2)
    first = Taker(worker)
    steps: dict[str, Callable[[], object]] = {
        "hello": first.hello,
        "submit": lambda: first.submit(asked, job),
        "piece": lambda: _send_plate(first, job, [piece[:100]]),
        "plate": lambda: _send_plate(first, job, [piece] * 3),
        "attach": lambda: first.attach(job),
        "credit": lambda: first.send(m.Credit(job=job, frames=1)),
        "frame": lambda: first.take_more(job),
        "ack": lambda: first.take_until(lambda: bool(first.safe[job]), "the ack is heard"),
        "cancel": lambda: first.cancel(job),
    }
    for each in STAGES[: STAGES.index(stage) + 1]:
        steps[each]()
    first.close()
    with Taker(worker, before=first) as taker:
        need = taker.submit(asked, job).need
        if need is not None:
            _send_plate(taker, job, [piece] * (4 - need), need)
        taker.follow(job)
        done = taker.done(job)
        assert done.state == "done" or stage == "cancel"
        assert sorted(taker.held[job]) == list(range(1, done.frames + 1))
    still_sound(worker)


def test_client_process_is_killed_or_stopped(worker: RunningWorker) -> None:
    """Case 19: a cable that is cut says nothing; others are served, and a new client takes over."""
    script = """if True:
        import sys
        from pathlib import Path
        from tests.worker.faults.taker import Taker
        from tests.worker.faults.workers import pixel_request
        from tests.worker.running import RunningWorker
        taker = Taker(RunningWorker(Path(sys.argv[1]), [], {}))
        taker.hello()
        asked = pixel_request(Path(sys.argv[1]).parent / "shots", "1-12", "slow,edge200")
        job = taker.submit(asked).job
        taker.follow(job)
        while True:
            taker.take_more(job)
            print(job, flush=True)
    """
    home = worker.places.keys.parent
    for number in (signal.SIGKILL, signal.SIGSTOP):
        with subprocess.Popen(
            [sys.executable, "-c", script, str(home)], stdout=subprocess.PIPE, cwd=ROOT
        ) as client:
            try:
                assert client.stdout is not None
                lines = [client.stdout.readline().decode().strip() for _ in range(3)]
                client.send_signal(number)
                with Taker(worker) as taker:
                    other = taker.submit(request(new_folder(worker, "other"), priority=1)).job
                    taker.follow(lines[0])
                    done = taker.done(lines[0])
                    assert (done.state, done.frames) == ("done", 12)
                    # The first may have been acknowledged; those that were not are all there.
                    held = sorted(taker.held[lines[0]])
                    assert held == list(range(held[0], 13))
                    assert held[0] <= 5
                    taker.follow(other)
                    assert taker.done(other).frames == 4
            finally:
                client.kill()
    still_sound(worker)


def test_connections_that_never_speak(worker: RunningWorker) -> None:
    """Case 19: two hundred that say nothing or rubbish keep nobody out, and are shown the door."""
    port = int(worker.connection.endpoint.rpartition(":")[2])
    with ExitStack() as stack:
        for number in range(200):
            idle = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            if number % 2:
                idle.sendall(os.urandom(100))
        with Taker(worker) as taker:
            assert taker.run(request(new_folder(worker, "idle"))).frames == 4
        still_sound(worker)  # waits until their handles are given back


def test_too_many_connections(tmp_path: Path) -> None:
    """Case 19: with all handles taken a runner that dies is not replaced, until there is room."""
    before = ("prlimit", "--nofile=60")
    with faulty_worker(tmp_path, before=before) as worker:
        still_sound(worker)
        with Taker(worker) as taker:
            others = [Caller(worker.connection, own_pair(worker)) for _ in range(60)]
            worker.wait_until(lambda: vitals(worker).handles >= 59, "all handles are taken")
            (pid,) = worker.runners
            os.kill(pid, signal.SIGKILL)
            worker.wait_until(lambda: worker.logged("cannot be started"), "it says so")
            taker.send(ping := m.Ping(id=new_id()))
            assert taker.hear(m.Pong, lambda pong: pong.re == ping.id).devices[0].state == "down"
            for other in others:
                other.close()
        still_sound(worker)


# ---- two of a kind ------------------------------------------------------------------------------


def test_two_clients_of_one_job(worker: RunningWorker) -> None:
    """Case 20: both hear of it; its pixels go to the last, and none is lost on the way over."""
    with Taker(worker) as first, Taker(worker) as second:
        job = first.submit(pixel_request(shots_of(worker), "1-10", "slow,edge100")).job
        first.follow(job)
        first.take_more(job, 3)
        second.held[job] = dict(first.held[job])
        second.follow(job)
        second.take_more(job, 3)
        first.follow(job)
        assert first.done(job).frames == 10
        assert second.done(job).frames == 10
        # What was on its way to either when the other took over has come to it.
        assert sorted(first.held[job] | second.held[job]) == list(range(1, 11))
    still_sound(worker)


def test_two_connections_of_one_name(worker: RunningWorker) -> None:
    """Case 20: the second is dead, as the protocol's page says, and hears nothing."""
    foreign = stranger(worker, "namesake")
    context = zmq.Context()
    try:
        first = _named(context, worker, own_pair(worker))
        assert b"welcome" in _said(first, 10_000)
        second = _named(context, worker, foreign)
        with Taker(worker) as taker:
            job = taker.submit(request(new_folder(worker, "named"), "1-2")).job
        for each in (second, first):
            each.send_multipart(pack(m.Attach(id=new_id(), job=job)))
            each.send_multipart(pack(m.Credit(job=job, frames=8)))
        heard = b""
        while b"done" not in heard:
            assert first.poll(10000)
            heard += first.recv_multipart()[1]
        assert not second.poll(100)
        first.close(linger=0)
        second.close(linger=0)
        third = _named(context, worker, own_pair(worker))
        worker.wait_until(lambda: b"welcome" in _said(third, 200), "the name is free again")
    finally:
        context.destroy(linger=0)
    still_sound(worker)


def test_another_user_has_no_say(worker: RunningWorker) -> None:
    """Case 20: to any other key there is no such job, whatever it asks."""
    foreign = Taker(worker, stranger(worker, "foreign"))
    foreign.hello()
    with Taker(worker) as taker:
        job = taker.submit(request(new_folder(worker, "mine"), "1-5", "slow")).job
        taker.follow(job)
        taker.take_more(job)
        for message in (
            m.Cancel(id=new_id(), job=job),
            m.Attach(id=new_id(), job=job),
            m.Submit(id=new_id(), job=job, request=request(shots_of(worker))),
            m.Ack(job=job, frame=1, sha256=taker.held[job][1].sha256),
        ):
            foreign.send(message)
            assert foreign.error().code == "E_NO_JOB"
        assert taker.done(job).state == "done"
    foreign.close()
    still_sound(worker)


# ---- what the tests above have in common --------------------------------------------------------


def _send_plate(taker: Taker, job: str, pieces: list[bytes], first: int = 1) -> None:
    """Send the beginnings of frames, and wait until they have been taken in."""
    for number, piece in enumerate(pieces, start=first):
        taker.send(m.Put(job=job, frame=number, offset=0), piece)
        taker.hear(m.Took)


def _rows(worker: RunningWorker, pair: KeyPair) -> dict[str, m.JobRow]:
    """All jobs of a user, but for what changes with the clock."""
    with Taker(worker, pair) as taker:
        taker.send(m.List(id=new_id()))
        return {
            row.job: msgspec.structs.replace(row, updated=0.0) for row in taker.hear(m.Jobs).jobs
        }


def _runs(worker: RunningWorker) -> int:
    """How often a job was given to a runner."""
    return sum(line["message"] == "job runs" for line in worker.log())


def _named(
    context: zmq.Context[zmq.Socket[bytes]], worker: RunningWorker, pair: KeyPair
) -> zmq.Socket[bytes]:
    """A connection with a routing id of its own choice."""
    named = context.socket(zmq.DEALER)
    named.linger = 0
    named.setsockopt(zmq.ROUTING_ID, b"the one and only")
    named.curve_serverkey = worker.connection.public_key.encode()
    named.curve_publickey = pair.public.encode()
    named.curve_secretkey = pair.secret.encode()
    named.connect(worker.connection.endpoint)
    return named


def _said(named: zmq.Socket[bytes], patience_ms: int) -> bytes:
    """What is answered to a hello; nothing if nothing comes in time."""
    hello = m.Hello(id=new_id(), versions=(1,), client="test", session=new_id())
    named.send_multipart(pack(hello))
    return named.recv_multipart()[1] if named.poll(patience_ms) else b""
