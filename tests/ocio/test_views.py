"""What monitors are shown: the Filmic views by their formula, the others by what they promise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import PyOpenColorIO
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.ocio.configs import REC709, Numbers, greys, read, send, view

from lumivid_fx.color.filmic import CONTRAST, GREY, PEAKS, exponent_and_half
from lumivid_fx.color.transfer import PQ_REC2020

SDR = ("sRGB - Display", "Rec.1886 Rec.709 - Display")
PQ, HLG = "Rec.2100-PQ - Display", "Rec.2100-HLG - Display"
HDR = (PQ, HLG)
EVERY = (*SDR, *HDR)
VIEWS = ["Filmic", "Un-tone-mapped", "False colour (stops)", "Raw"]

RAMP = np.concatenate([np.zeros(1), np.geomspace(1e-4, 65_504, 4000)])
"""Grey light from black to the brightest that half float holds."""


def shown_light(light: npt.ArrayLike, display: str) -> Numbers:
    """Linear Rec.709 light that a monitor gives under Filmic; 1.0 is 100 cd/m2."""
    codes = view(read(), light, display, "Filmic")
    xyz = send(read(), codes, display, "CIE-XYZ-D65")
    to_rec709 = [[3.2409699, -1.5373832, -0.4986108], [-0.9692436, 1.8759675, 0.0415551]]
    to_rec709.append([0.0556301, -0.2039770, 1.0569715])  # IEC 61966-2-1, amendment 1
    return np.asarray(xyz @ np.array(to_rec709).T)


def test_every_monitor_has_every_view() -> None:
    """A script finds the same views wherever it is shown; Filmic comes first."""
    config = read()
    assert tuple(config.getDisplays()) == EVERY
    for display in EVERY:
        assert list(config.getViews(display)) == VIEWS
    assert config.getDefaultView(config.getDefaultDisplay()) == "Filmic"
    assert config.getDefaultViewTransformName() == "Un-tone-mapped"


@pytest.mark.parametrize("display", EVERY)
@pytest.mark.parametrize("name", VIEWS)
def test_views_make_a_shader(display: str, name: str) -> None:
    """Viewers run on graphics cards: each view is expressed in their language."""
    transform = PyOpenColorIO.DisplayViewTransform(src=REC709, display=display, view=name)
    shader = PyOpenColorIO.GpuShaderDesc.CreateShaderDesc()
    read().getProcessor(transform).getDefaultGPUProcessor().extractGpuShaderInfo(shader)
    assert "OCIOMain" in shader.getShaderText()


@pytest.mark.parametrize("display", EVERY)
def test_filmic_is_its_formula(display: str) -> None:
    """Greys come out as peak x^n / (x^n + s^n), as far as float32 goes."""
    peak = 10.0 if display in HDR else 1.0
    exponent, half = exponent_and_half(peak)
    light = RAMP[RAMP > 0.01]
    expected = peak / (1 + (half / light) ** exponent)
    got = shown_light(greys(light), display)
    # 2e-5: codes in float32 of PQ, whose 79th power multiplies their rounding.
    np.testing.assert_allclose(got, greys(expected), rtol=3e-5)


@pytest.mark.parametrize("display", EVERY)
def test_mid_grey_stays_with_the_same_contrast(display: str) -> None:
    """From an SDR monitor to an HDR one the picture stays the same, but for the highlights."""
    low, grey, high = shown_light(greys([GREY * 0.999, GREY, GREY * 1.001]), display)[:, 1]
    assert grey == pytest.approx(0.18, rel=1e-5)
    slope = np.log(high / low) / np.log(1.001 / 0.999)
    assert slope == pytest.approx(CONTRAST, abs=5e-3)  # float32 codes, over a step of 0.2 %


@pytest.mark.parametrize("display", EVERY)
def test_filmic_rises_and_keeps_greys_grey(display: str) -> None:
    """Brighter light is never darker on screen, and grey has no hue."""
    codes = view(read(), greys(RAMP), display, "Filmic")
    assert (np.diff(codes[:, 1]) >= -1e-6).all()  # float32 rounding, near the peak
    assert (np.diff(codes[(RAMP > 1e-3) & (RAMP < 100), 1]) > 0).all()
    # Half of an 8-bit step would be 2e-3.
    np.testing.assert_allclose(codes, greys(codes[:, 1]), atol=5e-6)


@pytest.mark.parametrize("display", EVERY)
@given(colour=st.tuples(*[st.floats(-100, 65_504, width=32)] * 3))
def test_codes_stay_within_the_monitor(display: str, colour: tuple[float, float, float]) -> None:
    """No light, negative, saturated or blinding, asks a monitor for what it has not."""
    codes = view(read(), [colour], display, "Filmic")
    assert codes.min() >= -1e-6  # float32 rounding of a matrix's zero
    assert codes.max() <= 1 + 1e-6
    if display == PQ:
        assert codes.max() <= 0.7519  # 1000 cd/m2, SMPTE ST 2084


def test_peaks() -> None:
    """The brightest light is the monitor's peak: 100 cd/m2, or 1000."""
    brightest = greys([65_504.0])
    for display in SDR:
        assert view(read(), brightest, display, "Filmic") == pytest.approx(1, abs=1e-5)
    thousand = PQ_REC2020.forward(torch.tensor(10.0, dtype=torch.float64)).item()
    assert thousand == pytest.approx(0.751827, abs=1e-6)  # ITU-R BT.2408, 1000 cd/m2: 75 %
    assert view(read(), brightest, PQ, "Filmic") == pytest.approx(thousand, abs=1e-5)
    assert view(read(), brightest, HLG, "Filmic") == pytest.approx(1, abs=1e-5)
    assert sorted(PEAKS.values()) == [1, 10]


@pytest.mark.parametrize("display", HDR)
def test_highlights_go_on_above_sdr_white(display: str) -> None:
    """Four stops over grey is three times SDR's white on an HDR monitor, and not yet its peak."""
    four, six = shown_light(greys([GREY * 16, GREY * 64]), display)[:, 1]
    assert four == pytest.approx(3.518, abs=1e-3)
    assert six == pytest.approx(7.470, abs=1e-3)
    sdr = shown_light(greys([GREY * 16]), SDR[0])[0, 1]
    assert sdr == pytest.approx(0.927, abs=1e-3)


@pytest.mark.parametrize("display", EVERY)
def test_bright_colours_pale_and_keep_their_hue(display: str) -> None:
    """A red light turns pink and white as it brightens, neither yellow nor for ever red."""
    stops = 2.0 ** np.arange(-2, 14)
    for hue in ([1.0, 0.02, 0.02], [0.02, 0.02, 1.0], [1.0, 0.3, 0.02]):
        given = np.array(hue) * stops[:, None]
        light = shown_light(given, display)
        first, middle, last = (light[:, index] for index in np.argsort(hue)[::-1])
        assert last[-1] > 0.75 * first[-1]
        inside = view(read(), given, display, "Filmic").max(axis=1) < 1
        if display != HLG:  # BT.2100's gamma leaves HLG no codes for saturated light near its peak
            inside[:] = True
        assert (first >= middle - 1e-5)[inside].all()
        assert (middle >= last - 1e-5)[inside].all()
    red = shown_light(np.array([[1.0, 0.02, 0.02]]) * stops[:, None], display)
    np.testing.assert_allclose(red[:, 1], red[:, 2], rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("display", SDR)
def test_filmic_can_be_undone(display: str) -> None:
    """A plate that was made with the view gives its light back where it did not clip."""
    light = np.random.default_rng(8).uniform(0.02, 4, (500, 3))
    light = 0.7 * light + 0.3 * light.mean(axis=1, keepdims=True)  # colours within the gamut
    codes = view(read(), light, display, "Filmic")
    inside = ((codes > 0.01) & (codes < 0.99)).all(axis=1)
    undo = PyOpenColorIO.DisplayViewTransform(
        src=REC709,
        display=display,
        view="Filmic",
        direction=PyOpenColorIO.TRANSFORM_DIR_INVERSE,
    )
    assert inside.sum() > 400
    back = send(read(), codes[inside], undo)
    # At code 0.99 the curve is flat: float32's step of a code is 1e-5 of the light and more.
    np.testing.assert_allclose(back, light[inside], rtol=2e-4)


@pytest.mark.parametrize("display", EVERY)
def test_raw_and_un_tone_mapped(display: str) -> None:
    """Raw shows numbers as they are; un-tone-mapped shows the scene's light itself."""
    numbers = np.random.default_rng(9).uniform(0.01, 0.99, (200, 3))
    raw = PyOpenColorIO.DisplayViewTransform(src="Raw", display=display, view="Raw")
    assert np.array_equal(send(read(), numbers, raw), numbers.astype(np.float32))
    codes = view(read(), numbers, display, "Un-tone-mapped")
    xyz = send(read(), codes, display, "CIE-XYZ-D65")
    expected = send(read(), numbers, REC709, "cie_xyz_d65_interchange")
    np.testing.assert_allclose(xyz, expected, rtol=3e-5)  # float32 codes of PQ, as above


def test_an_infinite_neighbour_does_no_harm() -> None:
    """One broken pixel stays one."""
    light = greys([0.18, np.inf, 0.18])
    shown = view(read(), light, SDR[0], "Filmic")
    assert np.array_equal(shown[0], shown[2])
    assert np.isfinite(shown[0]).all()
