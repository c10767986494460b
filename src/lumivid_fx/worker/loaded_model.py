"""The one model that a runner holds: kept from job to job, exchanged when a job names another."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from lumivid_fx.errors import InputError
from lumivid_fx.model.checkpoint import EMBEDDED, HdrModel, load_model
from lumivid_fx.model.library import find_entry, is_entry_name, named_files
from lumivid_fx.model.manifest import read_manifest
from lumivid_fx.pipeline.devices import free_memory

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
            self.held = load_model(folder, lora=lora, lora_strength=strength, device=self.device)
            self._what = what
            log.info("model %s is loaded from %s", self.held.manifest.name, folder)
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
