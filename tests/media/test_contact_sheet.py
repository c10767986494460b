"""Contact sheets: what is drawn where, in which exposure, and how the file gets there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lumivid_fx.errors import InputError
from lumivid_fx.media.contact_sheet import BACKGROUND, contact_sheet, write_sheet

WIDTH, HEIGHT = 64, 36


def grey(value: float) -> np.ndarray:
    """A flat picture, `h w 3`."""
    return np.full((HEIGHT, WIDTH, 3), value, np.float32)


def sheet_of(path: Path) -> np.ndarray:
    """The codes of a PNG."""
    with Image.open(path) as image:
        assert image.mode == "RGB"
        return np.asarray(image)


def test_each_row_has_its_exposure(tmp_path: Path) -> None:
    """Input as it is, result at -4, 0 and +4 stops in sRGB, clipped at white."""
    write_sheet(tmp_path / "s.png", [(1001, grey(0.5)), (1002, grey(0.25))], [grey(0.18), grey(4)])
    codes = sheet_of(tmp_path / "s.png")
    assert codes.shape[1] == pytest.approx(1600, abs=4)  # whole pixels a column
    height = codes.shape[0] // 4
    centres = [height // 2 + row * height for row in range(4)]
    columns = [codes.shape[1] * share // 100 for share in (28, 76)]
    seen = [[int(codes[y, x, 0]) for x in columns] for y in centres]
    # IEC 61966-2-1 of 0.18 / 16, 0.18, 2.88 and of 0.25, 4, 64, in 8 bits.
    assert seen == [[128, 64], [27, 137], [118, 255], [255, 255]]


def test_surround_is_a_dark_neutral_grey(tmp_path: Path) -> None:
    """Corners are background; nothing but pictures and letters lies on it."""
    write_sheet(tmp_path / "s.png", [(1, grey(1))], [grey(1)])
    codes = sheet_of(tmp_path / "s.png")
    assert codes[-1, 0].tolist() == list(BACKGROUND)
    assert len(set(BACKGROUND)) == 1
    assert max(BACKGROUND) < 64


def test_labels_are_lettered(tmp_path: Path) -> None:
    """Each column is headed, and each row has a label beside it."""
    write_sheet(tmp_path / "s.png", [(7, grey(0))], [grey(0)])
    codes = sheet_of(tmp_path / "s.png").astype(int)
    lit = codes.min(axis=-1) > 100
    assert lit[:28].any()
    margin = lit[28:, :70]
    bands = np.array_split(margin, 4, axis=0)
    assert all(band.any() for band in bands)


def test_portrait_still_is_no_endless_sheet(tmp_path: Path) -> None:
    """One tall frame stays at a height that fits a screen or two."""
    tall = np.zeros((1920, 1080, 3), np.float32)
    write_sheet(tmp_path / "s.png", [(1, tall)], [tall])
    assert sheet_of(tmp_path / "s.png").shape[0] < 3000


def test_pictures_are_antialiased() -> None:
    """A one-pixel checkerboard becomes an even grey when it is made smaller, not a pattern."""
    board = np.indices((900, 3200)).sum(axis=0) % 2 * 255
    sheet = contact_sheet([("row", [np.repeat(board[..., None], 3, 2).astype(np.uint8)])], ["one"])
    codes = np.asarray(sheet)[60:-60, 120:-120]
    # Half of 255; bicubic filters leave a few codes of ripple.
    assert np.abs(codes.astype(int) - 127).max() <= 8


def test_unlike_pictures_are_refused() -> None:
    """Rows that would not line up are an error of the caller."""
    small, large = np.zeros((4, 4, 3), np.uint8), np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match="one size"):
        contact_sheet([("a", [small, large])], ["1", "2"])
    with pytest.raises(ValueError, match="one for each heading"):
        contact_sheet([("a", [small])], ["1", "2"])


def test_other_ending_is_refused(tmp_path: Path) -> None:
    """A sheet is a PNG by name too."""
    with pytest.raises(InputError, match=r"does not end in \.png"):
        write_sheet(tmp_path / "s.jpg", [(1, grey(0))], [grey(0)])


def test_unwritable_place_is_refused_and_nothing_stays(tmp_path: Path) -> None:
    """A sheet is whole or absent; the sentence names the file."""
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match=r"s\.png cannot be written"):
        write_sheet(tmp_path / "file" / "s.png", [(1, grey(0))], [grey(0)])
    write_sheet(tmp_path / "new" / "s.png", [(1, grey(0))], [grey(0)])
    write_sheet(tmp_path / "new" / "s.png", [(1, grey(1))], [grey(1)])
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["s.png"]
