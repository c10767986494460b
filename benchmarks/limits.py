"""EXR writing and LogC3 beside what the machine itself can do with the same bytes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import OpenImageIO
import torch

from benchmarks.table import show, take_turns
from lumivid_fx.color.transfer import linear_to_logc3, logc3_to_linear
from lumivid_fx.media import Windows
from lumivid_fx.media.exr import write_exr

HEIGHT, WIDTH = 1080, 1920


def _plate() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    ramps = [rows / HEIGHT, columns / WIDTH, (rows + columns) / (HEIGHT + WIDTH)]
    smooth = np.stack(ramps, axis=-1)
    grain = np.random.default_rng(0).normal(0, 0.01, smooth.shape)
    return (smooth + grain).astype(np.float32)


def exr_table(folder: Path) -> None:
    """Our whole writer (count, metadata, check, sync, rename) beside OpenImageIO's bare one."""
    plate = _plate()
    half = plate.astype(np.float16)
    rows = []

    def bare(compression: str) -> None:
        spec = OpenImageIO.ImageSpec(WIDTH, HEIGHT, 3, OpenImageIO.HALF)
        spec.attribute("compression", compression)
        output = OpenImageIO.ImageOutput.create("bare.exr")
        if output is None:
            raise RuntimeError(OpenImageIO.geterror())
        output.open(str(folder / "bare.exr"), spec)
        output.write_image(half)
        output.close()

    def raw() -> None:
        with (folder / "raw").open("wb") as file:
            file.write(half.tobytes())
            os.fsync(file.fileno())

    def ours(compression: str) -> None:
        write_exr(
            folder / "ours.exr",
            plate,
            None,
            windows=Windows.whole(WIDTH, HEIGHT),
            attributes={},
            chromaticities=None,
            interop_id=None,
            fps=None,
            compression=compression,
        )

    for compression in ("none", "zips", "zip", "piz", "dwaa"):
        runs: list[Callable[[], object]] = [
            partial(ours, compression),
            partial(bare, compression),
            raw,
        ]
        mine, theirs, disk = take_turns(runs, rounds=5)
        times = [f"{seconds * 1e3:.0f}" for seconds in (mine, theirs, disk)]
        rows.append((compression, *times, f"{mine / theirs:.2f}"))
    show(
        "Writing one 1080p half RGB frame, milliseconds",
        ("compression", "ours", "OpenImageIO", "raw bytes, synced", "ours / OpenImageIO"),
        rows,
    )


def logc3_table() -> None:
    """LogC3 both ways beside one exponential and one copy of the same tensor."""
    light = torch.from_numpy(_plate())
    code = linear_to_logc3(light)
    out = torch.empty_like(light)
    forward, inverse, exponential, copy = take_turns(
        [
            lambda: linear_to_logc3(light),
            lambda: logc3_to_linear(code),
            lambda: torch.exp(light),
            lambda: out.copy_(light),
        ],
        rounds=15,
    )
    show(
        "LogC3 on one 1080p float32 frame, milliseconds",
        ("", "ms", "of one exp", "of one copy"),
        [
            (name, f"{s * 1e3:.1f}", f"{s / exponential:.1f}", f"{s / copy:.1f}")
            for name, s in (
                ("light to LogC3", forward),
                ("LogC3 to light", inverse),
                ("torch.exp", exponential),
                ("copy", copy),
            )
        ],
    )


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        exr_table(Path(name))
    logc3_table()


if __name__ == "__main__":
    main()
