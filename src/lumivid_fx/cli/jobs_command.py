"""``lumivid jobs``, ``watch``, ``attach`` and ``cancel``: what becomes of jobs at the worker."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Annotated

import typer

from lumivid_fx.cli import options as o
from lumivid_fx.cli.outcome import one_sentence
from lumivid_fx.cli.phase_bar import brief_time
from lumivid_fx.cli.worker_log import JobLog, frame_as_json
from lumivid_fx.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lumivid_fx.client import Worker
    from lumivid_fx.protocol.messages import JobRow

SHORT = 8
"""Characters of an id that are shown: of a thousand jobs two begin alike once in ten thousand."""

_ID = re.compile(r"[0-9a-f]{1,32}")


def jobs(
    job: Annotated[
        str | None, typer.Argument(metavar="JOB", help="Only this one, and all about it.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Jobs that have ended too; they are kept for a week.")
    ] = False,
    as_json: o.AsJson = False,
) -> None:
    """List the jobs of this user that wait or run, the newest first."""
    with one_sentence(as_json=as_json, interrupted=lambda: "nothing was changed"):
        with reach_worker() as there:
            rows = there.jobs(ended=everything) if job is None else [find_job(there, job)]
        if as_json:
            typer.echo(json.dumps({"jobs": [_as_json(row) for row in rows]}))
        elif job is not None:
            _tell_job(rows[0])
        elif rows:
            _tell_table(rows)
        else:
            ended = "" if everything else "; `lumivid jobs --all` lists those that have ended"
            typer.echo(f"no jobs{ended}", err=True)


def watch(
    job: o.JobId,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON line for each news of it, and a summary.")
    ] = False,
) -> None:
    """Show a job's progress until it ends. Ctrl-C leaves it running.

    The exit code is that of `lumivid render`: 0 if all frames are there.
    """
    with one_sentence(as_json=as_json, interrupted=lambda: _goes_on(job)), reach_worker() as there:
        row = find_job(there, job)
        log = JobLog(as_json=as_json, tell_progress=True)
        with log:
            followed = there.attach(row.job, want_frames=False, on_progress=log.on_progress)
            done = followed.wait()
        log.on_end(done)


def attach(
    job: o.JobId,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON line a frame, and a summary.")
    ] = False,
) -> None:
    """Print the files of a job's frames, from its first, each when it is finished; for scripts.

    Ctrl-C leaves the job running. The exit code is that of `lumivid render`.
    """
    with one_sentence(as_json=as_json, interrupted=lambda: _goes_on(job)), reach_worker() as there:
        row = find_job(there, job)
        if row.deliver == "pixels":
            raise InputError(
                f"job {row.job[:SHORT]} delivers pixels, which go to a script: see `attach` of "
                f"lumivid_fx.client; `lumivid watch {row.job[:SHORT]}` shows its progress"
            )
        log = JobLog(as_json=as_json)
        followed = there.attach(row.job)
        for frame in followed.frames():
            log.frames.append(frame)
            typer.echo(json.dumps(frame_as_json(frame)) if as_json else frame.path)
        if as_json:
            log.on_end(followed.wait())


def cancel(job: o.JobId, as_json: o.AsJson = False) -> None:
    """Stop a job; frames that are finished stay."""
    with one_sentence(as_json=as_json, interrupted=lambda: "the job may have been cancelled"):
        with reach_worker() as there:
            before = find_job(there, job)
            there.cancel(before.job)
            after = find_job(there, before.job)
        if as_json:
            typer.echo(json.dumps({"job": after.job, "state": after.state}))
        elif before.state in ("done", "failed", "cancelled"):
            typer.echo(f"job {after.job[:SHORT]} had ended before: {after.state}")
        else:
            done = "is cancelled" if after.state == "cancelled" else "stops after this step"
            typer.echo(f"job {after.job[:SHORT]} {done}; frames that are finished stay")


def find_job(there: Worker, text: str) -> JobRow:
    """The job that an id, or the beginning of one, stands for.

    Raises:
        InputError: It stands for none, or for several.
    """
    if not _ID.fullmatch(text):
        raise InputError(f"{text!r} is no job's id; `lumivid jobs --all` lists them")
    rows = [
        row for row in there.jobs(job=text if len(text) == 32 else None) if row.job.startswith(text)
    ]
    if not rows:
        raise InputError(f"no job of yours begins with {text}; `lumivid jobs --all` lists them")
    if len(rows) > 1:
        known = ", ".join(row.job[:12] for row in rows[:5])
        raise InputError(f"{text} stands for {len(rows)} jobs ({known}); give more characters")
    return rows[0]


def reach_worker() -> Worker:
    """Connect to this user's worker."""
    from lumivid_fx import client

    return client.connect(name="lumivid")


def _goes_on(job: str) -> str:
    return f"the job goes on; `lumivid cancel {job}` stops it"


def _as_json(row: JobRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in row.__struct_fields__}


def _tell_table(rows: Sequence[JobRow]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("job", "state", "frames", "age", "what", "said")
    for row in rows:
        cells = (
            row.job[:SHORT],
            row.state,
            _frames(row),
            _age(row.created),
            _what(row),
            row.message,
        )
        # Text, not markup: a path may hold square brackets.
        table.add_row(*map(Text, cells))
    Console().print(table)


def _tell_job(row: JobRow) -> None:
    told = {
        "job": row.job,
        "state": row.state,
        "frames": _frames(row),
        "label": row.label,
        "from": row.source,
        "to": row.target or "pixels",
        "priority": str(row.priority),
        "attempts": str(row.attempts),
        "submitted": f"{_age(row.created)} ago",
        "code": row.code,
        "said": row.message,
    }
    for name, value in told.items():
        if value not in ("", "0"):
            typer.echo(f"{name:10} {value}")


def _frames(row: JobRow) -> str:
    return f"{row.frames} of {row.total}" if row.total else str(row.frames)


def _age(since: float) -> str:
    return brief_time(max(0.0, time.time() - since))


def _what(row: JobRow) -> str:
    return row.label or f"{row.source} -> {row.target or 'pixels'}"
