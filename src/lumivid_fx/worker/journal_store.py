"""SQLite as the journal uses it: changes are whole or have not happened, errors are a sentence.

When the disk takes no more, the ballast goes and the change is tried once again; the next that
finds room lays it anew.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import TypeVar

from lumivid_fx.errors import InputError, LumividError
from lumivid_fx.protocol.places import HOME, private_folder
from lumivid_fx.worker.journal_tables import row_digest
from lumivid_fx.worker.state_folder import Ballast, lock, refuse_network

T = TypeVar("T")

BUSY_S = 3.0
"""Seconds to wait for another program that looks into the file."""

OLDEST_SQLITE = (3, 37, 0)
"""Has STRICT tables."""

_SETTINGS = (
    "synchronous = FULL",
    "foreign_keys = ON",
    "temp_store = MEMORY",
    "wal_autocheckpoint = 100",  # pages; fewer than the ballast makes room for
    "trusted_schema = OFF",  # the file's own triggers and views may call no function of ours
    "cell_size_check = ON",  # see a damaged page when it is read
)

_DAMAGE = frozenset(
    {
        sqlite3.SQLITE_ERROR,  # no such table; text that is no UTF-8
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_FORMAT,
        sqlite3.SQLITE_NOTADB,
    }
)

_NO_ROOM = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
    }
)
"""What SQLite says when the disk takes no more, in one way or another."""


class JournalError(LumividError):
    """The journal could not be written or read; it is as it was before, and may be tried again."""

    code = "E_JOURNAL"


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's result code without its details; ``SQLITE_ERROR`` where Python raised the error."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is at fault, and not the disk or another program."""
    return primary_code(error) in _DAMAGE


def connect(path: Path, mode: str, *settings: str) -> sqlite3.Connection:
    """Open a file that is there.

    Args:
        path: The file.
        mode: ``wal``; or ``delete``, after which all that is committed is in the one file.
        settings: Pragmas beside the usual.

    Raises:
        InputError: It cannot lie there, or Python's SQLite is too old.
        sqlite3.Error: It cannot be read.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise InputError(
            f"this Python has SQLite {sqlite3.sqlite_version}, and the worker needs 3.37 or newer; "
            "use another Python, such as one that `uv python install` brings"
        )
    with ExitStack() as undo:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=BUSY_S
        )
        undo.callback(connection.close)
        connection.row_factory = sqlite3.Row
        connection.create_function("row_digest", -1, row_digest, deterministic=True)
        for setting in (*settings, *_SETTINGS):
            connection.execute(f"PRAGMA {setting}")
        if connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()[0] != mode:
            raise InputError(
                f"{path.parent} lies on a filesystem that SQLite cannot share memory on; "
                f"set {HOME} to a folder on a disk of this machine"
            )
        undo.pop_all()
    return connection


class Store:
    """The journal's file in a folder that nobody else has, until it is closed.

    Args:
        path: The file.
        opener: Opens it, and says what happened to a damaged one, in a sentence, or "".

    Attributes:
        path: As above.
        notice: What the opener said.

    Raises:
        InputError: Another worker has the folder, or the file cannot lie or be read there.
        JournalError: There is no room for it.
    """

    def __init__(
        self, path: Path, opener: Callable[[Path], tuple[sqlite3.Connection, str]]
    ) -> None:
        folder = path.parent
        refuse_network(folder)
        private_folder(folder)
        self.path = path
        self._ballast = Ballast(folder)
        with ExitStack() as undo, _told(path):
            self._lock = lock(folder)
            undo.callback(os.close, self._lock)
            self._connection, self.notice = _with_room(self._ballast, lambda: opener(path))
            undo.pop_all()
        self._ballast.lay()

    def close(self) -> None:
        """Let go of the file and of the folder."""
        self._connection.close()
        os.close(self._lock)

    def read(self, query: str, *values: str | float | None) -> list[sqlite3.Row]:
        """The rows that a query finds.

        Raises:
            JournalError: The file cannot be read.
        """
        with _told(self.path):
            return self._connection.execute(query, values).fetchall()

    def write(self, act: Callable[[sqlite3.Connection], T], *, settle: bool = False) -> T:
        """Do it as one transaction: when this returns it is on disk, or it has not happened.

        Args:
            act: What to do.
            settle: Bring it out of the log into the file at once, and empty the log. SQLite stops
                reading a damaged log in silence, so that what must not be lost is not left there.

        Raises:
            JournalError: The file cannot be written.
            ValueError: The tables cannot hold that.
        """

        def transaction() -> T:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                result = act(self._connection)
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            return result

        with _told(self.path):
            result = _with_room(self._ballast, transaction)
        if settle:
            self._settle()
        self._ballast.lay()
        return result

    def _settle(self) -> None:
        # Where somebody reads, or there is no room, it stays in the log until the next time.
        with suppress(sqlite3.OperationalError):
            self._connection.execute("PRAGMA busy_timeout = 0")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.execute(f"PRAGMA busy_timeout = {round(1000 * BUSY_S)}")


def _with_room(ballast: Ballast, act: Callable[[], T]) -> T:
    """Do it, and where the disk takes no more, once again without the ballast."""
    try:
        return act()
    except sqlite3.OperationalError as error:
        if primary_code(error) not in _NO_ROOM:
            raise
    except OSError as error:
        if error.errno not in (ENOSPC, EDQUOT):
            raise
    ballast.throw_out()
    return act()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say what went wrong with the file in a sentence."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise ValueError(f"the journal cannot hold this ({error})") from error
    except sqlite3.ProgrammingError:
        raise
    except sqlite3.Error as error:
        if is_damage(error):
            remedy = "start the worker again, and what is sound is taken over"
        elif primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            remedy = "close the other program that has it open"
        else:
            remedy = "free space on its disk, or make the folder writable"
        raise JournalError(f"{path} cannot be read or written ({error}); {remedy}") from error
    except OSError as error:
        raise JournalError(
            f"{path} cannot be opened ({error.strerror}); free space on its disk, or make the "
            "folder writable"
        ) from error
