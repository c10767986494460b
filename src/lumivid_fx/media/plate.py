"""What a plate is: numbered frames of RGB with all that stands beside the pixels.

:func:`open_plate` gives an image sequence or a movie behind the same :class:`Plate`. Arrays
are `h w c` float32, C-contiguous, in whatever colour space the file is in (:attr:`Plate.space` is
our guess); nothing is converted, premultiplied or cropped on the way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from lumivid_fx.errors import InputError, LimitError
from lumivid_fx.media.frame_range import Frames, parse_range

FloatImage = npt.NDArray[np.float32]

MAX_PIXELS = 2**28
"""Largest frame that is read, 16384 x 16384; larger sizes come from damaged headers."""

MOVIE_DEMUXERS = {
    ".mov": "mov",
    ".mp4": "mov",
    ".m4v": "mov",
    ".mkv": "matroska",
    ".mxf": "mxf",
}
"""Movie endings, each with the one FFmpeg demuxer that may open it."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Data and display window in pixels; pixel arrays cover the data window.

    Origins may be negative; y grows downwards, as in EXR.
    """

    data_x: int
    data_y: int
    data_width: int
    data_height: int
    display_x: int
    display_y: int
    display_width: int
    display_height: int

    @classmethod
    def whole(cls, width: int, height: int) -> Windows:
        """Both windows the same, from the origin."""
        return cls(0, 0, width, height, 0, 0, width, height)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a plate.

    Attributes:
        number: Frame number.
        rgb: `h w 3` float32; grey is replicated.
        alpha: `h w` float32 as stored, or None.
        windows: Where the pixels lie; the same for all frames of a plate.
        own: Data window of this frame's file where it is another, inside of that one. Pixels
            beyond it are nil, and stand for none.
        attributes: Other metadata worth carrying to a new file, under OpenImageIO's names, as
            `str`, `int`, `float`, `Fraction` or tuples of them; `smpte:TimeCode` is the raw pair.
    """

    number: int
    rgb: FloatImage
    alpha: FloatImage | None
    windows: Windows
    attributes: Mapping[str, object]
    own: Windows | None = None


class Plate(ABC):
    """Frames of one size, read one at a time; a context manager.

    Attributes:
        source: What was opened, as the artist wrote it.
        width: Width of the pixel arrays.
        height: Height of the pixel arrays.
        frame_numbers: Every frame there is to read, ascending.
        fps: Frames per second, or None where the files do not say.
        space: The colour space the pixels are probably in.
        doubt: Why that is no safe guess, as ``is tagged PQ``; empty where it is.
        has_alpha: Whether frames come with alpha.
    """

    source: str
    width: int
    height: int
    frame_numbers: Frames
    fps: Fraction | None
    space: str
    doubt: str = ""
    has_alpha: bool

    @property
    def first_frame(self) -> int:
        """Number of the first frame."""
        return self.frame_numbers[0]

    @property
    def last_frame(self) -> int:
        """Number of the last frame, which is part of the plate."""
        return self.frame_numbers[-1]

    def space_or(self, named: str | None) -> str:
        """The space that was named, or else the plate's own.

        Raises:
            InputError: None was named, and the files say that theirs is one we cannot tell.
        """
        if named is None and self.doubt:
            raise InputError(
                f"{self.source} {self.doubt}; convert it to Rec.709 display codes or to "
                "scene-linear EXR, or name what it holds with the input space"
            )
        return self.space if named is None else named

    @abstractmethod
    def read(self, number: int) -> Frame:
        """Read one frame.

        Raises:
            InputError: There is no such frame, or it is damaged or unlike the others.
        """

    def inspect(self, number: int) -> Frame:
        """Read one frame as it is, NaN and infinity included, which :meth:`read` refuses.

        Raises:
            InputError: As :meth:`read`, but for those.
        """
        return self.read(number)

    def file_of(self, number: int) -> Path:
        """The file that holds a frame of :attr:`frame_numbers`: a movie's is the same for all."""
        del number
        return Path(self.source)

    @abstractmethod
    def close(self) -> None:
        """Let go of files; a closed plate is not read again."""

    def __enter__(self) -> Plate:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_plate(source: str, frames: str | None = None) -> Plate:
    """Open an image sequence, a single image, a movie, or a folder that holds exactly one sequence.

    Args:
        source: A path or a pattern such as ``plate.####.exr``.
        frames: Frames to read, such as ``1001-1049`` or ``1-100x2``; all there is when None. Movies
            count from 1.

    Raises:
        InputError: The source cannot be read as asked; the message says what to change.
    """
    wanted = None if frames is None else parse_range(frames)
    if is_movie(source):
        from lumivid_fx.media.movie import Movie

        return Movie(source, wanted)
    from lumivid_fx.media.image_sequence import ImageSequence

    return ImageSequence(source, wanted)


def is_movie(source: str) -> bool:
    """Whether a source is named as a movie is."""
    return Path(source).suffix.lower() in MOVIE_DEMUXERS


def check_size(width: int, height: int, where: str) -> None:
    """Refuse a size that is no picture, before any memory is taken for it."""
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise LimitError(
            f"{where} says it is {width} x {height} pixels, and at most {MAX_PIXELS} pixels are "
            "read; check the file or scale it down"
        )


def require_file(path: Path, where: str) -> None:
    """Refuse a file that is missing or empty, before a library words it its own way."""
    if not path.is_file():
        raise InputError(f"{where} does not exist; check the path")
    if path.stat().st_size == 0:
        raise InputError(f"{where} is empty (zero bytes); render or copy it again")
