"""Each codec, depth, range and matrix, in movies that the ffmpeg program encoded and tagged."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from lumivid_fx.errors import InputError
from lumivid_fx.media import open_plate
from lumivid_fx.media.yuv import REC601, REC709, REC2020

from .ffmpeg import raw_input, run
from .files import Array
from .movies import refused

PATCHES = np.array(
    [[0, 0, 0], [1, 1, 1], [0.18, 0.18, 0.18], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0.8, 0.6, 0.2],
     [0.1, 0.7, 0.9]]
)  # fmt: skip
SIDE = 64
"""Edge of a patch; a patch is many times a codec's block, so that its middle is the patch alone."""

MATRICES = {"bt709": REC709, "smpte170m": REC601, "bt470bg": REC601, "bt2020nc": REC2020}


def bars() -> Array:
    """The patches side by side, two rows of four, as `h w 3` in [0, 1]."""
    rows = PATCHES.reshape(2, 4, 3).repeat(SIDE, axis=0).repeat(SIDE, axis=1)
    return np.ascontiguousarray(rows)


def middles(rgb: Array) -> Array:
    """The mean of the middle of each patch."""
    inner = slice(SIDE // 4, -SIDE // 4)
    tiles = rgb.reshape(2, SIDE, 4, SIDE, 3).transpose(0, 2, 1, 3, 4).reshape(8, SIDE, SIDE, 3)
    return np.asarray(tiles[:, inner, inner].mean(axis=(1, 2), dtype=np.float64))


def planes(rgb: Array, weights: tuple[float, float], bits: int, full: bool, across: int,
           down: int) -> bytes:  # fmt: skip
    """Planes of Y'CbCr codes as ITU-T H.273 has them, chroma taken once a block."""
    red, blue = weights
    luma = red * rgb[..., 0] + (1 - red - blue) * rgb[..., 1] + blue * rgb[..., 2]
    cb, cr = ((rgb[..., c] - luma) / (2 - 2 * w) for c, w in ((2, blue), (0, red)))
    step, peak = 1 << (bits - 8), (1 << bits) - 1
    span, floor, wide = (peak, 0, peak) if full else (219 * step, 16 * step, 224 * step)
    parts = [luma * span + floor, *(c[::down, ::across] * wide + 128 * step for c in (cb, cr))]
    kind = np.uint8 if bits == 8 else "<u2"
    return b"".join(np.rint(part).clip(0, peak).astype(kind).tobytes() for part in parts)


def encode(path: Path, data: bytes, pix_fmt: str, options: str, tags: str) -> Path:
    """Have ffmpeg encode three equal frames, and tag them."""
    run(*raw_input((2 * SIDE, 4 * SIDE), pix_fmt), "-vf", f"setparams={tags}", *options.split(),
        str(path), data=data * 3)  # fmt: skip
    return path


X264 = "-c:v libx264 -qp 0"
X265 = "-c:v libx265 -x265-params lossless=1:log-level=none"
DNXHR = "-c:v dnxhd -profile:v dnxhr_"
PRORES = "-c:v prores_ks -profile:v "


CASES = [
    ("a.mp4", "yuv420p", X264, 0.5),
    ("a.mkv", "yuv422p10le", X264, 0.5),
    ("b.mp4", "yuv420p10le", X265, 0.5),
    ("b.mov", "yuv422p12le", X265, 0.5),
    ("c.mov", "yuv444p12le", X265, 0.5),
    ("c.mkv", "yuv444p16le", "-c:v ffv1", 0.5),
    # Lossy, on flat patches: what each codec's quantiser makes of a step of one code.
    ("d.mkv", "yuv422p", DNXHR + "hq", 1.5),
    ("d.mxf", "yuv422p10le", DNXHR + "hqx", 3),
    ("e.mkv", "yuv444p10le", DNXHR + "444", 3),
    ("f.mov", "yuv422p10le", PRORES + "hq", 3),
    ("g.mov", "yuv444p10le", PRORES + "4444", 3),
]
"""Name, pixel format, options, and the codes that the format may lose."""

LIMITED_ONLY = ("c.mkv", "f.mov", "g.mov")
"""What ffmpeg encodes in limited range whatever it is told."""


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize(
    ("name", "pix_fmt", "options", "codes", "full"),
    [
        (*case, full)
        for case in CASES
        for full in (False, True)
        if not (full and case[0] in LIMITED_ONLY)
    ],
)
def test_patches(
    tmp_path: Path, name: str, pix_fmt: str, options: str, codes: float, full: bool, matrix: str
) -> None:
    """Patches come back within the codes that the format itself may lose."""
    depth = re.search(r"p(\d+)le", pix_fmt)
    bits = int(depth[1]) if depth else 8
    across, down = {"420": (2, 2), "422": (2, 1), "444": (1, 1)}[pix_fmt[3:6]]
    data = planes(bars(), MATRICES[matrix], bits, full, across, down)
    tags = (
        f"range={'pc' if full else 'tv'}:colorspace={matrix}:color_primaries=bt709:color_trc=bt709"
    )
    path = encode(tmp_path / name, data, pix_fmt, options, tags)
    with open_plate(str(path)) as plate:
        assert (plate.space, plate.doubt) == ("srgb", "")
        assert list(plate.frame_numbers) == [1, 2, 3]
        seen = middles(plate.read(3).rgb)
    step = (1 << bits) - 1 if full else 219 << (bits - 8)
    # Of luma, and of chroma times its largest gain (2 - 2 kb < 1.9).
    assert np.max(np.abs(seen - PATCHES)) <= codes * 2.9 / step


@pytest.mark.parametrize("matrix", ["709", "170m", "2020_ncl"])
@pytest.mark.parametrize("full", [False, True])
def test_patches_that_another_converter_made(tmp_path: Path, full: bool, matrix: str) -> None:
    """The zimg library's idea of each matrix and range is ours."""
    where = f"matrix={matrix}:range={'full' if full else 'limited'}"
    rgb = (bars() * 65535).round().astype("<u2")
    run(*raw_input((2 * SIDE, 4 * SIDE), "rgb48le"),
        "-vf", f"zscale=matrixin=gbr:rangein=full:{where}:chromal=left,format=yuv420p10le",
        *X265.split(), str(tmp_path / "a.mp4"), data=rgb.tobytes())  # fmt: skip
    with open_plate(str(tmp_path / "a.mp4")) as plate:
        seen = middles(plate.read(1).rgb)
    assert np.max(np.abs(seen - PATCHES)) <= 0.5 * 2.9 / (1023 if full else 876)


@pytest.mark.parametrize("profile", ["gbrp10le", "gbrp12le"])
def test_rgb_in_a_movie(tmp_path: Path, profile: str) -> None:
    """RGB codes need no matrix: DNxHR 444 has ten bits of them, HEVC twelve."""
    bits = int(profile[4:6])
    options = DNXHR + "444" if bits == 10 else X265
    codes = np.rint(bars() * ((1 << bits) - 1)).astype("<u2")
    data = b"".join(np.ascontiguousarray(codes[..., c]).tobytes() for c in (1, 2, 0))
    path = encode(tmp_path / "a.mov", data, profile, options, "range=pc:colorspace=gbr")
    with open_plate(str(path)) as plate:
        seen = middles(plate.read(2).rgb)
    assert np.max(np.abs(seen - PATCHES)) <= (3 if bits == 10 else 0.5) / ((1 << bits) - 1) + 1e-6


def test_superwhites_are_kept(tmp_path: Path) -> None:
    """Codes above 940 and below 64 of ten bits are light that the camera saw, not an error."""
    luma = np.linspace(4, 1019, 4 * SIDE).round().astype("<u2")
    data = (
        np.tile(luma, (2 * SIDE, 1)).tobytes()
        + np.full(2 * SIDE * 2 * SIDE * 2, 512, "<u2").tobytes()
    )
    path = encode(tmp_path / "a.mov", data, "yuv422p10le", X265, "range=tv:colorspace=bt709")
    with open_plate(str(path)) as plate:
        seen = plate.read(1).rgb[SIDE]
    assert np.allclose(seen, ((luma - 64.0) / 876)[:, None], atol=1e-6)
    assert seen.max() > 1.09
    assert seen.min() < -0.06


@pytest.mark.parametrize(("name", "options"), [
    ("a.mp4", "-c:v libx264 -flags +ilme+ildct"), ("a.mov", PRORES + "hq -flags +ildct"),
])  # fmt: skip
def test_interlaced_movies_are_refused(tmp_path: Path, name: str, options: str) -> None:
    """Two moments in one frame are no frame."""
    pix_fmt = "yuv422p10le" if name == "a.mov" else "yuv420p"
    data = planes(
        bars(), REC709, 10 if "10" in pix_fmt else 8, False, 2, 1 if "422" in pix_fmt else 2
    )
    path = encode(tmp_path / name, data, pix_fmt, options, "field_mode=tff")
    with pytest.raises(InputError, match="is interlaced, two moments in each frame; deinterlace"):
        open_plate(str(path))


def test_damage_that_a_picture_hash_knows(tmp_path: Path) -> None:
    """HEVC that carries picture hashes tells of every flipped bit, which without them it cannot."""
    path = tmp_path / "a.mp4"
    run("-f", "lavfi", "-i", "testsrc2=s=320x180:r=24:d=0.5", "-c:v", "libx265", "-x265-params",
        "hash=1:log-level=none", str(path))  # fmt: skip
    whole = path.read_bytes()
    start = whole.index(b"mdat")
    end = whole.index(b"moov", start)
    random = np.random.default_rng(0)
    for at in random.integers(start + 4000, end - 100, 12):
        content = bytearray(whole)
        content[at] ^= 1 << random.integers(8)
        path.write_bytes(content)
        refused(path, "is damaged")


@pytest.mark.parametrize("rate", ["24000/1001", "25", "50", "60000/1001"])
def test_time_code_of_another_muxer(tmp_path: Path, rate: str) -> None:
    """The tmcd track that ffmpeg writes is read, and moves on with each frame."""
    path = tmp_path / "a.mov"
    run("-f", "lavfi", "-i", f"testsrc2=s=64x64:r={rate}:d=1", "-c:v", "libx264",
        "-timecode", "10:20:30:10", str(path))  # fmt: skip
    pairs = 2 if rate in ("50", "60000/1001") else 1
    with open_plate(str(path)) as plate:
        for number in (1, 2, 9):
            count, second = divmod(10 + number - 1, pairs)
            digits = count // 10 << 4 | count % 10
            words = plate.read(number).attributes["smpte:TimeCode"]
            assert words == (0x10203000 | digits | second << 15, 0)


def test_names_with_anything_in_them(tmp_path: Path) -> None:
    """Quotes, line breaks and per cent signs are part of a name, and messages stay one line."""
    folder = tmp_path / "a 'quoted'\n\"folder\" 100%"
    folder.mkdir()
    path = folder / "take\n'1'.mp4"
    run("-f", "lavfi", "-i", "testsrc2=s=64x64:r=24:d=0.2", f"file:{path}")
    with open_plate(str(path)) as plate:
        assert plate.read(2).rgb.shape == (64, 64, 3)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(InputError) as caught:
        open_plate(str(path))
    assert "take\\n'1'.mp4" in str(caught.value)
    assert "\n" not in str(caught.value)
