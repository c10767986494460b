"""`lumivid render --worker`: the same plates as without, by a real worker with a tiny model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cli.plates import (
    START,
    files,
    frame_names,
    lumivid,
    the_sentence,
    write_plate,
)
from tests.worker.running import QUICK, SOON_S, RunningWorker, running_worker
from typer.testing import Result

from lumivid_fx import client
from lumivid_fx.media.exr import read_attributes
from lumivid_fx.protocol.places import HOME

COUNT = 12


@pytest.fixture(scope="module")
def worker(
    tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningWorker]:
    """A worker with a tiny model, and a plate of twelve frames in its root."""
    folder = tmp_path_factory.mktemp("worker")
    with running_worker(
        folder / "home", roots=[folder / "show"], arguments=["--model", tiny_model_folder]
    ) as running:
        write_plate(folder / "show" / "plate", COUNT)
        yield running


@pytest.fixture(scope="module")
def show(worker: RunningWorker) -> Path:
    """The worker's root."""
    return Path(worker.environ[HOME]).parent / "show"


@pytest.fixture(scope="module")
def plain(show: Path, tiny_model_folder: Path) -> dict[str, bytes]:
    """The bytes of every frame as `lumivid render` writes them itself."""
    out = show / "plain"
    result = lumivid(
        *("render", show / "plate", out / "p.####.exr", "--window", "9"),
        *("--model", tiny_model_folder, "--device", "cpu"),
    )
    assert result.exit_code == 0, result.stderr
    return {name: (out / name).read_bytes() for name in files(out)}


def render(worker: RunningWorker, *arguments: str | Path) -> Result:
    """Render through the worker."""
    return lumivid("render", *arguments, "--worker", home=Path(worker.environ[HOME]))


def test_the_bits_are_those_of_a_plain_render(
    worker: RunningWorker, show: Path, plain: dict[str, bytes]
) -> None:
    """Pixels, attributes and all; progress and report are told apart; a rerun keeps every frame."""
    out, sheet = show / "same", show / "sheet.png"
    arguments = (show / "plate", out / "p.####.exr", "--window", "9", "--sheet", sheet)
    result = render(worker, *arguments)
    assert result.exit_code == 0, result.stderr
    assert {name: (out / name).read_bytes() for name in files(out)} == plain
    assert sheet.read_bytes().startswith(b"\x89PNG")
    told = result.stdout.splitlines()
    assert told[0].startswith("12 frames rendered in ")
    assert f"from {out}/p.1001.exr to {out}/p.1012.exr" in told
    assert told[-1] == f"contact sheet: {sheet}"
    lines = result.stderr.splitlines()
    assert any(line.startswith("frame 1012 is done") for line in lines)
    assert "drawing the contact sheet" in lines

    before = {name: (out / name).stat().st_mtime_ns for name in files(out)}
    again = render(worker, *arguments)
    assert again.exit_code == 0, again.stderr
    assert again.stdout.startswith("0 frames rendered; 12 kept from before\n")
    assert {name: (out / name).stat().st_mtime_ns for name in files(out)} == before


def test_json_lines_parse(worker: RunningWorker, show: Path) -> None:
    """One object for each frame and a summary; what was rendered before comes from the cache."""
    arguments = (show / "plate", "--frames", "1001-1003", "--seed", "5", "--json")
    for target, how in (("first", "rendered"), ("second", "cache")):
        result = render(worker, *arguments[:1], show / target / "p.####.exr", *arguments[1:])
        assert result.exit_code == 0
        assert result.stderr == ""
        *frames, summary = [json.loads(line) for line in result.stdout.splitlines()]
        assert [(each["frame"], each["how"]) for each in frames] == [
            (number, how) for number in (1001, 1002, 1003)
        ]
        assert all(Path(each["path"]).is_file() for each in frames)
        assert summary["frames"] == [each["path"] for each in frames]
        assert summary["state"] == "done"
        assert (summary["rendered"], summary["kept"], summary["cached"]) == (
            (3, 0, 0) if how == "rendered" else (0, 0, 3)
        )
    assert files(show / "first") == files(show / "second") == frame_names([1001, 1002, 1003])


def test_options_reach_the_render(worker: RunningWorker, show: Path) -> None:
    """`submit` and `render --worker` ask for the same; the frame says what it was made with."""
    options = (
        *("--frames", "1001", "--fps", "25", "--output-space", "acescg", "--exposure", "1"),
        *("--compression", "piz", "--steps", "2", "--detail", "0", "--seed", "7", "--tile", "16"),
        *("--reference-strength", "0.5", "--model-size", "32", "--lora-strength", "0.25"),
        *("--window", "17", "--overlap", "1", "--source-view", "rec709", "--input-space", "srgb"),
        "--generated",
    )
    assert render(worker, show / "plate", show / "a.exr", *options).exit_code == 0
    home = Path(worker.environ[HOME])
    job = lumivid("submit", show / "plate", show / "b.exr", *options, home=home).stdout.strip()
    assert lumivid("watch", job, home=home).exit_code == 0
    told = read_attributes(show / "a.exr")
    assert read_attributes(show / "b.exr") == told
    assert (told["framesPerSecond"], told["compression"]) == (25, "piz")
    assert told["lumivid/lora_strength"] == 0.25
    settings = json.loads(str(told["lumivid/settings"]))
    asked = {
        "sigmas": [[1.0, 0.725, 0.0]],
        "detail": 0,
        "seed": 7,
        "exposure": 1,
        "output_space": "acescg",
        "input_space": "srgb",
        "source_view": "rec709",
        "reference_strength": 0.5,
        "model_size": 32,
        "tile": 16,
        "window": 17,
        "overlap": 1,
        "fps": 25,
        "generated": True,
    }
    assert {name: settings[name] for name in asked} == asked


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--device", "cpu"), "leave out --device, or --worker"),
        (("--lora-strength", "3"), "LoRA strength is 3"),
        (("--detail", "2"), "detail is 2"),
        (("--sheet", "sheet.jpg"), "sheet.jpg does not end in .png"),
        (("--steps", "9"), "steps is 9; this model takes 1 to 3"),
        (("--frames", "990-1002"), "990-1002"),
        (("--output-space", "srgb"), "not scene-linear"),
    ],
)
def test_one_sentence_and_no_file(
    worker: RunningWorker, show: Path, options: tuple[str, ...], told: str
) -> None:
    """What a plain render refuses, one through the worker refuses in the same words."""
    result = render(worker, show / "plate", show / "none" / "p.####.exr", *options)
    assert result.exit_code == 2
    assert told in the_sentence_at_the_end(result)
    assert not (show / "none").exists() or files(show / "none") == []


def the_sentence_at_the_end(result: Result) -> str:
    """What a refused command says, after what it said on its way."""
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    return the_sentence(result)


def test_no_torch_is_loaded(worker: RunningWorker, show: Path) -> None:
    """The machine that asks needs the base install alone."""
    code = (
        "import runpy, sys\n"
        "try:\n"
        "    runpy.run_module('lumivid_fx.cli', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as stop:\n"
        "    assert not stop.code, stop.code\n"
        "print(*{'torch', 'numpy', 'diffusers', 'OpenImageIO', 'av'} & set(sys.modules))\n"
    )
    arguments = ("render", show / "plate", show / "light" / "p.####.exr", "--worker")
    ended = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=worker.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=SOON_S,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == ""
    assert len(files(show / "light")) == COUNT


# ---- Ctrl-C, with a runner that is held up so that no frame comes in between ------------------


@pytest.fixture
def held(tmp_path: Path) -> Iterator[RunningWorker]:
    """A worker whose runner is stopped, though not for the server to see yet."""
    with running_worker(tmp_path / "home", roots=[tmp_path / "show"], runner=QUICK) as running:
        running.wait_until_ready()
        (runner,) = running.runners
        os.kill(runner, signal.SIGSTOP)
        yield running


@contextmanager
def rendering(worker: RunningWorker, target: Path) -> Iterator[subprocess.Popen[str]]:
    """A render through the worker in a process of its own, once its job runs."""
    plate = str(target.parent / "p.####.png")
    arguments = ("render", plate, str(target), "--worker", "--json", "--frames", "1-500")
    with subprocess.Popen(
        [sys.executable, "-c", START, *arguments],
        stdout=subprocess.PIPE,
        env=worker.environ,
        text=True,
    ) as process:
        wait_for(worker, "running")
        yield process
        process.kill()


def wait_for(worker: RunningWorker, state: str) -> None:
    """Wait until the only job is in a state."""
    with client.connect(places=worker.places) as there:
        worker.wait_until(lambda: [job.state for job in there.jobs()] == [state], state)


def test_ctrl_c_stops_the_job(held: RunningWorker, tmp_path: Path) -> None:
    """The command waits until the job has stopped, then says what is kept: exit code 130."""
    (runner,) = held.runners
    with rendering(held, tmp_path / "show" / "out") as process:
        process.send_signal(signal.SIGINT)
        wait_for(held, "cancelling")
        assert process.poll() is None
        os.kill(runner, signal.SIGCONT)
        told, _ = process.communicate(timeout=SOON_S)
        assert process.returncode == 130
    wait_for(held, "cancelled")
    last = json.loads(told.splitlines()[-1])
    there = list((tmp_path / "show" / "out").glob("q.*.exr"))
    assert last["error"].startswith(f"{len(there)} finished frames are kept, and the same command")
    assert len(there) < 500


def test_second_ctrl_c_leaves_at_once(held: RunningWorker, tmp_path: Path) -> None:
    """The job is asked to stop all the same, and the sentence says how to look after it."""
    with rendering(held, tmp_path / "show" / "out") as process:
        process.send_signal(signal.SIGINT)
        wait_for(held, "cancelling")
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=SOON_S)
        assert process.returncode == 130
    wait_for(held, "cancelling")
    with client.connect(places=held.places) as there:
        known = there.jobs()[0].job[:8]
    assert f"`lumivid watch {known}`" in json.loads(told.splitlines()[-1])["error"]


def test_without_a_worker(tmp_path: Path) -> None:
    """The exit code is 4; nothing is rendered here instead."""
    result = lumivid("render", "in.mp4", "out/", "--worker", home=tmp_path)
    assert result.exit_code == 4
    assert "start one with `lumivid worker`" in the_sentence(result)
