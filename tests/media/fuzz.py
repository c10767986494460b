"""Damaged files of every kind: what may come of each is a plate or a sentence.

python -m tests.media.fuzz --count 2000 --seed 0

A case is made from its seed and number alone, so that one that failed is made again by ``--only``.
Cases are read in processes that are watched for crashes, hangs and memory. Their frames are written
as EXR, and nothing may lie in that folder afterwards but whole frames.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

HANG_S = 60.0
"""A case that takes so long hangs; on a busy machine the slowest took 3 s."""

MEMORY = 2**30
"""Most that a process may have held at any time: Python, the libraries, and small pictures."""

Case = dict[str, object]


def make_sources(folder: Path) -> list[Path]:
    """Whole files of every kind, small, from other writers where they can write them."""
    import OpenEXR

    from .exr_reader import write, write_parts
    from .ffmpeg import encode_still, run
    from .files import noise, ramp, write_image

    half = ramp(channels=4).astype(np.float16)
    paths = [
        write(folder / f"{name.lower()}.exr", half, {"compression": getattr(OpenEXR, name)})
        for name in dir(OpenEXR)
        if name.endswith("_COMPRESSION") and isinstance(getattr(OpenEXR, name), OpenEXR.Compression)
    ]
    paths.append(write(folder / "float.exr", ramp(channels=3)))
    parts = {"z": ({"Z": half[..., 0]}, "ZIP"), "rgb": ({"RGB": half[..., :3]}, "PIZ")}
    paths.append(write_parts(folder / "parts.exr", parts))
    paths += [
        write_image(folder / f"{dtype.__name__}.{ending}", noise(dtype, 4))
        for dtype in (np.uint8, np.uint16)
        for ending in ("png", "tif", "dpx")
    ]
    paths.append(write_image(folder / "float.tif", ramp()))
    paths.append(write_image(folder / "a.jpg", noise(np.uint8, 3)))
    paths += [
        encode_still(folder / f"{pix_fmt}.dpx", noise(np.uint16, 3), pix_fmt)
        for pix_fmt in ("gbrp10be", "gbrp12le", "rgb48be")
    ]
    for method in ("lzw", "deflate", "packbits"):
        more = ("-compression_algo", method)
        paths.append(encode_still(folder / f"{method}.tif", noise(np.uint8, 3), "rgb24", *more))
    for name, options in (
        ("h264.mp4", "-c:v libx264 -g 4"),
        ("h264.mkv", "-c:v libx264 -g 4"),
        ("h264.mxf", "-c:v libx264 -g 4 -pix_fmt yuv422p"),
        ("hevc.mov", "-c:v libx265 -pix_fmt yuv420p10le -x265-params log-level=none"),
        ("prores.mov", "-c:v prores_ks -pix_fmt yuv422p10le"),
        ("alpha.mov", "-c:v prores_ks -pix_fmt yuva444p10le -profile:v 4444"),
        ("dnxhr.mov", "-c:v dnxhd -profile:v dnxhr_hq -pix_fmt yuv422p"),
        ("ffv1.mkv", "-c:v ffv1 -pix_fmt gbrp10le"),
    ):
        paths.append(folder / name)
        run("-f", "lavfi", "-i", "testsrc2=s=256x128:r=24:d=0.25", *options.split(), str(paths[-1]))
    return sorted(paths)


def damage(content: bytes, other: bytes, random: np.random.Generator) -> bytes:
    """One to three wounds of the kinds that disks, copies and malice give."""
    data = bytearray(content)
    for _ in range(random.integers(1, 4)):
        if not data:
            break
        at = int(random.integers(len(data)))
        size = min(int(random.integers(1, 200)), len(data) - at)
        head = int(random.integers(min(len(data), 1024)))
        match random.integers(9):
            case 0:  # cut short
                del data[at:]
            case 1:  # single bits
                for place in random.integers(len(data), size=random.integers(1, 32)):
                    data[place] ^= 1 << int(random.integers(8))
            case 2:  # a block that was never written
                data[at : at + size] = bytes(size)
            case 3:
                data[at : at + size] = b"\xff" * size
            case 4:
                data[at : at + size] = random.bytes(size)
            case 5:  # bytes lost
                del data[at : at + size]
            case 6:  # bytes between
                data[at:at] = random.bytes(size)
            case 7:  # an absurd number in the header, in either byte order
                value = int(random.choice([0, 1, 2**15, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1]))
                data[head : head + 4] = value.to_bytes(
                    4, "big" if random.random() < 0.5 else "little"
                )
            case _:  # a block of another file
                data[at : at + size] = other[at : at + size]
    return bytes(data)


def make_case(sources: list[Path], folder: Path, seed: int, number: int) -> Path:
    """Damaged file of a number; one in twenty goes under the ending of another kind."""
    random = np.random.default_rng([seed, number])
    source = sources[number % len(sources)]
    other = sources[int(random.integers(len(sources)))]
    ending = other.suffix if random.random() < 0.05 else source.suffix
    path = folder / f"case{number}{ending}"
    path.write_bytes(damage(source.read_bytes(), other.read_bytes(), random))
    return path


def read_case(path: Path, out: Path) -> tuple[str, str]:
    """Read a plate and write its frames; what came of it, and what is wrong with that."""
    from lumivid_fx.errors import InputError
    from lumivid_fx.media import open_plate
    from lumivid_fx.media.exr import is_finished, write_exr

    outcome, wrong = "read", ""
    try:
        with open_plate(str(path)) as plate:
            for number in plate.frame_numbers:
                frame = plate.read(number)
                if not np.isfinite(frame.rgb).all() or frame.rgb.shape[-1] != 3:
                    wrong = f"frame {number} is {frame.rgb.shape}, not finite colour"
                write_exr(
                    out / f"{path.stem}.{number}.exr", frame.rgb, frame.alpha,
                    windows=frame.windows, attributes={**frame.attributes, "lumivid/frame": number},
                    chromaticities=None, interop_id=None, fps=plate.fps,
                )  # fmt: skip
    except InputError as error:
        said = str(error)
        outcome = "refused"
        if path.name not in said or "\n" in said or not said.isprintable():
            wrong = f"refused without its name or in several lines: {said!r}"
    except Exception as error:  # noqa: BLE001 - whatever else comes out is what we look for
        outcome, wrong = "failed", f"{type(error).__name__}: {error}"
    for written in out.iterdir():
        if not is_finished(written):
            wrong = f"{written.name} is no whole frame"
        written.unlink()
    return outcome, wrong


def most_held() -> int:
    """Most bytes that this process has held since it was begun.

    Not `ru_maxrss`, which a new program takes over from the process that began it.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def work() -> None:
    """Read the cases whose paths come on standard input; a line of JSON for each."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    with tempfile.TemporaryDirectory() as out:
        for line in sys.stdin:
            outcome, wrong = read_case(Path(line.rstrip("\n")), Path(out))
            held = most_held()
            if held > MEMORY and not wrong:
                wrong = f"held {held >> 20} MB"
            answers.write(f"{json.dumps([outcome, wrong])}\n")
            answers.flush()
            if wrong:
                return  # what comes next deserves a clean process


class Reader:
    """A process that reads cases, begun anew where one ended it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def read(self, path: Path) -> tuple[str, str]:
        """What came of a case."""
        process = self._process
        if process is None or process.poll() is not None:
            process = self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.media.fuzz", "--work"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{path}\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], HANG_S)
        line = process.stdout.readline() if ready else ""
        if line:
            outcome, wrong = json.loads(line)
            if wrong:
                self.end()
            return outcome, wrong
        ended = process.poll() if not ready else process.wait()
        self.end()
        return ("hung", f"no answer in {HANG_S:g} s") if ended is None else ("crashed", f"{ended}")

    def end(self) -> None:
        """Let the process go."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def run_cases(
    numbers: range, seed: int, folder: Path, readers: int = 2
) -> tuple[Counter[str], list[str]]:
    """Read all cases; how many came to what, and what was wrong with which."""
    sources = make_sources(folder)
    outcomes: Counter[str] = Counter()
    wrongs: list[str] = []

    def some(first: int) -> None:
        reader = Reader()
        try:
            for number in numbers[first::readers]:
                path = make_case(sources, folder, seed, number)
                outcome, wrong = reader.read(path)
                outcomes[f"{sources[number % len(sources)].suffix} {outcome}"] += 1
                if wrong:
                    wrongs.append(f"case {number} ({sources[number % len(sources)].name}): {wrong}")
                path.unlink()
        finally:
            reader.end()

    with ThreadPoolExecutor(readers) as pool:
        list(pool.map(some, range(readers)))
    return outcomes, sorted(wrongs)


def main() -> int:
    """Run the cases that were asked for, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.media.fuzz")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="the one case to read")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.work:
        work()
        return 0
    numbers = range(chosen.count) if chosen.only is None else range(chosen.only, chosen.only + 1)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        outcomes, wrongs = run_cases(numbers, chosen.seed, Path(folder))
    lines = [f"{name:16} {count:5}" for name, count in sorted(outcomes.items())]
    lines.append(f"{len(numbers)} files, seed {chosen.seed}, {time.monotonic() - begin:.0f} s")
    sys.stdout.write("\n".join([*lines, *wrongs, f"{len(wrongs)} wrong", ""]))
    return bool(wrongs)


if __name__ == "__main__":
    sys.exit(main())
