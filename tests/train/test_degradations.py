"""Tone curves rise and stay in range; degradations change the reference alone, within [0, 1]."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lumivid_fx.train import degradations


@given(st.integers(0, 2**31))
def test_every_tone_curve_rises_within_the_display(seed: int) -> None:
    """Any curve drawn is increasing from 0 to at most 1."""
    curve = degradations.random_tone_curve(torch.Generator().manual_seed(seed))
    shown = curve(torch.linspace(0, 50, 500))
    assert float(shown.min()) >= 0
    assert float(shown.max()) <= 1
    assert bool((shown.diff() >= -1e-6).all())  # float rounding near the shoulder


@given(st.integers(0, 2**31))
def test_grey_scale_puts_display_grey_on_scene_grey(seed: int) -> None:
    """The light that is shown as 0.18 counts as 0.18 in the target."""
    curve = degradations.random_tone_curve(torch.Generator().manual_seed(seed))
    scale = degradations.grey_scale(curve)
    shown = float(curve(torch.tensor(degradations.MID_GREY / scale)))
    assert shown == pytest.approx(degradations.MID_GREY, rel=0.01)  # the table's step is 0.6 %


def test_clip_needs_no_scale() -> None:
    """A plain clip shows light as it is."""
    assert degradations.grey_scale(lambda x: x.clamp(0, 1)) == pytest.approx(1.0, rel=0.01)


def test_hable_has_its_published_shape() -> None:
    """Bias 2 and white 11.2: the white point reaches 1, and 0.18 lies at 0.1284."""
    light = torch.tensor([0.0, 0.18, 5.6])
    assert degradations.hable(light).tolist() == pytest.approx([0.0, 0.1284, 1.0], abs=2e-4)


def test_degraded_codes_are_eight_bit_and_in_range() -> None:
    """Whatever faults are drawn, the reference is what an 8-bit file holds."""
    codes = torch.rand(2, 3, 24, 32, generator=torch.Generator().manual_seed(0))
    for seed in range(20):
        out = degradations.degrade(codes, torch.Generator().manual_seed(seed))
        assert torch.allclose(out * 255, (out * 255).round(), atol=1e-4)
        assert 0 <= float(out.min()) <= float(out.max()) <= 1


def test_exposure_clips_at_most_a_quarter() -> None:
    """Between 0 and 25 % of the pixels reach white."""
    light = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 7
    for seed in range(20):
        scale = degradations.random_exposure(light, torch.Generator().manual_seed(seed))
        share = float(((light * scale).amax(dim=1) >= 1.0001).float().mean())
        assert share <= 0.255  # a quantile of 4,096 pixels


def test_srgb_encode_has_its_published_points() -> None:
    """IEC 61966-2-1: 0.18 -> 0.4614, and both ends fixed."""
    out = degradations.srgb_encode(torch.tensor([0.0, 0.0031308, 0.18, 1.0]))
    assert out.tolist() == pytest.approx([0.0, 0.04045, 0.46136, 1.0], abs=1e-4)
