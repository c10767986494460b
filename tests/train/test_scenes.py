"""Scenes give light that is at least 0, the same for the same chance, of every kind there is."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor

from lumivid_fx.train.scenes import Scenes, made_up_environment

SIZE = (5, 24, 32)
"""Frames, rows, columns."""


def seeded(seed: int = 0) -> Generator:
    """Chance that is the same every time."""
    return Generator().manual_seed(seed)


def even(level: float = 1.0) -> Tensor:
    """A map that is as bright in every direction."""
    return torch.full((3, 32, 64), level)


def stripes() -> Tensor:
    """A map with something to see wherever one looks."""
    x = torch.linspace(0, 1, 64).expand(3, 32, -1)
    return 1 + 0.9 * torch.sin(x * 60)


def test_maps_are_levelled_and_wrapped() -> None:
    """Median luminance 1, the seam's neighbours at both ends, and no sun beyond a half float."""
    bright = even(7.0)
    bright[:, 0, 0] = 1e9
    wrapped = Scenes.of([even(0.02), bright]).wrapped
    assert wrapped.shape == (2, 3, 32, 66)
    assert wrapped.mean(dim=1).flatten(1).median(dim=1).values.tolist() == pytest.approx([1, 1])
    assert torch.equal(wrapped[..., 0], wrapped[..., -2])
    assert torch.equal(wrapped[..., -1], wrapped[..., 1])
    assert float(wrapped.max()) == 60_000
    assert bool(wrapped.half().isfinite().all())


def test_clips_are_light_and_of_chance_alone() -> None:
    """The same generator, the same clips; another, others. All finite, none below 0."""
    scenes = Scenes.of([made_up_environment(32, 64, seeded(i)) for i in range(3)])
    clips = scenes.draw(8, *SIZE, seeded(1))
    assert clips.shape == (8, 5, 3, 24, 32)
    assert bool(clips.isfinite().all())
    assert float(clips.min()) >= 0
    assert torch.equal(clips, scenes.draw(8, *SIZE, seeded(1)))
    assert not torch.equal(clips, scenes.draw(8, *SIZE, seeded(2)))
    assert len({float(clip.sum()) for clip in clips}) == 8


def test_a_camera_has_one_white_balance_for_a_clip() -> None:
    """Half of them neutral, the others within half a stop or so, none drifting."""
    clips = Scenes.of([even()]).draw(64, *SIZE, seeded())
    balance = clips / clips.mean(dim=2, keepdim=True)
    first = balance[:, :1, :, :1, :1]
    assert torch.allclose(balance, first.expand_as(balance), rtol=1e-5)  # float rounding
    stops = first.flatten(1).log2().abs().amax(dim=1)
    assert 0.3 < float((stops < 1e-5).float().mean()) < 0.7
    assert float(stops.max()) < 0.9  # six standard deviations of 0.15 stops


def test_some_clips_hold_two_scenes() -> None:
    """Before an even map, only light that is added or moves before it makes a picture uneven."""
    clips = Scenes.of([even()]).draw(96, *SIZE, seeded(3)).mean(dim=2)
    spread = clips.flatten(1).amax(dim=1) / clips.flatten(1).amin(dim=1) - 1
    held = float((spread > 0.01).float().mean())
    assert 0.1 < held < 0.4  # three in ten, less those whose object stays out of sight
    uneven = clips[spread > 0.01]
    moved = (uneven[:, 1:] - uneven[:, :-1]).abs().flatten(1).amax(dim=1)
    assert float((moved > 1e-3).float().mean()) > 0.9
    level = clips[spread < 0.01].flatten(1)[:, 0]
    assert 0 < int((level > 1.01).sum()) < 0.4 * len(level)  # one in eight: light of two adds


def test_a_moving_camera_shows_another_picture_in_each_frame() -> None:
    """A clip moves, but by little from frame to frame."""
    clips = Scenes.of([stripes()]).draw(16, *SIZE, seeded(5))
    step = (clips[:, 1:] - clips[:, :-1]).abs().mean(dim=(2, 3, 4))
    assert bool((step > 0).all())
    assert bool((step.mean(dim=1) < clips.std(dim=(1, 2, 3, 4))).all())


def test_made_up_maps_span_what_real_ones_do() -> None:
    """Shadows under the middle and lamps over it, by stops; no two alike."""
    maps = torch.stack([made_up_environment(64, 128, seeded(i)) for i in range(12)])
    assert maps.shape == (12, 3, 64, 128)
    assert bool(maps.isfinite().all())
    assert float(maps.min()) >= 0
    luma = maps.mean(dim=1).flatten(1).log2()
    middle = luma.median(dim=1).values
    above = luma.amax(dim=1) - middle
    below = middle - luma.quantile(0.01, dim=1)
    assert float(above.min()) > 3
    assert float(above.max()) > 8
    assert float(below.max()) > 3
    assert len({float(m.sum()) for m in maps}) == 12


def test_a_made_up_map_is_of_chance_alone() -> None:
    """The same generator, the same map."""
    assert torch.equal(
        made_up_environment(32, 64, seeded(7)), made_up_environment(32, 64, seeded(7))
    )
