"""A process that renders, seen from the server: started, spoken to, watched, ended, started again.

Nothing here waits: the server's loop reads what has come, and :meth:`Runner.tick` looks at the
clock. All times are monotonic, so that a clock that is set breaks nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import msgspec

from lumivid_fx.worker.orders import (
    End,
    Lines,
    Order,
    Pulse,
    Ready,
    Report,
    RunnerConfig,
    encode,
    read_report,
)

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 30.0
"""How long a process that died is left down: twice as long each time until one gets ready."""

RunnerState = Literal["starting", "ready", "busy", "down"]

RUNNER_STATES: tuple[RunnerState, ...] = get_args(RunnerState)

MAX_LOG_LINE = 4000
"""Bytes of a runner's own words that are logged at once."""

MAX_WORDS_A_SECOND = 64 * 1024
"""Bytes of the same that are logged in a second; what is more would only fill the disk."""

READS_A_TURN = 16
"""So that a runner that talks without end does not keep the server from everybody else."""


@dataclass(frozen=True)
class Patience:
    """How long the server waits for a runner, in seconds.

    Attributes:
        start: From the start of the process until it is ready: the model is loaded in this time.
        pulse: Between two signs of life.
        stall: Between two steps of a job.
        cancel: From a cancel until the job has ended.
    """

    start: float = 1800.0
    pulse: float = 60.0
    stall: float = 900.0
    cancel: float = 20.0


class Runner:
    """One process that renders.

    Args:
        name: What it is called until it says what it runs on.
        command: Start of the command line, such as ``python -m lumivid_fx.worker.runner``.
        config: What it is told.
        environ: Its environment.
        patience: How long to wait for it.

    Attributes:
        state: ``starting``, ``ready``, ``busy`` or ``down``.
        job: What it works on, or empty.
        device: What it runs on.
        model: Model it had loaded when it got ready.
        confined: Whether the kernel holds it to its roots.
        starts: How often it was started.
        overdue: Why the server killed it, or empty.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        config: RunnerConfig,
        environ: Mapping[str, str],
        patience: Patience,
    ) -> None:
        self.state: RunnerState = "down"
        self.job = ""
        self.device = name
        self.model = ""
        self.confined = False
        self.starts = 0
        self.overdue = ""
        self._command = [*command]
        self._config = config
        self._environ = dict(environ)
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._lines = Lines()
        self._words = 0
        self._words_since = 0.0
        self._pause = FIRST_PAUSE_S
        self._due = 0.0
        self._alive = self._moved = 0.0
        self._cancelled: float | None = None

    @property
    def pid(self) -> int:
        """Its process, 0 while it is down."""
        return 0 if self._process is None else self._process.pid

    def descriptors(self) -> Iterator[int]:
        """What to poll: its reports, and its own words on standard error."""
        if self._socket is not None:
            yield self._socket.fileno()
        if (words := self._own_words) is not None:
            yield words

    def tick(self, now: float) -> None:
        """Start it if it is down and has been long enough; kill it if it is overdue."""
        if self.state == "down":
            if now >= self._due:
                self._start(now)
            return
        if self._has_ended():
            self.kill()  # what it has started, and what keeps its socket open
        if self.overdue:
            return
        patience = self._patience
        if self.state == "starting" and now > self._moved + patience.start:
            self.overdue = f"was not ready within {patience.start:g} s"
        elif now > self._alive + patience.pulse:
            self.overdue = f"gave no sign of life for {patience.pulse:g} s"
        elif self._cancelled is not None and now > self._cancelled + patience.cancel:
            self.overdue = f"did not stop within {patience.cancel:g} s"
        elif self.state == "busy" and now > self._moved + patience.stall:
            self.overdue = f"made no progress for {patience.stall:g} s"
        if self.overdue:
            log.warning("%s (pid %d) %s and is killed", self.device, self.pid, self.overdue)
            self.kill()

    def give(self, order: Order, now: float) -> None:
        """Say something to it; a process that does not listen is killed."""
        if self._socket is None:
            return
        try:
            self._socket.settimeout(2.0)
            self._socket.sendall(encode(order))
            self._socket.setblocking(False)
        except OSError as error:
            log.warning("%s (pid %d) does not listen (%s)", self.device, self.pid, error)
            self.kill()
        self._moved = now

    def begin(self, job: str) -> None:
        """It has been given this job."""
        self.job, self.state, self._cancelled = job, "busy", None

    def finish(self, *, spoilt: bool = False) -> None:
        """The job has ended; a process that is spoilt takes no other and is killed."""
        self.job, self._cancelled = "", None
        if spoilt:
            self.overdue = "was no longer to be trusted"
            self.kill()
        elif not self.overdue:
            self.state = "ready"

    def cancelled(self, now: float) -> None:
        """The job is to stop; if it does not, the process is killed."""
        if self._cancelled is None:
            self._cancelled = now

    def reports(self, now: float) -> tuple[list[Report], bool]:
        """What it has said since the last call, and whether it is gone after that."""
        self._log_words(now)
        if self._socket is None:
            return [], False
        found: list[Report] = []
        gone = False
        try:
            for _ in range(READS_A_TURN):
                piece = self._socket.recv(1 << 16)
                if not piece:
                    gone = True
                    break
                self._alive = now
                found.extend(map(read_report, self._lines.feed(piece)))
        except BlockingIOError:
            pass
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            log.warning("%s (pid %d) was not understood (%s)", self.device, self.pid, error)
            gone = True
        return self._heard(found, now), gone

    def bury(self, now: float) -> tuple[str, bool]:
        """Clear away a process that is gone; say why it is, and whether it hung."""
        self.kill()
        code = 0
        if self._process is not None:
            code = self._process.wait()
            self._log_words(now)
            if self._process.stdout is not None:
                self._process.stdout.close()
        if self._socket is not None:
            self._socket.close()
        why, hung = self.overdue or _how_it_ended(code), bool(self.overdue)
        self._process = self._socket = None
        self._lines = Lines()
        self.job, self.state, self.overdue, self._cancelled = "", "down", "", None
        self._rest(now)
        return why, hung

    def kill(self) -> None:
        """Kill the process and all it may have started."""
        # Until it has been waited for its number is nobody else's, even if it has ended.
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def end(self, now: float) -> None:
        """Ask it to end, and see to it."""
        if self._process is None:
            return
        self.give(End(), now)
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.kill()
        self.bury(now)

    def _start(self, now: float) -> None:
        try:
            self._socket, self._process = self._spawn()
        except OSError as error:
            log.warning("%s cannot be started (%s); it is tried again", self.device, error)
            self._rest(now)
            return
        self.state = "starting"
        self.starts += 1
        # The interpreter has to come up before it can give a sign of life.
        self._alive = now + self._patience.start
        self._moved = now
        log.info("%s starts as pid %d", self.device, self.pid)

    def _spawn(self) -> tuple[socket.socket, subprocess.Popen[bytes]]:
        ours, theirs = socket.socketpair()
        with theirs, contextlib.ExitStack() as undo:
            undo.callback(ours.close)
            config = msgspec.json.encode(self._config).decode()
            process = subprocess.Popen(
                [*self._command, str(theirs.fileno()), config],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=self._environ,
                start_new_session=True,
            )
            undo.pop_all()
        if process.stdout is not None:
            flags = fcntl.fcntl(process.stdout, fcntl.F_GETFL)
            fcntl.fcntl(process.stdout, fcntl.F_SETFL, flags | os.O_NONBLOCK)
        ours.setblocking(False)
        return ours, process

    def _rest(self, now: float) -> None:
        """Leave it down for a while, and for longer the next time."""
        self._due = now + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE_S)

    def _heard(self, found: list[Report], now: float) -> list[Report]:
        for report in found:
            if isinstance(report, Ready) and self.state == "starting":
                self.device, self.model = report.device, report.model
                self.confined, self.state = report.confined, "ready"
                self._pause = FIRST_PAUSE_S
                log.info("%s (pid %d) is ready", self.device, self.pid)
            elif not isinstance(report, Pulse | Ready):
                self._moved = now
        return [report for report in found if not isinstance(report, Pulse | Ready)]

    @property
    def _own_words(self) -> int | None:
        """Where its standard output and error come out, until it closes them."""
        if self._process is None or self._process.stdout is None or self._process.stdout.closed:
            return None
        return self._process.stdout.fileno()

    def _log_words(self, now: float) -> None:
        """Pass on what it wrote on standard output or error."""
        if now > self._words_since + 1:
            self._words, self._words_since = 0, now
        for _ in range(READS_A_TURN):
            descriptor = self._own_words
            if descriptor is None:
                return
            try:
                words = os.read(descriptor, MAX_LOG_LINE)
            except OSError:
                return  # nothing more has come
            if not words and self._process is not None and self._process.stdout is not None:
                self._process.stdout.close()
            told = {"runner": self.device, "pid": self.pid}
            if self._words <= MAX_WORDS_A_SECOND < self._words + len(words):
                log.warning("%s says too much; some of it is left out", self.device, extra=told)
            self._words += len(words)
            if self._words <= MAX_WORDS_A_SECOND:
                for line in words.decode(errors="replace").splitlines():
                    log.info("%s", line, extra=told)

    def _has_ended(self) -> bool:
        """Whether its process has, without waiting for it."""
        how = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return self.pid != 0 and os.waitid(os.P_PID, self.pid, how) is not None


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"ended with status {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
