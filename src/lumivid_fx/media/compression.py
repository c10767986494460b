"""Through a delivery's codec and back, in memory: what H.264 and HEVC do to a clip.

For training and measuring; plates never come here. The same bits for the same clip, codec and
quality, whatever else the machine does: one thread an encoder, and several clips side by side
instead.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal, cast

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from lumivid_fx.errors import RenderError
from lumivid_fx.media.movie_writer import rgb_to_yuv
from lumivid_fx.media.plate import FloatImage
from lumivid_fx.media.yuv import REC709, decode_yuv

Codec = Literal["h264", "hevc"]
CODECS: tuple[Codec, ...] = ("h264", "hevc")

_ENCODERS: dict[Codec, tuple[str, dict[str, str]]] = {
    "h264": ("libx264", {"preset": "veryfast"}),
    "hevc": ("libx265", {"preset": "ultrafast", "x265-params": "log-level=none:pools=none"}),
}

MAX_QUALITY = 51
"""The worst of x264's and x265's constant rate factors for 8 bits."""

_SMALLEST = 32
"""Edge below which x265 refuses a picture, pixels."""

_WIDTHS: dict[Codec, int] = {"h264": 128, "hevc": 2}
"""What encoded widths are multiples of, pixels. x264's macroblock tree adds up eight macroblocks at
a time and reads past the end of rows that do not divide so: one clip came out in several ways."""


def compress(frames: FloatImage, codec: Codec, quality: int) -> FloatImage:
    """Encode a clip in 8 bits, 4:2:0, limited range Rec.709, and decode it again.

    Args:
        frames: ``f h w 3`` R'G'B' codes, clamped to [0, 1]; any size, edges are repeated where the
            codec needs more.
        codec: Which.
        quality: Constant rate factor: 0 is best, 18 looks like the original, 51 is worst.

    Returns:
        Codes of the same shape in [0, 1].

    Raises:
        RenderError: The codec failed.
    """
    if not 0 <= quality <= MAX_QUALITY:
        raise ValueError(f"quality must lie in 0 to {MAX_QUALITY}, got {quality}")
    count, height, width, _ = frames.shape
    below, right = (
        max(_SMALLEST, -(-size // unit) * unit) - size
        for size, unit in ((height, 2), (width, _WIDTHS[codec]))
    )
    padded = np.pad(frames, ((0, 0), (0, below), (0, right), (0, 0)), mode="edge")
    try:
        shown = _through(padded, codec, quality)
    except av.FFmpegError as error:
        raise RenderError(
            f"a clip of {count} frames did not pass the {codec} codec ({error.strerror}); leave "
            "compression out of the recipe"
        ) from error
    if len(shown) != count:
        raise RenderError(
            f"the {codec} codec gave {len(shown)} frames of {count}; leave compression out of the "
            "recipe"
        )
    decoded = np.stack([_to_rgb(shown[number]) for number in range(count)])
    return np.ascontiguousarray(decoded[:, :height, :width].clip(0, 1))


def _through(frames: FloatImage, codec: Codec, quality: int) -> dict[int, VideoFrame]:
    """Frames by their number, as a player sees them."""
    name, options = _ENCODERS[codec]
    encoder = cast(VideoCodecContext, VideoCodecContext.create(name, "w"))
    encoder.width, encoder.height, encoder.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
    encoder.time_base = Fraction(1, 24)
    encoder.options = {**options, "crf": str(quality)}
    encoder.thread_count = 1
    decoder = VideoCodecContext.create(codec, "r")
    decoder.thread_count = 1
    shown: dict[int, VideoFrame] = {}

    def take(packet: av.Packet[Any] | None) -> None:
        for frame in decoder.decode(packet):
            shown[int(frame.pts or 0)] = frame

    for number, rgb in enumerate(frames):
        for packet in encoder.encode(_to_frame(rgb, number)):
            take(packet)
    for packet in encoder.encode(None):
        take(packet)
    take(None)
    return shown


def _to_frame(rgb: FloatImage, number: int) -> VideoFrame:
    frame = VideoFrame(rgb.shape[1], rgb.shape[0], "yuv420p")
    for plane, codes in zip(frame.planes, rgb_to_yuv(rgb), strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        rows[:, : codes.shape[1]] = codes
        plane.update(rows.tobytes())
    frame.pts, frame.time_base = number, Fraction(1, 24)
    return frame


def _to_rgb(frame: VideoFrame) -> FloatImage:
    codes = []
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        codes.append(rows[: plane.height, : plane.width])
    return decode_yuv(codes, bits=8, full_range=False, weights=REC709, halved=(2, 2))
