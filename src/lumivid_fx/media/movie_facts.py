"""What a movie says of itself to whoever plays it: tags, light levels, display, time code."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame

from lumivid_fx.errors import InputError
from lumivid_fx.media.movie_index import index_movie, open_movie


@dataclass(frozen=True)
class MovieFacts:
    """What a movie says.

    Attributes:
        codec: FFmpeg's name of the codec.
        frames: How many there are.
        fps: Frames per second, or None.
        tags: Primaries, transfer and matrix, code points of ITU-T H.273.
        timecode: Of the first frame, or None.
        levels: MaxCLL and MaxFALL in cd/m2, or None.
        mastering: As :attr:`lumivid_fx.media.light_levels.Mastering.steps`, or None.
    """

    codec: str
    frames: int
    fps: Fraction | None
    tags: tuple[int, int, int]
    timecode: str | None
    levels: tuple[int, int] | None
    mastering: tuple[int, ...] | None


def read_movie_facts(path: Path) -> MovieFacts:
    """Read what a movie says; its first frame is decoded, for HEVC says some of it there.

    Raises:
        InputError: It cannot be read.
    """
    index = index_movie(path)
    container, stream = open_movie(path)
    with container:
        try:
            frame = next(container.decode(stream))
        except (av.FFmpegError, StopIteration) as error:
            raise InputError(f"{path} cannot be decoded; write it again") from error
        return MovieFacts(
            codec=stream.codec_context.codec.canonical_name,
            frames=len(index.times),
            fps=index.fps,
            tags=(int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace)),
            timecode=stream.metadata.get("timecode"),
            levels=_levels(_part(frame, "CONTENT_LIGHT_LEVEL")),
            mastering=_mastering(_part(frame, "MASTERING_DISPLAY_METADATA")),
        )


def _part(frame: VideoFrame, name: str) -> bytes | None:
    """What FFmpeg gives beside a frame under that name."""
    found: Any = frame.side_data.get(name)
    return None if found is None else bytes(found)


def _levels(data: bytes | None) -> tuple[int, int] | None:
    """FFmpeg's AVContentLightMetadata: two unsigned integers."""
    if data is None:
        return None
    most, average = np.frombuffer(data, np.uint32, 2).tolist()
    return most, average


def _mastering(data: bytes | None) -> tuple[int, ...] | None:
    """FFmpeg's AVMasteringDisplayMetadata: ten rationals, xy of R, G, B, white, least and peak."""
    if data is None:
        return None
    pairs = np.frombuffer(data, np.int32, 20).reshape(10, 2)
    *xy, least, peak = (Fraction(int(top), int(bottom)) for top, bottom in pairs)
    return (*(round(value * 50_000) for value in xy), round(peak * 10_000), round(least * 10_000))
