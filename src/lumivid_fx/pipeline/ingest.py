"""The plate's pixels on their way in: to display codes for the model, and to light where known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lumivid_fx.color.display_curves import DISPLAY_CURVES
from lumivid_fx.color.spaces import LINEAR_REC709, ColorSpaces
from lumivid_fx.color.transfer import Transfer
from lumivid_fx.media import Frame
from lumivid_fx.pipeline.detail import CLIP_END, CLIP_START, lost, ramp
from lumivid_fx.pipeline.reference import shrink
from lumivid_fx.pipeline.windows import Window

Pixels = npt.NDArray[np.float32]

DISPLAY_SPACES = ("srgb", "rec709", "gamma22")
"""Input spaces that are display-referred Rec.709: the model sees their codes as they are."""

DEFAULT_VIEW = "srgb"
"""SDR view that a scene-linear plate is put through for the model when none is named."""

KNOWN_WHITE = (1.02, 1.2)
"""Times its view's white, between which a scene-linear plate is trusted to hold more by itself."""


@dataclass(frozen=True)
class Ingest:
    """The plate's pixels as the model and the merge need them.

    Attributes:
        spaces: The colour config.
        space: Space of the plate's pixels.
        view: SDR view the plate was made with, or is put through; None is unknown.
        transfer: The model's curve.
        is_display: Whether the pixels are display codes already.
        white: Light that the view shows as white.
    """

    spaces: ColorSpaces
    space: str
    view: str | None
    transfer: Transfer
    is_display: bool
    white: float

    @classmethod
    def of(cls, spaces: ColorSpaces, space: str, view: str | None, transfer: Transfer) -> Ingest:
        """Check the names.

        Raises:
            InputError: The config has no such space or view.
        """
        is_display = space.lower() in DISPLAY_SPACES
        if not is_display:
            spaces.resolve(space)
        white = spaces.display_to_linear(np.ones((1, 3), np.float32), view or DEFAULT_VIEW)
        return cls(spaces, space, view, transfer, is_display, float(white.max()))

    def display(self, frame: Frame) -> Tensor:
        """Display-referred Rec.709 codes ``3 h w`` in [0, 1]."""
        if self.is_display:
            codes = np.clip(frame.rgb, 0, 1)
        else:
            codes = self.spaces.linear_to_display(self._linear(frame), self.view or DEFAULT_VIEW)
        return torch.from_numpy(codes).permute(2, 0, 1)

    def known(self, frame: Frame) -> Tensor | None:
        """The plate's light as codes of the model's curve ``3 h w``, where it is known."""
        if not self.is_display:
            return self._codes(self._linear(frame))
        if self.view is None:
            return None
        codes = frame.rgb
        if self.view.lower() not in DISPLAY_CURVES:
            # A plain curve goes on above white, where cameras put highlights. The inverse of a tone
            # map does not: ACES' has 16 at code 1 and 47,000 at a superwhite of 1.09.
            codes = np.clip(codes, 0, 1)
        return self._codes(self.spaces.display_to_linear(codes, self.view))

    def known_small(self, display: Tensor) -> Tensor:
        """Undo the view of small display codes ``f 3 h w``."""
        rgb = display.movedim(1, -1).contiguous().numpy()
        light = self.spaces.display_to_linear(rgb, self.view or DEFAULT_VIEW)
        return self._codes(light, channel=1)

    @property
    def has_known(self) -> bool:
        """Whether the plate's light is known: a scene-linear plate, or a named view."""
        return not self.is_display or self.view is not None

    def trust_white(self, known: Tensor) -> Tensor | None:
        """0 where a scene-linear plate holds more than white by itself, 1 where it does not."""
        if self.is_display:
            return None
        peak = self.transfer.inverse(known).amax(dim=0, keepdim=True)
        return 1 - ramp(peak / self.white, *KNOWN_WHITE)

    def holds_more(self, frame: Frame) -> bool:
        """Whether a scene-linear plate holds more than its view's white in earnest.

        One sample in ten thousand, so that a firefly or the overshoot of a filter is not meant.
        """
        if self.is_display:
            return False
        over = self._linear(frame).max(axis=-1) > KNOWN_WHITE[1] * self.white
        return float(over.mean()) > 1e-4

    def from_model(self, codes: Tensor) -> Tensor:
        """The model's codes ``f 3 h w`` with Rec.709 primaries under the same curve.

        Channels clip in Rec.709, the display's primaries, so that is where plate and model meet.
        """
        if self.transfer.primaries == LINEAR_REC709:
            return codes
        light = self.transfer.inverse(codes).movedim(1, -1).contiguous().numpy()
        rec709 = self.spaces.convert(light, self.transfer.primaries, LINEAR_REC709)
        return self._codes(rec709, channel=1)

    def _linear(self, frame: Frame) -> Pixels:
        return self.spaces.convert(frame.rgb, self.space, LINEAR_REC709)

    def _codes(self, light: Pixels, channel: int = 0) -> Tensor:
        return self.transfer.forward(torch.from_numpy(light).movedim(-1, channel))


class SmallFrame(NamedTuple):
    """One frame at the model's size.

    Attributes:
        codes: Display codes ``3 h w``.
        clipped: Share of each pixel that was clipped at full size, ``1 h w``.
        exposed: Share that was well exposed, likewise.
        holds_more: Whether the plate holds more than white by itself.
    """

    codes: Tensor
    clipped: Tensor
    exposed: Tensor
    holds_more: bool


@dataclass
class SmallFrames:
    """The plate at the model's size, for the frames of the window at hand."""

    height: int
    width: int
    frames: dict[int, SmallFrame] = field(default_factory=dict)

    @property
    def frame_bytes(self) -> int:
        """Memory of one of them."""
        return 5 * 4 * self.height * self.width

    def reduce(self, display: Tensor, holds_more: bool = False) -> SmallFrame:
        """Display codes ``3 h w`` of one frame, and what they lost at full size, made small."""
        batch = display[None]
        covered = ramp(batch, CLIP_START, CLIP_END)
        parts = (batch, covered, 1 - lost(batch))
        # The clamp takes off what rounding in the resize may add to 1, no picture.
        codes, clipped, exposed = (
            shrink(part, self.height, self.width)[0].clamp(0, 1) for part in parts
        )
        return SmallFrame(codes, clipped, exposed, holds_more)

    def drop_before(self, index: int) -> None:
        """Forget frames that no later window needs."""
        for old in [i for i in self.frames if i < index]:
            del self.frames[old]

    def stack(self, window: Window) -> tuple[Tensor, Tensor, Tensor]:
        """Display codes, clipped share and exposure of a window's own frames."""
        chosen = [self.frames[i] for i in range(window.first, window.last + 1)]
        return (
            torch.stack([frame.codes for frame in chosen]),
            torch.stack([frame.clipped for frame in chosen]),
            torch.stack([frame.exposed for frame in chosen]),
        )
