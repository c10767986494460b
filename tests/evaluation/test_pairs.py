"""Results against references on disk: stills, sequences, folders of them, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.errors import InputError
from lumivid_fx.evaluation.pairs import Pair, compare, compare_all, find_pairs
from lumivid_fx.evaluation.perceptual import Perceptual
from lumivid_fx.media import Windows
from lumivid_fx.media.exr import write_exr


@pytest.fixture
def nobody(tmp_path: Path) -> Iterator[Perceptual]:
    """No metrics environment."""
    with Perceptual(tmp_path / "none") as perceptual:
        yield perceptual


def light(seed: int = 0, size: tuple[int, int] = (24, 32)) -> np.ndarray:
    """Light of eight stops."""
    random = np.random.default_rng(seed)
    return (0.18 * 2 ** random.uniform(-4, 4, (*size, 3))).astype(np.float32)


def write(path: Path, rgb: np.ndarray, space: str = "lin_rec709") -> Path:
    """An EXR in a space of its own."""
    spaces = ColorSpaces()
    write_exr(
        path,
        spaces.convert(rgb, "lin_rec709", space),
        None,
        windows=Windows.whole(rgb.shape[1], rgb.shape[0]),
        attributes={},
        chromaticities=spaces.chromaticities(space),
        interop_id=None,
        fps=Fraction(24),
        half=False,
    )
    return path


def test_a_still_in_another_space_is_the_same_light(tmp_path: Path, nobody: Perceptual) -> None:
    """ACEScg against Rec.709: both are brought to one space, by what their headers say."""
    ours = write(tmp_path / "a.exr", light() * np.float32(2), "acescg")
    theirs = write(tmp_path / "b.exr", light())
    (pair,) = find_pairs(str(ours), str(theirs))
    found = compare(pair, ColorSpaces(), nobody)
    assert found.aligned > 80  # float32 through two matrices
    assert found.raw < 30
    assert np.isnan(found.highlights)


def test_source_tells_what_had_clipped(tmp_path: Path, nobody: Perceptual) -> None:
    """With the SDR picture there is an error in highlights: here, a result two stops short."""
    truth = light()
    bright = truth.max(axis=-1) >= 1
    result = np.where(bright[..., None], truth / 4, truth)
    ours, theirs = write(tmp_path / "a.exr", result), write(tmp_path / "b.exr", truth)
    display = np.where(bright[..., None], 255, 128) * np.ones(3)
    Image.fromarray(display.astype(np.uint8)).save(tmp_path / "sdr.png")
    (pair,) = find_pairs(str(ours), str(theirs), str(tmp_path / "sdr.png"))
    found = compare(pair, ColorSpaces(), nobody)
    assert found.highlights == pytest.approx(2, abs=1e-3)
    assert found.bias == pytest.approx(-2, abs=1e-3)
    assert found.unclipped > 80


def test_folders_are_paired_by_name(tmp_path: Path, nobody: Perceptual) -> None:
    """A sequence and a still in each: a row for each, the sequence with figures of motion."""
    for folder in ("ours", "theirs"):
        for number in (1001, 1002, 1003):
            write(tmp_path / folder / f"shot.{number}.exr", light(number))
        write(tmp_path / folder / "kitchen.exr", light())
    pairs = find_pairs(str(tmp_path / "ours"), str(tmp_path / "theirs"))
    assert [pair.name for pair in pairs] == ["kitchen", "shot"]
    told: list[str] = []
    table = compare_all(pairs, nobody, lambda words, *_: told.append(words))
    assert told == ["kitchen", "shot"]
    still, clip = table.rows
    assert still["aligned"] == clip["aligned"] == float("inf")
    assert np.isnan(float(str(still["f2f"])))
    assert clip["f2f_gap"] == 0
    assert any("Without --source" in note for note in table.notes)


def test_what_does_not_fit_is_told(tmp_path: Path, nobody: Perceptual) -> None:
    """Names, sizes, lengths and display pictures: each is one sentence."""
    ours = write(tmp_path / "a" / "one.exr", light())
    write(tmp_path / "a" / "two.exr", light())
    other = write(tmp_path / "b" / "one.exr", light(size=(24, 40)))
    write(tmp_path / "b" / "three.exr", light())
    with pytest.raises(InputError, match="has nothing called two"):
        find_pairs(str(tmp_path / "a"), str(tmp_path / "b"))
    with pytest.raises(InputError, match="40 x 24 pixels"):
        compare(Pair("", str(ours), str(other), None), ColorSpaces(), nobody)
    Image.new("RGB", (32, 24)).save(tmp_path / "sdr.png")
    with pytest.raises(InputError, match="not scene-linear"):
        compare(Pair("", str(ours), str(tmp_path / "sdr.png"), None), ColorSpaces(), nobody)
    for number in (1, 2):
        write(tmp_path / "c" / f"s.{number}.exr", light())
    with pytest.raises(InputError, match="has 1 frames"):
        compare(Pair("", str(tmp_path / "c"), str(ours), None), ColorSpaces(), nobody)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no pictures"):
        find_pairs(str(tmp_path / "empty"), str(ours))
