"""A LoRA is trained from a recipe, and a killed run goes on along the same curve."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tests.train.recipes import tiny_recipe, write_recipe

from lumivid_fx.errors import CancelledError, InputError
from lumivid_fx.model.checkpoint import load_model
from lumivid_fx.model.lora import read_lora
from lumivid_fx.train.logbook import read_losses
from lumivid_fx.train.lora import Telling, train_lora
from lumivid_fx.train.recipe import read_recipe

FIXED = {"training": {"steps": 40, "learning_rate": 2e-2}, "clips": {"frames": [1]}}


def losses(run: Path) -> dict[int, str]:
    """Loss of each step, as it was written."""
    return {int(row["step"]): row["loss"] for row in read_losses(run / "losses.csv")}


def test_the_loss_falls_and_the_file_renders(tmp_path: Path, quick_model_folder: Path) -> None:
    """Training does something, and what it leaves is a LoRA that our loader takes for this base."""
    recipe = tiny_recipe(tmp_path, quick_model_folder, **FIXED)
    path = train_lora(recipe, tmp_path / "run")
    curve = [float(loss) for loss in losses(tmp_path / "run").values()]
    assert len(curve) == 40
    assert sum(curve[-15:]) < 0.8 * sum(curve[:15])
    lora = read_lora(path)
    assert (lora.transfer, lora.rank) == ("logc3_rec709", 4)
    assert load_model(quick_model_folder, lora=path).lora[0] == path.name


def test_validation_shows_what_was_learned(tmp_path: Path, quick_model_folder: Path) -> None:
    """At the steps asked for and the last, as pictures and in TensorBoard's own reader.

    Training itself is untouched by being looked at.
    """
    reading = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="TensorBoard is an extra: pip install lumivid-fx[train]",
    )
    seen: list[tuple[Path, float, float]] = []
    training = {"steps": 3, "validate_every": 2}
    telling = Telling(picture=lambda *told: seen.append(told))
    looking = tiny_recipe(
        tmp_path, quick_model_folder, training=training, clips={"validation": 1, "frames": [1]}
    )
    looked = tmp_path / "looked"
    train_lora(looking, looked, telling=telling)
    assert [path.name for path, _, _ in seen] == ["stops-000002.png", "stops-000003.png"]
    with Image.open(seen[0][0]) as sheet:
        assert sheet.width > 300
    assert all(0 < rmse < 1 for _, rmse, _ in seen)
    events = reading.EventAccumulator(str(looked / "tensorboard")).Reload()
    told = {event.step: event.value for event in events.Scalars("train/loss")}
    written = {step: float(loss) for step, loss in losses(looked).items()}
    assert told == pytest.approx(written, rel=1e-6)  # events hold float32
    assert [event.step for event in events.Images("validation/stops")] == [2, 3]
    blind = tiny_recipe(tmp_path, quick_model_folder, training=training, clips={"frames": [1]})
    train_lora(blind, tmp_path / "blind")
    assert losses(looked) == losses(tmp_path / "blind")


def test_stopped_between_steps_nothing_is_lost(tmp_path: Path, quick_model_folder: Path) -> None:
    """Asked to stop after the seventh step, the run goes on with the eighth."""
    recipe = tiny_recipe(tmp_path, quick_model_folder)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train_lora(recipe, whole)
    with pytest.raises(CancelledError, match="after step 7"):
        train_lora(recipe, cut, telling=Telling(stop=lambda: len(losses(cut)) == 7))
    assert sorted(losses(cut)) == list(range(1, 8))
    train_lora(recipe, cut)
    assert losses(cut) == losses(whole)
    ours, theirs = (load_file(run / "lora.safetensors") for run in (cut, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_killed_and_run_again_it_follows_the_same_curve(
    tmp_path: Path, quick_model_folder: Path
) -> None:
    """A real process, killed -9 between two checkpoints: every loss and every weight is the same.

    That is, as the table of losses has them, with all their digits.
    """
    recipe = write_recipe(tmp_path / "recipe.toml", quick_model_folder, training={"steps": 30})
    shared = tmp_path / "latents"
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train_lora(read_recipe(str(recipe)), whole, latents=shared)
    command = [sys.executable, "-m", "lumivid_fx.cli", "train", "lora", str(recipe), "--run"]
    options = [str(cut), "--latents", str(shared), "--device", "cpu", "--json"]
    killed = subprocess.Popen(
        [*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while len(losses(cut)) < 8:
            assert killed.poll() is None, "it ended before it could be killed"
            time.sleep(0.02)
    finally:
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
    made = len(losses(cut))
    assert not (cut / "lora.safetensors").exists()
    assert made < 30
    subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)
    assert losses(cut) == losses(whole)
    ours, theirs = (load_file(run / "checkpoint.safetensors") for run in (cut, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_bf16_with_checkpointing_trains_too(tmp_path: Path, quick_model_folder: Path) -> None:
    """What a GPU does, on the CPU: finite losses, and a file."""
    amended = {"steps": 4, "precision": "bf16", "gradient_checkpointing": True}
    recipe = tiny_recipe(tmp_path, quick_model_folder, training=amended)
    path = train_lora(recipe, tmp_path / "run")
    assert all(0 < float(loss) < 100 for loss in losses(tmp_path / "run").values())
    assert path.is_file()


def test_a_run_of_another_recipe_is_not_gone_on_with(
    tmp_path: Path, quick_model_folder: Path
) -> None:
    """A curve has one recipe."""
    one = tiny_recipe(tmp_path, quick_model_folder, training={"steps": 1})
    train_lora(one, tmp_path / "run")
    other = tiny_recipe(tmp_path, quick_model_folder, training={"batch": 1})
    with pytest.raises(InputError, match="another recipe"):
        train_lora(other, tmp_path / "run")
