"""The reader of tone curves: what it counts, and that it tells a clip from a film's shoulder."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lumivid_fx.color.tone_curves import MID_GREY, hable, srgb_encode
from lumivid_fx.color.transfer import LOGC3_REC709
from lumivid_fx.pipeline.tone_fit import known_curves
from lumivid_fx.pipeline.tone_reader import MARKS, marks, read_tone
from lumivid_fx.train import clips

MAP = Path(__file__).parents[1] / "data" / "modern_buildings_2.exr"
"""A map that neither the reader nor the model was trained on."""

SIZE = st.integers(1, 40)


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Smooth and rough pictures in [0, 1]."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) ** 2


@given(
    frames=st.integers(1, 3),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    flat=st.booleans(),
)
def test_any_picture_gives_marks_and_shares(
    frames: int, height: int, width: int, *, flat: bool
) -> None:
    """However small or empty a plate is, its marks are numbers and its shares sum to 1."""
    codes = torch.full((frames, 3, height, width), 0.5) if flat else noise(frames, 3, height, width)
    found = marks(codes)
    assert found.shape == (MARKS,)
    assert bool(torch.isfinite(found).all())
    shares = read_tone(codes)
    assert shares.shape == known_curves(LOGC3_REC709)[1].shape
    assert float(shares.exp().sum()) == pytest.approx(1, abs=1e-5)


def test_marks_do_not_know_left_from_right() -> None:
    """A tone curve does not, so neither may the reader: mirrored and turned pictures are alike.

    81 samples an edge, so that the means over 3 x 3 are of the same samples.
    """
    codes = noise(1, 3, 81, 81)
    plain = marks(codes)
    for other in (codes.flip(-1), codes.flip(-2), codes.transpose(-1, -2), codes.flip(1)):
        assert torch.allclose(marks(other), plain, atol=1e-4)


def test_few_frames_of_a_long_window_are_read() -> None:
    """The first, the last and three between: others may be anything."""
    window = noise(25, 3, 12, 16)
    told = read_tone(window)
    others = [i for i in range(25) if i not in {0, 6, 12, 18, 24}]
    changed = window.clone()
    changed[others] = 0.25
    assert torch.equal(read_tone(changed), told)
    changed[24] = 0.25
    assert not torch.equal(read_tone(changed), told)


def views(yaw_degrees: int) -> Tensor:
    """A view of an unseen map, geometric mean at mid grey: ``1 3 h w``."""
    angles = (math.radians(yaw_degrees), 0.0, 0.0, math.radians(80))
    move = clips.CameraMove(*(torch.tensor([angle]) for angle in angles))
    light = clips.render_view(clips.load_environment(MAP), move, 216, 384)
    return light * MID_GREY / light.clamp(min=1e-6).log().mean().exp()


@pytest.mark.parametrize("yaw", [0, 90, 180, 270])
def test_a_clip_is_told_from_a_shoulder(yaw: int) -> None:
    """Of one scene, what the filmic curve showed just under white is read as brighter.

    The truth there is 1.0 and 5.6 times the display's own light, 1.6 stops apart at code 0.95; half
    of that is asked for.
    """
    tables, _ = known_curves(LOGC3_REC709)
    light = views(yaw)
    read = {}
    for name, shown in (("clip", light.clamp(0, 1)), ("film", hable(light))):
        codes = (srgb_encode(shown) * 255).round() / 255
        curve = read_tone(codes).exp() @ tables.float()
        read[name] = LOGC3_REC709.inverse(curve[[118, 242]])
    stops = [math.log2(float(light[1] / light[0])) for light in (read["film"], read["clip"])]
    assert stops[0] - stops[1] > 0.8
