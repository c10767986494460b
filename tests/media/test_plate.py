"""What plates have in common, and what opening one costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lumivid_fx.errors import InputError
from lumivid_fx.media import Windows, open_plate
from lumivid_fx.media.plate import MAX_PIXELS, check_size, require_file

LIGHT = """
import sys
import lumivid_fx.media
assert not {"av", "OpenImageIO", "torch", "PyOpenColorIO"} & set(sys.modules), sys.modules
"""


def test_the_room_is_light() -> None:
    """Importing it in a fresh interpreter pulls in neither PyAV nor OpenImageIO nor torch."""
    subprocess.run([sys.executable, "-c", LIGHT], check=True)


@pytest.mark.parametrize(("width", "height"), [(0, 9), (9, -1), (MAX_PIXELS, 2), (2**30, 2**30)])
def test_sizes_that_are_refused(width: int, height: int) -> None:
    """Nothing, and more than 2^28 pixels, is no picture."""
    with pytest.raises(InputError, match=r"a\.exr says it is"):
        check_size(width, height, "a.exr")


def test_sizes_that_are_read() -> None:
    """One pixel and 16384 x 16384 are."""
    check_size(1, 1, "a.exr")
    check_size(16384, 16384, "a.exr")


def test_required_files(tmp_path: Path) -> None:
    """Missing and empty files are told apart before any library sees them."""
    with pytest.raises(InputError, match=r"a\.exr does not exist"):
        require_file(tmp_path / "a.exr", "a.exr")
    (tmp_path / "a.exr").touch()
    with pytest.raises(InputError, match=r"a\.exr is empty"):
        require_file(tmp_path / "a.exr", "a.exr")


@pytest.mark.parametrize("source", ["gone.mov", "gone.exr", "gone.####.exr", "gone"])
def test_nothing_to_open(tmp_path: Path, source: str) -> None:
    """Every kind of source that is not there is told by name."""
    with pytest.raises(InputError, match="gone"):
        open_plate(str(tmp_path / source))


def test_nonsense_ranges_are_refused_before_opening(tmp_path: Path) -> None:
    """A range is read before the source is looked for."""
    with pytest.raises(InputError, match="frame range 'x'"):
        open_plate(str(tmp_path / "gone.exr"), "x")


def test_windows() -> None:
    """A whole window is both windows at the origin."""
    assert Windows.whole(4, 3) == Windows(0, 0, 4, 3, 0, 0, 4, 3)
