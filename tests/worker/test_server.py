"""The server by its socket, with a runner that makes small files: what clients may rely on."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest
import zmq
from tests.worker.caller import Caller, new_id
from tests.worker.quick_runner import pixels
from tests.worker.running import QUICK, RunningWorker, running_worker

from lumivid_fx.protocol import messages as m
from lumivid_fx.protocol.places import KeyPair, read_key_pair
from lumivid_fx.protocol.wire import pack


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorker]:
    """A worker that all tests of this module share; its root is ``shots`` beside its home."""
    folder = tmp_path_factory.mktemp("worker")
    with running_worker(folder / "home", roots=[folder / "shots"], runner=QUICK) as running:
        yield running


@pytest.fixture
def shots(worker: RunningWorker, request: pytest.FixtureRequest) -> Path:
    """A folder in the worker's root for one test alone."""
    name = "".join(c if c.isalnum() else "_" for c in request.node.name)
    folder = worker.places.keys.parents[1] / "shots" / name
    folder.mkdir()
    return folder


@pytest.fixture
def call(worker: RunningWorker) -> Iterator[Callable[..., Caller]]:
    """Make connections of the worker's own user, who have said hello."""
    made = []

    def connect(session: str | None = None, *, pair: KeyPair | None = None) -> Caller:
        caller = Caller(worker.connection, pair or own_pair(worker), session)
        made.append(caller)
        caller.hello()
        return caller

    yield connect
    for caller in made:
        caller.close()


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
    """A job of the quick runner."""
    asked = m.Request(
        source=m.PathSource(path=f"{shots}/plate.mp4"), frames=frames, target=str(shots / "out")
    )
    return msgspec.structs.replace(asked, label=label, **more)


def pixel_request(shots: Path, frames: str = "1-4", label: str = "") -> m.Request:
    """The same, with pixels for an answer."""
    return request(shots, frames, label, deliver="pixels", target=None)


def test_welcome_says_what_there_is(worker: RunningWorker, call: Callable[..., Caller]) -> None:
    """Release, boot, roots and limits; the runner gets ready."""
    caller = call()
    welcome = caller.hello()
    assert welcome.boot == worker.connection.boot
    assert welcome.limits == m.Limits()
    assert [Path(root).name for root in welcome.roots] == ["shots"]
    worker.wait_until_ready()
    ping = m.Ping(id=new_id())
    caller.send(ping)
    pong = caller.hear(m.Pong)
    assert pong.re == ping.id
    assert [(device.name, device.state) for device in pong.devices] == [("quick", "ready")]


def test_job_from_submit_to_done(call: Callable[..., Caller], shots: Path) -> None:
    """Accepted, followed, delivered in order with digests that hold, done."""
    caller = call()
    job = caller.submit(request(shots)).job
    caller.attach(job)
    caller.send(m.Credit(job=job, frames=10))
    for number in (1, 2, 3, 4):
        frame = caller.hear(m.Frame)
        assert (frame.job, frame.frame, frame.how, frame.shape) == (job, number, "rendered", None)
        content = Path(frame.path or "").read_bytes()
        assert content == pixels(number)
        assert (frame.sha256, frame.size) == (hashlib.sha256(content).hexdigest(), len(content))
    done = caller.done(job)
    assert (done.state, done.frames, done.kept, done.code) == ("done", 4, 0, "")
    progress = caller.all_heard(m.Progress, 0.1)
    assert progress[-1].state == "done"


def test_frames_wait_for_credit(call: Callable[..., Caller], shots: Path) -> None:
    """Two are sent for a credit of two, and the end is told after the last."""
    caller = call()
    job = caller.submit(request(shots)).job
    caller.attach(job)
    caller.send(m.Credit(job=job, frames=2))
    assert [caller.hear(m.Frame).frame for _ in range(2)] == [1, 2]
    caller.hear(m.Progress, lambda p: p.state == "done")
    assert not caller.all_heard(m.Frame, 0.3)
    assert not caller.all_heard(m.Done, 0.0)
    caller.send(m.Credit(job=job, frames=2))
    assert [caller.hear(m.Frame).frame for _ in range(2)] == [3, 4]
    caller.done(job)


def test_follower_without_frames_hears_the_end(call: Callable[..., Caller], shots: Path) -> None:
    """Who wants no frames needs no credit."""
    caller = call()
    job = caller.submit(request(shots)).job
    caller.attach(job, frames=False)
    assert caller.done(job).state == "done"
    assert not caller.all_heard(m.Frame, 0.1)


def test_submit_is_idempotent(
    worker: RunningWorker, call: Callable[..., Caller], shots: Path
) -> None:
    """The same id with the same request is the same job; another request or owner is refused."""
    caller, job = call(), new_id()
    assert not caller.submit(request(shots), job).dup
    again = caller.submit(request(shots), job)
    assert again.dup
    caller.attach(job, frames=False)
    assert caller.done(job).frames == 4
    other = m.Submit(id=new_id(), job=job, request=request(shots, "1-5"))
    caller.send(other)
    assert caller.error(other.id).code == "E_JOB_CONFLICT"
    foreign = call(pair=stranger(worker, "foreign"))
    foreign.send(m.Submit(id=new_id(), job=job, request=request(shots)))
    assert foreign.error().code == "E_NO_JOB"


def test_jobs_belong_to_their_key(
    worker: RunningWorker, call: Callable[..., Caller], shots: Path
) -> None:
    """Somebody else sees no job, follows none, cancels none, acknowledges none, stops no worker."""
    caller, foreign = call(), call(pair=stranger(worker, "nosy"))
    job = caller.submit(request(shots, label="slow", frames="1-100")).job
    for message in (
        m.Attach(id=new_id(), job=job),
        m.Cancel(id=new_id(), job=job),
        m.Ack(job=job, frame=1, sha256="0" * 64),
        m.Credit(job=job, frames=1),
    ):
        foreign.send(message)
        assert foreign.error().code == "E_NO_JOB"
    foreign.send(m.List(id=new_id(), job=job))
    assert foreign.hear(m.Jobs).jobs == ()
    foreign.send(m.List(id=new_id()))
    assert foreign.hear(m.Jobs).jobs == ()
    foreign.send(m.Stop(id=new_id()))
    assert foreign.error().code == "E_AUTH"
    caller.send(m.List(id=new_id(), job=job))
    (row,) = caller.hear(m.Jobs).jobs
    assert row.state in ("queued", "running")
    caller.cancel(job)
    caller.attach(job, frames=False)
    assert caller.done(job).state == "cancelled"


def test_cancel_keeps_what_is_finished(call: Callable[..., Caller], shots: Path) -> None:
    """A running job stops after the frame under way, a waiting one at once; twice is harmless."""
    caller = call()
    running = caller.submit(request(shots, "1-200", "slow")).job
    caller.attach(running)
    caller.send(m.Credit(job=running, frames=64))
    caller.hear(m.Frame, lambda f: f.frame == 2)
    waiting = caller.submit(request(shots, "1-4")).job
    assert caller.cancel(waiting).state == "cancelled"
    assert caller.cancel(running).state == "cancelling"
    assert caller.cancel(running).state in ("cancelling", "cancelled")
    done = caller.done(running)
    assert (done.state, done.code) == ("cancelled", "E_CANCELLED")
    files = sorted((shots / "out").glob("*.exr"))
    assert 2 <= len(files) == done.frames < 200
    assert caller.cancel(running).state == "cancelled"


def test_pixels_out(worker: RunningWorker, call: Callable[..., Caller], shots: Path) -> None:
    """Half floats come as a third part; acknowledged, their file goes and they come no more."""
    caller = call()
    job = caller.submit(pixel_request(shots)).job
    caller.attach(job)
    caller.send(m.Credit(job=job, frames=8))
    frames = [caller.hear(m.Frame) for _ in range(4)]
    assert [frame.shape for frame in frames] == [(2, 2, 3)] * 4
    assert caller.payloads == [pixels(number) for number in (1, 2, 3, 4)]
    caller.done(job)
    out = worker.places.state / "spool" / job / "out"
    assert len(list(out.glob("*.f16"))) == 4
    for frame in frames[:2]:
        caller.send(m.Ack(job=job, frame=frame.frame, sha256=frame.sha256))
    worker.wait_until(lambda: len(list(out.glob("*.f16"))) == 2, "acknowledged pixels are gone")
    caller.attach(job)
    caller.send(m.Credit(job=job, frames=8))
    assert [caller.hear(m.Frame).frame for _ in range(2)] == [3, 4]
    caller.done(job)


def test_last_words_are_heard(
    worker: RunningWorker, call: Callable[..., Caller], shots: Path
) -> None:
    """Acks of a client that has hung up count, though what it asked before has no way back."""
    caller = call()
    job = caller.submit(pixel_request(shots)).job
    caller.attach(job)
    caller.send(m.Credit(job=job, frames=8))
    frames = [caller.hear(m.Frame) for _ in range(4)]
    caller.done(job)
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        for frame in frames:
            caller.send(m.Ping(id=new_id()))
            caller.send(m.Ack(job=job, frame=frame.frame, sha256=frame.sha256))
        caller.leave()
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    out = worker.places.state / "spool" / job / "out"
    worker.wait_until(lambda: not list(out.glob("*.f16")), "acknowledged pixels are gone")


def test_ack_of_other_bytes_is_refused(call: Callable[..., Caller], shots: Path) -> None:
    """Neither a frame that was never sent nor another digest counts; the right one does, twice."""
    caller = call()
    job = caller.submit(pixel_request(shots)).job
    caller.attach(job)
    caller.send(m.Credit(job=job, frames=1))
    frame = caller.hear(m.Frame)
    for number, digest in ((1, "0" * 64), (99, frame.sha256)):
        caller.send(m.Ack(job=job, frame=number, sha256=digest))
        assert caller.error().code == "E_BAD_ACK"
    for _ in range(2):
        caller.send(m.Ack(job=job, frame=1, sha256=frame.sha256))
    caller.attach(job)
    caller.send(m.Credit(job=job, frames=1))
    assert caller.hear(m.Frame).frame == 2
    assert not caller.all_heard(m.Error, 0.1)


def test_last_who_attaches_gets_the_pixels(call: Callable[..., Caller], shots: Path) -> None:
    """A client that comes again takes over from its dead self; paths go to everybody."""
    first, second = call(), call()
    job = first.submit(pixel_request(shots, "1-3", "slow")).job
    first.attach(job)
    first.send(m.Credit(job=job, frames=1))
    assert first.hear(m.Frame).frame == 1
    second.attach(job, after=1)
    second.send(m.Credit(job=job, frames=8))
    first.send(m.Credit(job=job, frames=8))
    assert [second.hear(m.Frame).frame for _ in range(2)] == [2, 3]
    second.done(job)
    assert not first.all_heard(m.Frame, 0.2)

    paths = first.submit(request(shots)).job
    for caller in (first, second):
        caller.attach(paths)
        caller.send(m.Credit(job=paths, frames=8))
    for caller in (first, second):
        assert [caller.hear(m.Frame).frame for _ in range(4)] == [1, 2, 3, 4]


def test_pixels_in(worker: RunningWorker, call: Callable[..., Caller], shots: Path) -> None:
    """A plate sent in pieces is rendered once it is whole, and goes when the job has ended."""
    source = m.PixelSource(width=5, height=3, channels=4, first=-1, count=3)
    caller, job = call(), new_id()
    settings = m.Settings(input_space="srgb")
    asked = request(shots, source=source, settings=settings)
    accepted = caller.submit(asked, job)
    assert (accepted.state, accepted.need) == ("receiving", -1)
    caller.attach(job, frames=False)
    size = source.frame_bytes
    caller.send(m.Put(job=job, frame=-1, offset=0), bytes(100))
    assert caller.hear(m.Took) == m.Took(job=job, frame=-1, size=100, whole=False)
    caller.send(m.Put(job=job, frame=-1, offset=100), bytes(size - 100))
    assert caller.hear(m.Took).whole
    caller.send(m.Put(job=job, frame=0, offset=0), bytes(7))

    after_a_loss = call(caller.session)
    assert after_a_loss.submit(asked, job).need == 0
    caller.send(m.Put(job=job, frame=0, offset=7), bytes(size - 7))
    assert caller.error().code == "E_SCHEMA"
    for frame in (0, 1):
        after_a_loss.send(m.Put(job=job, frame=frame, offset=0), bytes(size))
    assert caller.done(job).frames == 3
    assert not (worker.places.state / "spool" / job / "in").exists()
    after_a_loss.send(m.Put(job=job, frame=2, offset=0), bytes(size))
    assert after_a_loss.error().code == "E_SCHEMA"


def test_refusals_name_the_message(call: Callable[..., Caller], shots: Path) -> None:
    """Whatever is wrong with a message is told under its id, and the connection lives on."""
    caller = call()
    for asked, code in (
        (request(shots, "4-1"), "E_RANGE"),
        (request(shots, "1-1000000"), "E_LIMIT"),
        (request(shots, target="/etc/x.####.exr"), "E_PATH"),
        (request(shots, target=None), "E_PATH"),
    ):
        submit = m.Submit(id=new_id(), job=new_id(), request=asked)
        caller.send(submit)
        error = caller.error(submit.id)
        assert (error.code, error.job, error.retry) == (code, submit.job, False)
    caller.send_raw([b"LVX1", b"\x81\xa1t\xa7unknown"])
    assert caller.error("").code == "E_SCHEMA"
    caller.send_raw([b"LVX1"])
    assert caller.error("").code == "E_FRAMING"
    caller.send_raw([b"LVX2", *pack(m.Ping(id=new_id()))[1:]])
    assert caller.error("").code == "E_FRAMING"
    caller.send_raw([b"LVX1", bytes(65537)])
    assert caller.error("").code == "E_TOO_LARGE"
    caller.hello()


def test_nothing_goes_before_hello(worker: RunningWorker, shots: Path) -> None:
    """A connection says what it is first; a version that nobody speaks is refused."""
    caller = Caller(worker.connection, own_pair(worker))
    try:
        submit = m.Submit(id=new_id(), job=new_id(), request=request(shots))
        caller.send(submit)
        assert caller.error(submit.id).code == "E_NO_SESSION"
        caller.send(m.Hello(id=new_id(), versions=(7,), client="x", session=new_id()))
        assert caller.error().code == "E_VERSION"
        caller.send(m.Ping(id=new_id()))
        caller.hear(m.Pong)
    finally:
        caller.close()


def test_sessions_take_turns(call: Callable[..., Caller], shots: Path) -> None:
    """One job of a second session does not wait for all of the first's; priority goes first."""
    many, one = call(), call()
    block = many.submit(request(shots, "1-5", "slow")).job
    batch = [many.submit(request(shots / str(n), "1-1")).job for n in range(4)]
    single = one.submit(request(shots / "one", "1-1")).job
    urgent = many.submit(request(shots / "urgent", "1-1", priority=5)).job
    for job in (block, *batch, single, urgent):
        many.attach(job, frames=False)
    ended = [many.hear(m.Done).job for _ in range(7)]
    assert ended == [block, urgent, single, *batch]


def test_revoked_key_is_out_at_once(
    worker: RunningWorker, call: Callable[..., Caller], shots: Path
) -> None:
    """An open connection is no way to stay."""
    guest = call(pair=stranger(worker, "guest"))
    job = guest.submit(request(shots)).job
    (worker.places.admitted / "guest.key").unlink()
    guest.send(m.List(id=new_id(), job=job))
    assert guest.error().code == "E_AUTH"
    assert not guest.all_heard(m.Jobs, 0.1)


def test_health_follows_the_runner(worker: RunningWorker, call: Callable[..., Caller]) -> None:
    """A runner that dies while idle is told as down or starting, and is back by itself."""
    worker.wait_until_ready()
    caller = call()
    (pid,) = worker.runners
    os.kill(pid, signal.SIGKILL)
    states: list[str] = []
    deadline = time.monotonic() + 30
    while "ready" not in states[1:] or len(set(states)) < 2:
        assert time.monotonic() < deadline, states
        caller.send(m.Ping(id=new_id()))
        states.append(caller.hear(m.Pong).devices[0].state)
        time.sleep(0.02)
    assert {"down", "starting"} & set(states)


def test_dead_clients_leave_nothing(worker: RunningWorker, shots: Path) -> None:
    """Fifty clients that submit, follow and vanish leave the files, sockets and jobs in order."""
    server = psutil.Process(worker.pid)
    with Caller(worker.connection, own_pair(worker)) as caller:
        caller.done(attached(caller, shots))
        before = server.num_fds()
        for _ in range(50):
            vanishing = Caller(worker.connection, own_pair(worker))
            vanishing.hello()
            attached(vanishing, shots)
            vanishing.close()
        worker.wait_until(lambda: server.num_fds() <= before + 2, "its sockets are closed")
        last = attached(caller, shots)
        assert caller.done(last).state == "done"
        caller.send(m.List(id=new_id(), ended=False))
        assert caller.hear(m.Jobs).jobs == ()


def attached(caller: Caller, shots: Path) -> str:
    """A job that is followed."""
    job = caller.submit(request(shots)).job
    caller.attach(job, frames=False)
    return job
