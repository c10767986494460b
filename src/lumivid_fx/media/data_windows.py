"""Data windows of each frame's own: tracked crops, and renders that keep only what they show.

A plate is one picture all along: frames are laid into a window that holds them all, and cut out of
it again when they are written. What a file has no pixels for is nil, as EXR means it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lumivid_fx.media.plate import FloatImage, Frame, Windows


def display_of(windows: Windows) -> Windows:
    """The display window, with pixels for all of it and no more."""
    return replace(
        windows,
        data_x=windows.display_x,
        data_y=windows.display_y,
        data_width=windows.display_width,
        data_height=windows.display_height,
    )


def covers(whole: Windows, part: Windows) -> bool:
    """Whether a data window lies inside another."""
    return _around([whole, part]) == _corners(whole)


def common_window(windows: Sequence[Windows]) -> Windows:
    """What frames of one display window are laid into.

    That is their data window where all have the same, else the smallest that holds the display
    window and all of theirs.
    """
    first = windows[0]
    if all(other == first for other in windows):
        return first
    left, top, right, bottom = _around([*windows, display_of(first)])
    return replace(
        first, data_x=left, data_y=top, data_width=right - left, data_height=bottom - top
    )


def lay_into(whole: Windows, part: Windows, pixels: FloatImage) -> FloatImage:
    """Pixels ``h w`` or ``h w c`` of a data window inside of another, nil round them."""
    laid = np.zeros((whole.data_height, whole.data_width, *pixels.shape[2:]), np.float32)
    laid[_place(whole, part)] = pixels
    return laid


def own_window(frame: Frame) -> Windows:
    """The windows that a frame's file has, and what is made of it is to have."""
    return frame.own or frame.windows


def cut_out(frame: Frame, pixels: FloatImage) -> FloatImage:
    """Of pixels as large as a frame of a plate those of the frame's own data window."""
    if frame.own is None:
        return pixels
    return np.ascontiguousarray(pixels[_place(frame.windows, frame.own)])


def own_frame(frame: Frame) -> Frame:
    """A frame as its file holds it: with its own data window, and nothing round it."""
    if frame.own is None:
        return frame
    alpha = None if frame.alpha is None else cut_out(frame, frame.alpha)
    return replace(frame, rgb=cut_out(frame, frame.rgb), alpha=alpha, windows=frame.own, own=None)


def _place(whole: Windows, part: Windows) -> tuple[slice, slice]:
    top, left = part.data_y - whole.data_y, part.data_x - whole.data_x
    return slice(top, top + part.data_height), slice(left, left + part.data_width)


def _corners(windows: Windows) -> tuple[int, int, int, int]:
    x, y = windows.data_x, windows.data_y
    return x, y, x + windows.data_width, y + windows.data_height


def _around(windows: Sequence[Windows]) -> tuple[int, int, int, int]:
    left, top, right, bottom = zip(*map(_corners, windows), strict=True)
    return min(left), min(top), max(right), max(bottom)
