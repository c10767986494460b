"""What is looked at: plates, and beside them the source they were made of and a reference.

All of them are shown as light of one space, the plates' own, so that exposures, differences and
numbers speak of the same thing. A layer whose files hold codes of a finished picture, as an SDR
source does, is told apart: a view made for scene light would tone-map it twice.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from lumivid_fx.color.spaces import ACES2065_1, LINEAR_REC709, ColorSpaces
from lumivid_fx.color.transfer import get_transfer
from lumivid_fx.errors import InputError
from lumivid_fx.media import Frame, Plate, Windows, format_range
from lumivid_fx.media.exr import GENERATED, HALF_MAX, read_channel
from lumivid_fx.media.plate import FloatImage, is_movie
from lumivid_fx.review.reel import EXPOSED, Reel, settings_in

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
        reel: Its frames.
        fps: Frames a second, or None where the files do not say.
        space: What the files' pixels are in.
        is_picture: Whether that is codes of a finished picture.
        shift: Number of a frame here, less that of the plates' frame beside it.
        windows: Of the first frame; the data windows of others may differ.
        aspect: Width of a pixel by its height.
        ceiling: Where it clips.
        has_generated: Whether frames tell which of their pixels a model made.
    """

    name: str
    reel: Reel
    fps: Fraction | None
    space: str
    is_picture: bool
    shift: int
    windows: Windows
    aspect: float
    ceiling: Ceiling
    has_generated: bool
    _turn: AbstractContextManager[object] = field(default_factory=nullcontext)

    @property
    def there(self) -> list[int]:
        """Numbers of the frames that have a file."""
        return [number for number in self.reel.numbers if self.reel.path(number) is not None]

    def file_of(self, number: int) -> Path:
        """The file of the frame that stands beside the plates' frame of that number.

        Raises:
            InputError: There is none.
        """
        own = number + self.shift
        path = self.reel.path(own)
        if path is None:
            raise InputError(
                f"{self.reel.source} lacks frame {own} (it holds {format_range(self.there)}); "
                "render or copy what is missing, and start the review again"
            )
        return path

    def read(self, number: int) -> Frame:
        """Read that frame, NaN and infinity included.

        Raises:
            InputError: It is missing, damaged, or of another size than the first.
        """
        path = self.file_of(number)
        with self._turn:
            frame, _ = self.reel.read(number + self.shift)
        if _display(frame.windows) != _display(self.windows):
            raise InputError(
                f"{path} (frame {number + self.shift}) has another size than the frames before it; "
                "render all frames of a shot alike"
            )
        return frame

    def read_generated(self, number: int) -> FloatImage:
        """Which pixels of that frame a model made, `h w`, 0 none and 1 all of it.

        Raises:
            InputError: There is no such frame, or it does not tell.
        """
        path = self.file_of(number)
        mask = read_channel(path, GENERATED) if path.suffix.lower() == ".exr" else None
        if mask is None:
            raise InputError(
                f"{path} has no channel {GENERATED}; render with --generated to have it"
            )
        return mask


def _display(windows: Windows) -> tuple[int, int, int, int]:
    w = windows
    return w.display_x, w.display_y, w.display_width, w.display_height


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
            layer = _open(name, what, None, named, spaces, first.reel.numbers)
            layers[name] = _with_ceiling(layer, spaces, shown)
    return layers, shown


def _open(
    name: str,
    what: str,
    frames: str | None,
    space: str | None,
    spaces: ColorSpaces,
    beside: Sequence[int] | None,
) -> Layer:
    reel = Reel(what, frames)
    number, first, plate = _first_readable(reel)
    found = spaces.resolve(plate.space_or(space))  # told here, not when the first frame is shown
    aspect = first.attributes.get("PixelAspectRatio")
    file = reel.path(number)
    is_exr = file is not None and file.suffix.lower() == ".exr"
    return Layer(
        name=name,
        reel=reel,
        fps=plate.fps,
        space=found,
        is_picture=spaces.is_picture(found),
        shift=0 if beside is None else _shift(reel.numbers, beside),
        windows=first.windows,
        aspect=aspect if isinstance(aspect, float) else 1.0,
        ceiling=Ceiling(HALF_MAX, _IDENTITY, "the largest half float"),
        has_generated=is_exr and file is not None and read_channel(file, GENERATED) is not None,
        _turn=threading.Lock() if is_movie(what) else nullcontext(),  # a movie has one decoder
    )


def _first_readable(reel: Reel) -> tuple[int, Frame, Plate]:
    """The first frame that can be read; a broken one before it is told of when it is shown."""
    fault: InputError | None = None
    for number in reel.numbers:
        if reel.path(number) is not None:
            try:
                return number, *reel.read(number)
            except InputError as error:
                fault = fault or error
    raise fault or InputError(f"{reel.source} holds no frame; check the path")


def _shift(numbers: Sequence[int], beside: Sequence[int]) -> int:
    """0 where frame numbers meet, as they do in a render; else first stands beside first."""
    if numbers[0] <= beside[-1] and beside[0] <= numbers[-1]:
        return 0
    return numbers[0] - beside[0]


def _with_ceiling(layer: Layer, spaces: ColorSpaces, shown: str) -> Layer:
    """The layer with what its files say of where they clip."""
    if layer.is_picture:
        white = _ceiling(spaces, shown, LINEAR_REC709, 1.0, "white of the picture")
        return replace(layer, ceiling=white)
    made = layer.reel.attributes(layer.there[0])
    curve = made.get("lumivid/transfer")
    if not isinstance(curve, str):
        return layer
    try:
        transfer = get_transfer(curve)
    except InputError:  # a later version's, of which nothing is known here
        return layer
    stops = [settings_in(made).get("exposure"), made.get(EXPOSED)]
    gain = 2.0 ** sum(stop for stop in stops if isinstance(stop, int | float))
    light = transfer.linear_range[1] * gain
    ceiling = _ceiling(spaces, shown, transfer.primaries, light, f"ceiling of {curve}")
    return replace(layer, ceiling=ceiling)


def _ceiling(spaces: ColorSpaces, shown: str, primaries: str, light: float, what: str) -> Ceiling:
    matrix = spaces.convert(_IDENTITY, shown, primaries).T
    return Ceiling(light, np.ascontiguousarray(matrix), what)


def luminance_weights(spaces: ColorSpaces, space: str) -> tuple[float, ...]:
    """What red, green and blue of a linear space weigh in CIE Y, white 1."""
    from lumivid_fx.color import primaries

    aces = spaces.convert(_IDENTITY, space, ACES2065_1)
    return tuple((aces @ np.array(primaries.to_xyz_d65("AP0")[1], np.float64)).tolist())
