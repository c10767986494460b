"""What only a moving picture can have: change from frame to frame, and flicker.

A camera that turns makes some of both by itself, and blur or lost range makes less of them, so a
figure says something beside the truth's own alone. :class:`Change` sees the frames of a clip one
after the other and holds only the last.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from lumivid_fx.evaluation.pu21 import Array, Float, light_to_pu21, luminance, psnr_of
from lumivid_fx.review import measures


class Change:
    """What changes in a clip.

    Attributes:
        last: PU21 codes of the last frame less those of the one before, or None before there are
            two.
    """

    def __init__(self) -> None:
        self.last: Float | None = None
        self._codes: Float | None = None
        self._psnr: list[float] = []
        self._levels: list[float] = []

    def add(self, codes: Float, light: Array) -> None:
        """See the next frame ``h w 3``: its PU21 codes, and its linear light."""
        if self._codes is not None:
            self.last = codes - self._codes
            self._psnr.append(psnr_of(self.last))
        self._codes = codes
        self._levels.append(float(luminance(light).mean()))

    def frame_to_frame_psnr(self) -> float:
        """Mean PU21-PSNR of each frame against the one before, dB; NaN for a still.

        Source: "F2F-PSNR" of Table 3 of LumiVid (arXiv 2604.11788), which leaves the space out: it
        is PU21 here, as for its other PSNR.
        """
        return float(np.mean(self._psnr)) if self._psnr else float("nan")

    def flicker(self) -> float:
        """Standard deviation over mean of the frames' mean luminance; NaN for a still.

        Source: section 4.1 of LumiVid (arXiv 2604.11788).
        """
        return measures.flicker(self._levels)


def change_of(frames: Iterable[Array]) -> Change:
    """What changes in frames ``h w 3``."""
    change = Change()
    for frame in frames:
        change.add(light_to_pu21(frame), frame)
    return change


def delta_square_error(ours: Change, theirs: Change) -> float | None:
    """Mean square difference of two clips' last changes; None before there are two frames.

    Delta-PSNR is :func:`~.pu21.psnr_of` its root, averaged over the clip: it is infinite where
    result and truth change alike, whatever they look like.
    """
    if ours.last is None or theirs.last is None:
        return None
    return float(np.square(ours.last - theirs.last).mean())
