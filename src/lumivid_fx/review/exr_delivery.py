"""A plate written as another: other pixels, and all that stands beside them goes through.

Each frame is whole or absent, and says what it was made from. A rerun keeps what is there, if it
was made from the same file in the same way.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lumivid_fx.errors import InputError, RenderError
from lumivid_fx.media.attributes import OURS
from lumivid_fx.media.data_windows import own_frame
from lumivid_fx.media.exr import (
    DIGEST_ATTRIBUTE,
    FRAME_ATTRIBUTE,
    GENERATED,
    OutputPattern,
    is_finished,
    read_attributes,
    read_channel,
    write_exr,
)
from lumivid_fx.media.image_file import UNASSOCIATED
from lumivid_fx.media.plate import FloatImage, Frame, Plate
from lumivid_fx.media.whole_file import remove_leftovers


@dataclass(frozen=True)
class ExrKind:
    """What frames are written as.

    Attributes:
        chromaticities: xy of red, green, blue and white; None where the space has none.
        interop_id: For `colorInteropID`, or None.
        compression: Of the files.
        with_generated: Whether the mask of what a model made goes along, where there is one.
    """

    chromaticities: Sequence[float] | None
    interop_id: str | None
    compression: str = "zip"
    with_generated: bool = True


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        files: Of all frames, in order.
        kept: How many were there already.
        clamped: Samples beyond half float, clamped to +-65504, in the frames that were written now.
    """

    files: list[Path]
    kept: int
    clamped: int


def write_plates(
    plate: Plate,
    target: str,
    change: Callable[[Frame], FloatImage],
    kind: ExrKind,
    *,
    recipe: Mapping[str, object],
    notes: Callable[[Mapping[str, object]], Mapping[str, object]],
    check: Callable[[Path, FloatImage], None] | None = None,
    overwrite: bool = False,
    on_frame: Callable[[int, int], None] | None = None,
) -> Written:
    """Write every frame of a plate anew.

    Args:
        plate: The frames.
        target: Pattern such as ``out/plate.####.exr``, or a folder.
        change: Gives a frame's new pixels ``h w 3``.
        kind: What frames are written as.
        recipe: All that the pixels depend on beside the plate's own files.
        notes: Gives the attributes that a frame is to say of this, from those that it had.
        check: Called with each file that was written and its pixels; raises where they differ.
        overwrite: Whether frames that were made in another way are replaced.
        on_frame: Called after each frame, with how many are done and how many there are.

    Raises:
        InputError: A file is in the way, or a frame cannot be read or written.
        RenderError: The disk is full, or a frame holds NaN.
    """
    stem = plate.file_of(plate.first_frame).name.split(".")[0] or "plate"
    numbers = plate.frame_numbers
    pattern = OutputPattern(target, stem=stem, still=len(numbers) == 1)
    files = [pattern.path(number) for number in numbers]
    digests = [_digest(plate.file_of(number), recipe) for number in numbers]
    own = {os.path.realpath(plate.file_of(number)) for number in numbers}
    there = [
        _is_there(path, own, digest, overwrite=overwrite)
        for path, digest in zip(files, digests, strict=True)
    ]
    remove_leftovers(files)
    clamped = 0
    for done, (number, path, digest, kept) in enumerate(
        zip(numbers, files, digests, there, strict=True), start=1
    ):
        if not kept:
            source, frame = plate.file_of(number), own_frame(plate.read(number))
            pixels = change(frame)
            if frame.alpha is not None and UNASSOCIATED in frame.attributes:
                pixels = pixels * frame.alpha[..., None]  # as EXR has it
            had = _marks(source)
            mask = read_channel(source, GENERATED) if had and kind.with_generated else None
            ours = {FRAME_ATTRIBUTE: number, **notes(had), DIGEST_ATTRIBUTE: digest}
            clamped += write_exr(
                path,
                pixels,
                frame.alpha,
                windows=frame.windows,
                attributes={**frame.attributes, **had, **ours},
                chromaticities=kind.chromaticities,
                interop_id=kind.interop_id,
                fps=plate.fps,
                compression=kind.compression,
                layers={} if mask is None else {GENERATED: mask},
            )
            if check is not None:
                _checked(check, path, pixels)
        if on_frame is not None:
            on_frame(done, len(numbers))
    return Written(files, sum(there), clamped)


def _checked(check: Callable[[Path, FloatImage], None], path: Path, pixels: FloatImage) -> None:
    """Look at a file that was written; what does not hold does not stay."""
    try:
        check(path, pixels)
    except RenderError:
        path.unlink()
        raise


def _is_there(path: Path, own: Collection[str], digest: str, *, overwrite: bool) -> bool:
    """Whether a frame is there already; False where it is to be written.

    Raises:
        InputError: Something is in the way.
    """
    if not path.exists():
        return False
    if os.path.realpath(path) in own:
        raise InputError(f"{path} is the plate itself; choose another output")
    if not is_finished(path):
        raise InputError(
            f"{path} exists and was not made by lumivid, or not whole; choose another output, "
            "nothing was overwritten"
        )
    if not overwrite and read_attributes(path).get(DIGEST_ATTRIBUTE) != digest:
        raise InputError(
            f"{path} was made in another way or from another plate; use --overwrite, or write to "
            "another folder"
        )
    return not overwrite


def _marks(source: Path) -> dict[str, object]:
    """What a frame of ours says of how it was made."""
    if source.suffix.lower() != ".exr":
        return {}
    attributes = read_attributes(source)
    return {name: value for name, value in attributes.items() if name.startswith(OURS)}


def _digest(source: Path, recipe: Mapping[str, object]) -> str:
    """What tells a frame from one that is made in another way, or of a file that was replaced."""
    there = source.stat()
    made = {**recipe, "size": there.st_size, "changed": there.st_mtime_ns}
    return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()
