"""The frames of a plate as it is on disk, holes and broken files among them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.errors import InputError
from lumivid_fx.media import Plate, open_plate, parse_range
from lumivid_fx.media.exr import read_attributes
from lumivid_fx.media.frame_range import expected_frames
from lumivid_fx.media.image_file import IMAGE_FORMATS
from lumivid_fx.media.plate import Frame, is_movie


def linear_space(plate: Plate, spaces: ColorSpaces, named: str | None) -> str:
    """The scene-linear space of a plate's pixels.

    Args:
        plate: The plate.
        spaces: The colour config.
        named: What the user says it is; None takes what the files say.

    Raises:
        InputError: It is not scene-linear, or the files do not say which it is.
    """
    space = plate.space_or(named)
    if not spaces.is_scene_linear(space):
        raise InputError(
            f"{plate.source} is in {space}, which is not scene-linear; give a render, or name the "
            "space of its light"
        )
    return space


class Reel:
    """Frames that are looked at one by one, each on its own: what is wrong with one hides no other.

    Args:
        source: Plate, pattern, folder or movie.
        frames: Frames that there should be; the first that is there to the last when None.

    Attributes:
        numbers: Every frame that there should be.

    Raises:
        InputError: Nothing is there to look at.
    """

    def __init__(self, source: str, frames: str | None = None) -> None:
        self.source = source
        wanted = None if frames is None else parse_range(frames)
        self._movie = open_plate(source) if is_movie(source) else None
        if self._movie is not None:
            self._files = dict.fromkeys(self._movie.frame_numbers, Path(source))
            self.numbers = list(wanted or self._movie.frame_numbers)
        else:
            found = expected_frames(source, wanted, IMAGE_FORMATS)
            self._files = {number: path for number, path in found.items() if path is not None}
            self.numbers = list(found)
        if not self._files:
            raise InputError(f"{source} holds none of the frames asked for; check the range")

    def path(self, number: int) -> Path | None:
        """The file of a frame; None where there is none."""
        return self._files.get(number)

    @contextmanager
    def plate(self, number: int) -> Iterator[Plate]:
        """The plate that a frame is read from, and no other.

        Raises:
            InputError: The file cannot be opened.
        """
        if self._movie is not None:
            yield self._movie
            return
        with open_plate(str(self._files[number])) as plate:
            yield plate

    def read(self, number: int) -> tuple[Frame, Plate]:
        """Read one frame, NaN and infinity included.

        Raises:
            InputError: It is missing or damaged.
        """
        with self.plate(number) as plate:
            return plate.inspect(number if self._movie is not None else plate.first_frame), plate

    def attributes(self, number: int) -> Mapping[str, object]:
        """What an EXR's header says, ``lumivid/*`` included; nothing for other kinds of files."""
        path = self.path(number)
        if path is not None and path.suffix.lower() == ".exr":
            with suppress(InputError):
                return read_attributes(path)
        return {}

    def close(self) -> None:
        """Let go of a movie."""
        if self._movie is not None:
            self._movie.close()


EXPOSED = "lumivid/exposed_stops"
"""Stops that a plate was re-exposed by after it was rendered."""


def settings_in(attributes: Mapping[str, object]) -> Mapping[str, object]:
    """The settings of the render that a frame is of, from ``lumivid/settings``; empty if none."""
    with suppress(ValueError):
        told = json.loads(str(attributes.get("lumivid/settings", "{}")))
        if isinstance(told, dict):
            return told
    return {}


def join_frames(settings: Mapping[str, object]) -> frozenset[int]:
    """Frames that lie where a window of a render is joined to the one before, and the first after.

    Windows are counted from the plate's first frame, each begins `window` less `overlap` frames
    after the one before, and fades in over what they share.

    Args:
        settings: Of the render; without window, overlap and plate in them there are no joins.
    """
    window, overlap, plate = (settings.get(name) for name in ("window", "overlap", "plate"))
    if not isinstance(window, int) or not isinstance(overlap, int) or not 0 < overlap < window:
        return frozenset()
    if not isinstance(plate, list) or len(plate) != 3:
        return frozenset()
    numbers = parse_range(str(plate[2]))
    starts = range(window - overlap, len(numbers) - overlap, window - overlap)
    return frozenset(number for start in starts for number in numbers[start : start + overlap + 1])
