"""Detail: the plate's own pixels where it is well exposed, the model's where it is not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lumivid_fx.color.display_curves import DISPLAY_CURVES
from lumivid_fx.color.transfer import LOGC3_REC709
from lumivid_fx.pipeline.detail import (
    CLIP_END,
    CLIP_START,
    CRUSH_END,
    CRUSH_START,
    SPOKEN,
    WindowDetail,
    lost,
    ramp,
    window_detail,
)
from lumivid_fx.pipeline.tone_fit import ToneCurve

FRAMES, HEIGHT, WIDTH = 5, 96, 160


def srgb_to_linear(codes: Tensor) -> Tensor:
    """IEC 61966-2-1 inverse."""
    high = ((codes.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(codes <= 0.04045, codes / 12.92, high)


def linear_to_srgb(light: Tensor) -> Tensor:
    """IEC 61966-2-1, clipped."""
    high = 1.055 * light.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(light <= 0.0031308, 12.92 * light, high).clamp(0, 1)


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


def detail_of(model: Tensor, display: Tensor, known: Tensor | None = None) -> WindowDetail:
    """A window's detail, the model at the plate's own size, its light ``3 h w`` known or not."""
    coverage = ramp(display, CLIP_START, CLIP_END)
    told = None if known is None else lambda _: known.expand_as(model)
    return window_detail(model, display, coverage, exposed(display), told, LOGC3_REC709)


def merged(
    model: Tensor, display: Tensor, known: Tensor, amount: float = 1, trust: Tensor | None = None
) -> Tensor:
    """The first frame merged, its light known."""
    return detail_of(model, display, known).merge(0, display[0], known, amount, trust)[0]


def test_a_curve_is_linear_between_its_samples() -> None:
    """Codes between are met half-way, those beyond are held at the ends."""
    curve = ToneCurve(torch.tensor([0.0, 0.2, 1.0]))
    found = curve(torch.tensor([-1.0, 0.0, 0.25, 0.5, 0.75, 1.0, 2.0]))
    assert found.tolist() == pytest.approx([0, 0, 0.1, 0.2, 0.6, 1, 1])


def test_ramp_is_smooth() -> None:
    """0 before, 1 after, half in the middle, either way round."""
    values = torch.tensor([0.0, 0.2, 0.3, 0.4, 1.0])
    assert ramp(values, 0.2, 0.4).tolist() == pytest.approx([0, 0, 0.5, 1, 1])
    assert ramp(values, 0.4, 0.2).tolist() == pytest.approx([1, 1, 0.5, 0, 0])


def test_lost_takes_the_worst_channel() -> None:
    """One channel that clipped, or was crushed, is enough."""
    pixels = torch.tensor([[0.5, 0.5, 0.5], [0.5, 1.0, 0.5], [0.5, 0.0, 0.5], [0.9, 0.1, 0.05]])
    assert lost(pixels.T[None, :, :, None]).flatten().tolist() == [0, 1, 1, 0]


def test_amount_0_is_the_model_alone() -> None:
    """Neither the plate nor what is known of it moves a bit of the model's codes."""
    display, model = torch.rand(FRAMES, 3, 24, 24), torch.rand(FRAMES, 3, 24, 24)
    known = torch.rand(3, 24, 24)
    for index in range(FRAMES):
        fitted = detail_of(model, display).merge(index, display[index], None, 0, None)[0]
        told = detail_of(model, display, known).merge(index, display[index], known, 0, None)[0]
        assert torch.equal(fitted, model[index])
        assert torch.equal(told, model[index])


def test_well_exposed_pixels_are_the_plates() -> None:
    """Between crush and clip the result is the plate through the curve, exactly."""
    display = CRUSH_START + torch.rand(1, 3, 40, 40) * (CLIP_START - CRUSH_START)
    model, known = torch.rand(1, 3, 40, 40), torch.rand(3, 40, 40)
    curve = ToneCurve(torch.linspace(0.1, 0.6, 256))
    fitted = replace(detail_of(model, display), curve=curve)
    assert torch.equal(fitted.merge(0, display[0], None, 1, None)[0], curve(display[0]))
    assert torch.equal(merged(model, display, known), known)


def test_amount_is_a_mix() -> None:
    """Half the detail is half-way between the model and the full merge."""
    display, model, known = torch.rand(1, 3, 9, 9), torch.rand(1, 3, 9, 9), torch.rand(3, 9, 9)
    full, half = (merged(model, display, known, amount) for amount in (1.0, 0.5))
    assert torch.allclose(half, (full + model[0]) / 2, atol=1e-6)


@pytest.mark.parametrize("amount", [0.0, 0.25, 1.0])
def test_mask_tells_what_is_the_models(amount: float) -> None:
    """0 the plate's own, 1 the model's; without detail all is the model's."""
    display = torch.tensor([0.5, 1.0, 1.0, 1.0, 0.0, 0.0]).expand(1, 3, 1, 6)
    known = torch.full((3, 1, 6), 0.5)
    # Brighter than the clip, half a step brighter, and not; darker than the crush, and not.
    model = torch.tensor([0.9, 0.9, 0.5 + SPOKEN / 2, 0.2, 0.2, 0.9]).expand(1, 3, 1, 6)
    detail = WindowDetail(model, model, torch.ones_like(model), None)
    codes, generated = detail.merge(0, display[0], known, amount, None)
    taken = torch.tensor([[[0.0, 1.0, 0.5, 0.0, 1.0, 0.0]]])
    assert torch.allclose(generated, 1 - amount * (1 - taken), atol=1e-5)
    if amount == 1:
        own = generated[0] == 0
        assert torch.equal(codes[:, own], known[:, own])


def test_mask_is_of_the_channel_that_has_most() -> None:
    """A pixel of which red alone clipped is not the plate's own any more."""
    display, known = torch.tensor([1.0, 0.5, 0.5]).view(3, 1, 1), torch.full((3, 1, 1), 0.5)
    model = torch.tensor([0.9, 0.5, 0.5]).view(1, 3, 1, 1)
    detail = WindowDetail(model, model, torch.ones_like(model), None)
    assert float(detail.merge(0, display, known, 1, None)[1]) == 1


@given(st.integers(0, 2**31))
def test_mask_says_no_more_than_was_handed_over(seed: int) -> None:
    """Nowhere above the hand-over's weight; and 0 just where every channel is the plate's own."""
    generator = torch.Generator().manual_seed(seed)
    display = (torch.rand(3, 10, 10, generator=generator) * 1.2 - 0.1).clamp(0, 1)
    model, known = torch.rand(2, 3, 10, 10, generator=generator)
    detail = WindowDetail(model[None], model[None], torch.ones(1, 3, 10, 10), None)
    codes, generated = detail.merge(0, display, known, 1, None)
    weight = ramp(display, CLIP_START, CLIP_END) + ramp(display, CRUSH_START, CRUSH_END)
    assert bool((generated <= weight.amax(dim=0, keepdim=True)).all())
    own = (codes == known).all(dim=0)
    # A model that goes beyond the plate by less than float32 can add to it is the plate's too.
    assert bool((generated[0][own] < 1e-4).all())
    assert bool((generated[0][~own] > 0).all())


def test_mask_of_a_plate_that_holds_its_light_is_empty() -> None:
    """White that the file itself goes beyond is the file's own."""
    display, known = torch.ones(1, 3, 4, 4), torch.full((3, 4, 4), 0.57)
    detail = detail_of(torch.full((1, 3, 4, 4), 0.9), display, known)
    assert float(detail.merge(0, display[0], known, 1, torch.zeros(1, 4, 4))[1].max()) == 0


@given(st.integers(0, 2**31))
def test_clipped_pixels_are_never_below_the_clip(seed: int) -> None:
    """The model may only brighten what clipped, and only darken what was crushed."""
    generator = torch.Generator().manual_seed(seed)
    display = (torch.rand(1, 3, 10, 10, generator=generator) * 1.2 - 0.1).clamp(0, 1)
    model, known = torch.rand(2, 3, 10, 10, generator=generator)
    result = merged(model[None], display, known)
    middle = display[0] > 0.5
    assert bool((result[middle] >= known[middle]).all())
    assert bool((result[~middle] <= known[~middle]).all())


def test_clipped_pixels_are_the_models() -> None:
    """White all over, the model's light comes in whole."""
    display, known = torch.ones(1, 3, 8, 8), torch.full((3, 8, 8), 0.57)
    assert torch.allclose(merged(torch.full((1, 3, 8, 8), 0.8), display, known), torch.tensor(0.8))


def test_nothing_clipped_invents_no_highlight() -> None:
    """However bright the model dreams, a plate below the clip stays below it."""
    display = torch.rand(1, 3, 30, 30) * (CLIP_START - CRUSH_START) + CRUSH_START
    known = LOGC3_REC709.forward(srgb_to_linear(display))[0]
    assert torch.equal(merged(torch.ones(1, 3, 30, 30), display, known), known)


def test_a_scene_linear_plate_keeps_its_ends() -> None:
    """Where the file itself holds more than white, or lies around black, the model is silent."""
    display = torch.tensor([1.0, 1.0, 0.0, 0.0]).expand(1, 3, 1, 4)
    known = LOGC3_REC709.forward(torch.tensor([30.0, 1.0, 1e-4, -0.5])).expand(3, 1, 4)
    trust = torch.tensor([0.0, 1.0, 1.0, 1.0]).view(1, 1, 4)
    model = torch.tensor([0.95, 0.95, 0.0928, 0.0928]).expand(1, 3, 1, 4)
    result = merged(model, display, known, trust=trust)
    assert torch.equal(result[:, 0, [0, 2, 3]], known[:, 0, [0, 2, 3]])
    assert result[0, 0, 1] == pytest.approx(0.95)


def test_hand_over_is_soft() -> None:
    """Across the clip's edge the model comes in without a step, and never backwards."""
    display = torch.linspace(CLIP_START - 0.02, 1, 400).expand(1, 3, 1, 400)
    known = LOGC3_REC709.forward(srgb_to_linear(display[0]))
    result = merged(torch.full((1, 3, 1, 400), 0.9), display, known)
    assert float(result.diff(dim=-1).min()) >= -1e-6  # rounding of what is level
    # 0.33 codes over the last two or three 8-bit codes before the clip's end, in steps of 0.0002.
    assert float(result.diff(dim=-1).max()) < 0.01


def test_a_small_model_lights_a_large_plate() -> None:
    """A highlight of a sample at a quarter size covers its pixels; its dark neighbours stay out."""
    display = torch.full((1, 3, 32, 32), 0.3)
    display[..., 12:20, 12:20] = 1.0
    small = torch.full((1, 3, 8, 8), 0.3)
    small[..., 3:5, 3:5] = 0.9
    shown, coverage, clear = (
        F.avg_pool2d(x, 4) for x in (display, ramp(display, CLIP_START, CLIP_END), exposed(display))
    )
    known = LOGC3_REC709.forward(srgb_to_linear(display[0]))
    small_known = F.avg_pool2d(known[None], 4)
    detail = window_detail(small, shown, coverage, clear, lambda _: small_known, LOGC3_REC709)
    result = detail.merge(0, display[0], known, 1, None)[0]
    inside = result[:, 12:20, 12:20]
    # Weights of uncovered samples are a thousandth: 0.6 codes of them are 0.0006 and some. How
    # bright the whole is follows the dark wall around it, which model and plate agree on.
    assert float(inside.max() - inside.min()) < 2e-3
    assert float(inside.mean()) == pytest.approx(0.9, abs=0.1)
    outside = display[0] < 0.5
    assert torch.equal(result[outside], known[outside])


def test_grain_of_the_decoder_is_smoothed_in_highlights_alone() -> None:
    """A pattern finer than the grain goes, a lamp's own level stays, and so does the plate."""
    display = torch.full((1, 3, 48, 48), 0.4)
    display[..., 12:36, 12:36] = 1.0
    checker = (torch.arange(48)[:, None] + torch.arange(48)) % 2 * 0.1 - 0.05
    model = torch.where(display == 1, torch.tensor(0.8), torch.tensor(0.3)) + checker
    plate = LOGC3_REC709.forward(srgb_to_linear(display))
    parts = (display, ramp(display, CLIP_START, CLIP_END), exposed(display), lambda _: plate)
    spread = {}
    for grain in (1, 8):
        detail = window_detail(model, *parts, LOGC3_REC709, grain_px=grain)
        result = detail.merge(0, display[0], plate[0], 1, None)[0]
        assert torch.equal(result[display[0] < 1], plate[display < 1])
        lamp = result[:, 14:34, 14:34]
        spread[grain] = float(lamp.std())
        assert float(lamp.mean()) == pytest.approx(0.8, abs=0.1)
    # Two running means of nine take a checkerboard down by 81.
    assert spread[8] < 0.1 * spread[1]


def test_highlights_meet_the_plate_below_the_clip() -> None:
    """A model that is too dark by a third of a stop gives highlights that are not."""
    light = scene(brightest=20)
    display = linear_to_srgb(light)
    truth = LOGC3_REC709.forward(light)
    plate = LOGC3_REC709.forward(srgb_to_linear(display))
    coverage = ramp(display, CLIP_START, CLIP_END)
    args = (display, coverage, exposed(display), lambda _: plate, LOGC3_REC709)
    blown = (light[0] > 1.01).all(dim=0)
    assert int(blown.sum()) > 100
    result = window_detail(truth - 0.1, *args).merge(0, display[0], plate[0], 1, None)[0]
    # Blocks at the rim of a highlight hold some clipped pixels, whose light is not the plate's.
    wrong = (result - truth[0])[:, blown]
    assert float(wrong.abs().mean()) < 0.03


@pytest.mark.parametrize("view", ["srgb", "hable"])
@pytest.mark.parametrize("wall", [0.05, 0.88])
def test_highlights_rise_as_far_as_the_curve_reaches(view: str, wall: float) -> None:
    """Under a film's shoulder by the rise for each stop it reaches, under a plain clip not at all.

    The published filmic curve has 4.5 stops from mid grey to white, 2.0 more than a clip. Beside a
    wall just below the clip nothing is lifted: there the brim says how bright it is.
    """

    def known(codes: Tensor) -> Tensor:
        light = DISPLAY_CURVES[view].to_linear(codes.contiguous().numpy())
        return LOGC3_REC709.forward(torch.from_numpy(light))

    display = torch.full((1, 3, 48, 48), wall)
    display[..., 20:28, 20:28] = 1.0
    plate = known(display)
    lamp = plate + 0.1
    parts = (display, ramp(display, CLIP_START, CLIP_END), exposed(display), known, LOGC3_REC709)

    def light(rise: float) -> Tensor:
        highlights = window_detail(lamp, *parts, rise=rise).highlights
        return LOGC3_REC709.inverse(highlights)[0, :, 20:28, 20:28]

    stops = torch.log2(light(0.5) / light(0.0))
    middle, edge = stops[:, 4, 4], stops[:, 0]
    lifted = 0.99 if view == "hable" else 0.0
    assert torch.allclose(middle, torch.full_like(middle, lifted), atol=0.03) or wall > 0.75
    assert torch.allclose(edge, torch.full_like(edge, lifted if wall < 0.75 else 0), atol=0.03)


@pytest.mark.parametrize(("view", "stops"), [("srgb", 0.25), ("hable", 1.24)])
def test_inside_of_a_highlight_lies_over_white(view: str, stops: float) -> None:
    """However dark a model draws what clipped, and never under what it does draw.

    Under the published filmic curve, which reaches 2.0 stops beyond a clip, half a stop for each.
    It grows from the edge; and where all around is just below the clip, as in a sky round the sun,
    there is none of it, for it would be seen as a ring.
    """

    def known(codes: Tensor) -> Tensor:
        light = DISPLAY_CURVES[view].to_linear(codes.contiguous().numpy())
        return LOGC3_REC709.forward(torch.from_numpy(light))

    display = torch.full((1, 3, 96, 96), 0.3)
    display[..., 24:72, 24:72] = 1.0
    white = LOGC3_REC709.inverse(known(torch.ones(1, 3, 1, 1)))
    parts = (ramp(display, CLIP_START, CLIP_END), exposed(display), known, LOGC3_REC709)

    def highlights(model: Tensor, least: float, wall: float = 0.3) -> Tensor:
        seen = display.clamp(min=wall)
        found = window_detail(model, seen, *parts, rise=0.5, least=least).highlights
        return torch.log2(LOGC3_REC709.inverse(found) / white)[0, :, 24:72, 24:72]

    dark = known(display.clamp(max=0.8))
    assert float(highlights(dark, 0.0).max()) < stops - 0.2
    lamp = highlights(dark, 0.25)
    sky = known(display.clamp(min=0.88))
    ring = (highlights(sky, 0.25, wall=0.88) - highlights(sky, 0.0, wall=0.88))[:, 0]
    assert float(ring.abs().max()) < 0.001  # the wall counts as brim by 0.96, not wholly
    assert torch.allclose(lamp[:, 24, 24], torch.full((3,), stops), atol=0.03)
    # Four of nine samples around a corner clipped, on which it is half of it.
    assert torch.allclose(lamp[:, 0, 0], torch.full((3,), stops * 0.48), atol=0.03)
    steps = torch.cat([lamp.diff(dim=1).flatten(), lamp.diff(dim=2).flatten()])
    assert float(steps.abs().max()) < 0.7
    sun = torch.where(display == 1, LOGC3_REC709.forward(8 * white), known(display))
    assert torch.equal(highlights(sun, 0.25), highlights(sun, 0.0))


def test_highlights_are_steady() -> None:
    """What changes within a few frames goes, in what clipped; a slow change and the plate stay."""
    frames = 25
    display = torch.full((frames, 3, 16, 16), 0.4)
    display[..., 4:12, 4:12] = 1.0
    slow = torch.linspace(0.7, 0.8, frames).view(-1, 1, 1, 1)
    waver = 0.05 * (-1.0) ** torch.arange(frames).view(-1, 1, 1, 1)
    plate = LOGC3_REC709.forward(srgb_to_linear(display))
    model = torch.where(display == 1, slow + waver, plate)
    parts = (display, ramp(display, CLIP_START, CLIP_END), exposed(display))

    def lamp(grain_frames: int) -> Tensor:
        detail = window_detail(
            model,
            *parts,
            lambda codes: LOGC3_REC709.forward(srgb_to_linear(codes)),
            LOGC3_REC709,
            grain_frames=grain_frames,
        )
        merged = [detail.merge(i, display[i], plate[i], 1, None)[0] for i in range(frames)]
        outside = display < 1
        assert torch.equal(torch.stack(merged)[outside], plate[outside])
        return torch.stack(merged)[:, :, 6:10, 6:10].mean(dim=(1, 2, 3))

    wavering, steady = lamp(1), lamp(9)
    assert float(wavering.diff().abs().mean()) > 0.09
    # A tent of nine to each side takes what alternates down by 81, and follows a slope but at its
    # ends; what is left is a constant, by which the whole window is moved to meet the plate.
    left = (steady - slow.flatten())[8:-8]
    assert float((left - left.mean()).abs().max()) < 0.001


@pytest.mark.parametrize("frames", [1, 2, 5, 9])
def test_short_shots_are_steadied_too(frames: int) -> None:
    """A shot of fewer frames than the decoder wavers over; of one frame nothing changes."""
    display = torch.ones(frames, 3, 16, 16)
    model = 0.7 + 0.05 * (-1.0) ** torch.arange(frames).view(-1, 1, 1, 1).expand_as(display)
    parts = (display, torch.ones_like(display), exposed(display), srgb_to_linear, LOGC3_REC709)
    lamp = window_detail(model, *parts, grain_frames=9).highlights[:, 0, 8, 8]
    as_drawn = window_detail(model, *parts).highlights[:, 0, 8, 8]
    assert torch.allclose(lamp, as_drawn, atol=1e-6) == (frames == 1)
    assert float(lamp.max() - lamp.min()) <= 0.02
    assert float((lamp.mean() - as_drawn.mean()).abs()) < 0.01


def test_whole_channels_say_how_bright_a_pixel_is() -> None:
    """Where one channel of three clipped, the two others correct the model's brightness."""
    truth = LOGC3_REC709.forward(torch.tensor([3.0, 0.6, 0.5])).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    display = linear_to_srgb(LOGC3_REC709.inverse(truth))
    known = LOGC3_REC709.forward(srgb_to_linear(display[0]))
    # sRGB there and back in float32.
    assert torch.allclose(merged(truth - 0.07, display, known), truth[0], atol=1e-5)


def test_light_must_be_known_or_fitted() -> None:
    """Without either there is nothing to merge, which is a mistake of the caller's."""
    display = torch.rand(1, 3, 4, 4)
    detail = detail_of(display, display, known=display[0])
    with pytest.raises(ValueError, match="neither known nor was a curve fitted"):
        detail.merge(0, display[0], None, 1.0, None)


def test_crush_is_a_few_codes() -> None:
    """From 4 codes of 8 bits down to 1 shadows are handed over; the fifth is the plate's alone."""
    assert (CRUSH_START, CRUSH_END) == (4 / 255, 1 / 255)
    display = torch.tensor([0, 1, 2, 4, 5]).div(255).expand(1, 3, 1, 5)
    known = LOGC3_REC709.forward(srgb_to_linear(display[0]))
    black = torch.full((1, 3, 1, 5), float(LOGC3_REC709.forward(torch.zeros(()))))
    result = merged(black, display, known)
    assert torch.equal(result[:, 0, :2], black[0, :, 0, :2])
    assert torch.equal(result[:, 0, 3:], known[:, 0, 3:])
    assert bool((result[:, 0, 2] < known[:, 0, 2]).all())
