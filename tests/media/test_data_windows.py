"""Data windows that change: every pixel in its place in the plate, and back to its own window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumivid_fx.errors import InputError, LimitError
from lumivid_fx.media import Frame, Windows, open_plate
from lumivid_fx.media.data_windows import (
    common_window,
    covers,
    cut_out,
    display_of,
    lay_into,
    own_window,
)

from .files import Array, write_image

DISPLAY = (0, 0, 40, 30)


def window(x: int, y: int, width: int, height: int) -> Windows:
    """Data of this place and size under one display window."""
    return Windows(x, y, width, height, *DISPLAY)


def write_frame(folder: Path, number: int, pixels: Array, x: int, y: int) -> Array:
    """One EXR of a sequence whose data begins at x and y; gives back what it holds."""
    held = pixels.astype(np.float16)
    write_image(folder / f"cg.{number}.exr", held, origin=(x, y), display=DISPLAY)
    return held.astype(np.float32)


def light(height: int, width: int, channels: int = 3) -> Array:
    """Pixels that differ, some above 1 and some below 0."""
    random = np.random.default_rng(height * width)
    return random.uniform(-0.5, 8, (height, width, channels))


@given(
    st.lists(
        st.tuples(
            st.integers(-20, 50), st.integers(-20, 50), st.integers(1, 30), st.integers(1, 30)
        ),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_laid_in_is_cut_out_again(places: list[tuple[int, int, int, int]]) -> None:
    """For any windows one holds them all, and the display where they differ; nothing is lost."""
    parts = [window(*place) for place in places]
    whole = common_window(parts)
    alike = all(part == parts[0] for part in parts)
    assert whole == parts[0] if alike else covers(whole, display_of(whole))
    for part in parts:
        assert covers(whole, part)
        pixels = light(part.data_height, part.data_width).astype(np.float32)
        laid = lay_into(whole, part, pixels)
        assert laid.shape == (whole.data_height, whole.data_width, 3)
        frame = Frame(1, laid, None, whole, {}, part)
        assert own_window(frame) == part
        assert np.array_equal(cut_out(frame, laid), pixels)
        assert np.count_nonzero(laid) == np.count_nonzero(pixels)


def test_a_crop_that_moves_is_one_plate(tmp_path: Path) -> None:
    """Each frame lies where its file says, under one window that holds the display and all data."""
    places = {1: (5, 6, 10, 12), 2: (8, 7, 11, 9), 3: (-4, 20, 14, 15)}
    held = {
        number: write_frame(tmp_path, number, light(height, width, 4), x, y)
        for number, (x, y, width, height) in places.items()
    }
    with open_plate(str(tmp_path / "cg.#.exr")) as plate:
        assert (plate.width, plate.height) == (44, 35)
        for number, (x, y, width, height) in places.items():
            frame = plate.read(number)
            assert frame.windows == window(-4, 0, 44, 35)
            assert frame.own == window(x, y, width, height)
            assert frame.alpha is not None
            rows, columns = slice(y, y + height), slice(x + 4, x + 4 + width)
            assert np.array_equal(frame.rgb[rows, columns], held[number][..., :3])
            assert np.array_equal(frame.alpha[rows, columns], held[number][..., 3])
            assert np.count_nonzero(frame.alpha) == np.count_nonzero(held[number][..., 3])


def test_ends_that_are_alike_do_not_hide_what_lies_between(tmp_path: Path) -> None:
    """What comes in and goes out again begins and ends as one black pixel."""
    for number, (width, height) in {1: (1, 1), 2: (40, 30), 3: (1, 1)}.items():
        write_frame(tmp_path, number, light(height, width), 0, 0)
    with open_plate(str(tmp_path / "cg.#.exr")) as plate:
        assert (plate.width, plate.height) == (40, 30)
        assert plate.read(1).own == window(0, 0, 1, 1)
        assert plate.read(2).own is None


def test_a_smaller_frame_amid_whole_ones(tmp_path: Path) -> None:
    """It is laid into the window that all others have; one beyond it is refused with its name."""
    for number in range(1, 6):
        write_frame(tmp_path, number, light(34, 44), -2, -2)
    write_frame(tmp_path, 3, light(9, 8), 30, 20)
    write_frame(tmp_path, 4, light(34, 44), -3, -2)
    with open_plate(str(tmp_path / "cg.#.exr")) as plate:
        assert (plate.width, plate.height) == (44, 34)
        assert plate.read(2).own is None
        assert plate.read(3).own == window(30, 20, 8, 9)
        with pytest.raises(InputError, match=r"cg\.4\.exr \(frame 4\) has pixels outside"):
            plate.read(4)


def test_the_same_crop_all_along_is_the_picture(tmp_path: Path) -> None:
    """Nothing is laid round it: the model sees the pixels there are, and no black."""
    for number in range(1, 4):
        write_frame(tmp_path, number, light(9, 8), 30, 20)
    with open_plate(str(tmp_path / "cg.#.exr")) as plate:
        assert (plate.width, plate.height) == (8, 9)
        assert plate.read(2).windows == window(30, 20, 8, 9)
        assert plate.read(2).own is None


def test_a_damaged_frame_hinders_no_other(tmp_path: Path) -> None:
    """Headers are looked at when a plate is opened; a bad one is told when its frame is read."""
    for number in range(1, 5):
        write_frame(tmp_path, number, light(9, 8), number, 0)
    (tmp_path / "cg.3.exr").write_bytes(b"")
    with open_plate(str(tmp_path / "cg.#.exr")) as plate:
        assert plate.read(2).own == window(2, 0, 8, 9)
        with pytest.raises(InputError, match=r"cg\.3\.exr \(frame 3\) is empty"):
            plate.read(3)


def test_a_plate_as_large_as_no_picture_is(tmp_path: Path) -> None:
    """Two specks far apart: their sizes are small, and the window round both is not."""
    write_frame(tmp_path, 1, light(2, 2), 0, 0)
    write_frame(tmp_path, 2, light(2, 2), 20_000, 20_000)
    with pytest.raises(LimitError, match="20002 x 20002 pixels"):
        open_plate(str(tmp_path / "cg.#.exr"))
