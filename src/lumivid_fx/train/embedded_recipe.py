"""The embedded model from one TOML file: its stages, each resumed, and a model folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from lumivid_fx.errors import InputError
from lumivid_fx.model.manifest import check_sigmas
from lumivid_fx.train import clips, embedded
from lumivid_fx.train.embedded_transformer import cache_latents, train_transformer
from lumivid_fx.train.embedded_vae import load_vae, train_vae
from lumivid_fx.train.export import export
from lumivid_fx.train.recipe import Count, Table, Whole, find_recipe, read_as
from lumivid_fx.train.trainer import Schedule

Report = Callable[[str, int, int, float, float], None]
"""Told stage, steps done, steps in all, mean loss, seconds a step."""


class Stage(Table, frozen=True):
    """How long and how fast a stage learns."""

    steps: Count
    learning_rate: Annotated[float, Meta(gt=0, le=1)]
    save_every: Count = 500


class EmbeddedRecipe(Table, frozen=True):
    """What the embedded model is made of."""

    maps: str
    vae: Stage
    prior: Stage
    lora: Stage
    sigmas: Annotated[tuple[float, ...], Meta(min_length=2)]
    made_up: Whole = 12
    clips: Count = 2000
    scale: Count = 1
    seed: Whole = 0
    about: str = ""


def read_embedded_recipe(name: str) -> EmbeddedRecipe:
    """Read and check a recipe for the embedded model.

    Raises:
        InputError: No such recipe, or one that says what cannot be.
    """
    recipe = read_as(name, EmbeddedRecipe)
    path = str(find_recipe(name))
    check_sigmas([recipe.sigmas], path)
    folder = Path(recipe.maps)
    if not clips.find_maps(folder, embedded.HELD_OUT):
        raise InputError(f"{path}: maps {folder} holds no EXR map to train on; correct the path")
    return recipe


def train_embedded(
    recipe: EmbeddedRecipe,
    run: Path,
    device: str,
    phase: Callable[[str], None],
    report: Report,
) -> Path:
    """Run the stages that are not finished, and write the model folder.

    Args:
        recipe: What to make.
        run: Folder of checkpoints and results; the same folder goes on.
        device: Torch device.
        phase: Told what is being done.
        report: Told how each stage goes.

    Returns:
        The model folder, ``RUN/model``.
    """
    phase("loading maps")
    made = embedded.make_run(
        Path(recipe.maps), run, device, made_up=recipe.made_up, scale=recipe.scale
    )

    def stage(name: str) -> tuple[Schedule, Callable[[int, float, float], None]]:
        told: Stage = getattr(recipe, name)
        schedule = Schedule(
            steps=told.steps,
            learning_rate=told.learning_rate,
            ema=0.998,
            warmup=100,
            save_every=told.save_every,
            seed=recipe.seed,
        )
        phase(f"training the {name}")
        return schedule, lambda step, loss, seconds: report(name, step, told.steps, loss, seconds)

    if not (run / "vae").is_dir():
        train_vae(made, *stage("vae"))
    if not all((run / f"{name}.safetensors").is_file() for name in ("prior", "lora")):
        phase(f"encoding {recipe.clips} clips")
        cached = cache_latents(load_vae(made), made, recipe.clips, recipe.seed + 100)
        for name in ("prior", "lora"):
            if not (run / f"{name}.safetensors").is_file():
                train_transformer(made, *stage(name), cached, hdr=name == "lora")
    export(run, run / "model", recipe.sigmas)
    return run / "model"
