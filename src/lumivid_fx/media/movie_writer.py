"""Display codes to movies that players agree on: 4:2:0, limited range, tagged as what they are.

For movies that people look at, never for plates. It is the inverse of what
:mod:`lumivid_fx.media.movie` reads: the same matrices, range and place of chroma.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from lumivid_fx.errors import InputError, RenderError
from lumivid_fx.media.plate import FloatImage
from lumivid_fx.media.whole_file import require_room, whole_file
from lumivid_fx.media.yuv import REC709, REC2020

Plane = npt.NDArray[np.uint8 | np.uint16]

_LIMITED = 1  # FFmpeg's AVCOL_RANGE


@dataclass(frozen=True)
class MovieFormat:
    """What a movie is encoded as.

    Attributes:
        encoder: FFmpeg's name.
        bits: Of a code.
        weights: Of red and blue in luma.
        primaries: Code point of ITU-T H.273, as are the next two.
        transfer: See `primaries`.
        matrix: See `primaries`.
        options: Of the encoder, but for its quality.
    """

    encoder: str
    bits: int
    weights: tuple[float, float]
    primaries: int
    transfer: int
    matrix: int
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def pix_fmt(self) -> str:
        """FFmpeg's name of how the codes lie in memory."""
        return "yuv420p" if self.bits == 8 else f"yuv420p{self.bits}le"


SDR = MovieFormat("libx264", 8, REC709, 1, 1, 1, {"preset": "slow"})
"""H.264, Rec.709."""

PQ = MovieFormat("libx265", 10, REC2020, 9, 16, 9, {"preset": "medium"})
HLG = MovieFormat("libx265", 10, REC2020, 9, 18, 9, {"preset": "medium"})
"""HEVC Main 10, ITU-R BT.2100."""


@dataclass(frozen=True)
class LightLevels:
    """Content light levels of a whole movie, CTA-861.3, annex P.

    Attributes:
        most: MaxCLL, the brightest of R, G and B of any pixel, cd/m2.
        average: MaxFALL, the largest mean over a frame of each pixel's brightest channel, cd/m2.
    """

    most: float = 0.0
    average: float = 0.0

    def with_frame(self, nits: FloatImage) -> LightLevels:
        """Take in one more frame ``h w 3`` of display light."""
        brightest = nits.max(axis=-1)
        return LightLevels(
            max(self.most, float(brightest.max())),
            max(self.average, float(brightest.mean(dtype=np.float64))),
        )

    @property
    def whole(self) -> tuple[int, int]:
        """Both as the whole numbers that headers hold."""
        return min(round(self.most), 65535), min(round(self.average), 65535)


def write_movie(
    path: Path,
    frames: Iterable[FloatImage],
    fps: Fraction,
    *,
    quality: int = 14,
    kind: MovieFormat = SDR,
    light: LightLevels | None = None,
    aspect: Fraction | None = None,
) -> None:
    """Write frames as an MP4 movie, whole or not at all; the folder is made if missing.

    Args:
        path: The file, replaced if it exists; its name ends in ``.mp4``.
        frames: ``h w 3`` R'G'B' codes, clamped to [0, 1]; one even size for all.
        fps: Frames per second.
        quality: The encoder's constant rate factor: 0 is best, about 18 looks like the original.
        kind: What it is encoded as.
        light: Written as MaxCLL and MaxFALL, where HDR has a place for them.
        aspect: Width of a pixel over its height; square if None.

    Raises:
        InputError: There are no frames, or the file cannot be made where it was asked for.
        DiskFullError: There is no room for it.
        RenderError: The encoder failed.
    """
    remaining = iter(frames)
    first = next(remaining, None)
    if first is None:
        raise InputError(f"{path} was not written, for there are no frames; give at least one")
    if first.shape[0] % 2 or first.shape[1] % 2:
        raise ValueError(f"a movie's size must be even, not {first.shape[1]} x {first.shape[0]}")
    options = {**kind.options, "crf": str(quality)}
    if kind.encoder == "libx265":
        levels = "" if light is None else "max-cll={},{}:".format(*light.whole)
        # chromaloc 0: as :func:`rgb_to_yuv420` has it.
        options["x265-params"] = f"{levels}chromaloc=0:log-level=none"
    with whole_file(path, str(path)) as beside:
        try:
            _encode(beside, first.shape, chain([first], remaining), fps, kind, options, aspect)
        except av.FFmpegError as error:
            require_room(beside)
            raise RenderError(
                f"{path} was not written whole ({error.strerror}); see that its folder is still "
                "there, and write it again"
            ) from error


def _encode(
    path: Path,
    shape: tuple[int, ...],
    frames: Iterable[FloatImage],
    fps: Fraction,
    kind: MovieFormat,
    options: Mapping[str, str],
    aspect: Fraction | None,
) -> None:
    # Bit-exact: no version of the muxer in the file; the index in front, so that it plays at once.
    muxer = {"fflags": "+bitexact", "movflags": "+faststart"}
    with av.open(str(path.absolute()), "w", format="mp4", options=muxer) as container:
        stream = container.add_stream(kind.encoder, rate=fps, options=dict(options))
        if not isinstance(stream, av.VideoStream):
            raise TypeError(f"{kind.encoder} encodes no pictures")
        stream.height, stream.width, stream.pix_fmt = shape[0], shape[1], kind.pix_fmt
        context = stream.codec_context
        context.color_primaries, context.color_trc = kind.primaries, kind.transfer
        context.colorspace, context.color_range = kind.matrix, _LIMITED
        if kind.encoder == "libx265":
            context.codec_tag = "hvc1"  # the one of two that QuickTime plays
        if aspect is not None:
            context.sample_aspect_ratio = aspect
        for number, rgb in enumerate(frames):
            if rgb.shape != shape:
                raise ValueError(f"frame {number + 1} is {rgb.shape}, the first one {shape}")
            container.mux(stream.encode(_frame(rgb, number, fps, kind)))
        container.mux(stream.encode())


def _frame(rgb: FloatImage, number: int, fps: Fraction, kind: MovieFormat) -> av.VideoFrame:
    frame = av.VideoFrame(rgb.shape[1], rgb.shape[0], kind.pix_fmt)
    for plane, codes in zip(frame.planes, rgb_to_yuv420(rgb, kind), strict=True):
        rows = np.zeros((plane.height, plane.line_size // codes.itemsize), codes.dtype)
        rows[:, : codes.shape[1]] = codes
        plane.update(rows.tobytes())
    frame.color_primaries, frame.color_trc = kind.primaries, kind.transfer
    frame.colorspace, frame.color_range = kind.matrix, _LIMITED
    frame.pts, frame.time_base = number, 1 / fps
    return frame


def rgb_to_yuv420(rgb: FloatImage, kind: MovieFormat = SDR) -> tuple[Plane, Plane, Plane]:
    """Encode R'G'B' ``h w 3`` as limited-range Y', Cb and Cr, chroma at half the size.

    Chroma lies level with the left pixel of each pair and half way between both rows, where H.264
    and HEVC have it unless told otherwise: 1 2 1 across, the mean of two downwards.

    Source: ITU-T H.273, equations 20 to 25 and 38 to 40.
    """
    codes = np.clip(rgb, 0, 1)
    red, blue = kind.weights
    step = 1 << (kind.bits - 8)
    depth: type[np.uint8 | np.uint16] = np.uint8 if kind.bits == 8 else np.uint16
    luma = red * codes[..., 0] + (1 - red - blue) * codes[..., 1] + blue * codes[..., 2]

    def chroma(channel: int, weight: float) -> Plane:
        full = (codes[..., channel] - luma) / np.float32(2 * (1 - weight))
        padded = np.pad(full, ((0, 0), (1, 0)), mode="edge")
        across = (padded[:, :-1:2] + 2 * padded[:, 1::2] + padded[:, 2::2]) / 4
        half: FloatImage = (across[::2] + across[1::2]) / 2
        return np.rint(half * (224 * step) + 128 * step).astype(depth)

    y = np.rint(luma * (219 * step) + 16 * step).astype(depth)
    return y, chroma(2, blue), chroma(0, red)
