"""The demo: the shipped clip is what it says, and a first render leaves what it promises."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image
from scripts import make_demo_clip

from lumivid_fx.demo import CLIP
from lumivid_fx.demo.__main__ import main
from lumivid_fx.media import open_plate
from lumivid_fx.media.exr import is_finished
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


def test_clip_is_small_and_tagged() -> None:
    """33 frames, 8k+1 as the model likes them, that no player has to guess about."""
    assert CLIP.stat().st_size < 1_500_000
    with av.open(str(CLIP)) as container:
        context = container.streams.video[0].codec_context
        tags = (context.color_primaries, context.color_trc, context.colorspace, context.color_range)
        assert [int(tag) for tag in tags] == [1, 1, 1, 1]
        assert context.pix_fmt == "yuv420p"
    with open_plate(str(CLIP)) as plate:
        assert list(plate.frame_numbers) == list(range(1, 34))
        assert (plate.width, plate.height, plate.fps) == (512, 288, Fraction(24))
        blown = [np.mean(plate.read(n).rgb.max(axis=-1) > 0.98) for n in (1, 17, 33)]
    assert min(blown) > 0.05


def test_clip_is_of_light_that_training_never_saw() -> None:
    """The clip is what its script makes of the map at hand, which is one of those held out."""
    assert MAP.stem in HELD_OUT
    light = make_demo_clip.light(MAP)
    assert light.shape == (33, 3, 288, 512)
    shown = list(make_demo_clip.codes(light))
    with open_plate(str(CLIP)) as plate:
        for number in (1, 20, 33):
            error = plate.read(number).rgb - shown[number - 1]
            # x264 takes most of the grain, 0.005, and halved chroma some colour: measured 0.008.
            assert float(np.sqrt(np.mean(error**2))) < 0.01
    assert float(torch.log2(light.max())) > 5.8  # more than LogC3 holds


def test_demo_renders_and_shows(
    small_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Frames, a sheet, and a word on where they are and what was gained; twice is no fault."""
    out = tmp_path / "demo-out"
    given = ["--out", str(out), "--model", str(small_model), "--frames", "1-3"]
    assert main(given) == 0
    assert main(given) == 0
    frames = [out / f"plate.{number:04d}.exr" for number in (1, 2, 3)]
    assert sorted(out.iterdir()) == [*frames, out / "sheet.png"]
    assert all(is_finished(path) for path in frames)
    with Image.open(out / "sheet.png") as sheet:
        assert sheet.width > sheet.height  # one column a frame, four rows of 16:9
    told = capsys.readouterr().out
    assert str(out / "plate.####.exr") in told
    assert str(out / "sheet.png") in told
    assert "+0.1 stops over SDR white before" in told  # what compression overshoots is kept


def test_demo_tells_a_fault_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that holds no model is named, and nothing is left behind."""
    assert main(["--out", str(tmp_path / "out"), "--model", str(tmp_path)]) == 2
    assert "lumivid.toml" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
