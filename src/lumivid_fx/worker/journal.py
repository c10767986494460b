"""Jobs and their finished frames in SQLite: what a method has written is on disk when it returns.

A job and its state lie in the file itself. Frames may lie in SQLite's log for a while; were it
damaged, they would be looked for when their job goes on. ``journal_file`` says what happens to a
damaged file. Used from one thread. The clock is the wall's and for display; only
:meth:`Journal.purge` compares it, and never for a job that has not ended.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from lumivid_fx.protocol.job_state import JobState, may_follow
from lumivid_fx.protocol.messages import Request
from lumivid_fx.protocol.wire import pack_request
from lumivid_fx.worker.journal_file import open_file
from lumivid_fx.worker.journal_store import JournalError, Store
from lumivid_fx.worker.journal_tables import (
    ADD_FRAME,
    ADD_JOB,
    NEW_JOB,
    FrameRecord,
    JobRecord,
    frame_of,
    job_of,
    values_of,
)

__all__ = ["FrameRecord", "JobRecord", "Journal", "JournalError"]


class Journal:
    """The journal of one worker; made by :meth:`open`.

    Every method but :meth:`close` raises :class:`JournalError` if the file cannot be written or
    read. A program's mistakes, such as a job that is not there, raise ValueError.

    Attributes:
        path: Its file.
        notice: What happened to a damaged one, in a sentence, or "".
    """

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self.path = store.path
        self.notice = store.notice
        self._store = store
        self._clock = clock

    @classmethod
    def open(cls, folder: Path, clock: Callable[[], float] = time.time) -> Journal:
        """Open the journal of a folder, or begin one.

        Raises:
            InputError: Another worker has it, or it cannot lie or be read there.
            JournalError: There is no room for it.
        """
        return cls(Store(folder / "journal.sqlite", open_file), clock)

    def close(self) -> None:
        """Let go of the file and of the folder."""
        self._store.close()

    # ---- jobs ---------------------------------------------------------------------------------

    def add_job(
        self, job: str, owner: str, session: str, request: Request, state: JobState
    ) -> JobRecord:
        """Write down a new job.

        Raises:
            ValueError: There is one of that id.
        """
        now = float(self._clock())
        values = NEW_JOB | {
            "job": job,
            "owner": owner,
            "session": session,
            "state": state,
            "created": now,
            "updated": now,
            "pixels": int(request.deliver == "pixels"),
            "request": pack_request(request),
        }

        def act(connection: sqlite3.Connection) -> sqlite3.Row:
            connection.execute(ADD_JOB, values)
            row: sqlite3.Row = connection.execute(
                "SELECT * FROM jobs WHERE job = ?", (job,)
            ).fetchone()
            return row

        return job_of(self._store.write(act, settle=True))

    def job(self, job: str) -> JobRecord | None:
        """A job, or None."""
        rows = self._store.read("SELECT * FROM jobs WHERE job = ?", job)
        return job_of(rows[0]) if rows else None

    def jobs(
        self, owner: str | None = None, ended: bool = True, limit: int = 1000
    ) -> list[JobRecord]:
        """The newest jobs, newest first.

        Args:
            owner: Only this one's.
            ended: Those that have ended too.
            limit: How many at most.
        """
        rows = self._store.read(
            """SELECT * FROM jobs WHERE (?1 IS NULL OR owner = ?1)
            AND (?2 OR state NOT IN ('done', 'failed', 'cancelled')) ORDER BY seq DESC LIMIT ?3""",
            *(owner, ended, limit),
        )
        return [job_of(row) for row in rows]

    def unended(self) -> list[JobRecord]:
        """Jobs that have not ended, in the order of their arrival."""
        rows = self._store.read(
            "SELECT * FROM jobs WHERE state NOT IN ('done', 'failed', 'cancelled') ORDER BY seq"
        )
        return [job_of(row) for row in rows]

    def move(
        self, job: str, before: JobState, after: JobState, *, code: str = "", message: str = ""
    ) -> bool:
        """Bring a job from one state to another, and say why; to run counts an attempt.

        Returns:
            Whether it was in that state.

        Raises:
            ValueError: That may not follow.
        """
        if not may_follow(before, after):
            raise ValueError(f"a job that is {before} cannot become {after}")
        return self._update(
            """UPDATE jobs SET state = :after, code = :code, message = :message, updated = :now,
            attempts = attempts + (:after = 'running') WHERE job = :job AND state = :before""",
            {"job": job, "before": before, "after": after, "code": code, "message": message},
            settle=True,
        )

    def fall_back(self, job: str, rung: int, note: str) -> None:
        """Note how far down the memory ladder a job is, and what that means for the artist."""
        self._change(
            """UPDATE jobs SET rung = :rung, updated = :now, notes = CASE
            WHEN EXISTS (SELECT 1 FROM json_each(notes) WHERE value = :note) THEN notes
            ELSE json_insert(notes, '$[#]', :note) END WHERE job = :job""",
            {"job": job, "rung": rung, "note": note},
        )

    def forgive(self, job: str) -> None:
        """Begin to count a job's attempts anew."""
        self._change("UPDATE jobs SET attempts = 0, updated = :now WHERE job = :job", {"job": job})

    def set_total(self, job: str, total: int) -> None:
        """Note how many frames a job will have."""
        self._change(
            "UPDATE jobs SET total = :total, updated = :now WHERE job = :job",
            {"job": job, "total": total},
        )

    def add_seconds(self, job: str, seconds: float) -> None:
        """Note that a job was worked on."""
        self._change(
            "UPDATE jobs SET seconds = seconds + :seconds, updated = :now WHERE job = :job",
            {"job": job, "seconds": max(seconds, 0.0)},
        )

    def recover(self) -> list[JobRecord]:
        """Say what becomes of jobs that a worker was at when it ended; for its next start.

        Returns:
            Those jobs as they are now: queued, or cancelled where that was asked for.
        """
        message = "the job was cancelled as the worker ended; finished frames are kept"

        def act(connection: sqlite3.Connection) -> list[sqlite3.Row]:
            return connection.execute(
                """UPDATE jobs SET updated = :now,
                code = CASE state WHEN 'running' THEN '' ELSE 'E_CANCELLED' END,
                message = CASE state WHEN 'running' THEN '' ELSE :message END,
                state = CASE state WHEN 'running' THEN 'queued' ELSE 'cancelled' END
                WHERE state IN ('running', 'cancelling') RETURNING *""",
                {"message": message, "now": float(self._clock())},
            ).fetchall()

        return sorted(
            map(job_of, self._store.write(act, settle=True)), key=lambda record: record.seq
        )

    def purge(self, before: float, unread_before: float = 0.0) -> list[str]:
        """Forget jobs that ended long ago.

        Args:
            before: Those last changed before that time, in seconds since 1970.
            unread_before: The same for pixels that their client has not got.

        Returns:
            Their ids.
        """

        def act(connection: sqlite3.Connection) -> list[sqlite3.Row]:
            return connection.execute(
                """DELETE FROM jobs WHERE state IN ('done', 'failed', 'cancelled') AND updated < ?
                AND (updated < ? OR NOT (pixels AND EXISTS (
                    SELECT 1 FROM frames WHERE frames.job = jobs.job AND NOT frames.acked
                ))) RETURNING job""",
                (before, unread_before),
            ).fetchall()

        return [row["job"] for row in self._store.write(act)]

    # ---- frames -------------------------------------------------------------------------------

    def add_frame(self, job: str, frame: FrameRecord) -> None:
        """Write down a finished frame, in place of an earlier one of that number.

        It stays acknowledged if its digest is the same.
        """

        def act(connection: sqlite3.Connection) -> None:
            connection.execute(ADD_FRAME, values_of(job, frame))
            connection.execute(
                "UPDATE jobs SET updated = ? WHERE job = ?", (float(self._clock()), job)
            )

        self._store.write(act)

    def ack(self, job: str, frame: int, sha256: str) -> bool:
        """Note that the client has a frame; False if there is none, or of another digest."""
        found = self._store.read(
            "SELECT acked FROM frames WHERE job = ? AND frame = ? AND sha256 = ?",
            *(job, frame, sha256),
        )
        if found and not found[0]["acked"]:
            self._update(
                """UPDATE frames SET acked = 1
                WHERE job = :job AND frame = :frame AND sha256 = :sha256""",
                {"job": job, "frame": frame, "sha256": sha256},
            )
        return bool(found)

    def frames(self, job: str) -> dict[int, FrameRecord]:
        """A job's finished frames by number, ascending."""
        rows = self._store.read("SELECT * FROM frames WHERE job = ? ORDER BY frame", job)
        return {row["frame"]: frame_of(row) for row in rows}

    def counts(self, job: str) -> tuple[int, int, int]:
        """How many frames are finished; of those, how many were kept, and came from the cache."""
        rows = self._store.read("SELECT how, count(*) FROM frames WHERE job = ? GROUP BY how", job)
        count: dict[str, int] = {row[0]: row[1] for row in rows}
        return sum(count.values()), count.get("kept", 0), count.get("cache", 0)

    # ---- changes ------------------------------------------------------------------------------

    def _change(self, query: str, values: dict[str, object]) -> None:
        if not self._update(query, values):
            raise ValueError(f"the journal has no job {values['job']}")

    def _update(self, query: str, values: dict[str, object], *, settle: bool = False) -> bool:
        values = {**values, "now": float(self._clock())}
        return self._store.write(
            lambda connection: connection.execute(query, values).rowcount > 0, settle=settle
        )
