"""Preview movies: the light that went in, by the ffmpeg program's reading and by ours."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from lumivid_fx.cli import app
from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.color.transfer import hlg_to_linear, pq_to_linear
from lumivid_fx.errors import InputError
from lumivid_fx.media import Windows, open_plate
from lumivid_fx.media.exr import write_exr
from lumivid_fx.media.light_levels import LightLevels
from lumivid_fx.media.light_movie import Kind, hdr_codes
from lumivid_fx.media.movie_writer import HLG, rgb_to_yuv
from lumivid_fx.media.plate import FloatImage
from lumivid_fx.media.preview_movie import write_preview_movie

from .ffmpeg import run

NITS = np.array([0.1, 1, 10, 48, 100, 203, 500, 1000, 2000, 4000, 9000, 10000], np.float32)
"""Steps of the grey ramp, cd/m2."""


def ramp() -> FloatImage:
    """Grey bars of known luminance, light 1.0 at 100 cd/m2; 32 pixels each, 64 high."""
    row = (NITS / 100).repeat(32)
    return np.broadcast_to(row[None, :, None], (64, row.size, 3)).astype(np.float32)


def frames(folder: Path, pictures: list[FloatImage], windows: Windows | None = None,
           **attributes: object) -> str:  # fmt: skip
    """Write pictures as linear Rec.709 frames from 1001 on."""
    for number, rgb in enumerate(pictures, start=1001):
        whole = Windows.whole(rgb.shape[1], rgb.shape[0])
        write_exr(
            folder / f"hdr.{number}.exr", rgb, None, windows=windows or whole,
            attributes={"lumivid/frame": number, **attributes}, chromaticities=None,
            interop_id="lin_rec709_scene", fps=Fraction(24000, 1001), half=False,
        )  # fmt: skip
    return str(folder / "hdr.####.exr")


def made(source: str, path: Path, kind: Kind, stops: float = 0.0) -> LightLevels | None:
    """A preview of all frames."""
    with open_plate(source) as plate:
        return write_preview_movie(path, plate, kind, ColorSpaces(), stops=stops)


def decoded(path: Path, size: tuple[int, int]) -> FloatImage:
    """Luma of the first frame by the ffmpeg program, `h w` in [0, 1] of limited range."""
    raw = path.with_suffix(".raw")
    run("-i", str(path), "-frames:v", "1", "-f", "rawvideo", str(raw))  # in its own pixel format
    codes = np.fromfile(raw, "<u2")[: size[0] * size[1]].reshape(size)
    return np.asarray((codes.astype(np.float32) - 64) / 876, np.float32)


def said_of(path: Path) -> tuple[str, str]:
    """What ffmpeg says of a movie's video stream and of its first frame."""
    said = run("-i", str(path), "-frames:v", "1", "-vf", "showinfo", "-f", "null", "-")
    stream = next(line for line in said.splitlines() if "Video:" in line)
    return stream, said


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("sdr", "h264 (High) (avc1 / 0x31637661), yuv420p(tv, bt709"),
        ("pq", "hevc (Main 10) (hvc1 / 0x31637668), "
               "yuv420p10le(tv, bt2020nc/bt2020/smpte2084"),
        ("hlg", "hevc (Main 10) (hvc1 / 0x31637668), "
                "yuv420p10le(tv, bt2020nc/bt2020/arib-std-b67"),
    ],
)  # fmt: skip
def test_tags(tmp_path: Path, kind: Kind, told: str) -> None:
    """Another reader finds codec, depth, range, matrix, primaries and transfer as they are."""
    source = frames(tmp_path / "in", [ramp(), ramp() * 0.5])
    levels = made(source, tmp_path / "a.mp4", kind)
    stream, said = said_of(tmp_path / "a.mp4")
    assert told in " ".join(stream.replace(", left", "").split())
    assert "23.98 fps" in stream
    if kind == "sdr":
        assert levels is None
        return
    peak = 10000 if kind == "pq" else 1000
    mean = round(float(np.minimum(NITS, peak).mean()))
    assert levels is not None
    assert levels.whole == (peak, mean)
    assert re.search(rf"MaxCLL={peak}, MaxFALL={mean}", said) or (
        re.search(rf"MaxCLL: ?{peak}\b.*MaxFALL: ?{mean}\b", said, re.DOTALL)
    ), said


def test_a_pq_ramp_in_nits(tmp_path: Path) -> None:
    """Grey of known luminance comes back as that luminance, within a code of ten bits."""
    made(frames(tmp_path / "in", [ramp()]), tmp_path / "a.mp4", "pq")
    luma = decoded(tmp_path / "a.mp4", (64, 32 * NITS.size))
    codes = luma.reshape(64, NITS.size, 32)[16:-16, :, 8:-8].mean(axis=(0, 2))
    low, high = (
        pq_to_linear(torch.from_numpy(codes + step / 876)).numpy() * 100 for step in (-1.5, 1.5)
    )
    assert np.all(low <= NITS * 1.0001)
    assert np.all(high >= NITS)
    with open_plate(str(tmp_path / "a.mp4")) as plate:
        assert plate.doubt == "is tagged PQ, so it is HDR already"
        ours = plate.read(1).rgb.reshape(64, NITS.size, 32, 3)[16:-16, :, 8:-8].mean(axis=(0, 2))
    assert np.max(np.abs(ours - codes[:, None])) < 0.2 / 876  # the same codes, grey


def test_hlg_shows_what_pq_shows() -> None:
    """On its monitor of 1000 cd/m2, HLG's light is the light, colours included (BT.2100 OOTF)."""
    light = np.random.default_rng(0).uniform(0.01, 6, (8, 8, 3)).astype(np.float32)
    scene = hlg_to_linear(torch.from_numpy(hdr_codes(light, "hlg"))).numpy() / 12
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593], np.float32)
    shown = 1000 * scene * luminance[..., None] ** np.float32(0.2)
    # Saturated light near the peak has no code in HLG.
    fits = hdr_codes(light, "hlg").max(axis=-1) < 1
    assert fits.mean() > 0.9
    assert np.allclose(shown[fits], light[fits] * 100, rtol=1e-3)
    assert float(hdr_codes(np.full((1, 1, 3), 10, np.float32), "hlg").max()) == pytest.approx(1)


@pytest.mark.parametrize("stops", [-2.0, 0.0, 1.0])
def test_sdr_at_an_exposure(tmp_path: Path, stops: float) -> None:
    """Light is multiplied by two to the stops before it is shown as sRGB, and clipped."""
    light = np.linspace(0, 2, 128, dtype=np.float32)[None, :, None].repeat(64, 0).repeat(3, 2)
    made(frames(tmp_path / "in", [light]), tmp_path / "a.mp4", "sdr", stops)
    expected = ColorSpaces().linear_to_display(light * np.float32(2**stops), "srgb")
    with open_plate(str(tmp_path / "a.mp4")) as plate:
        assert np.mean(np.abs(plate.read(1).rgb - expected)) < 1 / 219  # a lossy codec, one code


def test_ten_bit_colours_use_the_range_to_its_ends() -> None:
    """Rec.2020's primaries, in ten bits of limited range."""
    blue = np.zeros((4, 4, 3), np.float32)
    blue[..., 2] = 1
    corners = [int(part[0, 0]) for part in rgb_to_yuv(blue, HLG)]
    assert corners == [round(64 + 876 * 0.0593), 960, round(512 - 896 * 0.0593 / 1.4746)]


def test_the_display_window_is_shown(tmp_path: Path) -> None:
    """Overscan is cut, what lies outside of the data is black, odd sizes are made even."""
    rgb = np.ones((20, 30, 3), np.float32)
    source = frames(tmp_path / "in", [rgb], Windows(-5, 4, 30, 20, 0, 0, 41, 21))
    made(source, tmp_path / "a.mp4", "sdr")
    with open_plate(str(tmp_path / "a.mp4")) as plate:
        seen = plate.read(1).rgb
    assert seen.shape == (22, 42, 3)
    assert seen[8:20, 2:23].min() > 0.9
    assert seen[:2].max() < 0.1
    assert seen[:, 28:].max() < 0.1


def test_what_cannot_be_previewed(tmp_path: Path) -> None:
    """Codes are no light, and a movie has its name; nothing is left behind."""
    source = frames(tmp_path / "in", [ramp()])
    with open_plate(source) as plate:
        with pytest.raises(InputError, match=r"does not end in \.mp4"):
            write_preview_movie(tmp_path / "a.mov", plate, "pq", ColorSpaces())
        with pytest.raises(InputError, match="is in srgb, which is not scene-linear"):
            write_preview_movie(tmp_path / "a.mp4", plate, "pq", ColorSpaces(), space="srgb")
    bad = tmp_path / "in" / "hdr.1002.exr"
    bad.write_bytes((tmp_path / "in" / "hdr.1001.exr").read_bytes()[:-500])
    with pytest.raises(InputError, match="frame 1002"):
        made(source, tmp_path / "a.mp4", "sdr")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_the_command(tmp_path: Path) -> None:
    """``lumivid preview`` writes it and tells the light levels, also as JSON."""
    source = frames(tmp_path / "in", [ramp()], PixelAspectRatio=2.0)
    target = tmp_path / "look.mp4"
    done = CliRunner().invoke(app, ["preview", source, str(target), "--as", "pq", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told == {"movie": str(target), "max_cll": 10000, "max_fall": round(float(NITS.mean()))}
    assert "SAR 2:1" in said_of(target)[0]
    failed = CliRunner().invoke(app, ["preview", source, str(tmp_path / "a.avi")])
    assert failed.exit_code == 2
