"""What is there already: which frames a render keeps, and which it has to make."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from lumivid_fx.errors import InputError
from lumivid_fx.media.exr import DIGEST_ATTRIBUTE, OutputPattern, read_attributes
from lumivid_fx.media.frame_range import find_frames
from lumivid_fx.media.image_file import IMAGE_FORMATS
from lumivid_fx.media.plate import is_movie
from lumivid_fx.pipeline.preflight import require_elsewhere
from lumivid_fx.pipeline.render_shot import ShotSettings


@dataclass(frozen=True)
class Earlier:
    """What is known of an attempt at a render that did not end.

    Attributes:
        finished: Frames that are neither rendered nor looked at nor told of.
        spoilt: Frames that are rendered again, however finished they look.
        settings: What it went by before memory ran out; frames made so are kept too.
    """

    finished: Collection[int] = ()
    spoilt: Collection[int] = ()
    settings: Sequence[ShotSettings] = ()


def output_pattern(source: str, target: str, *, still: bool) -> OutputPattern:
    """Where the frames of a render go: a folder's frames are called after the plate.

    Args:
        source: The plate.
        target: A pattern or a folder.
        still: Whether there is one frame only, which needs no frame token in its name.
    """
    stem = Path(source).name.split(".")[0] or "plate"
    return OutputPattern(target, stem=stem, still=still)


def missing_frames(
    source: str,
    pattern: OutputPattern,
    numbers: Sequence[int],
    digests: Collection[object],
    spoilt: Collection[int],
    *,
    overwrite: bool,
) -> list[int]:
    """Frames still to make; those of another render are refused unless they may be replaced.

    Args:
        source: The plate, whose own files are never replaced.
        pattern: Where frames go.
        numbers: Frames asked for, ascending.
        digests: Of the settings whose frames are kept.
        spoilt: Frames to make in any case.
        overwrite: Whether all are.

    Raises:
        InputError: A file is in the way.
    """
    missing, plate = [], _files_of(source, numbers)
    for number in numbers:
        path = pattern.path(number)
        require_elsewhere(path, source)
        if os.path.realpath(path) in plate:
            raise InputError(f"{path} is the plate itself; choose another output")
        if overwrite or not path.exists():
            missing.append(number)
        elif read_attributes(path).get(DIGEST_ATTRIBUTE) not in digests:
            raise InputError(
                f"{path} (frame {number}) was made with other settings or from another plate; "
                "render with --overwrite, or to another folder"
            )
        elif number in spoilt:
            missing.append(number)
    return missing


def _files_of(source: str, numbers: Sequence[int]) -> set[str]:
    """The plate's own files, which may be renders of ours too; a movie is none that we write.

    ``Path.resolve`` would raise an error of its own for a link that leads to itself.
    """
    if not numbers or is_movie(source):
        return set()
    return {os.path.realpath(path) for path in find_frames(source, numbers, IMAGE_FORMATS).values()}
