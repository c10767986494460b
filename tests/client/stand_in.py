"""A worker that does what a test tells it, for what the real one will not do on demand.

It is a real ROUTER with CURVE and ZAP in a thread of its own, speaks LVX/1, and keeps its jobs when
it is "restarted" with another port and boot. A job's frames are those of its request, eight if it
names none; pixels of frame n are all n over 64. Mischief is asked for by the attributes.
"""

from __future__ import annotations

import hashlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TypeVar
from uuid import uuid4

import zmq
from zmq.utils import z85

from lumivid_fx.protocol import messages as m
from lumivid_fx.protocol.job_state import JobState
from lumivid_fx.protocol.places import Connection, KeyPair, Places, write_connection
from lumivid_fx.protocol.wire import pack, read_client_message, request_digest

PATIENCE_S = 20.0
"""How long a test waits for what must come; a busy machine is slow."""

BEAT_S = 0.2
"""Heartbeat of a stand-in: a lost one is found within a second."""

DOMAIN = b"lumivid"

Said = TypeVar("Said", bound=m.Message)


def pixels(frame: int, edge: int = 2) -> bytes:
    """Half floats of a frame, `edge edge 3`."""
    return struct.pack("<e", frame / 64) * (edge * edge * 3)


def own_places(home: Path) -> Places:
    """Folders of a user of the test's own."""
    return Places.of({"LUMIVID_HOME": str(home)})


def new_pair() -> KeyPair:
    """A key pair of nobody in particular."""
    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode(), secret.decode())


def wait_until(when: Callable[[], bool], what: str) -> None:
    """Look until something is the case."""
    deadline = time.monotonic() + PATIENCE_S
    while not when():
        assert time.monotonic() < deadline, f"{what}: not so"
        time.sleep(0.005)


@dataclass
class Follower:
    """What a connection wants of a job."""

    frames: bool
    after: int | None
    credit: int = 0
    ended: bool = False


@dataclass
class Held:
    """A job as the stand-in has it."""

    request: m.Request
    acked: dict[int, str] = field(default_factory=dict)
    plate: dict[int, bytearray] = field(default_factory=dict)
    cancelled: bool = False

    @property
    def numbers(self) -> range:
        """Its frames."""
        source = self.request.source
        if isinstance(source, m.PixelSource):
            return range(source.first, source.first + source.count)
        first, _, last = (self.request.frames or "1-8").partition("-")
        return range(int(first), int(last or first) + 1)

    @property
    def need(self) -> int | None:
        """The first frame of its plate that is not whole."""
        source = self.request.source
        if isinstance(source, m.PathSource):
            return None
        whole = {n for n, held in self.plate.items() if len(held) == source.frame_bytes}
        return next((n for n in self.numbers if n not in whole), None)


class StandIn:
    """The worker.

    Attributes:
        said: All that clients have said, in order, with the boot that heard it.
        jobs: Jobs by id; they survive a restart.
        limit: How many frames of a job are finished; the job ends when all are.
        fails: Jobs end with this code when `limit` frames are finished.
        spoil: Frames whose digest is wrong, and how often still.
        deaf_to: Kinds of messages that are not answered.
        refuse: Kinds of messages that are answered with this error code.
        edge: Side of a frame, pixels.
        owed: Most frames that were ever sent and not acknowledged.
        skip: Frames that are finished and never sent.
    """

    def __init__(self, places: Places, admitted: str | None = None) -> None:
        self.places = places
        self.pair = new_pair()
        self.told: KeyPair | None = None
        self.admitted = admitted
        self.boot = ""
        self.endpoint = ""
        self.said: list[tuple[str, m.ClientMessage]] = []
        self.jobs: dict[str, Held] = {}
        self.limit = 10**9
        self.fails = ""
        self.spoil: dict[int, int] = {}
        self.deaf_to: set[type[m.Message]] = set()
        self.refuse: dict[type[m.Message], str] = {}
        self.edge = 2
        self.owed = 0
        self.sent: list[int] = []
        self.skip: set[int] = set()
        self.limits = m.Limits(heartbeat_s=BEAT_S)
        self._extra: list[list[bytes]] = []
        self._follows: dict[tuple[bytes, str], Follower] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._end = threading.Event()

    def __enter__(self) -> StandIn:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Begin, with a new boot and port."""
        self.boot = uuid4().hex
        self._end.clear()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(PATIENCE_S)

    def stop(self) -> None:
        """Vanish, as one that is killed."""
        self._end.set()
        if self._thread is not None:
            self._thread.join(PATIENCE_S)
            assert not self._thread.is_alive()

    def restart(self) -> None:
        """Vanish and come back elsewhere."""
        self.stop()
        self.start()

    def say(self, message: m.WorkerMessage) -> None:
        """Say something to everybody."""
        self.say_raw([*pack(message)])

    def say_raw(self, parts: list[bytes]) -> None:
        """Say anything to everybody."""
        with self._lock:
            self._extra.append(parts)

    def heard(self, kind: type[Said], boot: str = "") -> list[Said]:
        """What clients have said of a kind, to one boot or all."""
        with self._lock:
            said = list(self.said)
        return [each for at, each in said if isinstance(each, kind) and boot in ("", at)]

    # ---- the thread -----------------------------------------------------------------------------

    def _run(self, ready: threading.Event) -> None:
        context = zmq.Context()
        zap = context.socket(zmq.REP)
        zap.bind("inproc://zeromq.zap.01")
        router = context.socket(zmq.ROUTER)
        for option, value in ((zmq.LINGER, 0), (zmq.ROUTER_MANDATORY, 1), (zmq.SNDHWM, 1000)):
            router.setsockopt(option, value)
        router.curve_server = True
        router.curve_secretkey = self.pair.secret.encode()
        router.zap_domain = DOMAIN
        port = router.bind_to_random_port("tcp://127.0.0.1")
        self.endpoint = f"tcp://127.0.0.1:{port}"
        told = self.told or self.pair
        write_connection(
            self.places.connection, Connection(self.endpoint, told.public, 1, self.boot, (1,))
        )
        ready.set()
        poller = zmq.Poller()
        poller.register(zap, zmq.POLLIN)
        poller.register(router, zmq.POLLIN)
        self._follows = {}
        callers: set[bytes] = set()
        try:
            while not self._end.is_set():
                events = dict(poller.poll(5))
                if zap in events:
                    self._admit(zap)
                if router in events:
                    identity, *parts = router.recv_multipart()
                    callers.add(identity)
                    for answer in self._answer(identity, parts):
                        self._send(router, identity, pack(answer))
                with self._lock:
                    extra, self._extra = self._extra, []
                for words in extra:
                    for identity in callers:
                        self._send(router, identity, words)
                for (identity, job), follower in list(self._follows.items()):
                    self._serve(router, identity, job, follower)
        finally:
            context.destroy(linger=0)

    def _admit(self, zap: zmq.Socket[bytes]) -> None:
        version, request, domain, _, _, mechanism, key = zap.recv_multipart()
        assert (version, domain, mechanism) == (b"1.0", DOMAIN, b"CURVE")
        public = z85.encode(key)
        admitted = self.admitted in (None, public.decode())
        status = [b"200", b"OK"] if admitted else [b"400", b"not admitted"]
        zap.send_multipart([version, request, *status, public, b""])

    def _send(self, router: zmq.Socket[bytes], identity: bytes, parts: Sequence[bytes]) -> None:
        try:
            router.send_multipart([identity, *parts])
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:  # its connection is gone
                raise

    def _answer(self, identity: bytes, parts: list[bytes]) -> list[m.WorkerMessage]:
        message, payload = read_client_message(parts)
        with self._lock:
            self.said.append((self.boot, message))
        if type(message) in self.deaf_to:
            return []
        re, job = getattr(message, "id", ""), getattr(message, "job", "") or ""
        code = self.refuse.get(type(message), "")
        if job and job not in self.jobs and not isinstance(message, m.Submit):
            code = code or "E_NO_JOB"
        if code:
            return [m.Error(re=re, code=code, message=f"as told: {code}", retry=False, job=job)]
        match message:
            case m.Hello():
                return [self._welcome(re)]
            case m.Ping():
                return [m.Pong(re=re, boot=self.boot, devices=())]
            case m.Submit():
                return [self._submit(message)]
            case m.List():
                return [m.Jobs(re=re, jobs=())]
            case m.Stop():
                return [m.Drain(boot=self.boot)]
            case _:
                return self._answer_of_job(identity, message, payload)

    def _answer_of_job(
        self,
        identity: bytes,
        message: m.Attach | m.Credit | m.Ack | m.Cancel | m.Put,
        payload: bytes | memoryview,
    ) -> list[m.WorkerMessage]:
        job = message.job
        match message:
            case m.Attach():
                self._follows[identity, job] = Follower(message.frames, message.after)
                return [self._accepted(message.id, job), m.Progress(job=job, state="running")]
            case m.Credit():
                self._follows[identity, job].credit += message.frames
            case m.Ack():
                self.jobs[job].acked[message.frame] = message.sha256
            case m.Cancel():
                self.jobs[job].cancelled = True
                return [self._accepted(message.id, job)]
            case m.Put():
                return [self._put(message, payload)]
        return []

    def _welcome(self, re: str) -> m.Welcome:
        return m.Welcome(
            re=re,
            version=1,
            worker="stand-in",
            boot=self.boot,
            devices=(),
            roots=("/",),
            jobs=len(self.jobs),
            limits=self.limits,
        )

    def _submit(self, submit: m.Submit) -> m.WorkerMessage:
        known = self.jobs.get(submit.job)
        if known is not None and request_digest(known.request) != request_digest(submit.request):
            return m.Error(
                re=submit.id, code="E_JOB_CONFLICT", message="another", retry=False, job=submit.job
            )
        if known is None:
            self.jobs[submit.job] = Held(submit.request)
        elif (need := known.need) is not None:
            known.plate.pop(need, None)
        return self._accepted(submit.id, submit.job, dup=known is not None)

    def _accepted(self, re: str, job: str, *, dup: bool = True) -> m.Accepted:
        need = self.jobs[job].need
        state: JobState = "queued" if need is None else "receiving"
        return m.Accepted(re=re, job=job, state=state, dup=dup, need=need)

    def _put(self, put: m.Put, payload: bytes | memoryview) -> m.WorkerMessage:
        held = self.jobs[put.job]
        source = held.request.source
        assert isinstance(source, m.PixelSource)
        piece = held.plate.setdefault(put.frame, bytearray())
        if put.frame != held.need or put.offset != len(piece):
            return m.Error(re="", code="E_SCHEMA", message="elsewhere", retry=False, job=put.job)
        piece += payload
        return m.Took(
            job=put.job,
            frame=put.frame,
            size=len(piece),
            whole=len(piece) == source.frame_bytes,
        )

    def _serve(
        self, router: zmq.Socket[bytes], identity: bytes, job: str, follower: Follower
    ) -> None:
        held = self.jobs[job]
        if follower.ended or held.need is not None:
            return
        finished = held.numbers[: self.limit]
        ended = held.cancelled or bool(self.fails) or len(finished) == len(held.numbers)
        if follower.frames:
            for number in finished:
                if follower.after is not None and number <= follower.after:
                    continue
                if not follower.credit:
                    return
                follower.after, follower.credit = number, follower.credit - 1
                if number not in self.skip:
                    self._send(router, identity, self._frame(job, held, number))
        if ended:
            code = "E_CANCELLED" if held.cancelled else self.fails
            states: dict[str, JobState] = {"": "done", "E_CANCELLED": "cancelled"}
            done = m.Done(
                job=job,
                state=states.get(code, "failed"),
                code=code,
                message=f"as told: {code}" if code else "",
                frames=len(finished),
                notes=("a note",),
            )
            self._send(router, identity, pack(done))
            follower.ended = True

    def _frame(self, job: str, held: Held, number: int) -> list[bytes]:
        content = pixels(number, self.edge)
        inline = held.request.deliver == "pixels"
        digest = hashlib.sha256(content).hexdigest()
        if self.spoil.get(number, 0) > 0:
            self.spoil[number] -= 1
            digest = "0" * 64
        frame = m.Frame(
            job=job,
            frame=number,
            how="rendered",
            sha256=digest,
            size=len(content),
            path=None if inline else f"/show/{number}.exr",
            shape=(self.edge, self.edge, 3) if inline else None,
            space="lin_rec709",
        )
        self.sent.append(number)
        self.owed = max(self.owed, len(self.sent) - len(held.acked))
        return [*pack(frame), *([content] if inline else [])]


class SilentListener:
    """Something else that listens where a worker did, and says what it is told, or nothing."""

    def __init__(self, words: bytes) -> None:
        self._words = words
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(PATIENCE_S)

    def _run(self) -> None:
        open_ones = []
        while True:
            try:
                one, _ = self._server.accept()
            except OSError:
                break
            one.sendall(self._words)
            open_ones.append(one)
        for one in open_ones:
            one.close()
