"""A recipe: one TOML file that says what a LoRA is trained from, with and into.

A recipe may stand on another (``base = "tiny-lora"``), whose tables it amends key by key. Paths are
relative to the folder that the command runs in. docs/training.md explains every key.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from lumivid_fx.color.transfer import TRANSFERS, Transfer
from lumivid_fx.errors import InputError
from lumivid_fx.train.trainer import Schedule

MAX_BASES = 8
"""Recipes that may stand on each other."""

Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Whole = Annotated[int, Meta(ge=0, le=1_000_000)]
Pixels = Annotated[int, Meta(ge=16, le=8192)]
Positive = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Stops = Annotated[float, Meta(ge=0, le=8)]
SourceKind = Literal["made_up", "maps", "plate"]
Degradations = Literal["full", "none", "blur"]
SDR = "sdr"
"""In place of a curve: the target is the clean SDR picture, which movies can be trained on too."""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of a recipe: what is not known in it is refused."""


Kind = TypeVar("Kind", bound=Table)


class ModelPart(Table, frozen=True):
    """Which base: a model folder, or the embedded model."""

    folder: str | None = None


class Source(Table, frozen=True):
    """Where light comes from: maps made up on the spot, a folder of maps, or one's own plate."""

    kind: SourceKind
    path: str | None = None
    frames: str | None = None
    space: str | None = None
    held_out: tuple[str, ...] = ()
    weight: Positive = 1.0


class ClipPart(Table, frozen=True):
    """How many clips, how long, how large, and how they are exposed."""

    count: Count
    width: Pixels
    height: Pixels
    frames: Annotated[tuple[Count, ...], Meta(min_length=1, max_length=8)] = (9,)
    fps: Positive = 24.0
    exposure_shift: Stops = 1.0
    validation: Whole = 2
    seed: Whole = 0


class ReferencePart(Table, frozen=True):
    """What the SDR reference goes through on its way."""

    degradations: Degradations = "full"
    compression: Share = 0.5


class TargetPart(Table, frozen=True):
    """What the LoRA learns to speak: a curve by name, or `sdr`."""

    transfer: str = "logc3_rec709"


class LoraPart(Table, frozen=True):
    """The adapter; alpha equals its rank."""

    rank: Annotated[int, Meta(ge=1, le=1024)] = 32
    dtype: Literal["bf16", "fp16"] = "bf16"


class TrainingPart(Table, frozen=True):
    """How long and how fast, and what is told on the way."""

    steps: Count
    batch: Count = 1
    learning_rate: Annotated[float, Meta(gt=0, le=1)] = 2e-4
    warmup: Whole = 50
    ema: Annotated[float, Meta(ge=0, lt=1)] = 0.99
    clip: Positive = 1.0
    precision: Literal["bf16", "fp32"] = "bf16"
    gradient_checkpointing: bool = True
    clipped_weight: Annotated[float, Meta(ge=1, le=100)] = 1.0
    save_every: Count = 100
    report_every: Count = 10
    validate_every: Count = 500
    seed: Whole = 0


class Recipe(Table, frozen=True):
    """All of it."""

    sources: Annotated[tuple[Source, ...], Meta(min_length=1)]
    clips: ClipPart
    training: TrainingPart
    model: ModelPart = ModelPart()
    reference: ReferencePart = ReferencePart()
    target: TargetPart = TargetPart()
    lora: LoraPart = LoraPart()
    about: str = ""

    @property
    def transfer(self) -> Transfer | None:
        """The target's curve; None for SDR."""
        return None if self.target.transfer == SDR else TRANSFERS[self.target.transfer]

    @property
    def schedule(self) -> Schedule:
        """The loop's part of it."""
        told = self.training
        return Schedule(
            steps=told.steps,
            learning_rate=told.learning_rate,
            warmup=told.warmup,
            ema=told.ema,
            clip=told.clip,
            save_every=told.save_every,
            seed=told.seed,
            report_every=told.report_every,
        )

    def without_folders(self) -> Recipe:
        """The same with names in place of paths, to be passed on with what was made."""
        sources = tuple(
            msgspec.structs.replace(s, path=None if s.path is None else Path(s.path).name)
            for s in self.sources
        )
        folder = None if self.model.folder is None else Path(self.model.folder).name
        return msgspec.structs.replace(self, sources=sources, model=ModelPart(folder=folder))

    def text(self, *parts: str) -> str:
        """All settings, or those of some parts, as JSON that is the same for the same settings."""
        chosen = {part: getattr(self, part) for part in parts} or self
        return msgspec.json.encode(chosen, order="sorted").decode()


def shipped_recipes() -> dict[str, Path]:
    """The recipes that come with the package, by name."""
    folder = Path(str(resources.files("lumivid_fx.train") / "recipes"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def read_recipe(name: str) -> Recipe:
    """Read and check a recipe.

    Args:
        name: A TOML file, or the name of a shipped recipe.

    Raises:
        InputError: No such recipe, or one that says what cannot be; the message says where.
    """
    recipe = read_as(name, Recipe)
    path = find_recipe(name)
    for number, source in enumerate(recipe.sources, start=1):
        if (source.kind == "made_up") != (source.path is None):
            needs = "has no path" if source.kind == "made_up" else "needs a path"
            raise InputError(f"{path}: source {number} is of kind {source.kind}, which {needs}")
        if source.kind != "plate" and (source.frames or source.space):
            raise InputError(f"{path}: source {number} has frames or space, which only a plate has")
        if source.kind != "maps" and source.held_out:
            raise InputError(f"{path}: source {number} holds maps out, which only maps have")
    if recipe.target.transfer not in (*TRANSFERS, SDR):
        raise InputError(
            f"{path}: target.transfer {recipe.target.transfer!r} is not known; use one of "
            f"{', '.join([*TRANSFERS, SDR])}"
        )
    for frames in recipe.clips.frames:
        if frames % 8 != 1:
            raise InputError(
                f"{path}: clips.frames has {frames}, and a clip has 8k+1 frames; write "
                f"{max(1, frames // 8 * 8 + 1)}"
            )
    return recipe


def read_as(name: str, kind: type[Kind]) -> Kind:
    """Read a recipe of any kind, refusing what is not known in it.

    Raises:
        InputError: No such recipe, no TOML, or a value that cannot be, with its place.
    """
    path = find_recipe(name)
    try:
        return msgspec.convert(_amended(path), kind)
    except msgspec.ValidationError as error:
        raise InputError(
            f"{path}: {_in_words(str(error))}; docs/training.md lists what a recipe may hold"
        ) from error


def about(path: Path) -> str:
    """What a recipe says of itself."""
    return str(_read(path).get("about", ""))


def find_recipe(name: str) -> Path:
    """The file of a recipe.

    Raises:
        InputError: There is none of this path or name.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = shipped_recipes()
    if name not in shipped:
        raise InputError(
            f"{name} is no file and no shipped recipe; give a TOML file or one of "
            f"{', '.join(shipped)}"
        )
    return shipped[name]


def _amended(path: Path) -> dict[str, Any]:
    """A recipe's tables over those of the recipes it stands on."""
    layers = [_read(path)]
    while "base" in layers[-1]:
        base = layers[-1].pop("base")
        if len(layers) == MAX_BASES or not isinstance(base, str):
            raise InputError(f"{path}: base {base!r} leads in a circle, or is no name; mend it")
        beside = path.parent / base
        path = beside if beside.is_file() else find_recipe(base)
        layers.append(_read(path))
    merged: dict[str, Any] = {}
    for layer in reversed(layers):
        for key, value in layer.items():
            both = isinstance(value, dict) and isinstance(merged.get(key), dict)
            merged[key] = {**merged[key], **value} if both else value
    return merged


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML ({error}); mend it") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the path") from error


def _in_words(said: str) -> str:
    """What msgspec says of a value: ``Expected `int`, got `str` - at `$.clips.count```."""
    what, _, where = said.partition(" - at `$")
    place = where.rstrip("`").lstrip(".")
    told = what.replace("`", "").replace("Object", "the table")
    return f"{place}: {told}" if place else told
