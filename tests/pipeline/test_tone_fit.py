"""The curve that undoes a plate's tone: which of the known ones, and what the model insists on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lumivid_fx.color.tone_curves import hable, srgb_encode
from lumivid_fx.color.transfer import LOGC3_REC709, TRANSFERS
from lumivid_fx.pipeline.detail import CLIP_START, lost
from lumivid_fx.pipeline.tone_fit import ToneCurve, fit_tone_curve, known_curves

FRAMES, HEIGHT, WIDTH = 5, 96, 160


def srgb_to_linear(codes: Tensor) -> Tensor:
    """IEC 61966-2-1 inverse."""
    high = ((codes.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(codes <= 0.04045, codes / 12.92, high)


def linear_to_srgb(light: Tensor) -> Tensor:
    """IEC 61966-2-1, clipped."""
    high = 1.055 * light.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(light <= 0.0031308, 12.92 * light, high).clamp(0, 1)


def film(light: Tensor) -> Tensor:
    """A curve with a toe and a shoulder (Hable 2010), white at 4, then sRGB."""

    def shape(x: Tensor) -> Tensor:
        return (x * (0.15 * x + 0.05) + 0.004) / (x * (0.15 * x + 0.5) + 0.06) - 0.0667

    return linear_to_srgb(shape(2 * light) / shape(torch.tensor(8.0)))


def lifted(light: Tensor) -> Tensor:
    """A grade: half a stop up, with a low contrast."""
    return linear_to_srgb(1.41 * light).clamp(0, 1) ** 0.8


def scene(brightest: float = 8.0) -> Tensor:
    """Light ``f 3 h w`` over some 10 stops, in shapes of some 30 pixels."""
    generator = torch.Generator().manual_seed(0)
    grey = torch.randn(FRAMES, 1, 6, 8, generator=generator)
    tint = torch.randn(FRAMES, 3, 6, 8, generator=generator)
    coarse = 2.3 * grey + 0.7 * tint
    stops = F.interpolate(coarse, (HEIGHT, WIDTH), mode="bicubic")
    return (0.18 * torch.exp2(stops)).clamp(max=brightest)


def exposed(display: Tensor) -> Tensor:
    """1 where nothing is lost."""
    return 1 - lost(display)


def error_in_stops(curve: ToneCurve, tone_codes: Tensor, light: Tensor) -> Tensor:
    """How far a curve is from the light behind display codes."""
    found = LOGC3_REC709.inverse(curve(tone_codes).double()).clamp(min=1e-6)
    return (found / light).log2().abs()


@pytest.mark.parametrize("tone", [linear_to_srgb, film, lifted], ids=["srgb", "film", "lifted"])
@pytest.mark.parametrize("softness", [1, 4])
def test_a_known_tone_is_found(tone: Callable[[Tensor], Tensor], softness: int) -> None:
    """From a noisy, soft model of the true light, the plate's curve is fitted to 0.12 stop rms.

    Noise of 0.03 in LogC3 codes is 0.4 stop a pixel, which blocks average away. What stays is the
    stiffness of 17 knots, and blocks that hold clipped pixels: 0.04 to 0.10, measured. Below code
    0.3 the prior that black is black keeps a curve that lifts it half a stop too dark.
    """
    light = scene()
    display = (tone(light) * 255).round() / 255
    noise = torch.randn(light.shape, generator=torch.Generator().manual_seed(1))
    model = F.avg_pool2d(LOGC3_REC709.forward(light), softness)
    model = F.interpolate(model, (HEIGHT, WIDTH), mode="bilinear") + 0.03 * noise
    curve = fit_tone_curve(display, model, exposed(display), LOGC3_REC709)
    probes = torch.logspace(-6, 2, 500, base=2, dtype=torch.float64)
    codes = tone(probes)
    kept = (codes > 0.3) & (codes < CLIP_START)
    wrong = error_in_stops(curve, codes[kept], probes[kept])
    assert float(wrong.square().mean().sqrt()) < 0.12


def test_a_bias_of_the_model_is_taken_over() -> None:
    """A model half a stop too dark gives a curve half a stop too dark: pixels and model agree."""
    light = scene(brightest=0.8)
    display = linear_to_srgb(light)
    model = LOGC3_REC709.forward(light / 2**0.5)
    curve = fit_tone_curve(display, model, exposed(display), LOGC3_REC709)
    probes = torch.logspace(-4, -0.4, 400, base=2, dtype=torch.float64)
    wrong = error_in_stops(curve, linear_to_srgb(probes), probes / 2**0.5)
    assert float(wrong.max()) < 0.1  # as above, without noise


@pytest.mark.parametrize("name", TRANSFERS)
def test_nothing_exposed_gives_plain_srgb(name: str) -> None:
    """Where every pixel clipped there is nothing to fit, and the curve is sRGB's own."""
    display = torch.ones(2, 3, 16, 16)
    transfer = TRANSFERS[name]
    curve = fit_tone_curve(display, torch.rand(2, 3, 16, 16), exposed(display), transfer)
    grid = torch.linspace(0, 1, 256)
    # White is read off the first of 8,192 lights, a five-hundredth apart, that shows as white.
    assert torch.allclose(curve(grid), transfer.forward(srgb_to_linear(grid)), atol=2e-4)


@given(st.integers(0, 2**31), st.sampled_from([0.0, 0.1, 1.0]))
def test_a_fitted_curve_never_falls(seed: int, noise: float) -> None:
    """Whatever the model says, a brighter code of the plate is not darker light."""
    generator = torch.Generator().manual_seed(seed)
    display = torch.rand(1, 3, 12, 12, generator=generator)
    model = noise * torch.randn(1, 3, 12, 12, generator=generator) + 0.5 - 0.4 * display
    curve = fit_tone_curve(display, model, torch.ones(1, 1, 12, 12), LOGC3_REC709)
    values = curve(torch.linspace(-0.1, 1.1, 999))
    assert bool(torch.isfinite(values).all())
    assert float(values.diff().min()) >= 0


@pytest.mark.parametrize("tone", [lambda x: x.clamp(0, 1), hable], ids=["clip", "filmic"])
def test_a_model_in_doubt_is_held_to_the_curves_that_plates_go_through(
    tone: Callable[[Tensor], Tensor],
) -> None:
    """A model that squeezes bright light by a sixth of its code above grey is not believed in it.

    The known curve goes on upwards from where the model is right. What is left of the error at
    code 0.9 is at most three quarters of the model's: the rest passes for a flatter known curve.
    """
    light = scene(brightest=3.0)
    display = (srgb_encode(tone(light)) * 255).round() / 255
    anchored = light * known_grey(tone)
    true = LOGC3_REC709.forward(anchored)
    grain = torch.randn(light.shape, generator=torch.Generator().manual_seed(3))
    blur = F.interpolate(grain[..., ::16, ::16], (HEIGHT, WIDTH), mode="bilinear")
    model = true - (true - 0.45).clamp(min=0) / 6 + 0.03 * blur
    curve = fit_tone_curve(display, model, exposed(display), LOGC3_REC709)
    probes = torch.logspace(-3, 2, 4000, base=2, dtype=torch.float64)
    codes = srgb_encode(tone(probes))
    bright = int(torch.searchsorted(codes.contiguous(), torch.tensor(0.9, dtype=torch.float64)))
    aim = LOGC3_REC709.forward(probes[bright] * known_grey(tone))
    assert abs(float(curve(codes[bright]) - aim)) < 0.75 * float(aim - 0.45) / 6


def known_grey(tone: Callable[[Tensor], Tensor]) -> float:
    """Factor on light that brings what shows as mid grey to mid grey."""
    light = torch.logspace(-2, 0, 20000, dtype=torch.float64)
    return 0.18 / float(light[int((tone(light) < 0.18).sum())])


@pytest.mark.parametrize("name", TRANSFERS)
def test_known_curves_rise_and_keep_grey(name: str) -> None:
    """Each undoes to light that rises with code, and leaves display mid grey where it is.

    A table is straight between two of 256 samples: 0.002 in the steepest code at grey.
    """
    tables, shares = known_curves(TRANSFERS[name])
    assert float(shares.sum()) == pytest.approx(1)
    assert bool((tables.diff(dim=1) >= 0).all())
    grey = srgb_encode(torch.tensor(0.18))
    held = torch.stack([ToneCurve(table)(grey) for table in tables])
    aim = TRANSFERS[name].forward(torch.tensor(0.18))
    assert float((held - aim).abs().max()) < 0.002
