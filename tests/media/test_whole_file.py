"""Files that are whole or absent, and what killed writers leave."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from lumivid_fx.errors import DiskFullError, InputError
from lumivid_fx.media.whole_file import remove_leftovers, require_room, whole_file


def names(folder: Path) -> list[str]:
    """What lies in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    """Until the end there is a hidden file alone, and an earlier one of that name is as it was."""
    path = tmp_path / "new" / "a.1001.exr"
    with whole_file(path, "a") as beside:
        beside.write_bytes(b"one")
        assert names(path.parent) == [beside.name]
    assert path.read_bytes() == b"one"
    with whole_file(path, "a") as beside:
        beside.write_bytes(b"two")
        assert path.read_bytes() == b"one"
    assert path.read_bytes() == b"two"
    assert names(path.parent) == ["a.1001.exr"]


def test_whatever_goes_wrong_nothing_stays(tmp_path: Path) -> None:
    """Errors of the writer's own come through as they are."""
    with pytest.raises(UnicodeEncodeError), whole_file(tmp_path / "a.exr", "a") as beside:
        beside.write_text("half a \N{SNOWMAN}", "ascii")
    assert names(tmp_path) == []


def test_no_room(tmp_path: Path) -> None:
    """A file that may not grow so far is told by what it was to be called, and leaves nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with (
            pytest.raises(DiskFullError, match=r"frame 7 .*\(File too large\); free space"),
            whole_file(tmp_path / "a.exr", "frame 7") as beside,
        ):
            beside.write_bytes(bytes(2000))
        assert names(tmp_path) == []
        (tmp_path / "full").write_bytes(bytes(1000))
        with pytest.raises(OSError, match="File too large"):
            require_room(tmp_path / "full")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    require_room(tmp_path / "full")


def test_no_folder(tmp_path: Path) -> None:
    """A place that takes no file is the artist's to change."""
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match=r"cannot be written .*choose another folder"),
        whole_file(tmp_path / "file" / "a.exr", "a"),
    ):
        pass


def test_leftovers_are_cleared_away(tmp_path: Path) -> None:
    """Hidden files of the frames meant go when they are old; nobody else's do."""
    frames = [tmp_path / f"a.{number}.exr" for number in (1001, 1002)]
    old = [".a.1001.0123abcd.exr", ".a.1002.ffffffff.exr"]
    others = [
        *(".a.1003.0123abcd.exr", ".a.1001.0123abcd.tif", ".a.1001.0123abcdef.exr"),
        *(".a.1001.exr", "a.1001.0123abcd.exr", "a.1001.exr"),
    ]
    for name in (*old, *others):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (5, 5))
    young = ".a.1001.00000000.exr"
    (tmp_path / young).touch()
    remove_leftovers([*frames, tmp_path / "no" / "folder.exr"])
    assert names(tmp_path) == sorted([*others, young])
