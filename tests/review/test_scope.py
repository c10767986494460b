"""Levels, histogram and waveform of light that is known, as numbers, as JSON, and as a picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.review.plates import turning, write_plates
from typer.testing import CliRunner

from lumivid_fx.cli import app
from lumivid_fx.color.spaces import LINEAR_REC709, ColorSpaces
from lumivid_fx.errors import InputError
from lumivid_fx.media import open_plate
from lumivid_fx.media.plate import FloatImage
from lumivid_fx.review.measures import (
    DARKEST_STOP,
    Histogram,
    box_mean,
    flicker,
    levels_of,
    waveform,
)
from lumivid_fx.review.scope import look_through


def grey(*levels: float) -> FloatImage:
    """Columns of grey, `8 w 3`, eight pixels wide each."""
    row = np.repeat(np.array(levels, np.float32), 8)
    return np.ascontiguousarray(np.broadcast_to(row[None, :, None], (8, row.size, 3)))


def test_levels_of_known_light() -> None:
    """Two halves of 0.09 and 0.36: mid grey on the whole, two stops apart."""
    light = grey(0.09, 0.36)
    found = levels_of(7, light, light - np.float32(0.09))
    assert found.frame == 7
    assert found.peak == pytest.approx(0.36)
    assert found.mean == pytest.approx(0.225)
    assert found.log_average == pytest.approx(0.18, rel=1e-4)
    assert found.dynamic_range == pytest.approx(2, abs=1e-5)
    assert found.negative == 0
    assert levels_of(7, light, light - np.float32(0.1)).negative == 0.5


def test_black_has_no_range_and_no_flicker() -> None:
    """What cannot be told is NaN, and never an error."""
    black = grey(0.0, 0.0)
    assert np.isnan(levels_of(1, black, black).dynamic_range)
    assert levels_of(1, black, black).log_average == 0
    assert np.isnan(flicker([0.0, 0.0]))
    assert np.isnan(flicker([0.3]))
    assert flicker([0.9, 1.1]) == pytest.approx(0.1)


def test_histogram_counts_by_stops() -> None:
    """Every sample lies in the bin of its stops, or is counted as below or above."""
    histogram = Histogram()
    histogram.add(grey(0.18, 0.36 * 1.01, 0.0, -1.0, 1e6))
    at = dict(zip(histogram.edges[:-1].tolist(), histogram.counts[1].tolist(), strict=True))
    assert {level: count for level, count in at.items() if count} == {0.0: 64, 1.0: 64}
    assert histogram.below.tolist() == [128] * 3
    assert histogram.above.tolist() == [64] * 3


def test_waveform_has_light_where_it_lies() -> None:
    """Left half at mid grey, right half three stops up; every sample is there once."""
    light = grey(*[0.185] * 100, *[1.45] * 100)
    counts = waveform(light)
    assert counts.sum() == light.size
    height = counts[0].argmax(axis=0)
    columns = counts.shape[2]
    assert set(height[: columns // 2 - 1]) == {-DARKEST_STOP * 8}
    assert set(height[columns // 2 + 1 :]) == {(3 - DARKEST_STOP) * 8}
    assert len(set(counts[0].sum(axis=0)[:-1])) == 1  # no column is brighter than its neighbours


def test_box_mean_is_the_mean_of_each_cell() -> None:
    """Also where cells are not of one size."""
    picture = np.arange(5 * 7, dtype=np.float32).reshape(5, 7)
    found = box_mean(picture, 2, 3)
    assert found.shape == (2, 3)
    assert found[0, 0] == pytest.approx(picture[:2, :2].mean())
    assert found[1, 2] == pytest.approx(picture[2:, 4:].mean())


def test_any_linear_space_gives_the_same_levels(tmp_path: Path) -> None:
    """Plates in ACES2065-1 measure as those in Rec.709 do, within half floats."""
    spaces = ColorSpaces()
    pictures = turning(2)
    wide = [spaces.convert(picture, LINEAR_REC709, "aces2065-1") for picture in pictures]
    found = []
    for name, content, space in (
        ("a", pictures, "lin_rec709_scene"),
        ("b", wide, "lin_ap0_scene"),
    ):
        with open_plate(write_plates(tmp_path / name, content, space=space)) as plate:
            found.append(look_through(plate, spaces))
    assert found[1].space == "aces2065-1"
    for ours, theirs in zip(found[0].levels, found[1].levels, strict=True):
        assert theirs.peak == pytest.approx(ours.peak, rel=2e-3)
        assert theirs.log_average == pytest.approx(ours.log_average, rel=1e-3)


def test_the_command_writes_picture_and_json(tmp_path: Path) -> None:
    """Numbers on standard output and in the folder are the same; the picture is one."""
    source = write_plates(tmp_path / "in", [light * 2**n for n, light in enumerate(turning(3))])
    done = CliRunner().invoke(app, ["scope", source, "--out", str(tmp_path / "out"), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told == json.loads((tmp_path / "out" / "scope.json").read_text())
    assert [frame["frame"] for frame in told["frames"]] == [1001, 1002, 1003]
    assert told["flicker"] > 0.4
    assert told["space"] == "lin_rec709"
    with Image.open(tmp_path / "out" / "scope.png") as picture:
        assert picture.size == (1400, 900)
    words = CliRunner().invoke(app, ["scope", source, "--frames", "1002"])
    assert words.stdout.count("\n") == 3
    wrong = CliRunner().invoke(app, ["scope", source, "--waveform", "7"])
    assert wrong.exit_code == 2
    assert "has no frame 7" in wrong.stderr


def test_codes_are_no_light(tmp_path: Path) -> None:
    """A space that is not scene-linear is refused with what to do."""
    source = write_plates(tmp_path / "in", turning(1))
    with open_plate(source) as plate, pytest.raises(InputError, match="is not scene-linear"):
        look_through(plate, ColorSpaces(), space="srgb")
