"""A journal that is damaged, from another release, or cannot be made: told, and nothing lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from tests.worker.journals import (
    OWNER,
    SESSION,
    TO_PATH,
    TO_PIXELS,
    add,
    end,
    frame_record,
    job_id,
    opened,
)
from tests.worker.small_disk import on_small_disk

from lumivid_fx.errors import InputError
from lumivid_fx.protocol.job_state import STATES
from lumivid_fx.worker.journal import FrameRecord, Journal
from lumivid_fx.worker.journal_file import open_file
from lumivid_fx.worker.journal_tables import MIGRATIONS

FRAMES = 60

ENDED_JOB, WAITING_JOB, PIXEL_JOB = job_id(1), job_id(2), job_id(3)


@dataclass(frozen=True)
class Content:
    """What never changes of jobs and frames in a journal, and the jobs' states."""

    jobs: dict[str, tuple[object, ...]]
    frames: dict[str, dict[int, FrameRecord]]


def content(journal: Journal) -> Content:
    """Read it all."""
    records = journal.jobs()
    return Content(
        {r.job: (r.owner, r.session, r.state, r.created, r.request) for r in records},
        {r.job: journal.frames(r.job) for r in records},
    )


def filled(folder: Path) -> Content:
    """Leave a journal of three jobs, one of which has ended, closed and in one file."""
    file, whole = _filled()
    folder.mkdir(exist_ok=True)
    (folder / "journal.sqlite").write_bytes(file)
    return whole


@cache
def _filled() -> tuple[bytes, Content]:
    with TemporaryDirectory() as folder:
        with opened(Path(folder)) as journal:
            for number, request in ((1, TO_PATH), (2, TO_PATH), (3, TO_PIXELS)):
                job = add(journal, number, request)
                for frame in range(1001, 1001 + FRAMES):
                    journal.add_frame(job, frame_record(frame))
            end(journal, ENDED_JOB)
            journal.move(WAITING_JOB, "queued", "running")
            journal.fall_back(WAITING_JOB, 2, "smaller tiles")
            whole = content(journal)
        return (Path(folder) / "journal.sqlite").read_bytes(), whole


def kept(folder: Path) -> list[Path]:
    """Damaged files that were set aside, without their logs."""
    return sorted(folder.glob("journal.damaged-*.sqlite"))


def unended(whole: Content) -> dict[str, tuple[object, ...]]:
    """Of the jobs, those that go on."""
    return {job: known for job, known in whole.jobs.items() if job != ENDED_JOB}


def sql(path: Path, statement: str, *values: str) -> None:
    """Change a file behind the worker's back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        if values:
            connection.execute(statement, values)
        else:
            connection.executescript(statement)


# ---- damage to the whole ----------------------------------------------------------------------


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str, int]] = {
    "empty": (lambda old: old[:0], "empty", 0),
    "zeros": (lambda old: bytes(len(old)), "begin as a database", 0),
    "text": (lambda old: old[:0] + b"it is text", "begin as a database", 0),
    "garbage in front": (lambda old: b"garbage" + old[7:], "begin as a database", 0),
    "unknown format": (lambda old: old[:18] + b"\3\3" + old[20:], "begin as a database", 0),
    "format to read": (lambda old: old[:18] + b"\3\2" + old[20:], "begin as a database", 2),
    "no names": (lambda old: old.replace(b"TABLE", b"\xffABLE"), "", 0),
    "header": (lambda old: old[:100], "", 0),
    "first page": (lambda old: old[:4096], "", 0),
    "a third": (lambda old: old[: len(old) // 3], "", 2),
    "in a page": (lambda old: old[: len(old) // 2 + 1000], "", 2),
    "last page off": (lambda old: old[: len(old) - 4096], "", 2),
    "zeros behind": (lambda old: old[:4096] + bytes(len(old) - 4096), "", 0),
}
"""What is done to a file, what is said of it, and how many of two jobs go on."""


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_file_is_set_aside(tmp_path: Path, name: str) -> None:
    """It is kept as it was, the notice names it, and the worker can work."""
    filled(tmp_path)
    path = tmp_path / "journal.sqlite"
    damage, why, saved = DAMAGES[name]
    path.write_bytes(damage(path.read_bytes()))
    damaged = path.read_bytes()
    with opened(tmp_path) as journal:
        (aside,) = kept(tmp_path)
        assert aside.read_bytes() == damaged
        assert str(aside) in journal.notice
        assert str(path) in journal.notice
        assert why in journal.notice
        assert "\n" not in journal.notice
        assert len(journal.jobs()) == saved
        add(journal, 100)
    with opened(tmp_path) as journal:
        assert journal.notice == ""
        assert journal.job(job_id(100)) is not None
        assert kept(tmp_path) == [aside]


def test_no_page_is_damaged_unseen(tmp_path: Path) -> None:
    """Random bytes anywhere in any page: told, or all that was written is there; and it works."""
    whole = filled(tmp_path / "whole")
    original = (tmp_path / "whole" / "journal.sqlite").read_bytes()
    chance = np.random.default_rng(25)
    pages = len(original) // 4096
    assert pages > 20
    told, refused = 0, set()
    for case in range(3 * pages):
        page, size = case % pages, (3, 64, 1024)[case // pages]
        at = page * 4096 + int(chance.integers(4096 - size))
        folder = tmp_path / str(case)
        folder.mkdir()
        (folder / "journal.sqlite").write_bytes(
            original[:at] + chance.bytes(size) + original[at + size :]
        )
        try:
            with opened(folder) as journal:
                if journal.notice:
                    told += 1
                    found = content(journal)
                    assert found.jobs.items() <= unended(whole).items()
                    for job, frames in found.frames.items():
                        assert frames.items() <= whole.frames[job].items()
                else:
                    assert content(journal) == whole
                add(journal, 100)
        except InputError as error:
            refused.add(str(error))
    assert told > pages  # most hits matter
    assert all("newer release" in words for words in refused)  # the version itself was hit


def test_nothing_but_a_log(tmp_path: Path) -> None:
    """The file is gone and its log is there: somebody has lost something."""
    with opened(tmp_path) as journal:
        add(journal, 1)
        log = (tmp_path / "journal.sqlite-wal").read_bytes()
    (tmp_path / "journal.sqlite").unlink()
    (tmp_path / "journal.sqlite-wal").write_bytes(log)
    with opened(tmp_path) as journal:
        assert "is gone" in journal.notice
        assert [path.read_bytes() for path in tmp_path.glob("*.damaged-*-wal")] == [log]
        add(journal, 1)


@pytest.mark.parametrize("damage", [b"garbage", b"\0" * 4096, b"\x37\x7f\x06\x82"])
def test_garbage_in_place_of_the_log(tmp_path: Path, damage: bytes) -> None:
    """SQLite would pass over it in silence, and over all that was committed to it."""
    whole = filled(tmp_path)
    (tmp_path / "journal.sqlite-wal").write_bytes(damage)
    with opened(tmp_path) as journal:
        assert "its log" in journal.notice
        assert [path.read_bytes() for path in tmp_path.glob("*.damaged-*-wal")] == [damage]
        assert content(journal).jobs == unended(whole)


def test_log_of_a_killed_worker_is_read(tmp_path: Path) -> None:
    """It is no damage that the file was not closed."""
    with opened(tmp_path / "live") as journal:
        add(journal, 1)
        (tmp_path / "killed").mkdir()
        for name in ("journal.sqlite", "journal.sqlite-wal"):
            (tmp_path / "killed" / name).write_bytes((tmp_path / "live" / name).read_bytes())
    with opened(tmp_path / "killed") as journal:
        assert journal.notice == ""
        assert journal.job(job_id(1)) is not None


def test_damaged_log_loses_no_job(tmp_path: Path) -> None:
    """SQLite reads a log up to the damage: that takes frames, never jobs or what became of them."""
    filled(tmp_path / "live")
    with opened(tmp_path / "live") as journal:
        add(journal, 4)
        journal.move(PIXEL_JOB, "queued", "running")
        journal.move(WAITING_JOB, "running", "cancelling")
        for frame in range(12):
            journal.add_frame(PIXEL_JOB, frame_record(frame))
        whole = content(journal)
        file = (tmp_path / "live" / "journal.sqlite").read_bytes()
        log = (tmp_path / "live" / "journal.sqlite-wal").read_bytes()
    lost = set()
    for case, at in enumerate(range(0, len(log), 4096 - 7)):
        for cut, damaged in enumerate((log[:at], log[:at] + b"damage" + log[at + 6 :])):
            folder = tmp_path / f"{case} {cut}"
            folder.mkdir()
            (folder / "journal.sqlite").write_bytes(file)
            (folder / "journal.sqlite-wal").write_bytes(damaged)
            with opened(folder) as journal:
                found = content(journal)
                assert found.jobs == (unended(whole) if journal.notice else whole.jobs)
                for job, frames in found.frames.items():
                    assert frames.items() <= whole.frames[job].items()
                    lost.add(len(whole.frames[job]) - len(frames))
    assert lost == set(range(13))  # the damage went all through the log


# ---- damage to rows ---------------------------------------------------------------------------


def test_what_is_sound_goes_on(tmp_path: Path) -> None:
    """One frame is not as it was: its job goes on with the others, to the last setting."""
    whole = filled(tmp_path)
    path = tmp_path / "journal.sqlite"
    # Another valid row, as a page that was swapped would hold it.
    sql(path, "UPDATE frames SET size = 7 WHERE job = ? AND frame = 1003", WAITING_JOB)
    with opened(tmp_path) as journal:
        assert f"frame 1003 of job {WAITING_JOB}" in journal.notice
        assert "2 jobs that had not ended" in journal.notice
        found = content(journal)
        assert found.jobs == unended(whole)
        assert found.frames[PIXEL_JOB] == whole.frames[PIXEL_JOB]
        assert list(found.frames[WAITING_JOB]) == [1001, 1002, *range(1004, 1001 + FRAMES)]
        waiting = journal.job(WAITING_JOB)
        assert waiting is not None
        assert (waiting.attempts, waiting.rung, waiting.notes) == (1, 2, ("smaller tiles",))
        assert [record.job for record in journal.unended()] == [WAITING_JOB, PIXEL_JOB]
    with closing(sqlite3.connect(kept(tmp_path)[0])) as aside:
        # What ended can still be looked up.
        assert aside.execute("SELECT count(*) FROM jobs").fetchone() == (3,)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE jobs SET owner = 'somebody else' WHERE job = ?",
        "UPDATE jobs SET session = 'another' WHERE job = ?",
        "UPDATE jobs SET request = zeroblob(80) WHERE job = ?",
        "UPDATE jobs SET request = substr(request, 1, 60) WHERE job = ?",
        "UPDATE jobs SET pixels = 1 - pixels WHERE job = ?",
        "UPDATE jobs SET created = created + 1 WHERE job = ?",
        "UPDATE jobs SET job = 'another' WHERE job = ?",
        "UPDATE jobs SET message = CAST(x'ff' AS TEXT) WHERE job = ?",
        "UPDATE jobs SET notes = '{}' WHERE job = ?",
    ],
)
def test_a_job_that_is_not_as_it_was(tmp_path: Path, change: str) -> None:
    """A wrong owner or request never runs; the other job does."""
    filled(tmp_path)
    sql(tmp_path / "journal.sqlite", change, WAITING_JOB)
    with opened(tmp_path) as journal:
        assert "was damaged" in journal.notice
        assert [record.job for record in journal.jobs()] == [PIXEL_JOB]


@pytest.mark.parametrize(
    "damage",
    [
        "DROP TABLE frames",
        "ALTER TABLE frames DROP COLUMN space",
        "DELETE FROM jobs WHERE state = 'done'",
        "PRAGMA user_version = 0",
        "PRAGMA user_version = -1",
        "PRAGMA user_version = 0; DROP TABLE frames; DROP TABLE jobs",
        "PRAGMA writable_schema = ON;"
        "UPDATE sqlite_schema SET sql = 'CREATE INDEX jobs_by_state ON jobs (owner)'"
        "WHERE name = 'jobs_by_state'",
        "PRAGMA ignore_check_constraints = ON; UPDATE jobs SET state = 'lost'",
    ],
)
def test_tables_that_are_not_ours(tmp_path: Path, damage: str) -> None:
    """Frames of no job, missing columns, an index of something else, another program's file."""
    filled(tmp_path)
    sql(tmp_path / "journal.sqlite", damage)
    with opened(tmp_path) as journal:
        assert "was damaged" in journal.notice
        assert {record.state for record in journal.jobs()} <= {"queued", "running"}
        add(journal, 100)


def test_frames_on_both_sides_of_a_damaged_page_go_on(tmp_path: Path) -> None:
    """Reading from one end stops at the page."""
    with opened(tmp_path) as journal:
        job = add(journal, 1)
        for frame in range(1001, 1601):
            journal.add_frame(job, frame_record(frame))
    path = tmp_path / "journal.sqlite"
    file = path.read_bytes()
    page = file.index(b"hdr.1300.exr") // 4096 * 4096
    path.write_bytes(file[:page] + bytes(4096) + file[page + 4096 :])
    with opened(tmp_path) as journal:
        assert "1 jobs that had not ended" in journal.notice
        frames = journal.frames(job)
    assert frames.items() <= {frame: frame_record(frame) for frame in range(1001, 1601)}.items()
    assert 1300 not in frames
    assert {1001, 1600} <= set(frames)
    assert len(frames) > 600 - 4096 // 100  # a row has two digests, well over 100 bytes


def test_states_are_those_of_the_protocol(tmp_path: Path) -> None:
    """The table holds each of them and no other."""
    with opened(tmp_path) as journal:
        for number, state in enumerate(STATES):
            journal.add_job(job_id(number), OWNER, SESSION, TO_PATH, state)
    with pytest.raises(sqlite3.IntegrityError):
        sql(tmp_path / "journal.sqlite", "UPDATE jobs SET state = 'lost'")


# ---- releases ---------------------------------------------------------------------------------

NEXT = (*MIGRATIONS, "ALTER TABLE jobs ADD COLUMN farm TEXT NOT NULL DEFAULT 'here'")


def test_older_file_is_brought_up_to_date(tmp_path: Path) -> None:
    """Nothing in it is lost; the older release then refuses it by name, and leaves it alone."""
    filled(tmp_path)
    path = tmp_path / "journal.sqlite"
    connection, notice = open_file(path, NEXT)
    with closing(connection):
        assert notice == ""
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(NEXT)
        farms = connection.execute("SELECT farm FROM jobs ORDER BY seq").fetchall()
        assert [row["farm"] for row in farms] == ["here"] * 3
    newer = path.read_bytes()
    with pytest.raises(InputError, match="newer release") as refused:
        Journal.open(tmp_path)
    assert str(path) in str(refused.value)
    assert path.read_bytes() == newer
    assert kept(tmp_path) == []
    # The folder is free again for the newer one.
    open_file(path, NEXT)[0].close()


def test_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    """All of a step, or none of it."""
    whole = filled(tmp_path)
    path = tmp_path / "journal.sqlite"
    breaks = (*MIGRATIONS, "CREATE TABLE more (x) STRICT; INSERT INTO jobs (job) VALUES ('x')")
    with pytest.raises(sqlite3.Error):
        open_file(path, breaks)
    with opened(tmp_path) as journal:
        assert journal.notice == ""
        assert content(journal) == whole


def test_new_file_is_whole_or_absent(tmp_path: Path) -> None:
    """What a start that was killed has left does not matter."""
    (tmp_path / ".journal.sqlite.new").write_bytes(b"half of it")
    (tmp_path / ".journal.sqlite.new-journal").write_bytes(b"more")
    with opened(tmp_path) as journal:
        assert journal.notice == ""
        add(journal, 1)
    assert not list(tmp_path.glob(".journal*"))


def test_settings_of_the_connection(tmp_path: Path) -> None:
    """Those that `kill -9` does not tell apart: a commit waits for the disk."""
    connection, _ = open_file(tmp_path / "journal.sqlite")
    with closing(connection):
        wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 3000}
        found = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in wanted}
        assert found == wanted


# ---- disks ------------------------------------------------------------------------------------

OPENED_WHEN_FULL = """
import shutil
from lumivid_fx.worker.journal import Journal
from tests.worker.journals import add, frame_record, job_id

state, killed = disk / "state", disk / "killed"
journal = Journal.open(state)
job = add(journal, 1)
journal.add_frame(job, frame_record(1))
killed.mkdir()
for name in ("journal.sqlite", "journal.sqlite-wal", "ballast"):
    shutil.copy(state / name, killed / name)
filler = fill()
assert (killed / "ballast").exists()
journal = Journal.open(killed)
assert journal.notice == ""
assert list(journal.frames(job)) == [1]
journal.add_frame(job, frame_record(2))
assert not (killed / "ballast").exists()
"""


def test_opened_on_a_full_disk(tmp_path: Path) -> None:
    """The log of a killed worker is read with the ballast's room."""
    on_small_disk(tmp_path, "6m", OPENED_WHEN_FULL)


DAMAGED_WHEN_FULL = """
from lumivid_fx.worker.journal import Journal, JournalError
from tests.worker.journals import add, frame_record, job_id

state = disk / "state"
journal = Journal.open(state)
job = add(journal, 1)
for frame in range(4000):
    journal.add_frame(job, frame_record(frame))
journal.close()
path = state / "journal.sqlite"
assert path.stat().st_size > 2 * 512 * 1024  # the ballast's room is too small for another
with path.open("r+b") as file:
    file.seek(path.stat().st_size - 4096)
    file.write(bytes(4096))
damaged = path.read_bytes()
filler = fill()
for attempt in range(2):
    try:
        Journal.open(state)
    except JournalError as error:
        assert "free space" in str(error), error
    else:
        raise AssertionError("there was room")
    assert path.read_bytes() == damaged
filler.unlink()
journal = Journal.open(state)
assert "1 jobs that had not ended" in journal.notice, journal.notice
assert len(journal.frames(job)) > 3900, len(journal.frames(job))
"""


def test_damage_on_a_full_disk(tmp_path: Path) -> None:
    """Nothing is begun anew until there is room to take over what is sound."""
    on_small_disk(tmp_path, "8m", DAMAGED_WHEN_FULL)
