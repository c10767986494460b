"""A model held between tasks: loaded once, asked over a socket, gone with its session."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.pipeline.plates import write_png

from lumivid_fx.errors import CancelledError, InputError
from lumivid_fx.farm.held_model import LOG, SOCKET, ask, hold, let_go
from lumivid_fx.farm.plan_file import Plan, plan_digest, write_plan
from lumivid_fx.farm.window_file import is_whole, read_window
from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.worker.sandbox import landlock_abi

from .shots import planned, rendered


@pytest.fixture
def plan(tmp_path: Path, model_folder: Path) -> Plan:
    """Two windows."""
    source = write_png(tmp_path / "in", range(1, 18))
    made = planned(source, tmp_path, model_folder, settings={"window": 9, "overlap": 1})
    write_plan(tmp_path / "plan.json", made)
    return made


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Path]:
    """A session's folder, so deep that no socket's address holds its name."""
    folder = tmp_path / ("s" * 120)
    folder.mkdir()
    yield folder
    let_go(folder)


def test_one_model_for_many_windows(
    tmp_path: Path, plan: Plan, session: Path, model: HdrModel
) -> None:
    """The same codes as without it; refusals come through; a caller that leaves takes all along."""
    path = tmp_path / "plan.json"
    digest = plan_digest(path)
    confined = landlock_abi() > 0
    said = hold(path, session, "cpu", None)
    assert said == ("cpu, confined to its files" if confined else "cpu")
    holder = next(
        p for p in psutil.process_iter(["cmdline"]) if str(session) in (p.info["cmdline"] or [])
    )
    status = Path(f"/proc/{holder.pid}/status").read_text()
    assert ("NoNewPrivs:\t1" in status) == confined
    assert (session / SOCKET).stat().st_mode & 0o777 == 0o600

    phases: list[str] = []
    asked = ask(session, digest, 0, lambda phase, *_: phases.append(phase), overwrite=False)
    assert asked == "rendered"
    assert phases[-1] == "writing the window"
    assert ask(session, digest, 0, lambda *_: None, overwrite=False) == "kept"
    there = read_window(plan, 0)
    plan.window_path(0).unlink()
    rendered(plan, model, [0])
    assert bool((read_window(plan, 0) == there).all())

    with pytest.raises(InputError, match="2 is none of them"):
        ask(session, digest, 2, lambda *_: None, overwrite=False)
    assert ask(session, "another plan", 1, lambda *_: None, overwrite=False) is None

    def leave(*_: object) -> None:
        raise CancelledError("enough")

    with pytest.raises(CancelledError):
        ask(session, digest, 1, leave, overwrite=False)
    assert ask(session, digest, 1, lambda *_: None, overwrite=False) in {"rendered", "kept"}
    assert is_whole(plan, 1)

    shutil.rmtree(session)
    assert psutil.wait_procs([holder], timeout=60)[1] == []
    session.mkdir()


def test_nobody_holds_a_model(session: Path) -> None:
    """A task that finds nobody loads the model itself; so it does beside a dead socket."""
    assert ask(session, "any", 0, lambda *_: None, overwrite=False) is None
    (session / SOCKET).touch()
    assert ask(session, "any", 0, lambda *_: None, overwrite=False) is None
    assert not let_go(session)


def test_a_holder_that_dies_under_a_task(session: Path) -> None:
    """The task hears nothing more, and is told that nobody holds the model: it does it itself."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        here = Path.cwd()
        os.chdir(session)  # the name of the folder is too long for an address
        door.bind(SOCKET)
        os.chdir(here)
        door.listen()

        def die() -> None:
            caller, _ = door.accept()
            with caller:
                caller.recv(4096)
                caller.sendall(b'{"phase": "denoise", "done": 1, "steps": 8}\n')

        dying = threading.Thread(target=die)
        dying.start()
        told: list[tuple[str, int, int]] = []
        heard = ask(session, "any", 0, lambda *step: told.append(step), overwrite=False)
        dying.join()
    assert heard is None
    assert told == [("denoise", 1, 8)]


def test_a_plan_that_cannot_be_held(tmp_path: Path, session: Path) -> None:
    """The process's own sentence is the caller's."""
    with pytest.raises(InputError, match="cannot be read"):
        hold(tmp_path / "none.json", session, "cpu", None)
    assert (session / LOG).exists()
