"""What frames a movie holds, found by walking its packets once without decoding them.

The walk reads the whole file, as fast as the disk gives it. In return every frame has its time
before the first is decoded: a movie that ends early, or runs at a variable rate, is refused when it
is opened and not an hour into a render, and any frame is found again exactly.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from lumivid_fx.errors import InputError
from lumivid_fx.media.plate import MOVIE_DEMUXERS, require_file
from lumivid_fx.media.timecode import exact_rate

_DURATION_TAG = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


@dataclass(frozen=True)
class MovieIndex:
    """Times of a movie's frames, in units of the stream's time base.

    Attributes:
        times: Of every frame shown, ascending.
        keys: Of frames that decode without another, ascending.
        fps: Frames per second, constant; None for a movie of one frame that does not say.
    """

    times: tuple[int, ...]
    keys: tuple[int, ...]
    fps: Fraction | None

    def position(self, time: int | None) -> int | None:
        """Which frame has this time, counted from 0; None for one that is not shown."""
        if time is None:
            return None
        found = bisect_left(self.times, time)
        return found if self.times[found : found + 1] == (time,) else None

    def entry(self, position: int) -> tuple[int, int]:
        """Where to begin decoding to reach a frame: a key's time, and the first frame it gives."""
        before = max(bisect_right(self.keys, self.times[position]) - 1, 0)
        return self.keys[before], bisect_left(self.times, self.keys[before])


def open_movie(path: Path) -> tuple[InputContainer, VideoStream]:
    """Open a movie with the one demuxer that its name allows.

    Raises:
        InputError: It is missing, empty, damaged, not what its name says, or has no pictures.
    """
    require_file(path, str(path))
    kind = path.suffix.lower()
    try:
        # An absolute path, so that nothing in a name is taken for a protocol.
        container = av.open(
            str(path.absolute()), "r", format=MOVIE_DEMUXERS[kind], metadata_errors="replace"
        )
    except av.FFmpegError as error:
        raise InputError(
            f"{path} cannot be read as a {kind} movie ({error.strerror}), so it is cut short, "
            "damaged or not what its name says; copy or export it again"
        ) from error
    told = "holds no pictures, only sound or data; give the movie itself"
    for stream in container.streams.video:
        decoder: object = stream.codec_context  # None for a codec that FFmpeg does not know
        if decoder is None:
            told = "is in a codec that is not known; export it as ProRes, H.264 or HEVC"
        elif not stream.disposition & Disposition.attached_pic:
            return container, stream
    container.close()
    raise InputError(f"{path} {told}")


def index_movie(path: Path) -> MovieIndex:
    """Walk a movie's packets.

    Raises:
        InputError: The movie ends before its header says, has no frames or no times, or runs at a
            variable frame rate.
    """
    container, stream = open_movie(path)
    with container:
        promised = len(stream.index_entries)
        times: list[int] = []
        keys: list[int] = []
        hidden = 0
        try:
            for packet in container.demux(stream):
                if packet.size == 0:
                    continue
                time = packet.dts if packet.pts is None else packet.pts
                if time is None:
                    raise InputError(f"{path} has frames without a time; remux it as .mov")
                if packet.is_corrupt:
                    raise _cut_short(path, len(times) + 1)
                if packet.is_keyframe:
                    keys.append(time)
                if packet.is_discard:  # an edit list hides it
                    hidden += 1
                else:
                    times.append(time)
        except av.FFmpegError as error:
            raise _cut_short(path, len(times) + 1) from error
        if not times:
            raise InputError(f"{path} holds no frames; copy or export it again")
        times.sort()
        fps = _constant_rate(path, stream, times)
        if "matroska" in container.format.name:
            promised = _frames_by_duration(stream, fps)
        if len(times) + hidden < promised:
            raise _cut_short(path, len(times) + 1)
        return MovieIndex(tuple(times), tuple(sorted(keys) or times[:1]), fps)


def _cut_short(path: Path, frame: int) -> InputError:
    return InputError(
        f"{path} is damaged or ends early at frame {frame}, before its header says; copy or export "
        "it again"
    )


def _constant_rate(path: Path, stream: VideoStream, times: list[int]) -> Fraction | None:
    stated = [rate for rate in (stream.average_rate, stream.guessed_rate) if rate]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    if not gaps or stream.time_base is None:
        return exact_rate(stated[0]) if stated else None
    if not all(gaps):
        number = gaps.index(0) + 2
        raise InputError(
            f"{path} gives frames {number - 1} and {number} the same time, so their rate cannot be "
            "told; export it again"
        )
    usual = sorted(gaps)[len(gaps) // 2]
    # Containers round times to their own ticks, milliseconds in Matroska; phones jitter by as much.
    slack = max(usual / 10, 1)
    for number, gap in enumerate(gaps, start=2):
        if abs(gap - usual) > slack:
            raise InputError(
                f"{path} has a variable frame rate (frame {number} is {float(gap / usual):.2f} "
                "times as late as usual); convert it to a constant rate first"
            )
    measured = 1 / (usual * stream.time_base)
    near = [rate for rate in stated if abs(rate / measured - 1) <= 0.1]
    return exact_rate(near[0] if near else measured)


def _frames_by_duration(stream: VideoStream, fps: Fraction | None) -> int:
    """How many frames Matroska's own DURATION tag makes, for it has no count."""
    for name, value in stream.metadata.items():
        match = _DURATION_TAG.fullmatch(value) if name.startswith("DURATION") else None
        if match and fps and stream.time_base is not None:
            seconds = int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])
            seconds -= float((stream.start_time or 0) * stream.time_base)
            return int(seconds * fps + 0.25)  # the tag is in milliseconds, far below a frame
    return 0
