"""Clips from skies, maps and footage: right light, right frames, the same each time."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO
import pytest
import torch
from tests.train.recipes import tiny_recipe
from torch import Generator

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.errors import InputError
from lumivid_fx.media.movie_writer import write_movie
from lumivid_fx.train.sources import Sources

MAP = Path(__file__).parents[1] / "data" / "modern_buildings_2.exr"


def seeded(seed: int) -> Generator:
    """A generator."""
    return torch.Generator().manual_seed(seed)


def sources(tmp_path: Path, *those: dict[str, Any], **amended: Any) -> Sources:
    """Sources of a tiny recipe."""
    return Sources(tiny_recipe(tmp_path, sources=list(those), **amended))


def write_sequence(folder: Path, light: np.ndarray[Any, Any], count: int = 10) -> str:
    """Frames of one light, the frame's number added to it."""
    for number in range(1, count + 1):
        rgb = light + number
        write_frame(folder / f"shot.{number:04d}.exr", rgb)
    return str(folder / "shot.####.exr")


def write_frame(path: Path, rgb: np.ndarray[Any, Any]) -> None:
    """One EXR, whatever values it holds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    output = OpenImageIO.ImageOutput.create(str(path))
    assert output is not None
    output.open(str(path), OpenImageIO.ImageSpec(rgb.shape[1], rgb.shape[0], 3, "half"))
    assert output.write_image(rgb.astype(np.float32))
    output.close()


def test_a_clip_is_made_again_by_its_generator(tmp_path: Path) -> None:
    """From maps, real and made up, and another seed gives another."""
    there = sources(tmp_path, {"kind": "made_up"}, {"kind": "maps", "path": str(MAP.parent)})
    for seed in (1, 2, 3):
        clip = there.clip(9, seeded(seed))
        assert clip.pixels.shape == (9, 3, 32, 64)
        assert torch.equal(clip.pixels, there.clip(9, seeded(seed)).pixels)
    assert not torch.equal(there.clip(9, seeded(1)).pixels, there.clip(9, seeded(2)).pixels)


def test_scene_linear_footage_comes_as_linear_rec709(tmp_path: Path) -> None:
    """ACEScg frames are converted, in order, and keep the exposure they were shot with."""
    acescg = np.ones((48, 96, 3)) * [0.18, 0.4, 0.1]
    path = write_sequence(tmp_path / "plates", acescg)
    there = sources(tmp_path, {"kind": "plate", "path": path, "space": "acescg"})
    clip = there.clip(9, seeded(4))
    assert clip.as_shot
    assert not clip.is_display
    back = ColorSpaces().convert(
        clip.pixels.movedim(1, -1).contiguous().numpy(), "lin_rec709", "acescg"
    )
    first = round(float(back[0, 0, 0, 0]) - 0.18)
    assert first in (1, 2)  # ten frames hold two runs of nine
    for index, picture in enumerate(back):
        wanted = np.array([0.18, 0.4, 0.1]) + first + index
        assert np.allclose(picture, wanted, atol=0.005)  # half floats near 10 are 0.008 apart


def test_sdr_movies_serve_sdr_targets_alone(tmp_path: Path) -> None:
    """As codes; where light is to be learned they are refused with what to do."""
    path = tmp_path / "clip.mp4"
    rng = np.random.default_rng(0)
    frames = [rng.random((48, 96, 3), dtype=np.float32) for _ in range(9)]
    write_movie(path, frames, Fraction(24))
    source = {"kind": "plate", "path": str(path)}
    clip = sources(tmp_path, source, target={"transfer": "sdr"}).clip(9, seeded(0))
    assert clip.is_display
    assert 0 <= float(clip.pixels.min()) <= float(clip.pixels.max()) <= 1
    with pytest.raises(InputError, match=r"clip\.mp4 is SDR .*target\.transfer = \"sdr\""):
        sources(tmp_path, source)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({"kind": "maps", "path": "nowhere"}, "nowhere is no folder"),
        ({"kind": "maps", "path": "."}, "holds no EXR map"),
        ({"kind": "maps", "path": str(MAP.parent), "held_out": ["modern"]}, "no map modern"),
        ({"kind": "maps", "path": str(MAP.parent), "held_out": [MAP.stem]}, "holds no EXR map"),
        ({"kind": "plate", "path": "gone.####.exr"}, "matches no file"),
        ({"kind": "plate", "path": str(MAP)}, "has 1 frames, fewer than a clip's 9"),
    ],
)
def test_a_source_of_no_use_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: dict[str, Any], told: str
) -> None:
    """Before anything is made of the others."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=told):
        sources(tmp_path / "recipe", source)


def test_a_plate_smaller_than_a_clip_is_told(tmp_path: Path) -> None:
    """Clips are never enlarged."""
    path = write_sequence(tmp_path / "plates", np.ones((16, 96, 3)))
    with pytest.raises(InputError, match="96 x 16 pixels, smaller than a clip's 64 x 32"):
        sources(tmp_path, {"kind": "plate", "path": path})


def test_frames_that_are_no_numbers_are_told(tmp_path: Path) -> None:
    """With the first of them."""
    light = np.ones((48, 96, 3))
    light[:] = np.nan
    path = write_sequence(tmp_path / "plates", light)
    there = sources(tmp_path, {"kind": "plate", "path": path})
    with pytest.raises(InputError, match=r"shot\.000[12]\.exr .* NaN or infinite"):
        there.clip(9, seeded(0))


def test_digest_follows_content(tmp_path: Path) -> None:
    """The same frames elsewhere are the same; one frame changed is another."""
    light = np.ones((48, 96, 3))
    write_sequence(tmp_path / "a", light)
    for folder in ("b", "c"):  # copied, for OpenImageIO writes the time of day into its files
        shutil.copytree(tmp_path / "a", tmp_path / folder)
    write_frame(tmp_path / "c" / "shot.0010.exr", 2 * light)
    digests = []
    for folder in ("a", "b", "c"):
        path = str(tmp_path / folder / "shot.####.exr")
        digests.append(sources(tmp_path, {"kind": "plate", "path": path}).digest())
    assert digests[0] == digests[1] != digests[2]
