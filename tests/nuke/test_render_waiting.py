"""Renders that are waited for, in ``nuke -t`` and in scripts, and workers that are started."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import nuke
import numpy as np
import pytest

import lumivid_nuke
from lumivid_fx import client
from lumivid_fx.errors import InputError, LumividError, RenderError, WireError
from lumivid_fx.protocol.messages import Done, Request
from lumivid_fx.protocol.places import Places
from lumivid_nuke import connection
from lumivid_nuke.node import CALM, FAILED
from tests.nuke.host.nuke.state import session
from tests.nuke.shots import (
    EXR_RUNNER,
    expected,
    new_grade,
    new_node,
    new_read,
    read_frame,
    result_level,
    results,
    wait_until_idle,
    write_plate,
)
from tests.worker.running import RunningWorker, running_worker


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of this module's worker."""
    return tmp_path_factory.mktemp("shots")


@pytest.fixture(scope="module")
def worker(base: Path) -> Iterator[RunningWorker]:
    """A worker whose runner doubles what it is given."""
    with running_worker(base / "home", roots=[base], runner=EXR_RUNNER) as started:
        started.wait_until_ready()
        yield started
    connection.let_go()


@pytest.fixture
def shot(base: Path, request: pytest.FixtureRequest) -> Path:
    """A folder for one test's plate and cache."""
    return base / str(request.node.name)


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home in which a worker may be started by this very Python; stopped at the end."""
    home = tmp_path / "home"
    monkeypatch.setenv(connection.COMMAND, shlex.join([sys.executable, "-m", "lumivid_fx.cli"]))
    monkeypatch.setenv(connection.ROOTS, str(tmp_path))
    yield home
    with suppress(WireError), client.connect(places=Places.of({"LUMIVID_HOME": str(home)})) as own:
        own.stop()
    connection.let_go()


@pytest.mark.usefixtures("terminal")
def test_render_waits(worker: RunningWorker, shot: Path) -> None:
    """By name, with progress on the console; the node is left as after a render in the GUI."""
    node = new_node(new_read(write_plate(shot / "plate")), shot / "cache", worker)
    done = lumivid_nuke.render("LumiVid1")
    assert (done.state, done.frames) == ("done", 4)
    assert results(node) == [1001, 1002, 1003, 1004]
    assert result_level(node, 1002) == expected(1002)
    assert node["tile_color"].value() == CALM
    assert not node["job_id"].value()
    said = [text for how, text in session.told if how == "tprint"]
    assert any("LumiVid1: 4 of 4 frames" in text for text in said)
    assert session.tasks == []


@pytest.mark.usefixtures("terminal")
def test_submit_waits_in_a_terminal(worker: RunningWorker, shot: Path) -> None:
    """The button's own code, called on a farm."""
    node = new_node(new_read(write_plate(shot / "plate")), shot / "cache", worker)
    node["render"].execute()  # type: ignore[attr-defined]
    assert results(node) == [1001, 1002, 1003, 1004]
    (shot / "cache" / str(node["result_key"].value()) / "result.1002.exr").unlink()
    lumivid_nuke.render_missing(node)
    assert results(node) == [1001, 1002, 1003, 1004]
    lumivid_nuke.render_missing(node)
    assert node["status"].value() == "no frame is missing"


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.usefixtures("terminal")
def test_parts_come_to_one_result(worker: RunningWorker, base: Path, written: bool) -> None:
    """A farm's tasks, each with a range of its own, fill one folder."""
    shot = base / f"parts{written}"
    read = new_read(write_plate(shot / "plate"))
    node = new_node(new_grade(read, 0.5) if written else read, shot / "cache", worker)
    lumivid_nuke.render(node, 1001, 1002)
    key = node["result_key"].value()
    assert results(node) == [1001, 1002]
    lumivid_nuke.render(node, 1003, 1004)
    assert node["result_key"].value() == key
    assert results(node) == [1001, 1002, 1003, 1004]
    with pytest.raises(InputError, match="leave the range 1001-1004"):
        lumivid_nuke.render(node, 1004, 1005)


@pytest.mark.usefixtures("host")
def test_render_waits_in_the_gui_too(worker: RunningWorker, shot: Path) -> None:
    """Scripts in the GUI may want to wait; no call goes through the event loop for it."""
    node = new_node(new_read(write_plate(shot / "plate")), shot / "cache", worker)
    assert lumivid_nuke.render(node).frames == 4
    assert results(node) == [1001, 1002, 1003, 1004]


@pytest.mark.usefixtures("terminal")
def test_errors_are_raised_in_a_terminal(worker: RunningWorker, shot: Path) -> None:
    """Before the send and behind it; the node tells them as well."""

    def fail(_: nuke.Node | None, request: Request) -> Request:
        return msgspec.structs.replace(request, label="fail@2")

    node = new_node(None, shot / "cache", worker)
    with pytest.raises(InputError, match="no input"):
        lumivid_nuke.submit(node)
    node.setInput(0, new_read(write_plate(shot / "plate")))
    lumivid_nuke.add_callback("before_submit", fail)
    try:
        with pytest.raises(RenderError, match="as asked"):
            lumivid_nuke.submit(node)
    finally:
        lumivid_nuke.remove_callback("before_submit", fail)
    assert node["tile_color"].value() == FAILED
    assert results(node) == [1001, 1002]
    with pytest.raises(InputError, match="no node 'Nobody'"):
        lumivid_nuke.submit("Nobody")
    with pytest.raises(InputError, match="Read1 is no LumiVid"):
        lumivid_nuke.submit("Read1")


@pytest.mark.usefixtures("terminal")
def test_files_without_a_node(worker: RunningWorker, shot: Path) -> None:
    """A script renders a plate on disk; the callbacks hear of it."""
    told: list[tuple[nuke.Node | None, str]] = []

    def after(node: nuke.Node | None, done: Done) -> None:
        told.append((node, done.state))

    write_plate(shot / "plate")
    lumivid_nuke.add_callback("after", after)
    try:
        done = lumivid_nuke.render_files(
            shot / "plate/plate.####.exr",
            shot / "out/hdr.####.exr",
            "1002-1003",
            endpoint=str(worker.places.keys.parent),
        )
    finally:
        lumivid_nuke.remove_callback("after", after)
    assert done.frames == 2
    assert told == [(None, "done")]
    assert read_frame(shot / "out/hdr.1003.exr")[0, 0, 0] == expected(1003)


@pytest.mark.usefixtures("terminal")
def test_no_worker_and_none_may_be_started(started: Path) -> None:
    """The folder of the worker stays empty."""
    shot = started.parent
    node = new_node(new_read(write_plate(shot / "plate")), shot / "cache", None)
    node["endpoint"].setValue(started.as_posix())
    with pytest.raises(WireError, match="tick 'start a worker'"):
        lumivid_nuke.render(node)
    assert not (started / "run").exists()


@pytest.mark.usefixtures("host")
def test_worker_is_started_and_renders(started: Path) -> None:
    """With the artist's leave: a real worker with the embedded model, from nothing to a picture."""
    shot = started.parent
    node = new_node(
        new_read(write_plate(shot / "plate", 1, 2, (64, 96)), 1, 2), shot / "cache", None
    )
    node["endpoint"].setValue(started.as_posix())
    node["start_worker"].setValue(True)
    lumivid_nuke.submit(node)
    wait_until_idle(node)
    assert str(node["status"].value()).startswith("2 frames, "), node["status"].value()
    assert results(node) == [1, 2]
    for frame in (1, 2):
        picture = read_frame(
            shot / "cache" / str(node["result_key"].value()) / f"result.{frame:04d}.exr"
        )
        assert picture.shape[:2] == (64, 96)
        assert np.isfinite(picture).all()


@pytest.mark.usefixtures("host")
def test_worker_that_cannot_start(started: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it said last is told."""
    shot = started.parent
    monkeypatch.setenv(connection.COMMAND, "/nowhere/lumivid")
    with pytest.raises(LumividError, match="could not be started by '/nowhere/lumivid worker"):
        connection.start_worker(str(started))
    monkeypatch.setenv(connection.COMMAND, shlex.join([sys.executable, "-c", "exit('too warm')"]))
    with pytest.raises(LumividError, match="could not be started: too warm"):
        connection.start_worker(str(started), [shot])
    monkeypatch.delenv(connection.COMMAND)
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(LumividError, match="not on PATH"):
        connection.start_worker(str(started))
