"""The journal's file: made whole, looked over when it is opened, set aside when it is damaged.

What is damaged is kept beside, under another name, and the jobs in it that are sound and have not
ended are taken over.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from lumivid_fx.errors import InputError
from lumivid_fx.protocol.wire import RefusedError
from lumivid_fx.worker.journal_store import connect, is_damage
from lumivid_fx.worker.journal_tables import (
    ADD_FRAME,
    ADD_JOB,
    MIGRATIONS,
    SOUND_FRAME,
    SOUND_JOB,
    UNSOUND,
    job_of,
)

# https://sqlite.org/fileformat2.html: sections 1.3 and 4.1
_MAGIC = b"SQLite format 3\0"
_VERSIONS = (b"\1\1", b"\2\2")  # written and read with a rollback journal, or with a log
_LOG_MAGIC = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
_LOG_HEADER = 32


class _DamagedError(Exception):
    """The file does not hold what was written to it; the text says why."""


def open_file(path: Path, migrations: Sequence[str] = MIGRATIONS) -> tuple[sqlite3.Connection, str]:
    """Open the journal, or make it.

    Args:
        path: In a folder that this process has locked.
        migrations: Each takes the tables one version on.

    Returns:
        The connection, and what happened to a damaged file in a sentence, or "".

    Raises:
        InputError: A newer release wrote it, or it cannot lie there.
        sqlite3.Error: The disk is full, or cannot be read or written; so for OSError.
    """
    fresh = path.with_name(f".{path.name}.new")
    if not path.exists() and not _log_of(path).exists():
        _make(fresh, migrations)
        _put_in_place(fresh, path)
    try:
        return _open_sound(path, migrations), ""
    except _DamagedError as error:
        why = str(error)
    except UnicodeDecodeError:  # Python's, over the words of an error of SQLite's
        why = "its tables have no names"
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        why = str(error)
    aside = _keep(path)
    saved = _make(fresh, migrations, damaged=path)
    _put_in_place(fresh, path)
    notice = (
        f"{path} was damaged ({why}) and is kept as {aside}; {saved} jobs that had not ended could "
        "be read and go on, any other must be submitted again"
    )
    return _open_sound(path, migrations), notice


def _open_sound(path: Path, migrations: Sequence[str]) -> sqlite3.Connection:
    """Open a file that is there, look over all that it holds, and bring it up to date."""
    _look_at_headers(path)
    with ExitStack() as undo:
        connection = undo.enter_context(closing(connect(path, "wal")))
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(migrations):
            raise InputError(
                f"{path} was written by a newer release (version {version}, and this release knows "
                f"{len(migrations)}); run that release, or move the file away to begin anew"
            )
        if version < 1:
            raise _DamagedError("it holds no tables of the worker's")
        # Not quick_check, which does not compare tables with their indexes.
        found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if found != "ok":
            raise _DamagedError(" ".join(found.split())[:200])
        _migrate(connection, version, migrations)
        unsound = connection.execute(UNSOUND).fetchone()
        if unsound is not None:
            raise _DamagedError(f"{unsound[0]} is not as it was written")
        for row in connection.execute("SELECT * FROM jobs"):
            try:
                job_of(row)
            except (RefusedError, msgspec.MsgspecError) as error:
                raise _DamagedError(f"job {row['job']}: {error}") from error
        undo.pop_all()
    return connection


def _look_at_headers(path: Path) -> None:
    """Refuse what SQLite would take for an empty file, an empty log, or one not to be written."""
    if not path.exists():
        raise _DamagedError("it is gone, while its log is there")
    head = _first_bytes(path, 20)
    if not head:
        raise _DamagedError("it is empty")
    if not head.startswith(_MAGIC) or head[18:20] not in _VERSIONS:
        raise _DamagedError("it does not begin as a database does")
    log = _log_of(path)
    head = _first_bytes(log, _LOG_HEADER) if log.exists() else b""
    if head and not (len(head) == _LOG_HEADER and head.startswith(_LOG_MAGIC)):
        raise _DamagedError("its log does not begin as one does")


def _migrate(connection: sqlite3.Connection, version: int, migrations: Sequence[str]) -> None:
    for number, migration in enumerate(migrations[version:], start=version + 1):
        connection.executescript(
            f"BEGIN IMMEDIATE; {migration}; PRAGMA user_version = {number}; COMMIT;"
        )


def _make(fresh: Path, migrations: Sequence[str], damaged: Path | None = None) -> int:
    """Make a file with what is sound in a damaged one; say how many jobs that was."""
    for left in (fresh, fresh.with_name(f"{fresh.name}-journal")):
        left.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    saved = 0
    # No log here: when the last commit returns, all of it is in this one file.
    with closing(connect(fresh, "delete")) as connection:
        _migrate(connection, 0, migrations)
        connection.execute("BEGIN IMMEDIATE")
        for job, frames in _sound(damaged, len(migrations)) if damaged is not None else ():
            with suppress(sqlite3.IntegrityError):  # of what changes in a row, which has no digest
                connection.execute(ADD_JOB, job)
                saved += 1
                connection.executemany(ADD_FRAME, frames)
        connection.execute("COMMIT")
    return saved


def _sound(path: Path, version: int) -> Iterator[tuple[dict[str, object], list[dict[str, object]]]]:
    """Yield the jobs of a damaged file that are sound and have not ended, with their frames.

    A frame that is lost is looked for, or rendered again, when the job goes on.
    """
    if not path.exists() or _first_bytes(path, len(_MAGIC)) != _MAGIC:
        return  # SQLite would make a new one of it
    # The pragma has SQLite read a file that is cut short, as far as it goes.
    with _past_damage(), closing(connect(path, "wal", "writable_schema = ON")) as connection:
        if connection.execute("PRAGMA user_version").fetchone()[0] != version:
            return
        for number in _numbers(connection, "SELECT seq FROM jobs ORDER BY seq"):
            for job in _rows(connection, SOUND_JOB, number):
                with suppress(RefusedError, msgspec.MsgspecError):
                    name = job_of(job).job
                    query = "SELECT frame FROM frames WHERE job = ? ORDER BY frame"
                    frames = [
                        dict(frame)
                        for number in _numbers(connection, query, name)
                        for frame in _rows(connection, SOUND_FRAME, name, number)
                    ]
                    yield dict(job), frames


def _numbers(connection: sqlite3.Connection, query: str, *values: str) -> list[int]:
    """The numbers of a query from both ends, up to what cannot be read; ascending."""
    numbers = set()
    for way in ("ASC", "DESC"):
        with _past_damage():
            for row in connection.execute(f"{query} {way}", values):
                numbers.add(row[0])
    return sorted(number for number in numbers if isinstance(number, int))


def _rows(connection: sqlite3.Connection, query: str, *values: str | int) -> list[sqlite3.Row]:
    rows: list[sqlite3.Row] = []
    with _past_damage():
        rows += connection.execute(query, values).fetchall()
    return rows


@contextmanager
def _past_damage() -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError:
        pass
    except sqlite3.Error as error:
        if not is_damage(error):
            raise


def _keep(path: Path) -> Path:
    """Give a damaged file and its log a second name; the first is free to be replaced."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    aside = path.with_name(f"{path.stem}.damaged-{stamp}{path.suffix}")
    for here, there in ((path, aside), (_log_of(path), _log_of(aside))):
        with suppress(FileNotFoundError):
            os.link(here, there)
    return aside


def _put_in_place(fresh: Path, path: Path) -> None:
    for left in (_log_of(path), path.with_name(f"{path.name}-shm")):
        left.unlink(missing_ok=True)
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _first_bytes(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        return file.read(count)
