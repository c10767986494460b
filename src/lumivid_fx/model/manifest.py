"""The few lines that a model folder says of itself, ``lumivid.toml``, read and checked."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from lumivid_fx.errors import InputError

MANIFEST_NAME = "lumivid.toml"


@dataclass(frozen=True)
class Manifest:
    """What ``lumivid.toml`` says.

    Attributes:
        name: The model's name, as written into every plate it makes.
        transfer: Curve the model speaks, by name.
        sigmas: Noise levels of each stage, from the first to 0.
        native_size: Longest side in pixels the model renders best at; None is the plate's own.
        window_frames: Frames rendered at once, 8k+1.
        overlap_frames: Frames two windows share, 8k+1.
        grain_px: Structure in highlights finer than this, in pixels the model sees, is the
            decoder's own and is smoothed away; 1 leaves them as they are.
        prompt_embedding: File with the scene embedding.
        lora: File with the HDR LoRA, or None where it is already in the weights.
    """

    name: str
    transfer: str
    sigmas: tuple[tuple[float, ...], ...]
    native_size: int | None
    window_frames: int
    overlap_frames: int
    grain_px: int
    prompt_embedding: str
    lora: str | None


def read_manifest(folder: Path) -> Manifest:
    """Read and check ``lumivid.toml``.

    Raises:
        InputError: It is missing, damaged or incomplete.
    """
    path = folder / MANIFEST_NAME
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{folder} is not a model folder: it has no {MANIFEST_NAME}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML ({error}); mend it") from error
    try:
        manifest = Manifest(
            name=str(raw["name"]),
            transfer=str(raw["transfer"]),
            sigmas=tuple(tuple(float(s) for s in stage) for stage in raw["sigmas"]),
            native_size=int(raw["native_size"]) if "native_size" in raw else None,
            window_frames=int(raw["window_frames"]),
            overlap_frames=int(raw["overlap_frames"]),
            grain_px=int(raw.get("grain_px", 1)),
            prompt_embedding=str(raw["prompt_embedding"]),
            lora=str(raw["lora"]) if "lora" in raw else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} lacks or misstates {error}; compare the embedded model's"
        ) from error
    check_sigmas(manifest.sigmas, str(path))
    return manifest


def check_sigmas(stages: Sequence[Sequence[float]], where: str) -> None:
    """Refuse schedules that are no walk from noise to picture.

    Raises:
        InputError: A stage does not fall strictly from at most 1 to 0.
    """
    for stage in stages:
        falls = all(high > low for high, low in pairwise(stage))
        if len(stage) < 2 or not falls or not stage[0] <= 1 or stage[-1] != 0:
            raise InputError(
                f"{where}: sigmas {list(stage)} must fall strictly, from at most 1 to 0"
            )
