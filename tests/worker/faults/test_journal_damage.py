"""A journal that is damaged, of another release, or taken: said aloud, and never an empty queue."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from tests.worker.faults.sound import still_sound, whole
from tests.worker.faults.taker import Taker
from tests.worker.faults.workers import (
    faulty_worker,
    new_folder,
    pixel_request,
    request,
    shots_of,
    starts,
)
from tests.worker.running import RunningWorker

from lumivid_fx.protocol import messages as m


def _over(path: Path, start: int, count: int) -> None:
    """Put rubbish into a file."""
    with path.open("r+b") as file:
        file.seek(start)
        file.write(os.urandom(count))


def _say(path: Path, *statements: str) -> None:
    """Change it as a database, in the file itself."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in ("PRAGMA journal_mode = delete", *statements):
            connection.execute(statement)


def _page(path: Path, share: float) -> int:
    """Where a page begins, that far into a file."""
    return int(share * path.stat().st_size) // 4096 * 4096


LABELS = ("slow", "", "")
"""One job runs, the others wait for it."""


RUBBISH = {"header": (0, 100), "page": (0.5, 4096)}

SAID = {
    "without version": ("PRAGMA user_version = 0",),
    "without tables": ("DROP TABLE frames", "DROP TABLE jobs"),
    "another request": ("UPDATE jobs SET request = x'80'",),
    "another frame": ("UPDATE frames SET sha256 = 'x'",),
}

DAMAGES = ("emptied", "cut", "text", "gone", *RUBBISH, "log", "log's page", *SAID)


def _damage(how: str, file: Path) -> None:
    """Do that to a journal."""
    log = file.with_name(f"{file.name}-wal")
    if how in RUBBISH:
        place, count = RUBBISH[how]
        start = _page(file, place)
        _over(file, start, min(count, file.stat().st_size - start))
    elif how in SAID:
        _say(file, *SAID[how])
    elif how == "log":
        log.write_bytes(os.urandom(9000))
    elif how == "log's page":
        _over(log, _page(log, 0.5), 4096)
    elif how == "text":
        file.write_text("jobs: none\n")
    elif how == "gone":
        log.touch()
        file.unlink()
    else:
        os.truncate(file, 0 if how == "emptied" else _page(file, 0.5))
        log.unlink(missing_ok=True)


@pytest.mark.parametrize("how", DAMAGES)
def test_damaged(tmp_path: Path, how: str) -> None:
    """Case 25: kept aside with a notice; jobs go on, or are not there and are submitted again."""
    with faulty_worker(tmp_path) as worker:
        plates = [new_folder(worker, "plate") for _ in range(3)]
        asked = [request(plate, "1-4", label) for plate, label in zip(plates, LABELS, strict=True)]
        with Taker(worker) as taker:
            jobs = [taker.submit(each).job for each in asked]
            taker.follow(jobs[0])
            taker.take_more(jobs[0], 2)
            worker.kill()
            taker.held.clear()
        file = worker.places.state / "journal.sqlite"
        _damage(how, file)
        was_there = file.exists()
        worker.start()
        notices = [line for line in worker.log() if "was damaged" in str(line["message"])]
        with Taker(worker, before=taker) as taker:
            taker.send(m.List(id="0" * 32))
            there = {row.job for row in taker.hear(m.Jobs).jobs}
            if notices or how not in ("log", "log's page"):
                (notice,) = notices
                assert notice["level"] == "error"
                assert "must be submitted again" in str(notice["message"])
                assert len(list(file.parent.glob("journal.damaged-*.sqlite"))) == was_there
            else:
                assert there == set(jobs)
            for job, each, plate in zip(jobs, asked, plates, strict=True):
                assert taker.submit(each, job).dup == (job in there)
                taker.follow(job)
                assert taker.done(job).frames == 4
                whole(plate, range(1, 5))
        still_sound(worker)


def test_pixels_that_nobody_has_fetched(tmp_path: Path) -> None:
    """Case 25: a job that had ended is not there after damage, and is told so; none is made up."""
    with faulty_worker(tmp_path) as worker:
        asked = pixel_request(shots_of(worker), "1-3")
        with Taker(worker) as taker:
            job = taker.submit(asked).job
            taker.attach(job, frames=False)
            taker.done(job)
        worker.kill()
        _over(worker.places.state / "journal.sqlite", 0, 100)
        worker.start()
        assert worker.logged("was damaged")
        with Taker(worker) as taker:
            taker.send(attach := m.Attach(id="0" * 32, job=job))
            assert taker.error(attach.id).code == "E_NO_JOB"
            assert taker.run(asked, job).frames == 3
        still_sound(worker)


@pytest.mark.parametrize("how", ["newer", "folder"])
def test_refused(tmp_path: Path, how: str) -> None:
    """Case 25: what is no journal of this release is left as it is, and the worker says so."""
    with faulty_worker(tmp_path) as worker:
        with Taker(worker) as taker:
            job = taker.submit(request(new_folder(worker, "plate"), "1-5", "slow")).job
        worker.kill()
        file = worker.places.state / "journal.sqlite"
        _say(file, "PRAGMA user_version = 99")
        if how == "folder":
            file.rename(file.with_name("kept"))
            file.mkdir()
        before = sorted((path.name, path.stat().st_size) for path in file.parent.glob("journal*"))
        assert not starts(worker)
        said = str(worker.log()[-1]["message"])
        assert str(file) in said
        assert ("was written by a newer release" in said) == (how == "newer")
        after = sorted((path.name, path.stat().st_size) for path in file.parent.glob("journal*"))
        assert after == before
        if how == "folder":
            file.rmdir()
            file.with_name("kept").rename(file)
        _say(file, "PRAGMA user_version = 1")
        worker.start()
        with Taker(worker) as taker:
            taker.follow(job)
            assert taker.done(job).frames == 5
        still_sound(worker)


def test_second_worker(tmp_path: Path) -> None:
    """Case 25: it is refused, and the first, its address and its jobs are as before."""
    with faulty_worker(tmp_path) as worker:
        still_sound(worker)
        with Taker(worker) as taker:
            job = taker.submit(request(new_folder(worker, "plate"), "1-5", "slow")).job
            address = worker.places.connection.read_bytes()
            second = RunningWorker(tmp_path / "home", psutil.Process(worker.pid).cmdline(), {})
            try:
                assert not starts(second)
            finally:
                assert second.process is not None
                second.process.kill()
            assert "a worker already keeps its state in" in str(worker.log()[-1]["message"])
            assert worker.places.connection.read_bytes() == address
            taker.follow(job)
            assert taker.done(job).frames == 5
        still_sound(worker)


def test_second_worker_by_the_command_line(tmp_path: Path) -> None:
    """Case 25: the same in one sentence for whoever types it."""
    with faulty_worker(tmp_path) as worker:
        done = subprocess.run(
            [sys.executable, "-m", "lumivid_fx.cli", "worker", "--devices", "cpu"],
            env=worker.environ,
            cwd=shots_of(worker),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2
        assert "a worker already keeps its state in" in done.stderr
        assert "Traceback" not in done.stderr
        still_sound(worker)
