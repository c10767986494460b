"""Nothing is lost: EXR frames through ``lumivid render``, held against what went in by OpenEXR."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from tests.media.exr_reader import box, header_of, pixels_of, plain, write
from typer.testing import CliRunner

from lumivid_fx.cli import app

NUMBERS = range(1001, 1007)

CUSTOM: dict[str, object] = {
    **{f"studio/note{number}": f'line {number}\n"quoted"' for number in range(8)},
    **{f"studio/count{number}": number - 2 for number in range(4)},
    **{f"studio/amount{number}": number / 4 for number in range(4)},
    "studio/offset": np.array([1.5, -2.5], np.float32),
    "studio/pivot": np.array([1, 2, 3], np.float32),
    "studio/matrix": np.arange(16, dtype=np.float32).reshape(4, 4),
    "studio/crop": box(2, 3, 10, 11),
}
"""Twenty attributes of a studio's own, of every kind."""


@pytest.fixture
def plate(tmp_path: Path) -> str:
    """Frames with overscan, alpha, time code, stretched pixels and all of a studio's notes."""
    (tmp_path / "in").mkdir()
    y, x = np.mgrid[0:40, 0:56].astype(np.float32)
    for number in NUMBERS:
        rgb = np.stack([x / 28, y / 40, (x + y) / 96 + number % 7 / 10, x / 56], axis=-1)
        header = {
            **CUSTOM,
            "compression": OpenEXR.PIZ_COMPRESSION,
            "pixelAspectRatio": 2.0,
            "dataWindow": box(-4, -4, 56, 40),
            "displayWindow": box(0, 0, 48, 32),
            "timeCode": OpenEXR.TimeCode(10, 20, 30, number % 24, *[False] * 6, *range(8)),
            "reelName": "A001",
            "comments": "as shot",
        }
        write(tmp_path / "in" / f"plate.{number}.exr", rgb.astype(np.float16), header)
    return str(tmp_path / "in" / "plate.####.exr")


def test_nothing_is_lost(tmp_path: Path, plate: str) -> None:
    """Every attribute, window and alpha value comes back under its own frame's number."""
    assert len(CUSTOM) == 20
    done = CliRunner().invoke(
        app,
        ["render", plate, str(tmp_path / "out" / "hdr.####.exr"), "--frames", "1001-1006x2",
         "--model-size", "32", "--steps", "1", "--compression", "dwaa"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["hdr.1001.exr", "hdr.1003.exr", "hdr.1005.exr"]
    for number in NUMBERS[::2]:
        source = tmp_path / "in" / f"plate.{number}.exr"
        target = tmp_path / "out" / f"hdr.{number}.exr"
        before, after = header_of(source), header_of(target)
        for name in set(before) - {"compression", "name"}:
            assert plain(after[name]) == plain(before[name]), (number, name)
        assert after["compression"] == OpenEXR.DWAA_COMPRESSION
        assert after["lumivid/frame"] == number
        assert {"lumivid/model", "lumivid/lora", "lumivid/seed", "lumivid/settings"} <= set(after)
        seen, alpha = pixels_of(target), pixels_of(source)[..., 3]
        assert seen.shape == (40, 56, 4)
        # DWA keeps alpha without loss.
        assert np.array_equal(seen[..., 3], alpha)
