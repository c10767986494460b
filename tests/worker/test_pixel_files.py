"""Raw half floats to EXR and back."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lumivid_fx.errors import CancelledError, InputError
from lumivid_fx.media import Windows, open_plate
from lumivid_fx.media.exr import is_finished, write_exr
from lumivid_fx.protocol.messages import PixelSource
from lumivid_fx.worker.pixel_files import (
    pixels_of,
    plate_of,
    read_picture,
    result_of,
    take_in,
    write_pixels,
)

Halves = npt.NDArray[np.float16]


def nobody(number: int) -> None:
    """Nobody asks."""
    del number


def send(folder: Path, first: int, frames: Halves) -> PixelSource:
    """Put frames ``f h w c`` where the server puts what a client sent."""
    (folder / "in").mkdir(parents=True, exist_ok=True)
    for index, samples in enumerate(frames):
        path = folder / "in" / f"{first + index}.f16"
        path.write_bytes(samples.astype("<f2").tobytes())
    count, height, width, channels = frames.shape
    return PixelSource(
        width=width,
        height=height,
        channels=4 if channels == 4 else 3,
        first=first,
        count=count,
        fps=29.97,
    )


def write_result(path: Path, samples: Halves, windows: Windows | None = None) -> Path:
    """A frame of a result as EXR."""
    rgb = samples[..., :3].astype(np.float32)
    alpha = samples[..., 3].astype(np.float32) if samples.shape[-1] == 4 else None
    write_exr(
        path,
        rgb,
        alpha,
        windows=windows or Windows.whole(rgb.shape[1], rgb.shape[0]),
        attributes={"lumivid/frame": 7},
        chromaticities=None,
        interop_id=None,
        fps=None,
    )
    return path


finite = st.floats(width=16, allow_nan=False, allow_infinity=False)


@given(st.sampled_from([3, 4]).flatmap(lambda c: arrays(np.float16, (3, 4, c), elements=finite)))
def test_every_half_goes_there_and_back(
    tmp_path_factory: pytest.TempPathFactory, samples: Halves
) -> None:
    """Any finite half float comes out of the EXR with its bits, zero's sign included."""
    folder = tmp_path_factory.mktemp("job")
    plate = take_in(folder, send(folder, 5, samples[None]), nobody)
    picture = read_picture(Path(plate.replace("####", "0005")))
    assert picture.shape == samples.shape
    assert np.array_equal(picture.samples.view(np.uint16), samples.view(np.uint16))
    assert picture.sha256 == hashlib.sha256(samples.astype("<f2").tobytes()).hexdigest()


def test_a_plate_of_any_numbers(tmp_path: Path) -> None:
    """Frames below zero are frames, and the rate is the exact one that was meant."""
    frames = np.random.default_rng(0).random((5, 6, 8, 3)).astype(np.float16)
    assert take_in(tmp_path, send(tmp_path, -2, frames), nobody) == plate_of(tmp_path)
    with open_plate(plate_of(tmp_path)) as plate:
        assert plate.frame_numbers == range(-2, 3)
        assert plate.fps == Fraction(30000, 1001)
        for number in plate.frame_numbers:
            assert np.array_equal(plate.read(number).rgb, frames[number + 2])


def test_frames_are_taken_in_once(tmp_path: Path) -> None:
    """A cancel leaves whole frames, and what is there is not read again."""
    frames = np.zeros((4, 6, 8, 3), np.float16)
    source = send(tmp_path, 1, frames)

    def stop(number: int) -> None:
        if number == 3:
            raise CancelledError("enough")

    with pytest.raises(CancelledError):
        take_in(tmp_path, source, stop)
    there = sorted((tmp_path / "plate").iterdir())
    assert [path.name for path in there] == ["plate.0001.exr", "plate.0002.exr"]
    assert all(map(is_finished, there))
    (tmp_path / "in" / "1.f16").unlink()
    asked: list[int] = []
    take_in(tmp_path, source, asked.append)
    assert asked == [1, 2, 3, 4]
    assert len(list((tmp_path / "plate").iterdir())) == 4


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_no_number_is_no_picture(tmp_path: Path, bad: float) -> None:
    """NaN and infinity are told by frame, and nothing of the frame is written."""
    frames = np.zeros((2, 6, 8, 4), np.float16)
    frames[1, 0, 0, 3] = bad
    source = send(tmp_path, 8, frames)
    with pytest.raises(InputError, match="frame 9 of the plate that was sent holds 1 samples"):
        take_in(tmp_path, source, nobody)
    assert [path.name for path in (tmp_path / "plate").iterdir()] == ["plate.0008.exr"]


@pytest.mark.parametrize(
    ("windows", "rows", "columns"),
    [
        (Windows(2, 1, 8, 6, 0, 0, 12, 9), slice(1, 7), slice(2, 10)),  # data inside
        (Windows(0, 0, 8, 6, 0, 0, 12, 9), slice(0, 6), slice(0, 8)),
        (Windows(-3, -2, 8, 6, 0, 0, 3, 3), slice(-2, 4), slice(-3, 5)),  # overscan
        (Windows(5, 4, 8, 6, 2, 3, 12, 9), slice(1, 7), slice(3, 11)),
        (Windows(50, 4, 8, 6, 0, 0, 12, 9), slice(4, 10), slice(50, 58)),  # nothing to see
    ],
)
def test_pixels_are_what_a_viewer_shows(
    tmp_path: Path, windows: Windows, rows: slice, columns: slice
) -> None:
    """Pixels have no windows: they are the display window, black where there is no data."""
    samples = np.random.default_rng(1).random((6, 8, 4)).astype(np.float16) + np.float16(1)
    shown = read_picture(write_result(tmp_path / "a.exr", samples, windows)).samples
    height, width = windows.display_height, windows.display_width
    canvas = np.zeros((200, 200, 4), np.float16)
    canvas[100 + rows.start : 100 + rows.stop, 100 + columns.start : 100 + columns.stop] = samples
    assert np.array_equal(shown, canvas[100 : 100 + height, 100 : 100 + width])


@pytest.mark.parametrize(
    ("width", "told"), [(400_000, "is 400000 x 400000"), (16_000, "as pixels, and at most")]
)
def test_absurd_windows_take_no_memory(tmp_path: Path, width: int, told: str) -> None:
    """A display window from a damaged header is refused before room is made for it."""
    windows = Windows(0, 0, 8, 6, 0, 0, width, width)
    path = write_result(tmp_path / "a.exr", np.zeros((6, 8, 3), np.float16), windows)
    with pytest.raises(InputError, match=told):
        read_picture(path)


def test_what_goes_out(tmp_path: Path) -> None:
    """Pixels are the file's bytes, beside the EXR they came from."""
    assert result_of(tmp_path) == str(tmp_path / "out" / "plate.####.exr")
    samples = np.random.default_rng(2).random((6, 8, 3)).astype(np.float16)
    picture = read_picture(write_result(tmp_path / "a.exr", samples))
    path = pixels_of(tmp_path, -4)
    write_pixels(path, picture)
    assert path == tmp_path / "out" / "-4.f16"
    assert path.read_bytes() == samples.astype("<f2").tobytes()
    assert [each.name for each in path.parent.iterdir()] == ["-4.f16"]


def test_a_result_that_is_gone(tmp_path: Path) -> None:
    """It is told as that."""
    with pytest.raises(InputError, match="does not exist"):
        read_picture(tmp_path / "a.exr")
