"""Frames of a result that are on disk, told of in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lumivid_fx.color.transfer import ClipCount

NOT_COUNTED = ClipCount()


@dataclass(frozen=True)
class FrameFile:
    """A frame of the result that is on disk.

    Attributes:
        number: Frame number.
        path: Its file.
        how: ``rendered`` now, ``kept`` from before, or from the ``cache``.
        clipped: Model samples outside the curve, clamped to it; counted when a frame is rendered.
        half_clamped: Samples beyond half float, clamped to +-65504; likewise.
    """

    number: int
    path: Path
    how: Literal["rendered", "kept", "cache"]
    clipped: ClipCount = NOT_COUNTED
    half_clamped: int = 0


class InOrder:
    """Tells of each frame as soon as all before it have been told of, so that none is overtaken.

    Args:
        tell: Called with each frame.
        numbers: The frames there will be, ascending.
    """

    def __init__(self, tell: Callable[[FrameFile], None], numbers: Iterable[int]) -> None:
        self._tell = tell
        self._next = deque(numbers)
        self._waiting: dict[int, FrameFile] = {}

    def add(self, frame: FrameFile) -> None:
        """Take in a frame that is on disk."""
        self._waiting[frame.number] = frame
        while self._next and self._next[0] in self._waiting:
            self._tell(self._waiting.pop(self._next.popleft()))
