"""A real runner with one fault put into it: ``python -m tests.worker.faulty_runner FD CONFIG``.

``LUMIVID_TEST_FAULT`` says which, as kind and number:

    oom:2       the first two windows find no memory, counted over all tries
    oom:2-3,7   the second, the third and the seventh
    error:2     the second window raises a RuntimeError that is none of ours
    nan:2       from the second window on, the model gives NaN
    kill:7      SIGKILL of its own process before frame 7 is written
    hang:7      does nothing more there, and goes on giving signs of life
    freeze:7    SIGSTOP of its own process there
    grip:7      goes on computing there without letting another thread run
    slow:0.2    each frame takes so many seconds more

``LUMIVID_TEST_FAULT_ONCE`` may name a file in one of the runner's folders: the fault happens only
if that is not there, and makes it.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from lumivid_fx.worker import runner

FAULT, ONCE = "LUMIVID_TEST_FAULT", "LUMIVID_TEST_FAULT_ONCE"

Call = Callable[..., Any]


def main() -> None:
    """Be a runner; the fault is put in once torch may be imported."""
    work: Call = vars(runner)["work"]

    def faulty(*given: Any, **named: Any) -> None:
        kind, _, which = os.environ[FAULT].partition(":")
        put_in(kind, which)
        work(*given, **named)

    vars(runner)["work"] = faulty
    runner.main(sys.argv[1:])


def put_in(kind: str, which: str) -> None:
    """Put a fault where windows are rendered, or where frames are written."""
    from lumivid_fx.pipeline import frame_writer, shot_windows

    if kind in ("oom", "error", "nan"):
        render_window: Call = vars(shot_windows)["render_window"]
        vars(shot_windows)["render_window"] = faulty_window(render_window, kind, which)
    else:
        write_exr: Call = vars(frame_writer)["write_exr"]
        vars(frame_writer)["write_exr"] = faulty_write(write_exr, kind, float(which))


def numbers(which: str) -> set[int]:
    """What a list of numbers and ranges names; one number alone means all up to it."""
    if which.isdecimal():
        return set(range(1, int(which) + 1))
    ranges = [part.partition("-") for part in which.split(",")]
    return {n for first, _, last in ranges for n in range(int(first), int(last or first) + 1)}


def faulty_window(render_window: Call, kind: str, which: str) -> Call:
    """Windows that fail by their count."""
    import torch

    calls, meant = count(1), numbers(which)
    last = max(meant)

    def faulty(*given: Any, **named: Any) -> Any:
        call = next(calls)
        if kind == "oom" and call in meant and due():
            raise torch.OutOfMemoryError("the test has taken it all")
        if kind == "error" and call == last and due():
            raise RuntimeError("an illegal memory access was encountered")
        codes = render_window(*given, **named)
        return codes * torch.nan if kind == "nan" and call >= last and due() else codes

    return faulty


def faulty_write(write_exr: Call, kind: str, number: float) -> Call:
    """Writing that comes to grief at one frame."""

    def faulty(path: Path, *given: Any, **named: Any) -> Any:
        if kind == "slow":
            time.sleep(number)
        elif named["attributes"]["lumivid/frame"] == int(number) and due():
            come_to_grief(kind)
        return write_exr(path, *given, **named)

    return faulty


def come_to_grief(kind: str) -> None:
    """Do what the fault says, for good."""
    match kind:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "freeze":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "hang":
            while True:
                time.sleep(60)
        case "grip":
            re.match(r"(a+)+$", "a" * 64 + "b")
        case _:
            raise ValueError(f"{kind} is no fault")


def due() -> bool:
    """Whether the fault has not had its only turn yet."""
    once = os.environ.get(ONCE)
    if once is None:
        return True
    try:
        Path(once).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


if __name__ == "__main__":
    main()
