"""What a worker costs beside its renders: pixels, the queue, the journal.

The server, its runner and the peers are processes of their own, the client room is in this one.
"""

from __future__ import annotations

import hashlib
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import astuple
from itertools import count
from pathlib import Path

from tests.worker.running import running_worker

from benchmarks.table import show, take_turns
from benchmarks.worker_pixels import pixels_table
from lumivid_fx import client
from lumivid_fx.protocol.messages import PathSource, Request
from lumivid_fx.worker.journal import FrameRecord, Journal

RUNNER = (sys.executable, "-m", "benchmarks.frame_runner")
JOB = "f" * 32
REQUEST = Request(source=PathSource(path="/show/plate.mov"), target="/show/out")
JOBS = 100
BATCH = 24


def _frame(number: int) -> FrameRecord:
    return FrameRecord(
        frame=number,
        how="rendered",
        sha256=hashlib.sha256(b"%d" % number).hexdigest(),
        size=16_588_800,
        path=f"/show/sc010/sh0100/hdr.{number:04d}.exr",
        shape=None,
        space="lin_rec709",
        model_clipped=0.0,
        half_clamped=0,
        acked=False,
    )


def _journal(folder: Path) -> Journal:
    journal = Journal.open(folder)
    journal.add_job(JOB, "k" * 40, JOB, REQUEST, "queued")
    return journal


def queue_table(connected: client.Worker, folder: Path) -> None:
    """A job that renders next to nothing, beside a ping on its connection and one commit."""
    numbers = count()

    def job() -> None:
        number = next(numbers)
        connected.submit(
            folder / "plate.mov", folder / f"{number}", frames="1", want_frames=False
        ).wait()

    with closing(_journal(folder / "state")) as journal:

        def writes() -> None:
            name = f"{next(numbers):032x}"
            journal.add_job(name, "k" * 40, JOB, REQUEST, "queued")
            journal.move(name, "queued", "running")
            journal.set_total(name, 1)
            journal.add_frame(name, _frame(1))
            journal.forgive(name)
            journal.add_seconds(name, 1.0)
            journal.move(name, "running", "done")

        runs: dict[str, Callable[[], object]] = {
            "submit to done, one small frame": job,
            "what the journal writes for it": writes,
            "ping to pong": connected.ping,
            "one commit of the journal": lambda: journal.add_seconds(JOB, 1.0),
        }
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for turn in range(JOBS + 5):
            for name, run in runs.items():
                start = time.perf_counter()
                run()
                if turn >= 5:
                    seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    *_, ping, commit = medians.values()
    show(
        f"Latency of the queue, {JOBS} times each, milliseconds",
        ("", "median", "95 of 100 within", "times a ping", "times a commit"),
        [
            (
                *(name, f"{medians[name] * 1e3:.2f}"),
                f"{statistics.quantiles(each, n=20)[18] * 1e3:.2f}",
                *(f"{medians[name] / ping:.1f}", f"{medians[name] / commit:.1f}"),
            )
            for name, each in seconds.items()
        ],
    )


def journal_table(folder: Path) -> None:
    """Finished frames into the journal, beside SQLite alone with rows of the same size."""
    with (
        closing(_journal(folder / "state")) as journal,
        closing(sqlite3.connect(folder / "bare.sqlite", isolation_level=None)) as bare,
    ):
        bare.execute("PRAGMA journal_mode = wal")
        bare.execute("PRAGMA synchronous = FULL")
        bare.execute("PRAGMA wal_autocheckpoint = 100")
        bare.execute("CREATE TABLE frames (a, b, c, d, e, f, g, h, i, j, k)")
        insert = "INSERT INTO frames VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        numbers = count()

        def frames() -> Iterator[FrameRecord]:
            return (_frame(next(numbers)) for _ in range(BATCH))

        def ours() -> None:
            for frame in frames():
                journal.add_frame(JOB, frame)

        def theirs() -> None:
            for frame in frames():
                bare.execute(insert, (*astuple(frame), bytes(32)))

        def states() -> None:
            for _ in range(BATCH // 2):
                journal.move(JOB, "queued", "running")
                journal.move(JOB, "running", "queued")

        frame, state, alone = take_turns([ours, states, theirs], rounds=15)
    show(
        "Commits a second, each on disk before the next (synchronous = FULL)",
        ("", "commits a second", "milliseconds", "times SQLite's"),
        [
            (name, f"{BATCH / each:.0f}", f"{each / BATCH * 1e3:.2f}", f"{each / alone:.2f}")
            for name, each in (
                ("journal, finished frames", frame),
                ("journal, states of jobs", state),
                ("SQLite alone, rows as of frames", alone),
            )
        ],
    )


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("pixels", "queue", "journal"):
            (folder / part).mkdir()
        with running_worker(folder / "home", roots=[folder], runner=RUNNER) as worker:
            worker.wait_until_ready()
            with client.connect(places=worker.places, name="benchmark", timeout=60) as connected:
                pixels_table(worker, connected, folder / "pixels")
                queue_table(connected, folder / "queue")
        journal_table(folder / "journal")


if __name__ == "__main__":
    main()
