"""Tone curves rise and stay in range; degradations change the reference alone, within [0, 1]."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Generator, Tensor

from lumivid_fx.color.display_curves import srgb_to_linear
from lumivid_fx.color.tone_curves import MID_GREY, ToneCurves, hable, srgb_encode
from lumivid_fx.train.degradations import (
    CURVE_SHARES,
    Faults,
    degrade,
    random_exposures,
    random_tone_curves,
    transform_coded,
)

CLIP, HABLE = 0, 1
NONE = Faults(contrast=0, blur=0, noise=0, compression=0)
TABLE_STEP = 10 ** (5 / 1023)
"""Ratio of neighbours in the table that grey is looked up in: 1,024 levels over five decades."""


def seeded(seed: int = 0) -> Generator:
    """Chance that is the same every time."""
    return Generator().manual_seed(seed)


def of_kind(kind: int, count: int = 1, seed: int = 0, gamma: float | None = None) -> ToneCurves:
    """Curves of one family, parameters drawn."""
    curves = random_tone_curves(count, seeded(seed))
    shown = curves.gamma if gamma is None else torch.full_like(curves.gamma, gamma)
    return replace(curves, kind=torch.full_like(curves.kind, kind), gamma=shown)


def pictures(count: int = 1, frames: int = 1, height: int = 96, width: int = 144) -> Tensor:
    """Codes ``b f 3 h w`` with ramps, edges and texture; frames move."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    made = []
    for index in range(count * frames):
        wave = torch.sin((x + 3 * index) / 3.1) * torch.sin(y / (4.3 + index))
        ramps = torch.stack([x / width, y / height, (x + y) / (width + height)])
        edge = ((x + 5 * index) // 24 % 2 == 0) & (y > height // 2)
        made.append(0.8 * ramps + 0.08 * wave + 0.12 * edge)
    clips: Tensor = torch.stack(made).unflatten(0, (count, frames)).clamp(0, 1)
    return clips


@given(st.integers(0, 2**31))
def test_every_tone_curve_rises_within_the_display(seed: int) -> None:
    """Any curve drawn is increasing from 0 to at most 1."""
    shown = random_tone_curves(8, seeded(seed)).encode(torch.linspace(0, 50, 500).expand(8, -1))
    assert float(shown.min()) >= 0
    assert float(shown.max()) <= 1
    assert bool((shown.diff() >= -1e-6).all())  # float rounding near the shoulder


@pytest.mark.parametrize("kind", range(len(CURVE_SHARES)))
def test_every_family_is_drawn_and_tells_light_apart(kind: int) -> None:
    """As often as its share says; shadows, grey and highlights have codes of their own."""
    drawn = random_tone_curves(4000, seeded(1)).kind
    share = float((drawn == kind).float().mean())
    assert share == pytest.approx(CURVE_SHARES[kind], abs=0.03)  # four standard errors
    codes = of_kind(kind, 50).encode(torch.tensor([0.0, 0.02, MID_GREY, 0.6]).expand(50, -1))
    assert bool((codes.diff() > 0.03).all())


@given(st.integers(0, 2**31))
def test_grey_scale_puts_display_grey_on_scene_grey(seed: int) -> None:
    """The light that counts as 0.18 in the target is the least in the table shown as 0.18."""
    curves = random_tone_curves(8, seeded(seed))
    light = MID_GREY / curves.grey_scale()
    grey = float(srgb_encode(torch.tensor(MID_GREY)))
    assert bool((curves.encode(light) >= grey - 1e-5).all())
    assert bool((curves.encode(light / TABLE_STEP) <= grey + 1e-5).all())


def test_a_plain_clip_shows_light_as_it_is() -> None:
    """It needs no scale, and its sRGB codes are light again, up to white."""
    curves = of_kind(CLIP, gamma=0)
    assert float(curves.grey_scale()) == pytest.approx(1.0, rel=TABLE_STEP - 1)
    light = torch.linspace(0, 2, 301)[None]
    back = srgb_to_linear(curves.encode(light).numpy())
    assert np.allclose(back, light.clamp(max=1).numpy(), atol=1e-6)  # float rounding


def test_gamma_is_a_power_where_there_is_one() -> None:
    """0 is sRGB's own curve, any other number an exponent."""
    codes = of_kind(CLIP, gamma=2.4).encode(torch.tensor([[0.0, MID_GREY, 1.0]]))
    assert codes[0].tolist() == pytest.approx([0, MID_GREY ** (1 / 2.4), 1], abs=1e-3)


def test_curves_of_a_batch_are_each_clips_own() -> None:
    """A clip is encoded alone as among others."""
    light = pictures(6, 2, 8, 8) * 3
    curves = random_tone_curves(6, seeded(4))
    whole = curves.encode(light)
    for index in range(6):
        own = ToneCurves(
            curves.kind[index : index + 1],
            curves.first[:, index : index + 1],
            curves.second[:, index : index + 1],
            curves.gamma[index : index + 1],
        )
        assert torch.equal(own.encode(light[index : index + 1])[0], whole[index])


def test_hable_has_its_published_shape() -> None:
    """Bias 2 and white 11.2: the white point reaches 1, and 0.18 lies at 0.1284."""
    light = torch.tensor([0.0, 0.18, 5.6])
    assert hable(light).tolist() == pytest.approx([0.0, 0.1284, 1.0], abs=2e-4)


def test_srgb_encode_has_its_published_points() -> None:
    """IEC 61966-2-1: 0.18 -> 0.4614, and both ends fixed."""
    out = srgb_encode(torch.tensor([0.0, 0.0031308, 0.18, 1.0]))
    assert out.tolist() == pytest.approx([0.0, 0.04045, 0.46136, 1.0], abs=1e-4)


@pytest.mark.parametrize(("kind", "by_highlights"), [(CLIP, 0.75), (HABLE, 0.3)])
def test_exposure_is_by_the_highlights_or_by_the_mean(kind: int, by_highlights: float) -> None:
    """By the highlights 0 to 25 % of the samples reach white; of hard curves more are exposed so.

    Light is even in stops over 16 of them, so that by the mean about a third would reach white.
    """
    count = 256
    stops = 16 * torch.rand(1, 1, 1, 64, 64, generator=seeded(1)) - 8
    light = torch.exp2(stops).expand(count, -1, 3, -1, -1)
    scale = random_exposures(light, of_kind(kind, count), seeded(2))
    share = (light[:1].amax(dim=2).flatten() * scale[:, None] >= 1.0001).float().mean(dim=1)
    few = share <= 0.251  # a quantile of 4,096 samples
    assert float(few.float().mean()) == pytest.approx(by_highlights, abs=0.12)  # 4 standard errors
    middle = torch.log2(scale[~few] * light[0].log().mean().exp() / MID_GREY)
    assert float(middle.abs().max()) < 3  # five standard deviations of 0.6 stops


def test_degraded_codes_are_eight_bit_and_in_range() -> None:
    """Whatever faults are drawn, the reference is what an 8-bit file holds."""
    codes = torch.rand(20, 2, 3, 24, 32, generator=seeded())
    out = degrade(codes, seeded(1))
    assert out.shape == codes.shape
    assert torch.allclose(out * 255, (out * 255).round(), atol=1e-4)
    assert 0 <= float(out.min()) <= float(out.max()) <= 1
    left = (out - codes).abs().amax(dim=(1, 2, 3, 4)) <= 0.5 / 255 + 1e-6
    assert 0 < int(left.sum()) < 10  # by the shares, one in six is spared


def test_without_faults_codes_are_rounded_alone() -> None:
    """To 8 bits, to the nearest."""
    codes = torch.rand(3, 2, 3, 20, 28, generator=seeded())
    assert torch.equal(degrade(codes, seeded(), NONE), (codes * 255).round() / 255)


def test_contrast_turns_about_the_middle_for_a_whole_clip() -> None:
    """One factor a clip, from its first frame to its last."""
    codes = pictures(8, 3, 16, 32) * 0.5 + 0.25
    out = degrade(codes, seeded(), replace(NONE, contrast=1))
    far = (codes - 0.5).abs() > 0.2
    factors = [((o - 0.5) / (c - 0.5))[f] for o, c, f in zip(out, codes, far, strict=True)]
    assert all(float(f.max() - f.min()) < 0.02 for f in factors)  # rounding, at a fifth from 0.5
    assert all(0.84 < float(f.mean()) < 1.16 for f in factors)
    assert max(float(f.mean()) for f in factors) - min(float(f.mean()) for f in factors) > 0.05


def test_blur_leaves_the_middle_alone() -> None:
    """It takes the highlights or the shadows of a clip, never both."""
    codes = torch.rand(16, 1, 1, 40, 60, generator=seeded()).expand(-1, -1, 3, -1, -1)
    out = degrade(codes, seeded(1), replace(NONE, blur=1))
    moved = (out - codes).abs() > 0.5 / 255 + 1e-6
    assert not bool(moved[(codes >= 0.2) & (codes <= 0.8)].any())
    bright = (moved & (codes > 0.8)).any(dim=(1, 2, 3, 4))
    dark = (moved & (codes < 0.2)).any(dim=(1, 2, 3, 4))
    assert bool((bright != dark).all())
    assert bright.any()
    assert dark.any()


def test_noise_has_the_spread_that_was_drawn() -> None:
    """0.002 to 0.02, new in each frame."""
    codes = torch.full((12, 2, 3, 40, 60), 0.5)
    out = degrade(codes, seeded(), replace(NONE, noise=1))
    spread = (out - 0.5).std(dim=(1, 2, 3, 4))
    assert 0.0015 < float(spread.min()) < 0.008  # 8-bit steps of 0.004 among it
    assert 0.012 < float(spread.max()) < 0.021
    assert not torch.equal(out[:, 0], out[:, 1])


@pytest.mark.parametrize(
    ("colours", "quality", "off", "apart"),
    [
        *[(3, quality, 0.01, 0.3) for quality in (40, 60, 75, 90, 97)],
        *[(1, quality, 0.06, 0.65) for quality in (40, 60, 75, 90)],
    ],
)
def test_coding_loses_what_jpeg_loses(colours: int, quality: int, off: float, apart: float) -> None:
    """Beside libjpeg by Pillow at the same quality: as much is lost, and it is the same that is.

    Theirs is rounded to 8 bits on its way to Y'CbCr and back, which shows where little is lost: in
    grey grain, whose chroma is even.
    """
    grain = 0.05 * torch.randn(1, 1, colours, 96, 144, generator=seeded())
    codes = ((pictures() + grain).clamp(0, 1) * 255).round() / 255
    ours = (transform_coded(codes, torch.tensor([float(quality)])).clamp(0, 1) * 255).round() / 255
    picture = np.rint(codes[0, 0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality, subsampling=2)
    theirs = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1) / 255
    lost, as_lost = (float((x - codes).abs().mean()) for x in (ours, theirs))
    assert lost == pytest.approx(as_lost, rel=off)
    assert float((ours - theirs).abs().mean()) < apart * as_lost


def test_coding_takes_odd_sizes_and_each_clips_own_quality() -> None:
    """No pixel is added; the worse quality loses more."""
    codes = pictures(1, 2, 37, 51).expand(2, -1, -1, -1, -1)
    out = transform_coded(codes, torch.tensor([15.0, 95.0]))
    assert out.shape == codes.shape
    worse, better = (out - codes).abs().mean(dim=(1, 2, 3, 4)).tolist()
    assert worse > 2 * better
    alone = transform_coded(codes[1:], torch.tensor([95.0]))
    assert torch.allclose(alone[0], out[1], atol=1e-6)  # float rounding


def test_even_grey_passes_any_coding() -> None:
    """A picture with nothing in it but a level of the coarsest step stays as it is."""
    codes = torch.full((1, 1, 3, 32, 32), 128 / 255)
    out = transform_coded(codes, torch.tensor([10.0]))
    assert torch.allclose(out, codes, atol=1e-5)  # float rounding
