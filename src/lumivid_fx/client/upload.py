"""A plate on its way to the worker, frame by frame and chunk by chunk. Plain state, no lock.

Frames are held until the worker has them on disk. A window bounds the chunks that are under way;
after a reconnect it all goes on at the first frame that the worker does not have whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from lumivid_fx.errors import InputError, LumividError, WireError
from lumivid_fx.protocol.messages import (
    MAX_CHUNK,
    MAX_CHUNKS_UNDER_WAY,
    Limits,
    PixelSource,
    Put,
    Took,
)

AHEAD = MAX_CHUNK * MAX_CHUNKS_UNDER_WAY
"""Bytes of whole frames that are held beside the one being sent."""


class Bytes(Protocol):
    """Whatever `memoryview` takes: bytes, a view, a numpy array of half floats."""

    def __buffer__(self, flags: int, /) -> memoryview: ...


class Upload:
    """What of a plate is under way.

    Args:
        job: The job it is for.
        source: What the plate is.
        need: The first frame that the worker wants; None for none.

    Attributes:
        need: The first frame that the worker does not have whole, as far as is known.
        lost: Whether the connection went; the worker has to be asked what it needs.
        error: Why the worker takes no more.
        taken: Chunks that it has taken.
    """

    def __init__(self, job: str, source: PixelSource, need: int | None) -> None:
        self.job = job
        self.need = self._past(source) if need is None else need
        self.lost = False
        self.error: LumividError | None = None
        self.taken = 0
        self._source = source
        self._frames: dict[int, bytes] = {}
        self._next = (self.need, 0)
        self._under_way = 0
        self._chunk, self._window = MAX_CHUNK, MAX_CHUNKS_UNDER_WAY

    @property
    def whole(self) -> bool:
        """Whether the worker has all frames."""
        return self.need >= self._past(self._source)

    @property
    def has_room(self) -> bool:
        """Whether another frame may be handed over."""
        return len(self._frames) * self._source.frame_bytes < AHEAD

    def add(self, number: int, pixels: bytes) -> None:
        """Hand over the next frame."""
        if number >= self.need:
            self._frames[number] = pixels

    def keep_to(self, limits: Limits) -> None:
        """Send no larger chunks, nor more of them, than the worker allows."""
        self._chunk = min(MAX_CHUNK, limits.chunk)
        self._window = min(MAX_CHUNKS_UNDER_WAY, limits.chunks)

    def due(self) -> Iterator[tuple[Put, memoryview]]:
        """Chunks to send now; they count as sent."""
        while not self.lost and self._under_way < self._window:
            number, offset = self._next
            pixels = self._frames.get(number)
            if pixels is None:
                return
            piece = memoryview(pixels)[offset : offset + self._chunk]
            last = offset + len(piece) == len(pixels)
            self._next = (number + 1, 0) if last else (number, offset + len(piece))
            self._under_way += 1
            yield Put(job=self.job, frame=number, offset=offset), piece

    def took(self, took: Took) -> None:
        """Hear that a chunk was taken in."""
        self._under_way = max(0, self._under_way - 1)
        self.taken += 1
        if took.whole and took.frame == self.need:
            self._frames.pop(took.frame, None)
            self.need = took.frame + 1

    def disconnected(self) -> None:
        """The connection is gone, and with it all that was under way."""
        self.lost = True
        self._under_way = 0

    def resume(self, need: int | None) -> None:
        """Go on at the first frame that the worker wants now.

        Raises:
            WireError: It wants a frame that it had, and that is gone here.
        """
        wanted = self._past(self._source) if need is None else need
        if wanted < self.need:
            raise WireError(
                f"the worker lost frame {wanted} of the plate of job {self.job}, which it had; "
                "submit the plate again under a new id"
            )
        self.need = wanted
        self._frames = {n: pixels for n, pixels in self._frames.items() if n >= wanted}
        self._next = (wanted, 0)
        self.lost = False

    @staticmethod
    def _past(source: PixelSource) -> int:
        return source.first + source.count


def frame_bytes(pixels: Bytes, number: int, source: PixelSource) -> bytes:
    """A copy of one frame's bytes: the caller may use its buffer again.

    Raises:
        InputError: They are not as many as a frame has, or in no single piece.
    """
    try:
        view = memoryview(pixels)
    except TypeError:
        raise InputError(
            f"frame {number} of the plate is {type(pixels).__name__} and holds no bytes; give "
            "bytes or a float16 array"
        ) from None
    if not view.c_contiguous or view.nbytes != source.frame_bytes:
        raise InputError(
            f"frame {number} of the plate has {view.nbytes} bytes, and {source.width} x "
            f"{source.height} x {source.channels} half floats in one piece have "
            f"{source.frame_bytes}"
        )
    return view.tobytes()
