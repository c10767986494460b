"""Files beside the libraries that read and write them, and beside a model that must not wait."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import OpenImageIO

from benchmarks.table import show, take_turns
from lumivid_fx.media import Windows, open_plate
from lumivid_fx.media.exr import COMPRESSIONS, write_exr
from lumivid_fx.model.checkpoint import load_model
from lumivid_fx.pipeline.render_files import render

Picture = npt.NDArray[np.float32]

SIZES = {"1080p": (1080, 1920), "4K": (2160, 3840)}

FRAMES = 8
"""Of a movie: enough that its decoder's threads have something to do."""

RENDERED = 41
"""Two windows of the embedded model: while the first is rendered, the second can be read."""

MOVIES = {
    "H.264 8 bit": ("libx264", "yuv420p", {"preset": "ultrafast", "crf": "18"}),
    "ProRes 422 HQ": ("prores_ks", "yuv422p10le", {"profile": "3"}),
}


def picture(height: int, width: int) -> Picture:
    """Slopes and grain, as a plate has them."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    ramps = [rows / height, columns / width, (rows + columns) / (height + width)]
    smooth = np.stack(ramps, axis=-1)
    return np.asarray(smooth + np.random.default_rng(0).normal(0, 0.01, smooth.shape), np.float32)


def write_plainly(path: Path, half: npt.NDArray[np.float16], compression: str) -> None:
    """One EXR by OpenImageIO, and nothing else."""
    spec = OpenImageIO.ImageSpec(half.shape[1], half.shape[0], 3, OpenImageIO.HALF)
    spec.attribute("compression", compression)
    output = OpenImageIO.ImageOutput.create(str(path))
    if output is None or not output.open(str(path), spec) or not output.write_image(half):
        raise RuntimeError(OpenImageIO.geterror())
    output.close()


def read_plainly(path: Path) -> None:
    """The same back, as float32."""
    image = OpenImageIO.ImageInput.open(str(path))
    if image is None or image.read_image(0, 0, 0, 3, OpenImageIO.FLOAT) is None:
        raise RuntimeError(OpenImageIO.geterror())
    image.close()


def read_ours(path: Path) -> None:
    """A plate of one frame: opened, looked at, checked for NaN."""
    with open_plate(str(path)) as plate:
        plate.read(plate.first_frame)


def write_ours(path: Path, plate: Picture, compression: str) -> None:
    """Counted, with metadata, looked at again, synced, renamed."""
    write_exr(
        path,
        plate,
        None,
        windows=Windows.whole(plate.shape[1], plate.shape[0]),
        attributes={},
        chromaticities=None,
        interop_id=None,
        fps=None,
        compression=compression,
    )


def exr_table(folder: Path, size: str) -> None:
    """Our reader and writer beside OpenImageIO's bare calls."""
    plate = picture(*SIZES[size])
    half = plate.astype(np.float16)
    rows = []
    for compression in COMPRESSIONS:
        theirs, ours = folder / "bare.exr", folder / "ours.exr"
        wrote, bare = take_turns(
            [partial(write_ours, ours, plate, compression),
             partial(write_plainly, theirs, half, compression)], rounds=3,
        )  # fmt: skip
        read, bare_read = take_turns([partial(read_ours, ours), partial(read_plainly, ours)], 5)
        times = [f"{seconds * 1e3:.0f}" for seconds in (wrote, bare, read, bare_read)]
        shares = [f"{bare / wrote:.0%}", f"{bare_read / read:.0%}"]
        rows.append((compression, *times[:2], shares[0], *times[2:], shares[1]))
    show(
        f"EXR, {size} half RGB, milliseconds a frame, and our rate as a share of OpenImageIO's",
        ("", "write", "bare", "share", "read", "bare", "share"),
        rows,
    )


@contextmanager
def movie(folder: Path, size: str, kind: str, frames: int = FRAMES) -> Iterator[Path]:
    """A movie of grain that moves."""
    encoder, pix_fmt, options = MOVIES[kind]
    height, width = SIZES[size]
    path = folder / "a.mov"
    still = (picture(height, width).clip(0, 1) * 255).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoder, rate=24, options=options)
        if not isinstance(stream, av.VideoStream):
            raise TypeError(encoder)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        for number in range(frames):
            moved = np.roll(still, 7 * number, axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(moved, "rgb24")))
        container.mux(stream.encode())
    yield path
    path.unlink()


def decode_plainly(path: Path, *, to_rgb: bool) -> None:
    """Decode all frames by PyAV, perhaps to RGB by FFmpeg's own converter, rounded as it rounds."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            if to_rgb:
                frame.to_ndarray(format="rgb48le")


def decode_ours(path: Path) -> None:
    """Indexed, decoded, checked, to exact float32 RGB."""
    with open_plate(str(path)) as plate:
        for number in plate.frame_numbers:
            plate.read(number)


def movie_table(folder: Path) -> None:
    """Our reader beside PyAV's decoder."""
    rows = []
    for kind in MOVIES:
        for size in SIZES:
            with movie(folder, size, kind) as path:
                runs: list[Callable[[], None]] = [
                    partial(decode_ours, path),
                    partial(decode_plainly, path, to_rgb=False),
                    partial(decode_plainly, path, to_rgb=True),
                ]
                ours, codes, rgb = take_turns(runs, rounds=3)
            times = [f"{seconds * 1e3 / FRAMES:.0f}" for seconds in (ours, codes, rgb)]
            rows.append((f"{kind}, {size}", *times, f"{codes / ours:.0%}", f"{rgb / ours:.0%}"))
    show(
        "Movies, milliseconds a frame, and our rate as a share of PyAV's",
        ("", "ours", "PyAV, codes", "PyAV, 16-bit RGB", "share of codes", "share of RGB"),
        rows,
    )


def render_table(folder: Path) -> None:
    """What share of a render its model stands still for files."""
    model = load_model()
    rows = []
    with movie(folder, "1080p", "H.264 8 bit", RENDERED) as path:
        for compression in ("zip", "none"):
            target = str(folder / compression / "a.####.exr")
            start = time.perf_counter()
            waits = render(str(path), target, model=model, compression=compression).waits
            seconds = time.perf_counter() - start
            later = waits.read - waits.first
            shares = [f"{each / seconds:.1%}" for each in (waits.first, later, waits.write)]
            rows.append((f"{compression}, {RENDERED} frames", f"{seconds:.0f}", *shares))
    show(
        "Render, 1080p H.264 to half EXR by the embedded model, and what it stood still for files",
        ("", "seconds", "first window", "later frames", "writing"),
        rows,
    )


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        for size in SIZES:
            exr_table(Path(name), size)
        movie_table(Path(name))
        render_table(Path(name))


if __name__ == "__main__":
    main()
