"""The virtual camera sees what a real one would in the middle of the map."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lumivid_fx.train.clips import (
    CameraMove,
    chance,
    find_maps,
    normal,
    random_move,
    random_moves,
    render_view,
    render_views,
    uniform,
    wrap_columns,
)


def still(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0, fov: float = 60.0) -> CameraMove:
    """One frame of a camera, angles in degrees."""
    return CameraMove(*(torch.tensor([math.radians(a)]) for a in (yaw, pitch, roll, fov)))


def spot(longitude: float, latitude: float) -> Tensor:
    """A dark map with one bright patch at these angles in degrees; 1 degree a pixel."""
    environment = torch.zeros(3, 180, 360)
    row, column = round(90 - latitude), round(longitude + 180) % 360
    environment[:, row - 1 : row + 1, [(column - 1) % 360, column]] = 1.0
    return environment


def brightest(picture: Tensor) -> tuple[float, float]:
    """Column and row of the brightest light, as fractions from the middle."""
    weight = picture[0, 0]
    height, width = weight.shape
    rows = torch.linspace(-1, 1, height)[:, None]
    columns = torch.linspace(-1, 1, width)
    total = weight.sum()
    return float((weight * columns).sum() / total), float((weight * rows).sum() / total)


@pytest.mark.parametrize("longitude", [0.0, 75.0, 179.5, -120.0])
def test_camera_turned_at_a_light_sees_it_in_the_middle(longitude: float) -> None:
    """Also across the map's seam at 180 degrees."""
    picture = render_view(spot(longitude, 0.0), still(yaw=longitude), 61, 81)
    column, row = brightest(picture)
    assert abs(column) < 0.03  # a pixel of the map is 0.03 of half of this view
    assert abs(row) < 0.03


def test_light_to_the_right_and_above_appears_there() -> None:
    """A light 15 degrees right and 10 up, seen 60 degrees wide, lies where the pinhole puts it."""
    column, row = brightest(render_view(spot(15.0, 10.0), still(), 61, 81))
    half = math.tan(math.radians(30))
    assert column == pytest.approx(math.tan(math.radians(15)) / half, abs=0.04)
    height = math.tan(math.radians(10)) / math.cos(math.radians(15)) / (half * 61 / 81)
    assert row == pytest.approx(-height, abs=0.05)


def test_pitch_up_brings_a_high_light_down_to_the_middle() -> None:
    """A light at 40 degrees is in the middle of a camera that looks up by 40."""
    column, row = brightest(render_view(spot(0.0, 40.0), still(pitch=40.0), 61, 81))
    assert abs(column) < 0.04
    assert abs(row) < 0.04


def test_constant_light_stays_constant() -> None:
    """No view, pole and seam included, darkens or brightens an even map."""
    move = random_move(9, torch.Generator().manual_seed(3))
    picture = render_view(torch.full((3, 64, 128), 0.7), move, 36, 64)
    assert picture.shape == (9, 3, 36, 64)
    assert torch.allclose(picture, torch.full_like(picture, 0.7), atol=1e-5)  # float rounding


def test_cameras_of_a_batch_see_what_each_sees_alone() -> None:
    """Clips of a batch are those of single cameras in single maps."""
    maps = torch.rand(3, 3, 32, 64, generator=torch.Generator().manual_seed(0))
    moves = random_moves(3, 5, torch.Generator().manual_seed(1))
    together = render_views(wrap_columns(maps), moves, 18, 32)
    assert together.shape == (3, 5, 3, 18, 32)
    for index in range(3):
        own = CameraMove(*(a[index] for a in (moves.yaw, moves.pitch, moves.roll, moves.fov)))
        assert torch.allclose(together[index], render_view(maps[index], own, 18, 32), atol=1e-6)


def test_moves_are_small_and_each_cameras_own() -> None:
    """A hand or a mount: no frame jumps, no two cameras look alike, none zooms beyond its lens."""
    moves = random_moves(200, 25, torch.Generator().manual_seed(2))
    assert moves.yaw.shape == moves.fov.shape == (200, 25)
    for angle in (moves.yaw, moves.pitch, moves.roll):
        assert float(angle.diff().abs().max()) < math.radians(5)  # seven deviations of 0.7 degrees
        assert len(angle[:, 0].unique()) == 200
    assert float(moves.yaw[:, 0].min()) < -3 < 3 < float(moves.yaw[:, 0].max())
    assert 0.5 <= float(moves.fov.min()) < float(moves.fov.max()) <= 2


def test_draws_have_the_spread_that_is_asked_for() -> None:
    """Evenly between two ends, normally about zero, and true as often as told."""
    generator = torch.Generator().manual_seed(3)
    drawn = uniform(10_000, -2, 6, generator)
    assert float(drawn.min()) >= -2
    assert float(drawn.max()) <= 6
    # Four standard errors of 10,000 draws, each.
    assert float(drawn.mean()) == pytest.approx(2, abs=0.1)
    assert float(normal(10_000, 0.5, generator).std()) == pytest.approx(0.5, abs=0.015)
    assert float(chance(10_000, 0.3, generator).float().mean()) == pytest.approx(0.3, abs=0.02)


def test_held_out_maps_are_left_out(tmp_path: Path) -> None:
    """By their stem, in order of their names; other files are no maps."""
    for name in ("b.exr", "a.exr", "a_2.exr", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in find_maps(tmp_path, ["a"])] == ["a_2.exr", "b.exr"]
