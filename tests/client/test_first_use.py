"""The first messages of a process, said by many threads at once."""

from __future__ import annotations

import os
import subprocess
import sys

FIRST_USE = """
import sys, threading
from pathlib import Path
from lumivid_fx.client.requests import make_request
from lumivid_fx.errors import WireError
from lumivid_fx.protocol.places import read_connection

sys.setswitchinterval(1e-6)
together = threading.Barrier(4)

def use():
    together.wait()
    make_request("/show/clip.mp4", None)
    try:
        read_connection(Path("/dev/null"))
    except WireError:
        pass

threads = [threading.Thread(target=use) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""

TURNS = 12
"""One process in four crashed when msgspec met the types here for the first time; of twelve, one
does in 97 of 100 runs."""


def test_threads_that_begin_together() -> None:
    """None of them finds a type that another is still working out."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    processes = [
        subprocess.Popen([sys.executable, "-c", FIRST_USE], env=environ) for _ in range(TURNS)
    ]
    assert [process.wait(60) for process in processes] == [0] * TURNS
