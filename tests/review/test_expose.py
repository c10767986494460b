"""Plates re-exposed: the light, what stands beside it, and what happens when it is done again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.cli.plates import files, lumivid, the_sentence
from tests.media.exr_reader import pixels_of
from tests.review.plates import FIRST, HEIGHT, WIDTH, turning, write_plates

from lumivid_fx.media import Windows, open_plate
from lumivid_fx.media.exr import GENERATED, read_attributes, read_channel, write_exr

TIMECODE = (0x10203040, 0)


@pytest.fixture
def source(tmp_path: Path) -> str:
    """Three frames with alpha and metadata, in ACEScg."""
    alpha = np.linspace(0, 1, WIDTH * HEIGHT, dtype=np.float32).reshape(HEIGHT, WIDTH)
    more = {"smpte:TimeCode": TIMECODE, "owner": "somebody", "PixelAspectRatio": 2.0}
    return write_plates(tmp_path / "in", turning(3), alpha=alpha, space="lin_ap1_scene", more=more)


@pytest.mark.parametrize("stops", [1.0, -2.0, 0.3])
def test_light_and_all_beside_it(tmp_path: Path, source: str, stops: float) -> None:
    """Light times 2^stops in half floats, exact in whole stops; alpha and metadata go through."""
    done = lumivid("expose", source, tmp_path / "out" / "e.####.exr", "--stops", str(stops))
    assert done.exit_code == 0, done.output
    with open_plate(source) as before, open_plate(str(tmp_path / "out")) as after:
        assert after.fps == before.fps
        assert after.space == before.space == "acescg"
        for number in before.frame_numbers:
            old, new = before.read(number), after.read(number)
            wanted = (old.rgb * np.float32(2**stops)).astype(np.float16)
            assert np.array_equal(new.rgb.astype(np.float16), wanted)
            assert old.alpha is not None
            assert new.alpha is not None
            assert np.array_equal(new.alpha, old.alpha)
            assert new.windows == old.windows
            lost = set(old.attributes.items()) - set(new.attributes.items())
            assert {name for name, _ in lost} <= {"chromaticities", "DateTime"}
    says = read_attributes(tmp_path / "out" / f"e.{FIRST}.exr")
    assert says["lumivid/exposed_stops"] == pytest.approx(stops)
    assert says["lumivid/trim"] == f"{stops:+g} stops"
    assert says["lumivid/transfer"] == "logc3_rec709"
    assert says["lumivid/digest"] != "0" * 64  # else `lumivid render` would take it for its own


def test_the_mask_goes_along(tmp_path: Path) -> None:
    """The model's share of each pixel is not light: it stays as it is."""
    mask = np.random.default_rng(0).integers(0, 2, (HEIGHT, WIDTH)).astype(np.float32)
    path = tmp_path / "in" / "hdr.1001.exr"
    write_exr(
        path, turning(1)[0].astype(np.float32), None, windows=Windows.whole(WIDTH, HEIGHT),
        attributes={"lumivid/frame": 1001}, chromaticities=None, interop_id="lin_rec709_scene",
        fps=None, layers={GENERATED: mask},
    )  # fmt: skip
    assert lumivid("expose", path, tmp_path / "out.exr", "--stops", "1").exit_code == 0
    found = read_channel(tmp_path / "out.exr", GENERATED)
    assert found is not None
    assert np.array_equal(found, mask)


def test_data_windows_of_their_own_stay(tmp_path: Path) -> None:
    """A crop that moves is written as it was, its light and the model's share with it."""
    windows = [Windows(2, 3, 7, 5, 0, 0, 20, 12), Windows(-2, 4, 9, 6, 0, 0, 20, 12)]
    random = np.random.default_rng(0)
    for number, window in enumerate(windows, start=1):
        size = (window.data_height, window.data_width)
        write_exr(
            tmp_path / "in" / f"hdr.{number}.exr",
            random.uniform(0, 4, (*size, 3)).astype(np.float32),
            random.uniform(0, 1, size).astype(np.float32),
            windows=window,
            attributes={"lumivid/frame": number},
            chromaticities=None,
            interop_id="lin_rec709_scene",
            fps=None,
            layers={GENERATED: random.integers(0, 2, size).astype(np.float32)},
        )
    done = lumivid("expose", tmp_path / "in", tmp_path / "out" / "e.#.exr", "--stops", "1")
    assert done.exit_code == 0, done.output
    for number, window in enumerate(windows, start=1):
        old, new = tmp_path / "in" / f"hdr.{number}.exr", tmp_path / "out" / f"e.{number}.exr"
        with open_plate(str(old)) as before, open_plate(str(new)) as after:
            one, other = before.read(number), after.read(number)
        assert other.windows == one.windows == window
        assert np.array_equal(other.rgb, 2 * one.rgb)
        assert one.alpha is not None
        assert other.alpha is not None
        assert np.array_equal(other.alpha, one.alpha)
        had, has = (read_channel(path, GENERATED) for path in (old, new))
        assert had is not None
        assert has is not None
        assert np.array_equal(has, had)


def test_overflow_is_clamped_and_counted(tmp_path: Path) -> None:
    """No infinity is written, and the count is told."""
    light = np.full((HEIGHT, WIDTH, 3), 0.5, np.float32)
    light[0, :2] = 40000
    source = write_plates(tmp_path / "in", [light])
    done = lumivid("expose", source, tmp_path / "o.exr", "--stops", "1", "--json")
    assert json.loads(done.stdout)["clamped"] == 6
    assert float(pixels_of(tmp_path / "o.exr").max()) == 65504


def test_again_and_otherwise(tmp_path: Path, source: str) -> None:
    """What is there is kept, what is missing is made; another trim or plate is refused."""
    out = tmp_path / "out"
    arguments: list[str | Path] = ["expose", source, out / "e.####.exr", "--json"]
    assert json.loads(lumivid(*arguments, "--stops", "1").stdout)["kept"] == 0
    first = (out / f"e.{FIRST}.exr").read_bytes()
    (out / f"e.{FIRST + 1}.exr").unlink()
    assert json.loads(lumivid(*arguments, "--stops", "1").stdout)["kept"] == 2
    assert (out / f"e.{FIRST}.exr").read_bytes() == first
    refused = lumivid(*arguments[:-1], "--stops", "2")
    assert refused.exit_code == 2
    assert "was made in another way" in the_sentence(refused)
    assert lumivid(*arguments, "--stops", "2", "--overwrite").exit_code == 0
    own = lumivid("expose", source, source, "--stops", "1", "--overwrite")
    assert "is the plate itself" in the_sentence(own)
    assert all(name.startswith("e.") for name in files(out))


def test_exposures_add_up(tmp_path: Path, source: str) -> None:
    """A plate that was exposed twice says by how much in all, and by what."""
    lumivid("expose", source, tmp_path / "a" / "e.####.exr", "--stops", "1")
    trim = tmp_path / "t.clf"
    lumivid("trim", "export", trim, "--stops", "-0.5")
    done = lumivid("expose", tmp_path / "a", tmp_path / "b" / "e.####.exr", "--trim", trim)
    assert done.exit_code == 0, done.output
    says = read_attributes(tmp_path / "b" / f"e.{FIRST}.exr")
    assert says["lumivid/exposed_stops"] == pytest.approx(0.5, abs=1e-6)
    assert says["lumivid/trim"] == "+1 stops; t.clf"


def test_trim_commands(tmp_path: Path, source: str) -> None:
    """Export, import and bake say what they did, and refuse in one sentence."""
    told = lumivid("trim", "export", tmp_path / "t.cdl", "--stops", "2")
    assert "slope 4 on scene-linear light" in told.stdout
    assert "an exposure of +2 stops" in lumivid("trim", "import", tmp_path / "t.cdl").stdout
    baked = lumivid("trim", "bake", tmp_path / "b.cube", "--size", "17", "--json")
    assert json.loads(baked.stdout)["error"]["greys"] < 0.1
    assert (
        "is written: feed it codes of"
        in lumivid("trim", "bake", tmp_path / "b.cube", "--size", "17").stdout
    )
    refusals: list[tuple[list[str | Path], str]] = [
        (["trim", "export", tmp_path / "t.xml", "--stops", "1"], "cannot be written as '.xml'"),
        (["trim", "bake", tmp_path / "t.lut"], "does not end in .cube"),
        (["expose", source, tmp_path / "o/"], "nothing was asked for"),
        (["expose", source, tmp_path / "o/", "--stops", "1", "--trim", tmp_path / "t.cdl"],
         "are two trims"),
    ]  # fmt: skip
    for arguments, sentence in refusals:
        refused = lumivid(*arguments)
        assert refused.exit_code == 2
        assert sentence in the_sentence(refused)
    assert not (tmp_path / "o").exists()
