"""Code values of a movie to RGB, in exact arithmetic of their own depth.

Y'CbCr is scaled and decoded as ITU-T H.273 writes it (equations 17 to 49), in float32 from the
integers of the file: 10 and 12 bits stay 10 and 12 bits. Chroma of half size is interpolated
linearly, sited as H.264, HEVC and ProRes have it unless told otherwise: level with the left pixel
of each pair in x, half way between both rows in y. It is interpolated as the integers it is, which
rounds nothing and costs one addition where the weights are equal, down the narrow planes first.

swscale, which FFmpeg would use, rounds in fixed point: by 0.8 of an 8-bit code on its way to float,
by up to four on its way to 16 bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

_BAND = 16
"""Rows worked on at a time, so that what lies between codes and RGB stays in the cache."""


def scale_luma(codes: Codes, bits: int, *, full_range: bool) -> FloatImage:
    """Luma, or one of R, G and B, to nominally [0, 1]; limited range is 16 to 235 in 8 bits."""
    step = 1 << (bits - 8)
    floor, span = (0, (1 << bits) - 1) if full_range else (16 * step, 219 * step)
    scaled = codes.astype(np.float32)
    scaled -= np.float32(floor)
    scaled /= np.float32(span)
    return scaled


def decode_rgb(codes: Sequence[Codes], *, bits: int, full_range: bool) -> FloatImage:
    """Scale planes of R', G' and B' into ``h w 3``, nominally [0, 1] and not clamped."""
    rgb = np.empty((*codes[0].shape, 3), np.float32)
    for band in _bands(len(rgb)):
        for channel, plane in enumerate(codes[:3]):
            rgb[band, :, channel] = scale_luma(plane[band], bits, full_range=full_range)
    return rgb


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
    rows, columns = _steps(halved[0], centred=True), _steps(halved[1], centred=False)
    # Limited range is 16 to 240 in 8 bits. Chroma is in whole parts of a code up to here.
    span = ((1 << bits) - 1 if full_range else 224 << (bits - 8)) * rows[0].parts * columns[0].parts
    red, blue = weights
    green = 1 - red - blue
    to_red, to_blue = 2 * (1 - red) / span, 2 * (1 - blue) / span
    from_green = red * to_red / green, blue * to_blue / green
    # Beyond the first and the last row stand these themselves.
    stored = np.arange(-1, len(codes[1]) + 1).clip(0, len(codes[1]) - 1)
    rgb = np.empty((height, width, 3), np.float32)
    for band in _bands(height):
        y = scale_luma(codes[0][band], bits, full_range=full_range)
        nearby = stored[band.start // halved[0] :][: -(-len(y) // halved[0]) + 2]
        cb, cr = (
            _stretch(plane[nearby], 1 << (bits - 1), y.shape, rows, columns) for plane in codes[1:3]
        )
        rgb[band, :, 0] = _plus(y, cr, to_red)
        rgb[band, :, 2] = _plus(y, cb, to_blue)
        cr *= np.float32(from_green[0])
        cb *= np.float32(from_green[1])
        y -= cr
        y -= cb
        rgb[band, :, 1] = y
    return rgb


def _bands(height: int) -> Iterator[slice]:
    for top in range(0, height, _BAND):
        yield slice(top, min(top + _BAND, height))


def _plus(y: FloatImage, chroma: FloatImage, factor: float) -> FloatImage:
    scaled = chroma * np.float32(factor)
    scaled += y
    return scaled


class _Step(NamedTuple):
    """How every `factor`-th sample, from the one of this place on, lies between stored samples.

    Attributes:
        below: Which stored sample lies before the first of them, -1 for the one before all.
        low: How much that one counts, in parts.
        high: How much the next one counts.
    """

    below: int
    low: int
    high: int

    @property
    def parts(self) -> int:
        """How many parts make one."""
        return self.low + self.high


def _steps(factor: int, *, centred: bool) -> list[_Step]:
    """Where the samples lie that one stored sample stands for: around it, or from it on."""
    if factor == 1:
        return [_Step(0, 1, 0)]
    parts = 2 * factor if centred else factor
    steps = []
    for place in range(factor):
        below, high = divmod(2 * place - factor + 1 if centred else place, parts)
        steps.append(_Step(below, parts - high, high))
    return steps


def _stretch(
    codes: Codes, nil: int, size: tuple[int, ...], rows: list[_Step], columns: list[_Step]
) -> FloatImage:
    """A band of chroma at the size of luma, less its nil, in parts of a code.

    These are whole numbers below 2^24, so that float32 holds them exactly: nothing is rounded.

    Args:
        codes: Stored rows of the band, one more before them and one after.
        nil: The code of no chroma.
        size: Rows and columns wanted.
        rows: From :func:`_steps`.
        columns: Likewise.
    """
    stored = np.empty((codes.shape[0], codes.shape[1] + 1), np.float32)
    stored[:, :-1] = codes
    stored[:, -1] = codes[:, -1]  # beyond the last column stands that one
    stored -= np.float32(nil)
    level = np.empty((size[0], stored.shape[1]), np.float32)
    for place, step in enumerate(rows):
        out = level[place :: len(rows)]
        first = 1 + step.below
        _mix(stored[first : first + len(out)], stored[first + 1 :][: len(out)], step, out)
    wide = np.empty(size, np.float32)
    for place, step in enumerate(columns):
        out = wide[:, place :: len(columns)]
        count = out.shape[1]
        _mix(level[:, :count], level[:, 1 : 1 + count], step, out)
    return wide


def _mix(low: FloatImage, high: FloatImage, step: _Step, out: FloatImage) -> None:
    if step.high:
        np.add(_times(low, step.low), _times(high, step.high), out=out)
    else:
        np.copyto(out, _times(low, step.low))


def _times(samples: FloatImage, parts: int) -> FloatImage:
    return samples if parts == 1 else samples * np.float32(parts)
