"""What the journal keeps: whatever ends the process, whatever the disk and the clock do."""

from __future__ import annotations

import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec import structs
from tests.worker.journals import (
    OWNER,
    SESSION,
    TO_PATH,
    TO_PIXELS,
    acked,
    add,
    digest,
    end,
    frame_record,
    job_id,
    opened,
)
from tests.worker.small_disk import ROOT, on_small_disk

from lumivid_fx.errors import InputError
from lumivid_fx.protocol.job_state import ENDED, FOLLOWS, STATES, JobState, may_follow
from lumivid_fx.protocol.wire import request_digest
from lumivid_fx.worker.journal import FrameRecord, JobRecord, Journal, JournalError

DAY = 86400.0


class Clock:
    """A wall clock that is set by hand."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Seconds since 1970."""
        return self.now


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A new journal."""
    with opened(tmp_path / "state") as journal:
        yield journal


def known(journal: Journal, job: str) -> JobRecord:
    """A job that is there."""
    record = journal.job(job)
    assert record is not None
    return record


# ---- jobs -------------------------------------------------------------------------------------


def test_job_is_as_it_was_added(tmp_path: Path) -> None:
    """All of a job is there again, in this run and the next."""
    clock = Clock()
    request = structs.replace(TO_PATH, priority=7)
    with opened(tmp_path, clock) as journal:
        assert journal.notice == ""
        assert journal.job(job_id(1)) is None
        record = journal.add_job(job_id(1), OWNER, SESSION, request, "receiving")
        assert (record.job, record.owner, record.session) == (job_id(1), OWNER, SESSION)
        assert (record.state, record.priority) == ("receiving", 7)
        assert (record.request, record.digest) == (request, request_digest(request))
        assert (record.attempts, record.rung, record.total) == (0, 0, 0)
        assert (record.notes, record.code, record.message, record.seconds) == ((), "", "", 0.0)
        assert (record.created, record.updated) == (clock.now, clock.now)
        assert journal.job(job_id(1)) == record
    with opened(tmp_path) as journal:
        assert journal.notice == ""
        assert journal.job(job_id(1)) == record


def test_an_id_is_taken_once(journal: Journal) -> None:
    """A second job of that id is refused, and the first stays as it was."""
    job = add(journal, 1)
    before = journal.job(job)
    with pytest.raises(ValueError, match="cannot hold"):
        journal.add_job(job, "y" * 40, SESSION, TO_PIXELS, "queued")
    assert journal.job(job) == before


def test_jobs_are_listed_newest_first(journal: Journal) -> None:
    """By owner, with or without those that have ended, as many as are asked for."""
    jobs = [add(journal, number) for number in range(5)]
    other = journal.add_job(job_id(9), "y" * 40, SESSION, TO_PIXELS, "receiving").job
    end(journal, jobs[1])
    assert [record.job for record in journal.jobs()] == [other, *reversed(jobs)]
    assert [record.job for record in journal.jobs(owner=OWNER, limit=2)] == [jobs[4], jobs[3]]
    assert jobs[1] not in [record.job for record in journal.jobs(ended=False)]
    assert [record.job for record in journal.jobs(owner="y" * 40)] == [other]
    unended = journal.unended()
    assert [record.job for record in unended] == [jobs[0], *jobs[2:], other]
    assert [record.seq for record in unended] == sorted(record.seq for record in unended)


def test_arrival_is_never_given_twice(tmp_path: Path) -> None:
    """Not even when the newest job was forgotten."""
    with opened(tmp_path) as journal:
        first = known(journal, add(journal, 1))
        end(journal, first.job)
        assert journal.purge(first.updated + DAY) == [first.job]
    with opened(tmp_path) as journal:
        assert known(journal, add(journal, 2)).seq > first.seq


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("after", STATES)
def test_moves_are_those_of_the_table(journal: Journal, before: JobState, after: JobState) -> None:
    """Each pair of states: moved as the protocol's table says, or refused and nothing changed."""
    job = journal.add_job(job_id(1), OWNER, SESSION, TO_PATH, before)
    if not may_follow(before, after):
        with pytest.raises(ValueError, match=f"{before} cannot become {after}"):
            journal.move(job.job, before, after)
        assert journal.job(job.job) == job
        return
    assert journal.move(job.job, before, after, code="E_OOM", message="too large")
    moved = known(journal, job.job)
    assert (moved.state, moved.code, moved.message) == (after, "E_OOM", "too large")
    assert moved.attempts == (1 if after == "running" else 0)
    assert (moved in journal.unended()) == (after not in ENDED)
    assert (moved in journal.jobs(ended=False)) == (after not in ENDED)


def test_a_move_from_another_state_does_nothing(journal: Journal) -> None:
    """Compare and set: of two that would move a job, one does."""
    job = add(journal, 1)
    assert journal.move(job, "queued", "running")
    running = known(journal, job)
    assert not journal.move(job, "queued", "cancelled", code="E_CANCELLED")
    assert journal.job(job) == running
    assert not journal.move(job_id(2), "queued", "running")


def test_attempts_are_counted_and_forgiven(journal: Journal) -> None:
    """Each time a job is begun is one more."""
    job = add(journal, 1)
    for attempt in (1, 2):
        journal.move(job, "queued", "running")
        assert known(journal, job).attempts == attempt
        journal.move(job, "running", "queued")
    journal.forgive(job)
    assert known(journal, job).attempts == 0


def test_what_is_learnt_about_a_job(journal: Journal) -> None:
    """Rung, notes, total and time are kept; a note that is repeated stands once."""
    job = add(journal, 1)
    journal.set_total(job, 49)
    journal.fall_back(job, 1, 'smaller tiles: "512"')
    journal.fall_back(job, 2, "shorter windows")
    journal.fall_back(job, 2, "shorter windows")
    journal.add_seconds(job, 1.5)
    journal.add_seconds(job, 0.25)
    journal.add_seconds(job, -DAY)
    record = known(journal, job)
    assert (record.total, record.rung, record.seconds) == (49, 2, 1.75)
    assert record.notes == ('smaller tiles: "512"', "shorter windows")


def test_a_job_that_is_not_there(journal: Journal) -> None:
    """A mistake of the program's is not passed over."""
    add(journal, 1)
    with pytest.raises(ValueError, match="no job"):
        journal.set_total(job_id(2), 1)
    with pytest.raises(ValueError, match="no job"):
        journal.add_seconds(job_id(2), 1)
    with pytest.raises(ValueError, match="no job"):
        journal.fall_back(job_id(2), 1, "")
    with pytest.raises(ValueError, match="no job"):
        journal.forgive(job_id(2))
    with pytest.raises(ValueError, match="cannot hold"):
        journal.add_frame(job_id(2), frame_record(1))
    assert journal.frames(job_id(2)) == {}


# ---- frames -----------------------------------------------------------------------------------


def test_frames_are_as_they_were_added(tmp_path: Path) -> None:
    """In ascending order, negative numbers too, in this run and the next."""
    records = {frame: frame_record(frame) for frame in (-3, 0, 999, 1001, 1002)}
    with opened(tmp_path) as journal:
        job, other = add(journal, 1), add(journal, 2)
        for frame in (1002, -3, 999, 1001, 0):
            journal.add_frame(job, records[frame])
        journal.add_frame(other, frame_record(5))
        assert journal.frames(job) == records
        assert list(journal.frames(job)) == sorted(records)
    with opened(tmp_path) as journal:
        assert list(journal.frames(job).items()) == list(records.items())


def test_frames_are_counted(journal: Journal) -> None:
    """All, kept, cached."""
    job = add(journal, 1)
    assert journal.counts(job) == (0, 0, 0)
    for frame in range(6):
        journal.add_frame(job, frame_record(frame))
    journal.add_frame(job, replace(frame_record(1), how="kept"))
    journal.add_frame(job, replace(frame_record(2), how="cache"))
    journal.add_frame(job, replace(frame_record(7), how="cache"))
    assert journal.counts(job) == (7, 1, 2)


def test_a_frame_is_acknowledged_by_its_digest(journal: Journal) -> None:
    """Again and again if a client likes; never by another digest, or where there is no frame."""
    job, frame = add(journal, 1), frame_record(1001)
    journal.add_frame(job, frame)
    assert not journal.ack(job, 1001, digest("another"))
    assert not journal.ack(job, 1002, frame.sha256)
    assert not journal.ack(job_id(2), 1001, frame.sha256)
    assert journal.frames(job) == {1001: frame}
    assert journal.ack(job, 1001, frame.sha256)
    assert journal.ack(job, 1001, frame.sha256)
    assert journal.frames(job) == {1001: acked(frame)}


def test_a_frame_made_anew(journal: Journal) -> None:
    """The same bits stay acknowledged; others are to be sent again."""
    job, frame = add(journal, 1), frame_record(1001)
    journal.add_frame(job, frame)
    journal.ack(job, 1001, frame.sha256)
    kept = replace(frame, how="kept")
    journal.add_frame(job, kept)
    assert journal.frames(job) == {1001: acked(kept)}
    other = frame_record(1001, version=2)
    journal.add_frame(job, other)
    assert journal.frames(job) == {1001: other}


def test_a_frame_that_cannot_be(journal: Journal) -> None:
    """Not a number is no share; the transaction is undone and the next goes well."""
    job = add(journal, 1)
    with pytest.raises(ValueError, match="cannot hold"):
        journal.add_frame(job, replace(frame_record(1), model_clipped=float("nan")))
    journal.add_frame(job, frame_record(2))
    assert list(journal.frames(job)) == [2]


# ---- start and end ----------------------------------------------------------------------------


def test_recover(tmp_path: Path) -> None:
    """After a start what ran is queued, what was being cancelled is; nothing else has changed."""
    with opened(tmp_path) as journal:
        jobs: dict[JobState, str] = {}
        for number, state in enumerate(STATES):
            jobs[state] = journal.add_job(
                job_id(number), OWNER, SESSION, TO_PATH, "queued" if state == "running" else state
            ).job
        journal.move(jobs["running"], "queued", "running")
        journal.add_frame(jobs["running"], frame_record(1001))
    with opened(tmp_path) as journal:
        before = {record.job: record for record in journal.jobs()}
        changed = journal.recover()
        assert [record.job for record in changed] == [jobs["running"], jobs["cancelling"]]
        assert [known(journal, record.job) for record in changed] == changed
        assert (changed[0].state, changed[0].attempts, changed[0].code) == ("queued", 1, "")
        assert (changed[1].state, changed[1].code) == ("cancelled", "E_CANCELLED")
        assert changed[1].message
        assert list(journal.frames(jobs["running"])) == [1001]
        same = {record.job: record for record in journal.jobs()} | {
            record.job: before[record.job] for record in changed
        }
        assert same == before
        assert journal.recover() == []
        for record in changed:
            assert may_follow(before[record.job].state, record.state)


def test_one_worker_a_folder(tmp_path: Path) -> None:
    """A second is told who has it, and may go on when the first has closed."""
    with opened(tmp_path), pytest.raises(InputError, match="lumivid worker stop") as refused:
        Journal.open(tmp_path)
    assert str(tmp_path) in str(refused.value)
    with opened(tmp_path):
        pass


def test_folder_and_file_are_private(tmp_path: Path) -> None:
    """What artists render is nobody else's matter."""
    with opened(tmp_path / "state") as journal:
        add(journal, 1)
        assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
        for path in (tmp_path / "state").iterdir():
            if path.name != "ballast":
                assert path.stat().st_mode & 0o077 == 0, path


# ---- the clock --------------------------------------------------------------------------------


def test_purge_forgets_what_ended_long_ago(tmp_path: Path) -> None:
    """With its frames; not what ended lately, and not what has not ended."""
    clock = Clock()
    with opened(tmp_path, clock) as journal:
        old, waiting, new = add(journal, 1), add(journal, 2), add(journal, 3)
        journal.add_frame(old, frame_record(1001))
        end(journal, old)
        clock.now += DAY
        end(journal, new)
        assert journal.purge(clock.now) == [old]
        assert journal.job(old) is None
        assert journal.frames(old) == {}
        assert {record.job for record in journal.jobs()} == {waiting, new}
        assert journal.purge(clock.now) == []


def test_purge_keeps_pixels_that_nobody_has_fetched(tmp_path: Path) -> None:
    """A client that comes back after its holidays finds them; in the end they go too."""
    clock = Clock()
    with opened(tmp_path, clock) as journal:
        job = add(journal, 1, TO_PIXELS)
        frames = [frame_record(1001), frame_record(1002)]
        for frame in frames:
            journal.add_frame(job, frame)
        end(journal, job)
        journal.ack(job, 1001, frames[0].sha256)
        assert journal.purge(clock.now + 30 * DAY) == []
        journal.ack(job, 1002, frames[1].sha256)
        assert journal.purge(clock.now + 30 * DAY) == [job]
        unread = add(journal, 2, TO_PIXELS)
        journal.add_frame(unread, frames[0])
        end(journal, unread)
        assert journal.purge(clock.now + 30 * DAY, clock.now - DAY) == []
        assert journal.purge(clock.now + 30 * DAY, clock.now + DAY) == [unread]


@pytest.mark.parametrize("jump", [-400 * DAY, -1 * DAY, 1 * DAY, 400 * DAY])
def test_no_clock_makes_a_live_job_forgotten(tmp_path: Path, jump: float) -> None:
    """Whatever the clock was, and whatever it says now."""
    clock = Clock()
    with opened(tmp_path, clock) as journal:
        jobs = set()
        for number, state in enumerate(state for state in STATES if FOLLOWS[state]):
            jobs.add(journal.add_job(job_id(number), OWNER, SESSION, TO_PATH, state).job)
        clock.now += jump
        ended = add(journal, 100)
        end(journal, ended)
        assert known(journal, ended).updated == clock.now
        assert journal.purge(clock.now - 7 * DAY) == []
        assert journal.purge(float("inf")) == [ended]
        assert {record.job for record in journal.unended()} == jobs


# ---- death ------------------------------------------------------------------------------------

WRITER = """
import sys
from pathlib import Path
from tests.worker.journals import add, frame_record
from lumivid_fx.worker.journal import Journal

journal = Journal.open(Path(sys.argv[1]))
assert journal.notice == "", journal.notice
journal.recover()
for number in range(int(sys.argv[2]), 10**9):
    job = add(journal, number)
    journal.move(job, "queued", "running")
    for frame in range(3):
        journal.add_frame(job, frame_record(frame))
    journal.ack(job, 1, frame_record(1).sha256)
    print(number, flush=True)
"""


def test_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """Ten times `kill -9` in the middle of writing: what was said to be written is there."""
    acknowledged: list[int] = []
    for death, lines in enumerate((1, 2, 3, 5, 8, 13, 21, 34, 55, 89)):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(death * 1_000_000)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        ) as writer:
            assert writer.stdout is not None
            assert writer.stderr is not None
            told = [writer.stdout.readline() for _ in range(lines)]
            writer.kill()
            told += writer.stdout.readlines()  # what it wrote to the pipe before it died
            assert writer.wait() == -signal.SIGKILL, writer.stderr.read()
        acknowledged += [int(line) for line in told]
    assert len(acknowledged) >= 231
    wanted = {frame: frame_record(frame) for frame in range(3)}
    wanted[1] = acked(wanted[1])
    with opened(tmp_path) as journal:
        assert journal.notice == ""
        journal.recover()
        assert {record.state for record in journal.jobs()} <= {"queued"}
        for number in acknowledged:
            assert known(journal, job_id(number)).attempts == 1
            assert journal.frames(job_id(number)) == wanted
        # At most one job at each death was begun and not acknowledged.
        assert len(journal.unended()) <= len(acknowledged) + 10
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


# ---- disks ------------------------------------------------------------------------------------

FILLED = """
from lumivid_fx.worker.journal import Journal, JournalError
from tests.worker.journals import add, frame_record

journal = Journal.open(disk / "state")
ballast = disk / "state" / "ballast"
job = add(journal, 1)
for frame in range(5):
    journal.add_frame(job, frame_record(frame))
assert ballast.stat().st_size == 512 * 1024

filler = fill()
frames = 5
for attempt in range(3):
    try:
        while True:
            journal.add_frame(job, frame_record(frames))
            frames += 1
            assert frames < 1000, "the disk is not full"
    except JournalError as error:
        assert error.code == "E_JOURNAL"
        assert str(journal.path) in str(error) and "free space" in str(error), error
    assert list(journal.frames(job)) == list(range(frames))
    assert not ballast.exists()
# The ballast has made room for some.
assert frames > 5 + 20, frames

filler.unlink()
assert journal.move(job, "queued", "failed", code="E_DISK_FULL")
assert ballast.stat().st_size == 512 * 1024
journal.close()

journal = Journal.open(disk / "state")
assert journal.notice == ""
assert list(journal.frames(job)) == list(range(frames))
assert journal.job(job).code == "E_DISK_FULL"
journal.close()
"""


def test_full_disk(tmp_path: Path) -> None:
    """The ballast goes first, then changes are refused in a sentence, and all goes on with room."""
    on_small_disk(tmp_path, "4m", FILLED)


def test_disk_that_refuses_a_write(journal: Journal) -> None:
    """An error of another kind: nothing has happened, and the next change goes well."""
    job = add(journal, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        with pytest.raises(JournalError, match="free space on its disk, or make the folder"):
            journal.add_frame(job, frame_record(1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert journal.frames(job) == {}
    journal.add_frame(job, frame_record(2))
    assert list(journal.frames(job)) == [2]


def test_another_program_has_the_file(journal: Journal) -> None:
    """It is waited for, then the change is refused; reading goes on."""
    job = add(journal, 1)
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="close the other program"):
            journal.add_frame(job, frame_record(1))
        assert journal.frames(job) == {}
        other.execute("ROLLBACK")
    journal.add_frame(job, frame_record(1))
    assert list(journal.frames(job)) == [1]


def test_another_program_reads_the_file(journal: Journal) -> None:
    """It hinders nobody; what is written meanwhile comes out of the log when it is done."""
    job = add(journal, 1)
    log = journal.path.with_name("journal.sqlite-wal")
    assert log.stat().st_size == 0
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as other:
        other.execute("BEGIN")
        assert other.execute("SELECT state FROM jobs").fetchall() == [("queued",)]
        assert journal.move(job, "queued", "running")
        assert other.execute("SELECT state FROM jobs").fetchall() == [("queued",)]
        assert log.stat().st_size > 0
    assert journal.move(job, "running", "done")
    assert log.stat().st_size == 0


# ---- all of it --------------------------------------------------------------------------------

numbers = st.integers(0, 3)
frame_numbers = st.integers(-1, 2)
versions = st.integers(1, 2)
states = st.sampled_from(STATES)


class JournalMachine(RuleBasedStateMachine):
    """Any calls in any order: the journal is what a plain dictionary would be."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.journal = Journal.open(Path(self.folder.name), self.clock)
        self.state: dict[str, JobState] = {}
        self.attempts: dict[str, int] = {}
        self.changed: dict[str, float] = {}
        self.frames: dict[str, dict[int, FrameRecord]] = {}

    def teardown(self) -> None:
        """Close."""
        self.journal.close()
        self.folder.cleanup()

    @rule(number=numbers, first=st.sampled_from(["receiving", "queued"]))
    def add(self, number: int, first: JobState) -> None:
        """A job is taken on once."""
        job = job_id(number)
        request = TO_PIXELS if number % 2 else TO_PATH
        if job in self.state:
            with pytest.raises(ValueError, match="cannot hold"):
                self.journal.add_job(job, OWNER, SESSION, request, first)
        else:
            self.journal.add_job(job, OWNER, SESSION, request, first)
            self.state[job], self.attempts[job], self.frames[job] = first, 0, {}
            self.changed[job] = self.clock.now

    @precondition(lambda self: self.state)
    @rule(data=st.data())
    def move_on(self, data: st.DataObject) -> None:
        """A job goes where its state lets it go."""
        job = data.draw(st.sampled_from(sorted(self.state)))
        if after := sorted(FOLLOWS[self.state[job]]):
            self.move_anyhow(job, self.state[job], data.draw(st.sampled_from(after)))

    @rule(number=numbers, before=states, after=states)
    def move(self, number: int, before: JobState, after: JobState) -> None:
        """A job goes nowhere from another state, or where it may not."""
        self.move_anyhow(job_id(number), before, after)

    def move_anyhow(self, job: str, before: JobState, after: JobState) -> None:
        """Move, and know what comes of it."""
        if not may_follow(before, after):
            with pytest.raises(ValueError, match="cannot become"):
                self.journal.move(job, before, after)
            return
        moves = self.state.get(job) == before
        assert self.journal.move(job, before, after) == moves
        if moves:
            self.state[job] = after
            self.attempts[job] += after == "running"
            self.changed[job] = self.clock.now

    @rule(number=numbers, frame=frame_numbers, version=versions)
    def finish_frame(self, number: int, frame: int, version: int) -> None:
        """A frame is finished, perhaps anew."""
        job, record = job_id(number), frame_record(frame, version)
        if job not in self.state:
            with pytest.raises(ValueError, match="cannot hold"):
                self.journal.add_frame(job, record)
            return
        self.journal.add_frame(job, record)
        held = self.frames[job].get(frame)
        same = held is not None and held.acked and held.sha256 == record.sha256
        self.frames[job][frame] = acked(record) if same else record
        self.changed[job] = self.clock.now

    @rule(number=numbers, frame=frame_numbers, version=versions)
    def ack(self, number: int, frame: int, version: int) -> None:
        """A client has a frame, perhaps one of before."""
        held = self.frames.get(job_id(number), {}).get(frame)
        sha256 = frame_record(frame, version).sha256
        right = held is not None and held.sha256 == sha256
        assert self.journal.ack(job_id(number), frame, sha256) == right
        if held is not None and right:
            self.frames[job_id(number)][frame] = acked(held)

    @rule(seconds=st.floats(-3 * DAY, 3 * DAY))
    def clock_jumps(self, seconds: float) -> None:
        """Forwards or backwards."""
        self.clock.now += seconds

    @rule()
    def start_again(self) -> None:
        """The worker ends and starts."""
        self.journal.close()
        self.journal = Journal.open(Path(self.folder.name), self.clock)
        assert self.journal.notice == ""
        after: dict[JobState, JobState] = {"running": "queued", "cancelling": "cancelled"}
        changed = {job: after[state] for job, state in self.state.items() if state in after}
        assert {record.job: record.state for record in self.journal.recover()} == changed
        self.state |= changed
        self.changed |= dict.fromkeys(changed, self.clock.now)

    @rule(days=st.floats(-4, 4))
    def purge(self, days: float) -> None:
        """Old jobs are forgotten."""
        before = self.clock.now + days * DAY
        forgotten = {
            job
            for job, state in self.state.items()
            if state in ENDED
            and self.changed[job] < before
            and (job not in PIXEL_JOBS or all(f.acked for f in self.frames[job].values()))
        }
        assert set(self.journal.purge(before)) == forgotten
        for job in forgotten:
            del self.state[job], self.frames[job], self.attempts[job], self.changed[job]

    @invariant()
    def holds_what_it_was_told(self) -> None:
        """Jobs, states, attempts and frames are as they should be."""
        there = {record.job: record for record in self.journal.jobs()}
        assert {job: record.state for job, record in there.items()} == self.state
        assert {job: record.attempts for job, record in there.items()} == self.attempts
        assert {job: record.updated for job, record in there.items()} == self.changed
        assert {job: self.journal.frames(job) for job in there} == self.frames


PIXEL_JOBS = {job_id(number) for number in range(4) if number % 2}

TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
