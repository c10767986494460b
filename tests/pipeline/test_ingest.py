"""Ingest: what the model is shown of a plate, and what is known of its light."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.color.transfer import ACESCCT_AP1, LOGC3_REC709, TRANSFERS
from lumivid_fx.errors import InputError
from lumivid_fx.pipeline.detail import CLIP_END, CRUSH_END
from lumivid_fx.pipeline.ingest import Ingest, Pixels, SmallFrames
from lumivid_fx.pipeline.windows import cut_windows

from .plates import Still, picture

ACES_VIEW = "sRGB - Display/ACES 1.0 - SDR Video"


def ingest(spaces: ColorSpaces, space: str, view: str | None = None) -> Ingest:
    """For LogC3."""
    return Ingest.of(spaces, space, view, LOGC3_REC709)


def pixels(*values: float) -> Pixels:
    """Grey pixels in one row."""
    return np.repeat(np.array(values, np.float32)[None, :, None], 3, axis=2)


@pytest.mark.parametrize("space", ["srgb", "rec709", "gamma22", "sRGB"])
def test_display_codes_are_shown_as_they_are(spaces: ColorSpaces, space: str) -> None:
    """A display-referred plate reaches the model bit for bit, and clamped to [0, 1]."""
    rgb = picture(7, 9, 1)
    shown = ingest(spaces, space).display(Still(rgb).frame)
    assert torch.equal(shown, torch.from_numpy(rgb).movedim(-1, 0))
    ends = ingest(spaces, space).display(Still(pixels(-0.1, 0.5, 1.2)).frame)
    assert ends[0, 0].tolist() == [0, 0.5, 1]


def test_light_of_a_display_plate_is_unknown(spaces: ColorSpaces) -> None:
    """Without a view nothing is claimed about the plate's light."""
    plain = ingest(spaces, "srgb")
    assert not plain.has_known
    assert plain.known(Still(picture(4, 4, 1)).frame) is None


@pytest.mark.parametrize("view", ["srgb", "rec709", "gamma22"])
def test_a_known_view_gives_the_light_back(spaces: ColorSpaces, view: str) -> None:
    """A plate made by a view from light below white comes back as that light."""
    light = np.exp2(np.linspace(-10, 0, 300, dtype=np.float32)).reshape(10, 10, 3)
    codes = spaces.linear_to_display(light, view)
    named = ingest(spaces, "srgb", view)
    assert named.has_known
    known = named.known(Still(codes).frame)
    assert known is not None
    back = LOGC3_REC709.inverse(known).movedim(0, -1).numpy()
    # A half float is good to 2^-11; the curves and LogC3 round in float32, far below it.
    assert np.allclose(back, light, rtol=2**-12, atol=1e-7)
    small = named.known_small(torch.from_numpy(codes).movedim(-1, 0)[None])
    assert torch.equal(small[0], known)


def test_superwhites_end_at_the_white_of_a_tone_map(spaces: ColorSpaces) -> None:
    """Beyond its codes the inverse of a tone map is no light, whatever a camera put there."""
    named = ingest(spaces, "srgb", ACES_VIEW)
    known = [named.known(Still(pixels(*codes)).frame) for codes in ((-0.07, 1.09), (0, 1))]
    assert known[0] is not None
    assert known[1] is not None
    assert torch.equal(known[0], known[1])


def test_a_known_view_keeps_overshoot(spaces: ColorSpaces) -> None:
    """Codes above white, as a codec leaves them, are light above white."""
    known = ingest(spaces, "srgb", "srgb").known(Still(pixels(1.05)).frame)
    assert known is not None
    assert float(LOGC3_REC709.inverse(known).min()) > 1.1


@pytest.mark.parametrize("space", ["lin_rec709", "acescg", "aces2065-1", "lin_rec2020"])
@pytest.mark.parametrize("curve", TRANSFERS)
def test_scene_light_survives(spaces: ColorSpaces, space: str, curve: str) -> None:
    """Light above 1, above the curve's ceiling and below 0 comes back from the model's codes."""
    values = np.array([-0.05, 0.0, 0.001, 0.18, 1.0, 7.0, 60.0], np.float32)
    rgb = np.stack(np.meshgrid(values, values, values), axis=-1).reshape(49, 7, 3)
    scene = Ingest.of(spaces, space, None, TRANSFERS[curve])
    known = scene.known(Still(rgb, space).frame)
    assert known is not None
    light = scene.transfer.inverse(known).movedim(0, -1).contiguous().numpy()
    back = spaces.convert(light, "lin_rec709", space)
    # Within a half float's rounding, 2^-11, of a pixel's brightest channel: PQ's codes round to
    # 1e-4 of the light in float32, and the matrix there and back mixes channels.
    bound = 2**-11 * np.abs(rgb).max(axis=-1, keepdims=True) + 1e-6
    assert bool((np.abs(back - rgb) <= bound).all())


def test_a_scene_linear_plate_is_put_through_a_view(spaces: ColorSpaces) -> None:
    """SRGB when none is named, else the view that is."""
    frame = Still(pixels(0.18, 1.0, 4.0), "lin_rec709").frame
    plain = ingest(spaces, "lin_rec709").display(frame)
    # 0.18 is 0.4614 in IEC 61966-2-1.
    assert plain[0, 0].tolist() == pytest.approx([0.461356, 1, 1], abs=1e-5)
    filmic = ingest(spaces, "lin_rec709", ACES_VIEW).display(frame)[0, 0]
    assert float(filmic[1]) < float(filmic[2]) <= 1
    assert float(filmic[0]) < 0.45


def test_trust_in_white(spaces: ColorSpaces) -> None:
    """A scene-linear plate that holds more than its view's white needs no model there."""
    frame = Still(pixels(0.5, 1.0, 1.1, 1.5, 30.0), "lin_rec709").frame
    plain = ingest(spaces, "lin_rec709")
    known = plain.known(frame)
    assert known is not None
    trust = plain.trust_white(known)
    assert trust is not None
    assert trust.shape == (1, 1, 5)
    values = trust[0, 0].tolist()
    assert values[:2] == [1, 1]
    assert 0 < values[2] < 1
    assert values[3:] == [0, 0]
    assert ingest(spaces, "srgb", "srgb").trust_white(known) is None
    # A film view's white lies at many times diffuse white, so that 1.5 may well be clipped.
    filmic = ingest(spaces, "lin_rec709", ACES_VIEW)
    assert filmic.white > 4
    trust = filmic.trust_white(known)
    assert trust is not None
    assert float(trust[0, 0, 3]) == 1


def test_primaries_of_the_model(spaces: ColorSpaces) -> None:
    """A model in AP1 meets the plate in Rec.709; one in Rec.709 is there already."""
    codes = torch.rand(2, 3, 4, 5)
    assert ingest(spaces, "srgb").from_model(codes) is codes
    wide = Ingest.of(spaces, "srgb", None, ACESCCT_AP1)
    light = wide.transfer.inverse(wide.from_model(codes)).movedim(1, -1).contiguous().numpy()
    expected = ACESCCT_AP1.inverse(codes).movedim(1, -1).contiguous().numpy()
    back = spaces.convert(light, "lin_rec709", "acescg")
    # ACEScct codes up to 1 are light up to 223; one float32 matrix each way.
    assert np.allclose(back, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("space", "view", "told"),
    [
        ("acesgc", None, "colour space 'acesgc' is not in .*nearest are"),
        ("srgb", "no view", "view 'no view' is not in"),
        ("acescg", "Nowhere/Raw", "view 'Nowhere/Raw' is not in"),
    ],
)
def test_unknown_names(spaces: ColorSpaces, space: str, view: str | None, told: str) -> None:
    """Names are checked before any frame is read."""
    with pytest.raises(InputError, match=told):
        ingest(spaces, space, view)


def test_small_frames_count_at_full_size() -> None:
    """What clipped is counted before the picture is made small, not after."""
    display = torch.full((3, 16, 16), 0.5)
    display[:, :2, :2] = 1.0
    display[1, 15, 15] = 0.0
    small = SmallFrames(4, 4)
    small.frames[0] = small.reduce(display)
    codes, covered, exposed = small.stack(cut_windows(1, 25, 9)[0])
    assert codes.shape == covered.shape == (1, 3, 4, 4)
    assert exposed.shape == (1, 1, 4, 4)
    assert float(codes[0, 0, 0, 0]) < CLIP_END  # the mean alone would not look clipped
    assert 0.15 < float(covered[0, 0, 0, 0]) < 0.45
    assert float(codes[0, 1, 3, 3]) > CRUSH_END
    assert float(exposed[0, 0, 3, 3]) < 1
    assert float(exposed[0, 0, 1, 2]) == 1


def test_small_frames_hold_one_window() -> None:
    """Frames before the window at hand are forgotten, the shared ones kept."""
    small = SmallFrames(8, 8)
    first, second = cut_windows(41, 25, 9)[:2]
    for window in (first, second):
        small.drop_before(window.first)
        for index in range(window.first, window.last + 1):
            if index not in small.frames:
                small.frames[index] = small.reduce(torch.full((3, 8, 8), index / 100))
        assert sorted(small.frames) == list(range(window.first, window.last + 1))
    codes, _, _ = small.stack(second)
    assert codes[:, 0, 0, 0].tolist() == pytest.approx([n / 100 for n in range(16, 41)])


def test_codes_that_a_resize_rounds_up_stay_codes() -> None:
    """White stays white in any size: 1 plus a rounding would be refused by the VAE."""
    for size in (5, 7, 11, 13):
        small = SmallFrames(size, size)
        small.frames[0] = small.reduce(torch.ones(3, 37, 37))
        frame = small.frames[0]
        for part in (frame.codes, frame.clipped, frame.exposed):
            assert float(part.max()) <= 1
            assert float(part.min()) >= 0
