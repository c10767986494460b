"""``lumivid train``: what it says, how it stops, and that a stopped run goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.train.recipes import write_recipe
from typer.testing import CliRunner

from lumivid_fx.cli import app
from lumivid_fx.train.logbook import read_losses
from lumivid_fx.train.recipe import read_recipe, shipped_recipes

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model, 8 pixels a latent."""
    from tests.tiny_model import quick_vae, write_tiny_model

    return write_tiny_model(tmp_path_factory.mktemp("model"), stages=1, vae=quick_vae())


def run(*arguments: object) -> Any:
    """Run the command line in this process."""
    return RUNNER.invoke(app, ["train", *map(str, arguments)])


def test_shipped_recipes_are_listed_and_printed_to_be_changed(tmp_path: Path) -> None:
    """What is printed is a recipe again."""
    listed = run("recipes").output
    assert all(name in listed for name in shipped_recipes())
    mine = tmp_path / "mine.toml"
    mine.write_text(run("recipes", "ltx-2.3-hdr").output, encoding="utf-8")
    assert read_recipe(str(mine)) == read_recipe("ltx-2.3-hdr")


def test_plan_is_told_in_words_and_as_json(tmp_path: Path, model: Path) -> None:
    """Nothing is trained and nothing is left behind."""
    recipe = write_recipe(tmp_path / "recipe.toml", model)
    words = run("lora", recipe, "--plan", "--device", "cpu")
    assert words.exit_code == 0
    assert "frozen base" in words.output
    assert "latents on disk" in words.output
    told = json.loads(run("lora", recipe, "--plan", "--device", "cpu", "--json").output)
    assert told["device_bytes"] == sum(row["bytes"] for row in told["device"])
    assert told["lora_tensors"] == 2 * 10 * 2  # matrices, modules, blocks
    assert list(tmp_path.iterdir()) == [recipe]


def test_latents_come_first_and_are_found_by_the_training(tmp_path: Path, model: Path) -> None:
    """The size is told before; the training that follows makes none."""
    recipe = write_recipe(tmp_path / "recipe.toml", model, training={"steps": 2})
    shared = tmp_path / "latents"
    options = ("--run", tmp_path / "run", "--latents", shared, "--device", "cpu", "--json")
    first = run("latents", recipe, *options)
    assert first.exit_code == 0, first.output
    assert "latents of 4 pairs, 0.0 MB" in first.output
    before = {path: path.stat().st_mtime_ns for path in shared.rglob("*.safetensors")}
    assert before
    second = run("lora", recipe, *options)
    assert second.exit_code == 0, second.output
    events = [json.loads(line) for line in second.output.splitlines()]
    assert events[-1] == {"lora": str(tmp_path / "run" / "lora.safetensors")}
    after = {path: path.stat().st_mtime_ns for path in shared.rglob("*.safetensors")}
    assert after == before


def test_ctrl_c_finishes_the_step_and_the_same_command_goes_on(tmp_path: Path, model: Path) -> None:
    """Exit code 130, one sentence, and no step is made twice."""
    recipe = write_recipe(tmp_path / "recipe.toml", model, training={"steps": 4000})
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "lumivid_fx.cli", "train", "lora", str(recipe)]
    options = ["--run", str(folder), "--device", "cpu", "--json"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if '"step": 4' in line:
                process.send_signal(signal.SIGINT)
                break
        rest = process.stdout.read()
    assert process.returncode == 130
    told = json.loads(rest.splitlines()[-1])
    assert "goes on from there" in told["error"]
    made = [int(row["step"]) for row in read_losses(folder / "losses.csv")]
    assert made == list(range(1, made[-1] + 1))
    assert f"after step {made[-1]}" in told["error"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("lora", "none-such"), "none-such is no file and no shipped recipe"),
        (("latents", "none-such"), "none-such is no file and no shipped recipe"),
        (("embedded", "none-such"), "none-such is no file and no shipped recipe"),
        (("embedded", "embedded"), "holds no EXR map to train on"),
        (("embedded", "tiny-lora"), "the table contains unknown field"),
        (("lora", "ltx-2.3-hdr", "--device", "cpu"), "models/ltx-2.3 is not a model folder"),
    ],
)
def test_a_fault_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    """Exit code 2, and what to do."""
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    assert told in result.output
    assert "Traceback" not in result.output
