"""Image sequences and single images: EXR, PNG, TIFF, JPEG and DPX files as a plate.

When a sequence is opened, only the headers of its first and last frame are looked at, so that a
long shot on a slow disk opens at once; every other frame is held against the first when it is read.
Where those two say that data windows may change, all headers are, for the plate must hold them all.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from lumivid_fx.errors import InputError
from lumivid_fx.media import attributes as metadata
from lumivid_fx.media.data_windows import common_window, covers, display_of, lay_into
from lumivid_fx.media.frame_range import Frames, evenly, find_frames, format_range
from lumivid_fx.media.image_file import (
    IMAGE_FORMATS,
    UNASSOCIATED,
    Picture,
    find_picture,
    open_image,
    read_pixels,
)
from lumivid_fx.media.plate import Frame, Plate, Windows, check_size


class ImageSequence(Plate):
    """Image files as a plate; each frame is opened when it is read and closed again.

    Alpha is given as stored. Where a format keeps colour unmultiplied (PNG, some TIFF), a frame's
    attributes hold `oiio:UnassociatedAlpha` = 1; EXR colour is premultiplied by convention. An
    orientation tag, as cameras write into JPEG, is honoured.

    Args:
        source: A pattern, a single image, or a folder that holds exactly one sequence.
        frames: Frames to read; all there are when None.

    Raises:
        InputError: The source names no sequence, frames are missing, or the first or last of them
            cannot be opened.
    """

    def __init__(self, source: str, frames: Frames | None = None) -> None:
        self.source = source
        self._files = find_frames(source, frames, IMAGE_FORMATS)
        self.frame_numbers = evenly(list(self._files))
        self._first = self._header(self.first_frame)
        self.has_alpha = self._first.alpha is not None
        last = self._header(self.last_frame)
        self._windows = common_window(self._told_windows(last))
        self.width, self.height = self._windows.data_width, self._windows.data_height
        check_size(self.width, self.height, source)
        self._check(last, self.last_frame)
        self.fps = metadata.frame_rate(self._first.attributes)
        self.space, self.doubt = self._first.told

    def _where(self, number: int) -> str:
        return f"{self._files[number]} (frame {number})"

    def _header(self, number: int) -> Picture:
        where = self._where(number)
        with open_image(self._files[number], where) as image:
            return find_picture(image, self._files[number], where)

    def _told_windows(self, last: Picture) -> list[Windows]:
        """The windows of the first frame, and of all that may have others of the same display."""
        first = self._first.windows
        if last.windows == first and covers(first, display_of(first)):
            return [first]
        told = [first, last.windows]
        for number in self.frame_numbers[1:-1]:
            with suppress(InputError):  # told when it is read, which may never be
                told.append(self._header(number).windows)
        return [windows for windows in told if display_of(windows) == display_of(first)]

    def _check(self, picture: Picture, number: int) -> None:
        here, first = picture.windows, self._first.windows
        if display_of(here) == display_of(first):
            self._check_inside(here, number)
        elif (here.data_width, here.data_height) != (first.data_width, first.data_height):
            raise InputError(
                f"{self._where(number)} is {here.data_width} x {here.data_height} pixels and frame "
                f"{self.first_frame} is {first.data_width} x {first.data_height}; render all "
                "frames of a sequence in one size"
            )
        else:
            raise InputError(
                f"{self._where(number)} has another display window than frame "
                f"{self.first_frame}; render all frames of a sequence with the same one"
            )
        if (picture.alpha is None) == self.has_alpha:
            raise InputError(
                f"{self._where(number)} differs from frame {self.first_frame} in whether it has "
                "alpha; render all frames of a sequence alike"
            )

    def _check_inside(self, here: Windows, number: int) -> None:
        if not covers(self._windows, here):
            raise InputError(
                f"{self._where(number)} has pixels outside of the data windows that frames "
                f"{self.first_frame} and {self.last_frame} have; render all frames of a sequence "
                "with the same data window"
            )

    def read(self, number: int) -> Frame:
        """Read one frame; see :meth:`Plate.read`."""
        return self._read(number, finite=True)

    def inspect(self, number: int) -> Frame:
        """Read one frame, NaN and infinity included; see :meth:`Plate.inspect`."""
        return self._read(number, finite=False)

    def _read(self, number: int, *, finite: bool) -> Frame:
        if number not in self._files:
            raise InputError(
                f"{self.source} was opened for frames {format_range(self.frame_numbers)}, so frame "
                f"{number} cannot be read; ask for a frame inside that range"
            )
        where = self._where(number)
        with open_image(self._files[number], where) as image:
            picture = find_picture(image, self._files[number], where)
            self._check(picture, number)
            rgb, alpha = read_pixels(image, picture, where, finite=finite)
        attributes = metadata.carried(picture.attributes)
        if alpha is not None and UNASSOCIATED in picture.attributes:
            attributes[UNASSOCIATED] = 1
        whole, own = self._windows, picture.windows
        if own == whole:
            return Frame(number, rgb, alpha, whole, attributes)
        rgb = lay_into(whole, own, rgb)
        alpha = None if alpha is None else lay_into(whole, own, alpha)
        return Frame(number, rgb, alpha, whole, attributes, own)

    def file_of(self, number: int) -> Path:
        """The file of one frame."""
        return self._files[number]

    def close(self) -> None:
        """Nothing is held open between frames."""
