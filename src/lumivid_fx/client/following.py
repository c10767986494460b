"""What this process knows of one job, between the thread of the socket and all others.

Here is what the socket's thread does with it: hear, and say what is due. Callers wait and read in
:mod:`job`, callbacks are called in :mod:`callbacks`, plates are sent in :mod:`sending`.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from copy import copy
from typing import TYPE_CHECKING

from lumivid_fx.client.lifetime import tell_of_forks
from lumivid_fx.errors import LumividError, WireError
from lumivid_fx.protocol.codes import error_for
from lumivid_fx.protocol.messages import (
    Accepted,
    Ack,
    ClientMessage,
    Done,
    Error,
    Frame,
    Limits,
    Progress,
    Took,
    WorkerMessage,
)

if TYPE_CHECKING:
    from lumivid_fx.client.feed import Feed
    from lumivid_fx.client.upload import Upload
    from lumivid_fx.protocol.job_state import JobState

log = logging.getLogger(__name__)

SLICE_S = 0.5
"""Seconds of the longest wait of a caller, between two looks for a signal."""

MAX_NOTES = 100
"""Notes of a job that are kept while it runs."""


class Following:
    """What has been heard of a job, and what is to be said about it.

    Whoever touches an attribute holds `changed`.

    Args:
        feed: The job's frames.
        nudge: Tells the thread of the socket that there is something to say.

    Attributes:
        changed: Lock of all this, and what to wait for.
        feed: See above.
        limits: What the worker allows.
        upload: A plate that is being sent for the job.
        state: As last heard.
        progress: As last heard.
        news: Whether `progress` has not been called with.
        error: Why nothing more will be heard.
        heard: Whether the worker has answered that it knows the job.
        uncalled: Whether there are callbacks that are still to be called.
        reading: Whether somebody reads frames.
        ring: Tells the thread of the callbacks that there may be something to call.
    """

    def __init__(self, feed: Feed, nudge: Callable[[Following], None]) -> None:
        self.id = feed.job
        self.feed = feed
        self.changed = threading.Condition()
        self.limits = Limits()
        self.upload: Upload | None = None
        self.state: JobState = "queued"
        self.progress: Progress | None = None
        self.news = False
        self.error: BaseException | None = None
        self.heard = self.uncalled = self.reading = False
        self.ring: Callable[[], None] = _nothing
        self._nudge: Callable[[Following], None] = nudge
        self._notes: deque[str] = deque(maxlen=MAX_NOTES)
        self._begun = self._exact = False
        tell_of_forks(self)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the artist should know."""
        done = self.feed.done
        return done.notes if done is not None else tuple(self._notes)

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        with self.changed:
            return self.error is not None or self.feed.complete

    @property
    def finished(self) -> bool:
        """Whether everybody has been called, and nothing more is to be said for it."""
        with self.changed:
            return not self.uncalled and not self.feed.has_acks

    @property
    def unheard(self) -> list[Ack]:
        """Frames that were acknowledged to a worker which may not have heard it yet."""
        with self.changed:
            return self.feed.unheard

    def begin(self, accepted: Accepted | None, *, exact: bool = False) -> None:
        """The worker is to know the job: follow it from here on.

        Args:
            accepted: Its answer to a submit; None for a job that is attached to.
            exact: Whether every finished frame has to come here.
        """
        with self.changed:
            if accepted is not None:
                self.state = accepted.state
            self._begun, self._exact = True, exact
        self.nudge()

    def nudge(self) -> None:
        """There is something to say about it."""
        self._nudge(self)

    def wait_until_heard(self, timeout: float) -> None:
        """Wait until the worker has answered that it knows the job.

        Raises:
            WireError: It does not, or does not answer.
        """
        with self.changed:
            heard = self.changed.wait_for(lambda: self.heard or self.error, timeout)
            error = self.error
        if error is not None:
            raise again(error)
        if not heard:
            raise WireError(f"the worker does not answer within {timeout:g} s; attach again")

    def wait_for(self, told: Callable[[], bool], timeout: float | None) -> bool:
        """Wait, holding `changed`, until something is so; False if it was not in time.

        A signal that falls between Python's last look for one and the lock it then waits at is not
        seen before that wait ends. So no wait is longer than `SLICE_S`, or Ctrl-C might be lost.
        """
        end = math.inf if timeout is None else time.monotonic() + timeout
        while not self.changed.wait_for(told, min(SLICE_S, end - time.monotonic())):
            if time.monotonic() >= end:
                return False
        return True

    # ---- the thread of the socket ---------------------------------------------------------------

    def keep_to(self, limits: Limits) -> None:
        """There is a worker, with limits to keep to."""
        with self.changed:
            self.limits = limits
            self.feed.keep_to(limits)
            if self.upload is not None:
                self.upload.keep_to(limits)

    def due(self) -> list[tuple[ClientMessage, memoryview | None]]:
        """What is to be said now; it counts as said."""
        with self.changed:
            if not self._begun:
                return []
            if self.error is not None:
                return [(ack, None) for ack in self.feed.acks()]
            pieces = () if self.upload is None else self.upload.due()
            return [*((message, None) for message in self.feed.due()), *pieces]

    def hear(self, message: WorkerMessage, pixels: memoryview | None) -> None:
        """Hear what the worker says about this job."""
        with self.changed:
            match message:
                case Accepted() if self.feed.accepted(message.re):
                    self.heard = True
                    self.state = message.state if self.feed.done is None else self.state
                case Progress() if self.feed.done is None:
                    self.progress, self.state, self.news = message, message.state, True
                    if message.note and message.note not in self._notes:
                        self._notes.append(message.note)
                case Frame():
                    self._hear_frame(message, pixels)
                case Done():
                    self._hear_done(message)
                case Took() if self.upload is not None:
                    self.upload.took(message)
                case Error():
                    self._hear_error(message)
                case _:
                    return
            self.changed.notify_all()
        self.ring()

    def heard_of(self, acks: list[Ack]) -> None:
        """The worker has heard these."""
        with self.changed:
            self.feed.heard_of(acks)

    def lost(self) -> None:
        """The worker is gone; it is to be asked anew when it is back."""
        with self.changed:
            self.feed.lost()
            if self.upload is not None:
                self.upload.disconnected()
            self.changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """Nothing more will be heard of this job."""
        with self.changed:
            if self.error is None and not self.feed.complete:
                self.error = error
            self.changed.notify_all()
        self.ring()

    def forked(self) -> None:
        """This process is a child: what is not at hand is the parent's."""
        self.changed = threading.Condition()
        self._nudge, self.ring = _nobody, _nothing
        self.uncalled = False
        if self.error is None and not self.feed.complete:
            self.error = WireError(
                f"job {self.id} is followed by the process that this one was forked from; attach "
                "to it anew"
            )

    def _hear_frame(self, frame: Frame, pixels: memoryview | None) -> None:
        try:
            self.feed.frame(frame, pixels)
        except WireError as error:
            self.error = self.error or error

    def _hear_done(self, done: Done) -> None:
        self.feed.end(done)
        self.state = done.state
        missing = done.frames - self.feed.count
        if self._exact and self.feed.wanted and self.feed.complete and missing > 0:
            self.error = self.error or WireError(
                f"{missing} of {done.frames} finished frames of job {self.id} did not come; see "
                "the worker's log, and attach to the job again"
            )

    def _hear_error(self, error: Error) -> None:
        if self.feed.asked(error.re):
            self.error = self.error or error_for(error.code, error.message)
        elif self.upload is not None and not error.re and error.code != "E_BAD_ACK":
            self.upload.error = self.upload.error or error_for(error.code, error.message)
        else:
            # Credit crosses with the job's end, after which nobody is attached: no harm in that.
            level = logging.DEBUG if error.code == "E_NO_JOB" else logging.WARNING
            log.log(level, "the worker refused what was said of job %s: %s", self.id, error.message)


def again(error: BaseException) -> BaseException:
    """An error that several threads may raise: each raises its own, with its own traceback."""
    return copy(error) if isinstance(error, LumividError) else error


def _nobody(following: Following) -> None:
    del following


def _nothing() -> None:
    pass
