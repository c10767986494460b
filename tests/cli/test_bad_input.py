"""What cannot be rendered: one sentence with file and remedy, and nothing half-written."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.cli.plates import FIRST, files, frame_names, lumivid, picture, the_sentence, write_plate
from tests.media.files import write_image

from lumivid_fx.media.exr import is_finished


def missing(folder: Path) -> str:
    """A pattern that no file matches."""
    return f"{folder}/nothing.####.png"


def zero_bytes(folder: Path) -> str:
    """A plate whose first frame is empty."""
    write_plate(folder, 3)
    (folder / "plate.1001.png").write_bytes(b"")
    return str(folder)


def truncated_png(folder: Path) -> str:
    """A plate whose second frame ends early."""
    write_plate(folder, 3)
    path = folder / "plate.1002.png"
    path.write_bytes(path.read_bytes()[:-200])
    return str(folder)


def truncated_exr(folder: Path) -> str:
    """A scene-linear frame that ends early."""
    rng = np.random.default_rng(0)
    path = write_image(folder / "plate.1001.exr", rng.random((24, 40, 3), dtype=np.float32))
    path.write_bytes(path.read_bytes()[:-200])
    return str(path)


def mixed_sizes(folder: Path) -> str:
    """A plate whose second frame is wider than the first."""
    write_plate(folder, 3)
    write_image(folder / "plate.1002.png", picture(1, 48, 24))
    return str(folder)


def nan_exr(folder: Path) -> str:
    """A scene-linear frame with one NaN."""
    pixels = picture(0).astype(np.float32)
    pixels[3, 3, 1] = np.nan
    return str(write_image(folder / "plate.1001.exr", pixels))


def tiny(folder: Path) -> str:
    """A plate of 15 lines."""
    return str(write_image(folder / "plate.1001.png", picture(0, 40, 15)))


def sound(folder: Path) -> str:
    """A plate with nothing wrong in it."""
    return str(write_plate(folder, 3))


@pytest.mark.parametrize(
    ("plate", "options", "named"),
    [
        (missing, (), ("nothing.####.png", "check")),
        (zero_bytes, (), ("plate.1001.png", "zero bytes", "copy it again")),
        (truncated_png, (), ("plate.1002.png", "frame 1002", "copy or render it again")),
        (truncated_exr, (), ("plate.1001.exr", "frame 1001", "copy or render it again")),
        (mixed_sizes, (), ("plate.1002.png", "frame 1002", "48 x 24", "one size")),
        (nan_exr, (), ("plate.1001.exr", "NaN", "repair the frame")),
        (tiny, (), ("plate.1001.png", "40 x 15", "at least 16 x 16")),
        (sound, ("--input-space", "acescgg"), ("acescgg", "acescg")),
        (sound, ("--output-space", "linear_rec_709x"), ("linear_rec_709x", "nearest")),
        (sound, ("--output-space", "srgb"), ("srgb", "not scene-linear", "acescg")),
        (sound, ("--source-view", "filmic"), ("filmic", "use one of")),
        (sound, ("--frames", "990-1002"), ("990-1002", "1001-1003", "inside")),
        (sound, ("--frames", "1003-1001"), ("1003-1001", "backwards")),
        (sound, ("--ocio", "no/config.ocio"), ("no/config.ocio", "give the path")),
        (sound, ("--lora", "no/lora.safetensors"), ("no/lora.safetensors", "check the path")),
        (sound, ("--model", "no/model"), ("no/model", "not a model folder")),
    ],
)
def test_one_sentence_and_no_file(
    plate: Callable[[Path], str],
    options: tuple[str, ...],
    named: tuple[str, ...],
    tiny_model_folder: Path,
    tmp_path: Path,
) -> None:
    """The exit code is 2; file, frame and remedy are named; no frame is written, whole or half."""
    folder = tmp_path / "in"
    folder.mkdir()
    source = plate(folder)
    out = tmp_path / "out"
    result = lumivid("render", source, out / "p.####.exr", "--model", tiny_model_folder, *options)
    assert result.exit_code == 2, result.stderr
    sentence = the_sentence(result)
    assert all(words in sentence for words in named), sentence
    assert not out.exists() or files(out) == []


def test_output_under_a_file_is_refused(tiny_model_folder: Path, tmp_path: Path) -> None:
    """A folder that cannot be made is told before the model is loaded."""
    plate = write_plate(tmp_path / "in", 1)
    (tmp_path / "file").write_text("not a folder")
    out = tmp_path / "file" / "out" / "p.####.exr"
    result = lumivid("render", plate, out, "--model", tiny_model_folder)
    assert result.exit_code == 2
    sentence = the_sentence(result)
    assert "p.1001.exr cannot be written" in sentence
    assert "choose another folder" in sentence
    assert "loading the model" not in result.stderr
    assert (tmp_path / "file").read_text() == "not a folder"


def test_output_over_the_plate_is_refused(tiny_model_folder: Path, tmp_path: Path) -> None:
    """Frames that lumivid did not make are not written over, not even with --overwrite."""
    path = write_image(tmp_path / "plate.1001.exr", picture(0).astype(np.float32) / 255)
    before = path.read_bytes()
    pattern = tmp_path / "plate.####.exr"
    result = lumivid("render", pattern, pattern, "--model", tiny_model_folder, "--overwrite")
    assert result.exit_code == 2
    assert "was not made by lumivid" in the_sentence(result)
    assert path.read_bytes() == before


def test_fault_in_the_middle_keeps_what_is_finished(
    tiny_model_folder: Path, tmp_path: Path
) -> None:
    """Frames of windows before the damaged frame stay, whole; the mended plate is then resumed."""
    plate = write_plate(tmp_path / "in", 17)
    damaged = plate / f"plate.{FIRST + 13}.png"
    good = damaged.read_bytes()
    damaged.write_bytes(good[:100])
    common = ("render", plate, tmp_path / "out" / "p.####.exr", "--model", tiny_model_folder)
    result = lumivid(*common, "--window", "9")
    assert result.exit_code == 2
    assert "frame 1014" in the_sentence(result)
    # Windows of 9 that share 1 begin every 8 frames: the first 8 are final after the first window.
    finished = frame_names(range(FIRST, FIRST + 8))
    assert files(tmp_path / "out") == finished
    assert all(is_finished(tmp_path / "out" / name) for name in finished)
    damaged.write_bytes(good)
    result = lumivid(*common, "--window", "9")
    assert result.exit_code == 0, result.stderr
    assert "9 frames rendered" in result.stdout
    assert "8 kept" in result.stdout


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 KiB, where this machine lets tests mount one."""
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    if mount is None or unmount is None:
        pytest.skip("this machine has no mount command")
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=24k", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {made.stderr.strip()}")
    yield place
    subprocess.run([unmount, str(place)], check=True)


def test_full_disk_keeps_what_fits(
    small_disk: Path, tiny_model_folder: Path, tmp_path: Path
) -> None:
    """The exit code is 3; frames that fit are whole, of the one that did not nothing stays."""
    plate = write_plate(tmp_path / "in", 12)
    result = lumivid("render", plate, small_disk / "p.####.exr", "--model", tiny_model_folder)
    assert result.exit_code == 3
    sentence = the_sentence(result)
    assert "free space" in sentence
    there = files(small_disk)
    assert 0 < len(there) < 12
    assert there == frame_names(range(FIRST, FIRST + len(there)))
    assert all(is_finished(small_disk / name) for name in there)
    assert f"(frame {FIRST + len(there)})" in sentence
