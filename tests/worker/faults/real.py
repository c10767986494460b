"""A worker with the real runner and a tiny model, and what must hold after every fault it meets."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from tests.pipeline.plates import write_png
from tests.worker.caller import new_id
from tests.worker.faults.taker import Taker
from tests.worker.faults.workers import new_folder, shots_of
from tests.worker.running import RunningWorker

from lumivid_fx.protocol import messages as m

FAULTY = (sys.executable, "-m", "tests.worker.faulty_runner")

GROWTH = 64 << 20
"""Bytes by which a fault may raise the most that a process has ever held. torch, the decoders and
a second model take some; what the faults claim to be takes 1.6 GB and more."""


@dataclass(frozen=True)
class Outcome:
    """How a request ended, refused at once or after it had become a job.

    Attributes:
        code: Empty if it was done.
        message: The sentence that came with the code.
        frames: Those that were told, by number.
        done: How the job ended; None where there was no job.
    """

    code: str
    message: str
    frames: Mapping[int, m.Frame] = field(default_factory=dict)
    done: m.Done | None = None


class RealWorker:
    """A worker, and folders around it.

    Args:
        worker: What runs.
        base: Folder of its home, its root and `beside`.
        good: Whether it renders well from the beginning, which :meth:`still_renders` goes by.

    Attributes:
        worker: The same.
        shots: The only root.
        beside: Outside of it, where nothing may be read or written.
        plate: A good plate of nine frames, as a pattern.
    """

    def __init__(self, worker: RunningWorker, base: Path, *, good: bool) -> None:
        self.worker = worker
        self.shots = shots_of(worker)
        self.beside = base / "beside"
        self.beside.mkdir(exist_ok=True)
        self.secret = write_png(self.beside / "secret", range(1001, 1010), shift=77)
        self.plate = write_png(self.shots / "good", range(1001, 1010))
        self._outside = content(self.beside)
        worker.wait_until_ready()
        self._first = self._good() if good else {}
        if good:
            assert self._good() == self._first
        self._most_before = self._most()
        self._processes, self._log = (worker.pid, worker.runners), worker.log()

    def new_folder(self, name: str) -> Path:
        """A folder in the root that nobody has used."""
        return new_folder(self.worker, name)

    def run(self, request: m.Request, *, take: bool = True) -> Outcome:
        """Ask for something, and wait for how it ends.

        Args:
            request: What.
            take: Whether to take its frames, and hold their files against what is told of them.
        """
        with Taker(self.worker) as taker:
            submit = m.Submit(id=new_id(), job=new_id(), request=request)
            taker.send(submit)
            answer = taker.answer(submit.id)
            if isinstance(answer, m.Error):
                assert answer.job in ("", submit.job)
                return _plain(Outcome(answer.code, answer.message))
            if take:
                taker.follow(submit.job)
            else:
                taker.send(m.Attach(id=new_id(), job=submit.job, frames=False))
            done = taker.done(submit.job)
            if take:
                taker.take_until(
                    lambda: len(taker.held[submit.job]) == done.frames, "all its frames are told"
                )
            frames = dict(taker.held[submit.job])
        assert (done.state == "done") == (not done.code)
        return _plain(Outcome(done.code, done.message, frames, done))

    def refused(self, request: m.Request, code: str, told: str) -> Outcome:
        """A request fails with a code and a sentence, and leaves no file at its target."""
        outcome = self.run(request)
        assert re.fullmatch(code, outcome.code), f"{outcome.code}: {outcome.message}"
        assert re.search(told, outcome.message), outcome.message
        assert not outcome.frames
        if request.target is not None:
            folder = Path(request.target).parent
            assert not [*folder.glob("*.exr"), *folder.glob(".*")]
        return outcome

    def still_renders(self) -> None:
        """No process was lost or has grown, and a good job gives the same files as ever."""
        processes, log = self._processes, len(self._log)
        self._processes, self._log = (self.worker.pid, self.worker.runners), self.worker.log()
        # Each is held against what it was at the last look, so that no fault is another test's.
        most, self._most_before = self._most_before, self._most()
        assert self._processes == processes, "a process was lost"
        told = [line for line in self._log[log:] if "Traceback" in str(line.get("message"))]
        assert not told, f"the log holds {told}"
        for now, then in zip(self._most_before, most, strict=True):
            assert now - then <= GROWTH, f"it has held {(now - then) / 1e6:.0f} MB more"
        assert self._good() == self._first
        assert content(self.beside) == self._outside

    def _good(self) -> dict[str, bytes]:
        out = self.new_folder("out")
        outcome = self.run(request(self.plate, out))
        assert outcome.code == "", outcome.message
        assert [frame.how for frame in outcome.frames.values()] == ["rendered"] * 9
        return content(out)

    def _most(self) -> list[int]:
        """Bytes that server and runner held at most, ever."""
        found = []
        for pid in (self.worker.pid, *self.worker.runners):
            status = Path(f"/proc/{pid}/status").read_text()
            found.append(1024 * int(status.split("VmHWM:")[1].split()[0]))
        return found


@contextmanager
def real_worker(
    base: Path,
    model: Path,
    *,
    fault: str = "",
    once: bool = False,
    good: bool = True,
    **settings: object,
) -> Iterator[RealWorker]:
    """A worker whose runner is the real one.

    Args:
        base: New folder of all that is its own.
        model: Its model.
        fault: What its runner is to do wrong, as :mod:`tests.worker.faulty_runner` wants it.
        good: Whether it renders well at first.
        once: Whether that happens only once, whatever process renders.
        **settings: Fields of WorkerSettings.
    """
    shots = base / "shots"
    shots.mkdir(parents=True)
    given = {"devices": ["cpu"], "model": str(model), "cache_bytes": 0, "roots": [str(shots)]}
    environ = {}
    if fault:
        given["runner"], environ = FAULTY, {"LUMIVID_TEST_FAULT": fault}
        if once:
            environ["LUMIVID_TEST_FAULT_ONCE"] = str(shots / "once")
    text = json.dumps({**given, **settings}, default=str)
    command = [sys.executable, "-m", "tests.worker.start_worker", text]
    worker = RunningWorker(base / "home", command, environ)
    try:
        worker.start()
        yield RealWorker(worker, base, good=good)
    finally:
        worker.end_hard()


def request(source: str | Path, out: Path, frames: str | None = None, **more: object) -> m.Request:
    """A job of one sampler step; `source` may be any plate, `out` a folder."""
    asked = m.Request(
        source=m.PathSource(path=str(source)),
        frames=frames,
        target=f"{out}/a.####.exr",
        settings=m.Settings(steps=1),
    )
    return msgspec.structs.replace(asked, **more)


def content(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _plain(outcome: Outcome) -> Outcome:
    """What is told is one line without control characters, whatever the plate holds."""
    assert outcome.message.isprintable(), ascii(outcome.message)
    return outcome
