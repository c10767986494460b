"""Windows from elsewhere: a shot is the same bits whoever renders its windows, and where."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.color.transfer import Transfer
from lumivid_fx.errors import InputError
from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.model.manifest import Manifest
from lumivid_fx.pipeline.ingest import SmallFrames
from lumivid_fx.pipeline.noise import SeededNoise
from lumivid_fx.pipeline.render_shot import ShotSettings, render_shot
from lumivid_fx.pipeline.shot_windows import ShotWindows
from lumivid_fx.pipeline.windows import Window

from .plates import Clip

SETTINGS = ShotSettings(sigmas=((1.0, 0.0),), generated=True)


class Elsewhere:
    """Windows that a model has rendered, kept in memory; it has no weights of its own."""

    def __init__(self, model: HdrModel, codes: dict[int, Tensor]) -> None:
        self.manifest: Manifest = model.manifest
        self.transfer: Transfer = model.transfer
        self.digest, self.lora = model.digest, model.lora
        self.temporal_ratio, self.stages = model.temporal_ratio, model.stages
        self.device = torch.device("cpu")
        self._codes = codes

    def codes(self, window: Window) -> Tensor:
        """One of them."""
        return self._codes[window.index]


@pytest.mark.parametrize("count", [1, 50])
def test_windows_from_elsewhere_give_the_same_bits(
    quick_model: HdrModel, spaces: ColorSpaces, count: int
) -> None:
    """Each window rendered alone, last one first, then merged without a model."""
    plate = Clip(19, 24, count)
    shot = ShotWindows.of(plate, quick_model, SETTINGS, SeededNoise(0), spaces)
    codes = {}
    for window in reversed(shot.windows):
        small = SmallFrames(shot.height, shot.width)
        for index in range(window.first, window.last + 1):
            small.frames[index] = shot.reduce(plate.read(plate.frame_numbers[index]))
        codes[window.index] = shot.codes(
            window, small.stack(window)[0], quick_model, lambda *_: None
        )
    here, there = (
        list(
            render_shot(
                plate,
                plate,
                model,
                SETTINGS,
                SeededNoise(0),
                spaces,
                plate.frame_numbers,
                lambda _: None,
            )
        )
        for model in (quick_model, Elsewhere(quick_model, codes))
    )
    assert [f.source.number for f in there] == list(plate.frame_numbers)
    for one, other in zip(here, there, strict=True):
        assert np.array_equal(one.rgb, other.rgb)
        assert np.array_equal(one.generated, other.generated)  # type: ignore[arg-type]  # asked for
        assert one.clipped == other.clipped


def test_settings_that_do_not_fit_are_refused_before_a_window(
    quick_model: HdrModel, spaces: ColorSpaces
) -> None:
    """Two stages for a model of one."""
    settings = ShotSettings(sigmas=((1.0, 0.0), (0.9, 0.0)))
    with pytest.raises(InputError, match="settings name 2 sigma schedules"):
        ShotWindows.of(Clip(16, 16, 1), quick_model, settings, SeededNoise(0), spaces)
