"""Frame ranges and sequences on disk, as artists write them."""

from __future__ import annotations

import os
import string
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumivid_fx.errors import InputError
from lumivid_fx.media.frame_range import find_frames, find_sources, format_range, parse_range

SUFFIXES = {".exr", ".png", ".jpg"}


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("1-100x2", range(1, 101, 2)),
        ("1-9x3,20", (1, 4, 7, 20)),
        ("1001-1003,1003-1005", range(1001, 1006)),
        ("1-4,9-10", (1, 2, 3, 4, 9, 10)),
        ("-4--1x3", range(-4, 0, 3)),
    ],
)
def test_ranges_with_steps_and_lists(text: str, frames: Sequence[int]) -> None:
    """Steps and lists give just the frames they name, each once, and are written as they read."""
    assert parse_range(text) == frames
    assert parse_range(format_range(frames)) == frames


def test_a_step_asks_for_no_frame_between(tmp_path: Path) -> None:
    """Every second frame is a plate of its own, and of it too the missing ones are named."""
    touch(tmp_path, *(f"p.{n:04d}.exr" for n in range(1, 12, 2)))
    pattern = str(tmp_path / "p.####.exr")
    assert list(find_frames(pattern, range(1, 12, 2), SUFFIXES)) == [1, 3, 5, 7, 9, 11]
    assert list(find_frames(str(tmp_path / "p.1-9x4####.exr"), None, SUFFIXES)) == [1, 5, 9]
    (tmp_path / "p.0005.exr").unlink()
    with pytest.raises(
        InputError, match="lacks frame 5; render what is missing, or ask for 1,3,7-11x2"
    ):
        find_frames(pattern, range(1, 12, 2), SUFFIXES)


def touch(folder: Path, *names: str) -> None:
    """Make empty files; finding them looks at names only."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


@given(st.integers(-9999, 99999), st.integers(0, 5000))
def test_range_round_trip(first: int, more: int) -> None:
    """A range written is the range read, negative frames and single frames included."""
    frames = range(first, first + more + 1)
    assert parse_range(format_range(frames)) == frames


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "cannot be read"),
        ("abc", "cannot be read"),
        ("1001-", "cannot be read"),
        ("1-99999999999", "cannot be read"),
        ("1-9999999x2", "lists more than 100000 frames"),
        ("9999999-1", "lists more than 100000 frames"),
        ("10-1", "write it as 1-10"),
        ("9,1-3", "write it as 1-3,9"),
        ("1.5-3", "whole frame numbers"),
    ],
)
def test_nonsense_is_refused(text: str, told: str) -> None:
    """What is no plain range is refused with what to write instead."""
    with pytest.raises(InputError, match=told):
        parse_range(text)


@given(st.text(string.digits + "-,x:. yab", max_size=12))
def test_any_text_is_a_range_or_refused(text: str) -> None:
    """No text at all raises anything but InputError."""
    with suppress(InputError):
        assert len(parse_range(text)) > 0


@pytest.mark.parametrize(
    "pattern",
    [
        "plate.####.exr",
        "plate.%04d.exr",
        "plate.@@@@.exr",
        "plate.1001-1005#.exr",
        "plate.1001-1005####.exr",
        "plate.#.exr",
        "",
    ],
)
def test_notations_find_the_same_files(tmp_path: Path, pattern: str) -> None:
    """Every notation, and the folder itself, gives all frames; hidden files do not count."""
    touch(tmp_path, *(f"plate.{n}.exr" for n in range(1001, 1006)))
    touch(tmp_path, ".plate.1002.8a1f.exr", "notes.txt", ".DS_Store")
    found = find_frames(str(tmp_path / pattern), None, SUFFIXES)
    assert found == {n: tmp_path / f"plate.{n}.exr" for n in range(1001, 1006)}


@pytest.mark.parametrize("number", [1, 3, 5])
@pytest.mark.parametrize("kind", ["link to nothing", "link to itself", "pipe", "folder"])
def test_what_is_no_file_is_no_hole_at_the_end(tmp_path: Path, kind: str, number: int) -> None:
    """A broken link among the frames is a frame, also where it is the first; a folder is none."""
    touch(tmp_path, *(f"p.{n}.exr" for n in range(1, 6) if n != number))
    broken = tmp_path / f"p.{number}.exr"
    if kind == "pipe":
        os.mkfifo(broken)
    elif kind == "folder":
        broken.mkdir()
    else:
        broken.symlink_to("nothing.exr" if kind == "link to nothing" else broken.name)
    wanted = None if kind != "folder" else [n for n in range(1, 6) if n != number]
    found = find_frames(str(tmp_path / "p.#.exr"), wanted, SUFFIXES)
    assert (number in found) == (kind != "folder")
    assert len(found) == (4 if kind == "folder" else 5)


def test_folder_names_may_hold_anything(tmp_path: Path) -> None:
    """Brackets, braces, stars and spaces in a folder's name are just a name."""
    folder = tmp_path / "shot [v1] {a,b} *"
    touch(folder, "plate.0001.exr", "plate.0002.exr")
    assert list(find_frames(str(folder / "plate.####.exr"), None, SUFFIXES)) == [1, 2]


@pytest.mark.parametrize(
    ("names", "pattern", "frames"),
    [
        ([f"n.{n}.png" for n in range(8, 12)], "n.#.png", [8, 9, 10, 11]),
        ([f"n.{n}.png" for n in range(8, 12)], "n.####.png", [8, 9, 10, 11]),
        ([f"n.{n:04d}.png" for n in range(9998, 10002)], "n.####.png", [9998, 9999, 10000, 10001]),
        (["n.-002.png", "n.-001.png", "n.0000.png", "n.0001.png"], "n.####.png", [-2, -1, 0, 1]),
    ],
)
def test_padding(tmp_path: Path, names: list[str], pattern: str, frames: list[int]) -> None:
    """Numbers that outgrow their padding, have none, or are negative are found in order."""
    touch(tmp_path, *names)
    found = find_frames(str(tmp_path / pattern), None, SUFFIXES)
    assert list(found) == frames
    assert [path.name for path in found.values()] == names


def test_exact_padding_wins(tmp_path: Path) -> None:
    """Where two paddings lie side by side, the pattern's own is taken, and a third is refused."""
    touch(tmp_path, *(f"m.{n}.png" for n in (1, 2)), *(f"m.{n:04d}.png" for n in (1, 2)))
    assert find_frames(str(tmp_path / "m.#.png"), None, SUFFIXES)[1].name == "m.1.png"
    assert find_frames(str(tmp_path / "m.%04d.png"), None, SUFFIXES)[1].name == "m.0001.png"
    with pytest.raises(InputError, match="several paddings"):
        find_frames(str(tmp_path / "m.######.png"), None, SUFFIXES)


def test_range_asked_for(tmp_path: Path) -> None:
    """A range picks frames, and goes before the one written in the pattern."""
    touch(tmp_path, *(f"plate.{n}.exr" for n in range(1001, 1010)))
    pattern = str(tmp_path / "plate.1002-1004#.exr")
    assert list(find_frames(pattern, None, SUFFIXES)) == [1002, 1003, 1004]
    assert list(find_frames(pattern, range(1008, 1010), SUFFIXES)) == [1008, 1009]
    with pytest.raises(InputError, match="holds 1001-1009 only, so frame 1010"):
        find_frames(pattern, range(1005, 1011), SUFFIXES)


def test_missing_frames_are_named(tmp_path: Path) -> None:
    """The first few missing frames are named and the rest counted; others do not matter."""
    touch(tmp_path, *(f"plate.{n}.exr" for n in (*range(1, 11), *range(20, 23))))
    pattern = str(tmp_path / "plate.####.exr")
    with pytest.raises(InputError, match="lacks frame 11, 12, 13, 14, 15 and 4 more"):
        find_frames(pattern, None, SUFFIXES)
    assert list(find_frames(pattern, range(3, 6), SUFFIXES)) == [3, 4, 5]


@pytest.mark.parametrize(
    ("name", "frame"),
    [
        ("photo.jpg", 1),
        ("photo2.jpg", 1),
        ("shot_v003.jpg", 1),
        ("plate.1003.jpg", 1003),
        ("IMG_1234.jpg", 1234),
        ("0007.jpg", 7),
    ],
)
def test_a_still_keeps_its_number(tmp_path: Path, name: str, frame: int) -> None:
    """A number after a dot or underscore is a frame number; a version or a name is not."""
    touch(tmp_path / "in", name)
    expected = {frame: tmp_path / "in" / name}
    assert find_frames(str(tmp_path / "in" / name), None, SUFFIXES) == expected
    assert find_frames(str(tmp_path / "in"), None, SUFFIXES) == expected


def test_a_folder_of_several_sequences_is_refused(tmp_path: Path) -> None:
    """The sequences are listed, so that the artist can name one."""
    touch(tmp_path, "a.0001.exr", "a.0002.exr", "b.0001.png", "b.0002.png")
    with pytest.raises(InputError, match=r"holds 2 sequences \(a\.####\.exr, b\.####\.png\)"):
        find_frames(str(tmp_path), None, SUFFIXES)


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("", "holds no image sequence"),
        ("plate.exr", "does not exist"),
        ("plate.####.exr", "matches no file"),
        ("nowhere/plate.####.exr", "no such folder"),
        ("plate_%04d_v2.exr", "right before the extension"),
        ("plate.9-1#.exr", "runs backwards"),
    ],
)
def test_nothing_there(tmp_path: Path, pattern: str, told: str) -> None:
    """What matches nothing is refused with its reason."""
    with pytest.raises(InputError, match=told):
        find_frames(str(tmp_path / pattern), None, SUFFIXES)


def test_sources_of_a_folder_are_listed(tmp_path: Path) -> None:
    """Sequences and stills by the name they share, each as what can be opened; the rest is not."""
    touch(tmp_path, "shot.1001.exr", "shot.1002.exr", "kitchen.exr", "notes.txt")
    touch(tmp_path / "inside", "deeper.exr")
    found = find_sources(str(tmp_path), SUFFIXES)
    assert list(found) == ["kitchen", "shot"]
    assert found["kitchen"] == str(tmp_path / "kitchen.exr")
    assert list(find_frames(found["shot"], None, SUFFIXES)) == [1001, 1002]
