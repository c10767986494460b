"""What is looked at: plates, and beside them the source they were made of and a reference.

All of them are shown as light of one space, the plates' own, so that exposures, differences and
numbers speak of the same thing. A layer whose files hold codes of a finished picture, as an SDR
source does, is told apart: a view made for scene light would tone-map it twice.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lumivid_fx.color.spaces import ACES2065_1, LINEAR_REC709, ColorSpaces
from lumivid_fx.color.transfer import get_transfer
from lumivid_fx.errors import InputError
from lumivid_fx.media import Frame, Plate, Windows, format_range, open_plate, parse_range
from lumivid_fx.media.exr import GENERATED, HALF_MAX, read_attributes, read_channel
from lumivid_fx.media.frame_range import Frames, expected_frames
from lumivid_fx.media.image_file import IMAGE_FORMATS
from lumivid_fx.media.plate import FloatImage, is_movie

PLATES, SOURCE, REFERENCE = "plates", "source", "reference"

_IDENTITY = np.eye(3, dtype=np.float32)


@dataclass(frozen=True)
class Ceiling:
    """The most light that a layer can tell.

    Attributes:
        light: How much, in the primaries that the limit is in.
        matrix: From the space that is shown to those primaries, `3 3`.
        what: What makes the limit, in words.
    """

    light: float
    matrix: FloatImage
    what: str


@dataclass(frozen=True)
class Layer:
    """Frames of one kind, read one at a time by any number of threads.

    Attributes:
        name: :data:`PLATES`, :data:`SOURCE` or :data:`REFERENCE`.
        plate: The files, without the frames that are missing.
        numbers: Every frame there should be, ascending.
        space: What the files' pixels are in.
        is_picture: Whether that is codes of a finished picture.
        shift: Number of a frame here, less that of the plates' frame beside it.
        windows: Of the first frame.
        aspect: Width of a pixel by its height.
        ceiling: Where it clips.
        has_generated: Whether frames tell which of their pixels a model made.
    """

    name: str
    plate: Plate
    numbers: Frames
    space: str
    is_picture: bool
    shift: int
    windows: Windows
    aspect: float
    ceiling: Ceiling
    has_generated: bool
    _turn: AbstractContextManager[object] = field(default_factory=nullcontext)

    def file_of(self, number: int) -> Path:
        """The file of the frame that stands beside the plates' frame of that number.

        Raises:
            InputError: There is none.
        """
        own = number + self.shift
        if own not in self.plate.frame_numbers:
            there = format_range(self.plate.frame_numbers)
            raise InputError(
                f"{self.plate.source} lacks frame {own} (it holds {there}); render or copy what is "
                "missing, then look again"
            )
        return self.plate.file_of(own)

    def read(self, number: int) -> Frame:
        """Read that frame, NaN and infinity included; raises as :meth:`file_of` and media do."""
        self.file_of(number)
        with self._turn:
            return self.plate.inspect(number + self.shift)

    def read_generated(self, number: int) -> FloatImage:
        """Which pixels of that frame a model made, `h w`, 0 none and 1 all of it.

        Raises:
            InputError: There is no such frame, or it does not tell.
        """
        path = self.file_of(number)
        mask = read_channel(path, GENERATED) if self.has_generated else None
        if mask is None:
            raise InputError(
                f"{path} has no channel {GENERATED}; render with --generated to have it"
            )
        return mask


def open_layers(
    spaces: ColorSpaces,
    plates: str,
    source: str | None = None,
    reference: str | None = None,
    *,
    frames: str | None = None,
    space: str | None = None,
    source_space: str | None = None,
    reference_space: str | None = None,
) -> tuple[dict[str, Layer], str]:
    """Open what is to be looked at; holes in a sequence are no hindrance.

    Args:
        spaces: The colour config.
        plates: What is judged.
        source: What it was made of.
        reference: What it should be.
        frames: Frames of the plates, as `1001-1049`; all if None.
        space: Of the plates' pixels; as the files say if None.
        source_space: Of the source's.
        reference_space: Of the reference's.

    Returns:
        The layers by name, and the linear space that they are shown in.

    Raises:
        InputError: One of them cannot be opened, or its space is not known.
    """
    first = _open(PLATES, plates, frames, space, spaces, None)
    shown = first.space if spaces.is_scene_linear(first.space) else LINEAR_REC709
    layers = {PLATES: _with_ceiling(first, spaces, shown)}
    for name, what, named in (
        (SOURCE, source, source_space),
        (REFERENCE, reference, reference_space),
    ):
        if what is not None:
            layer = _open(name, what, None, named, spaces, first.numbers)
            layers[name] = _with_ceiling(layer, spaces, shown)
    return layers, shown


def _open(
    name: str,
    what: str,
    frames: str | None,
    space: str | None,
    spaces: ColorSpaces,
    beside: Frames | None,
) -> Layer:
    numbers, plate = _open_with_holes(what, None if frames is None else parse_range(frames))
    found = spaces.resolve(plate.space_or(space))  # told here, not when the first frame is read
    movie = is_movie(what)
    first = plate.inspect(plate.first_frame)
    aspect = first.attributes.get("PixelAspectRatio")
    file = plate.file_of(plate.first_frame)
    is_exr = file.suffix.lower() == ".exr"
    return Layer(
        name=name,
        plate=plate,
        numbers=numbers,
        space=found,
        is_picture=spaces.is_picture(found),
        shift=0 if beside is None else _shift(numbers, beside),
        windows=first.windows,
        aspect=aspect if isinstance(aspect, float) else 1.0,
        ceiling=Ceiling(HALF_MAX, _IDENTITY, "the largest half float"),
        has_generated=is_exr and read_channel(file, GENERATED) is not None,
        _turn=threading.Lock() if movie else nullcontext(),  # a movie has one decoder
    )


def _open_with_holes(what: str, wanted: Frames | None) -> tuple[Frames, Plate]:
    """The frames there should be, and a plate of those that are."""
    if is_movie(what):
        plate = open_plate(what, None if wanted is None else format_range(wanted))
        return plate.frame_numbers, plate
    expected = expected_frames(what, wanted, IMAGE_FORMATS)
    there = [number for number, file in expected.items() if file is not None]
    if not there:
        raise InputError(
            f"{what} holds none of frames {format_range([*expected])}; ask for frames that are "
            "there"
        )
    return tuple(expected), open_plate(what, format_range(there))


def _shift(numbers: Frames, beside: Frames) -> int:
    """0 where frame numbers meet, as they do in a render; else first stands beside first."""
    if numbers[0] <= beside[-1] and beside[0] <= numbers[-1]:
        return 0
    return numbers[0] - beside[0]


def _with_ceiling(layer: Layer, spaces: ColorSpaces, shown: str) -> Layer:
    """The layer with what its files say of where they clip."""
    made: Mapping[str, object] = {}
    file = layer.plate.file_of(layer.plate.first_frame)
    if file.suffix.lower() == ".exr":
        made = read_attributes(file)
    curve = made.get("lumivid/transfer")
    if layer.is_picture:
        ceiling = _ceiling(spaces, shown, LINEAR_REC709, 1.0, "white of the picture")
    elif isinstance(curve, str):
        try:
            transfer = get_transfer(curve)
        except InputError:  # a later version's, of which nothing is known here
            return layer
        light = transfer.linear_range[1] * 2.0 ** _exposure(made)
        ceiling = _ceiling(spaces, shown, transfer.primaries, light, f"ceiling of {curve}")
    else:
        return layer
    return replace(layer, ceiling=ceiling)


def _ceiling(spaces: ColorSpaces, shown: str, primaries: str, light: float, what: str) -> Ceiling:
    matrix = spaces.convert(_IDENTITY, shown, primaries).T
    return Ceiling(light, np.ascontiguousarray(matrix), what)


def _exposure(made: Mapping[str, object]) -> float:
    """Stops that a render added after its curve."""
    try:
        stops = json.loads(str(made.get("lumivid/settings", "{}"))).get("exposure", 0.0)
    except (ValueError, AttributeError):
        return 0.0
    return stops if isinstance(stops, int | float) else 0.0


def luminance_weights(spaces: ColorSpaces, space: str) -> tuple[float, ...]:
    """What red, green and blue of a linear space weigh in CIE Y, white 1."""
    from lumivid_fx.color import primaries

    aces = spaces.convert(_IDENTITY, space, ACES2065_1)
    return tuple((aces @ np.array(primaries.to_xyz_d65("AP0")[1], np.float64)).tolist())
