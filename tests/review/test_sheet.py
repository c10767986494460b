"""Contact sheets of plates: which frames, which exposures, through which view."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.review.plates import HEIGHT, WIDTH, turning, write_plates
from typer.testing import CliRunner

from lumivid_fx.cli import app
from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.media import open_plate
from lumivid_fx.review.sheet import spread, write_plate_sheet


def test_frames_are_spread_from_first_to_last() -> None:
    """Both ends are there, and no more than there is room for."""
    assert spread(range(1, 34), 6) == [1, 7, 14, 20, 27, 33]
    assert spread((5, 9), 6) == [5, 9]


@pytest.mark.parametrize("view", ["srgb", "sRGB - Display/ACES 1.0 - SDR Video"])
def test_rows_are_exposures_through_the_view(tmp_path: Path, view: str) -> None:
    """A flat plate shows each row as what the view makes of its light."""
    flat = np.full((HEIGHT, WIDTH, 3), 0.125, np.float32)
    spaces = ColorSpaces()
    with open_plate(write_plates(tmp_path / "in", [flat, flat])) as plate:
        write_plate_sheet(tmp_path / "s.png", plate, spaces, exposures=(-1, 3), view=view)
    with Image.open(tmp_path / "s.png") as image:
        codes = np.asarray(image)
    for y, stops in ((codes.shape[0] // 4, -1), (codes.shape[0] * 3 // 4, 3)):
        wanted = spaces.linear_to_display(np.full((1, 3), 0.125 * 2.0**stops, np.float32), view)
        assert np.abs(codes[y, codes.shape[1] // 3] / 255 - wanted[0]).max() <= 0.5 / 255 + 1e-6


def test_the_command(tmp_path: Path) -> None:
    """``lumivid sheet`` takes a list of frames and of stops, and refuses what is none."""
    source = write_plates(tmp_path / "in", turning(4))
    target = tmp_path / "s.png"
    done = CliRunner().invoke(
        app, ["sheet", source, str(target), "--frames", "1001,1004", "--ev", "-2,0", "--json"]
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"sheet": str(target), "frames": [1001, 1004]}
    for options, told in (
        (["--ev", "bright"], "--ev 'bright' cannot be read"),
        (["--view", "nowhere"], "view 'nowhere' is not in"),
        (["--frames", "999"], "holds 1001-1004 only"),
    ):
        wrong = CliRunner().invoke(app, ["sheet", source, str(target), *options])
        assert wrong.exit_code == 2
        assert told in wrong.stderr
