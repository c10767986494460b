"""`lumivid farm`, `window` and `stitch`, in this process with a tiny model."""

from __future__ import annotations

import inspect
import json
import os
import signal
from pathlib import Path

import pytest
from tests.cli.plates import files, frame_names, lumivid, the_sentence, write_plate

from lumivid_fx.cli.farm_command import plan as plan_command
from lumivid_fx.cli.render_command import render
from lumivid_fx.cli.window_log import WindowLog
from lumivid_fx.client.requests import make_request
from lumivid_fx.farm.plan_file import read_plan
from lumivid_fx.protocol.messages import Settings
from lumivid_fx.protocol.wire import pack_request

COUNT = 17


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seventeen PNG frames: two windows of nine."""
    return write_plate(tmp_path_factory.mktemp("plate"), COUNT)


@pytest.fixture
def planned(plate: Path, tiny_model_folder: Path, tmp_path: Path) -> Path:
    """Its plan."""
    result = lumivid(
        *("farm", "plan", plate, tmp_path / "out" / "p.####.exr", "--plan", tmp_path / "p.json"),
        *("--model", tiny_model_folder, "--window", "9", "--overlap", "1", "--steps", "1"),
    )
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{tmp_path}/p.json: 2 windows, 0 to 1\n"
    return tmp_path / "p.json"


def test_from_the_plan_to_the_frames(
    planned: Path, plate: Path, tiny_model_folder: Path, tmp_path: Path
) -> None:
    """Window by window and stitched: what `lumivid render` writes, byte for byte."""
    early = lumivid("stitch", "--plan", planned)
    assert early.exit_code == 2
    assert "windows 0-1 of 2 of the plan of" in the_sentence(early)
    second = lumivid("window", "--plan", planned, "--index", "1")
    assert second.exit_code == 0, second.stderr
    assert second.stdout == f"window 1 rendered: {tmp_path}/p.windows/window.0001.safetensors\n"
    assert second.stderr.splitlines()[:3] == [
        *("looking for the window", "checking the plate", "loading the model")
    ]
    again = lumivid("window", "--plan", planned, "--index", "1", "--json")
    assert json.loads(again.stdout.splitlines()[-1])["how"] == "kept"
    assert lumivid("window", "--plan", planned, "--index", "0", "--json").exit_code == 0
    stitched = lumivid("stitch", "--plan", planned, "--json")
    assert stitched.exit_code == 0, stitched.stderr
    assert json.loads(stitched.stdout.splitlines()[-1])["rendered"] == COUNT

    rendered = lumivid(
        *("render", plate, tmp_path / "here" / "p.####.exr", "--model", tiny_model_folder),
        *("--window", "9", "--overlap", "1", "--steps", "1"),
    )
    assert rendered.exit_code == 0, rendered.stderr
    assert files(tmp_path / "out") == frame_names(range(1001, 1001 + COUNT))
    for name in files(tmp_path / "out"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


def test_a_task_that_is_told_to_stop(
    planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM, as a farm sends it: one sentence, exit code 130, and no file."""
    step, before = WindowLog.step, signal.getsignal(signal.SIGTERM)

    def stopped(log: WindowLog, phase: str, done: int, steps: int) -> None:
        step(log, phase, done, steps)
        if phase == "reading the plate":
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(WindowLog, "step", stopped)
    task = lumivid("window", "--plan", planned, "--index", "0", "--json")
    told = json.loads(task.stdout.splitlines()[-1])
    assert (task.exit_code, told["exit_code"]) == (130, 130)
    assert "the same command renders it" in told["error"]
    assert not (tmp_path / "p.windows").exists()
    assert signal.getsignal(signal.SIGTERM) == before


def test_an_export(planned: Path, tmp_path: Path) -> None:
    """The bundle, and the two ways to run it, quoted for a shell."""
    bundle = tmp_path / "a bundle"
    result = lumivid("farm", "export", bundle, "--plan", planned)
    assert result.exit_code == 0, result.stderr
    assert files(bundle) == ["asset_references.yaml", "parameter_values.yaml", "template.yaml"]
    assert "amount.worker.gpu" in (bundle / "template.yaml").read_text()
    first, second = result.stdout.splitlines()
    assert first == f"{bundle}: deadline bundle submit '{bundle}'"
    assert second.startswith(f"here and now: openjd run '{bundle}/template.yaml' --step Stitch")
    assert lumivid("farm", "export", bundle, "--plan", planned, "--no-gpu").exit_code == 0
    assert "amount.worker.gpu" not in (bundle / "template.yaml").read_text()


def test_a_bundle_from_a_request(plate: Path, tiny_model_folder: Path, tmp_path: Path) -> None:
    """What the node calls; a file that is no request is refused in a sentence."""
    request = make_request(plate, f"{tmp_path}/out/", model=str(tiny_model_folder))
    (tmp_path / "request.msgpack").write_bytes(pack_request(request))
    result = lumivid("farm", "bundle", tmp_path / "request.msgpack", tmp_path / "sh010")
    assert result.exit_code == 0, result.stderr
    assert read_plan(tmp_path / "sh010" / "plan.json").request == request
    assert len(files(tmp_path / "sh010" / "bundle")) == 3
    (tmp_path / "request.msgpack").write_bytes(b"\x80")
    refused = lumivid("farm", "bundle", tmp_path / "request.msgpack", tmp_path / "sh010")
    assert refused.exit_code == 2
    assert "is no request" in the_sentence(refused)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("window", "--plan", "none.json", "--index", "0"), "none.json cannot be read"),
        (("stitch", "--plan", "none.json"), "make a plan with `lumivid farm plan`"),
        (("farm", "plan", "a\nb.png", "out/", "--plan", "p.json"), "text without control"),
        (("farm", "plan", "none.mov", "out/", "--plan", "p.json"), "none.mov does not exist"),
        (("farm", "run", "--plan", "none.json", "--ray", "10.0.0.5:1"), "cannot be read"),
    ],
)
def test_what_cannot_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    """One sentence and exit code 2; nothing is written."""
    monkeypatch.chdir(tmp_path)
    result = lumivid(*arguments)
    assert result.exit_code == 2
    assert told in the_sentence(result)
    assert files(tmp_path) == []


def test_a_plan_takes_the_options_of_a_render() -> None:
    """With the same defaults, which are the wire's too."""
    planning, rendering = (
        {name: each.default for name, each in inspect.signature(command).parameters.items()}
        for command in (plan_command, render)
    )
    # A plan is no machine's, and makes no sheet.
    here = {"device", "worker", "memory", "compiled", "sheet"}
    assert {**planning, "as_json": False} == {
        **{name: default for name, default in rendering.items() if name not in here},
        "plan": inspect.Parameter.empty,
        "windows": None,
    }
    for name in Settings.__struct_fields__:
        if name != "sigmas":
            assert planning[name] == getattr(Settings(), name), name
