"""Frames by content: what makes a frame what it is, as marks inside it and as a key to find it by.

Two frames of one key are the same bytes. A key names everything that a frame's file depends on: the
settings and the model, the libraries, the device's kernels, the frame's number, and the content of
the files that the windows around it see. So a plate of which one frame was changed is rendered
again in that frame's windows and nowhere else.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from lumivid_fx import __version__
from lumivid_fx.errors import InputError
from lumivid_fx.media import Plate, format_range
from lumivid_fx.media.exr import DIGEST_ATTRIBUTE
from lumivid_fx.pipeline.devices import kernels_name
from lumivid_fx.pipeline.file_digests import FileDigests
from lumivid_fx.pipeline.mask import ShotMask
from lumivid_fx.pipeline.render_shot import ShotSettings
from lumivid_fx.pipeline.shot_windows import ModelFacts
from lumivid_fx.pipeline.windows import cut_windows

CLIPPED_ATTRIBUTE = "lumivid/model_clipped"
"""Share of a frame's model samples that lay outside the model's curve."""

_MAKERS = ("torch", "diffusers", "numpy", "OpenImageIO", "opencolorio", "av")
"""Libraries whose release may change a sample, or a byte around it."""


class FrameStore(Protocol):
    """Keeps finished frames by their key."""

    def fetch(self, key: str, path: Path) -> bool:
        """Make `path` the frame of that key, whole; False, and no file, where there is none."""

    def keep(self, key: str, path: Path) -> None:
        """Keep a copy of a finished frame, if there is room."""


def frame_marks(
    settings: ShotSettings,
    model: ModelFacts,
    ocio: str | None,
    plate: Plate,
    fingerprint: str,
    mask: ShotMask | None = None,
) -> dict[str, object]:
    """The ``lumivid/*`` attributes of every frame of a render.

    Args:
        settings: With window and overlap filled in.
        model: The model.
        ocio: A studio's OCIO config; None is the built-in one.
        plate: The whole plate.
        fingerprint: See :func:`plate_fingerprint`.
        mask: Where the model speaks.
    """
    chosen = {
        **asdict(settings),
        "input_space": plate.space_or(settings.input_space),
        "sigmas": settings.sigmas or model.manifest.sigmas,
        "ocio": _full_path(ocio) if ocio else "built-in",
        "plate": [plate.width, plate.height, format_range(plate.frame_numbers)],
        "plate_digest": fingerprint,
        "mask": None if mask is None else mask.fingerprint(plate.first_frame),
        "model": model.digest,
        "device": model.device.type,
        "version": __version__,
    }
    text = json.dumps(chosen, sort_keys=True)
    lora, strength = model.lora
    return {
        "lumivid/version": __version__,
        "lumivid/model": model.manifest.name,
        "lumivid/model_digest": model.digest,
        "lumivid/lora": lora,
        "lumivid/lora_strength": strength,
        "lumivid/transfer": model.transfer.name,
        "lumivid/seed": settings.seed,
        "lumivid/settings": text,
        "lumivid/source": Path(plate.source).name,
        DIGEST_ATTRIBUTE: hashlib.sha256(text.encode()).hexdigest(),
    }


def _full_path(ocio: str) -> str:
    """A config's path however it was spelt; ``ocio://`` addresses are none."""
    return ocio if "://" in ocio else os.path.realpath(ocio)


def plate_fingerprint(plate: Plate) -> str:
    """What tells a plate from others of its size and length: its first frame's pixels, as a hash.

    Where that frame has a data window of its own, the place of it in the plate counts as well.
    Empty where that frame is damaged, which hinders no range without it.
    """
    try:
        frame = plate.read(plate.first_frame)
    except InputError:
        return ""
    placed = "" if frame.own is None else repr((frame.windows, frame.own))
    return hashlib.sha256(frame.rgb.tobytes() + placed.encode()).hexdigest()


class FramesByContent:
    """One render's frames in a store; without a store no file is ever hashed.

    Args:
        store: Where finished frames are.
        plate: The whole plate.
        settings: With window and overlap filled in.
        model: The model.
        common: What all frames share: marks, compression, frame rate.
        colour: Files of the colour config.
        digests: Of files; of a movie's as it was before it was opened.
        mask: Where the model speaks.
    """

    def __init__(
        self,
        store: FrameStore | None,
        plate: Plate,
        settings: ShotSettings,
        model: ModelFacts,
        *,
        common: Mapping[str, object],
        colour: Iterable[Path],
        digests: FileDigests,
        mask: ShotMask | None = None,
    ) -> None:
        self._store = store
        self._plate = plate
        self._common = "" if store is None else _shared(common, model.device.type)
        self._colour = list(colour)
        self._digests = digests
        self._mask = mask
        self._windows = cut_windows(
            len(plate.frame_numbers),
            settings.window or model.manifest.window_frames,
            settings.overlap or model.manifest.overlap_frames,
            model.temporal_ratio,
        )

    def fetch(self, number: int, path: Path) -> bool:
        """Make `path` a frame of the result, if the store has it."""
        if self._store is None:
            return False
        key = self.key(number)
        return key is not None and self._store.fetch(key, path)

    def keep(self, number: int, path: Path) -> None:
        """Store a rendered frame, unless a file it was made from has been changed meanwhile."""
        if self._store is None:
            return
        key = self.key(number)
        if key is not None and self._digests.still_hold(self._files(number)):
            self._store.keep(key, path)

    def key(self, number: int) -> str | None:
        """The key of a frame; None where a file that it depends on cannot be read."""
        try:
            content = [self._digests.of(path) for path in self._files(number)]
        except OSError:
            return None
        told = f"{self._common}\n{number}\n{' '.join(content)}"
        return hashlib.sha256(told.encode()).hexdigest()

    def _files(self, number: int) -> list[Path]:
        """What a frame depends on: the colour config, and all that its windows see."""
        numbers = self._plate.frame_numbers
        place = numbers.index(number)
        seen = [
            self._plate.file_of(numbers[index])
            for window in self._windows
            if window.first <= place <= window.last
            for index in range(window.first, window.last + 1)
        ]
        masks = [] if self._mask is None else [self._mask.file_of(number)]
        return [*self._colour, *masks, *dict.fromkeys(seen)]


def _shared(common: Mapping[str, object], device: str) -> str:
    """What all frames share, and what may change how they round."""
    shared = {**common, **_releases(), "kernels": kernels_name(device)}
    return json.dumps(shared, sort_keys=True, default=str)


@cache
def _releases() -> dict[str, str]:
    return {name: version(name) for name in _MAKERS}
