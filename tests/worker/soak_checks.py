"""What must hold when a soak is over."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psutil
from tests.worker.quick_runner import pixels
from tests.worker.running import RunningWorker
from tests.worker.soak_client import Receipt
from tests.worker.soak_plan import CRASHES, Plan

from lumivid_fx.protocol.places import HOME
from lumivid_fx.worker.journal import FrameRecord, JobRecord, Journal

MORE_FILES = 2
"""Descriptors that a server at rest may have beyond a new one: SQLite opens its log's second file
when it first has something to put there, and a socket may be closing just then."""

LAST_WORDS_S = 3.0
"""An ack has no answer: one that comes as the server dies is lost, and said again only by a client
that does not end just then."""

MORE_MEMORY = 4 * 1024 * 1024
"""Bytes by which the server may grow over the second half: SQLite's cache takes up to 2 MB, and
ZeroMQ and the allocator keep some. Seen is 1 MB either way."""


@dataclass(frozen=True)
class Level:
    """What a process holds.

    Attributes:
        files: Open descriptors.
        threads: How many.
        memory: Bytes, resident.
    """

    files: int = 0
    threads: int = 0
    memory: int = 0

    @classmethod
    def of(cls, pid: int) -> Level:
        """A process as it is now."""
        process = psutil.Process(pid)
        return cls(process.num_fds(), process.num_threads(), process.memory_info().rss)


@dataclass(frozen=True)
class Ended:
    """A soak that is over, its server ended.

    Attributes:
        status: The server's exit status.
        lives: How often the client of a job was started, by job.
        before: The server, new.
        middle: The server that saw the end, when half of the jobs had ended.
        after: The same when all had, and nobody was connected.
        deaths: Runners that were killed, with their server or alone.
        restarts: When the server was gone, killed or ended, in seconds since 1970.
        seconds: How long it took.
    """

    worker: RunningWorker
    status: int
    plans: Sequence[Plan]
    receipts: Sequence[Receipt]
    lives: Mapping[str, int]
    before: Level
    middle: Level
    after: Level
    deaths: int
    restarts: Sequence[float]
    seconds: float


def wrongs(ended: Ended) -> Iterator[str]:
    """Yield what does not hold, in a sentence each."""
    yield from _server(ended)
    state = ended.worker.places.state
    with closing(sqlite3.connect(state / "journal.sqlite")) as connection:
        found = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if found != "ok":
            yield f"the journal is damaged: {found}"
    with closing(Journal.open(state)) as journal:
        if journal.notice:
            yield journal.notice
        records = {record.job: record for record in journal.jobs()}
        frames = {job: journal.frames(job) for job in records}
    if extra := records.keys() - {plan.job for plan in ended.plans}:
        yield f"nobody asked for the jobs {extra}"
    attempts = Counter(
        str(line["job"]) for line in ended.worker.log() if line["message"] == "job runs"
    )
    receipts = defaultdict(list)
    for receipt in ended.receipts:
        receipts[receipt.job].append(receipt)
    for plan in ended.plans:
        record = records.get(plan.job)
        if record is None:
            yield f"{plan.request.label!r} {plan.job} is not in the journal"
            continue
        about = (
            *_end(plan, record, receipts[plan.job], attempts[plan.job], ended.deaths),
            *_frames(plan, record, receipts[plan.job], frames[plan.job]),
            *_files(plan, record, frames[plan.job], state / "spool" / plan.job),
            *_acks(*(receipts[plan.job], frames[plan.job], ended.lives[plan.job], ended.restarts)),
        )
        for wrong in about:
            yield f"{plan.request.label!r} {plan.job} {record.state} {record.code}: {wrong}"


def unacknowledged(ended: Ended) -> int:
    """Frames whose ack went down with a client or server: the worker does not know of them."""
    with closing(Journal.open(ended.worker.places.state)) as journal:
        return sum(
            not frame.acked for plan in ended.plans for frame in journal.frames(plan.job).values()
        )


def _server(ended: Ended) -> Iterator[str]:
    """What the server left: in the log, in processes, in what it held open."""
    worker, after = ended.worker, ended.after
    if ended.status != 0:
        yield f"the server ended with status {ended.status}"
    for line in worker.log():
        if line.get("level", "error") == "error" or "trace" in line:
            yield f"the log says {line}"
    home = worker.environ[HOME]
    for process in psutil.process_iter():
        try:
            inherited = process.environ().get(HOME) == home
        except psutil.Error:
            continue
        if inherited:
            yield f"process {process.pid} is left, {process.status()}: {process.cmdline()}"
    if abs(after.files - ended.before.files) > MORE_FILES:
        yield f"{ended.before.files} descriptors were open when it was new, then {after.files}"
    if after.threads != ended.before.threads:
        yield f"{ended.before.threads} threads ran when it was new, then {after.threads}"
    if after.memory - ended.middle.memory > MORE_MEMORY:
        yield f"{ended.middle.memory} bytes were taken in the middle, then {after.memory}"


def _end(
    plan: Plan, record: JobRecord, receipts: list[Receipt], attempts: int, deaths: int
) -> Iterator[str]:
    """It ended once, as its plan allows, and the client heard just that."""
    if record.code in CRASHES and not plan.poison and deaths < 3:
        yield "it failed with fewer than three deaths around it"
    if not plan.allows(record.state, record.code, attempts):
        yield f"it may not end so, after {attempts} attempts ({record.message})"
    if sum(receipt.what == "accepted" for receipt in receipts) != 1:
        yield "it was not accepted just once"
    told = [(r.state, r.code) for r in receipts if r.what == "end"]
    if told != [(record.state, record.code)]:
        yield f"the client was told {told}"


def _frames(
    plan: Plan, record: JobRecord, receipts: list[Receipt], frames: dict[int, FrameRecord]
) -> Iterator[str]:
    """Every finished frame came, in order, and none of them twice."""
    got = [receipt.frame for receipt in receipts if receipt.what == "frame"]
    if got != sorted(frames):
        yield f"{sorted(frames)} are finished, and {got} came"
    if record.state == "done" and got != plan.numbers:
        yield f"{got} came of {plan.count}"
    if told := [r.frames for r in receipts if r.what == "end" and r.frames != len(frames)]:
        yield f"the client was told of {told} frames, and {len(frames)} are finished"


def _files(
    plan: Plan, record: JobRecord, frames: dict[int, FrameRecord], spool: Path
) -> Iterator[str]:
    """What is finished is there, what is not needed is gone."""
    edge = 64 if "big" in plan.request.label else 2
    for name in ("in", "plate"):
        if (spool / name).exists():
            yield f"{spool / name} is left"
    if plan.request.deliver == "path":
        for number, frame in frames.items():
            if Path(frame.path).read_bytes() != pixels(number, edge):
                yield f"{frame.path} is another"
        folder = Path(plan.request.target or "")
    else:
        folder = spool / "out"
        due = {Path(frame.path) for frame in frames.values() if not frame.acked}
        left = {*folder.glob("*.f16")}
        if record.state == "done" and left != due:
            yield f"{left} wait in the spool, and {due} should"
    # A runner that is killed for good cannot clean up, and nobody renders this job again.
    if record.state == "done" and (left := {*folder.glob(".*")}):
        yield f"{left} are left"


def _acks(
    receipts: list[Receipt], frames: dict[int, FrameRecord], lives: int, restarts: Sequence[float]
) -> Iterator[str]:
    """All are acknowledged, but for what client or server were killed right after."""
    for receipt in receipts:
        if receipt.what != "frame" or frames[receipt.frame].acked or receipt.life < lives - 1:
            continue
        if not any(receipt.at < then < receipt.at + LAST_WORDS_S for then in restarts):
            yield f"frame {receipt.frame} was not acknowledged"
