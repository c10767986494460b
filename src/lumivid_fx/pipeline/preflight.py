"""What a render refuses before it starts, each with what to give instead.

Nothing here changes a file, and all of it is quick, so that nobody waits for a model to load before
hearing of a slip of the pen.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.errors import InputError, RangeError
from lumivid_fx.media import Plate
from lumivid_fx.media.exr import COMPRESSIONS, is_finished
from lumivid_fx.media.frame_range import Frames, format_range
from lumivid_fx.pipeline.render_shot import ShotSettings
from lumivid_fx.pipeline.vae import TIME_OVERLAP

MIN_SIZE = 16
"""Smallest edge of a plate, and of what the model is shown of it, in pixels."""

MIN_TILE = 9
"""Smallest edge of a tile in latents: tiles overlap by 8, and each must bring something new."""

TILERS = ("seamless", "reference")

MAX_STOPS = 20.0
"""Largest exposure either way; half float spans 40 stops in all."""

MAX_FPS = 1000.0

MAX_SEED = 2**31 - 1
"""Largest seed that an EXR header's integer holds."""


def check_settings(settings: ShotSettings, compression: str) -> None:
    """Refuse numbers out of range, and a compression that is not written.

    Raises:
        InputError: The message names the setting, what was given and what may be.
    """
    _between("detail", settings.detail, 0, 1)
    _between("reference strength", settings.reference_strength, 0, 1)
    _between("exposure", settings.exposure, -MAX_STOPS, MAX_STOPS)
    _between("seed", settings.seed, 0, MAX_SEED)
    if settings.fps is not None and not 0 < settings.fps <= MAX_FPS:
        raise InputError(f"fps is {settings.fps:g}; give frames a second above 0, such as 24")
    if settings.model_size is not None and settings.model_size != 0:
        _at_least("model size", settings.model_size, MIN_SIZE, "pixels, or 0 for the plate's own")
    for name, edge in (("tile", settings.tile), ("VAE tile", settings.vae_tile)):
        if edge is not None:
            _at_least(name, edge, MIN_TILE, "latents")
    if settings.vae_frames is not None:
        _at_least("VAE frames", settings.vae_frames, TIME_OVERLAP + 1, "latents")
    if settings.tilers not in TILERS:
        raise InputError(f"tilers is {settings.tilers!r}; give one of {', '.join(TILERS)}")
    if compression not in COMPRESSIONS:
        raise InputError(
            f"compression {compression!r} is not written; use one of {', '.join(COMPRESSIONS)}"
        )


def require_scene_linear(spaces: ColorSpaces, output_space: str) -> tuple[float, ...]:
    """Refuse an output space that light has no place in.

    Returns:
        Its chromaticities, as EXR wants them.
    """
    chromaticities = spaces.chromaticities(output_space)
    if chromaticities is None:
        raise InputError(
            f"output space {output_space!r} is not scene-linear; choose one that is, "
            "such as acescg or lin_rec709"
        )
    return tuple(chromaticities)


def choose_windows(settings: ShotSettings, length: int, overlap: int, ratio: int) -> ShotSettings:
    """Fill in the window and its overlap, so that they fit the model and each other.

    Args:
        settings: What the user decided.
        length: Frames of a window where the user named none: the model's.
        overlap: Likewise what two windows share; less where the user's window is too short for it.
        ratio: Frames a latent covers.

    Returns:
        Settings with both numbers.

    Raises:
        InputError: The user's numbers break the rule of ``8k+1``, or the overlap is too long.
    """
    if settings.window is not None:
        _on_grid("window", settings.window, ratio, ratio + 1)
        length = settings.window
    most = (length // 2 - 1) // ratio * ratio + 1
    if settings.overlap is not None:
        _on_grid("overlap", settings.overlap, ratio, 1)
        if settings.overlap > most:
            raise InputError(
                f"overlap is {settings.overlap} frames, more than half of a window of {length}; "
                f"give at most {most}, or a longer window"
            )
        overlap = settings.overlap
    return replace(settings, window=length, overlap=min(overlap, most))


def require_inside(source: str, numbers: Frames, plate: Plate) -> None:
    """Refuse a range that the plate does not hold."""
    if not set(numbers) <= set(plate.frame_numbers):
        raise RangeError(
            f"{source} holds frames {format_range(plate.frame_numbers)}, so "
            f"{format_range(numbers)} cannot be rendered; ask for frames inside"
        )


def require_size(source: str, plate: Plate) -> None:
    """Refuse a plate too small for the model to see anything in."""
    if min(plate.width, plate.height) < MIN_SIZE:
        raise InputError(
            f"{source} is {plate.width} x {plate.height} pixels; give a plate of at least "
            f"{MIN_SIZE} x {MIN_SIZE}"
        )


def require_writable(path: Path) -> None:
    """Refuse a place that takes no files before the first window is rendered, not after."""
    there = next(folder for folder in path.absolute().parents if folder.exists())
    if not there.is_dir():
        raise InputError(f"{path} cannot be written ({there} is no folder); choose another folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(
            f"{path} cannot be written ({there} takes no files); choose another folder or change "
            "its permissions"
        )


def require_elsewhere(first: Path, source: str) -> None:
    """Refuse to write over files that no render of ours made, such as the plate itself."""
    if first.exists() and not is_finished(first):
        raise InputError(
            f"{first} exists and was not made by lumivid; choose another output than {source}'s "
            "folder or name, nothing was overwritten"
        )


def _between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # so written that NaN is refused too
        raise InputError(f"{name} is {value:g}; give a number from {low:g} to {high:g}")


def _at_least(name: str, value: int, least: int, unit: str) -> None:
    if value < least:
        raise InputError(f"{name} is {value}; give at least {least} {unit}")


def _on_grid(name: str, value: int, ratio: int, least: int) -> None:
    if value >= least and value % ratio == 1:
        return
    below = max(least, (value - 1) // ratio * ratio + 1)
    raise InputError(
        f"{name} is {value} frames, and the model takes {ratio}k+1 of them; give {below} or "
        f"{below + ratio}"
    )
