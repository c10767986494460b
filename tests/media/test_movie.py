"""Movies as plates: exact codes at every depth, tags honoured, any frame in any order."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from lumivid_fx.errors import InputError
from lumivid_fx.media import open_plate
from lumivid_fx.media.yuv import REC601, REC709, REC2020

from .files import HEVC_RAW, RAW, encode_movie, flat
from .movies import CODECS, SIZE, movie, numbered, refused, shown

PATCHES = np.array(
    [[0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.5], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0.8, 0.6, 0.2],
     [0.1, 0.7, 0.9]]
)  # fmt: skip


def encoded(rgb: Sequence[float], weights: tuple[float, float], bits: int, full: bool) -> list[int]:
    """Y'CbCr codes of a colour, as ITU-T H.273 rounds them."""
    red, blue = weights
    luma = red * rgb[0] + (1 - red - blue) * rgb[1] + blue * rgb[2]
    chroma = ((rgb[2] - luma) / (2 - 2 * blue), (rgb[0] - luma) / (2 - 2 * red))
    step, peak = 1 << (bits - 8), (1 << bits) - 1
    scale = (peak, 0, peak) if full else (219 * step, 16 * step, 224 * step)
    codes = [luma * scale[0] + scale[1], *(c * scale[2] + 128 * step for c in chroma)]
    return [min(max(round(code), 0), peak) for code in codes]


@pytest.mark.parametrize(
    ("matrix", "weights"), [(1, REC709), (5, REC601), (6, REC601), (9, REC2020)]
)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("codec", "bits"), [("libx264", 8), ("libx265", 10)])
def test_colour_patches(
    tmp_path: Path,
    matrix: int,
    weights: tuple[float, float],
    full: bool,
    codec: str,
    bits: int,
) -> None:
    """Patches tagged with matrix and range come back within half a code of Y, Cb and Cr."""
    path = encode_movie(
        tmp_path / "a.mp4",
        [flat(SIZE, encoded(list(rgb), weights, bits, full), bits) for rgb in PATCHES],
        codec=codec,
        pix_fmt="yuv420p" if bits == 8 else "yuv420p10le",
        options=RAW if codec == "libx264" else HEVC_RAW,
        tags={"colorspace": matrix, "color_range": 2 if full else 1},
    )
    step = (1 << bits) - 1 if full else 219 << (bits - 8)
    # Half a code of luma, and half a code of chroma times its largest gain (2 - 2 kb < 1.9).
    tolerance = 0.5 / step + 0.5 * 1.9 / step
    with open_plate(str(path)) as plate:
        assert plate.space == "srgb"
        for number, rgb in enumerate(PATCHES, start=1):
            frame = plate.read(number).rgb
            assert np.max(np.abs(frame - rgb)) <= tolerance
            assert np.ptp(frame, axis=(0, 1)).max() == 0


@pytest.mark.parametrize(("height", "weights"), [(576, REC601), (720, REC709)])
def test_untagged_movies(tmp_path: Path, height: int, weights: tuple[float, float]) -> None:
    """Untagged, the range is limited, and the matrix Rec.709 from 720 lines on, Rec.601 below."""
    colour = [0.8, 0.6, 0.2]
    planes = flat((height, 64), encoded(colour, weights, 8, full=False))
    path = encode_movie(tmp_path / "a.mp4", [planes], options=RAW)
    with open_plate(str(path)) as plate:
        assert plate.read(1).rgb[3, 3] == pytest.approx(colour, abs=1.5 / 219)


def test_agrees_with_swscale(tmp_path: Path) -> None:
    """FFmpeg's own converter sees the same picture within its coarser rounding."""
    y, x = np.mgrid[0:64, 0:96]
    planes = [a.astype(np.uint8) for a in (40 + x + y, 90 + x[:32, :48], 160 - y[:32, :48])]
    path = encode_movie(
        tmp_path / "a.mp4", [planes], options=RAW, tags={"colorspace": 1, "color_range": 1}
    )
    with av.open(str(path)) as container:
        peer = next(container.decode(video=0)).to_ndarray(
            format="gbrpf32le", src_colorspace="ITU709", src_color_range="MPEG"
        )
    with open_plate(str(path)) as plate:
        ours = np.clip(plate.read(1).rgb, 0, 1)  # as swscale clips
    # swscale rounds in fixed point and is off by 0.8 of an 8-bit code; its 16-bit path by four.
    assert np.max(np.abs(ours - peer)[4:-4, 4:-4]) < 1 / 255


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "options", "halved", "levels"),
    [
        ("libx265", "yuv420p10le", HEVC_RAW, (2, 2), 877),
        ("libx264", "yuv420p10le", RAW, (2, 2), 877),
        ("prores_ks", "yuv422p10le", {"profile": "3"}, (1, 2), 500),
    ],
)
def test_ten_bits_survive(
    tmp_path: Path, codec: str, pix_fmt: str, options: dict[str, str], halved: tuple[int, int],
    levels: int,
) -> None:  # fmt: skip
    """A ramp of all 877 limited-range codes keeps them: far more than 256 levels."""
    ramp = np.tile(np.arange(64, 941, dtype=np.uint16).repeat(2)[:1754], (64, 1))
    chroma = np.full((64 // halved[0], 1754 // halved[1]), 512, np.uint16)
    path = encode_movie(
        tmp_path / "a.mov",
        [[ramp, chroma, chroma]],
        codec=codec,
        pix_fmt=pix_fmt,
        options=options,
        tags={"colorspace": 1, "color_range": 1},
    )
    with open_plate(str(path)) as plate:
        rgb = plate.read(1).rgb
    truth = (ramp - np.float32(64)) / np.float32(876)
    assert len(np.unique(rgb[32, :, 1])) >= levels
    # Lossless codecs keep each code; ProRes HQ spreads a ramp by a code or two of ten bits.
    tolerance = 2.5 / 876 if codec == "prores_ks" else 1e-6
    assert np.max(np.abs(rgb[8:56, 8:-8] - truth[8:56, 8:-8, None])) < tolerance


def test_alpha_of_prores_4444(tmp_path: Path) -> None:
    """Alpha comes beside colour that it does not multiply."""
    planes = flat(SIZE, [502, 512, 512, 0], bits=10, halved=1)
    planes[3][:] = np.linspace(0, 1023, SIZE[1]).astype(np.uint16)
    path = encode_movie(
        tmp_path / "a.mov", [planes] * 2, codec="prores_ks", pix_fmt="yuva444p10le",
        options={"profile": "4"},
    )  # fmt: skip
    with open_plate(str(path)) as plate:
        frame = plate.read(2)
        assert plate.has_alpha
    assert frame.alpha is not None
    # ProRes keeps alpha without loss; 10 bits are stored in 16 and come back in 12.
    assert np.max(np.abs(frame.alpha - np.linspace(0, 1, SIZE[1]))) < 1.5 / 1023
    assert np.max(np.abs(frame.rgb - 0.5)) < 1.5 / 876


def test_grey_and_rgb(tmp_path: Path) -> None:
    """Luma alone is replicated, and RGB codes need no matrix."""
    codes = np.arange(256, dtype=np.uint8).reshape(8, 32).repeat(8, axis=0)
    grey = encode_movie(tmp_path / "g.mp4", [[codes]], pix_fmt="gray", options=RAW)
    with open_plate(str(grey)) as plate:
        seen = plate.read(1).rgb
    expected = (codes - np.float32(16)) / np.float32(219)  # superwhites and all
    assert np.array_equal(seen, np.repeat(expected[..., None], 3, axis=-1))
    parts = [(codes * np.uint16(k)) % np.uint16(4096) for k in (16, 7, 3)]
    rgb = encode_movie(tmp_path / "rgb.mkv", [parts], codec="ffv1", pix_fmt="gbrp12le")
    with open_plate(str(rgb)) as plate:
        seen = plate.read(1).rgb
    assert np.array_equal(seen, np.stack(parts, axis=-1) / np.float32(4095))


OPEN_GOP = "keyint=12:min-keyint=12:scenecut=0:bframes=3"


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "options"),
    [
        ("a.mp4", "libx264", "yuv420p", {**RAW, "x264-params": f"{OPEN_GOP}:open-gop=1"}),
        ("a.mkv", "libx264", "yuv420p", {**RAW, "x264-params": OPEN_GOP}),
        ("a.mov", "libx265", "yuv420p10le",
         {"x265-params": f"{OPEN_GOP}:open-gop=1:lossless=1:log-level=none"}),
        ("b.mov", "prores_ks", "yuv422p10le", {"profile": "3"}),
        ("a.mxf", "libx264", "yuv420p", {**RAW, "x264-params": OPEN_GOP}),
    ],
)  # fmt: skip
def test_any_order(
    tmp_path: Path, name: str, codec: str, pix_fmt: str, options: dict[str, str]
) -> None:
    """Frames read in any order are the very frames read in order, each with its own number."""
    bits = 10 if "10" in pix_fmt else 8
    frames = numbered(41, bits=bits)
    if "422" in pix_fmt:
        frames = [[y, u.repeat(2, axis=0), v.repeat(2, axis=0)] for y, u, v in frames]
    path = encode_movie(
        tmp_path / name, frames, codec=codec, pix_fmt=pix_fmt, options=options,
        tags={"colorspace": 1, "color_range": 1},
    )  # fmt: skip
    with open_plate(str(path)) as plate:
        assert plate.frame_numbers == range(1, 42)
        in_order = {number: plate.read(number).rgb for number in plate.frame_numbers}
        assert [shown(plate, number) for number in plate.frame_numbers] == list(range(41))
    order = np.random.default_rng(1).permutation(np.arange(1, 42)).tolist()
    with open_plate(str(path)) as plate:
        for number in [*order, 41, 1, 12, 13, 12, 11, 25, 24, 41]:
            assert np.array_equal(plate.read(number).rgb, in_order[number]), number


def test_a_range_of_a_movie(tmp_path: Path) -> None:
    """Frames count from 1; a range picks some, and what is outside is refused."""
    path = encode_movie(tmp_path / "a.mp4", numbered(20), options=RAW, rate=Fraction(24000, 1001))
    with open_plate(str(path), "8-10") as plate:
        assert (plate.first_frame, plate.last_frame) == (8, 10)
        assert plate.fps == Fraction(24000, 1001)
        assert shown(plate, 9) == 8
        with pytest.raises(InputError, match="opened for frames 8-10, so frame 11"):
            plate.read(11)
    for frames in ("0-5", "15-21"):
        with pytest.raises(InputError, match="holds 1-20 only"):
            open_plate(str(path), frames)


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_rotation_is_honoured(tmp_path: Path, rotation: int) -> None:
    """A movie that says how it is to be turned is turned, as players do."""
    planes = numbered(1)[0]
    tags = {"colorspace": 1, "color_range": 1}
    flat_on = encode_movie(tmp_path / "a.mp4", [planes], options=RAW, tags=tags)
    turned = encode_movie(
        tmp_path / "b.mp4", [planes], options=RAW, tags=tags, rotation=rotation,
        aspect=Fraction(4, 3),
    )  # fmt: skip
    with open_plate(str(flat_on)) as plate, open_plate(str(turned)) as other:
        # FFmpeg gives the display matrix's angle anticlockwise, as numpy turns.
        expected = np.rot90(plate.read(1).rgb, rotation // 90)
        frame = other.read(1)
        assert np.array_equal(frame.rgb, expected)
        assert (other.height, other.width) == expected.shape[:2]
        aspect = Fraction(4, 3) if rotation == 180 else Fraction(3, 4)
        assert frame.attributes["PixelAspectRatio"] == float(aspect)


def test_time_code_and_tags(tmp_path: Path) -> None:
    """The time code track is carried and moves on with each frame; storage tags are not carried."""
    path = encode_movie(
        tmp_path / "a.mov",
        numbered(30),
        rate=25,
        metadata={"timecode": "01:02:03:04", "title": "take 3"},
    )
    with open_plate(str(path)) as plate:
        first, last = plate.read(1).attributes, plate.read(30).attributes
    assert first["smpte:TimeCode"] == (0x01020304, 0)
    assert last["smpte:TimeCode"] == (0x01020408, 0)
    assert first["movie/timecode"] == "01:02:03:04"
    assert first["movie/title"] == "take 3"
    assert not {"movie/major_brand", "movie/encoder"} & set(first)


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ({"colorspace": 9, "color_primaries": 9, "color_trc": 16}, "PQ, so it is HDR already"),
        ({"colorspace": 9, "color_primaries": 9, "color_trc": 18}, "HLG, so it is HDR already"),
        ({"colorspace": 9, "color_primaries": 9, "color_trc": 14}, "the primaries of Rec.2020"),
        ({"colorspace": 1, "color_primaries": 12, "color_trc": 1}, "the primaries of Display P3"),
        ({"colorspace": 1, "color_primaries": 1, "color_trc": 9}, "a logarithmic curve"),
    ],
)
def test_other_colour_is_not_taken_for_rec709(
    tmp_path: Path, tags: dict[str, int], told: str
) -> None:
    """What is tagged HDR, wide or log wants its space named, and can be read then."""
    path = encode_movie(
        tmp_path / "a.mkv", numbered(2, bits=10), codec="libx265", pix_fmt="yuv420p10le",
        options=HEVC_RAW, tags=tags,
    )  # fmt: skip
    with open_plate(str(path)) as plate:
        with pytest.raises(InputError, match=f"a.mkv is tagged .*{told}.*; convert it"):
            plate.space_or(None)
        assert plate.space_or("logc3") == "logc3"
        assert shown(plate, 2) == 1


def test_odd_sizes(tmp_path: Path) -> None:
    """Chroma of odd sizes is stretched over the last row and column."""
    codes = encoded([0.8, 0.6, 0.2], REC601, 8, full=False)
    path = encode_movie(tmp_path / "a.mkv", [flat((37, 53), codes)], codec="ffv1")
    with open_plate(str(path)) as plate:
        rgb = plate.read(1).rgb
    assert rgb.shape == (37, 53, 3)
    assert np.ptp(rgb, axis=(0, 1)).max() == 0
    assert rgb[36, 52] == pytest.approx([0.8, 0.6, 0.2], abs=1.5 / 219)


@pytest.mark.parametrize(("name", "codec", "pix_fmt", "options"), CODECS)
def test_damaged_packets(
    tmp_path: Path, name: str, codec: str, pix_fmt: str, options: dict[str, str]
) -> None:
    """A frame whose data is wiped out is refused, and frames of other groups are still read."""
    path = movie(tmp_path, name, codec, pix_fmt, options)
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
        places = [(p.pos, p.size) for p in packets]
    at, size = places[18]
    assert at is not None
    content[at + 12 : at + size] = bytes(size - 12)
    path.write_bytes(content)
    with open_plate(str(path)) as plate:
        assert shown(plate, 5) == 4
        with pytest.raises(InputError, match=r"is damaged at frame (1[3-9]|2\d)"):
            [plate.read(number) for number in plate.frame_numbers]
        assert shown(plate, 40) == 39
        assert shown(plate, 3) == 2


def test_concealed_damage_is_not_silent(tmp_path: Path) -> None:
    """H.264 that the decoder patches up with earlier pictures is refused all the same."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[0:180, 0:320]
    frames = []
    for number in range(30):
        luma = 20 + (2 * x + y + 5 * number) % 200 + random.integers(0, 8, y.shape)
        frames.append([luma.astype(np.uint8), *[luma[:90, :160].astype(np.uint8)] * 2])
    path = encode_movie(tmp_path / "a.mp4", frames, options={"g": "12"})
    whole = path.read_bytes()
    with av.open(str(path)) as container:
        places = [(p.pos or 0, p.size) for p in container.demux(video=0) if p.size]
    for at, size in places[10:26:3]:
        content = bytearray(whole)
        for byte in range(at + size // 2, at + size // 2 + 16):
            content[byte] ^= 0xFF
        path.write_bytes(content)
        refused(path, "is damaged at frame")


def test_packed_pixels_are_refused(tmp_path: Path) -> None:
    """A codec that gives anything but planes is told by name."""
    path = tmp_path / "a.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("qtrle", rate=24)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "rgb24"
        frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 40, np.uint8), "rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    refused(path, "decodes to rgb24, which is not read")
