"""A real runner in a process of its own, at the other end of a real socket pair."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

import msgspec

from lumivid_fx.protocol.messages import PathSource, Request, Settings
from lumivid_fx.worker.orders import (
    Ended,
    FallBack,
    FrameDone,
    GoOn,
    Lines,
    Order,
    Pulse,
    Ready,
    Render,
    Report,
    RunnerConfig,
    Step,
    encode,
    read_report,
)

PATIENCE_S = 120.0
"""Longer than a runner on a busy machine is silent: a pulse comes each second once it is up."""

REPOSITORY = Path(__file__).parents[2]

RUNNER, FAULTY = "lumivid_fx.worker.runner", "tests.worker.faulty_runner"


class RunnerGoneError(Exception):
    """The process is gone in the middle of a job."""


class RunnerProcess:
    """A runner whose one root is a folder of the test's.

    Args:
        root: The only folder it may use beside the system's and the model's; spool and cache lie
            in it, under ``private``.
        model: Its default model.
        module: What to run.
        cache_bytes: Limit of the result cache; 0 for none.
        environ: Beside what this process has.
    """

    def __init__(
        self,
        root: Path,
        model: Path | None,
        *,
        module: str = RUNNER,
        cache_bytes: int = 0,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.root = root
        self.private = root / "private"
        self.cache = self.private / "cache"
        config = RunnerConfig(
            roots=(str(root),),
            private=(str(self.private), str(self.cache)),
            cache=str(self.cache) if cache_bytes else "",
            cache_bytes=cache_bytes,
            device="cpu",
            model="" if model is None else str(model),
        )
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(PATIENCE_S)
        self._lines, self._heard = Lines(), list[Report]()
        self.said = root / "runner.log"
        with theirs, self.said.open("ab") as said:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", module),
                    *(str(theirs.fileno()), msgspec.json.encode(config).decode()),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=REPOSITORY,
                env={**os.environ, "OMP_NUM_THREADS": "1", **(environ or {})},
                start_new_session=True,
            )

    def __enter__(self) -> RunnerProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()
        self.process.kill()
        self.process.wait()

    def ready(self) -> Ready:
        """Wait until it is ready."""
        return next(report for report in self.reports() if isinstance(report, Ready))

    def give(self, order: Order) -> None:
        """Say something to it."""
        self._socket.sendall(encode(order))

    def hang_up(self) -> None:
        """Close this end, as a server that dies does."""
        self._socket.close()

    def reports(self) -> Iterator[Report]:
        """What it says, signs of life left out.

        Raises:
            RunnerGoneError: It says nothing any more.
        """
        while True:
            while self._heard:
                report = self._heard.pop(0)
                if not isinstance(report, Pulse):
                    yield report
            piece = self._socket.recv(65536)
            if not piece:
                raise RunnerGoneError(self.said.read_text())
            self._heard += [read_report(line) for line in self._lines.feed(piece)]

    def begin(
        self,
        request: Request,
        *,
        finished: dict[int, tuple[str, int]] | None = None,
        rung: int = 0,
        job: str = "",
    ) -> Render:
        """Give it a job."""
        job = job or uuid4().hex
        order = Render(
            job=job,
            request=request,
            spool=str(self.private / job),
            finished=finished or {},
            rung=rung,
        )
        self.give(order)
        return order

    def outcome(self) -> Outcome:
        """Agree to every fall-back, and wait for the end of the job."""
        frames, steps, fallen = list[FrameDone](), list[Step](), list[FallBack]()
        for report in self.reports():
            match report:
                case FrameDone():
                    frames.append(report)
                case Step():
                    steps.append(report)
                case FallBack():
                    fallen.append(report)
                    self.give(GoOn())
                case Ended():
                    return Outcome(frames, steps, fallen, report)
                case _:
                    raise AssertionError(report)
        raise AssertionError("unreachable: reports end with an error")

    def run(
        self,
        request: Request,
        *,
        finished: dict[int, tuple[str, int]] | None = None,
        rung: int = 0,
        job: str = "",
    ) -> Outcome:
        """Give it a job, and see it through."""
        self.begin(request, finished=finished, rung=rung, job=job)
        return self.outcome()


@dataclass(frozen=True)
class Outcome:
    """What was reported of a job."""

    frames: list[FrameDone]
    steps: list[Step]
    fallen: list[FallBack]
    ended: Ended

    @property
    def how(self) -> dict[int, str]:
        """How each frame came, in the order in which they were told of."""
        return {done.frame: done.how for done in self.frames}

    @property
    def finished(self) -> dict[int, tuple[str, int]]:
        """The frames as a journal would have them."""
        return {done.frame: (done.sha256, done.size) for done in self.frames}


def to_path(source: str | Path, target: str | Path, **chosen: Any) -> Request:
    """A request from path to path, in one step; what is chosen are settings."""
    settings = {"sigmas": ((1.0, 0.0),), **chosen}
    return Request(
        source=PathSource(path=str(source)), target=str(target), settings=Settings(**settings)
    )
