"""The promise of the farm: stitched windows are the frames of one render, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.media.files import encode_movie, flat, write_image
from tests.pipeline.plates import write_png

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.errors import InputError
from lumivid_fx.farm.plan_file import Plan
from lumivid_fx.farm.stitching import missing_windows, rendered_by, stitch
from lumivid_fx.farm.window_file import look_at_window
from lumivid_fx.media import Windows
from lumivid_fx.media.exr import read_attributes, write_exr
from lumivid_fx.model.checkpoint import HdrModel

from .shots import as_if_made, files, in_one_run, on_a_farm, planned, rendered


def exr(folder: Path) -> str:
    """Scene-linear EXRs with alpha, above 1 and below 0, in windows of their own."""
    windows = Windows(-3, 5, 32, 24, 0, 0, 40, 30)
    for number in range(7, 19):
        rgb = np.random.default_rng(number).normal(0.5, 1.2, (24, 32, 3)).astype(np.float32)
        write_exr(
            folder / f"cg.{number:04d}.exr",
            rgb,
            np.linspace(0, 1, 24 * 32, dtype=np.float32).reshape(24, 32),
            windows=windows,
            attributes={"smpte:TimeCode": (0x01020300 + number, 0)},
            chromaticities=ColorSpaces().chromaticities("acescg"),
            interop_id=None,
            fps=None,
        )
    return str(folder / "cg.####.exr")


def movie(folder: Path) -> str:
    """Twelve frames of H.264."""
    folder.mkdir()
    frames = [flat((48, 64), [40 + 12 * number, 120, 140], 8, 2) for number in range(12)]
    encode_movie(folder / "clip.mp4", frames)
    return str(folder / "clip.mp4")


def still(folder: Path) -> str:
    """One PNG."""
    return write_png(folder, [1])


def mask(folder: Path) -> str:
    """A still matte of the plate's size."""
    folder.mkdir()
    ramp = np.broadcast_to(np.linspace(0, 255, 32).astype(np.uint8)[:, None], (24, 32, 3))
    write_image(folder / "matte.png", np.ascontiguousarray(ramp))
    return str(folder / "matte.png")


CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "still": (still, {}),
    "short": (lambda folder: write_png(folder, range(1001, 1006)), {}),
    "odd": (lambda folder: write_png(folder, range(1, 4), size=(23, 17)), {}),
    "long": (lambda folder: write_png(folder, range(1001, 1051)), {}),
    "range": (
        lambda folder: write_png(folder, range(1001, 1051)),
        {"frames": "1030-1040x2", "settings": {"generated": True, "exposure": 1.5}},
    ),
    "alpha": (lambda folder: write_png(folder, range(1, 12), alpha=True), {}),
    "exr": (exr, {"settings": {"output_space": "acescg", "window": 9, "overlap": 1}}),
    "movie": (movie, {"settings": {"source_view": "srgb"}, "compression": "piz"}),
}


@pytest.mark.parametrize("case", CASES)
def test_stitched_windows_are_one_render(
    tmp_path: Path, model_folder: Path, model: HdrModel, case: str
) -> None:
    """Pixels, windows and attributes: the files themselves are the same."""
    make, chosen = CASES[case]
    plan = planned(make(tmp_path / "in"), tmp_path, model_folder, **chosen)
    there = on_a_farm(plan, model)
    assert there == in_one_run(plan, model, tmp_path / "here")
    assert there


def test_a_mask_and_the_generated_channel_too(
    tmp_path: Path, model_folder: Path, model: HdrModel
) -> None:
    """A matte is read where frames are joined, and counts there."""
    source = write_png(tmp_path / "in", range(1, 31))
    matte = mask(tmp_path / "matte")
    plan = planned(source, tmp_path, model_folder, mask=matte, settings={"generated": True})
    assert on_a_farm(plan, model) == in_one_run(plan, model, tmp_path / "here")
    assert [file.use for file in plan.files][-1] == "mask"


@pytest.fixture
def plan(tmp_path: Path, model_folder: Path) -> Plan:
    """Three windows."""
    return planned(write_png(tmp_path / "in", range(1001, 1051)), tmp_path, model_folder)


def test_missing_windows_are_named(plan: Plan, model: HdrModel) -> None:
    """One that is not there stops the joining before a frame is written."""
    rendered(plan, model, [1])
    assert missing_windows(plan) == [0, 2]
    with pytest.raises(InputError, match=r"windows 0,2 of 3 .* are missing in .*--index 0`"):
        stitch(plan)
    rendered(plan, model, [0])
    with pytest.raises(InputError, match=r"window 2 of 3 .* is missing"):
        stitch(plan)
    assert not Path(plan.target).parent.exists()


def test_a_killed_stitch_goes_on(plan: Plan, model: HdrModel) -> None:
    """Frames that are there are kept; what is left is the same."""
    whole = on_a_farm(plan, model)
    out = Path(plan.target).parent
    for name in list(whole)[20:]:
        (out / name).unlink()
    report = stitch(plan)
    assert (report.rendered, report.kept) == (30, 20)
    assert files(out) == whole


def test_a_damaged_window_is_refused(plan: Plan, model: HdrModel) -> None:
    """One flipped bit of a code is told with the file's name."""
    rendered(plan, model)
    path = plan.window_path(1)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"window\.0001\.safetensors is damaged; remove it"):
        stitch(plan)


def test_windows_of_different_devices_are_not_mixed(plan: Plan, model: HdrModel) -> None:
    """A GPU's window beside a CPU's would be no machine's picture."""
    rendered(plan, model)
    as_if_made(plan, 2, device="cuda", kernels="NVIDIA H100")
    assert sorted(rendered_by_each(plan)) == ["cpu", "cpu", "cuda"]
    with pytest.raises(InputError, match="were rendered on cpu and cuda, whose bits differ"):
        rendered_by(plan)


def test_a_gpus_windows_are_joined_without_a_gpu(plan: Plan, model: HdrModel) -> None:
    """Frames say where they were rendered, as the machine with the GPU would have said."""
    rendered(plan, model)
    for index in range(len(plan.windows)):
        tiles = "[16, 16, 9]" if index else "[32, 16, 9]"
        rounded = {"model": 64 * "f", "tiles": tiles}
        as_if_made(plan, index, device="cuda", kernels="NVIDIA H100", **rounded)
    assert rendered_by(plan) == {
        "NVIDIA H100 with tile 32, vae_tile 16, vae_frames 9": 1,
        "NVIDIA H100 with tile 16, vae_tile 16, vae_frames 9": 2,
    }
    report = stitch(plan)
    assert report.rendered == 50
    said = json.loads(str(read_attributes(report.frames[0])["lumivid/settings"]))
    assert (said["device"], said["model"], said["tile"]) == ("cuda", 64 * "f", 16)


def rendered_by_each(plan: Plan) -> list[str]:
    """The device of each window."""
    found = [look_at_window(plan, index) for index in range(len(plan.windows))]
    return [window[1].device for window in found if window is not None]


def test_a_plate_changed_since_is_refused(plan: Plan, model: HdrModel) -> None:
    """The frames that are joined are those that the windows saw."""
    rendered(plan, model)
    path = Path(plan.files[30].path)
    path.write_bytes(Path(plan.files[31].path).read_bytes())
    with pytest.raises(InputError, match=f"{path.name} was changed since the plan"):
        stitch(plan)
