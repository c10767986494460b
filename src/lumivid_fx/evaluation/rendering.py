"""Pictures in memory through the tool, as it renders a plate from disk."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.evaluation.protocol import FPS, Light
from lumivid_fx.media import Frame, Plate, Windows
from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.pipeline.noise import SeededNoise
from lumivid_fx.pipeline.render_shot import ShotSettings, render_shot


class Pictures(Plate):
    """Pictures in memory as a plate.

    Args:
        display: ``f h w 3`` float32 sRGB codes in [0, 1].
        fps: Frames a second.
    """

    def __init__(self, display: Light, fps: Fraction | None = FPS) -> None:
        self.source = "pictures"
        count, self.height, self.width = display.shape[:3]
        self.frame_numbers = range(1, count + 1)
        self.fps = fps
        self.space = "srgb"
        self.has_alpha = False
        self._display = display

    def read(self, number: int) -> Frame:
        """Give one picture; they count from 1."""
        windows = Windows.whole(self.width, self.height)
        return Frame(number, self._display[number - 1], None, windows, {})

    def close(self) -> None:
        """Let go of nothing."""


def render_pictures(
    display: Light, model: HdrModel, spaces: ColorSpaces, view: str | None = None
) -> Light:
    """Render a still ``h w 3`` or a clip ``f h w 3`` of display codes to linear Rec.709 light.

    Args:
        display: sRGB codes in [0, 1].
        model: The model, with its own settings.
        spaces: The colour config.
        view: SDR view the pictures were made with; None is unknown.
    """
    frames = display[None] if display.ndim == 3 else display
    plate, settings = Pictures(frames), ShotSettings(source_view=view)
    noise, numbers = SeededNoise(settings.seed), plate.frame_numbers
    rendered = render_shot(plate, plate, model, settings, noise, spaces, numbers, lambda _: None)
    light = np.stack([frame.rgb for frame in rendered])
    return light[0] if display.ndim == 3 else light
