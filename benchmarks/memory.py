"""Peak memory of a whole render at 49 and at 241 frames, each in a process of its own."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import OpenImageIO

from benchmarks.table import show

HEIGHT, WIDTH = 270, 480


def _write_plate(folder: Path, frames: int) -> None:
    folder.mkdir()
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    for frame in range(frames):
        wave = np.sin((columns + 3 * frame) / 40) * np.cos(rows / 30) * 0.5 + 0.5
        picture = OpenImageIO.ImageBuf(OpenImageIO.ImageSpec(WIDTH, HEIGHT, 3, OpenImageIO.UINT8))
        picture.set_pixels(
            OpenImageIO.ROI(), np.repeat(wave[..., None], 3, axis=2).astype(np.float32)
        )
        picture.write(str(folder / f"plate.{1001 + frame}.png"))


def peak_megabytes(folder: Path, frames: int) -> float:
    """Render a plate in a fresh process and read its peak resident size."""
    _write_plate(folder / f"in{frames}", frames)
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "benchmarks.memory",
            str(folder / f"in{frames}/plate.####.png"),
            str(folder / f"out{frames}/plate.####.exr"),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout.split()[-1])


def main() -> None:
    """Measure and print; with two arguments, render them and print the peak in megabytes."""
    if len(sys.argv) == 3:
        import lumivid_fx

        lumivid_fx.render(sys.argv[1], sys.argv[2])
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    with tempfile.TemporaryDirectory() as name:
        short, long = (peak_megabytes(Path(name), frames) for frames in (49, 241))
    show(
        f"Peak memory of a render with the embedded model, {WIDTH} x {HEIGHT}",
        ("frames", "MB", "ratio"),
        [("49", f"{short:.0f}", "1.00"), ("241", f"{long:.0f}", f"{long / short:.2f}")],
    )


if __name__ == "__main__":
    main()
