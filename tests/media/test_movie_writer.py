"""Movies written: read back by our own reader as they went in, tagged, whole or not there."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from lumivid_fx.errors import InputError
from lumivid_fx.media import open_plate
from lumivid_fx.media.movie_writer import PQ, rgb_to_yuv, write_movie
from lumivid_fx.media.plate import FloatImage

FPS = Fraction(24000, 1001)
COLOURS = [(0, 0, 0), (1, 1, 1), (0.5, 0.5, 0.5), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0.8, 0.6, 0.2)]

HALF_STEP = 0.5 / 219 + 1.8556 * 0.5 / 224
"""Most that rounding Y' and one of Cb and Cr to 8 bits moves red or blue, as ITU-R BT.709 weighs
them; green moves less."""


def flat(colour: tuple[float, float, float]) -> FloatImage:
    """A picture of one colour."""
    return np.full((32, 48, 3), colour, np.float32)


def ramp(turn: float = 0.0) -> FloatImage:
    """Smooth slopes of all three channels, in different directions."""
    y, x = np.mgrid[0:1:64j, 0:1:96j]
    return np.stack([x, y, (x + y) / 2 * (1 - turn)], axis=-1).astype(np.float32)


def written(path: Path, frames: list[FloatImage], quality: int = 0) -> list[FloatImage]:
    """Write frames, and read them again with the plate reader."""
    write_movie(path, frames, FPS, quality=quality)
    with open_plate(str(path)) as plate:
        return [plate.read(number).rgb for number in plate.frame_numbers]


def test_flat_colours_come_back(tmp_path: Path) -> None:
    """Matrix, range and rounding are the reader's own, turned round."""
    back = written(tmp_path / "a.mp4", [flat(c) for c in COLOURS])
    assert len(back) == len(COLOURS)
    for colour, rgb in zip(COLOURS, back, strict=True):
        error = np.abs(rgb - np.array(colour, np.float32))
        assert error.max() <= HALF_STEP + 1e-6  # float32 rounding


def test_chroma_lies_where_the_reader_looks_for_it(tmp_path: Path) -> None:
    """A slope comes back without a shift: half a pixel of it would be 0.005 more."""
    (back,) = written(tmp_path / "a.mp4", [ramp()])
    inner = np.abs(back - ramp())[2:-2, 2:-2]
    assert inner.max() <= HALF_STEP + 1e-3  # chroma at half size cuts the corners of rounding
    assert np.abs((back - ramp())[2:-2, 2:-2].mean(axis=(0, 1))).max() < 5e-4  # an eighth of a code


def test_movie_says_what_it_is(tmp_path: Path) -> None:
    """Players and our own reader need not guess: Rec.709, limited range, 4:2:0, the exact rate."""
    path = tmp_path / "new" / "a.mp4"
    write_movie(path, (ramp(n / 9) for n in range(9)), FPS)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        tags = (context.color_primaries, context.color_trc, context.colorspace)
        assert [int(tag) for tag in tags] == [1, 1, 1]
        assert int(context.color_range) == 1
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.frames, stream.average_rate) == (9, FPS)
    with open_plate(str(path)) as plate:
        assert (plate.width, plate.height, plate.fps, plate.space) == (96, 64, FPS, "srgb")
        assert list(plate.frame_numbers) == list(range(1, 10))


def test_quality_is_a_choice(tmp_path: Path) -> None:
    """A higher factor makes a smaller file; codes outside of [0, 1] are clamped."""
    noise = np.random.default_rng(0).normal(0.5, 0.5, (64, 96, 3)).astype(np.float32)
    sizes = []
    for quality in (10, 40):
        path = tmp_path / f"{quality}.mp4"
        write_movie(path, [noise] * 2, FPS, quality=quality)
        sizes.append(path.stat().st_size)
    assert sizes[0] > 2 * sizes[1]


def test_limits_of_the_codes() -> None:
    """Black, white and the primaries use limited range to its ends and no further."""
    planes = [rgb_to_yuv(flat(c)) for c in ((0, 0, 0), (1, 1, 1), (0, 0, 1), (1, 0, 0))]
    corners = [tuple(int(part[0, 0]) for part in each) for each in planes]
    # ITU-R BT.709: blue has the largest Cb, red the largest Cr; luma is 16 + 219 times its weight.
    assert corners == [(16, 128, 128), (235, 128, 128), (32, 240, 118), (63, 102, 240)]
    assert [part.shape for part in planes[0]] == [(32, 48), (16, 24), (16, 24)]


def test_failure_leaves_the_old_movie(tmp_path: Path) -> None:
    """What stops half way, here frames of two sizes, leaves the folder as it was."""
    path = tmp_path / "a.mp4"
    write_movie(path, [ramp()], FPS)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="frame 2"):
        write_movie(path, [ramp(), flat((0, 0, 0))], FPS)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_odd_size_is_refused(tmp_path: Path) -> None:
    """Halved chroma needs even sizes."""
    with pytest.raises(ValueError, match="even"):
        write_movie(tmp_path / "a.mp4", [ramp()[:, :-1]], FPS)
    assert not list(tmp_path.iterdir())


def test_no_frames_is_told(tmp_path: Path) -> None:
    """An empty movie is no movie."""
    with pytest.raises(InputError, match="no frames"):
        write_movie(tmp_path / "a.mp4", [], FPS)


def test_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file in place of the folder is named with the remedy."""
    (tmp_path / "taken").touch()
    with pytest.raises(InputError, match="choose another folder"):
        write_movie(tmp_path / "taken" / "a.mp4", [ramp()], FPS)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_movie_of_a_frame_or_two(tmp_path: Path, frames: int) -> None:
    """HEVC of so few frames says when each is decoded, not later than it is shown."""
    path = tmp_path / "short.mp4"
    write_movie(path, [ramp()] * frames, FPS, kind=PQ)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        times = [(packet.dts, packet.pts) for packet in packets]
    assert len(times) == frames
    for dts, pts in times:
        assert dts is not None
        assert pts is not None
        assert dts <= pts
        assert frames > 2 or dts == pts
