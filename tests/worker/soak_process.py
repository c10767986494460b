"""The soak's clients seen from outside: started, stopped, killed and started again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from tests.worker.running import RunningWorker
from tests.worker.soak_client import Receipt, read_receipts
from tests.worker.soak_plan import Plan

STOPPED_S = 2.0
"""How long a client is stopped: a reader that does not read."""


class SoakClient:
    """One client: its jobs, its receipts, and a process that may be killed.

    Attributes:
        lives: How often it was started.
    """

    def __init__(self, folder: Path, number: int, plans: list[Plan], worker: RunningWorker) -> None:
        self.plans = plans
        self.lives = 0
        self.receipts: list[Receipt] = []
        self._plans = folder / f"plans{number}.json"
        self._plans.write_bytes(msgspec.json.encode(plans))
        self._receipts = folder / f"receipts{number}.jsonl"
        self._words = folder / f"client{number}.log"
        self._worker = worker
        self._process: subprocess.Popen[bytes] | None = None
        self._go_on = 0.0

    def start(self) -> None:
        """Start it, for the first time or again."""
        with self._words.open("ab") as words:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.worker.soak_client"),
                    *(str(self._plans), str(self._receipts), str(self.lives)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                env=self._worker.environ,
            )
        self.lives += 1

    def look(self) -> bool:
        """Read what it has written down; whether it still has something to do.

        Raises:
            AssertionError: It failed.
        """
        assert self._process is not None
        code = self._process.poll()
        if code is None and 0 < self._go_on < time.monotonic():
            self._process.send_signal(signal.SIGCONT)
            self._go_on = 0.0
        self.receipts = read_receipts(self._receipts)
        assert code in (None, 0), f"a client failed:\n{self._words.read_text()[-4000:]}"
        return code is None

    def kill(self) -> bool:
        """Kill it in the middle of whatever it does; False if it had ended."""
        if self._process is None or self._process.poll() is not None:
            return False
        self._process.kill()
        self._process.wait()
        return True

    def stop(self) -> bool:
        """Stop it for a while; False if it had ended."""
        if self._process is None or self._process.poll() is not None:
            return False
        self._process.send_signal(signal.SIGSTOP)
        self._go_on = time.monotonic() + STOPPED_S
        return True

    def kill_and_start(self) -> bool:
        """Kill it and start it again; False if it had ended."""
        killed = self.kill()
        if killed:
            self.start()
        return killed


@contextmanager
def killed_at_the_end() -> Iterator[list[SoakClient]]:
    """Clients to come, of which none is left at the end, however it ends."""
    clients: list[SoakClient] = []
    try:
        yield clients
    finally:
        for each in clients:
            each.kill()
