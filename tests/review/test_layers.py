"""What is looked at: spaces, ceilings, frames side by side; half floats in a bounded memory."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from tests.media.files import write_image
from tests.review.plates import FIRST, HEIGHT, WIDTH, turning, write_plates

from lumivid_fx.color.spaces import ACESCG, LINEAR_REC709, ColorSpaces
from lumivid_fx.color.transfer import LOGC3_REC709
from lumivid_fx.errors import InputError
from lumivid_fx.media import Windows
from lumivid_fx.media.exr import HALF_MAX
from lumivid_fx.review.frames import Frames, shrink
from lumivid_fx.review.layers import PLATES, REFERENCE, SOURCE, luminance_weights, open_layers
from lumivid_fx.review.session import describe
from lumivid_fx.review.views import list_views

FRAME_BYTES = WIDTH * HEIGHT * 8
"""Of one frame as half RGBA."""


@pytest.fixture(scope="module")
def spaces() -> ColorSpaces:
    """The built-in config."""
    return ColorSpaces()


def write_source(folder: Path, first: int, count: int) -> str:
    """White 8-bit frames but for a black corner."""
    folder.mkdir()
    picture = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    picture[0, 0] = 0
    for number in range(first, first + count):
        write_image(folder / f"sdr.{number}.png", picture)
    return str(folder / "sdr.####.png")


def test_layers_are_light_of_the_plates_space(tmp_path: Path, spaces: ColorSpaces) -> None:
    """Plates stay as they are; a source of codes becomes light, and is told to be a picture."""
    plates = write_plates(tmp_path / "hdr", turning(2), space="lin_ap1_scene")
    reference = write_plates(tmp_path / "ref", turning(2))
    source = write_source(tmp_path / "sdr", FIRST, 2)
    layers, shown = open_layers(spaces, plates, source, reference)
    assert spaces.resolve(shown) == spaces.resolve(ACESCG)
    assert [layer.is_picture for layer in layers.values()] == [False, True, False]
    frames = Frames(spaces, shown)
    same = frames.read(layers[PLATES], FIRST)
    np.testing.assert_array_equal(same.pixels[..., :3], turning(2)[0].astype(np.float16))
    assert (same.pixels[..., 3] == 1).all()
    white = frames.read(layers[SOURCE], FIRST).pixels.astype(np.float32)
    np.testing.assert_allclose(white[1:, 1:, :3], 1, atol=2**-10)  # half a step of half
    assert (white[0, 0, :3] == 0).all()
    other = frames.read(layers[REFERENCE], FIRST).pixels[..., :3].astype(np.float32)
    light = turning(2)[0].astype(np.float16).astype(np.float32)
    expected = spaces.convert(light, LINEAR_REC709, ACESCG)
    np.testing.assert_allclose(other, expected, rtol=2**-11, atol=1e-6)


def test_ceilings_are_told_where_they_are_known(tmp_path: Path, spaces: ColorSpaces) -> None:
    """The curve's, moved by the stops that were added; a picture's white; else half float's end."""
    top = LOGC3_REC709.linear_range[1]
    plain = write_plates(tmp_path / "a", turning(1))
    lifted = write_plates(tmp_path / "b", turning(1), more={"lumivid/exposed_stops": 2.0})
    foreign = write_plates(tmp_path / "c", turning(1), more={"lumivid/transfer": "none of ours"})
    source = write_source(tmp_path / "sdr", FIRST, 1)
    for plates, light in ((plain, top), (lifted, 4 * top), (foreign, HALF_MAX)):
        layers, _ = open_layers(spaces, plates, source)
        assert layers[PLATES].ceiling.light == pytest.approx(light)
        assert layers[SOURCE].ceiling.light == 1
        assert not layers[PLATES].has_generated


def test_frames_stand_side_by_side(tmp_path: Path, spaces: ColorSpaces) -> None:
    """By number where numbers meet, else the first beside the first; a hole is a sentence."""
    plates = write_plates(tmp_path / "hdr", turning(3))
    (tmp_path / "hdr" / "hdr.1002.exr").unlink()
    for first, shift in ((FIRST + 1, 0), (1, 1 - FIRST)):
        layers, shown = open_layers(spaces, plates, write_source(tmp_path / str(first), first, 3))
        assert layers[SOURCE].shift == shift
        views = list_views(None)
        told = describe(layers, shown, spaces, views)
        assert told["frames"] == [1001, 1002, 1003]
        assert told["layers"][0]["missing"] == [1002]
        assert told["layers"][1]["first"] == first - shift
        assert told["fps"] == pytest.approx(24000 / 1001)
    with pytest.raises(InputError, match=r"lacks frame 1002 \(it holds 1001,1003\); render or"):
        layers[PLATES].read(1002)
    with pytest.raises(InputError, match="holds none of the frames"):
        open_layers(spaces, plates, frames="1002")


def test_data_windows_may_change_and_sizes_may_not(tmp_path: Path, spaces: ColorSpaces) -> None:
    """Compositors write what is not empty; a frame of another size hinders no other."""
    part = Windows(5, 7, WIDTH - 20, HEIGHT - 10, 0, 0, WIDTH, HEIGHT)
    rgb = turning(1)[0]
    windows = [Windows.whole(WIDTH, HEIGHT), part]
    pictures = [rgb, rgb[7 : HEIGHT - 3, 5 : WIDTH - 15]]
    layers, shown = open_layers(spaces, write_plates(tmp_path / "boxes", pictures, windows=windows))
    frame = Frames(spaces, shown).read(layers[PLATES], FIRST + 1)
    assert frame.windows == part
    np.testing.assert_array_equal(frame.pixels[..., :3], pictures[1].astype(np.float16))
    plates = write_plates(tmp_path, [*turning(1), turning(1)[0][:-2]])
    layers, _ = open_layers(spaces, plates)
    assert layers[PLATES].read(FIRST).number == FIRST
    with pytest.raises(InputError, match=r"hdr.1002.exr \(frame 1002\) has another size"):
        layers[PLATES].read(FIRST + 1)


def test_memory_is_bounded_and_sees_a_new_file(tmp_path: Path, spaces: ColorSpaces) -> None:
    """The frame read longest ago goes first; one that was rendered again is read again."""
    plates = write_plates(tmp_path, turning(4))
    layers, shown = open_layers(spaces, plates)
    frames = Frames(spaces, shown, limit=2 * FRAME_BYTES)
    first = frames.read(layers[PLATES], 1001)
    for number in (1002, 1001, 1003, 1004):
        frames.read(layers[PLATES], number)
        assert frames.kept_bytes <= 2 * FRAME_BYTES
    assert frames.read(layers[PLATES], 1001) is not first
    write_plates(tmp_path, turning(1, gain=2))
    os.utime(tmp_path / "hdr.1001.exr", ns=(1, 1))  # a clock may be too coarse to tell
    again = frames.read(layers[PLATES], 1001).pixels
    np.testing.assert_array_equal(again[..., :3], turning(1, gain=2)[0].astype(np.float16))


def test_what_half_floats_cannot_hold_is_clamped_and_counted(
    tmp_path: Path, spaces: ColorSpaces
) -> None:
    """Light of a 32-bit file beyond the largest half; its own infinity and NaN are left as such."""
    light = np.ones((4, 5, 3), np.float32)
    light[0, 0], light[1, 1, 0], light[2, 2, 1], light[3, 3, 2] = 1e6, -7e4, np.inf, np.nan
    path = write_image(tmp_path / "float.1.exr", light, channels=["R", "G", "B"])
    layers, shown = open_layers(spaces, str(path))
    frame = Frames(spaces, shown).read(layers[PLATES], 1)
    assert frame.clamped == 4
    assert (frame.pixels[0, 0, :3] == HALF_MAX).all()
    assert frame.pixels[1, 1, 0] == -HALF_MAX
    assert np.isposinf(frame.pixels[2, 2, 1])
    assert np.isnan(frame.pixels[3, 3, 2])


def test_a_smaller_frame_is_the_mean_of_its_light() -> None:
    """Of whole squares, and of what there is of them at odd edges."""
    pixels = np.random.default_rng(3).uniform(0, 60, (7, 9, 4)).astype(np.float16)
    small = shrink(pixels, 2)
    assert small.shape == (4, 5, 4)
    mean = pixels[2:4, 4:6].astype(np.float64).mean(axis=(0, 1))
    np.testing.assert_allclose(small[1, 2], mean, rtol=2**-11)
    np.testing.assert_allclose(small[3, 4], pixels[6, 8], rtol=2**-11)


def test_luminance_is_that_of_the_space(spaces: ColorSpaces) -> None:
    """Rec.709's and AP1's published weights; the second as seen from D65."""
    np.testing.assert_allclose(
        luminance_weights(spaces, LINEAR_REC709), [0.2126, 0.7152, 0.0722], atol=1e-4
    )
    assert sum(luminance_weights(spaces, ACESCG)) == pytest.approx(1, abs=1e-5)


def test_views_begin_with_the_first_display_and_end_with_ours_there() -> None:
    """The keys 1 to 4 are sRGB's views, our Filmic the last of them."""
    views = [view.name for view in list_views(None)]
    assert views[0] == "sRGB - Display/ACES 1.0 - SDR Video"
    assert views[3] == "sRGB - Display/Filmic"
    assert len(set(views)) == len(views)
