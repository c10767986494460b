"""A worker that kills itself with SIGKILL at a named point, once.

    python -m tests.worker.crashing_server POINT MARK SETTINGS

POINT is ``MODULE:NAME:WHEN:COUNT``, such as ``journal:Journal.add_frame:after:2``. MODULE is one of
``lumivid_fx.worker``, NAME a function or method of it, COUNT the call that dies, and WHEN

    before    the call does nothing any more
    within    it has written to the journal, and COMMIT has not been said
    after     it has returned, and its caller does nothing any more

MARK is a file: while it exists nothing dies, so that the worker may be started again as it was.
SETTINGS are those of :mod:`tests.worker.start_worker`.
"""

from __future__ import annotations

import importlib
import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

from tests.worker import start_worker

from lumivid_fx.worker.journal_store import Store

Call = Callable[..., object]


class Death:
    """What waits at a point.

    Args:
        point: See the module.
        mark: Likewise.
    """

    def __init__(self, point: str, mark: Path) -> None:
        self._module, self._name, self._when, count = point.split(":")
        self._left = int(count)
        self._mark = mark
        self._within = False

    def lie_in_wait(self) -> None:
        """Put itself round the function."""
        *owners, name = self._name.split(".")
        owner: object = importlib.import_module(f"lumivid_fx.worker.{self._module}")
        for each in owners:
            owner = getattr(owner, each)
        setattr(owner, name, self._wrapped(getattr(owner, name)))
        if self._when == "within":
            writes = "write"
            setattr(Store, writes, self._dying_write(Store.write))

    def _wrapped(self, call: Call) -> Call:
        def wrapped(*arguments: object, **named: object) -> object:
            self._left -= 1
            if self._left != 0:
                return call(*arguments, **named)
            if self._when == "before":
                self._die()
            self._within = True
            result = call(*arguments, **named)
            if self._when == "within":
                raise AssertionError(f"{self._name} wrote nothing")
            self._die()
            return result

        return wrapped

    def _dying_write(self, write: Call) -> Call:
        def wrapped(
            store: Store, act: Callable[[sqlite3.Connection], object], **named: object
        ) -> object:
            def act_and_die(connection: sqlite3.Connection) -> object:
                result = act(connection)
                if self._within:
                    self._die()
                return result

            return write(store, act_and_die, **named)

        return wrapped

    def _die(self) -> None:
        self._mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Serve until the point is reached, or as any other."""
    point, mark, settings = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    if not mark.exists():
        Death(point, mark).lie_in_wait()
    sys.argv[1:] = [settings]
    start_worker.main()


if __name__ == "__main__":
    main()
