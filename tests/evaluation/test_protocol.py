"""The protocol of the held-out table: what a delivery keeps, and what one curve undoes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from lumivid_fx.color.display_curves import srgb_to_linear
from lumivid_fx.evaluation import metrics, protocol, pu21
from lumivid_fx.evaluation.protocol import DELIVERIES, Delivery, Light
from lumivid_fx.train import clips

MAP = Path(__file__).parents[1] / "data" / "modern_buildings_2.exr"

HARD_CLIP, CAMERA = DELIVERIES


@pytest.fixture(scope="module")
def view() -> Light:
    """The view of the real map, as the table has it."""
    return protocol.held_out_view(clips.load_environment(MAP))


def slope() -> Light:
    """Twelve stops of grey light from left to right, without detail that JPEG could lose."""
    levels = 2.0 ** np.linspace(-6, 6, 256, dtype=np.float32)
    return np.tile(levels[None, :, None], (64, 1, 3))


def test_view_holds_the_brightest_azimuth() -> None:
    """A lamp on the horizon lies 20 degrees left of the middle, wherever on the map it is."""
    for column in (0, 100, 255):
        environment = torch.full((3, 128, 256), 0.1)
        environment[:, 62:66, column] = 500
        view = protocol.held_out_view(environment)
        assert view.shape == (480, 640, 3)
        y, x = np.unravel_index(view[..., 0].argmax(), view.shape[:2])
        # 320 px are tan 45 degrees; a pixel of the map is 1.4 degrees, about 8 pixels of the view.
        assert x == pytest.approx(319.5 * (1 - np.tan(np.radians(20))), abs=12)
        assert y == pytest.approx(239.5, abs=12)


def test_hard_clip_loses_a_twentieth(view: Light) -> None:
    """Delivery A blows 5 % of the pixels, and sRGB undoes the rest but for 8 bits and JPEG."""
    scene = HARD_CLIP.deliver("scene", view)
    over = scene.truth.max(axis=-1) >= 1
    assert over.mean() == pytest.approx(0.05, abs=0.001)
    below = scene.display.max(axis=-1) < metrics.HIGHLIGHT_CODE
    plain = srgb_to_linear(scene.display)
    # Measured 43.1 dB; what is lost is JPEG's, quality 75.
    assert pu21.pu21_psnr(plain, scene.truth, below) > 40


def test_camera_puts_the_mean_at_grey(view: Light) -> None:
    """Delivery B exposes the geometric mean to 0.18, and its curve is not sRGB's."""
    scene = CAMERA.deliver("scene", view)
    mean = np.exp(np.log(pu21.luminance(scene.truth)).mean())
    # The sun is clamped at 10,000 cd/m^2 after the mean was taken: a few pixels out of 300,000.
    assert mean == pytest.approx(0.18, rel=0.01)
    plain = srgb_to_linear(scene.display)
    clipped = metrics.highlights(scene.display)
    assert metrics.stops_apart(plain, scene.truth, clipped)[0] > 1


@pytest.mark.parametrize("delivery", DELIVERIES, ids=lambda d: d.name)
def test_picture_is_8_bit_jpeg_of_full_size(delivery: Delivery, view: Light) -> None:
    """The display picture holds whole codes only, and the truth stays inside PU21's range."""
    scene = delivery.deliver("scene", view)
    codes = scene.display * np.float32(255)
    assert scene.display.shape == scene.truth.shape == (480, 640, 3)
    assert np.abs(codes - np.rint(codes)).max() < 1e-4  # float32 rounding
    assert scene.truth.min() >= np.float32(5e-5)
    assert scene.truth.max() <= np.float32(100)


@pytest.mark.parametrize("delivery", DELIVERIES, ids=lambda d: d.name)
def test_fitted_curve_undoes_tone(delivery: Delivery) -> None:
    """Where one curve is all there is to know, the fit finds it, down to its codes."""
    lut = protocol.fit_log_lut([delivery.deliver("", slope())])
    scene = delivery.deliver("slope", slope())
    undone = lut[protocol.to_codes(scene.display)]
    below = scene.display.max(axis=-1) < metrics.HIGHLIGHT_CODE
    above = pu21.NITS_RANGE[0] / pu21.WHITE_NITS
    apart = np.abs(np.log2(undone / scene.truth))[below & (scene.truth.min(axis=-1) > 100 * above)]
    # Measured 0.05 stops; one 8-bit code is 0.1 stops at 2 % of white.
    assert np.percentile(apart, 95) < 0.1
    assert bool((np.diff(lut[16:250]) > 0).all())


def test_fitted_curve_gives_clipped_pixels_their_mean() -> None:
    """A blown pixel gets the mean log light of all that blew, the best it can do."""
    lut = protocol.fit_log_lut([HARD_CLIP.deliver("", slope())])
    truth = HARD_CLIP.deliver("slope", slope()).truth
    blown = np.log(truth[truth > 1.1]).mean()
    assert np.log(lut[255]) == pytest.approx(blown, abs=0.1)  # JPEG gives 255 to some just below


def test_random_views_are_the_same_each_time() -> None:
    """The fit does not change from run to run, and takes as many views as were asked for."""
    first, again = (protocol.random_views([MAP, MAP], count=3) for _ in range(2))
    assert [v.shape for v in first] == [(240, 320, 3)] * 3
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], first[2])


def test_clip_turns_past_the_brightest_azimuth() -> None:
    """A lamp moves through the frames from left to right of where it was, never out of them."""
    environment = torch.full((3, 128, 256), 0.1)
    environment[:, 62:66, 100] = 500
    frames = protocol.turning_view(environment)
    assert frames.shape == (17, 256, 384, 3)
    columns = [int(np.unravel_index(f[..., 0].argmax(), f.shape[:2])[1]) for f in frames]
    # 16 degrees of a view 70 degrees wide, and a pixel of the map is 1.4 degrees.
    assert columns[-1] - columns[0] == pytest.approx(90, abs=15)
    assert all(after >= before for before, after in pairwise(columns))


def test_clip_goes_through_x264() -> None:
    """What comes back is as many frames, near what was sent, and not the same."""
    frames = np.stack([np.roll(slope(), 2 * i, axis=1)[:, :128] for i in range(5)])
    scene = CAMERA.deliver_clip("slope", frames)
    _, sent = CAMERA.show(frames)
    assert scene.display.shape == scene.truth.shape == (5, 64, 128, 3)
    apart = np.abs(scene.display - sent)
    assert 0 < apart.mean() < 0.02


def test_hable_is_its_author_s() -> None:
    """Mid grey and white, worked out from the six printed constants."""

    def author(x: float) -> float:
        return (x * (0.15 * x + 0.10 * 0.50) + 0.20 * 0.02) / (
            x * (0.15 * x + 0.50) + 0.20 * 0.30
        ) - 0.02 / 0.30

    shown = protocol.hable(np.array([0.18, 1, 5.6, 50], np.float32))
    expected = [author(2 * x) / author(11.2) for x in (0.18, 1, 5.6)]
    assert shown == pytest.approx([*expected, 1], rel=1e-5)  # float32
