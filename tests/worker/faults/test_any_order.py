"""Messages of two users in any order, with connections that stall and vanish, and jobs that get on.

Everything but the socket and the process that renders is real: desk, delivery, jobs, journal and
spool. What may never happen is looked for after every step.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.worker.quick_runner import pixels

from lumivid_fx.protocol import messages as m
from lumivid_fx.protocol.job_state import ENDED
from lumivid_fx.protocol.wire import pack, read_worker_message
from lumivid_fx.worker.callers import SILENCE_S, Buffer
from lumivid_fx.worker.desk import Desk
from lumivid_fx.worker.dispatch import Dispatch
from lumivid_fx.worker.jobs import Jobs
from lumivid_fx.worker.journal import Journal
from lumivid_fx.worker.orders import FrameDone
from lumivid_fx.worker.roots import Roots
from lumivid_fx.worker.spool import Spool

JOBS = [f"{number:032x}" for number in range(3)]
OWNERS = {b"one": "a" * 40, b"two": "a" * 40, b"foreign": "b" * 40}
jobs = st.sampled_from([*JOBS, JOBS[1]])
connections = st.sampled_from([b"one", b"two", b"one", b"two", b"foreign"])
seldom = st.integers(0, 5).map(lambda number: number == 5)
frames = st.integers(0, 6)


@dataclass
class Following:
    """What a connection is owed of a job, as it was agreed.

    Attributes:
        after: The last frame it has been sent.
        credit: How many more it may be sent.
    """

    after: int | None
    credit: int = 0


@dataclass
class Connection:
    """The far end of one.

    Attributes:
        stalls: It takes nothing more.
        gone: There is nobody.
        follows: By job.
    """

    stalls: bool = False
    gone: bool = False
    follows: dict[str, Following] = field(default_factory=dict)


class AnyOrder(RuleBasedStateMachine):
    """Says, and checks what is said to whom."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.far = {identity: Connection() for identity in OWNERS}
        self.owner: dict[str, str] = {}
        self.answered: list[str] = []
        self.now = 1000.0
        self.number = 0
        (self.folder / "shots").mkdir()
        self.open()

    def open(self) -> None:
        """Start, for the first time or again."""
        self.journal = Journal.open(self.folder / "state")
        self.journal.recover()
        self.spool = Spool(self.folder / "state" / "spool")
        self.jobs = Jobs(self.journal, self.spool)
        self.desk = Desk(
            Dispatch(self.jobs, self.spool, []),
            self.journal,
            self.spool,
            Roots([self.folder / "shots"], []),
            boot="f" * 32,
            own_key=lambda: OWNERS[b"one"],
            send=self.send,
        )
        for identity in OWNERS:
            self.hello(identity)

    def teardown(self) -> None:
        """Leave nothing."""
        self.journal.close()
        shutil.rmtree(self.folder)

    # ---- what is said -----------------------------------------------------------------------

    def say(self, identity: bytes, message: m.ClientMessage, *payload: bytes) -> None:
        """Say it; whatever has an id is answered once, unless it cannot be told."""
        self.answered.clear()
        far = self.far[identity]
        self.desk.hear(identity, OWNERS[identity], [*pack(message), *payload], self.now)
        re = getattr(message, "id", None)
        if re is not None and not far.stalls and not far.gone:
            assert self.answered.count(re) == 1, (message, self.answered)

    def id(self) -> str:
        """A new one."""
        self.number += 1
        return f"{self.number:032d}"

    @initialize()
    def begin(self) -> None:
        """One job of each kind is there."""
        for identity, job, kind in zip(OWNERS, JOBS, ("path", "pixels", "sent"), strict=True):
            self.submit(identity, job, kind)

    def hello(self, identity: bytes) -> None:
        """Begin."""
        session = hashlib.md5(identity, usedforsecurity=False).hexdigest()
        self.say(identity, m.Hello(id=self.id(), versions=(1,), client="", session=session))

    @rule(identity=connections, job=jobs, kind=st.sampled_from(["path", "pixels", "sent", "bad"]))
    def submit(self, identity: bytes, job: str, kind: str) -> None:
        """Ask for a job, perhaps one that is there already, perhaps with another request."""
        shots = self.folder / "shots"
        asked = m.Request(source=m.PathSource(path=f"{shots}/p.mp4"), target=f"{shots}/out")
        if kind == "pixels":
            asked = m.Request(source=asked.source, deliver="pixels")
        elif kind == "sent":
            source = m.PixelSource(width=1, height=1, channels=3, first=1, count=2)
            space = m.Settings(input_space="acescg")
            asked = m.Request(source=source, deliver="pixels", settings=space)
        elif kind == "bad":
            asked = m.Request(source=asked.source, target="/etc")
        known = self.journal.job(job)
        if known is None:
            self.owner[job] = OWNERS[identity]
        self.say(identity, m.Submit(id=self.id(), job=job, request=asked))
        record = self.journal.job(job)
        if known is None:
            assert record is None or (record.owner == OWNERS[identity] and kind != "bad")
        else:
            assert record is not None
            assert (record.owner, record.digest) == (known.owner, known.digest)

    @rule(identity=connections, job=jobs, frame=frames, offset=st.sampled_from([0, 0, 3, 6]))
    def put(self, identity: bytes, job: str, frame: int, offset: int) -> None:
        """Send a piece, perhaps a wrong one."""
        self.say(identity, m.Put(job=job, frame=frame, offset=offset), bytes(6 - offset % 6))

    @rule(identity=connections, job=jobs, after=st.none() | frames, wants=st.booleans())
    def attach(self, identity: bytes, job: str, after: int | None, wants: bool) -> None:
        """Follow a job from a frame on."""
        attach = m.Attach(id=self.id(), job=job, after=after, frames=wants)
        self.far[identity].follows[job] = Following(after)
        self.say(identity, attach)

    @rule(identity=connections, job=jobs, count=st.sampled_from([1, 2, 64]))
    def follow(self, identity: bytes, job: str, count: int) -> None:
        """Attach and give credit."""
        self.attach(identity, job, None, wants=True)
        self.credit(identity, job, count)
        self.desk.tick(self.now)

    @rule(identity=connections, job=jobs, count=st.sampled_from([1, 2, 64]))
    def credit(self, identity: bytes, job: str, count: int) -> None:
        """Allow more frames."""
        if job in self.far[identity].follows:
            self.far[identity].follows[job].credit += count
        self.say(identity, m.Credit(job=job, frames=count))

    @rule(identity=connections, job=jobs, frame=frames, right=st.booleans())
    def ack(self, identity: bytes, job: str, frame: int, right: bool) -> None:
        """Acknowledge, perhaps what never was."""
        digest = hashlib.sha256(pixels(frame)).hexdigest() if right else "0" * 64
        before = {n: f.acked for n, f in self.journal.frames(job).items()}
        self.say(identity, m.Ack(job=job, frame=frame, sha256=digest))
        after = {n: f.acked for n, f in self.journal.frames(job).items()}
        if not right or self.owner.get(job) != OWNERS[identity]:
            assert after == before

    @rule(identity=connections, job=jobs, sure=seldom)
    def cancel(self, identity: bytes, job: str, sure: bool) -> None:
        """Stop a job, if it is one's own."""
        if not sure:
            return
        before = self.journal.job(job)
        self.say(identity, m.Cancel(id=self.id(), job=job))
        if before is not None and before.owner != OWNERS[identity]:
            assert self.journal.job(job) == before

    @rule(identity=connections, job=st.none() | jobs, ended=st.booleans())
    def list(self, identity: bytes, job: str | None, ended: bool) -> None:
        """Ask what there is."""
        self.say(identity, m.Ping(id=self.id()))
        self.say(identity, m.List(id=self.id(), job=job, ended=ended))

    # ---- what happens -----------------------------------------------------------------------

    @rule(count=st.integers(1, 2))
    def get_on(self, count: int) -> None:
        """Runners take what waits, and finish the next frames."""
        for job in JOBS:
            self.finish(job, count)
        self.desk.tick(self.now)

    def finish(self, job: str, count: int) -> None:
        """Finish frames of one."""
        live = self.jobs.find(job)
        if live is not None and live.record.state == "queued":
            self.jobs.move(live, "running")
        if live is None or live.record.state not in ("running", "cancelling"):
            return
        number = 1 + max(live.frames, default=0)
        out = self.spool.of(job) / "out"
        out.mkdir(parents=True, exist_ok=True)
        for frame in range(number, min(number + count, 7)):
            content = pixels(frame)
            path = out / f"{frame}.f16"
            path.write_bytes(content)
            done = FrameDone(
                job=job,
                frame=frame,
                how="rendered",
                sha256=hashlib.sha256(content).hexdigest(),
                size=len(content),
                path=str(path),
            )
            self.jobs.add_frame(live, done)

    @rule(job=jobs, sure=seldom)
    def ends(self, job: str, sure: bool) -> None:
        """The runner has ended it."""
        if not sure:
            return
        live = self.jobs.find(job)
        if live is not None and live.record.state in ("running", "cancelling"):
            cancelled = live.record.state == "cancelling"
            self.jobs.end(live, "cancelled" if cancelled else "done", "", "")

    @rule(identity=connections, stalls=st.booleans())
    def stall(self, identity: bytes, stalls: bool) -> None:
        """A reader takes nothing more, or goes on."""
        self.far[identity].stalls = stalls
        self.desk.tick(self.now)

    @rule(identity=connections)
    def vanish(self, identity: bytes) -> None:
        """A connection is cut, and libzmq knows; another comes under that name later."""
        self.far[identity].gone = True
        self.turn(0.3)
        self.desk.hear(identity, OWNERS[identity], pack(m.Ping(id=self.id())), self.now)
        self.far[identity] = Connection()
        self.hello(identity)

    @rule(seconds=st.sampled_from([0.0, 0.3, 0.3, 1.0, SILENCE_S + 1]))
    def turn(self, seconds: float) -> None:
        """The server's loop turns."""
        self.now += seconds
        self.desk.tick(self.now)
        if seconds > SILENCE_S:
            for identity in OWNERS:
                self.far[identity].follows.clear()
                self.hello(identity)

    @rule(sure=seldom)
    def start_again(self, sure: bool) -> None:
        """The worker is killed, and started."""
        if not sure:
            return
        self.journal.close()
        self.far = {identity: Connection() for identity in OWNERS}
        self.open()

    # ---- what may never happen --------------------------------------------------------------

    def send(self, identity: bytes, parts: Sequence[Buffer]) -> bool | None:
        """What libzmq does, and a look at what is sent."""
        far = self.far[identity]
        if far.gone:
            return None
        if far.stalls:
            return False
        said, payload = read_worker_message([bytes(part) for part in parts])
        if (re := getattr(said, "re", "")) != "":
            self.answered.append(re)
        job = getattr(said, "job", "")
        mine = self.owner.get(job) == OWNERS[identity]
        assert mine or job == "" or isinstance(said, m.Error), "another user's job is told of"
        if isinstance(said, m.Jobs):
            assert all(self.owner[row.job] == OWNERS[identity] for row in said.jobs)
        if isinstance(said, m.Done):
            record = self.journal.job(job)
            assert record is not None
            assert record.state == said.state
            assert said.state in ENDED
        if isinstance(said, m.Frame):
            self.look_at(said, far.follows[job], payload)
        return True

    def look_at(self, frame: m.Frame, following: Following, payload: Buffer | None) -> None:
        """Frames ascend, are paid for, committed, not acknowledged, and what they were."""
        assert following.credit > 0
        following.credit -= 1
        assert following.after is None or frame.frame > following.after
        following.after = frame.frame
        record = self.journal.frames(frame.job)[frame.frame]
        assert record.sha256 == frame.sha256
        if payload is None:
            assert Path(frame.path or "").read_bytes() == pixels(frame.frame)
        else:
            assert not record.acked
            assert bytes(payload) == pixels(frame.frame)

    @invariant()
    def memory_and_journal_agree(self) -> None:
        """About jobs and frames."""
        for record in self.journal.jobs():
            live = self.jobs.find(record.job)
            assert live is not None
            assert replace(live.record, updated=0) == replace(record, updated=0)
            assert live.frames == self.journal.frames(record.job)
            assert (live.upload is not None) == (record.state == "receiving")
            assert live.followers >= 0

    @invariant()
    def nothing_is_left_over(self) -> None:
        """Neither plates of jobs that have ended, nor pixels that were acknowledged."""
        for record in self.journal.jobs():
            folder = self.spool.of(record.job)
            assert record.state not in ENDED or not (folder / "in").exists()
            if record.request.deliver == "pixels":
                safe = [f for f in self.journal.frames(record.job).values() if f.acked]
                assert not [frame for frame in safe if Path(frame.path).exists()]


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=50, stateful_step_count=50, deadline=None)
