"""The journal's tables, their rows as records, and the SQL that must know every column.

SQLite has no checksums of its own: each row carries a SHA-256 over what never changes in it, so
that a damaged page is not taken for a job. The columns that change have CHECKs.
"""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import asdict, dataclass
from typing import Literal

import msgspec

from lumivid_fx.protocol.job_state import JobState
from lumivid_fx.protocol.messages import Request
from lumivid_fx.protocol.wire import read_request, request_digest

MIGRATIONS = (
    # 0 to 1. seq is the order of arrival, and is never given twice.
    """
    CREATE TABLE jobs (
        seq        INTEGER PRIMARY KEY AUTOINCREMENT,
        job        TEXT NOT NULL UNIQUE,
        owner      TEXT NOT NULL,
        session    TEXT NOT NULL,
        created    REAL NOT NULL,
        pixels     INTEGER NOT NULL CHECK (pixels IN (0, 1)),
        state      TEXT NOT NULL CHECK (state IN (
            'receiving', 'queued', 'running', 'cancelling', 'done', 'failed', 'cancelled')),
        attempts   INTEGER NOT NULL CHECK (attempts >= 0),
        rung       INTEGER NOT NULL CHECK (rung >= 0),
        notes      TEXT NOT NULL,
        total      INTEGER NOT NULL CHECK (total >= 0),
        code       TEXT NOT NULL,
        message    TEXT NOT NULL,
        updated    REAL NOT NULL,
        seconds    REAL NOT NULL CHECK (seconds >= 0),
        row_sha256 BLOB NOT NULL,
        request    BLOB NOT NULL
    ) STRICT;
    CREATE INDEX jobs_by_state ON jobs (state);
    CREATE TABLE frames (
        job           TEXT NOT NULL REFERENCES jobs (job) ON DELETE CASCADE,
        frame         INTEGER NOT NULL,
        how           TEXT NOT NULL CHECK (how IN ('rendered', 'kept', 'cache')),
        sha256        TEXT NOT NULL,
        size          INTEGER NOT NULL CHECK (size >= 0),
        path          TEXT NOT NULL,
        shape         TEXT NOT NULL,
        space         TEXT NOT NULL,
        model_clipped REAL NOT NULL,
        half_clamped  INTEGER NOT NULL CHECK (half_clamped >= 0),
        acked         INTEGER NOT NULL CHECK (acked IN (0, 1)),
        row_sha256    BLOB NOT NULL,
        PRIMARY KEY (job, frame)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX frames_by_how ON frames (job, how);
    """,
)

ADD_JOB = """
    INSERT INTO jobs (job, owner, session, created, pixels, state, attempts, rung, notes, total,
        code, message, updated, seconds, request, row_sha256)
    VALUES (:job, :owner, :session, :created, :pixels, :state, :attempts, :rung, :notes, :total,
        :code, :message, :updated, :seconds, :request,
        row_digest(:job, :owner, :session, :created, :pixels, :request))
"""

NEW_JOB: dict[str, object] = {
    "attempts": 0,
    "rung": 0,
    "notes": "[]",
    "total": 0,
    "code": "",
    "message": "",
    "seconds": 0.0,
}
"""What :data:`ADD_JOB` takes for a job that nothing has happened to."""

ADD_FRAME = """
    INSERT INTO frames (job, frame, how, sha256, size, path, shape, space, model_clipped,
        half_clamped, acked, row_sha256)
    VALUES (:job, :frame, :how, :sha256, :size, :path, :shape, :space, :model_clipped,
        :half_clamped, :acked, row_digest(:job, :frame, :how, :sha256, :size, :path, :shape, :space,
        :model_clipped, :half_clamped))
    ON CONFLICT (job, frame) DO UPDATE SET
        how = excluded.how, sha256 = excluded.sha256, size = excluded.size, path = excluded.path,
        shape = excluded.shape, space = excluded.space, model_clipped = excluded.model_clipped,
        half_clamped = excluded.half_clamped, row_sha256 = excluded.row_sha256,
        acked = excluded.acked OR (acked AND sha256 = excluded.sha256)
"""

SOUND_JOB = """
    SELECT * FROM jobs WHERE seq = ?
    AND row_sha256 IS row_digest(job, owner, session, created, pixels, request)
    AND state NOT IN ('done', 'failed', 'cancelled')
"""

SOUND_FRAME = """
    SELECT * FROM frames WHERE job = ? AND frame = ?
    AND row_sha256 IS row_digest(job, frame, how, sha256, size, path, shape, space, model_clipped,
        half_clamped)
"""

UNSOUND = """
    SELECT 'job ' || job FROM jobs
    WHERE row_sha256 IS NOT row_digest(job, owner, session, created, pixels, request)
    UNION ALL SELECT 'frame ' || frame || ' of job ' || job FROM frames
    WHERE row_sha256 IS NOT row_digest(job, frame, how, sha256, size, path, shape, space,
        model_clipped, half_clamped)
    UNION ALL SELECT 'frame ' || frame || ' of no job' FROM frames
    WHERE job NOT IN (SELECT job FROM jobs)
"""


@dataclass(frozen=True)
class JobRecord:
    """A job as the journal has it.

    Attributes:
        owner: Public key of the client whose it is.
        seq: Order of arrival, never given twice.
        digest: SHA-256 that tells its request from another.
        attempts: How often it was begun since ``Journal.forgive``.
        rung: How far down the memory ladder it is.
        notes: What the artist should know.
        total: Frames there will be; 0 while nobody knows.
        code: Why it ended, or "".
        message: The same in a sentence.
        created: Seconds since 1970.
        updated: When anything was last changed, likewise.
        seconds: How long it was worked on.
    """

    job: str
    owner: str
    session: str
    seq: int
    state: JobState
    request: Request
    digest: str
    priority: int
    attempts: int
    rung: int
    notes: tuple[str, ...]
    total: int
    code: str
    message: str
    created: float
    updated: float
    seconds: float


@dataclass(frozen=True)
class FrameRecord:
    """A finished frame: what its runner reported, and whether the client has it safe."""

    frame: int
    how: Literal["rendered", "kept", "cache"]
    sha256: str
    size: int
    path: str
    shape: tuple[int, int, int] | None
    space: str
    model_clipped: float
    half_clamped: int
    acked: bool


def job_of(row: sqlite3.Row) -> JobRecord:
    """A row of the table of jobs as a record.

    Raises:
        RefusedError: Its request is damaged.
    """
    request = read_request(row["request"])
    return JobRecord(
        job=row["job"],
        owner=row["owner"],
        session=row["session"],
        seq=row["seq"],
        state=row["state"],
        request=request,
        digest=request_digest(request),
        priority=request.priority,
        attempts=row["attempts"],
        rung=row["rung"],
        notes=msgspec.json.decode(row["notes"], type=tuple[str, ...]),
        total=row["total"],
        code=row["code"],
        message=row["message"],
        created=row["created"],
        updated=row["updated"],
        seconds=row["seconds"],
    )


def frame_of(row: sqlite3.Row) -> FrameRecord:
    """A row of the table of frames as a record."""
    return FrameRecord(
        frame=row["frame"],
        how=row["how"],
        sha256=row["sha256"],
        size=row["size"],
        path=row["path"],
        shape=msgspec.json.decode(row["shape"], type=tuple[int, int, int] | None),
        space=row["space"],
        model_clipped=row["model_clipped"],
        half_clamped=row["half_clamped"],
        acked=bool(row["acked"]),
    )


def values_of(job: str, frame: FrameRecord) -> dict[str, object]:
    """A record as :data:`ADD_FRAME` takes it."""
    return {
        **asdict(frame),
        "job": job,
        "shape": msgspec.json.encode(frame.shape).decode(),
        "model_clipped": float(frame.model_clipped),
        "acked": int(frame.acked),
    }


def row_digest(*values: str | int | float | bytes | None) -> bytes:
    """SHA-256 that tells the content of one row from another's; SQL calls it."""
    return hashlib.sha256(msgspec.json.encode(values)).digest()
