"""How a show's time falls with the number of GPUs: overheads measured here, the rest assumed aloud.

python -m benchmarks.farm_scaling [--shots 2000 --frames 100 --gpu-s 0.62 --storage-gb-s 5 ...]

The overheads of a window and of a stitch are measured in this run, with the embedded model on a
small plate; what a GPU takes for a frame, and what a show and its storage are like, are arguments.
Nothing here has been run on more machines than one.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch

from benchmarks.table import show
from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.farm.held_model import hold, let_go
from lumivid_fx.farm.plan_file import Plan, write_plan
from lumivid_fx.farm.planned_model import load_planned
from lumivid_fx.farm.planning import make_plan
from lumivid_fx.farm.stitching import stitch
from lumivid_fx.farm.window_file import read_window, write_window
from lumivid_fx.farm.window_task import render_window
from lumivid_fx.media import Windows
from lumivid_fx.media.exr import write_exr
from lumivid_fx.pipeline.fitting import Fitted
from lumivid_fx.pipeline.windows import cut_windows
from lumivid_fx.protocol.messages import PathSource, Request, Settings

HEIGHT, WIDTH, FRAMES = 1080, 1920, 17
GPUS = (1, 10, 100, 1000)


@dataclass(frozen=True)
class Overheads:
    """What is no model's work, in seconds of one core of this machine, however busy it is.

    Attributes:
        session: To start a process and load the embedded model, once a session.
        task: To start a task's process, which asks the one with the model.
        read: To check, read and shrink a frame of the plate, a megapixel.
        write: To hash and write a window, a gigabyte.
        take: To read and hash it again for the stitch, a gigabyte.
        stitch: To start a stitch: process and libraries.
        frame: To read, join, merge and write a frame, a megapixel of the plate.
    """

    session: float
    task: float
    read: float
    write: float
    take: float
    stitch: float
    frame: float


def measure(folder: Path) -> Overheads:
    """Run two windows of a small shot, and stitch them, by the calls that the commands make."""
    torch.set_num_threads(1)
    plan = _planned(folder)
    path, session = folder / "plan.json", folder / "session"
    session.mkdir()
    write_plan(path, plan)
    start = _child("from lumivid_fx.farm import stitching")
    loading = "from lumivid_fx.farm.plan_file import read_plan; from pathlib import Path; "
    loading += "from lumivid_fx.farm.planned_model import load_planned; "
    loaded = _child(loading + f"load_planned(read_plan(Path({str(path)!r})), 'cpu')")

    fitted = load_planned(plan, "cpu")
    stamps: list[tuple[str, float]] = []
    for index in range(len(plan.windows)):
        render_window(plan, index, lambda: fitted, lambda *told: stamps.append((told[0], _now())))
    second = stamps[len(stamps) // 2 :]  # the first warms the model
    reading = [
        when for phase, when in second if phase in ("checking the plate", "loading the model")
    ]
    frames = [when for phase, when in second if phase == "reading the plate"]
    megapixels = HEIGHT * WIDTH / 1e6
    per_frame = (frames[-1] - frames[0]) / plan.windows[1].frames
    checked = (reading[1] - reading[0]) / plan.windows[1].frames

    hold(path, session, "cpu", None)
    try:
        asking = ["-m", "lumivid_fx.cli", "window", f"--plan={path}", "--index=1"]
        task = _spent([*asking, f"--session={session}"])
    finally:
        let_go(session)

    write, take = _window_rates(plan, fitted)
    done: list[float] = []
    stitch(plan, on_frame=lambda _: done.append(_now()))
    # One window's worth of frames apart, so that each has its share of a window's curve.
    return Overheads(
        session=loaded,
        task=task,
        read=(per_frame + checked) / megapixels,
        write=write,
        take=take,
        stitch=start,
        frame=(done[-1] - done[0]) / (len(done) - 1) / megapixels,
    )


def _window_rates(plan: Plan, fitted: Fitted) -> tuple[float, float]:
    """Seconds a gigabyte to write a window's file of real size, and to read it again."""
    (window, *_) = plan.windows
    large = msgspec.structs.replace(window, height=1088, width=1920)
    wide = msgspec.structs.replace(plan, windows=(large,), folder=f"{plan.folder}-large")
    codes = torch.rand(large.frames, 3, large.height, large.width)
    at = [_now()]
    write_window(wide.window_path(0), codes, wide.window_key(0), fitted)
    at.append(_now())
    read_window(wide, 0)
    at.append(_now())
    gigabytes = codes.numel() * 4 / 1e9
    return (at[1] - at[0]) / gigabytes, (at[2] - at[1]) / gigabytes


def _now() -> float:
    """Seconds that this process has computed, all threads together."""
    return time.process_time()


def _child(program: str) -> float:
    """Seconds that a Python computes for a program."""
    return _spent(["-c", program])


def _spent(arguments: list[str]) -> float:
    before = os.times()
    called = [sys.executable, "-W", "ignore", *arguments]
    subprocess.run(called, check=True, capture_output=True)
    after = os.times()
    spent = after.children_user + after.children_system
    return spent - before.children_user - before.children_system


def _planned(folder: Path) -> Plan:
    """A shot of two windows in half EXR."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    for number in range(1, FRAMES + 1):
        wave = np.sin((columns + 3 * number) / 40) * np.cos(rows / 30) * 0.5 + 0.5
        write_exr(
            folder / f"plate.{number:04d}.exr",
            np.repeat(wave[..., None], 3, axis=2),
            None,
            windows=Windows.whole(WIDTH, HEIGHT),
            attributes={},
            chromaticities=ColorSpaces().chromaticities("lin_rec709"),
            interop_id=None,
            fps=None,
        )
    request = Request(
        source=PathSource(path=f"{folder}/plate.####.exr"),
        target=f"{folder}/out/hdr.####.exr",
        settings=Settings(window=9, overlap=1),
    )
    return make_plan(request, folder / "windows")


@dataclass(frozen=True)
class Show:
    """What is assumed of a show and its machines; see ``--help``."""

    shots: int
    frames: int
    width: int
    height: int
    model_width: int
    window: int
    overlap: int
    cores: int
    gpu_s: float
    load_s: float
    storage_gb_s: float

    @property
    def plate_gb(self) -> float:
        """A frame of the plate or of the result: three half floats a pixel, not compressed."""
        return self.width * self.height * 6 / 1e9

    @property
    def codes_gb(self) -> float:
        """A frame of a window's file: three floats a pixel of what the model sees."""
        return self.model_width * self.height * self.model_width / self.width * 12 / 1e9


@dataclass(frozen=True)
class Work:
    """What a show comes to.

    Attributes:
        windows: In all.
        model_s: Seconds of a GPU for one window, at the mean length.
        window_s: Of its whole task: reading by some cores, then the model, then writing by one.
        stitch_s: Of one core for the stitch of a shot.
        gb: Read and written over the shared storage.
    """

    windows: int
    model_s: float
    window_s: float
    stitch_s: float
    gb: float


def work_of(assumed: Show, here: Overheads) -> Work:
    """The show's tasks and bytes."""
    cut = cut_windows(assumed.frames, assumed.window, assumed.overlap)
    seen = sum(window.last + 1 - window.first for window in cut)  # overlaps count twice
    mean, megapixels = seen / len(cut), assumed.width * assumed.height / 1e6
    model_s = mean * assumed.gpu_s
    files_s = mean * (here.read * megapixels / assumed.cores + here.write * assumed.codes_gb)
    by_windows = seen * (assumed.plate_gb + 2 * assumed.codes_gb)  # written, and read to be joined
    by_stitch = 2 * assumed.frames * assumed.plate_gb
    joining = assumed.frames * here.frame * megapixels + seen * assumed.codes_gb * here.take
    return Work(
        windows=assumed.shots * len(cut),
        model_s=model_s,
        window_s=here.task + model_s + files_s,
        stitch_s=here.stitch + joining,
        gb=assumed.shots * (by_windows + by_stitch),
    )


def expected_s(assumed: Show, work: Work, gpus: int) -> tuple[float, float]:
    """Seconds by the GPUs alone, and by the storage alone; the larger is expected.

    GPUs take windows as they come free: no more than the mean load, one window more for the last to
    end, and what a session needs to begin.
    """
    busy = assumed.load_s + work.windows * work.window_s / gpus + work.window_s * (gpus > 1)
    return busy, work.gb / assumed.storage_gb_s


def main() -> None:
    """Measure, and print what it comes to."""
    assumed = _arguments()
    with tempfile.TemporaryDirectory() as name:
        here = measure(Path(name))
    show(
        "Measured in this run, beside the model: seconds of one core",
        ("what", "seconds"),
        [
            ("start a session: process, libraries, embedded model", f"{here.session:.1f}"),
            ("start a task's process, which asks the session's", f"{here.task:.2f}"),
            ("check, read and shrink a plate's frame, a megapixel", f"{here.read:.3f}"),
            ("hash and write a window's file, a gigabyte", f"{here.write:.1f}"),
            ("read and hash it for the stitch, a gigabyte", f"{here.take:.1f}"),
            ("start a stitch: process, libraries", f"{here.stitch:.1f}"),
            ("read, join, merge and write a frame, a megapixel", f"{here.frame:.3f}"),
        ],
    )
    work = work_of(assumed, here)
    rows = []
    for gpus in GPUS:
        busy, moving = expected_s(assumed, work, gpus)
        whole = max(busy, moving)
        cores = math.ceil(assumed.shots * work.stitch_s / whole)
        model = work.windows * work.model_s / (whole * gpus)
        slower = "storage" if moving > busy else "GPUs"
        cells = (f"{gpus}", _hours(whole), slower, f"{work.gb / busy:.2f}")
        rows.append((*cells, f"{cores}", f"{100 * model:.0f} %"))
    show(
        f"Expected for {assumed.shots} shots of {assumed.frames} frames, {assumed.width} x "
        f"{assumed.height}: {work.windows} windows, {work.gb / 1000:.0f} TB moved",
        ("GPUs", "time", "held by", "GB/s asked", "cores to stitch", "GPUs busy"),
        rows,
    )
    most = assumed.storage_gb_s / (work.gb / (work.windows * work.window_s))
    print(
        f"Assumed: {assumed.gpu_s} s of a GPU for a frame, {assumed.load_s:.0f} s to load the "
        f"model, {assumed.storage_gb_s} GB/s of storage, which feeds about {most:.0f} GPUs.\n"
        f"A shot's stitch takes {_hours(work.stitch_s)} of one core; the last one ends after all "
        "windows."
    )


def _hours(seconds: float) -> str:
    return f"{seconds / 86400:.1f} d" if seconds > 2 * 86400 else f"{seconds / 3600:.1f} h"


def _arguments() -> Show:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    for name, default, told in (
        ("shots", 2000, "of the show"),
        ("frames", 100, "of a shot"),
        ("width", 4096, "of the plate"),
        ("height", 2160, "of the plate"),
        ("model-width", 1920, "of what the model sees"),
        ("window", 49, "frames rendered at once"),
        ("overlap", 9, "frames two windows share"),
        ("cores", 8, "that read the plate beside a GPU; no more than eight do"),
        ("gpu-s", 0.62, "seconds of a GPU for a frame; LTX's makers name 100 s for 161 frames of "
         "1080p on an H100"),
        ("load-s", 180.0, "seconds to load the real model, once a session"),
        ("storage-gb-s", 5.0, "gigabytes a second that the shared storage moves in all"),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=type(default), default=default, help=told)
    return Show(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
