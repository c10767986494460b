"""The one model that a runner holds: kept from job to job, exchanged when a job names another.

On a GPU it is placed when a shot's size is known, by a plan; a shot that wants its weights held in
another way has them read again.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from lumivid_fx.errors import InputError
from lumivid_fx.model.checkpoint import EMBEDDED, HdrModel, read_model, working_type
from lumivid_fx.model.library import find_entry, is_entry_name, named_files
from lumivid_fx.model.manifest import read_manifest
from lumivid_fx.model.placement import place, release
from lumivid_fx.model.residency import Way
from lumivid_fx.pipeline.devices import free_memory
from lumivid_fx.pipeline.fitting import Fitted, PlateSize, plan_for, with_tiles
from lumivid_fx.pipeline.render_shot import ShotSettings

log = logging.getLogger(__name__)

_What = tuple[Path, Path | None, float, tuple[tuple[str, int, int], ...]]


class LoadedModel:
    """Loads models when they are asked for, and holds the last.

    Args:
        default: Folder of the model for jobs that name none; None is the embedded one.
        device: Torch device to load it on.

    Attributes:
        device: The same.
        held: The model that is loaded, or None.
    """

    def __init__(self, default: Path | None, device: str) -> None:
        self.device = device
        self.held: HdrModel | None = None
        self._default = default or EMBEDDED
        self._what: _What | None = None
        self._way: Way | None = None

    def folder(self, asked: str | None) -> Path:
        """The folder of the model that a job means."""
        if asked and is_entry_name(asked):
            return find_entry(asked)
        return Path(asked) if asked else self._default

    def take(self, folder: Path | None, lora: Path | None, strength: float) -> HdrModel:
        """The model asked for; its files are looked at, so that one trained anew is loaded anew.

        Args:
            folder: Model folder; None is the default one.
            lora: LoRA in place of the model's own.
            strength: Of the LoRA.

        Raises:
            InputError: A file is missing, damaged, or does not fit the others.
        """
        folder = folder or self._default
        what = (folder, lora, strength, _state(folder, lora))
        if self.held is None or what != self._what:
            self.held = None  # before the next is loaded: there may not be memory for two
            free_memory()
            self._what = what
            self.held = self._read()
            log.info("model %s is loaded from %s", self.held.manifest.name, folder)
        return self.held

    @property
    def planned(self) -> bool:
        """Whether shots are fitted to the device by plan; on the CPU the model is as it is."""
        return self.device != "cpu"

    def fit(
        self, model: HdrModel, settings: ShotSettings, size: PlateSize, share: float = 1.0
    ) -> Fitted:
        """Have the held model placed so that a shot fits; see :data:`.fitting.Fit`.

        Args:
            model: The held one.
            settings: Of the shot.
            size: Of its plate.
            share: Of the device's memory that may be taken.

        Raises:
            OutOfMemoryError: Nothing fits.
        """
        if not self.planned:
            return Fitted(model, settings)
        plan = plan_for(model, settings, size, self.device, share=share)
        if self._way != plan.chosen.way:
            if self._way is not None:
                release(model)  # somebody may hold it still, and there may be no memory for two
                free_memory()
                model = self._read()
            self.held = model = place(model, self.device, plan.chosen.way)
            self._way = plan.chosen.way
        return Fitted(model, with_tiles(settings, plan.chosen), plan)

    def _read(self) -> HdrModel:
        """Read what is to be held; where shots are fitted it is placed nowhere yet."""
        if self._what is None:
            raise ValueError("no model has been asked for")
        folder, lora, strength, _ = self._what
        self._way = None
        dtype = working_type(self.device)
        self.held = read_model(folder, lora=lora, lora_strength=strength, dtype=dtype)
        if not self.planned:
            self.held = place(self.held, self.device)
        return self.held


def _state(folder: Path, lora: Path | None) -> tuple[tuple[str, int, int], ...]:
    """What tells whether files were changed; one that is missing is told of by the loader."""
    found = []
    paths = [*sorted(folder.rglob("*")), *([lora] if lora else [])]
    with suppress(InputError):
        paths += [p for p in named_files(folder, read_manifest(folder)) if p not in paths]
    for path in paths:
        with suppress(OSError):
            state = path.stat()
            found.append((str(path), state.st_size, state.st_mtime_ns))
    return tuple(found)
