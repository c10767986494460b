"""Sequences: each number its own frame, all of them alike, with what stands beside the pixels."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lumivid_fx.errors import InputError
from lumivid_fx.media import open_plate

from .files import ramp, write_image


def test_metadata_is_carried(tmp_path: Path) -> None:
    """What speaks of the take is kept under its name; storage and our own marks are left behind."""
    path = write_image(
        tmp_path / "a.1001.exr",
        ramp(),
        attributes={
            "compression": "piz",
            "framesPerSecond": ("rational", [24000, 1001]),
            "PixelAspectRatio": 2.0,
            "worldToCamera": ("matrix", [float(n) for n in range(16)]),
            "ImageDescription": "take 3",
            "smpte:TimeCode": ("timecode", [0x01020304, 0]),
            "nuke/node_hash": "8e2",
            "camera/fov": 33.5,
            "lumivid/frame": 1001,
        },
    )
    plate = open_plate(str(path))
    attributes = plate.read(1001).attributes
    assert plate.fps == attributes["framesPerSecond"] == Fraction(24000, 1001)
    assert attributes["smpte:TimeCode"] == (0x01020304, 0)
    assert attributes["nuke/node_hash"] == "8e2"
    assert attributes["camera/fov"] == 33.5
    assert attributes["PixelAspectRatio"] == 2.0
    assert attributes["worldToCamera"] == tuple(float(n) for n in range(16))
    assert attributes["ImageDescription"] == "take 3"
    assert not {"compression", "lumivid/frame", "oiio:subimages"} & set(attributes)


def test_a_sequence_is_read_frame_by_frame(tmp_path: Path) -> None:
    """Each number gives its own frame; numbers outside, and gaps, are refused."""
    for number in range(1001, 1006):
        write_image(tmp_path / f"plate.{number}.png", np.full((9, 11, 3), number - 1000, np.uint8))
    with open_plate(str(tmp_path / "plate.####.png"), "1002-1004") as plate:
        assert list(plate.frame_numbers) == [1002, 1003, 1004]
        assert (plate.first_frame, plate.last_frame) == (1002, 1004)
        for number in (1004, 1002, 1003):
            assert np.all(np.rint(plate.read(number).rgb * 255) == number - 1000)
        with pytest.raises(InputError, match="opened for frames 1002-1004, so frame 1005"):
            plate.read(1005)
    (tmp_path / "plate.1003.png").unlink()
    with pytest.raises(InputError, match="lacks frame 1003"):
        open_plate(str(tmp_path / "plate.####.png"))


def test_frames_unlike_the_first(tmp_path: Path) -> None:
    """Another size is told when the plate is opened if it is the last frame's, else when read."""
    pattern = str(tmp_path / "p.####.exr")
    for number in range(1, 6):
        write_image(tmp_path / f"p.{number:04d}.exr", ramp())
    write_image(tmp_path / "p.0002.exr", ramp(height=25))
    write_image(tmp_path / "p.0003.exr", ramp(), origin=(1, 0))
    write_image(tmp_path / "p.0004.exr", ramp(channels=4))
    plate = open_plate(pattern)
    for number, told in (
        (2, "40 x 25 pixels and frame 1 is 40 x 24"),
        (3, "windows"),
        (4, "alpha"),
    ):
        with pytest.raises(InputError, match=rf"p\.000{number}\.exr \(frame {number}\).*{told}"):
            plate.read(number)
    write_image(tmp_path / "p.0005.exr", ramp(width=41))
    with pytest.raises(InputError, match=r"\(frame 5\) is 41 x 24"):
        open_plate(pattern)
