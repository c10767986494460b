"""A program that uses the client always ends, whatever state the connection is in."""

from __future__ import annotations

import signal
import time

import pytest
from tests.client.scripts import ENDS_S, Script
from tests.client.stand_in import StandIn, wait_until

from lumivid_fx.protocol import messages as m

ENDINGS = {
    "idle": "",
    "unread job": "job = worker.submit('/show/clip.mp4')",
    "in a loop": "frames = worker.submit('/show/clip.mp4').frames()\nnext(frames)",
    "waiting thread": (
        "job = worker.submit('/show/clip.mp4')\n"
        "def wait():\n"
        "    try:\n"
        "        job.wait()\n"
        "    except LumividError:\n"
        "        pass\n"
        "threading.Thread(target=wait, daemon=True).start()"
    ),
    "stuck callback": (
        "begun = threading.Event()\n"
        "worker.submit('/show/clip.mp4', on_frame=lambda _: (begun.set(), "
        "threading.Event().wait()))\n"
        "begun.wait()"
    ),
    "thread in a loop": (
        "job = worker.submit('/show/clip.mp4')\n"
        "def read():\n"
        "    try:\n"
        "        list(job.frames())\n"
        "    except LumividError:\n"
        "        pass\n"
        "threading.Thread(target=read, daemon=True).start()"
    ),
    "closed": "worker.close()",
    "closed by with": "with worker:\n    worker.submit('/show/clip.mp4')",
    "forgotten": "del worker\nimport gc\ngc.collect()",
    "closing in a callback": (
        "worker.submit('/show/clip.mp4', on_progress=lambda _: worker.close())"
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("gone", [False, True], ids=["worker there", "worker gone"])
def test_it_ends(stand_in: StandIn, ending: str, gone: bool) -> None:
    """With the worker there or gone, in bounded time, and without a word."""
    stand_in.limit = 6
    with Script(stand_in, f"{ENDINGS[ending]}\nstand_still()") as script:
        script.wait_here()
        if gone:
            stand_in.stop()
        began = time.monotonic()
        script.go_on()
        assert script.end() == ""
        assert time.monotonic() - began < ENDS_S


def test_it_ends_with_its_own_status(stand_in: StandIn) -> None:
    """Nothing of ours swallows how a program wants to end."""
    with Script(stand_in, "sys.exit(7)") as script:
        assert script.end(7) == ""


def test_the_last_ack_goes_out(stand_in: StandIn) -> None:
    """Also when the program ends right behind its loop."""
    with Script(stand_in, "for frame in worker.submit('/show/clip.mp4').frames(): pass") as script:
        script.end()
    wait_until(lambda: len(stand_in.heard(m.Ack)) == 8, "all are acknowledged")


def test_interrupt(stand_in: StandIn) -> None:
    """Ctrl-C ends a wait that has no end of its own.

    Tests that a shell runs in the background have been told to ignore it, and hand that on.
    """
    stand_in.limit = 2
    text = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
job = worker.submit("/show/clip.mp4")
try:
    print("here")
    job.wait()
except KeyboardInterrupt:
    print("interrupted")
"""
    with Script(stand_in, text) as script:
        script.wait_here()
        script.signal(signal.SIGINT)
        assert script.end() == "interrupted\n"
