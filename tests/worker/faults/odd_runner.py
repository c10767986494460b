"""The runner without a model, and more ways to go wrong than it has by itself.

Words in a job's label, beside those of :mod:`tests.worker.quick_runner`; a number before the ``@``
says how many times at most, counted in a file beside the results:

    segv@3    die of a segmentation fault
    exit@3    end with status 3
    regex@3   hang in C with Python's lock held: no thread gives a sign of life
    flood@3   write to standard error without end
    chatter@3 report steps without end
    hush@3    close standard output and error, and go on
    child@3   leave a process behind, whose number stands in the file ``left``, and die
    fork@3    the same with a process that has all that this one has open
    far@3     say that a frame of number 10^30 is finished
    minus@3   say that a frame of -1 bytes is finished
    long@3    say a line that has no end

A disk that is full, or may not be written, ends the job as it does in the real runner.

python -m tests.worker.faults.odd_runner FD CONFIG
"""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.worker import quick_runner
from tests.worker.quick_runner import QuickRunner

from lumivid_fx.worker import orders

COUNTED = (
    "segv",
    "exit",
    "regex",
    "flood",
    "chatter",
    "hush",
    "child",
    "fork",
    "far",
    "minus",
    "long",
)
TOO = ("hang", "mute")  # of the quick runner's, which does not count them


class OddRunner(QuickRunner):
    """Goes wrong in more ways."""

    def render(self, order: orders.Render) -> tuple[str, bool]:
        """Make the frames that are missing, as far as the disk takes them."""
        try:
            return super().render(order)
        except OSError as error:
            for left in Path(order.request.target or order.spool).rglob(f".*.{os.getpid()}"):
                left.unlink()
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            return "E_DISK_FULL" if full else "E_RENDER", False

    def fault(
        self, order: orders.Render, kind: str, times: int, out: Path
    ) -> tuple[str, bool] | None:
        """Do what is asked for; None to go on."""
        if kind in COUNTED + TOO:
            marks = out / kind
            before = len(marks.read_text().splitlines()) if marks.exists() else 0
            if times and before >= times:
                return None
            with marks.open("a") as file:
                file.write(f"{os.getpid()}\n")
        if kind not in COUNTED:
            return super().fault(order, kind, times, out)
        self.die_or_hang(kind, out)
        self.say(order, kind)
        return None

    def die_or_hang(self, kind: str, out: Path) -> None:
        """What ends, stops or litters the process."""
        match kind:
            case "segv":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "exit":
                os._exit(3)
            case "regex":
                re.match(r"(a+)+$", "a" * 64 + "b")
            case "flood":
                while True:
                    os.write(2, b"all work and no play\n" * 1000)
            case "hush":
                os.close(1)
                os.close(2)
            case "fork":
                child = os.fork()
                if child == 0:
                    threading.Event().wait()
                (out / "left").write_text(str(child))
                os.kill(os.getpid(), signal.SIGKILL)
            case "child":
                sleeps = "import time; time.sleep(1000)"
                with subprocess.Popen([sys.executable, "-c", sleeps]) as process:
                    (out / "left").write_text(str(process.pid))
                    os.kill(os.getpid(), signal.SIGKILL)

    def say(self, order: orders.Render, kind: str) -> None:
        """What a runner that has lost its mind may say."""
        if kind == "chatter":
            while True:
                self.end.report(orders.Step(job=order.job, phase="denoise", total=4))
        elif kind == "long":
            while True:
                os.write(self.end.descriptor, b"x" * 65536)
        elif kind in ("far", "minus"):
            self.end.report(
                orders.FrameDone(
                    job=order.job,
                    frame=10**30 if kind == "far" else 1,
                    how="rendered",
                    sha256="0" * 64,
                    size=-1 if kind == "minus" else 24,
                    path="/nowhere",
                )
            )
            threading.Event().wait()  # until it is killed for that


if __name__ == "__main__":
    quick_runner.main(OddRunner)
