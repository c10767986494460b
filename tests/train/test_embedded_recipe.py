"""The embedded model from a recipe: from maps to a model folder, stage by stage."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.media.files import write_image
from torch import Generator

from lumivid_fx.model.checkpoint import load_model
from lumivid_fx.train import embedded_transformer, embedded_vae
from lumivid_fx.train.embedded import Shape
from lumivid_fx.train.embedded_recipe import EmbeddedRecipe, Stage, train_embedded
from lumivid_fx.train.scenes import made_up_environment
from lumivid_fx.train.trainer import steps_done

TINY = (
    Shape(9, 32, 48, still=True, share=0.75, batch=2),
    Shape(17, 48, 32, still=False, share=0.25, batch=1),
)


def test_all_stages_make_a_model_that_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From maps on disk to a folder that renders; what is finished is not made again."""
    for module in (embedded_vae, embedded_transformer):
        monkeypatch.setattr(module, "SHAPES", TINY)
    monkeypatch.setattr(embedded_vae, "VAE_SHAPES", ((9, 1, 40, 56, 32),))
    (tmp_path / "maps").mkdir()
    for index in range(2):
        light = made_up_environment(32, 64, Generator().manual_seed(index))
        write_image(tmp_path / "maps" / f"{index}.exr", light.permute(1, 2, 0).numpy())
    stage = Stage(steps=2, learning_rate=1e-3, save_every=1)
    recipe = EmbeddedRecipe(
        maps=str(tmp_path / "maps"), vae=stage, prior=stage, lora=stage,
        sigmas=(1.0, 0.5, 0.0), made_up=1, clips=4,
    )  # fmt: skip
    run, phases = tmp_path / "run", list[str]()

    def train() -> Path:
        phases.clear()
        return train_embedded(recipe, run, "cpu", phases.append, lambda *_: None)

    folder = train()
    assert phases[1:] == [
        "training the vae", "encoding 4 clips", "training the prior", "training the lora",
    ]  # fmt: skip
    stages = ("vae", "prior", "lora")
    assert all(steps_done(run / f"{name}_checkpoint.safetensors") == 2 for name in stages)
    model = load_model(folder)
    assert model.manifest.sigmas == ((1.0, 0.5, 0.0),)
    assert model.transfer.name == "logc3_rec709"
    assert model.lora[1] == 1.0
    train()
    assert phases == ["loading maps"]
    (run / "lora.safetensors").unlink()
    train()
    assert phases[1:] == ["encoding 4 clips", "training the lora"]
