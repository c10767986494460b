"""A client of the soak: sees its jobs through, whatever is killed, itself included.

It writes down what it has got, as a consumer does that keeps its place: started again with the same
file, it goes on behind the last frame there.

python -m tests.worker.soak_client PLANS RECEIPTS LIFE
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec
from tests.worker.quick_runner import pixels
from tests.worker.soak_plan import Plan, plate_frame

from lumivid_fx import client
from lumivid_fx.errors import LumividError, WireError
from lumivid_fx.protocol.job_state import JobState
from lumivid_fx.protocol.messages import Done, PixelSource

AT_ONCE = 3
"""Jobs of a client that are under way together."""

ANSWER_S = 60.0
"""Longer than any answer takes, a restart of the worker included."""

FRAME_S = 1800.0
"""Longer than a frame takes: a job of low priority may be the last of all."""


NOT_DONE = Done(job="", state="queued")

What = Literal["accepted", "frame", "cancel", "end"]


class Receipt(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that happened to a job.

    Attributes:
        life: Which start of the client wrote it.
        at: When, in seconds since 1970.
        frame: Of a frame, its number.
        state: Of an end, how the job ended, and so for `code` and `frames`.
    """

    job: str
    what: What
    life: int
    at: float
    frame: int = 0
    state: JobState = "queued"
    code: str = ""
    frames: int = 0


def read_receipts(path: Path) -> list[Receipt]:
    """All that was written down; a line that a kill cut off has not happened."""
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [msgspec.json.decode(line, type=Receipt) for line in lines]


class BrokenOffError(Exception):
    """A plate broke off."""


def plate(plan: Plan, source: PixelSource) -> Iterator[bytes]:
    """Yield the frames of a plate.

    Raises:
        BrokenOffError: The plan has it break off.
    """
    for number in plan.numbers:
        if plan.torn and number > plan.count // 2:
            raise BrokenOffError
        yield plate_frame(source, number)


class Client:
    """One life of a client.

    Args:
        worker: Connected.
        receipts: File of what happened.
        life: Number of this life.
    """

    def __init__(self, worker: client.Worker, receipts: Path, life: int) -> None:
        self._worker = worker
        self._life = life
        self._before = read_receipts(receipts)
        self._lock = threading.Lock()
        self._file = os.open(receipts, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, plan: Plan, what: What, *, frame: int = 0, done: Done = NOT_DONE) -> None:
        """Write something down, in one piece."""
        receipt = Receipt(
            *(plan.job, what, self._life, time.time(), frame),
            *(done.state, done.code, done.frames),
        )
        with self._lock:
            os.write(self._file, msgspec.json.encode(receipt) + b"\n")

    def see_through(self, plan: Plan) -> None:
        """Bring a job to its end."""
        mine = [receipt for receipt in self._before if receipt.job == plan.job]
        if any(receipt.what == "end" for receipt in mine):
            return
        got = [receipt.frame for receipt in mine if receipt.what == "frame"]
        if any(receipt.what == "accepted" for receipt in mine):
            job = self._worker.attach(plan.job, after=got[-1] if got else None)
        else:
            job = self._submit(plan)
            self.note(plan, "accepted")
        count = len(got)
        told: LumividError | None = None
        try:
            self._cancel_if_due(plan, job, count)
            for frame in job.frames(FRAME_S):
                self._check(plan, frame)
                self.note(plan, "frame", frame=frame.number)
                count += 1
                self._cancel_if_due(plan, job, count)
        except LumividError as error:
            told = error
        done = job.done
        if done is None or (told is None) != (done.state == "done"):
            raise AssertionError(f"{done} was told, and {told!r} raised")
        self.note(plan, "end", done=done)

    def _submit(self, plan: Plan) -> client.Job:
        request = plan.request
        if not isinstance(request.source, PixelSource):
            return self._worker.submit_request(request, job=plan.job)
        with suppress(BrokenOffError):
            return self._worker.submit_pixels(
                plate(plan, request.source),
                request.source,
                request.target,
                settings=request.settings,
                priority=request.priority,
                label=request.label,
                job=plan.job,
            )
        return self._worker.attach(plan.job)

    def _cancel_if_due(self, plan: Plan, job: client.Job, count: int) -> None:
        if plan.cancel_after is not None and count >= plan.cancel_after:
            self.note(plan, "cancel")
            job.cancel()

    def _check(self, plan: Plan, frame: client.FinishedFrame) -> None:
        edge = 64 if "big" in plan.request.label else 2
        right = pixels(frame.number, edge)
        content = Path(frame.path or "").read_bytes() if frame.pixels is None else frame.pixels
        assert content == right, f"frame {frame.number} is another"
        assert frame.sha256 == hashlib.sha256(right).hexdigest()
        assert (frame.pixels is None) == (plan.request.deliver == "path")


def patiently(connect: Callable[[], client.Worker]) -> client.Worker:
    """Connect as soon as there is a worker."""
    deadline = time.monotonic() + ANSWER_S
    while True:
        try:
            return connect()
        except WireError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def main() -> None:
    """See all jobs through."""
    plans = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=list[Plan])
    with patiently(lambda: client.connect(timeout=ANSWER_S)) as worker:
        this = Client(worker, Path(sys.argv[2]), int(sys.argv[3]))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(this.see_through, plans))


if __name__ == "__main__":
    main()
