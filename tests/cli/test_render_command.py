"""`lumivid render` from plates on disk to frames on disk, in this process with a tiny model."""

from __future__ import annotations

import dataclasses
import inspect
import json
from pathlib import Path

import numpy as np
import pytest
from tests.cli.plates import (
    FIRST,
    HEIGHT,
    WIDTH,
    files,
    frame_names,
    lumivid,
    picture,
    the_sentence,
    write_plate,
)
from tests.media.files import encode_movie, flat, write_image

from lumivid_fx import __version__
from lumivid_fx.cli.render_command import render
from lumivid_fx.media import open_plate
from lumivid_fx.media.exr import read_attributes
from lumivid_fx.pipeline.render_shot import ShotSettings

COUNT = 10

ACESCG = (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten PNG frames."""
    return write_plate(tmp_path_factory.mktemp("plate"), COUNT)


@pytest.fixture(scope="module")
def rendered(
    plate: Path, tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The plate rendered once, in windows of nine, with a contact sheet beside."""
    out = tmp_path_factory.mktemp("rendered")
    result = lumivid(
        *("render", plate, out / "p.####.exr", "--model", tiny_model_folder),
        *("--window", "9", "--sheet", out / "sheet.png"),
    )
    assert result.exit_code == 0, result.stderr
    (out / "said.txt").write_text(result.stdout + "\n---\n" + result.stderr)
    return out


def light(path: Path) -> np.ndarray:
    """The pixels of one frame."""
    with open_plate(str(path)) as plate:
        return plate.read(plate.first_frame).rgb


def test_sequence_becomes_frames_of_the_same_numbers_and_size(rendered: Path) -> None:
    """Every frame of the plate comes back, and nothing else lies beside them."""
    numbers = range(FIRST, FIRST + COUNT)
    assert files(rendered) == [*frame_names(numbers), "said.txt", "sheet.png"]
    for number in numbers:
        with open_plate(str(rendered / f"p.{number}.exr")) as frame:
            assert (frame.width, frame.height) == (WIDTH, HEIGHT)


def test_report_and_progress_are_told_apart(rendered: Path) -> None:
    """The result goes to standard output, plain progress lines go to standard error."""
    told, progress = (rendered / "said.txt").read_text().split("\n---\n")
    assert "10 frames rendered in" in told
    assert "0 kept" in told
    assert "clamped: " in told
    assert str(rendered / "sheet.png") in told
    lines = progress.splitlines()
    assert lines[0] == "loading the model"
    assert "window 1 of 2, denoise" in lines
    assert any(line.startswith("frame 1001 is done, 1 of 10, ") for line in lines)
    assert "frame 1010 is done, 10 of 10" in lines


def test_json_lines_parse(plate: Path, tiny_model_folder: Path, tmp_path: Path) -> None:
    """With --json, standard output is one object for each frame and a summary, nothing else."""
    result = lumivid(
        *("render", plate, tmp_path / "p.####.exr", "--model", tiny_model_folder, "--json"),
        *("--frames", "1001-1003"),
    )
    assert result.exit_code == 0
    assert result.stderr == ""
    *frames, summary = [json.loads(line) for line in result.stdout.splitlines()]
    assert [f["frame"] for f in frames] == [1001, 1002, 1003]
    assert all(Path(f["path"]).is_file() for f in frames)
    assert frames[0]["model_clipped"]["total"] > 0
    assert (summary["rendered"], summary["kept"]) == (3, 0)
    assert summary["frames"] == [f["path"] for f in frames]
    assert summary["seconds"] == pytest.approx(3 * summary["seconds_per_frame"], abs=0.002)
    assert summary["waited"].keys() == {"first", "read", "write"}


def test_json_error_parses(tiny_model_folder: Path, tmp_path: Path) -> None:
    """With --json, an error is an object on standard output, with its exit code."""
    result = lumivid(
        *("render", tmp_path / "no.####.png", tmp_path / "p.####.exr", "--json", "--detail", "2"),
        *("--model", tiny_model_folder),
    )
    assert result.exit_code == 2
    assert result.stderr == ""
    told = json.loads(result.stdout)
    assert told == {"error": told["error"], "exit_code": 2}
    assert "detail is 2" in told["error"]


def test_rerun_keeps_what_is_there(plate: Path, rendered: Path, tiny_model_folder: Path) -> None:
    """Only frames that are missing are rendered, with the same bits; the others are not touched."""
    paths = [rendered / name for name in frame_names(range(FIRST, FIRST + COUNT))]
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}
    lost = paths[4:6]
    for path in lost:
        path.unlink()
    again = ("render", plate, rendered / "p.####.exr", "--model", tiny_model_folder)
    result = lumivid(*again, "--window", "9")
    assert result.exit_code == 0
    assert "2 frames rendered" in result.stdout
    assert "8 kept" in result.stdout
    assert {path: path.read_bytes() for path in paths} == {p: b for p, (b, _) in before.items()}
    untouched = [path for path in paths if path not in lost]
    assert all(path.stat().st_mtime_ns == before[path][1] for path in untouched)


def test_other_settings_are_refused_until_told(
    plate: Path, tiny_model_folder: Path, tmp_path: Path
) -> None:
    """Frames made with another seed stay, unless --overwrite says they may go."""
    common = (
        *("render", plate, tmp_path / "p.####.exr", "--model", tiny_model_folder),
        *("--frames", "1001-1002"),
    )
    assert lumivid(*common).exit_code == 0
    before = (tmp_path / "p.1001.exr").read_bytes()
    refused = lumivid(*common, "--seed", "1")
    assert refused.exit_code == 2
    sentence = the_sentence(refused)
    assert "p.1001.exr (frame 1001)" in sentence
    assert "--overwrite" in sentence
    assert (tmp_path / "p.1001.exr").read_bytes() == before
    assert lumivid(*common, "--seed", "1", "--overwrite").exit_code == 0
    assert read_attributes(tmp_path / "p.1001.exr")["lumivid/seed"] == 1
    assert (tmp_path / "p.1001.exr").read_bytes() != before


def test_options_reach_the_render(plate: Path, tiny_model_folder: Path, tmp_path: Path) -> None:
    """Space, exposure, steps and the rest are what the frame says it was made with."""
    common = (
        *("--model", tiny_model_folder, "--range", "1001", "--fps", "25"),
        *("--output-space", "acescg"),
    )
    plain = lumivid("render", plate, tmp_path / "plain.exr", *common)
    assert plain.exit_code == 0, plain.stderr
    brighter = ("--exposure", "1", "--compression", "piz")
    result = lumivid("render", plate, tmp_path / "one.exr", *common, *brighter)
    assert result.exit_code == 0, result.stderr
    told = read_attributes(tmp_path / "one.exr")
    assert told["chromaticities"] == pytest.approx(ACESCG, abs=1e-6)  # float32 in the header
    assert told["framesPerSecond"] == 25
    assert told["compression"] == "piz"
    # One stop is a doubling, which changes a float's exponent alone; half's smallest numbers round.
    np.testing.assert_allclose(
        light(tmp_path / "one.exr"), 2 * light(tmp_path / "plain.exr"), rtol=0, atol=1.3e-7
    )
    fewer = lumivid(
        *("render", plate, tmp_path / "fewer.exr", *common, "--steps", "2", "--detail", "0")
    )
    assert fewer.exit_code == 0, fewer.stderr
    settings = json.loads(str(read_attributes(tmp_path / "fewer.exr")["lumivid/settings"]))
    assert settings["sigmas"] == [[1.0, 0.725, 0.0]]
    assert settings["detail"] == 0


def test_movie_and_linear_sequence_render(tiny_model_folder: Path, tmp_path: Path) -> None:
    """A movie counts from 1 and hands on its rate; a scene-linear EXR keeps its alpha."""
    movie = encode_movie(tmp_path / "clip.mp4", [flat((24, 40), (90, 128, 128))] * 4, rate=25)
    result = lumivid(
        *("render", movie, f"{tmp_path / 'movie'}/", "--model", tiny_model_folder),
        *("--frames", "2-3"),
    )
    assert result.exit_code == 0, result.stderr
    assert files(tmp_path / "movie") == frame_names([2, 3], "clip")
    assert read_attributes(tmp_path / "movie" / "clip.0002.exr")["framesPerSecond"] == 25

    alpha = np.linspace(0, 1, 24 * 40, dtype=np.float32).reshape(24, 40, 1)
    pixels = np.concatenate([picture(0).astype(np.float32) / 255, alpha], axis=-1)
    write_image(tmp_path / "comp.0007.exr", pixels)
    result = lumivid(
        "render", tmp_path / "comp.0007.exr", tmp_path / "still.exr", "--model", tiny_model_folder
    )
    assert result.exit_code == 0, result.stderr
    with open_plate(str(tmp_path / "still.exr")) as still:
        kept = still.read(still.first_frame).alpha
    assert kept is not None
    # Half float rounds by 2**-11 of a number up to 1.
    np.testing.assert_allclose(kept, alpha[..., 0], rtol=0, atol=2.5e-4)


def test_weights_that_wait_elsewhere_render_the_same_files(
    plate: Path, rendered: Path, tiny_model_folder: Path, tmp_path: Path
) -> None:
    """With `--memory stream` pixels are the same bits; with fp8 it is another model's render."""
    for memory in ("stream", "fp8"):
        result = lumivid(
            *("render", plate, tmp_path / memory / "p.####.exr", "--model", tiny_model_folder),
            *("--window", "9", "--device", "cpu", "--memory", memory),
        )
        assert result.exit_code == 0, result.stderr
        same = [
            np.array_equal(light(rendered / name), light(tmp_path / memory / name))
            for name in frame_names(range(FIRST, FIRST + COUNT))
        ]
        assert all(same) if memory == "stream" else not any(same)


def test_defaults_are_those_of_the_library() -> None:
    """`lumivid render` without options renders what `lumivid_fx.render` does."""
    options = inspect.signature(render).parameters
    for field in dataclasses.fields(ShotSettings):
        # Levels in full are for scripts; the VAE's tiles are the model's own, or a memory plan's.
        if field.name not in {"sigmas", "vae_tile", "vae_frames"}:
            assert options[field.name].default == field.default, field.name


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--detail", "1.5", "detail is 1.5"),
        ("--detail", "nan", "detail is nan"),
        ("--reference-strength", "-0.1", "reference strength is -0.1"),
        ("--lora-strength", "3", "LoRA strength is 3"),
        ("--exposure", "inf", "exposure is inf"),
        ("--seed", "-1", "seed is -1"),
        ("--fps", "0", "fps is 0"),
        ("--model-size", "8", "model size is 8"),
        ("--tile", "4", "tile is 4"),
        ("--steps", "9", "steps is 9; this model takes 1 to 3"),
        ("--steps", "0", "steps is 0"),
        ("--compression", "rar", "compression 'rar'"),
        ("--sheet", "sheet.jpg", "sheet.jpg does not end in .png"),
    ],
)
def test_number_out_of_range_is_refused(
    option: str, value: str, told: str, tiny_model_folder: Path, tmp_path: Path
) -> None:
    """Each is named with what was given, before the plate is even looked for."""
    result = lumivid(
        *("render", tmp_path / "none.####.png", tmp_path / "out" / "p.####.exr"),
        *("--model", tiny_model_folder, option, value),
    )
    assert result.exit_code == 2
    assert told in the_sentence(result)
    assert files(tmp_path) == []


def test_window_off_the_grid_is_refused(
    plate: Path, tiny_model_folder: Path, tmp_path: Path
) -> None:
    """The message names the nearest lengths that the model takes."""
    result = lumivid(
        *("render", plate, tmp_path / "p.####.exr", "--model", tiny_model_folder),
        *("--window", "20"),
    )
    assert result.exit_code == 2
    assert "window is 20 frames" in the_sentence(result)
    assert "17 or 25" in the_sentence(result)


def test_cuda_without_a_gpu_is_refused(
    plate: Path, tiny_model_folder: Path, tmp_path: Path
) -> None:
    """`--device cuda` never falls back in silence."""
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    result = lumivid(
        *("render", plate, tmp_path / "p.####.exr", "--model", tiny_model_folder),
        *("--device", "cuda"),
    )
    assert result.exit_code == 2
    assert "--device cpu" in the_sentence(result)


def test_version_and_help() -> None:
    """`--version` says which this is; `--help` lists the commands."""
    assert lumivid("--version").stdout == f"lumivid-fx {__version__}\n"
    listed = lumivid("--help").stdout
    assert "render" in listed
    assert "doctor" in listed
