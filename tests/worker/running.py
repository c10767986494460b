"""Real workers for tests: started in a process of their own, and ended hard with all they started.

    with running_worker(tmp_path / "home", roots=[tmp_path]) as worker:          # the command line
    with running_worker(home, roots=[tmp_path], runner=QUICK) as worker:         # no model, fast
    with running_worker(home, roots=[tmp_path], patience={"stall": 2}) as worker:

Clients in the test's own process reach it by ``client.connect(places=worker.places)``, the command
line by :attr:`RunningWorker.environ`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from lumivid_fx.errors import WireError
from lumivid_fx.protocol.places import HOME, Connection, Places, read_connection

ROOT = Path(__file__).parents[2]

QUICK = (sys.executable, "-m", "tests.worker.quick_runner")
"""A runner without a model; what it does wrong stands in a job's label."""

SOON_S = 60.0
"""Upper bound for whatever must happen at all, on a busy machine of two cores."""


class RunningWorker:
    """A worker's process, its folders and its log.

    Args:
        home: Its LUMIVID_HOME, made if missing.
        command: How it is started.
        environ: What its environment has besides.

    Attributes:
        places: Its folders.
        environ: Its whole environment, for commands that are to reach it.
        process: The server, ended or not.
    """

    def __init__(self, home: Path, command: Sequence[str], environ: Mapping[str, str]) -> None:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.environ = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "LUMIVID_DEBUG": "0",
            "PYTHONPATH": str(ROOT),  # runners of the tests are found from any folder
            HOME: str(home),
            **environ,
        }
        self.places = Places.of(self.environ)
        self.process: subprocess.Popen[bytes] | None = None
        self._home = home
        self._command = list(command)

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self.process is not None
        return self.process.pid

    @property
    def connection(self) -> Connection:
        """What clients read of it."""
        return read_connection(self.places.connection)

    @property
    def runners(self) -> list[int]:
        """Processes that render, as the server started them; what they start is not among them."""
        with suppress(psutil.NoSuchProcess):
            return [child.pid for child in psutil.Process(self.pid).children()]
        return []

    def start(self, *, wait: bool = True) -> None:
        """Start the server, for the first time or again; wait until it listens."""
        assert self.process is None or self.process.poll() is not None
        with self._log_file.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environ,
                cwd=self._home,
            )
        if wait:
            self.wait_until(self._listens, "the worker listens")

    def log(self) -> list[dict[str, object]]:
        """Its log, of all starts; a line that is no JSON is one with a `message` alone."""
        lines: list[dict[str, object]] = []
        if not self._log_file.exists():
            return lines
        for line in self._log_file.read_text(errors="replace").splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                lines.append({"message": line})
        return lines

    def logged(self, words: str) -> bool:
        """Whether a line of its log holds these words."""
        return any(words in str(line["message"]) for line in self.log())

    def wait_until(self, when: Callable[[], bool], what: str, seconds: float = SOON_S) -> None:
        """Look until something is the case.

        Raises:
            AssertionError: It took too long, or the server ended meanwhile; the log is told.
        """
        deadline = time.monotonic() + seconds
        while not when():
            told = f"{what}: not so; the log ends with\n" + "\n".join(
                json.dumps(line) for line in self.log()[-20:]
            )
            assert self.process is not None
            assert self.process.poll() is None, f"the worker ended while waiting for: {told}"
            assert time.monotonic() < deadline, told
            time.sleep(0.02)

    def wait_until_ready(self, seconds: float = SOON_S) -> None:
        """Wait until a runner has said that it takes jobs, since the last start."""
        boot = self.connection.boot
        self.wait_until(
            lambda: any(
                line.get("boot") == boot and str(line["message"]).endswith("is ready")
                for line in self.log()
            ),
            "a runner is ready",
            seconds,
        )

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Send the server a signal that ends it; its exit status, negative for a signal."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=SOON_S)

    def end(self) -> int:
        """End the server in order; its exit status."""
        return self.kill(signal.SIGTERM)

    def end_hard(self) -> None:
        """Kill the server and all that inherited its home, runners that lost it among them."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.process.wait(timeout=SOON_S)
        left = list(self._inheritors())
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=SOON_S)

    @property
    def _log_file(self) -> Path:
        return self._home / "log.jsonl"

    def _listens(self) -> bool:
        with suppress(WireError):
            return self.connection.pid == self.pid
        return False

    def _inheritors(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            # A process of another user keeps its environment to itself, and a zombie has none.
            with suppress(psutil.Error, OSError):
                if process.pid != os.getpid() and process.environ().get(HOME) == str(self._home):
                    yield process


@contextmanager
def running_worker(
    home: Path,
    *,
    roots: Sequence[Path],
    arguments: Sequence[str | Path] = (),
    environ: Mapping[str, str] | None = None,
    start: bool = True,
    **settings: object,
) -> Iterator[RunningWorker]:
    """Start a worker; kill it and all it started at the end, however it ends.

    Args:
        home: Its LUMIVID_HOME; give the same again to go on where another ended.
        roots: Folders it works in, made if missing.
        arguments: Options of ``lumivid worker``.
        environ: Variables of its environment.
        start: Whether to start it, and wait until it listens.
        **settings: Fields of WorkerSettings (`runner`, `patience` as a mapping, ...); with any, the
            worker is started by :mod:`tests.worker.start_worker`, else by ``lumivid worker``.
    """
    for root in roots:
        root.mkdir(parents=True, exist_ok=True)
    if settings:
        assert not arguments, "give either options or settings"
        given = {"devices": ["cpu"], **settings, "roots": [str(root) for root in roots]}
        text = json.dumps(given, default=str)
        command = [sys.executable, "-m", "tests.worker.start_worker", text]
    else:
        named = [part for root in roots for part in ("--root", str(root))]
        options = [*named, "--devices", "cpu", *map(str, arguments)]
        command = [sys.executable, "-m", "lumivid_fx.cli", "worker", *options]
    worker = RunningWorker(home, command, environ or {})
    try:
        if start:
            worker.start()
        yield worker
    finally:
        worker.end_hard()
