"""A runner's line to its server: reports out, orders in, and the end of the process with it.

A runner never outlives its server. Three threads share the process: one gives a sign of life every
second, one hears orders, and the main one renders.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time

import msgspec

from lumivid_fx.errors import CancelledError
from lumivid_fx.worker.orders import (
    Cancel,
    End,
    GoOn,
    Pulse,
    Render,
    Report,
    RunnerEnd,
)

log = logging.getLogger(__name__)

PULSE_S = 1.0


class ServerLine:
    """The line, from the runner's end.

    Args:
        end: The runner's end of the socket pair.
    """

    def __init__(self, end: RunnerEnd) -> None:
        self._end = end
        self._jobs: queue.SimpleQueue[Render] = queue.SimpleQueue()
        self._cancelled: set[str] = set()
        self._news = threading.Condition()
        self._may_go_on = False

    def open(self) -> None:
        """Give signs of life, and hear orders, from here on."""
        threading.Thread(target=self._pulse, name="pulse", daemon=True).start()
        threading.Thread(target=self._hear, name="orders", daemon=True).start()

    def say(self, report: Report) -> None:
        """Report to the server; where it is gone, the process ends."""
        try:
            self._end.report(report)
        except OSError as error:
            self._leave(f"the server does not hear any more ({error})")

    def next_job(self) -> Render:
        """Wait for a job."""
        return self._jobs.get()

    def check(self, job: str) -> None:
        """Stop here if a job is to stop.

        Raises:
            CancelledError: It is.
        """
        if job in self._cancelled:
            raise CancelledError("the job was cancelled; its finished frames are kept")

    def fall_back(self, report: Report, job: str) -> None:
        """Report a fall-back, and wait until the server has it in its journal.

        Raises:
            CancelledError: The job is to stop instead.
        """
        self._may_go_on = False
        self.say(report)
        with self._news:
            self._news.wait_for(lambda: self._may_go_on or job in self._cancelled)
        self.check(job)

    def _pulse(self) -> None:
        while True:
            self.say(Pulse())
            time.sleep(PULSE_S)

    def _hear(self) -> None:
        try:
            for order in self._end.orders():
                with self._news:
                    match order:
                        case Render():
                            self._jobs.put(order)
                        case Cancel(job=job):
                            self._cancelled.add(job)
                        case GoOn():
                            self._may_go_on = True
                        case End():
                            self._leave("the server said so")
                    self._news.notify_all()
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            self._leave(f"an order was not understood ({error})", 1)
        self._leave("the server is gone")

    @staticmethod
    def _leave(why: str, status: int = 0) -> None:
        """End the process at once, whatever the main thread does: files are whole or absent."""
        log.info("runner %d ends: %s", os.getpid(), why)
        os._exit(status)
