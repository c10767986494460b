"""What frames a movie holds: rates, trims, and movies that are cut, foreign or no movies."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from lumivid_fx.errors import InputError
from lumivid_fx.media import open_plate

from .files import RAW, encode_movie
from .movies import CODECS, movie, numbered, refused, shown


def test_an_edit_list_hides_frames(tmp_path: Path) -> None:
    """Frames that the container trims away are not there."""
    path = encode_movie(tmp_path / "a.mp4", numbered(30), options=RAW, times=range(-7, 23))
    with open_plate(str(path)) as plate:
        assert plate.frame_numbers == range(1, 24)
        assert [shown(plate, number) for number in (1, 23, 10)] == [7, 29, 16]


def test_variable_frame_rate_is_refused(tmp_path: Path) -> None:
    """A hole in time, or a change of rate, is told with its frame."""
    hole = encode_movie(tmp_path / "a.mp4", numbered(9), times=[0, 1, 2, 3, 6, 7, 8, 9, 10])
    with pytest.raises(InputError, match=r"variable frame rate \(frame 5 is 3.00 times"):
        open_plate(str(hole))
    slower = [*range(0, 80, 4), *range(80, 180, 5)]
    change = encode_movie(tmp_path / "b.mp4", numbered(40), rate=120, times=slower)
    with pytest.raises(InputError, match="variable frame rate"):
        open_plate(str(change))


def test_frames_at_one_time_are_refused(tmp_path: Path) -> None:
    """Frames that all claim the same time have no rate, and are not guessed into one."""
    path = encode_movie(tmp_path / "a.mp4", numbered(5), options=RAW, times=[0] * 5)
    with pytest.raises(InputError, match="frames 1 and 2 the same time"):
        open_plate(str(path))


@pytest.mark.parametrize("rate", [24, Fraction(24000, 1001), Fraction(60000, 1001), 120])
@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_constant_rates(tmp_path: Path, rate: Fraction | int, name: str) -> None:
    """Milliseconds of Matroska are no jitter, and rates are exact."""
    path = encode_movie(tmp_path / name, numbered(40), rate=rate)
    with open_plate(str(path)) as plate:
        assert plate.fps == rate
        assert len(plate.frame_numbers) == 40


def test_a_movie_of_one_frame(tmp_path: Path) -> None:
    """It is a plate of one frame."""
    path = encode_movie(tmp_path / "a.mp4", numbered(1), options=RAW)
    with open_plate(str(path)) as plate:
        assert plate.frame_numbers == range(1, 2)
        assert shown(plate, 1) == 0


def test_files_that_are_no_movies(tmp_path: Path) -> None:
    """Missing, empty, foreign, misnamed and silent-picture files are told apart."""
    path = tmp_path / "a.mp4"
    refused(path, "does not exist")
    path.touch()
    refused(path, "is empty")
    path.write_text("#EXTM3U\nhttp://localhost/a.ts\n" * 20)
    refused(path, "not what its name says")
    matroska = encode_movie(tmp_path / "a.mkv", numbered(3))
    path.write_bytes(matroska.read_bytes())
    refused(path, "not what its name says")
    matroska.write_bytes(encode_movie(tmp_path / "b.mp4", numbered(3)).read_bytes())
    refused(matroska, "not what its name says")


def test_unknown_codec(tmp_path: Path) -> None:
    """A codec that nobody knows is told as such."""
    path = encode_movie(tmp_path / "a.mp4", numbered(3))
    content = path.read_bytes()
    assert content.count(b"avc1") >= 1
    path.write_bytes(content.replace(b"avc1", b"zzzz"))
    refused(path, "codec that is not known")


def test_sound_alone(tmp_path: Path) -> None:
    """A movie without pictures is refused."""
    path = tmp_path / "a.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        assert isinstance(stream, av.AudioStream)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        sound.sample_rate = 48000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    refused(path, "holds no pictures")


@pytest.mark.parametrize(("name", "codec", "pix_fmt", "options"), CODECS)
def test_movies_that_end_early(
    tmp_path: Path, name: str, codec: str, pix_fmt: str, options: dict[str, str]
) -> None:
    """A movie cut anywhere is refused when it is opened."""
    path = movie(tmp_path, name, codec, pix_fmt, options)
    whole = path.read_bytes()
    for share in (0.02, 0.3, 0.7, 0.97):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(InputError, match=r"ends early|cut short|holds no frames"):
            open_plate(str(path))


def test_a_header_at_the_end_is_lost_with_it(tmp_path: Path) -> None:
    """A cut MP4 with its header at the end cannot be opened at all."""
    path = encode_movie(tmp_path / "a.mp4", numbered(20))
    path.write_bytes(path.read_bytes()[:-200])
    refused(path, "cut short, damaged")
