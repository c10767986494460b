"""Baselines: published points, and what each may do to a picture."""

from __future__ import annotations

import numpy as np
import pytest

from lumivid_fx.color.display_curves import linear_to_srgb
from lumivid_fx.evaluation import baselines
from lumivid_fx.evaluation.baselines import BASELINES


def grey(*codes: float) -> np.ndarray:
    """Grey pixels of these codes, ``1 n 3``."""
    return np.array(codes, np.float32)[None, :, None].repeat(3, axis=2)


@pytest.mark.parametrize("name", BASELINES)
def test_black_is_black_and_more_is_more(name: str) -> None:
    """A ramp of codes becomes a ramp of light that starts at 0 and never falls."""
    ramp = grey(*np.linspace(0, 1, 256)).repeat(16, axis=0)
    light = BASELINES[name](ramp)
    assert light.dtype == np.float32
    assert light[:, 0].max() < 1e-6
    assert np.diff(light[0, :, 0]).min() >= 0


def test_bt2446_a_points() -> None:
    """White is 1000 cd/m2; the report's own curve at half the codes of a display of gamma 2.4."""
    half = float(linear_to_srgb(np.array(0.5**2.4, np.float32)))
    light = baselines.bt2446_a_inverse(grey(half, 1))[0, :, 0]
    # By hand: the exponent is 1.20367, 127.5 to it 342.2, and (342.2 / 1000) ** 2.4 = 0.0763.
    expected = 127.5 ** np.polyval([2.8305e-6, -7.4622e-4, 1.2528], 127.5)
    assert expected == pytest.approx(342.2, abs=0.1)
    # The exponents are printed to five digits: white is 1000 within a thousandth.
    assert light == pytest.approx([(expected / 1000) ** 2.4 * 10, 10], rel=3e-3)


def test_bt2446_c_inverts_the_report() -> None:
    """Through the report's tone curve the light is the SDR again, on both sides of the bend."""
    display = grey(0.2, 0.5, 0.7, 0.8, 0.9, 1)
    sdr = BASELINES["sRGB linearised"](display)[0, :, 0] * 100
    nits = baselines.bt2446_c_inverse(display)[0, :, 0].astype(np.float64) * 100
    bend = 58.5 / 0.83802
    forward = np.where(
        nits < bend,
        0.83802 * nits,
        15.09968 * np.log(np.maximum(nits / bend - 0.74204, 1e-9)) + 78.99439,
    )
    # The report rounds its bend to 58.5, where it is 58.535.
    assert forward == pytest.approx(sdr, abs=0.05)
    assert nits[-1] == pytest.approx(332, abs=1)


def test_hue_is_kept() -> None:
    """Method C and Kovaleski's operator scale a pixel, they do not turn it."""
    display = np.random.default_rng(0).uniform(0.1, 1, (24, 24, 3)).astype(np.float32)
    plain = BASELINES["sRGB linearised"](display)
    for name in ("BT.2446 C inverse", "Kovaleski-Oliveira"):
        ratio = BASELINES[name](display) / plain
        # float32
        np.testing.assert_allclose(ratio, ratio[..., :1].repeat(3, axis=2), rtol=1e-5)


def test_kovaleski_brightens_what_clipped_up_to_its_edge() -> None:
    """A blown square reaches towards the display's peak, the dark wall beside it stays."""
    display = np.full((120, 160, 3), 0.2, np.float32)
    display[30:90, 40:120] = 1
    light = baselines.kovaleski_oliveira(display)
    plain = BASELINES["sRGB linearised"](display)
    gain = light / plain
    assert gain[60, 80, 0] > 12
    assert gain.max() <= baselines.DISPLAY_PEAK_NITS / 100 + 1e-3
    assert gain[60, 30, 0] < 1.1
    assert gain[5, 5, 0] < 1.1


def test_bilateral_grid_keeps_a_flat_picture() -> None:
    """Smoothing what is flat changes nothing, whatever the guide."""
    guide = np.random.default_rng(0).uniform(0, 1, (40, 50)).astype(np.float32)
    smooth = baselines.cross_bilateral(np.full((40, 50), 0.5, np.float32), guide, 8, 0.1)
    assert smooth == pytest.approx(np.full((40, 50), 0.5), abs=1e-5)  # float32
