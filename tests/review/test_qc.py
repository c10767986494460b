"""Quality control: each fault is found in its frame, and a clean plate has none.

The plate moves, has grain, a fade and a cut. Its source is the same light as 8-bit sRGB codes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from tests.cli.plates import lumivid
from tests.media.files import write_image
from tests.review.plates import FIRST, HEIGHT, WIDTH, turning, write_plates

from lumivid_fx.cli.outcome import DOES_NOT_PASS
from lumivid_fx.color.display_curves import linear_to_srgb
from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.media import Windows
from lumivid_fx.media.plate import FloatImage
from lumivid_fx.pipeline.windows import cut_windows
from lumivid_fx.review.faults import Finding, Limits
from lumivid_fx.review.qc import Inspection
from lumivid_fx.review.reel import join_frames
from lumivid_fx.review.steps import cells_of, step_between

COUNT = 34
CUT, JOIN = 28, 18
"""Indices of a cut, and of a frame inside the one join of windows of 25 with 9 shared: 16 to 25."""


def clean() -> list[FloatImage]:
    """A shot that fades up by 0.1 stops a frame for six frames, and cuts to another."""
    shot = [light * np.float32(2 ** (0.1 * min(max(n - 4, 0), 6))) for n, light in
            enumerate(turning(COUNT))]  # fmt: skip
    other = [light[::-1, ::-1] * np.float32(0.4) for light in turning(COUNT)]
    return [*shot[:CUT], *other[CUT:]]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the plate could have been rendered from."""
    folder = tmp_path_factory.mktemp("source")
    for number, light in enumerate(clean(), start=FIRST):
        codes = np.rint(255 * np.clip(linear_to_srgb(light.astype(np.float32)), 0, 1))
        write_image(folder / f"sdr.{number}.png", codes.astype(np.uint8))
    return str(folder / "sdr.####.png")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the clean plate."""
    folder = tmp_path_factory.mktemp("sound")
    write_plates(folder, clean())
    return folder


def found(plates: str, source: str | None = None, **limits: float) -> list[Finding]:
    """What is found."""
    inspection = Inspection(plates, source, ColorSpaces(), limits=Limits(**limits))
    inspection.run()
    inspection.close()
    return inspection.findings


def kinds(findings: list[Finding]) -> list[tuple[int, str]]:
    """Frames and kinds."""
    return [(finding.frame, finding.kind) for finding in findings]


@pytest.mark.parametrize("with_source", [True, False])
def test_a_clean_plate_passes(sound: Path, source: str, with_source: bool) -> None:
    """Motion, grain, a fade and a cut are no faults."""
    inspection = Inspection(str(sound), source if with_source else None, ColorSpaces())
    inspection.run()
    assert inspection.findings == []
    assert inspection.cuts == [FIRST + CUT]
    assert len(inspection.facts) == COUNT
    assert min(inspection.joins) == FIRST + 16
    assert max(inspection.joins) == FIRST + 25


def jump(pictures: list[FloatImage]) -> None:
    """All is half a stop brighter from one frame on."""
    pictures[12:CUT] = [light * np.float32(2**0.5) for light in pictures[12:CUT]]


def flash(pictures: list[FloatImage]) -> None:
    """One frame is brighter."""
    pictures[12] *= np.float32(1.5)


def dead(pictures: list[FloatImage]) -> None:
    """A frame is the one before."""
    pictures[20] = pictures[19].copy()


def black(pictures: list[FloatImage]) -> None:
    """A frame that was never filled."""
    pictures[9] = np.zeros_like(pictures[9])


def seam(pictures: list[FloatImage]) -> None:
    """From a join on, the highlight and its surroundings are brighter: no change of level."""
    for light in pictures[JOIN:CUT]:
        light[: HEIGHT // 2, : WIDTH // 2] *= np.float32(2**0.6)


def wrong_shot(pictures: list[FloatImage]) -> None:
    """One frame is of another shot."""
    pictures[10] = pictures[30].copy()


@pytest.mark.parametrize(
    ("fault", "told", "blind"),
    [
        (jump, [(12, "jump")], True),
        (flash, [(12, "jump"), (13, "jump")], True),
        (dead, [(20, "dead")], True),
        (black, [(9, "black")], True),
        (seam, [(JOIN, "seam")], False),
        (wrong_shot, [(10, "jump"), (11, "jump")], False),
    ],
)
@pytest.mark.parametrize("with_source", [True, False])
def test_each_fault_is_found_in_its_frame(
    tmp_path: Path,
    source: str,
    fault: Callable[[list[FloatImage]], None],
    told: list[tuple[int, str]],
    blind: bool,
    with_source: bool,
) -> None:
    """And nothing else is, with and without the source; what it takes the source for is none."""
    pictures = clean()
    fault(pictures)
    plates = write_plates(tmp_path, pictures)
    expected = [(FIRST + index, kind) for index, kind in told] if with_source or blind else []
    assert kinds(found(plates, source if with_source else None)) == expected


def test_a_level_that_jumps_at_a_join_is_a_seam(tmp_path: Path, source: str) -> None:
    """The word says where to look for the reason."""
    pictures = clean()
    pictures[JOIN:CUT] = [light * np.float32(1.4) for light in pictures[JOIN:CUT]]
    (finding,) = found(write_plates(tmp_path, pictures), source)
    assert (finding.frame, finding.kind) == (FIRST + JOIN, "seam")
    assert finding.value == pytest.approx(np.log2(1.4), abs=0.05)


def test_a_seam_in_a_quiet_shot_needs_no_source(tmp_path: Path) -> None:
    """Where next to nothing moves, a step in a part of the picture stands out by itself."""
    grain = np.random.default_rng(1)
    quiet = [
        turning(1)[0] * (1 + 0.02 * grain.standard_normal((HEIGHT, WIDTH, 3))).astype(np.float32)
        for _ in range(COUNT)
    ]
    seam(quiet)
    quiet[CUT:] = [quiet[CUT - 1] * np.float32(1 + 0.001 * n) for n in range(1, COUNT - CUT + 1)]
    plates = write_plates(tmp_path, quiet)
    assert kinds(found(plates)) == [(FIRST + JOIN, "seam")]


@pytest.mark.parametrize("curve", [1.0, 2.2])
def test_fades_to_black_and_back_are_no_fault(tmp_path: Path, curve: float) -> None:
    """Of light, or of codes, with a black frame at the end; one in the middle of a shot is one."""
    light = turning(30)
    fade = [max(0.0, 1 - max(0, n - 5) / 16) ** curve for n in range(30)]
    faded = [light[n] * np.float32(fade[n]) for n in range(30)]
    assert found(write_plates(tmp_path / "out", faded)) == []
    assert found(write_plates(tmp_path / "in", faded[::-1])) == []


def test_a_still_source_makes_a_still_plate(tmp_path: Path) -> None:
    """Frames that are alike are no fault where the source's are alike too."""
    light = turning(1)[0]
    codes = np.rint(255 * np.clip(linear_to_srgb(light), 0, 1)).astype(np.uint8)
    for number in range(FIRST, FIRST + 3):
        write_image(tmp_path / f"sdr.{number}.png", codes)
    plates = write_plates(tmp_path / "plates", [light] * 3)
    assert found(plates, str(tmp_path / "sdr.####.png")) == []
    assert kinds(found(plates)) == [(FIRST + 1, "dead"), (FIRST + 2, "dead")]


def patched(folder: Path, index: int, sample: float, count: int = 1) -> None:
    """Write a sample into some places of a frame, by another library than ours."""
    path = str(folder / f"hdr.{FIRST + index}.exr")
    with OpenEXR.File(path) as file:
        header, pixels = file.header(), file.channels()["RGB"].pixels.copy()
    pixels.reshape(-1)[:: pixels.size // count][:count] = sample
    OpenEXR.File(header, {"RGB": pixels}).write(path)


def test_samples_that_are_no_light(tmp_path: Path, source: str, sound: Path) -> None:
    """NaN, infinity, the end of half float, and negatives are counted and named by frame."""
    shutil.copytree(sound, tmp_path / "p")
    samples = WIDTH * HEIGHT * 3
    patched(tmp_path / "p", 3, np.nan, 5)
    patched(tmp_path / "p", 6, -np.inf)
    patched(tmp_path / "p", 8, 65504, 2)
    patched(tmp_path / "p", 14, -0.001, samples // 10)
    patched(tmp_path / "p", 21, -0.001, samples // 50)  # 2 % is legal
    findings = found(str(tmp_path / "p"), source)
    assert [(f.frame - FIRST, f.kind, f.value) for f in findings] == [
        (3, "nonfinite", 5),
        (6, "nonfinite", 1),
        (8, "overflow", 2),
        (14, "negative", pytest.approx(0.1, abs=1e-3)),
    ]
    assert "down to -0.001" in findings[3].told
    assert kinds(found(str(tmp_path / "p"), source, negative=0.01))[-1] == (FIRST + 21, "negative")


@pytest.mark.parametrize(("space", "exposed"), [("lin_rec709_scene", 0.0), ("lin_ap0_scene", -2.0)])
def test_the_end_of_the_curve(tmp_path: Path, space: str, exposed: float) -> None:
    """Light at LogC3's code 1.0 is clipped, in any space and after a change of exposure."""
    light = turning(2)
    light[1][:10, :20] = 55.0796
    light[1] *= np.float32(2.0**exposed)
    if space != "lin_rec709_scene":
        spaces = ColorSpaces()
        light = [spaces.convert(x.astype(np.float32), "lin_rec709", "aces2065-1") for x in light]
    told = {"lumivid/exposed_stops": exposed} if exposed else {}
    plates = write_plates(tmp_path, light, space=space, more=told)
    (finding,) = [f for f in found(plates) if f.kind == "clipped"]
    assert finding.frame == FIRST + 1
    assert finding.value == pytest.approx(200 / (WIDTH * HEIGHT))


def test_data_windows_may_change_and_sizes_may_not(tmp_path: Path) -> None:
    """A tracked crop is held together by what it shows; another display window is another size."""
    light = turning(6)
    crops = [(2 * n, n, 80, 40) for n in range(6)]
    cut = [light[n][y : y + h, x : x + w] for n, (x, y, w, h) in enumerate(crops)]
    sizes = [(WIDTH, HEIGHT)] * 5 + [(WIDTH, HEIGHT + 2)]
    windows = [Windows(*crop, 0, 0, *size) for crop, size in zip(crops, sizes, strict=True)]
    assert kinds(found(write_plates(tmp_path, cut, windows=windows))) == [(FIRST + 5, "size")]


def test_files_that_are_missing_or_broken(tmp_path: Path, source: str, sound: Path) -> None:
    """A hole and a cut file hide nothing of the frames around them."""
    shutil.copytree(sound, tmp_path / "p")
    (tmp_path / "p" / f"hdr.{FIRST + 5}.exr").unlink()
    whole = tmp_path / "p" / f"hdr.{FIRST}.exr"
    whole.write_bytes(whole.read_bytes()[:-400])
    patched(tmp_path / "p", 7, np.nan)
    findings = found(str(tmp_path / "p" / "hdr.####.exr"), source)
    assert kinds(findings) == [
        (FIRST, "unreadable"),
        (FIRST + 5, "missing"),
        (FIRST + 7, "nonfinite"),
    ]
    assert f"hdr.{FIRST}.exr" in findings[0].told


@pytest.mark.parametrize("frames", [9, 25, 26, 33, 41, 42, 60])
def test_joins_are_where_the_pipeline_has_them(frames: int) -> None:
    """The same frames as the windows that the render was cut into."""
    windows = cut_windows(frames, 25, 9)
    joins = {
        FIRST + index
        for window in windows[1:]
        for index in range(window.first, window.first + window.fade_in + 1)
        if index < frames
    }
    settings = {"window": 25, "overlap": 9, "plate": [8, 8, f"{FIRST}-{FIRST + frames - 1}"]}
    assert join_frames(settings) == joins
    assert join_frames({}) == frozenset()


def test_steps_tell_level_from_motion() -> None:
    """A gain is all level; a cut correlates with nothing; flat pictures are alike."""
    one, other = turning(2)
    gain = step_between(cells_of(one), cells_of(one * np.float32(2)))
    assert gain.level == pytest.approx(1, abs=1e-4)
    assert gain.unrest < 1e-4
    motion = step_between(cells_of(one), cells_of(other))
    assert abs(motion.level) < 0.05 < motion.unrest
    assert not motion.is_cut
    assert step_between(cells_of(one), cells_of(one[::-1, ::-1])).is_cut
    flat = np.full((HEIGHT, WIDTH, 3), 0.2, np.float32)
    assert step_between(cells_of(flat), cells_of(flat * np.float32(1.1))).alike == 1


def test_the_command(tmp_path: Path, source: str, sound: Path) -> None:
    """Exit code 0 or 6, a line a fault, and one JSON object for pipelines."""
    clean_run = lumivid("qc", sound, "--source", source)
    assert clean_run.exit_code == 0, clean_run.output
    assert "34 frames looked at, no faults" in clean_run.stdout
    shutil.copytree(sound, tmp_path / "p")
    patched(tmp_path / "p", 3, np.nan, 5)
    few = ["--frames", f"{FIRST}-{FIRST + 4}"]
    done = lumivid("qc", tmp_path / "p", "--source", source, *few)
    assert done.exit_code == DOES_NOT_PASS
    assert "frame 1004 holds NaN or infinity, in 5 of its samples" in done.stdout
    told = json.loads(lumivid("qc", tmp_path / "p", "--json", *few).stdout)
    assert told["passed"] is False
    assert [finding["frame"] for finding in told["findings"]] == [1004]
    assert told["frames"][3]["nonfinite"] == 5
    ended = lumivid("qc", tmp_path / "p", "--frames", f"{FIRST + COUNT - 2}-{FIRST + COUNT}")
    assert "frame 1035 is missing" in ended.stdout
    for wrong in (["--source", str(tmp_path / "none.####.exr")], ["--input-space", "srgb"]):
        assert lumivid("qc", tmp_path / "p", *wrong).exit_code == 2
