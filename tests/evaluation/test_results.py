"""Tables, figure and pictures from end to end, small: a tiny random model and the licensed map."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.errors import InputError
from lumivid_fx.evaluation import protocol, table_encodings
from lumivid_fx.evaluation.perceptual import Perceptual
from lumivid_fx.evaluation.pictures import write_pictures
from lumivid_fx.evaluation.rendering import render_pictures
from lumivid_fx.evaluation.results import Results
from lumivid_fx.evaluation.workbench import Workbench
from lumivid_fx.model.checkpoint import load_model
from lumivid_fx.train.embedded import HELD_OUT

MAP = Path(__file__).parents[1] / "data" / "modern_buildings_2.exr"


@pytest.fixture(scope="module")
def small_model(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, told to see plates at 64 pixels as the embedded one is told its own size."""
    folder = tmp_path_factory.mktemp("small") / "model"
    shutil.copytree(tiny_model_folder, folder)
    with (folder / "lumivid.toml").open("a", encoding="utf-8") as manifest:
        manifest.write("native_size = 64\n")
    return folder


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    """A folder of one map held out and one to fit on, which here is the same."""
    folder = tmp_path / "maps"
    folder.mkdir()
    shutil.copy(MAP, folder / MAP.name)
    shutil.copy(MAP, folder / "another.exr")
    return folder


@pytest.fixture
def told() -> list[str]:
    """What was being done."""
    return []


@pytest.fixture
def bench(
    maps: Path,
    small_model: Path,
    told: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Workbench]:
    """The whole of an evaluation with pictures of a few pixels, and two runs for the ablations."""
    small = {"HEIGHT": 72, "WIDTH": 96, "FRAMES": 5, "CLIP_HEIGHT": 48, "CLIP_WIDTH": 64}
    for name, value in small.items():
        monkeypatch.setattr(protocol, name, value)
    for name, value in {"FRAMES": 12, "HEIGHT": 32, "WIDTH": 64, "BATCH": 6}.items():
        monkeypatch.setattr(table_encodings, name, value)
    runs = tmp_path / "runs"
    shutil.copytree(small_model, runs / "pq")
    shutil.copy(small_model / "hdr_lora.safetensors", runs / "blur.safetensors")
    with Perceptual(tmp_path / "none") as perceptual:
        yield Workbench(
            maps,
            load_model(small_model),
            perceptual,
            lambda words, *_: told.append(words),
            names=[MAP.stem],
            runs=runs,
            base=small_model,
        )


def rows_of(path: Path) -> list[dict[str, str]]:
    """A table's CSV."""
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


def test_every_table_is_made(bench: Workbench, tmp_path: Path, told: list[str]) -> None:
    """One run gives a page with what made it, and each table's own files; all of one evaluation."""
    out = tmp_path / "out"
    page = Results(bench, out).make(["1", "2", "3", "4", "5", "figure4"], "lumivid evaluate tables")
    assert page == (out / "results.md").read_text("utf-8")
    assert page.count(f"digest `{bench.model.digest[:12]}`") == 7  # six tables and a figure
    assert "lumivid evaluate tables" in page
    assert "JOD is n/a: there is no environment for it" in page
    names = {"table1", "table2", "table2-light", "table3", "table4", "table5"}
    made = {p.name for p in (out / "results").iterdir()}
    assert made == {f"{n}.{e}" for n in names for e in ("md", "csv", "tex")} | {
        "figure4.png", "figure4.md"
    }  # fmt: skip
    with Image.open(out / "results" / "figure4.png") as figure:
        assert figure.width > 1000
    assert str(tmp_path) not in page
    assert not re.search(r"\b20\d\d-\d\d-\d\d\b", page)
    assert "table 1: encodings through the VAE" in told
    still = rows_of(out / "results" / "table2.csv")
    ours = {(row["Delivery"], row["Method"]): row for row in still}
    assert ours["paper, ARRI video", "LumiVid"]["PU21-PSNR"] == "36.2"
    # Fitted on the very map: far ahead of doing nothing, and of random weights.
    fitted = float(ours["B", "fitted 1-D log LUT"]["PU21-PSNR"])
    assert fitted > float(ours["B", "sRGB linearised"]["PU21-PSNR"]) + 3
    assert fitted > float(ours["B", "ours"]["PU21-PSNR"]) + 3
    # With the view named, well-exposed pixels are the plate's own, whatever the model says.
    assert all(float(ours[name, "ours, view named"]["unclipped"]) > 25 for name in "AB")
    motion = {row["Method"]: row for row in rows_of(out / "results" / "table3.csv")}
    assert motion["the truth itself"]["over the truth's"] == "1"
    assert motion["the truth itself"]["delta-PSNR"] == "inf"
    assert float(motion["fitted 1-D log LUT"]["PU21-PSNR"]) > 20


def test_missing_runs_say_so(bench: Workbench, tmp_path: Path) -> None:
    """A run that is there is measured; each that is not says "no run", beside the paper's row.

    What an earlier evaluation left of the other tables stays on the page.
    """
    (tmp_path / "out" / "results").mkdir(parents=True)
    (tmp_path / "out" / "results" / "table2.md").write_text("## Table 2, of another day\n")
    made = Results(bench, tmp_path / "out").make(["4", "5"], "")
    page = (tmp_path / "out" / "results.md").read_text("utf-8")
    headings = [line for line in page.splitlines() if line.startswith("## ")]
    assert [heading[:10] for heading in headings] == ["## Table 2", "## Table 4", "## Table 5"]
    assert "of another day" in page
    assert "of another day" not in made
    rows = {row["Trained with"]: row for row in rows_of(tmp_path / "out/results/table4.csv")}
    assert float(rows["PQ"]["PU21-PSNR"]) > 0
    assert rows["PQ"]["model"]
    assert rows["HLG"]["PU21-PSNR"] == "no run"
    assert float(rows["HLG"]["KL(SDR)"]) > float(rows["LogC3"]["KL(SDR)"])
    assert rows["paper: ACES"]["JOD"] == "7.4"
    rows = {row["Trained with"]: row for row in rows_of(tmp_path / "out/results/table5.csv")}
    assert float(rows["blur only"]["PU21-PSNR"]) > 0
    assert rows["full"]["JOD"] == "no run"


def test_pixel_divergence_ranks_as_the_paper_s(bench: Workbench) -> None:
    """LogC3 lies nearest to SDR, PQ next, HLG further, and linear light over 16 far away."""
    found = table_encodings.table_1(bench, table_encodings.analyse(bench))
    kl = {str(row["encoding"]): float(str(row["kl"])) for row in found.rows}
    assert kl["LogC3"] < kl["PQ"] < kl["HLG"] < kl["linear / 16"]
    # One map of 46, so that figures are not those of the page: but of their size.
    assert kl["LogC3"] < 0.5
    assert kl["linear / 16"] > 2


def test_picture_page(bench: Workbench, tmp_path: Path) -> None:
    """A PNG a scene, three rows of three, and a page that shows it with its figures."""
    write_pictures(bench, tmp_path, "lumivid evaluate pictures")
    page = (tmp_path / "pictures.md").read_text("utf-8")
    assert f"![{MAP.stem}](pictures/{MAP.stem}.png)" in page
    assert "PU21-PSNR" in page
    picture = tmp_path / "pictures" / f"{MAP.stem}.png"
    with Image.open(picture) as sheet:
        assert 850 < sheet.width <= 900
        codes = np.asarray(sheet)
    assert picture.stat().st_size < 1_000_000
    # The truth seen three stops brighter is brighter than seen four darker: last row, both ends.
    bottom = codes[-codes.shape[0] // 4 :]
    assert bottom[:, -200:].mean() > 2 * bottom[:, 80:280].mean()


def test_pictures_render_as_a_plate(small_model: Path) -> None:
    """A still of any size comes back in its size, the same each time; a clip frame by frame."""
    display = np.random.default_rng(0).uniform(0, 1, (70, 90, 3)).astype(np.float32)
    model, spaces = load_model(small_model), ColorSpaces()
    first, again = (render_pictures(display, model, spaces) for _ in range(2))
    assert first.shape == display.shape
    np.testing.assert_array_equal(first, again)
    assert render_pictures(np.stack([display] * 2), model, spaces).shape == (2, *display.shape)


def test_missing_maps_are_named(maps: Path, small_model: Path, tmp_path: Path) -> None:
    """A folder without what is asked for says which, before anything is measured."""
    model = load_model(small_model)
    with Perceptual(tmp_path) as perceptual:
        with pytest.raises(InputError) as missing:
            Workbench(maps, model, perceptual, lambda *_: None)
        others = [name for name in HELD_OUT if name != MAP.stem]
        assert all(name in str(missing.value) for name in others)
        assert MAP.stem not in str(missing.value)
        with pytest.raises(InputError, match="is no folder"):
            Workbench(
                *(maps, model, perceptual, lambda *_: None),
                names=[MAP.stem],
                runs=tmp_path / "absent",
            )
