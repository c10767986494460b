"""A render that is stopped in the middle: what is finished stays, and a rerun has the same bits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.cli.plates import FIRST, START, files, frame_names, lumivid, write_plate

from lumivid_fx.media.exr import is_finished

COUNT = 41
"""Six windows of nine that share one: after the first there is time to stop the rest."""


@dataclass(frozen=True)
class Stopped:
    """What a process did until it was stopped."""

    code: int
    printed: list[str]
    said: str


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plate of several windows."""
    return write_plate(tmp_path_factory.mktemp("plate"), COUNT)


@pytest.fixture(scope="module")
def undisturbed(
    plate: Path, tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """The bytes of every frame of a run that nobody stopped."""
    out = tmp_path_factory.mktemp("whole")
    result = lumivid(*command(plate, out, tiny_model_folder))
    assert result.exit_code == 0, result.stderr
    return {name: (out / name).read_bytes() for name in files(out)}


def command(plate: Path, out: Path, model: Path) -> list[str]:
    """Render in short windows."""
    options = ["--model", str(model), "--window", "9", "--device", "cpu"]
    return ["render", str(plate), str(out / "p.####.exr"), *options]


def stop_after_first_frame(
    arguments: list[str], stop: Callable[[subprocess.Popen[str]], None]
) -> Stopped:
    """Run the command line in a process of its own, and stop it when one frame is on disk."""
    with subprocess.Popen(
        [sys.executable, "-c", START, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "LUMIVID_DEBUG": "0"},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        stop(process)
        printed = [first, *process.stdout.readlines()]
        said = process.stderr.read()
    return Stopped(process.returncode, printed, said)


def test_ctrl_c_keeps_finished_frames(
    plate: Path, tiny_model_folder: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    """The exit code is 130, one sentence says what is kept, and the rerun makes the same bits."""
    arguments = command(plate, tmp_path, tiny_model_folder)
    stopped = stop_after_first_frame(
        [*arguments, "--json"], lambda process: process.send_signal(signal.SIGINT)
    )
    assert stopped.code == 130, stopped.said
    assert "Traceback" not in stopped.said
    *frames, last = [json.loads(line) for line in stopped.printed]
    there = files(tmp_path)
    assert 0 < len(there) < COUNT
    assert there == frame_names(range(FIRST, FIRST + len(there)))
    assert all(is_finished(tmp_path / name) for name in there)
    assert last["exit_code"] == 130
    kept, words = last["error"].split(" ", maxsplit=1)
    # The signal may fall between a frame's rename, its count and its line.
    assert len(frames) <= int(kept) <= len(there) <= len(frames) + 1
    assert words.startswith("finished frames are kept")
    assert "the same command goes on" in last["error"]

    untouched = {name: (tmp_path / name).stat().st_mtime_ns for name in there}
    again = lumivid(*arguments)
    assert again.exit_code == 0, again.stderr
    assert f"{len(there)} kept" in again.stdout
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in there} == untouched
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == undisturbed


def test_kill_keeps_finished_frames(
    plate: Path, tiny_model_folder: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    """`kill -9` leaves whole frames too, and the rerun makes the same bits."""
    arguments = command(plate, tmp_path, tiny_model_folder)
    stopped = stop_after_first_frame([*arguments, "--json"], lambda process: process.kill())
    assert stopped.code == -signal.SIGKILL
    there = [name for name in files(tmp_path) if not name.startswith(".")]
    assert 0 < len(there) < COUNT
    assert all(is_finished(tmp_path / name) for name in there)

    again = lumivid(*arguments)
    assert again.exit_code == 0, again.stderr
    assert f"{len(there)} kept" in again.stdout
    visible = [name for name in files(tmp_path) if not name.startswith(".")]
    assert {name: (tmp_path / name).read_bytes() for name in visible} == undisturbed
