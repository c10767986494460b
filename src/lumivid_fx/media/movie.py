"""Movies by PyAV: H.264, HEVC, ProRes, DNxHR and all else that decodes to planes of 8 to 16 bits.

Frames count from 1, as Nuke counts them. Pixels are display code values: range and matrix are
undone as tagged, transfer and primaries are left alone. Nothing is clamped: limited range holds
codes from -0.07 to 1.09, and cameras put highlights above white.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import av
import numpy as np
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from lumivid_fx.errors import InputError, RangeError
from lumivid_fx.media.color_tags import camera_doubt, tagged_doubt
from lumivid_fx.media.frame_range import Frames, format_range
from lumivid_fx.media.movie_index import index_movie, open_movie
from lumivid_fx.media.plate import FloatImage, Frame, Plate, Windows, check_size
from lumivid_fx.media.timecode import timecode_words
from lumivid_fx.media.yuv import (
    REC601,
    REC709,
    REC2020,
    SMPTE240M,
    Codes,
    decode_rgb,
    decode_yuv,
    scale_luma,
)

# Code points of ITU-T H.273; FFmpeg uses the same. 0 stands for RGB, which Y'CbCr cannot be, and is
# what some ProRes headers hold when they mean "unspecified".
_MATRICES = {1: REC709, 5: REC601, 6: REC601, 7: SMPTE240M, 9: REC2020}
_UNSPECIFIED = (0, 2)
_LIMITED, _FULL = 1, 2  # FFmpeg's AVCOL_RANGE
_HD_HEIGHT = 720

_STRICT = {"err_detect": "crccheck+explode"}
"""What is wrong is an error and not a warning over a patched picture. Checksums are looked at where
a codec has them: FFV1's slices, picture hashes in HEVC."""

_RECENT = 8
"""Decoded frames kept for short jumps back, as codes: 35 MB each for 4K 10-bit 4:2:2."""

_STORAGE_TAGS = frozenset(
    {"major_brand", "minor_version", "compatible_brands", "encoder", "ENCODER", "DURATION"}
    | {"handler_name", "vendor_id", "language"}
)


class Movie(Plate):
    """A movie as a plate. Reading in order is fastest; any order gives the same frames.

    A rotation tag is honoured. What the container says about the take is carried as `movie/*`, and
    its time code, moved on to each frame, as `smpte:TimeCode`.

    Args:
        source: The file.
        frames: Frames to read, counted from 1; all there are when None.

    Raises:
        InputError: The movie cannot be read, is HDR already, or has not the frames asked for.
    """

    def __init__(self, source: str, frames: Frames | None = None) -> None:
        self.source = source
        path = Path(source)
        self._index = index_movie(path)
        there = range(1, len(self._index.times) + 1)
        self.frame_numbers = there if frames is None else frames
        if self.first_frame < 1 or self.last_frame > there[-1]:
            outside = self.first_frame if self.first_frame < 1 else self.last_frame
            raise RangeError(
                f"{source} holds {format_range(there)} only, so frame {outside} cannot be read; "
                "ask for frames inside that range, movies count from 1"
            )
        self._container, self._stream = open_movie(path)
        try:
            self._open_first()
        except BaseException:
            self.close()
            raise

    def _open_first(self) -> None:
        context = self._stream.codec_context
        check_size(context.width, context.height, self.source)
        # What the container says; the decoder may put its own in the same place.
        self._colorspace, self._range = context.colorspace, context.color_range
        transfer, primaries = context.color_trc, context.color_primaries
        self._stream.thread_type = "AUTO"
        if context.name == "h264":
            # It marks a patched picture when it hands the picture out, which with threads may be
            # before the thread that decodes it has met the damage: nobody would hear of it.
            context.thread_count = 1
        context.options = _STRICT
        self._decoder: Iterator[VideoFrame] = iter(())
        self._next: int | None = None
        self._recent: dict[int, VideoFrame] = {}
        first = self._decoded(self.first_frame - 1)
        if first.interlaced_frame:
            raise InputError(
                f"{self.source} is interlaced, two moments in each frame; deinterlace it first, or "
                "mend the tag of a progressive one"
            )
        _require_planar(first.format, self.source)
        if first.rotation % 90:
            raise InputError(
                f"{self.source} is rotated by {first.rotation} degrees; export it upright"
            )
        self._size = (first.width, first.height)
        self._quarter_turns = first.rotation // 90 % 4
        self.width, self.height = self._size[:: -1 if self._quarter_turns % 2 else 1]
        self.has_alpha = any(part.is_alpha for part in first.format.components)
        self.fps = self._index.fps
        tags = {**self._container.metadata, **self._stream.metadata}
        self.space = "srgb"
        self.doubt = camera_doubt(tags) or tagged_doubt(
            transfer if first.color_trc in _UNSPECIFIED else first.color_trc,
            primaries if first.color_primaries in _UNSPECIFIED else first.color_primaries,
        )
        self._attributes = self._read_attributes(tags)

    def _read_attributes(self, tags: Mapping[str, str]) -> dict[str, object]:
        attributes: dict[str, object] = {
            f"movie/{name}": value for name, value in tags.items() if name not in _STORAGE_TAGS
        }
        aspect = self._stream.sample_aspect_ratio
        if aspect:
            turned = self._quarter_turns % 2
            attributes["PixelAspectRatio"] = float(1 / aspect if turned else aspect)
        return attributes

    def read(self, number: int) -> Frame:
        """Read one frame; see :meth:`Plate.read`."""
        if number not in self.frame_numbers:
            raise InputError(
                f"{self.source} was opened for frames {format_range(self.frame_numbers)}, so frame "
                f"{number} cannot be read; ask for a frame inside that range"
            )
        decoded = self._decoded(number - 1)
        if (decoded.width, decoded.height) != self._size:
            raise InputError(
                f"{self.source} changes its size at frame {number} to {decoded.width} x "
                f"{decoded.height}; export it in one size"
            )
        rgb, alpha = self._to_rgb(decoded)
        attributes = dict(self._attributes)
        start = attributes.get("movie/timecode")
        words = timecode_words(str(start), number - 1, self.fps) if start and self.fps else None
        if words is not None:
            attributes["smpte:TimeCode"] = words
        windows = Windows.whole(self.width, self.height)
        return Frame(number, rgb, alpha, windows, attributes)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _decoded(self, position: int) -> VideoFrame:
        """Frame at a position counted from 0, from memory or by decoding up to it."""
        if position in self._recent:
            return self._recent[position]
        key, first = self._index.entry(position)
        try:
            if self._next is None or not first <= self._next <= position:
                self._next = first
                self._container.seek(key, stream=self._stream, backward=True)
                self._decoder = self._container.decode(self._stream)
            for frame in self._decoder:
                shown = self._index.position(frame.pts)
                if shown is None or shown < self._next:
                    continue  # hidden by an edit list, or shown before the key and not whole
                if shown > self._next or frame.is_corrupt:
                    break
                self._next = shown + 1
                self._recent[shown] = frame
                if len(self._recent) > _RECENT:
                    del self._recent[next(iter(self._recent))]
                if shown == position:
                    return frame
        except av.FFmpegError as error:
            raise self._damaged() from error
        raise self._damaged()

    def _damaged(self) -> InputError:
        frame, self._next = (self._next or 0) + 1, None
        return InputError(
            f"{self.source} is damaged at frame {frame} or just after and cannot be decoded past "
            "it; copy or export it again, or ask for a range that ends before"
        )

    def _to_rgb(self, frame: VideoFrame) -> tuple[FloatImage, FloatImage | None]:
        layout = frame.format
        _require_planar(layout, self.source)
        codes = _planes(frame)
        bits = layout.components[0].bits
        tagged = frame.color_range or self._range
        if layout.is_rgb:
            full = tagged != _LIMITED
            rgb = decode_rgb(codes, bits=bits, full_range=full)
        else:
            full = tagged == _FULL or layout.name.startswith("yuvj")
            if len(codes) < 3:
                rgb = decode_rgb([codes[0]] * 3, bits=bits, full_range=full)
            else:
                rgb = decode_yuv(
                    codes,
                    bits=bits,
                    full_range=full,
                    weights=self._weights(frame),
                    halved=(64 // layout.chroma_height(64), 64 // layout.chroma_width(64)),
                )
        turns = self._quarter_turns
        upright = np.ascontiguousarray(np.rot90(rgb, turns))
        if not self.has_alpha:
            return upright, None
        alpha = scale_luma(codes[-1], bits, full_range=True)
        return upright, np.ascontiguousarray(np.rot90(alpha, turns))

    def _weights(self, frame: VideoFrame) -> tuple[float, float]:
        """Luma weights as tagged; untagged, as players guess: Rec.709 for HD, Rec.601 below.

        The container goes before the stream: DNxHD says Rec.709 where nobody said anything.
        """
        tag = frame.colorspace if self._colorspace in _UNSPECIFIED else self._colorspace
        if tag in _UNSPECIFIED:
            return REC709 if frame.height >= _HD_HEIGHT else REC601
        if tag not in _MATRICES:
            raise InputError(
                f"{self.source} has colour matrix {int(tag)} (ITU-T H.273), which is not read; "
                "export it as Rec.709"
            )
        return _MATRICES[tag]


def _require_planar(layout: VideoFormat, source: str) -> None:
    parts = layout.components
    one_each = len({part.plane for part in parts}) == len(parts)
    if not one_each or layout.has_palette or not all(8 <= part.bits <= 16 for part in parts):
        raise InputError(
            f"{source} decodes to {layout.name}, which is not read; export it as ProRes, H.264 or "
            "HEVC"
        )


def _planes(frame: VideoFrame) -> list[Codes]:
    """The codes of each component, without the padding behind each row."""
    planes: list[Codes] = []
    wide = ">u2" if frame.format.is_big_endian else "<u2"
    for part in frame.format.components:
        plane = frame.planes[part.plane]
        dtype = np.dtype("u1" if part.bits == 8 else wide)
        rows = np.frombuffer(memoryview(plane), dtype)
        rows = rows.reshape(-1, plane.line_size // dtype.itemsize)
        planes.append(rows[: part.height, : part.width])
    return planes
