"""Windows of a long shot: no join can be found, and no window needs another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.pipeline.noise import SeededNoise
from lumivid_fx.pipeline.render_shot import ShotSettings, render_shot
from lumivid_fx.pipeline.render_window import Sampling, render_window
from lumivid_fx.pipeline.windows import cut_windows

from .plates import Clip, picture

COUNT, LENGTH, OVERLAP = 121, 57, 25

SETTINGS = ShotSettings(sigmas=((1.0, 0.6, 0.0),), detail=0.0, window=LENGTH, overlap=OVERLAP)

Codes = Callable[..., Tensor]


class StillClip(Clip):
    """One picture again and again."""

    def read(self, number: int) -> object:  # type: ignore[override] # a Frame, as Clip's is
        """The first frame, under another number."""
        return replace(super().read(1), number=number)


@pytest.fixture
def codes(local_model: HdrModel, spaces: ColorSpaces) -> Codes:
    """Codes ``f h w 3`` of a rendered clip."""

    def run(plate: Clip, settings: ShotSettings = SETTINGS) -> Tensor:
        frames = render_shot(
            plate,
            plate,
            local_model,
            settings,
            SeededNoise(0),
            spaces,
            plate.frame_numbers,
            lambda _: None,
        )
        return torch.stack(
            [local_model.transfer.forward(torch.from_numpy(frame.rgb)) for frame in frames]
        )

    return run


def steps(values: Tensor) -> Tensor:
    """How much each frame differs from the one before, rms."""
    return values.diff(dim=0).square().mean(dim=(1, 2, 3)).sqrt()


def joins() -> Tensor:
    """Whether a step touches the fade between two windows."""
    windows = cut_windows(COUNT, LENGTH, OVERLAP)
    assert len(windows) == 3
    at = torch.zeros(COUNT - 1, dtype=torch.bool)
    for window in windows[1:]:
        at[window.first - 1 : window.first + OVERLAP] = True
    return at


def test_still_plate_stays_still(codes: Codes) -> None:
    """Flicker of a still plate is no more across a join than inside a window.

    Weights are random, so that noise alone makes each frame another; 5 % is its spread by chance.
    """
    flicker, at = steps(codes(StillClip(24, 24, COUNT))), joins()
    assert float(flicker[at].max()) <= 1.05 * float(flicker[~at].max())
    assert float(flicker[at].mean()) <= 1.05 * float(flicker[~at].mean())


def test_windows_and_the_whole(codes: Codes) -> None:
    """Against the shot rendered whole: across a join frames change as those of the whole do.

    What a window's first latents know less of the plate's past is nearly gone where it fades in:
    the difference is a tenth of the picture's spread, and from frame to frame less than a third of
    what the picture moves.
    """
    plate = Clip(24, 24, COUNT)
    whole = codes(plate, replace(SETTINGS, window=COUNT, overlap=1))
    ours, at = codes(plate), joins()
    error = ours - whole
    assert float(error[1:][at].square().mean().sqrt()) < 0.15 * float(whole.std())
    assert float(steps(error)[at].max()) < 0.3 * float(steps(whole)[at].mean())
    assert torch.allclose(steps(ours)[at], steps(whole)[at], rtol=0.05)


@torch.no_grad()
def test_high_quality_shows_each_frame_twice(quick_model: HdrModel) -> None:
    """2 N - 1 frames go through, every other comes back, in the plate's own time."""
    shown = torch.stack([torch.from_numpy(picture(24, 32, n)).permute(2, 0, 1) for n in range(9)])
    sampling = Sampling(SeededNoise(0), ((1.0, 0.0),), 24.0, high_quality=True)
    seen: list[int] = []
    hook = quick_model.vae.encoder.register_forward_pre_hook(
        lambda _, args: seen.append(args[0].shape[2])
    )
    try:
        ours = render_window(quick_model, shown, 16, sampling, lambda *_: None)
    finally:
        hook.remove()
    assert seen == [17]
    doubled = shown.repeat_interleave(2, dim=0)[:-1]
    plain = replace(sampling, high_quality=False)
    by_hand = render_window(quick_model, doubled, 32, plain, lambda *_: None)[::2]
    assert torch.equal(ours, by_hand)
