"""Display codes to movies that players agree on: limited range, tagged as what they are.

For movies that people look at, never for plates. It is the inverse of what
:mod:`lumivid_fx.media.movie` reads: the same matrices, range and place of chroma.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import numpy.typing as npt

from lumivid_fx.errors import InputError, RenderError
from lumivid_fx.media.light_levels import LightLevels, Mastering
from lumivid_fx.media.plate import FloatImage
from lumivid_fx.media.whole_file import require_room, whole_file
from lumivid_fx.media.yuv import REC709, REC2020

Plane = npt.NDArray[np.uint8 | np.uint16]

_LIMITED = 1  # FFmpeg's AVCOL_RANGE

_X265_REACH = 2
"""Frames that x265 reaches ahead for; of a movie with no more than these, it leaves the times at
which they are decoded unset, unless it is told to reach for none."""


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
        suffix: What names of such movies end in.
        halved: Whether chroma has half the size of luma.
    """

    encoder: str
    bits: int
    weights: tuple[float, float]
    primaries: int
    transfer: int
    matrix: int
    options: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ".mp4"
    halved: bool = True

    @property
    def pix_fmt(self) -> str:
        """FFmpeg's name of how the codes lie in memory."""
        planes = "yuv420p" if self.halved else "yuv444p"
        return planes if self.bits == 8 else f"{planes}{self.bits}le"

    @property
    def says_levels(self) -> bool:
        """Whether the movie holds light levels and the display it was mastered on."""
        return self.encoder == "libx265"


SDR = MovieFormat("libx264", 8, REC709, 1, 1, 1, {"preset": "slow"})
"""H.264, Rec.709."""

PQ = MovieFormat("libx265", 10, REC2020, 9, 16, 9, {"preset": "medium"})
HLG = MovieFormat("libx265", 10, REC2020, 9, 18, 9, {"preset": "medium"})
"""HEVC Main 10, ITU-R BT.2100."""

_PRORES_4444 = {"profile": "4444", "vendor": "apl0"}

PRORES_PQ = MovieFormat(
    "prores_ks", 10, REC2020, 9, 16, 9, _PRORES_4444, suffix=".mov", halved=False
)
PRORES_HLG = MovieFormat(
    "prores_ks", 10, REC2020, 9, 18, 9, _PRORES_4444, suffix=".mov", halved=False
)
"""ProRes 4444 of 10-bit codes, ITU-R BT.2100."""


def write_movie(
    path: Path,
    frames: Iterable[FloatImage],
    fps: Fraction,
    *,
    quality: int = 14,
    kind: MovieFormat = SDR,
    light: LightLevels | None = None,
    mastering: Mastering | None = None,
    aspect: Fraction | None = None,
    timecode: str | None = None,
    check: Callable[[Path], None] | None = None,
) -> None:
    """Write frames as a movie, whole or not at all; the folder is made if missing.

    Args:
        path: The file, replaced if it exists; its name ends as the kind's do.
        frames: ``h w 3`` R'G'B' codes, clamped to [0, 1]; one even size for all.
        fps: Frames per second.
        quality: The rate factor of H.264 and HEVC: 0 is best, about 18 looks like the original.
        kind: What it is encoded as.
        light: Written as MaxCLL and MaxFALL, where the kind has a place for them.
        mastering: Likewise; the display that the movie was mastered on.
        aspect: Width of a pixel over its height; square if None.
        timecode: Of the first frame, as ``01:02:03:04``.
        check: Called with the finished file before it takes its place, which it does not if this
            raises.

    Raises:
        InputError: There are no frames, or the file cannot be made where it was asked for.
        DiskFullError: There is no room for it.
        RenderError: The encoder failed.
    """
    remaining = iter(frames)
    start = list(islice(remaining, _X265_REACH + 1))
    if not start:
        raise InputError(f"{path} was not written, for there are no frames; give at least one")
    first = start[0]
    if first.shape[0] % 2 or first.shape[1] % 2:
        raise ValueError(f"a movie's size must be even, not {first.shape[1]} x {first.shape[0]}")
    options = _options(kind, quality, light, mastering, tiny=len(start) <= _X265_REACH)
    about = _About(fps, kind, options, aspect, timecode)
    with whole_file(path, str(path)) as beside:
        try:
            _encode(beside, first.shape, chain(start, remaining), about)
        except av.FFmpegError as error:
            require_room(beside)
            raise RenderError(
                f"{path} was not written whole ({error.strerror}); see that its folder is still "
                "there, and write it again"
            ) from error
        if check is not None:
            check(beside)


class _About(NamedTuple):
    """What an encoder is told beside the frames."""

    fps: Fraction
    kind: MovieFormat
    options: Mapping[str, str]
    aspect: Fraction | None
    timecode: str | None


def _options(
    kind: MovieFormat,
    quality: int,
    light: LightLevels | None,
    mastering: Mastering | None,
    *,
    tiny: bool,
) -> dict[str, str]:
    if kind.encoder == "prores_ks":
        return dict(kind.options)
    options = {**kind.options, "crf": str(quality)}
    if kind.encoder == "libx265":
        # chromaloc 0: as :func:`rgb_to_yuv` has it.
        params = ["chromaloc=0", "log-level=none"]
        if tiny:
            params.append("bframes=0")
        if light is not None:
            params.append("max-cll={},{}".format(*light.whole))
        if mastering is not None:
            params.append(
                "master-display=G({2},{3})B({4},{5})R({0},{1})WP({6},{7})L({8},{9})".format(
                    *mastering.steps
                )
            )
            params += ["hdr10=1", "repeat-headers=1"]
        options["x265-params"] = ":".join(params)
    return options


def _encode(
    path: Path, shape: tuple[int, ...], frames: Iterable[FloatImage], about: _About
) -> None:
    fps, kind = about.fps, about.kind
    # Bit-exact: no version of the muxer in the file; the index in front, so that it plays at once.
    muxer = {"fflags": "+bitexact", "movflags": "+faststart"}
    muxed = kind.suffix.removeprefix(".")
    with av.open(str(path.absolute()), "w", format=muxed, options=muxer) as container:
        stream = container.add_stream(kind.encoder, rate=fps, options=dict(about.options))
        if not isinstance(stream, av.VideoStream):
            raise TypeError(f"{kind.encoder} encodes no pictures")
        stream.height, stream.width, stream.pix_fmt = shape[0], shape[1], kind.pix_fmt
        context = stream.codec_context
        context.color_primaries, context.color_trc = kind.primaries, kind.transfer
        context.colorspace, context.color_range = kind.matrix, _LIMITED
        if kind.encoder == "libx265":
            context.codec_tag = "hvc1"  # the one of two that QuickTime plays
        if about.aspect is not None:
            context.sample_aspect_ratio = about.aspect
        if about.timecode is not None:
            stream.metadata["timecode"] = about.timecode
        for number, rgb in enumerate(frames):
            if rgb.shape != shape:
                raise ValueError(f"frame {number + 1} is {rgb.shape}, the first one {shape}")
            container.mux(stream.encode(_frame(rgb, number, fps, kind)))
        container.mux(stream.encode())


def _frame(rgb: FloatImage, number: int, fps: Fraction, kind: MovieFormat) -> av.VideoFrame:
    frame = av.VideoFrame(rgb.shape[1], rgb.shape[0], kind.pix_fmt)
    for plane, codes in zip(frame.planes, rgb_to_yuv(rgb, kind), strict=True):
        rows = np.zeros((plane.height, plane.line_size // codes.itemsize), codes.dtype)
        rows[:, : codes.shape[1]] = codes
        plane.update(rows.tobytes())
    frame.color_primaries, frame.color_trc = kind.primaries, kind.transfer
    frame.colorspace, frame.color_range = kind.matrix, _LIMITED
    frame.pts, frame.time_base = number, 1 / fps
    return frame


def rgb_to_yuv(rgb: FloatImage, kind: MovieFormat = SDR) -> tuple[Plane, Plane, Plane]:
    """Encode R'G'B' ``h w 3`` as limited-range Y', Cb and Cr, chroma halved if the kind's is.

    Halved chroma lies level with the left pixel of each pair and half way between both rows, where
    H.264 and HEVC have it unless told otherwise: 1 2 1 across, the mean of two downwards.

    Source: ITU-T H.273, equations 20 to 25 and 38 to 40.
    """
    luma, *chroma = rgb_to_ycc(np.clip(rgb, 0, 1), kind)
    step = 1 << (kind.bits - 8)
    depth: type[np.uint8 | np.uint16] = np.uint8 if kind.bits == 8 else np.uint16

    def coded(full: FloatImage) -> Plane:
        placed = _half(full) if kind.halved else full
        return np.rint(placed * (224 * step) + 128 * step).astype(depth)

    y: Plane = np.rint(luma * (219 * step) + 16 * step).astype(depth)
    return y, coded(chroma[0]), coded(chroma[1])


def _half(full: FloatImage) -> FloatImage:
    padded = np.pad(full, ((0, 0), (1, 0)), mode="edge")
    across = (padded[:, :-1:2] + 2 * padded[:, 1::2] + padded[:, 2::2]) / 4
    return np.asarray((across[::2] + across[1::2]) / 2, np.float32)


def rgb_to_ycc(codes: FloatImage, kind: MovieFormat) -> tuple[FloatImage, FloatImage, FloatImage]:
    """Y' nominally in [0, 1], Cb and Cr nominally in [-0.5, 0.5], of R'G'B' ``... 3``."""
    red, blue = kind.weights
    luma = red * codes[..., 0] + (1 - red - blue) * codes[..., 1] + blue * codes[..., 2]
    from_blue: FloatImage = (codes[..., 2] - luma) / np.float32(2 * (1 - blue))
    from_red: FloatImage = (codes[..., 0] - luma) / np.float32(2 * (1 - red))
    return luma, from_blue, from_red
