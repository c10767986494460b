"""Code values of a movie to RGB, in exact arithmetic of their own depth.

Y'CbCr is scaled and decoded as ITU-T H.273 writes it (equations 17 to 49), in float32 from the
integers of the file: 10 and 12 bits stay 10 and 12 bits. Chroma of half size is interpolated
linearly, sited as H.264, HEVC and ProRes have it unless told otherwise: level with the left pixel
of each pair in x, half way between both rows in y.

swscale, which FFmpeg would use, rounds in fixed point: by 0.8 of an 8-bit code on its way to float,
by up to four on its way to 16 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lumivid_fx.media.plate import FloatImage

Codes = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

REC601 = (0.299, 0.114)
REC709 = (0.2126, 0.0722)
REC2020 = (0.2627, 0.0593)
SMPTE240M = (0.212, 0.087)
"""Weights of red and blue in luma: ITU-R BT.601-7, BT.709-6, BT.2020-2, SMPTE ST 240."""

_STRIP = 16
"""Rows worked on at a time, so that what lies between codes and RGB stays in the cache."""


def scale_luma(codes: Codes, bits: int, *, full_range: bool) -> FloatImage:
    """Luma, or one of R, G and B, to nominally [0, 1]; limited range is 16 to 235 in 8 bits."""
    step = 1 << (bits - 8)
    floor, span = (0, (1 << bits) - 1) if full_range else (16 * step, 219 * step)
    return (codes.astype(np.float32) - np.float32(floor)) / np.float32(span)


def scale_chroma(codes: Codes, bits: int, *, full_range: bool) -> FloatImage:
    """Cb or Cr to nominally [-0.5, 0.5]; limited range is 16 to 240 in 8 bits."""
    span = (1 << bits) - 1 if full_range else 224 << (bits - 8)
    return (codes.astype(np.float32) - np.float32(1 << (bits - 1))) / np.float32(span)


def decode_yuv(
    codes: Sequence[Codes],
    *,
    bits: int,
    full_range: bool,
    weights: tuple[float, float],
    halved: tuple[int, int],
) -> FloatImage:
    """Decode Y'CbCr into R'G'B', `h w 3`, nominally [0, 1] and not clamped.

    Args:
        codes: Planes of Y', Cb and Cr; the latter two may be smaller.
        bits: Depth of the codes.
        full_range: Whether all codes are used, or those of limited range.
        weights: Of red and blue in luma.
        halved: How many luma samples a chroma sample stands for, in y and in x.
    """
    height, width = codes[0].shape
    cb, cr = (scale_chroma(plane, bits, full_range=full_range) for plane in codes[1:3])
    rows = _taps(cb.shape[0], height, halved[0], (halved[0] - 1) / 2)
    columns = _taps(cb.shape[1], width, halved[1], 0.0)
    red, blue = weights
    green = 1 - red - blue
    rgb = np.empty((height, width, 3), np.float32)
    for top in range(0, height, _STRIP):
        strip = slice(top, top + _STRIP)
        y = scale_luma(codes[0][strip], bits, full_range=full_range)
        u, v = (_stretch(plane, rows, strip, columns) for plane in (cb, cr))
        rgb[strip, :, 0] = y + np.float32(2 * (1 - red)) * v
        rgb[strip, :, 1] = (
            y
            - np.float32(2 * red * (1 - red) / green) * v
            - np.float32(2 * blue * (1 - blue) / green) * u
        )
        rgb[strip, :, 2] = y + np.float32(2 * (1 - blue)) * u
    return rgb


class _Taps(NamedTuple):
    """Both stored neighbours of every sample wanted, and how much the second of them counts."""

    low: npt.NDArray[np.intp]
    high: npt.NDArray[np.intp]
    weight: FloatImage


def _taps(stored: int, size: int, factor: int, offset: float) -> _Taps:
    position = np.clip((np.arange(size) - offset) / factor, 0, stored - 1)
    low = position.astype(np.intp)
    return _Taps(low, np.minimum(low + 1, stored - 1), (position - low).astype(np.float32))


def _stretch(plane: FloatImage, rows: _Taps, strip: slice, columns: _Taps) -> FloatImage:
    """One strip of a chroma plane at the size of luma."""
    above, below = plane[rows.low[strip]], plane[rows.high[strip]]
    level = above + (below - above) * rows.weight[strip, None]
    left, right = level[:, columns.low], level[:, columns.high]
    return left + (right - left) * columns.weight
