"""Train an HDR LoRA from a recipe: latents, the loop, validation, and the file in the end.

A run is a folder::

    recipe.json             the recipe with all defaults said
    latents-HASH/           shards of encoded pairs, unless kept elsewhere
    checkpoint.safetensors  all that the next step depends on
    losses.csv              a line a step
    tensorboard/            the same and the pictures
    validation/             what the averaged weights make of clips not trained on
    lora.safetensors        the result
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Generator, Tensor

from lumivid_fx import __version__
from lumivid_fx.errors import InputError
from lumivid_fx.media.whole_file import whole_file
from lumivid_fx.model.checkpoint import HdrModel, load_model
from lumivid_fx.train.adapter import add_lora, lora_velocity
from lumivid_fx.train.examples import Example, Examples
from lumivid_fx.train.flow_matching import noisy, shifted_logit_normal, velocity_loss
from lumivid_fx.train.latents import (
    Geometry,
    LatentCache,
    latent_folder,
    make_latents,
    size_bytes,
)
from lumivid_fx.train.logbook import Logbook
from lumivid_fx.train.lora_file import write_lora
from lumivid_fx.train.peers import ALONE, Accelerated, Alone
from lumivid_fx.train.recipe import Recipe
from lumivid_fx.train.sources import Sources
from lumivid_fx.train.trainer import Loss, Step, steps_done, train
from lumivid_fx.train.validation import validate

CHECKPOINT, RESULT, RECIPE = "checkpoint.safetensors", "lora.safetensors", "recipe.json"


@dataclass(frozen=True)
class Telling:
    """Whom a run tells how it goes; nobody unless said otherwise.

    Attributes:
        phase: What is being done, in words.
        latents: Examples done and in all.
        step: A step that was made, and all there are.
        report: Steps done, mean loss, seconds a step.
        picture: A validation picture, and its two figures.
        stop: Asked before every step.
    """

    phase: Callable[[str], None] = lambda _words: None
    latents: Callable[[int, int], None] = lambda _done, _total: None
    step: Callable[[Step, int], None] = lambda _step, _total: None
    report: Callable[[int, float, float], None] = lambda _step, _loss, _seconds: None
    picture: Callable[[Path, float, float], None] = lambda _path, _rmse, _stops: None
    stop: Callable[[], bool] = lambda: False


NOBODY = Telling()


def prepare_latents(
    recipe: Recipe, model: HdrModel, root: Path, telling: Telling = NOBODY
) -> tuple[LatentCache, list[Example]]:
    """Make what latents are missing; give them, and the pairs that validation looks at.

    Args:
        recipe: What to make.
        model: Whose VAE encodes.
        root: Folder that the latents' own folder is made in.
        telling: Told the size before, and every pair.

    Raises:
        InputError: A source or the size of clips does not fit.
    """
    geometry = Geometry.of(model)
    geometry.check(recipe.clips)
    sources = Sources(recipe)
    try:
        pairs = Examples(recipe, sources)
        folder = latent_folder(root, recipe, sources, model)
        size = size_bytes(recipe, geometry)
        telling.phase(f"latents of {recipe.clips.count} pairs, {size / 1e6:.1f} MB, in {folder}")
        cache = make_latents(recipe, pairs, model, folder, telling.latents)
        looked_at = [pairs.example(n, validation=True) for n in range(recipe.clips.validation)]
    finally:
        sources.close()
    return cache, looked_at


def train_lora(
    recipe: Recipe,
    run: Path,
    *,
    latents: Path | None = None,
    device: str = "cpu",
    peers: Alone | Accelerated = ALONE,
    telling: Telling = NOBODY,
) -> Path:
    """Train a LoRA, going on where an earlier call in the same folder was stopped.

    Args:
        recipe: All that it is made of.
        run: Folder of the run, made if missing.
        latents: Folder for latents that several runs share; the run's own if None.
        device: Torch device of this process.
        peers: The other processes of this run.
        telling: How it goes, of the first process alone.

    Returns:
        The LoRA's file.

    Raises:
        InputError: The recipe, the model or a source cannot be used.
        RenderError: The loss was no number any more.
        CancelledError: It was asked to stop.
    """
    first = peers.rank == 0
    telling = telling if first else Telling(stop=telling.stop)
    _refuse_other(recipe, run)
    telling.phase("loading the model")
    model = load_model(recipe.model.folder, lora_strength=0.0, device=device)
    if first:
        with whole_file(run / RECIPE, str(run / RECIPE)) as beside:
            beside.write_text(recipe.text(), encoding="utf-8")
        cache, looked_at = prepare_latents(recipe, model, latents or run, telling)
    peers.wait()
    if not first:
        cache, looked_at = prepare_latents(recipe, model, latents or run)
    model = _ready(model, recipe)
    parameters = add_lora(model.transformer, recipe.lora.rank, recipe.training.seed)
    if recipe.training.gradient_checkpointing:
        model.transformer.enable_gradient_checkpointing()
    checkpoint = run / CHECKPOINT
    start = steps_done(checkpoint)
    telling.phase(f"training from step {start}" if start else "training")
    logbook = Logbook(run, start) if first else None

    def look(step: Step) -> None:
        if logbook is None:
            return
        logbook.step(step)
        telling.step(step, recipe.training.steps)
        last = step.done == recipe.training.steps
        if not looked_at or (step.done % recipe.training.validate_every and not last):
            return
        model.vae.to(model.device)
        seen = validate(model, recipe, looked_at, parameters, step.average, f"step {step.done}")
        model.vae.to("cpu")
        figures = {
            "validation/code_rmse": seen.code_rmse,
            "validation/clipped_stops": seen.clipped_stops,
        }
        logbook.scalars(figures, step.done)
        path = logbook.picture("stops", seen.picture, step.done)
        telling.picture(path, seen.code_rmse, seen.clipped_stops)

    try:
        average = train(
            parameters,
            lora_loss(model, cache, recipe),
            recipe.schedule,
            checkpoint,
            telling.report,
            after_step=look,
            stop=telling.stop,
            peers=peers,
            settings=f"{recipe.text()} {model.digest} {peers.count}",
        )
    finally:
        if logbook is not None:
            logbook.__exit__(None, None, None)
    result = run / RESULT
    if first:
        _keep(result, average, recipe, model)
    peers.wait()
    return result


def _ready(model: HdrModel, recipe: Recipe) -> HdrModel:
    """The base in the precision it is trained in, and the VAE out of the way."""
    working = torch.bfloat16 if recipe.training.precision == "bf16" else torch.float32
    model.vae.to("cpu")
    model.transformer.to(working)
    return replace(model, context=model.context.to(working))


def lora_loss(model: HdrModel, cache: LatentCache, recipe: Recipe) -> Loss:
    """The loss of a step: flow matching on a batch of clips of one length, lengths by turns."""
    told, geometry = recipe.training, Geometry.of(model)
    device = model.device

    def loss_of_step(step: int, generator: Generator) -> Tensor:
        frames = cache.lengths[step % len(cache.lengths)]
        grid = geometry.grid(frames, recipe.clips)
        picks = torch.randint(
            cache.count(frames), (told.batch,), generator=generator, device=generator.device
        )
        clean, reference, clipped = (x.to(device) for x in cache.batch(frames, picks.tolist()))
        noise = torch.randn(clean.shape, generator=generator, device=generator.device)
        sigmas = shifted_logit_normal(told.batch, clean.shape[1], generator)
        velocity = lora_velocity(
            model.transformer,
            noisy(clean, noise, sigmas),
            reference,
            sigmas,
            model.context,
            grid,
            recipe.clips.fps,
            bf16=told.precision == "bf16",
        )
        weight = 1 + (told.clipped_weight - 1) * clipped
        return velocity_loss(velocity, clean, noise, weight)

    return loss_of_step


def _refuse_other(recipe: Recipe, run: Path) -> None:
    """A run that has learned something goes on with its own recipe only."""
    path = run / RECIPE
    told = path.read_text(encoding="utf-8") if path.is_file() else recipe.text()
    if told != recipe.text() and (run / CHECKPOINT).exists():
        raise InputError(
            f"{run} holds a run of another recipe, or of this one before it was changed; choose "
            "another --run"
        )


def _keep(path: Path, average: dict[str, Tensor], recipe: Recipe, model: HdrModel) -> None:
    transfer = recipe.transfer
    write_lora(
        path,
        average,
        rank=recipe.lora.rank,
        transfer=None if transfer is None else transfer.name,
        dtype=recipe.lora.dtype,
        made={
            "made_by": f"lumivid-fx {__version__}",
            "base_model": model.manifest.name,
            "base_digest": model.digest,
            "steps": str(recipe.training.steps),
            "recipe": recipe.without_folders().text(),
        },
    )
