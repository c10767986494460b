"""Files to files: a whole render, with all that stands beside the pixels, stopped and resumed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lumivid_fx
from lumivid_fx.color.config import WORKING_SPACES
from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.errors import InputError
from lumivid_fx.media import Windows, open_plate
from lumivid_fx.media.exr import GENERATED, read_attributes, write_exr
from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.pipeline.background import Waits
from lumivid_fx.pipeline.frame_file import FrameFile
from lumivid_fx.pipeline.render_files import RenderReport, render
from lumivid_fx.pipeline.render_shot import Progress, ShotSettings

from .plates import generated_of, picture, write_png

QUICK = ShotSettings(sigmas=((1.0, 0.0),))

Run = Callable[..., RenderReport]


class CancelledError(Exception):
    """The artist's patience is over."""


@pytest.fixture
def run(quick_model: HdrModel) -> Run:
    """Render with the quick model, in one step."""

    def with_model(source: str, target: object, **chosen: Any) -> RenderReport:
        arguments = {"settings": QUICK, "model": quick_model, **chosen}
        return render(source, str(target), **arguments)

    return with_model


@pytest.fixture
def plate(tmp_path: Path) -> str:
    """Thirty frames of PNG from 1001 on: two windows."""
    return write_png(tmp_path / "in", range(1001, 1031))


def content(folder: Path) -> dict[str, bytes]:
    """The files of a folder."""
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def write_plate(
    folder: Path, numbers: range, *, space: str = "acescg", scale: float = 4.0
) -> tuple[str, Windows]:
    """EXR frames with alpha, timecode, windows that differ, and a note."""
    windows = Windows(-3, 5, 32, 24, 0, 0, 40, 30)
    spaces = ColorSpaces()
    for number in numbers:
        rgb = (picture(24, 32, number) - np.float32(0.1)) * np.float32(scale)
        alpha = np.linspace(0, 1, 24 * 32, dtype=np.float32).reshape(24, 32)
        write_exr(
            folder / f"cg.{number:04d}.exr",
            rgb,
            alpha,
            windows=windows,
            attributes={
                "smpte:TimeCode": (0x01020300 + number % 20, 0),
                "nuke/node_hash": "8e2",
                "worldToCamera": tuple(float(n) for n in range(16)),
            },
            chromaticities=spaces.chromaticities(space),
            interop_id=spaces.interop_id(space),
            fps=Fraction(24000, 1001),
        )
    return str(folder / "cg.####.exr"), windows


def test_a_sequence_renders(run: Run, plate: str, tmp_path: Path) -> None:
    """Each frame of the plate is one EXR of its number and size, that a reader opens."""
    told: list[Path] = []

    def note(frame: FrameFile) -> None:
        assert frame.path.exists()
        assert f"{frame.number:04d}" in frame.path.name
        assert frame.how == "rendered"
        told.append(frame.path)

    started: list[tuple[int, int]] = []
    out = tmp_path / "out" / "hdr.####.exr"
    report = run(plate, out, on_frame=note, on_start=lambda *n: started.append(n))
    expected = [tmp_path / "out" / f"hdr.{n}.exr" for n in range(1001, 1031)]
    assert report.frames == told == expected
    assert sorted((tmp_path / "out").iterdir()) == expected
    assert (report.rendered, report.kept, started) == (30, 0, [(30, 0)])
    assert report.half_clamped == 0
    # Thirty frames, nine of them in two windows.
    assert report.model_clipped.total == (30 + 9) * 24 * 32 * 3
    with open_plate(str(out)) as result:
        assert (result.width, result.height) == (32, 24)
        assert result.frame_numbers == range(1001, 1031)
        assert result.space == "lin_rec709"
        assert not result.has_alpha


def test_what_made_it_is_written_down(run: Run, plate: str, tmp_path: Path) -> None:
    """Model, LoRA, seed and settings stand in the header of every frame, readable by machines."""
    settings = replace(QUICK, seed=7, exposure=0.5, source_view="srgb")
    report = run(plate, tmp_path / "out" / "a.####.exr", frames="1005-1006", settings=settings)
    for number, path in zip((1005, 1006), report.frames, strict=True):
        seen = read_attributes(path)
        assert seen["lumivid/frame"] == number
        assert seen["lumivid/version"] == lumivid_fx.__version__
        assert seen["lumivid/model"] == "tiny"
        assert seen["lumivid/lora"] == "hdr_lora.safetensors"
        assert seen["lumivid/lora_strength"] == 1.0
        assert seen["lumivid/transfer"] == "logc3_rec709"
        assert seen["lumivid/seed"] == 7
        assert seen["lumivid/source"] == "plate.####.png"
        share = seen["lumivid/model_clipped"]
        assert isinstance(share, float)
        assert 0 <= share <= 1
        chosen = json.loads(str(seen["lumivid/settings"]))
        assert chosen["exposure"] == 0.5
        assert chosen["source_view"] == "srgb"
        assert chosen["input_space"] == "srgb"
        assert chosen["sigmas"] == [[1.0, 0.0]]
        assert chosen["model"] == seen["lumivid/model_digest"]
        assert (chosen["window"], chosen["overlap"]) == (25, 9)


def test_everything_beside_the_pixels_goes_through(run: Run, tmp_path: Path) -> None:
    """Alpha, windows, timecode, rate and other metadata come out as they went in."""
    source, windows = write_plate(tmp_path / "in", range(998, 1003))
    out = tmp_path / "out" / "cg.####.exr"
    run(source, out, settings=replace(QUICK, output_space="acescg"))
    with open_plate(source) as before, open_plate(str(out)) as after:
        assert after.frame_numbers == before.frame_numbers == range(998, 1003)
        assert after.space == "acescg"
        assert after.fps == Fraction(24000, 1001)
        for number in after.frame_numbers:
            one, other = before.read(number), after.read(number)
            assert other.windows == one.windows == windows
            assert one.alpha is not None
            assert other.alpha is not None
            assert np.array_equal(other.alpha, one.alpha)
            for name in ("smpte:TimeCode", "nuke/node_hash", "worldToCamera"):
                assert other.attributes[name] == one.attributes[name]


def test_mask_tells_the_models_pixels(run: Run, plate: str, tmp_path: Path) -> None:
    """0 exactly where a frame is the plate's own, also where windows meet; the picture is the same.

    The view is named, so that the plate's own light is known.
    """
    settings = replace(QUICK, source_view="srgb")
    plain, masked = tmp_path / "plain", tmp_path / "masked"
    run(plate, plain / "a.####.exr", settings=settings)
    run(plate, masked / "a.####.exr", settings=replace(settings, generated=True))
    for number in (1001, 1020, 1030):
        before, after = (
            open_plate(str(folder / f"a.{number}.exr")).read(number).rgb
            for folder in (plain, masked)
        )
        assert np.array_equal(before, after)
        mask = generated_of(masked / f"a.{number}.exr")
        assert mask.shape == (24, 32)
        assert (mask.min(), mask.max()) == (0, 1)
        codes = open_plate(plate).read(number).rgb
        light = ColorSpaces().display_to_linear(codes, "srgb")
        own = mask == 0
        assert 0.1 < own.mean() < 0.9
        # A half's rounding, and LogC3 there and back in float32.
        assert np.allclose(after[own], light[own], rtol=2**-10, atol=1e-4)
        assert ((codes.max(axis=-1) > 0.94) | (codes.min(axis=-1) < 4 / 255))[~own].all()


def test_mask_is_the_channel_that_the_node_shows() -> None:
    """The node for Nuke cannot import the name, and says it once more."""
    gizmo = Path(__file__).parents[2] / "nuke" / "LumiVid.gizmo"
    assert f"add_layer {{lumivid {GENERATED}}}\n" in gizmo.read_text("utf-8")
    assert f"  expr0 {GENERATED}\n" in gizmo.read_text("utf-8")


def test_mask_without_detail_is_full(run: Run, plate: str, tmp_path: Path) -> None:
    """The model alone speaks, also where two windows are cross-faded."""
    settings = replace(QUICK, detail=0.0, generated=True)
    report = run(plate, tmp_path / "a.####.exr", settings=settings)
    assert {float(value) for path in report.frames for value in generated_of(path).flat} == {1.0}


def test_mask_has_overscan_and_no_alpha_in_it(run: Run, tmp_path: Path) -> None:
    """It covers the data window as the picture does, and is not multiplied by the matte."""
    source, windows = write_plate(tmp_path / "in", range(1, 2))
    out = tmp_path / "out.exr"
    run(source, out, settings=replace(QUICK, detail=0.25, generated=True))
    mask = generated_of(out)
    assert mask.shape == (windows.data_height, windows.data_width)
    assert float(mask.min()) == 0.75
    frame = open_plate(str(out)).read(1)
    assert frame.windows == windows
    assert frame.alpha is not None
    assert float(frame.alpha.min()) == 0


def write_crop(folder: Path) -> tuple[str, list[Windows]]:
    """A crop that moves over a display of 40 x 30 and past its edge, well exposed, with alpha."""
    shown, spaces = (0, 0, 40, 30), ColorSpaces()
    places = [(4, 3, 18, 16), (6, 4, 20, 16), (-3, 12, 17, 21)]
    windows = [Windows(*place, *shown) for place in places]
    for number, window in enumerate(windows, start=1):
        size = (window.data_height, window.data_width)
        write_exr(
            folder / f"crop.{number}.exr",
            picture(*size, number) * np.float32(0.3) + np.float32(0.2),
            np.linspace(0.25, 1, size[0] * size[1], dtype=np.float32).reshape(size),
            windows=window,
            attributes={},
            chromaticities=spaces.chromaticities("acescg"),
            interop_id=spaces.interop_id("acescg"),
            fps=None,
        )
    return str(folder / "crop.#.exr"), windows


def test_each_frame_keeps_a_data_window_of_its_own(run: Run, tmp_path: Path) -> None:
    """A tracked crop comes back as it went in: window, alpha and light, past the display too."""
    source, windows = write_crop(tmp_path / "in")
    settings = replace(QUICK, output_space="acescg", generated=True)
    report = run(source, tmp_path / "out" / "a.#.exr", settings=settings)
    for number, window in enumerate(windows, start=1):
        with open_plate(str(tmp_path / "in" / f"crop.{number}.exr")) as before:
            one = before.read(number)
        with open_plate(str(report.frames[number - 1])) as after:
            other = after.read(number)
        assert other.windows == one.windows == window
        assert one.alpha is not None
        assert other.alpha is not None
        assert np.array_equal(other.alpha, one.alpha)
        # Both are halves: one rounding of 2^-11 of a pixel's brightest channel, and LogC3's.
        bound = 2**-10 * np.abs(one.rgb).max(axis=-1, keepdims=True)
        assert bool((np.abs(other.rgb - one.rgb) <= bound).all())
        generated = generated_of(report.frames[number - 1])
        assert generated.shape == one.rgb.shape[:2]
        assert not generated.any()


def test_a_window_elsewhere_is_another_plate(run: Run, tmp_path: Path) -> None:
    """The same pixels in another place are no frame to go on with."""
    source, _ = write_crop(tmp_path / "in")
    run(source, tmp_path / "out" / "a.#.exr", frames="1")
    first = tmp_path / "in" / "crop.1.exr"
    with open_plate(str(first)) as plate:
        frame = plate.read(1)
    write_exr(
        first,
        frame.rgb,
        frame.alpha,
        windows=replace(frame.windows, data_x=frame.windows.data_x + 1),
        attributes={},
        chromaticities=ColorSpaces().chromaticities("acescg"),
        interop_id=ColorSpaces().interop_id("acescg"),
        fps=None,
    )
    with pytest.raises(InputError, match=r"a\.1\.exr"):
        run(source, tmp_path / "out" / "a.#.exr", frames="1")


def test_mask_survives_a_resume(run: Run, plate: str, tmp_path: Path) -> None:
    """In two runs the bytes of one; frames without a mask are not taken for frames with one."""
    settings = replace(QUICK, generated=True)
    run(plate, tmp_path / "whole" / "a.####.exr", settings=settings)
    run(plate, tmp_path / "parts" / "a.####.exr", settings=settings, frames="1018-1030")
    report = run(plate, tmp_path / "parts" / "a.####.exr", settings=settings)
    assert (report.rendered, report.kept) == (17, 13)
    assert content(tmp_path / "parts") == content(tmp_path / "whole")
    with pytest.raises(InputError, match="made with other settings"):
        run(plate, tmp_path / "whole" / "a.####.exr")


def test_scene_light_goes_through(run: Run, tmp_path: Path) -> None:
    """An ACEScg plate with light above 1 and below 0 comes back as that light, in half floats."""
    source, _ = write_plate(tmp_path / "in", range(1, 2))
    out = tmp_path / "out.exr"
    run(source, out, settings=replace(QUICK, output_space="acescg"))
    before, after = (open_plate(str(p)).read(1).rgb for p in (source, out))
    assert float(before.max()) > 3
    assert float(before.min()) < -0.3
    peak = ColorSpaces().convert(before, "acescg", "lin_rec709").max(axis=-1)
    sure = (peak > 1.25) | (peak < 0.85)
    # Both are halves: one rounding of 2^-11 of the pixel's brightest channel, and LogC3's.
    bound = 2**-10 * np.abs(before).max(axis=-1)
    assert bool((np.abs(after - before).max(axis=-1) <= bound)[sure].all())
    assert float(sure.mean()) > 0.7


@pytest.mark.parametrize(
    ("space", "interop"),
    [
        ("acescg", "lin_ap1_scene"),
        ("lin_rec709", "lin_rec709_scene"),
        ("aces2065-1", "lin_ap0_scene"),
        ("lin_rec2020", "lin_rec2020_scene"),
    ],
)
def test_colour_is_written_down(
    run: Run, plate: str, tmp_path: Path, space: str, interop: str
) -> None:
    """The header tells the primaries of the space that was asked for, in both ways EXR has."""
    settings = replace(QUICK, output_space=space)
    report = run(plate, tmp_path / "a.exr", frames="1001", settings=settings)
    seen = read_attributes(report.frames[0])
    assert isinstance(seen["chromaticities"], tuple)
    assert seen["chromaticities"] == pytest.approx(
        WORKING_SPACES[space].chromaticities, abs=1e-6
    )  # 32-bit floats
    assert seen["colorInteropID"] == interop
    with open_plate(str(report.frames[0])) as result:
        assert result.space == space


def test_output_must_be_scene_linear(run: Run, plate: str, tmp_path: Path) -> None:
    """A display space is no place for light, and a name that is none is told as that."""
    for space, told in (("srgb", "is not scene-linear"), ("acesgc", "is not in")):
        with pytest.raises(InputError, match=told):
            run(plate, tmp_path / "a.exr", settings=replace(QUICK, output_space=space))
    assert not (tmp_path / "a.exr").exists()


def test_a_png_with_alpha_is_multiplied(run: Run, tmp_path: Path) -> None:
    """A PNG's colour is not multiplied by its alpha, an EXR's is."""
    opaque = write_png(tmp_path / "opaque", range(1, 2))
    matte = write_png(tmp_path / "matte", range(1, 2), alpha=True)
    run(opaque, tmp_path / "opaque.exr")
    run(matte, tmp_path / "matte.exr")
    plain = open_plate(str(tmp_path / "opaque.exr")).read(1)
    frame = open_plate(str(tmp_path / "matte.exr")).read(1)
    assert frame.alpha is not None
    assert float(frame.alpha[0, 0]) == 0
    assert float(frame.alpha[0, -1]) == 1
    # Half floats of the two factors, and of their product.
    assert np.allclose(frame.rgb, plain.rgb * frame.alpha[..., None], rtol=2**-9, atol=1e-6)


def test_a_rerun_keeps_what_is_there(run: Run, plate: str, tmp_path: Path) -> None:
    """Nothing is touched, not even in time, when all frames are there from the same settings."""
    out = tmp_path / "out"
    run(plate, out / "a.####.exr", frames="1001-1004")
    stamps = {p.name: p.stat().st_mtime_ns for p in out.iterdir()}
    for path in out.iterdir():
        os.utime(path, ns=(5, 5))
    report = run(plate, out / "a.####.exr", frames="1001-1004")
    assert (report.rendered, report.kept) == (0, 4)
    assert {p.name: p.stat().st_mtime_ns for p in out.iterdir()} == dict.fromkeys(stamps, 5)


def test_what_was_waited_for_is_told(run: Run, plate: str, tmp_path: Path) -> None:
    """The first window is always waited for; a render with nothing left to do waits for nothing."""
    waits = run(plate, tmp_path / "out" / "a.####.exr").waits
    assert 0 < waits.first <= waits.read
    assert waits.write > 0  # for the last frame, if for no other
    again = run(plate, tmp_path / "out" / "a.####.exr")
    assert again.waits == Waits(0.0, 0.0, 0.0)


def test_ranges_make_the_same_files(run: Run, plate: str, tmp_path: Path) -> None:
    """In two runs, the later half first, every file is that of one run, byte for byte."""
    run(plate, tmp_path / "whole" / "a.####.exr")
    run(plate, tmp_path / "parts" / "a.####.exr", frames="1018-1030")
    report = run(plate, tmp_path / "parts" / "a.####.exr")
    assert (report.rendered, report.kept) == (17, 13)
    assert content(tmp_path / "parts") == content(tmp_path / "whole")


def test_steps_are_frames_of_the_whole(run: Run, plate: str, tmp_path: Path) -> None:
    """Every seventh frame is that of the whole shot, byte for byte, and no other is made."""
    run(plate, tmp_path / "whole" / "a.####.exr")
    report = run(plate, tmp_path / "some" / "a.####.exr", frames="1001-1030x7")
    assert [path.name for path in report.frames] == [f"a.{n}.exr" for n in range(1001, 1031, 7)]
    some, whole = content(tmp_path / "some"), content(tmp_path / "whole")
    assert set(some) == {f"a.{n}.exr" for n in range(1001, 1031, 7)}
    assert all(whole[name] == some[name] for name in some)


def test_a_plate_on_twos(run: Run, tmp_path: Path) -> None:
    """Where the frames between are not there, those that are stand for the plate."""
    source = write_png(tmp_path / "in", range(1001, 1020, 2))
    with pytest.raises(InputError, match="lacks frame 1002, 1004"):
        run(source, tmp_path / "out" / "a.####.exr")
    report = run(source, tmp_path / "out" / "a.####.exr", frames="1001-1019x2")
    assert report.rendered == 10
    assert set(content(tmp_path / "out")) == {f"a.{n}.exr" for n in range(1001, 1020, 2)}
    (tmp_path / "in" / "plate.1005.png").unlink()
    with pytest.raises(InputError, match="lacks frame 1005; render what is missing, or ask for"):
        run(source, tmp_path / "b.####.exr", frames="1001-1019x2")


def test_a_plate_of_doubtful_colour_wants_its_space(run: Run, plate: str, tmp_path: Path) -> None:
    """A profile of other primaries ends a render before it begins, unless the space is named."""
    for path in (tmp_path / "in").iterdir():
        rgb = np.full((24, 32, 3), 0.25, np.float32)
        write_exr(
            path.with_suffix(".exr"), rgb, None, windows=Windows.whole(32, 24), attributes={},
            chromaticities=(0.6, 0.3, 0.2, 0.7, 0.1, 0.1, 0.33, 0.33), interop_id=None, fps=None,
        )  # fmt: skip
        path.unlink()
    source = plate.replace(".png", ".exr")
    with pytest.raises(InputError, match="has the primaries of no space that is known; convert it"):
        run(source, tmp_path / "out" / "a.####.exr", frames="1001")
    assert not (tmp_path / "out").exists()
    settings = replace(QUICK, input_space="acescg")
    assert run(source, tmp_path / "a.####.exr", frames="1001", settings=settings).rendered == 1


def test_cancel_and_resume(run: Run, plate: str, tmp_path: Path) -> None:
    """A cancelled render leaves whole frames alone, and a rerun the bits of an undisturbed one."""

    def stop(progress: Progress) -> None:
        if progress.window == 2:
            raise CancelledError

    out = tmp_path / "out"
    with pytest.raises(CancelledError):
        run(plate, out / "a.####.exr", on_progress=stop)
    first = content(out)
    assert list(first) == [f"a.{n}.exr" for n in range(1001, 1017)]
    report = run(plate, out / "a.####.exr")
    assert (report.rendered, report.kept) == (14, 16)
    run(plate, tmp_path / "whole" / "a.####.exr")
    whole = content(tmp_path / "whole")
    assert content(out) == whole
    assert all(whole[name] == first[name] for name in first)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"exposure": 1.0},
        {"detail": 0.5},
        {"output_space": "acescg"},
        {"source_view": "srgb"},
        {"sigmas": ((1.0, 0.5, 0.0),)},
        {"window": 33},
    ],
)
def test_other_settings_are_refused(
    run: Run, plate: str, tmp_path: Path, change: dict[str, Any]
) -> None:
    """Frames of other settings are not mixed in: the first is named, and nothing is changed."""
    out = tmp_path / "a.####.exr"
    run(plate, out, frames="1001-1002")
    before = content(tmp_path / "in"), [p.read_bytes() for p in tmp_path.glob("a.*.exr")]
    other = replace(QUICK, **change)
    with pytest.raises(
        InputError, match=r"a\.1001\.exr \(frame 1001\) was made with other settings"
    ):
        run(plate, out, frames="1001-1003", settings=other)
    assert before[1] == [p.read_bytes() for p in tmp_path.glob("a.*.exr")]
    report = run(plate, out, frames="1001-1003", settings=other, overwrite=True)
    assert (report.rendered, report.kept) == (3, 0)


def test_another_plate_is_refused(run: Run, plate: str, tmp_path: Path) -> None:
    """A plate of the same size and range does not pass for this one."""
    out = tmp_path / "a.####.exr"
    run(plate, out, frames="1001-1002")
    other = write_png(tmp_path / "other", range(1001, 1031), shift=3)
    with pytest.raises(InputError, match="made with other settings or from another plate"):
        run(other, out, frames="1001-1003")


def test_a_moved_plate_is_the_same(run: Run, plate: str, tmp_path: Path) -> None:
    """The same frames in another folder go on where the first run was stopped."""
    out = tmp_path / "a.####.exr"
    run(plate, out, frames="1001-1002")
    (tmp_path / "in").rename(tmp_path / "moved")
    report = run(str(tmp_path / "moved" / "plate.####.png"), out, frames="1001-1003")
    assert (report.rendered, report.kept) == (1, 2)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("number", [1001, 1003])
def test_a_foreign_file_is_never_replaced(
    run: Run, plate: str, tmp_path: Path, number: int, *, overwrite: bool
) -> None:
    """A file that is not ours, be it the first or a later one, ends the render before it starts."""
    out = tmp_path / "out"
    out.mkdir()
    foreign = out / f"a.{number}.exr"
    foreign.write_bytes(b"the only copy")
    with pytest.raises(InputError, match=rf"a\.{number}\.exr exists and was not made by lumivid"):
        run(plate, out / "a.####.exr", frames="1001-1004", overwrite=overwrite)
    assert content(out) == {foreign.name: b"the only copy"}


def test_the_plate_is_never_replaced(run: Run, tmp_path: Path) -> None:
    """Neither a plate of somebody's nor an earlier render of ours is written over as its result."""
    source, _ = write_plate(tmp_path / "in", range(1, 4))
    before = content(tmp_path / "in")
    with pytest.raises(InputError, match="was not made by lumivid"):
        run(source, source, overwrite=True)
    assert content(tmp_path / "in") == before
    run(source, tmp_path / "out" / "cg.####.exr")
    rendered = content(tmp_path / "out")
    ours = str(tmp_path / "out" / "cg.####.exr")
    with pytest.raises(InputError, match=r"cg\.0001\.exr is the plate itself"):
        run(ours, tmp_path / "in" / ".." / "out" / "cg.####.exr", overwrite=True)
    assert content(tmp_path / "out") == rendered


def test_a_hole_outside_the_range(run: Run, tmp_path: Path) -> None:
    """A plate that lacks frames renders where it does not, and is refused where it does."""
    source = write_png(tmp_path / "in", [*range(1, 6), *range(9, 12)])
    report = run(source, tmp_path / "a.####.exr", frames="2-4")
    assert [p.name for p in report.frames] == ["a.0002.exr", "a.0003.exr", "a.0004.exr"]
    with pytest.raises(InputError, match="lacks frame 6, 7, 8"):
        run(source, tmp_path / "b.####.exr")


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"frames": "990-1005"}, "990"),
        ({"frames": "2000"}, "2000"),
        ({"frames": "ten"}, "frame range 'ten' cannot be read"),
        ({"compression": "best"}, "compression 'best' is not written"),
        ({"ocio": "no_such.ocio"}, "no_such.ocio"),
        ({"settings": replace(QUICK, input_space="acesgc")}, "colour space 'acesgc' is not in"),
        ({"settings": replace(QUICK, sigmas=((0.5, 1.0, 0.0),))}, "must fall strictly"),
        ({"settings": replace(QUICK, detail=1.5)}, "detail is 1.5"),
    ],
)
def test_bad_input(
    run: Run, plate: str, tmp_path: Path, chosen: dict[str, object], told: str
) -> None:
    """Each is told in one sentence, and nothing is written."""
    with pytest.raises(InputError, match=told) as caught:
        run(plate, tmp_path / "out" / "a.####.exr", **chosen)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_damaged_frame_keeps_what_was_finished(run: Run, plate: str, tmp_path: Path) -> None:
    """A frame that cannot be read ends the render with its name; earlier windows are on disk."""
    bad = tmp_path / "in" / "plate.1028.png"
    bad.write_bytes(bad.read_bytes()[:200])
    out = tmp_path / "out"
    with pytest.raises(InputError, match=r"plate\.1028\.png \(frame 1028\)"):
        run(plate, out / "a.####.exr")
    assert list(content(out)) == [f"a.{n}.exr" for n in range(1001, 1017)]


def test_a_damaged_first_frame_hinders_no_later_window(
    run: Run, plate: str, tmp_path: Path
) -> None:
    """Frames whose windows do not need it are rendered."""
    bad = tmp_path / "in" / "plate.1001.png"
    whole = bad.read_bytes()
    bad.write_bytes(whole[:-40])
    report = run(plate, tmp_path / "a.####.exr", frames="1027-1030")
    assert report.rendered == 4


def test_the_model_may_be_loaded_late(plate: str, tmp_path: Path, quick_model: HdrModel) -> None:
    """What loads the model is asked only once the plate and the target have been looked at."""
    asked: list[bool] = []

    def load() -> HdrModel:
        asked.append(True)
        return quick_model

    with pytest.raises(InputError):
        render(str(tmp_path / "none.####.png"), "out/", model=load)
    assert not asked
    report = render(plate, str(tmp_path / "a.exr"), frames="1001", settings=QUICK, model=load)
    assert asked == [True]
    assert report.rendered == 1


def test_the_public_name_is_this() -> None:
    """`lumivid_fx.render` is the render of files."""
    assert lumivid_fx.render is render
    assert lumivid_fx.ShotSettings is ShotSettings
    assert lumivid_fx.RenderReport is RenderReport
