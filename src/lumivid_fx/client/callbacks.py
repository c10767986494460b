"""The thread on which callbacks run: one for a connection, never that of its socket."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lumivid_fx.client.following import Following
    from lumivid_fx.client.frame import FinishedFrame
    from lumivid_fx.client.job import Job
    from lumivid_fx.protocol.messages import Progress

log = logging.getLogger(__name__)

CLOSE_S = 1.0
"""How long closing waits for a callback that is running."""


@dataclass(frozen=True)
class Calls:
    """What a caller wants to be called with.

    Attributes:
        on_progress: With the job's progress; what comes while one is called is passed over.
        on_frame: With every finished frame, in order; the frame is acknowledged when it returns.
        on_done: With the job, once, when nothing more will come.
    """

    on_progress: Callable[[Progress], object] | None = None
    on_frame: Callable[[FinishedFrame], object] | None = None
    on_done: Callable[[Job], object] | None = None

    def __bool__(self) -> bool:
        return any((self.on_progress, self.on_frame, self.on_done))


class Callbacks:
    """Calls what jobs have to tell, one thing at a time, jobs taking turns."""

    def __init__(self) -> None:
        self._due: queue.SimpleQueue[_Called | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="lumivid-callbacks", daemon=True)

    @property
    def here(self) -> bool:
        """Whether this is the thread that calls."""
        return threading.current_thread() is self._thread

    def start(self) -> None:
        """Begin; what is due already is called now."""
        self._thread.start()

    def call_for(self, following: Following, job: Job, calls: Calls) -> None:
        """From here on, call what this job has to tell."""
        if calls:
            with following.changed:
                following.uncalled = True
                following.ring = _Called(following, job, calls, self._due.put).ring

    def close(self) -> None:
        """Call nothing more but what is due now."""
        self._due.put(None)
        if self._thread.is_alive() and not self.here:
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while (called := self._due.get()) is not None:
            called.call()
            del called  # and so the job's pixels, while nothing is due


class _Called:
    """A job and whom it calls."""

    def __init__(
        self, following: Following, job: Job, calls: Calls, enqueue: Callable[[_Called], None]
    ) -> None:
        self._following = following
        self._job = job
        self._calls = calls
        self._enqueue = enqueue
        self._queued = False

    def ring(self) -> None:
        """There may be something to call."""
        with self._following.changed:
            if not self._queued and self._following.uncalled:
                self._queued = True
                self._enqueue(self)

    def call(self) -> None:
        """Call what is due, once, and come again; an error in it ends this job's calls."""
        following = self._following
        with following.changed:
            due = self._due()
            if due is None:
                self._queued = False
                return
        fault: BaseException | None = None
        try:
            due()
        except BaseException as error:
            log.exception("a callback of job %s failed", following.id)
            fault = error
        with following.changed:
            if fault is None:
                following.feed.release()
            else:
                following.feed.put_back()
                following.error, following.uncalled = fault, False
            following.changed.notify_all()
        following.nudge()
        self._enqueue(self)

    def _due(self) -> Callable[[], object] | None:
        """What to call now."""
        following, feed = self._following, self._following.feed
        on_progress, on_frame = self._calls.on_progress, self._calls.on_frame
        progress, news, following.news = following.progress, following.news, False
        if not following.uncalled:
            return None
        if news and progress is not None and on_progress is not None:
            return lambda: on_progress(progress)
        if on_frame is not None and feed.buffer and following.error is None:
            frame = feed.take()
            return lambda: on_frame(frame)
        ended = feed.done is not None if on_frame is None else feed.complete
        return self._tell_end if ended or following.error is not None else None

    def _tell_end(self) -> None:
        if self._calls.on_done is not None:
            self._calls.on_done(self._job)
        with self._following.changed:
            self._following.uncalled = False
