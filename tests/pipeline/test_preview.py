"""A contact sheet of frames that are on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.media.files import write_image

from lumivid_fx.media import Windows
from lumivid_fx.media.exr import write_exr
from lumivid_fx.pipeline.preview import spread, write_preview
from lumivid_fx.pipeline.render_shot import ShotSettings


@pytest.mark.parametrize(
    ("count", "chosen"),
    [(1, [0]), (5, [0, 1, 2, 3, 4]), (9, [0, 2, 4, 6, 8]), (6, [0, 1, 2, 4, 5])],
)
def test_frames_are_spread_from_first_to_last(count: int, chosen: list[int]) -> None:
    """Both ends are shown, and what lies between evenly."""
    frames = [Path(f"p.{index}.exr") for index in range(count)]
    assert spread(frames, 5) == [frames[index] for index in chosen]


def test_sheet_shows_the_plate_above_the_result(tmp_path: Path) -> None:
    """Codes of the plate come as they are, light of the result from its own space."""
    write_image(tmp_path / "plate.0003.png", np.full((36, 64, 3), 200, np.uint8))
    frame = tmp_path / "out.0003.exr"
    write_exr(
        frame,
        np.full((36, 64, 3), 0.18, np.float32),
        None,
        windows=Windows.whole(64, 36),
        attributes={"lumivid/frame": 3},
        chromaticities=None,
        interop_id=None,
        fps=None,
    )
    settings = ShotSettings(output_space="acescg")
    write_preview(tmp_path / "s.png", str(tmp_path / "plate.####.png"), [frame], settings)
    with Image.open(tmp_path / "s.png") as image:
        codes = np.asarray(image).astype(int)
    row = codes.shape[0] // 4
    middle = codes.shape[1] // 2
    assert codes[row // 2, middle].tolist() == [200] * 3
    # Grey is grey in every space: 0.18 is sRGB 118, within a code of the matrix's rounding.
    assert np.abs(codes[2 * row + row // 2, middle] - 118).max() <= 1
