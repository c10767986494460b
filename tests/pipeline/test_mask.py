"""A mask limits where the model speaks, and is itself looked at before anything is rendered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.media.files import write_image

from lumivid_fx.errors import InputError
from lumivid_fx.media import open_plate
from lumivid_fx.media.exr import DIGEST_ATTRIBUTE, read_attributes
from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.pipeline.mask import ShotMask
from lumivid_fx.pipeline.render_files import render
from lumivid_fx.pipeline.render_shot import ShotSettings

from .plates import Clip, Pixels, generated_of, write_png

SIZE = (24, 32)
SETTINGS = ShotSettings(sigmas=((1.0, 0.0),), detail=0.0, source_view="srgb")

HALF = 2e-3
"""Relative: light was written as half floats, 11 bits, and went through LogC3 in float32."""


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Nine frames."""
    return write_png(tmp_path_factory.mktemp("plate") / "png", range(1, 10), size=SIZE)


def write_mask(folder: Path, value: float | Pixels, numbers: list[int] | None = None) -> str:
    """Grey images of a value, or of values by pixel."""
    folder.mkdir(exist_ok=True)
    pixels = np.broadcast_to(np.asarray(value, np.float32)[..., None], (*SIZE, 3))
    if numbers is None:
        write_image(folder / "mask.exr", pixels)
        return str(folder / "mask.exr")
    for number in numbers:
        write_image(folder / f"mask.{number:04d}.exr", pixels)
    return str(folder / "mask.####.exr")


def rendered(
    plate: str, folder: Path, model: HdrModel, mask: str | None, settings: ShotSettings = SETTINGS
) -> dict[int, Pixels]:
    """Light of all frames, by number."""
    report = render(
        plate, str(folder / "h.####.exr"), settings=replace(settings, mask=mask), model=model
    )
    assert len(report.frames) == 9
    with open_plate(str(folder / "h.####.exr")) as out:
        return {number: out.read(number).rgb for number in out.frame_numbers}


def near(one: Pixels, other: Pixels) -> bool:
    """The same light but for half floats."""
    return bool(np.allclose(one, other, rtol=HALF, atol=1e-4))


def test_where_the_model_speaks(tmp_path: Path, quick_model: HdrModel, plate: str) -> None:
    """1 is the model alone, 0 the plate alone, between them a mix in codes."""
    alone = rendered(plate, tmp_path / "alone", quick_model, None)
    ones = write_mask(tmp_path / "ones", 1.0)
    assert all(
        np.array_equal(frame, alone[number])
        for number, frame in rendered(plate, tmp_path / "a", quick_model, ones).items()
    )
    zeros = rendered(plate, tmp_path / "b", quick_model, write_mask(tmp_path / "zeros", 0.0))
    left = np.zeros(SIZE, np.float32)
    left[:, : SIZE[1] // 2] = 1
    split = rendered(plate, tmp_path / "c", quick_model, write_mask(tmp_path / "left", left))
    with open_plate(plate) as shown:
        for number in shown.frame_numbers:
            codes = shown.read(number).rgb
            light = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
            assert near(zeros[number], light)
            half = SIZE[1] // 2
            assert np.array_equal(split[number][:, :half], alone[number][:, :half])
            assert np.array_equal(split[number][:, half:], zeros[number][:, half:])
    assert not near(alone[1], zeros[1])


def test_plate_of_unknown_tone(tmp_path: Path, quick_model: HdrModel, plate: str) -> None:
    """Where no view is named, the plate comes through the curve that was fitted."""
    settings = replace(SETTINGS, source_view=None)
    zeros = write_mask(tmp_path / "zeros", 0.0)
    plain = rendered(plate, tmp_path / "a", quick_model, zeros, settings)
    alone = rendered(plate, tmp_path / "b", quick_model, None, settings)
    assert not near(plain[1], alone[1])
    # One curve for each channel alike: equal codes have equal light.
    with open_plate(plate) as shown:
        codes = shown.read(1).rgb.reshape(-1)
    order = np.argsort(codes, kind="stable")
    assert bool((np.diff(plain[1].reshape(-1)[order]) >= -1e-4).all())


def test_sequence_follows_the_plate(tmp_path: Path, quick_model: HdrModel, plate: str) -> None:
    """Each frame has its own; one that is missing is told before anything is rendered."""
    folder = tmp_path / "mask"
    pattern = write_mask(folder, 0.0, list(range(1, 10)))
    write_image(folder / "mask.0005.exr", np.ones((*SIZE, 3), np.float32))
    moving = rendered(plate, tmp_path / "a", quick_model, pattern)
    alone = rendered(plate, tmp_path / "b", quick_model, None)
    assert [n for n in moving if np.array_equal(moving[n], alone[n])] == [5]
    short = write_mask(tmp_path / "short", 0.0, [1, 2, 3])
    with pytest.raises(InputError, match=r"has no frame 4; give one image for all frames"):
        rendered(plate, tmp_path / "c", quick_model, short)
    assert not (tmp_path / "c").exists()


def test_sequence_follows_a_plate_with_holes(
    tmp_path: Path, quick_model: HdrModel, plate: str
) -> None:
    """By the frames' numbers, not by their places."""
    for number in (1, 5, 9):
        source = Path(plate.replace("####", f"{number:04d}"))
        (tmp_path / f"p.{number:04d}.png").write_bytes(source.read_bytes())
    pattern = write_mask(tmp_path / "mask", 0.0, list(range(1, 10)))
    write_image(tmp_path / "mask" / "mask.0005.exr", np.ones((*SIZE, 3), np.float32))
    settings = replace(SETTINGS, mask=pattern, generated=True)
    holed, out = str(tmp_path / "p.####.png"), tmp_path / "out" / "h.####.exr"
    report = render(holed, str(out), frames="1-9x4", settings=settings, model=quick_model)
    assert [float(generated_of(path).max()) for path in report.frames] == [0, 1, 0]


@pytest.mark.parametrize("detail", [0.0, 1.0])
def test_no_more_is_generated_than_the_mask_lets_through(
    tmp_path: Path, quick_model: HdrModel, plate: str, detail: float
) -> None:
    """The channel says what is in the frame: the model's share, times the mask."""
    settings = replace(SETTINGS, detail=detail, generated=True)
    ramp = np.tile(np.linspace(0, 1, SIZE[1], dtype=np.float32), (SIZE[0], 1))
    whole, part = (tmp_path / name for name in ("whole", "part"))
    rendered(plate, whole, quick_model, None, settings)
    rendered(plate, part, quick_model, write_mask(tmp_path / "ramp", ramp), settings)
    for number in range(1, 10):
        free, held = (generated_of(f / f"h.{number:04d}.exr") for f in (whole, part))
        assert float(free.max()) == 1
        assert np.allclose(held, free * ramp, atol=1e-3)  # half floats


def test_another_mask_is_another_render(tmp_path: Path, quick_model: HdrModel, plate: str) -> None:
    """Frames made with another mask, even under the same name, are not kept."""
    mask = write_mask(tmp_path / "mask", 0.0)
    rendered(plate, tmp_path / "out", quick_model, mask)
    first = read_attributes(tmp_path / "out" / "h.0001.exr")[DIGEST_ATTRIBUTE]
    write_mask(tmp_path / "mask", 0.5)
    with pytest.raises(InputError, match="made with other settings"):
        rendered(plate, tmp_path / "out", quick_model, mask)
    rendered(plate, tmp_path / "other", quick_model, mask)
    assert read_attributes(tmp_path / "other" / "h.0001.exr")[DIGEST_ATTRIBUTE] != first


def test_alpha_is_the_matte(tmp_path: Path) -> None:
    """A file with alpha means that; values are held to [0, 1]."""
    pixels = np.dstack([np.full((*SIZE, 3), 0.25), np.full(SIZE, 1.5)]).astype(np.float32)
    write_image(tmp_path / "m.exr", pixels)
    with ShotMask(str(tmp_path / "m.exr"), Clip(*SIZE, 1)) as mask:
        matte = mask.read(7)
        assert matte.shape == (1, *SIZE)
        assert float(matte.min()) == float(matte.max()) == 1.0


def test_mask_of_another_size(tmp_path: Path) -> None:
    """Nothing is scaled unasked."""
    path = write_mask(tmp_path / "mask", 0.0)
    with pytest.raises(InputError, match=r"mask .* is 32 x 24 pixels and the plate 16 x 16"):
        ShotMask(path, Clip(16, 16, 1))
