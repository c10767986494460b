"""Programs that use the client, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import AbstractContextManager
from types import TracebackType

from tests.client.stand_in import StandIn

ENDS_S = 10.0
"""What a program may take to end once it has come to its end, on a busy machine."""

HEAD = """
import logging, os, sys, threading
from lumivid_fx import client
from lumivid_fx.errors import LumividError
from lumivid_fx.protocol.places import Places

logging.getLogger("lumivid_fx").addHandler(logging.NullHandler())

def stand_still():
    print("here")
    sys.stdin.readline()

worker = client.connect(timeout=20)
"""


class Script(AbstractContextManager["Script"]):
    """A program that is under way; killed at the end if it is still.

    Args:
        stand_in: Its worker.
        text: What it does, behind `HEAD`.
    """

    def __init__(self, stand_in: StandIn, text: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-X", "faulthandler", "-W", "error", "-c", HEAD + text],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={
                "LUMIVID_HOME": str(stand_in.places.keys.parent),
                "PYTHONPATH": os.pathsep.join(sys.path),  # the very package that is tested
            },
            text=True,
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def wait_here(self) -> None:
        """Wait until it stands still."""
        assert self.line() == "here"

    def line(self) -> str:
        """The next line that it prints."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n") or str(self._process.communicate())

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def go_on(self) -> None:
        """Let it go on."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def end(self, status: int = 0) -> str:
        """Wait for its end; what it printed. Nothing may stand on standard error."""
        out, said = self._process.communicate(timeout=ENDS_S)
        assert (self._process.returncode, said) == (status, ""), (
            f"{self._process.returncode}: {said}"
        )
        return out
