"""The runner: a real process, driven over the real socket pair."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import numpy as np
import pytest
import torch
from tests.pipeline.plates import write_png
from tests.tiny_model import quick_vae, write_tiny_model
from tests.worker.faulty_runner import FAULT
from tests.worker.runner_process import (
    FAULTY,
    PATIENCE_S,
    RunnerGoneError,
    RunnerProcess,
    to_path,
)

from lumivid_fx.media import open_plate
from lumivid_fx.media.exr import read_attributes
from lumivid_fx.pipeline.render_files import render
from lumivid_fx.pipeline.render_shot import ShotSettings
from lumivid_fx.protocol.messages import PathSource, PixelSource, Request, Settings
from lumivid_fx.worker.orders import Cancel, End, FallBack, FrameDone, Step
from lumivid_fx.worker.sandbox import landlock_abi

FRAMES = range(1001, 1031)
"""Two windows of 25 that share 9."""

FIRST_WINDOW = range(1001, 1017)
"""Frames that are final when the first window is."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that runners of this module may use."""
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def model_folder(root: Path) -> Path:
    """One stage, 8 pixels a latent."""
    return write_tiny_model(root / "model", stages=1, vae=quick_vae())


@pytest.fixture(scope="module")
def runner(root: Path, model_folder: Path) -> Iterator[RunnerProcess]:
    """A runner for all tests that leave it well."""
    environ = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    with RunnerProcess(root, model_folder, cache_bytes=2**30, environ=environ) as process:
        ready = process.ready()
        assert (ready.device, ready.model) == ("cpu", "tiny")
        assert ready.confined == (landlock_abi() > 0)
        yield process


@pytest.fixture
def place(root: Path, request: pytest.FixtureRequest) -> Path:
    """A folder under the root for one test."""
    folder = root / hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    folder.mkdir()
    return folder


@pytest.fixture
def plate(place: Path) -> str:
    """Thirty frames that no other test has, so that the cache holds none of them."""
    shift = int(place.name[:4], 16) % 3000  # 3550 on, the pictures recur
    return write_png(place / "in", FRAMES, shift=shift)


def content(folder: Path) -> dict[str, bytes]:
    """The files of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def rendered_here(source: str, folder: Path, model_folder: Path, **chosen: Any) -> dict[str, bytes]:
    """What the pipeline writes in this process."""
    from lumivid_fx.model.checkpoint import load_model

    settings = ShotSettings(**{"sigmas": ((1.0, 0.0),), **chosen})
    model = load_model(model_folder)
    render(source, str(folder / "a.####.exr"), settings=settings, model=model)
    return content(folder)


def test_frames_are_those_of_the_pipeline(
    runner: RunnerProcess, place: Path, plate: str, model_folder: Path
) -> None:
    """Every frame is told of in order, with its digest, and has the bits of a plain render."""
    outcome = runner.run(to_path(plate, place / "out" / "a.####.exr"))
    assert outcome.ended.code == ""
    assert outcome.how == dict.fromkeys(FRAMES, "rendered")
    assert list(outcome.how) == list(FRAMES)
    assert content(place / "out") == rendered_here(plate, place / "here", model_folder)
    for done in outcome.frames:
        path = place / "out" / f"a.{done.frame}.exr"
        assert done.path == str(path)
        assert done.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert done.size == path.stat().st_size
        assert done.model_clipped == read_attributes(path)["lumivid/model_clipped"]
        assert (done.shape, done.space, done.half_clamped) == (None, "lin_rec709", 0)


def test_progress_is_told(runner: RunnerProcess, place: Path, plate: str) -> None:
    """The first and the last step of each window are told, however fast they follow each other."""
    request = to_path(plate, place / "out/", sigmas=None, steps=3)
    outcome = runner.run(request)
    steps = [step for step in outcome.steps if step.phase == "denoise"]
    assert {(s.window, s.step) for s in steps} >= {(1, 1), (1, 3), (2, 1), (2, 3)}
    assert {(s.steps, s.windows, s.total) for s in steps} == {(3, 2, 30)}
    assert steps[0].eta_s is None
    assert steps[-1].eta_s is not None
    assert steps[-1].eta_s >= 0
    assert outcome.steps[0] == Step(job=outcome.ended.job, phase="starting")
    assert (place / "out" / "plate.1001.exr").exists()


def test_a_cancel_that_comes_first(runner: RunnerProcess, place: Path, plate: str) -> None:
    """A job that was cancelled before it was given is not begun."""
    job = uuid4().hex
    runner.give(Cancel(job=job))
    outcome = runner.run(to_path(plate, place / "out/"), job=job)
    assert outcome.ended.code == "E_CANCELLED"
    assert not outcome.frames
    assert not (place / "out").exists()


def test_the_cache_is_asked_first(runner: RunnerProcess, place: Path, plate: str) -> None:
    """A second job of the same content renders nothing, and its files are the same bytes."""
    first = runner.run(to_path(plate, place / "one" / "a.####.exr"))
    second = runner.run(to_path(plate, place / "two" / "a.####.exr"))
    assert second.how == dict.fromkeys(FRAMES, "cache")
    assert second.finished == first.finished
    assert content(place / "one") == content(place / "two")
    other = runner.run(to_path(plate, place / "three" / "a.####.exr", exposure=1.0))
    assert set(other.how.values()) == {"rendered"}


def test_damage_in_the_cache_is_seen(runner: RunnerProcess, place: Path, plate: str) -> None:
    """An entry that is not what it was is no frame of ours: its window is rendered again."""
    runner.run(to_path(plate, place / "one" / "a.####.exr"))
    frame = (place / "one" / "a.1003.exr").read_bytes()
    entry = next(p for p in runner.cache.glob("??/*.frame") if p.read_bytes().endswith(frame))
    entry.write_bytes(entry.read_bytes()[:-1] + b"?")
    again = runner.run(to_path(plate, place / "two" / "a.####.exr"))
    assert again.how == {**dict.fromkeys(FRAMES, "cache"), 1003: "rendered"}
    assert list(again.how) == list(FRAMES)
    assert content(place / "one") == content(place / "two")
    assert entry.read_bytes().endswith(frame)


def test_a_changed_frame_costs_its_windows(runner: RunnerProcess, place: Path, plate: str) -> None:
    """After one frame of the plate was painted over, only windows that see it are rendered."""
    runner.run(to_path(plate, place / "one" / "a.####.exr"))
    other = write_png(place / "other", [1028], shift=7)
    Path(other.replace("####", "1028")).replace(place / "in" / "plate.1028.png")
    again = runner.run(to_path(plate, place / "two" / "a.####.exr"))
    changed = [number for number in FRAMES if number not in FIRST_WINDOW]
    expected = {n: "rendered" if n in changed else "cache" for n in FRAMES}
    assert again.how == expected
    one, two = content(place / "one"), content(place / "two")
    assert all((one[f"a.{n}.exr"] == two[f"a.{n}.exr"]) == (n in FIRST_WINDOW) for n in FRAMES)


def uncached(runner: RunnerProcess) -> None:
    """Empty the cache, so that what is made is rendered."""
    for entry in runner.cache.glob("??/*.frame"):
        entry.unlink()


def test_finished_frames_are_left_alone(runner: RunnerProcess, place: Path, plate: str) -> None:
    """Frames of the journal are neither made nor told of again; lost and altered ones are."""
    out = place / "out"
    request = to_path(plate, out / "a.####.exr")
    first = runner.run(request)
    before = content(out)
    uncached(runner)
    (out / "a.1002.exr").unlink()
    altered = out / "a.1004.exr"  # in the middle of its pixels: its header is as it was
    middle = altered.stat().st_size * 2 // 3
    altered.write_bytes(
        before[altered.name][:middle] + b"????" + before[altered.name][middle + 4 :]
    )
    for path in out.iterdir():
        os.utime(path, ns=(5, 5))
    told = {n: f for n, f in first.finished.items() if n != 1030}  # not in the journal yet
    again = runner.run(request, finished=told)
    assert again.how == {1002: "rendered", 1004: "rendered", 1030: "kept"}
    assert again.ended.code == ""
    assert {step.total for step in again.steps if step.phase == "denoise"} == {30}
    assert content(out) == before
    untouched = [p for p in out.iterdir() if p.stat().st_mtime_ns == 5]
    assert len(untouched) == len(FRAMES) - 2


def test_overwriting_is_done_once(runner: RunnerProcess, place: Path, plate: str) -> None:
    """A job that writes over what is there does not write over its own frames when it goes on."""
    out = place / "out"
    runner.run(to_path(plate, out / "a.####.exr", exposure=1.0))
    request = msgspec.structs.replace(to_path(plate, out / "a.####.exr"), overwrite=True)
    refused = runner.run(msgspec.structs.replace(request, overwrite=False))
    assert refused.ended.code == "E_INPUT"
    assert "a.1001.exr (frame 1001) was made with other settings" in refused.ended.message
    first = runner.run(request)
    assert set(first.how.values()) == {"rendered"}
    told = {n: f for n, f in first.finished.items() if n < 1020}
    os.utime(out / "a.1001.exr", ns=(5, 5))
    again = runner.run(request, finished=told)
    assert list(again.how) == list(range(1020, 1031))
    assert (out / "a.1001.exr").stat().st_mtime_ns == 5


def put_pixels(runner: RunnerProcess, job: str, source: PixelSource, seed: int = 0) -> Any:
    """Put a plate where the server puts it; give its samples ``f h w c``."""
    shape = (source.count, source.height, source.width, source.channels)
    samples = np.random.default_rng(seed).random(shape).astype("<f2")
    folder = runner.private / job / "in"
    folder.mkdir(parents=True)
    for index, frame in enumerate(samples):
        (folder / f"{source.first + index}.f16").write_bytes(frame.tobytes())
    return samples


def pixels_to_pixels(source: PixelSource, **chosen: Any) -> Request:
    """A request without a path."""
    settings = {"sigmas": ((1.0, 0.0),), "input_space": "acescg", **chosen}
    return Request(source=source, deliver="pixels", settings=Settings(**settings))


@pytest.mark.parametrize("channels", [3, 4])
def test_pixels_in_and_out(runner: RunnerProcess, channels: int) -> None:
    """Half floats come back as those that the EXR of the same plate holds, from below zero on."""
    job = uuid4().hex
    source = PixelSource(
        width=40, height=24, channels=4 if channels == 4 else 3, first=-3, count=6, fps=23.976
    )
    sent = put_pixels(runner, job, source, seed=channels)
    outcome = runner.run(pixels_to_pixels(source, output_space="acescg"), job=job)
    assert outcome.ended.code == "", outcome.ended.message
    assert outcome.how == dict.fromkeys(range(-3, 3), "rendered")
    folder = runner.private / job
    with open_plate(str(folder / "plate" / "plate.####.exr")) as taken:
        assert taken.frame_numbers == range(-3, 3)
        assert float(taken.fps or 0) == pytest.approx(24000 / 1001)
        for number in taken.frame_numbers:
            assert np.array_equal(taken.read(number).rgb, sent[number + 3][..., :3])
    with open_plate(str(folder / "out" / "plate.####.exr")) as result:
        for done in outcome.frames:
            assert done.path == str(folder / "out" / f"{done.frame}.f16")
            assert done.shape == (24, 40, channels)
            assert done.space == "acescg"
            raw = Path(done.path).read_bytes()
            assert (done.size, done.sha256) == (len(raw), hashlib.sha256(raw).hexdigest())
            samples = np.frombuffer(raw, "<f2").reshape(done.shape)
            frame = result.read(done.frame)
            assert np.array_equal(samples[..., :3], frame.rgb)
            if frame.alpha is not None:
                assert np.array_equal(samples[..., 3], frame.alpha)
                assert np.array_equal(samples[..., 3], sent[done.frame + 3][..., 3])
            assert (frame.alpha is None) == (channels == 3)


def test_pixels_that_were_taken_are_not_made_again(runner: RunnerProcess) -> None:
    """A finished frame whose pixels a client has, and which are gone, is held by its EXR."""
    job = uuid4().hex
    source = PixelSource(width=40, height=24, channels=3, first=1, count=4)
    put_pixels(runner, job, source, seed=9)
    first = runner.run(pixels_to_pixels(source), job=job)
    out = runner.private / job / "out"
    (out / "1.f16").unlink()
    (out / "2.f16").unlink()
    (out / "plate.0002.exr").unlink()
    uncached(runner)
    again = runner.run(pixels_to_pixels(source), job=job, finished=first.finished)
    assert again.ended.code == ""
    assert again.finished == {2: first.finished[2]}
    assert not (out / "1.f16").exists()
    assert (out / "2.f16").stat().st_size == source.frame_bytes


def test_pixels_of_a_path(runner: RunnerProcess, place: Path, plate: str) -> None:
    """A plate on disk may be sent back as pixels, whatever its target says."""
    job = uuid4().hex
    request = msgspec.structs.replace(
        to_path(plate, place / "out/"), deliver="pixels", frames="1001-1003"
    )
    outcome = runner.run(request, job=job)
    assert list(outcome.how) == [1001, 1002, 1003]
    assert {done.shape for done in outcome.frames} == {(24, 32, 3)}
    assert not (place / "out").exists()


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("nan", "frame 2 of the plate that was sent holds 1 samples that are NaN or infinite"),
        ("short", "frame 2 of the plate that was sent has 10 bytes, and 5760 were promised"),
        ("missing", "frame 2 of the plate that was sent is not here"),
        ("space", "the input space of pixels cannot be guessed; name it"),
    ],
)
def test_pixels_that_will_not_do(runner: RunnerProcess, fault: str, told: str) -> None:
    """What is wrong with pixels is told by frame, and the runner takes the next job."""
    job = uuid4().hex
    source = PixelSource(width=40, height=24, channels=3, first=1, count=3)
    sent = put_pixels(runner, job, source)
    second = runner.private / job / "in" / "2.f16"
    if fault == "nan":
        sent[1, 5, 6, 0] = np.nan
        second.write_bytes(sent[1].tobytes())
    elif fault == "short":
        second.write_bytes(bytes(10))
    elif fault == "missing":
        second.unlink()
    chosen = {"input_space": None} if fault == "space" else {}
    outcome = runner.run(pixels_to_pixels(source, **chosen), job=job)
    assert outcome.ended.code == "E_INPUT"
    assert told in outcome.ended.message
    assert not outcome.ended.spoilt
    assert not outcome.frames


def test_a_damaged_plate_names_the_frame(runner: RunnerProcess, place: Path, plate: str) -> None:
    """A frame that cannot be read ends the job with its name; what was finished stays."""
    bad = place / "in" / "plate.1028.png"
    bad.write_bytes(bad.read_bytes()[:200])
    outcome = runner.run(to_path(plate, place / "out" / "a.####.exr"))
    assert outcome.ended.code == "E_INPUT"
    assert "plate.1028.png (frame 1028)" in outcome.ended.message
    assert list(outcome.how) == list(FIRST_WINDOW)
    assert len(list((place / "out").iterdir())) == len(FIRST_WINDOW)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"settings": Settings(steps=9)}, "steps is 9; this model takes 1 to 3"),
        ({"settings": Settings(steps=1, sigmas=((1.0, 0.0),))}, "are not given together"),
        ({"settings": Settings(steps=1, schedule="8+2")}, "are not given together"),
        ({"settings": Settings(output_space="srgb")}, "is not scene-linear"),
        ({"frames": "1-5"}, "holds frames 1001-1030"),
        ({"lora": "none.safetensors"}, "none.safetensors"),
        ({"model": "/none"}, "is not a model folder"),
        ({"model": "none"}, "there is no model 'none'"),
        ({"ocio": "none.ocio"}, "none.ocio"),
    ],
)
def test_what_cannot_be_done_is_told(
    runner: RunnerProcess, place: Path, plate: str, change: dict[str, Any], told: str
) -> None:
    """One sentence under its code, and nothing is written."""
    request = msgspec.structs.replace(to_path(plate, place / "out/"), **change)
    outcome = runner.run(request)
    assert outcome.ended.code == ("E_RANGE" if "frames" in change else "E_INPUT")
    assert told in outcome.ended.message
    assert "\n" not in outcome.ended.message
    assert not (place / "out").exists()


def test_another_file_is_refused(runner: RunnerProcess, place: Path, plate: str) -> None:
    """A digest that came with the path is held against the file."""
    del plate
    still = place / "in" / "plate.1001.png"
    meant = PathSource(path=str(still), digest=hashlib.sha256(still.read_bytes()).hexdigest())
    request = msgspec.structs.replace(to_path(still, place / "a.exr"), source=meant)
    assert list(runner.run(request).how) == [1001]
    write_png(place / "in", [1001], shift=3)
    refused = runner.run(request)
    assert refused.ended.code == "E_INPUT"
    assert "plate.1001.png is not the file that was meant" in refused.ended.message


def test_models_take_turns(
    runner: RunnerProcess, place: Path, plate: str, model_folder: Path
) -> None:
    """A job's own LoRA strength makes other frames, and the next job has the default's again."""
    request = msgspec.structs.replace(to_path(plate, place / "one/"), frames="1001-1002")
    first = runner.run(request)
    weak = msgspec.structs.replace(request, lora_strength=0.5, target=str(place / "two/"))
    other = runner.run(weak)
    again = runner.run(msgspec.structs.replace(request, target=str(place / "three/")))
    assert set(other.how.values()) == {"rendered"}
    assert set(again.how.values()) == {"cache"}
    assert other.finished != first.finished == again.finished
    strengths = [
        read_attributes(place / name / "plate.1001.exr")["lumivid/lora_strength"]
        for name in ("one", "two", "three")
    ]
    assert strengths == [1.0, 0.5, 1.0]
    del model_folder


@pytest.mark.skipif(not landlock_abi(), reason="this kernel has no Landlock")
def test_outside_of_the_roots_nothing_is_touched(
    runner: RunnerProcess, place: Path, plate: str, tmp_path: Path
) -> None:
    """The server checks paths; should one slip through, the kernel does not let it."""
    source = write_png(tmp_path / "in", range(1, 3))
    out = tmp_path / "out"
    out.mkdir()
    for request in (to_path(source, place / "out/"), to_path(plate, out)):
        outcome = runner.run(request)
        assert outcome.ended.code == "E_INPUT", outcome.ended
        assert not outcome.frames
    assert not list(out.iterdir())


@pytest.fixture(scope="module")
def slow_runner(root: Path, model_folder: Path) -> Iterator[RunnerProcess]:
    """A runner that takes a tenth of a second a frame; it has no cache."""
    environ = {FAULT: "slow:0.1"}
    with RunnerProcess(root, model_folder, module=FAULTY, environ=environ) as process:
        process.ready()
        yield process


def until_frame(runner: RunnerProcess) -> FrameDone:
    """Wait for the next frame."""
    return next(report for report in runner.reports() if isinstance(report, FrameDone))


def test_a_cancel_keeps_what_is_finished(
    slow_runner: RunnerProcess, place: Path, plate: str
) -> None:
    """The job ends with E_CANCELLED, its frames are whole, and a rerun keeps them."""
    request = to_path(plate, place / "out" / "a.####.exr")
    order = slow_runner.begin(request)
    first = until_frame(slow_runner)
    slow_runner.give(Cancel(job=order.job))
    stopped = slow_runner.outcome()
    assert stopped.ended.code == "E_CANCELLED"
    assert "finished frames are kept" in stopped.ended.message
    frames = [first.frame, *stopped.how]
    assert len(frames) < len(FRAMES)
    assert len(content(place / "out")) == len(frames)
    again = slow_runner.run(request)
    assert again.how == {n: "kept" if n in frames else "rendered" for n in FRAMES}
    assert again.ended.code == ""


def test_without_a_server_there_is_no_runner(
    slow_runner: RunnerProcess, place: Path, plate: str
) -> None:
    """When the other end is closed in the middle of a job, the process ends at once."""
    slow_runner.begin(to_path(plate, place / "out" / "a.####.exr"))
    until_frame(slow_runner)
    slow_runner.hang_up()
    assert slow_runner.process.wait(PATIENCE_S) == 0
    whole = [path for path in (place / "out").iterdir() if not path.name.startswith(".")]
    assert 0 < len(whole) < len(FRAMES)


def test_less_memory(root: Path, model_folder: Path, place: Path) -> None:
    """Where memory runs out the rest comes in tiles, once the server has it in its journal.

    The first window fits, the second does not, twice. Frames that were kept from before are taken
    as they are, although they were made without tiles. Below the last rung there is no other.
    """
    source = write_png(place / "in", FRAMES, size=(24, 96))
    whole = rendered_here(source, place / "whole", model_folder)
    tiled = rendered_here(source, place / "tiled", model_folder, tile=9)
    out = place / "out"
    out.mkdir()
    (out / "a.1025.exr").write_bytes(whole["a.1025.exr"])
    environ = {FAULT: "oom:2-3,8-9", "OMP_NUM_THREADS": str(torch.get_num_threads())}
    with RunnerProcess(root, model_folder, module=FAULTY, environ=environ) as runner:
        runner.ready()
        outcome = runner.run(to_path(source, out / "a.####.exr"))
        assert outcome.ended.code == ""
        assert [fallen.rung for fallen in outcome.fallen] == [1, 2]
        assert "changes nothing" in outcome.fallen[0].note
        assert "rendered in tiles of 9 latents" in outcome.fallen[1].note
        assert outcome.how == {n: "kept" if n == 1025 else "rendered" for n in FRAMES}
        assert list(outcome.how) == list(FRAMES)
        for name, seen in content(out).items():
            number = int(name.split(".")[1])
            expected = whole if number in FIRST_WINDOW or number == 1025 else tiled
            assert seen == expected[name], name
        # Taken up again on that rung, with the first window in the journal and the rest gone.
        told = {n: f for n, f in outcome.finished.items() if n in FIRST_WINDOW}
        for number in range(1017, 1031):
            (out / f"a.{number}.exr").unlink()
        again = runner.run(to_path(source, out / "a.####.exr"), finished=told, rung=2)
        assert not again.fallen
        assert list(again.how) == list(range(1017, 1031))
        assert content(out)["a.1025.exr"] == tiled["a.1025.exr"]
        lost = runner.run(to_path(source, place / "lost" / "a.####.exr"), rung=99)
        assert lost.ended.code == "E_OOM"
        assert "even 17 frames at a time in tiles of 9 latents" in lost.ended.message
        assert "give a smaller model size" in lost.ended.message
        assert not [*lost.frames, *lost.fallen]
        assert not lost.ended.spoilt
        order = runner.begin(to_path(source, place / "lost" / "a.####.exr"))
        assert any(isinstance(report, FallBack) for report in runner.reports())
        runner.give(Cancel(job=order.job))  # in place of a GoOn
        assert runner.outcome().ended.code == "E_CANCELLED"
        assert runner.run(to_path(source, place / "lost" / "a.####.exr")).ended.code == ""
        runner.give(End())
        assert runner.process.wait(PATIENCE_S) == 0


def test_an_unknown_error_is_the_last(
    root: Path, model_folder: Path, place: Path, plate: str
) -> None:
    """A process that met something unexpected tells so and ends; what was finished stays."""
    request = msgspec.structs.replace(
        to_path(plate, place / "out" / "a.####.exr"), model=str(model_folder)
    )
    with RunnerProcess(root, None, module=FAULTY, environ={FAULT: "error:2"}) as runner:
        assert runner.ready().model == "embedded"  # which the job's own then takes the place of
        outcome = runner.run(request)
        assert outcome.ended.code == "E_INTERNAL"
        assert outcome.ended.spoilt
        assert "an illegal memory access was encountered" in outcome.ended.message
        assert list(outcome.how) == list(FIRST_WINDOW)
        assert runner.process.wait(PATIENCE_S) == 1
        assert "Traceback" in runner.said.read_text()


def test_a_death_leaves_whole_frames(
    runner: RunnerProcess, root: Path, place: Path, plate: str, model_folder: Path
) -> None:
    """After SIGKILL another runner takes the job up where the first was.

    The first could not load its default model, which a job with one of its own does not need.
    """
    request = msgspec.structs.replace(
        to_path(plate, place / "out" / "a.####.exr"), model=str(model_folder)
    )
    environ = {FAULT: "kill:1005"}
    with RunnerProcess(root, place, module=FAULTY, environ=environ) as killed:
        assert killed.ready().model == ""
        killed.begin(request)
        with pytest.raises(RunnerGoneError):
            killed.outcome()
    outcome = runner.run(request)
    assert outcome.how == {n: "kept" if n < 1005 else "rendered" for n in FRAMES}
    assert set(content(place / "out")) == {f"a.{n}.exr" for n in FRAMES}
