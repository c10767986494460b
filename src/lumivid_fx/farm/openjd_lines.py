"""What a task says to an Open Job Description session, which reads its standard output for orders.

A session takes a line that begins with ``openjd_`` as an order: progress, a failure, even a
variable of the environment. So a file's name or a library's warning must never begin a line. While
a task talks to a session, all else that it and its libraries print goes through a pipe of our own,
and comes out with a bar before each line.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from types import TracebackType

from lumivid_fx.errors import LumividError

_BREAKS = re.compile("\r\n|[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")
"""Where any reader may see a line end: those of ``str.splitlines``."""

_MOST = 1024
"""Characters of a line. Sessions cut lines at 64 Ki, and what comes after the cut begins a line."""


class SessionLines:
    """Standard output as a session reads it; a context manager around a whole task."""

    def __init__(self) -> None:
        self._out = self._err = -1
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._pass_on, name="session-lines", daemon=True)
        self._pipe = -1

    def __enter__(self) -> SessionLines:
        _flush()
        self._out, self._err = os.dup(1), os.dup(2)
        self._pipe, end = os.pipe()
        os.dup2(end, 1)
        os.dup2(end, 2)
        os.close(end)
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            self.status("stopped")
        elif isinstance(error, Exception):
            known = isinstance(error, LumividError)
            self.fail(str(error) if known else f"{type(error).__name__}: {error}")
        _flush()
        os.dup2(self._out, 1)  # the pipe's last end is closed by this, and its reader ends
        os.dup2(self._err, 2)
        self._reader.join()
        for descriptor in (self._out, self._err, self._pipe):
            os.close(descriptor)

    def progress(self, share: float) -> None:
        """Tell how far the task is, from 0 to 1."""
        self._say("progress", f"{100 * min(1.0, max(0.0, share)):.1f}")

    def status(self, words: str) -> None:
        """Tell what is being done."""
        self._say("status", words)

    def fail(self, words: str) -> None:
        """Tell why the task fails; its exit code decides that it does."""
        self._say("fail", words)

    def _say(self, kind: str, words: str) -> None:
        self._write(f"openjd_{kind}: {one_line(words)}\n")

    def _pass_on(self) -> None:
        with os.fdopen(os.dup(self._pipe), "rb") as lines:
            while line := lines.readline(_MOST):
                for part in _BREAKS.split(line.decode(errors="replace").rstrip("\r\n")):
                    self._write(f"| {part}\n")

    def _write(self, line: str) -> None:
        rest = line.encode(errors="backslashreplace")
        with self._lock:
            while rest:
                rest = rest[os.write(self._out, rest) :]


def one_line(words: str) -> str:
    """Text that breaks no line: what is no print in it becomes its escape."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in words)[:_MOST]


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
