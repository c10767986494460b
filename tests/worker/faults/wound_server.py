"""A worker whose wall clock is set by a file, where there is no libfaketime to set all of it.

    python -m tests.worker.faults.wound_server CLOCK SETTINGS

CLOCK holds the seconds that the clock is off, and is read each time somebody asks what time it is.
SETTINGS are those of :mod:`tests.worker.start_worker`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path


def wind(clock: Path) -> None:
    """Put a clock that is off in place of Python's own; before anybody has taken hold of that."""
    right: Callable[[], int] = time.time_ns

    def wrong() -> int:
        return right() + int(clock.read_text()) * 10**9

    for name, now in (("time_ns", wrong), ("time", lambda: wrong() / 1e9)):
        setattr(time, name, now)


if __name__ == "__main__":
    wind(Path(sys.argv.pop(1)))
    from tests.worker import start_worker

    start_worker.main()
