"""Display codes to a small movie that players agree on: H.264, 8 bit, Rec.709, limited range.

For clips that people look at, never for plates. It is the inverse of what
:mod:`lumivid_fx.media.movie` reads: the same matrix, range and place of chroma.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from lumivid_fx.errors import InputError, RenderError
from lumivid_fx.media.plate import FloatImage
from lumivid_fx.media.yuv import REC709

Plane = npt.NDArray[np.uint8]

_BT709, _LIMITED, _LEFT = 1, 1, 1
"""Code points of ITU-T H.273 for primaries, transfer and matrix; FFmpeg's for range and chroma."""


def write_movie(
    path: Path, frames: Iterable[FloatImage], fps: Fraction, *, quality: int = 14
) -> None:
    """Write frames as an MP4 movie, whole or not at all; the folder is made if missing.

    Args:
        path: The file, replaced if it exists; its name ends in ``.mp4``.
        frames: ``h w 3`` R'G'B' codes, clamped to [0, 1]; one even size for all.
        fps: Frames per second.
        quality: x264's constant rate factor: 0 is best, about 18 looks like the original.

    Raises:
        InputError: There are no frames, or the file cannot be made where it was asked for.
        RenderError: The encoder failed.
    """
    remaining = iter(frames)
    first = next(remaining, None)
    if first is None:
        raise InputError(f"{path} was not written, for there are no frames; give at least one")
    beside = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.mp4")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.touch(exist_ok=False)  # a folder that refuses files says why here, by its errno
        _encode(beside, first.shape, chain([first], remaining), fps, quality)
        beside.replace(path)
    except av.FFmpegError as error:
        raise RenderError(
            f"{path} was not written whole ({error.strerror}); free space on that disk and write "
            "it again"
        ) from error
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}); choose another folder or change its "
            "permissions"
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _encode(
    path: Path, shape: tuple[int, ...], frames: Iterable[FloatImage], fps: Fraction, quality: int
) -> None:
    height, width = shape[:2]
    if height % 2 or width % 2:
        raise ValueError(f"a movie's size must be even, not {width} x {height}")
    # Bit-exact: no version of the muxer in the file; the index in front, so that it plays at once.
    muxer = {"fflags": "+bitexact", "movflags": "+faststart"}
    with av.open(str(path), "w", format="mp4", options=muxer) as container:
        options = {"crf": str(quality), "preset": "slow"}
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.color_primaries = context.color_trc = context.colorspace = _BT709
        context.color_range = _LIMITED
        for number, rgb in enumerate(frames):
            if rgb.shape != shape:
                raise ValueError(f"frame {number + 1} is {rgb.shape}, the first one {shape}")
            container.mux(stream.encode(_frame(rgb, number, fps)))
        container.mux(stream.encode())


def _frame(rgb: FloatImage, number: int, fps: Fraction) -> av.VideoFrame:
    frame = av.VideoFrame(rgb.shape[1], rgb.shape[0], "yuv420p")
    for plane, codes in zip(frame.planes, rgb_to_yuv420(rgb), strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        rows[:, : codes.shape[1]] = codes
        plane.update(rows.tobytes())
    frame.color_primaries = frame.color_trc = frame.colorspace = _BT709
    frame.color_range = _LIMITED
    frame.pts, frame.time_base = number, 1 / fps
    return frame


def rgb_to_yuv420(rgb: FloatImage) -> tuple[Plane, Plane, Plane]:
    """Encode R'G'B' ``h w 3`` as limited-range Rec.709 Y', Cb and Cr, chroma at half the size.

    Chroma lies level with the left pixel of each pair and half way between both rows, where H.264
    has it unless told otherwise: 1 2 1 across, the mean of two downwards.

    Source: ITU-T H.273, equations 20 to 25 and 38 to 40; ITU-R BT.709-6.
    """
    codes = np.clip(rgb, 0, 1)
    red, blue = REC709
    luma = red * codes[..., 0] + (1 - red - blue) * codes[..., 1] + blue * codes[..., 2]

    def chroma(channel: int, weight: float) -> Plane:
        full = (codes[..., channel] - luma) / np.float32(2 * (1 - weight))
        padded = np.pad(full, ((0, 0), (1, 0)), mode="edge")
        across = (padded[:, :-1:2] + 2 * padded[:, 1::2] + padded[:, 2::2]) / 4
        half: FloatImage = (across[::2] + across[1::2]) / 2
        return np.rint(half * 224 + 128).astype(np.uint8)

    return np.rint(luma * 219 + 16).astype(np.uint8), chroma(2, blue), chroma(0, red)
