"""Questions to the worker and the threads that wait for an answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass

from lumivid_fx.errors import LumividError, WireError
from lumivid_fx.protocol.codes import error_for
from lumivid_fx.protocol.messages import (
    Attach,
    Cancel,
    Drain,
    Error,
    List,
    Ping,
    Stop,
    Submit,
    Welcome,
    WorkerMessage,
)

Question = Submit | Attach | Cancel | List | Ping | Stop
"""What has an answer."""


@dataclass
class _Asked:
    """A question that somebody waits for.

    Attributes:
        said: Whether it was said on this connection.
    """

    question: Question
    said: bool = False
    answer: WorkerMessage | None = None


class Questions:
    """What is asked, from every thread, and whether there is anybody to ask.

    Args:
        wake: Tells the thread of the socket that there is something to say.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._changed = threading.Condition()
        self._asked: dict[str, _Asked] = {}
        self._welcome: Welcome | None = None
        self._error: LumividError | None = None
        self._reason = ""

    # ---- for callers ----------------------------------------------------------------------------

    @property
    def welcome(self) -> Welcome | None:
        """What the worker said when it was reached; None while it is not."""
        with self._changed:
            return self._welcome

    @property
    def error(self) -> LumividError | None:
        """Why there will be no connection any more."""
        with self._changed:
            return self._error

    def wait_for_welcome(self, timeout: float) -> None:
        """Wait until the worker is reached.

        Raises:
            LumividError: It is not.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._welcome or self._error, timeout)
            if self._welcome is None:
                raise self._failure(timeout)

    def ask(self, question: Question, timeout: float) -> WorkerMessage:
        """Ask the worker something; its answer. Asked again if the worker comes back meanwhile.

        Raises:
            WireError: It did not answer in time, or there is no connection any more.
            LumividError: It refused.
        """
        asked = _Asked(question)
        with self._changed:
            if self._error is not None:
                raise copy(self._error)
            if isinstance(question, Stop) and self._welcome is None:
                raise self._failure(0)
            self._asked[question.id] = asked
        self._wake()
        try:
            with self._changed:
                self._changed.wait_for(lambda: asked.answer or self._error, timeout)
                answer, failure = asked.answer, self._failure(timeout)
        finally:
            with self._changed:
                self._asked.pop(question.id, None)
        if answer is None:
            raise failure
        if isinstance(answer, Error):
            raise error_for(answer.code, answer.message)
        return answer

    def _failure(self, timeout: float) -> LumividError:
        """Why there is no answer; each caller's own."""
        if self._error is not None:
            return copy(self._error)
        reason = f": {self._reason}" if self._reason else ""
        return WireError(f"the worker does not answer within {timeout:g} s{reason}")

    # ---- for the thread of the socket -----------------------------------------------------------

    def open(self, welcome: Welcome) -> None:
        """The worker is reached."""
        with self._changed:
            self._welcome, self._reason = welcome, ""
            self._changed.notify_all()

    def close(self, reason: str) -> None:
        """The worker is not reached any more; what was asked will be asked again."""
        with self._changed:
            for asked in self._asked.values():
                asked.said = False
                if isinstance(asked.question, Stop):  # never to be said to the next one
                    asked.answer = Drain(boot=self._welcome.boot if self._welcome else "")
            self._welcome, self._reason = None, reason
            self._changed.notify_all()

    def fail(self, error: LumividError) -> None:
        """There will be no connection any more."""
        with self._changed:
            self._welcome, self._error = None, error
            self._changed.notify_all()

    def because(self, reason: str) -> None:
        """Why the worker is not reached at this moment."""
        with self._changed:
            self._reason = reason

    def due(self) -> Iterator[Question]:
        """What is to be asked now; it counts as said."""
        with self._changed:
            fresh = [asked for asked in self._asked.values() if not asked.said]
            for asked in fresh:
                asked.said = True
        return (asked.question for asked in fresh)

    def answered(self, message: WorkerMessage) -> bool:
        """Take an answer; whether somebody waited for it."""
        with self._changed:
            asked = self._asked.get(getattr(message, "re", ""))
            if asked is None or not asked.said:
                return False
            if isinstance(message, Error) and message.code == "E_DRAINING":
                return True  # the next worker is asked again, as if this one were gone already
            asked.answer = message
            self._changed.notify_all()
        return True
