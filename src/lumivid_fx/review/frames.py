"""Frames of a layer as a page takes them: half float RGBA of one space's light, whole or smaller.

A plate of half floats in its own space comes through bit for bit. What was worked out, from codes,
from another space or from 32-bit floats, is rounded to the nearest half; light beyond the largest
half is clamped to it, and counted.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.media import Windows
from lumivid_fx.media.exr import HALF_MAX
from lumivid_fx.media.plate import FloatImage
from lumivid_fx.review.layers import Layer

HalfImage = npt.NDArray[np.float16]

CACHE_BYTES = 2**30
"""What frames in memory may take: 15 of 4K, 64 of HD."""

SCALES = (1, 2, 4, 8)
"""By how much a side may be reduced."""


@dataclass(frozen=True)
class HalfFrame:
    """One frame.

    Attributes:
        pixels: `h w 4` float16; alpha is 1 where the file has none.
        clamped: Samples that lay beyond the largest half.
        windows: Where the pixels lie, before they were reduced.
    """

    pixels: HalfImage
    clamped: int
    windows: Windows


class Frames:
    """Reads frames of layers, and keeps those that were read last.

    Args:
        spaces: The colour config.
        space: The linear space of every frame that is given.
        limit: Bytes that may be kept.
    """

    def __init__(self, spaces: ColorSpaces, space: str, limit: int = CACHE_BYTES) -> None:
        self._spaces = spaces
        self._space = spaces.resolve(space)
        self._limit = limit
        self._kept: OrderedDict[tuple[object, ...], HalfFrame] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def kept_bytes(self) -> int:
        """Bytes of the frames in memory."""
        return self._bytes

    def read(self, layer: Layer, number: int, scale: int = 1) -> HalfFrame:
        """Give the frame beside the plates' frame `number`, its sides divided by `scale`.

        Raises:
            InputError: The frame is missing or damaged; the message says what to do.
        """
        file = layer.file_of(number)
        try:
            stat = file.stat()
        except OSError:  # gone since it was found: reading it says so in a sentence
            stat = None
        changed = stat and (stat.st_mtime_ns, stat.st_size)
        key = (layer.name, number, changed)
        frame = self._find(key)
        if frame is None:
            frame = self._read(layer, number)
            self._keep(key, frame)
        return frame if scale == 1 else replace(frame, pixels=shrink(frame.pixels, scale))

    def _find(self, key: tuple[object, ...]) -> HalfFrame | None:
        with self._lock:
            frame = self._kept.get(key)
            if frame is not None:
                self._kept.move_to_end(key)
            return frame

    def _keep(self, key: tuple[object, ...], frame: HalfFrame) -> None:
        with self._lock:
            if key in self._kept or frame.pixels.nbytes > self._limit:
                return
            self._kept[key] = frame
            self._bytes += frame.pixels.nbytes
            while self._bytes > self._limit:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= oldest.pixels.nbytes

    def _read(self, layer: Layer, number: int) -> HalfFrame:
        frame = layer.read(number)
        rgb = frame.rgb
        if layer.space != self._space:
            rgb = self._spaces.convert(rgb, layer.space, self._space)
        pixels = np.empty((*rgb.shape[:2], 4), np.float16)
        with np.errstate(over="ignore"):  # what overflows is counted below
            pixels[..., :3] = rgb
        pixels[..., 3] = 1 if frame.alpha is None else frame.alpha
        return HalfFrame(pixels, _clamp_overflow(pixels, rgb), frame.windows)


def _clamp_overflow(pixels: HalfImage, rgb: FloatImage) -> int:
    """Bring what became infinite by rounding alone to the largest half; how many samples."""
    if not np.isinf(pixels).any():
        return 0
    over = np.isinf(pixels[..., :3]) & np.isfinite(rgb)
    pixels[..., :3][over] = np.copysign(np.float16(HALF_MAX), rgb[over])
    return int(np.count_nonzero(over))


def shrink(pixels: npt.NDArray[np.float16], scale: int) -> HalfImage:
    """Means of squares of `scale` pixels, `h w` and perhaps channels; odd edges are repeated."""
    height, width = pixels.shape[:2]
    beyond = ((0, -height % scale), (0, -width % scale), *[(0, 0)] * (pixels.ndim - 2))
    whole = np.pad(pixels, beyond, mode="edge") if any(map(any, beyond)) else pixels
    total = np.zeros((-(-height // scale), -(-width // scale), *pixels.shape[2:]), np.float32)
    for row in range(scale):
        for column in range(scale):
            total += whole[row::scale, column::scale]
    total /= scale * scale
    return total.astype(np.float16)
