"""A plate trimmed: scene-linear light times 2 to the power of the stops, or a CDL or CLF."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.color.trim import Trim, apply_trim
from lumivid_fx.media.plate import FloatImage, Frame, Plate
from lumivid_fx.review.exr_delivery import ExrKind, Written, write_plates
from lumivid_fx.review.reel import EXPOSED, linear_space

TRIMMED = "lumivid/trim"
"""Trims that a plate went through after it was rendered, the last one last."""


@dataclass(frozen=True)
class Trimming:
    """A trim and where it applies.

    Attributes:
        trim: What to apply.
        space: Space that it was made in; None for an exposure.
    """

    trim: Trim
    space: str | None = None

    def apply(self, spaces: ColorSpaces, rgb: FloatImage, space: str) -> FloatImage:
        """Trim pixels of a scene-linear space; see :func:`lumivid_fx.color.trim.apply_trim`."""
        return apply_trim(spaces, rgb, space, self.trim, self.space)

    def notes(self, had: Mapping[str, object]) -> dict[str, object]:
        """What a trimmed frame says of it, on top of what it said before."""
        inside = "" if self.space is None else f" in {self.space}"
        earlier = [str(had[TRIMMED])] if TRIMMED in had else []
        notes: dict[str, object] = {TRIMMED: "; ".join([*earlier, self.trim.name + inside])}
        if self.space is None and self.trim.stops is not None:
            before = had.get(EXPOSED, 0.0)
            notes[EXPOSED] = self.trim.stops + (before if isinstance(before, float) else 0.0)
        return notes

    @property
    def is_nothing(self) -> bool:
        """Whether it changes no pixel."""
        return self.trim.gain == (1.0, 1.0, 1.0)

    @property
    def recipe(self) -> dict[str, object]:
        """What pixels depend on."""
        return {"trim": self.trim.content, "trim_space": self.space}


def write_exposed(
    plate: Plate,
    target: str,
    trimming: Trimming,
    spaces: ColorSpaces,
    *,
    space: str | None = None,
    compression: str = "zip",
    overwrite: bool = False,
    on_frame: Callable[[int, int], None] | None = None,
) -> Written:
    """Write a trimmed plate as half-float EXR, in the space it is in, all metadata along.

    Args:
        plate: Scene-linear frames.
        target: Pattern such as ``out/plate.####.exr``, or a folder.
        trimming: What to apply.
        spaces: The colour config.
        space: Of the plate's pixels; None takes the plate's own.
        compression: Of the files.
        overwrite: Whether frames that were made in another way are replaced.
        on_frame: Called after each frame, with how many are done and how many there are.

    Raises:
        InputError: The plate is not scene-linear, the trim needs a space, or a file is in the way.
        RenderError: The disk is full.
    """
    source = linear_space(plate, spaces, space)
    first = plate.read(plate.first_frame)
    trimming.apply(spaces, first.rgb[:1, :1], source)  # refused before a folder is made

    def change(frame: Frame) -> FloatImage:
        return trimming.apply(spaces, frame.rgb, source)

    return write_plates(
        plate,
        target,
        change,
        ExrKind(spaces.chromaticities(source), spaces.interop_id(source), compression),
        recipe={**trimming.recipe, "space": source, "compression": compression},
        notes=trimming.notes,
        overwrite=overwrite,
        on_frame=on_frame,
    )
