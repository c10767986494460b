"""A shot cut into windows of 8k+1 frames that overlap, and the weights that join them again.

Windows are counted from the plate's first frame, never from the range that was asked for, and never
depend on each other: a frame comes out the same whether the shot is rendered whole, in two runs, or
window by window on many machines.
"""

from __future__ import annotations

from dataclasses import dataclass

from lumivid_fx.errors import InputError


@dataclass(frozen=True)
class Window:
    """A run of frames rendered together; indices count from 0 at the plate's first frame.

    Attributes:
        index: Number of the window, from 0.
        first: First frame.
        last: Last frame that exists, inclusive.
        padded: Frames the model sees, 8k+1; those past `last` repeat it.
        fade_in: Frames at the start shared with the window before.
        fade_out: Frames at the end shared with the window after.
        margin: Of those, frames at the window's very ends without weight: there the model saw
            nothing before or after, and its first latent stands for one frame.
    """

    index: int
    first: int
    last: int
    padded: int
    fade_in: int
    fade_out: int
    margin: int = 0

    @property
    def frames(self) -> range:
        """Its frames that exist."""
        return range(self.first, self.last + 1)

    def weight(self, frame: int) -> float:
        """Share of this window in a frame: a linear fade across each overlap, sums to 1."""
        if frame < self.first + self.fade_in:
            return self._risen(frame - self.first + 1, self.fade_in)
        if frame > self.last - self.fade_out:
            return 1 - self._risen(frame - (self.last - self.fade_out), self.fade_out)
        return 1.0

    def _risen(self, place: int, shared: int) -> float:
        """How far a fade has come at its `place`-th frame, from 1, of those that are shared."""
        return min(1.0, max(0.0, (place - self.margin) / (shared - 2 * self.margin + 1)))


def round_up_frames(count: int, ratio: int = 8) -> int:
    """Smallest ``ratio * k + 1`` of at least `count` and of two latents: a still is 9 frames."""
    return max(1, -(-(count - 1) // ratio)) * ratio + 1


def cut_windows(num_frames: int, length: int, overlap: int, ratio: int = 8) -> list[Window]:
    """Cut a shot into windows.

    Args:
        num_frames: Frames of the whole plate.
        length: Frames of a window, ``ratio * k + 1``.
        overlap: Frames two neighbours share, ``ratio * k + 1``, at most half of `length`, so that
            no frame lies in three windows. Of an overlap of three latents or more, the outer one on
            either side has no weight.
        ratio: Frames a latent covers.

    Returns:
        Windows in order; starts are multiples of `ratio`, so that latents of two windows that cover
        the same frames cover exactly the same frames.

    Raises:
        InputError: Lengths that do not fit the rule.
    """
    if length % ratio != 1 or overlap % ratio != 1 or not 0 < 2 * overlap <= length:
        raise InputError(
            f"a window of {length} frames and an overlap of {overlap} do not fit; both must be one "
            f"more than a multiple of {ratio}, and the overlap at most half the window, such as "
            f"{3 * ratio + 1} and {ratio + 1}"
        )
    stride, margin = length - overlap, ratio if overlap > 3 * ratio else 0
    starts = [0]
    while starts[-1] + length < num_frames:
        starts.append(starts[-1] + stride)
    windows = []
    for index, first in enumerate(starts):
        last = min(first + length, num_frames) - 1
        windows.append(
            Window(
                index=index,
                first=first,
                last=last,
                padded=round_up_frames(last - first + 1, ratio),
                fade_in=overlap if index > 0 else 0,
                fade_out=overlap if index + 1 < len(starts) else 0,
                margin=margin,
            )
        )
    return windows
