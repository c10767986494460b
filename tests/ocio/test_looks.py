"""False colours at the stops they name, and exposures."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import PyOpenColorIO
import pytest
from tests.ocio.configs import LOSSLESS, greys, look, read, view

from lumivid_fx.color.display_curves import linear_to_srgb
from lumivid_fx.color.looks import BRIGHTNESS, EXPOSURES, FALSE_COLOUR, LAST_STOP, exposure_name

BANDS = range(-LAST_STOP - 1, LAST_STOP + 2)
SRGB = "sRGB - Display"
GUIDE = Path(__file__).parents[2] / "docs" / "ocio.md"
FAST = PyOpenColorIO.OPTIMIZATION_DEFAULT


def codes(stops: list[float]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The sRGB codes of greys so many stops from mid grey."""
    light = look(read(), greys([0.18 * 2**stop for stop in stops]), FALSE_COLOUR)
    return linear_to_srgb(light.astype(np.float32))


@pytest.mark.parametrize("band", BANDS)
def test_each_stop_is_one_flat_colour(band: int) -> None:
    """A band reaches half a stop to either side of its own, whichever way it is computed."""
    inside = [band - 0.48, band - 0.2, band, band + 0.2, band + 0.48]
    colours = codes(inside)
    np.testing.assert_allclose(colours, colours[:1].repeat(5, axis=0), atol=1e-6)
    light = greys([0.18 * 2**stop for stop in inside])
    exact, quick = (
        view(read(), light, SRGB, "False colour (stops)", how=h) for h in (LOSSLESS, FAST)
    )
    np.testing.assert_allclose(quick, exact, atol=1e-3)  # a quarter of an 8-bit step


def test_bands_differ_and_grow_brighter() -> None:
    """Neighbours are told apart, by brightness alone if need be; its steps are even."""
    colours = codes([float(band) for band in BANDS])
    brightness = colours @ np.array(BRIGHTNESS, np.float32)
    # Six bands lie on a curve between their neighbours, whose red or blue is cut at 0 or 1.
    np.testing.assert_allclose(brightness, np.linspace(0, 1, len(BANDS)), atol=8e-3)
    apart = np.abs(np.diff(colours, axis=0)).max(axis=1)
    assert apart.min() > 0.1


@pytest.mark.parametrize("band", [*BANDS][:-1])
def test_edges_lie_half_way(band: int) -> None:
    """A colour changes half a stop above its own, within a fiftieth of a stop."""
    below, above = codes([band + 0.48, band + 0.52])
    assert np.abs(above - below).max() > 0.1
    np.testing.assert_allclose([below, above], codes([float(band), band + 1.0]), atol=1e-6)


def test_mid_grey_is_grey_and_the_ends_are_black_and_white() -> None:
    """What stands out as colour is not at mid grey; what no band has is black or white."""
    under, grey, over = codes([-20, 0, 20])
    np.testing.assert_allclose(grey, 0.5, atol=1e-5)
    np.testing.assert_allclose([under, over], [[0] * 3, [1] * 3], atol=1e-5)
    negative = look(read(), [[-1.0, -1.0, -1.0], [0.0, 0.0, 0.0]], FALSE_COLOUR)
    np.testing.assert_allclose(negative, 0, atol=1e-5)


def test_colour_is_by_luminance() -> None:
    """A saturated light has the band of its luminance."""
    weights = np.array([0.2126, 0.7152, 0.0722])
    for primary in np.eye(3):
        light = primary * 0.18 / (primary @ weights)  # mid grey's luminance
        np.testing.assert_allclose(look(read(), [light], FALSE_COLOUR), codes_of_grey(), atol=1e-5)


def codes_of_grey() -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """The light of the middle band."""
    return look(read(), greys([0.18]), FALSE_COLOUR)


def test_guide_has_the_colours() -> None:
    """The table in docs/ocio.md is what the config does."""
    rows = re.findall(r"^\| (\S+) \| `#(\w{6})` \|", GUIDE.read_text("utf-8"), re.MULTILINE)
    names = ["under", *(f"{band:+d}" if band else "0" for band in BANDS[1:-1]), "over"]
    assert [name for name, _ in rows] == names
    printed = np.array([[*bytes.fromhex(colour)] for _, colour in rows])
    shown = codes([float(band) for band in BANDS]) * 255
    assert np.abs(printed - shown).max() <= 0.51  # rounded to 8 bits


@pytest.mark.parametrize("stops", EXPOSURES)
def test_exposures(stops: int) -> None:
    """Light is doubled or halved so many times, negative light too, and comes back."""
    light = np.random.default_rng(10).uniform(-1, 50, (500, 3))
    name = exposure_name(stops)
    # 2e-6: float32, through ACEScg and back.
    np.testing.assert_allclose(look(read(), light, name), light * 2.0**stops, rtol=2e-6, atol=1e-5)
    back = look(read(), look(read(), light, name), f"-{name}")
    np.testing.assert_allclose(back, light, rtol=1e-5, atol=1e-5)


def test_looks_follow_each_other() -> None:
    """Names with signs in them stand in a chain of looks."""
    chain = f"+{exposure_name(2)}, +{exposure_name(-1)}"
    np.testing.assert_allclose(look(read(), greys([1.0]), chain), 2, rtol=1e-6)
