"""The held-out table from end to end, with a tiny random model: methods, numbers, files, faults."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.evaluation import held_out
from lumivid_fx.evaluation.protocol import Scene
from lumivid_fx.evaluation.report import Row, as_markdown
from lumivid_fx.model.checkpoint import load_model
from lumivid_fx.train.embedded import HELD_OUT

MAP = Path(__file__).parents[1] / "data" / "modern_buildings_2.exr"


@pytest.fixture(scope="module")
def small_model(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, told to see plates at 128 pixels as the embedded one is told its own size."""
    folder = tmp_path_factory.mktemp("small") / "model"
    shutil.copytree(tiny_model_folder, folder)
    with (folder / "lumivid.toml").open("a", encoding="utf-8") as manifest:
        manifest.write("native_size = 128\n")
    return folder


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    """A folder of one map held out and one to fit on, which here is the same."""
    folder = tmp_path / "maps"
    folder.mkdir()
    shutil.copy(MAP, folder / MAP.name)
    shutil.copy(MAP, folder / "another.exr")
    return folder


def test_the_table_is_printed_and_written(
    maps: Path, small_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One run gives a table, the same in a file, every scene's numbers, and pictures."""
    out = tmp_path / "out"
    given = ["--maps", maps, "--model", small_model, "--out", out, "--only", MAP.stem]
    assert held_out.main([str(each) for each in given]) == 0
    table = capsys.readouterr().out
    assert table == (out / "held_out.md").read_text("utf-8")
    assert [line.split("|")[1:3] for line in table.splitlines() if line[:3] in {"| A", "| B"}] == [
        [" A ", " sRGB linearised "],
        [" A ", " fitted 1-D log LUT "],
        [" A ", " ours "],
        [" A ", " ours, view named "],
        [" B ", " sRGB linearised "],
        [" B ", " fitted 1-D log LUT "],
        [" B ", " ours "],
    ]
    rows = json.loads((out / "held_out.json").read_text("utf-8"))["rows"]
    fitted, plain, ours = (
        rows["B"][method][MAP.stem]
        for method in (held_out.FITTED, held_out.LINEARISED, held_out.OURS)
    )
    # Fitted on the very map: far ahead of doing nothing, and of random weights.
    assert fitted["aligned"] > plain["aligned"] + 3
    assert fitted["aligned"] > ours["aligned"] + 3
    # With the view named, well-exposed pixels are the plate's own, whatever the model says.
    assert rows["A"][held_out.NAMED][MAP.stem]["unclipped"] > 30
    pictures = {path.name for path in out.glob("*.png")}
    assert pictures == {f"{MAP.stem}_A.png", f"{MAP.stem}_B.png"}


def test_still_renders_as_a_plate(small_model: Path) -> None:
    """A picture of any size comes back in its size, and is the same each time."""
    display = np.random.default_rng(0).uniform(0, 1, (70, 90, 3)).astype(np.float32)
    model, spaces = load_model(small_model), ColorSpaces()
    first, again = (held_out.render_still(display, model, spaces) for _ in range(2))
    assert first.shape == display.shape
    np.testing.assert_array_equal(first, again)


def test_perfect_result_scores_so() -> None:
    """The truth itself, at another exposure, has no error left after alignment."""
    random = np.random.default_rng(0)
    truth = (0.18 * 2 ** random.uniform(-3, 5, (32, 32, 3))).astype(np.float32)
    scene = Scene("scene", truth, truth.clip(0, 1))
    row = held_out.measure(truth * np.float32(4), scene)
    assert row.raw < 20
    assert row.aligned > 100  # float32 rounding of the factor is all that is left
    assert row.highlights == pytest.approx(0, abs=1e-5)
    assert row.stops == pytest.approx(row.true_stops)


def test_scenes_ahead_are_counted() -> None:
    """A method is ahead where its aligned PSNR is higher; a scene without shadows is left out."""

    def row(aligned: float, shadows: float) -> Row:
        return Row(1.0, aligned, 2.0, 0.5, 0.25, shadows, 9.0, 12.0)

    nan = float("nan")
    base = {"x": row(20, 1), "y": row(30, nan)}
    better = {"x": row(25, 0.5), "y": row(29, nan)}
    tables = {"B": {"base": base, "other": base, "better": better}}
    text = as_markdown(tables, baselines=("base", "other"), model="tiny")
    last = [cell.strip() for cell in text.splitlines()[-1].split("|")]
    assert last[-3:-1] == ["1 of 2", "1 of 2"]
    assert last[8] == "0.50"


def test_missing_map_is_named(
    maps: Path, small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder without a map that is asked for says which, and measures nothing."""
    others = [name for name in HELD_OUT if name != MAP.stem]
    given = ["--maps", str(maps), "--model", str(small_model), "--only", *HELD_OUT]
    assert held_out.main(given) == 2
    told = capsys.readouterr().err
    assert all(name in told for name in others)
    assert MAP.stem not in told
