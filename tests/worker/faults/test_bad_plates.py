"""Plates that are damaged, absurd or hostile: told by file and frame, and nothing is written."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from tests.media.files import Array, encode_movie, write_image
from tests.media.movies import numbered
from tests.pipeline.plates import picture, write_png
from tests.worker.faults.real import RealWorker, content, real_worker, request

from lumivid_fx.media import open_plate
from lumivid_fx.protocol import messages as m

FIRST, LAST = 1001, 1009
HEIGHT, WIDTH = 24, 32

Break = Callable[[Path], object]


def write_exr(folder: Path, count: int = 9) -> str:
    """A sequence of float EXRs; its pattern."""
    for number in range(FIRST, FIRST + count):
        write_image(folder / f"p.{number}.exr", picture(HEIGHT, WIDTH, number))
    return f"{folder}/p.####.exr"


def cut(share: float) -> Break:
    """Leave so much of a file."""
    return lambda path: path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def flip(path: Path) -> None:
    """Turn some bytes of the pixels."""
    whole = bytearray(path.read_bytes())
    middle = len(whole) * 3 // 4
    whole[middle : middle + 16] = bytes(byte ^ 0xFF for byte in whole[middle : middle + 16])
    path.write_bytes(whole)


def claim(*window: int, of: tuple[bytes, ...] = (b"dataWindow", b"displayWindow")) -> Break:
    """Let the header name other windows."""

    def change(path: Path) -> None:
        whole = bytearray(path.read_bytes())
        for name in of:
            at = whole.index(name + b"\0box2i\0") + len(name) + 11
            whole[at : at + 16] = np.array(window, "<i4").tobytes()
        path.write_bytes(whole)

    return change


def again(pixels: Array, **given: object) -> Break:
    """Write other pixels there."""
    channels = given.get("channels")
    names = [str(name) for name in channels] if isinstance(channels, list) else None
    return lambda path: write_image(path, pixels, channels=names)


def foreign(path: Path) -> None:
    """Put a PNG there."""
    png = write_image(path.with_name("other.png"), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    png.rename(path)


def instead(make: Break) -> Break:
    """Remove the file, and make something else of its name."""

    def change(path: Path) -> None:
        path.unlink()
        make(path)

    return change


GOOD = picture(HEIGHT, WIDTH, 0)
CUT = "cut short, damaged or not what its name says"

BROKEN: dict[str, tuple[Break, str]] = {
    "empty": (cut(0), r"is empty \(zero bytes\)"),
    "text": (lambda path: path.write_text("I am a text\n" * 99), CUT),
    "cut to 1%": (cut(0.01), CUT),
    "cut to 30%": (cut(0.3), CUT),
    "cut to 70%": (cut(0.7), CUT),
    "cut to 99%": (cut(0.99), CUT),
    "flipped": (flip, CUT),
    "backwards": (claim(9, 9, 0, 0), CUT),
    "far": (claim(-(2**30), -(2**30), -(2**30) + 31, -(2**30) + 23), "display windows|cut short"),
    "two channels": (again(GOOD[..., :2].copy(), channels=["R", "G"]), "has no R, G and B"),
    "whole numbers": (again(np.ones((HEIGHT, WIDTH, 3), np.uint32)), "stores colour as uint"),
    "another size": (again(picture(HEIGHT, WIDTH + 8, 0)), "in one size"),
    "with alpha": (again(np.ones((HEIGHT, WIDTH, 4), np.float32)), "whether it has alpha"),
    "foreign": (foreign, "holds png data under the name of another format"),
    "missing": (lambda path: path.unlink(), "lacks frame"),
    "folder": (instead(lambda path: path.mkdir()), "does not exist|lacks frame"),
    "pipe": (instead(os.mkfifo), "does not exist|lacks frame"),
    "link to nothing": (instead(lambda path: path.symlink_to("none")), "lacks frame|not exist"),
    "link to itself": (instead(lambda path: path.symlink_to(path.name)), "lacks frame|not exist"),
}


UNCOUNTED = ("missing", "folder")
"""Without its first frame a sequence is a whole one that begins later."""


@pytest.mark.parametrize("kind", BROKEN)
def test_damaged_exr(real: RealWorker, kind: str) -> None:
    """Case 7: the first frame, or one in the middle: file, frame and what is wrong with it."""
    damage, told = BROKEN[kind]
    for number in (1005,) if kind in UNCOUNTED else (FIRST, 1005):
        folder = real.new_folder("in")
        plate = write_exr(folder)
        damage(folder / f"p.{number}.exr")
        outcome = real.refused(request(plate, real.new_folder("no")), "E_INPUT", told)
        assert str(number) in outcome.message
        assert str(folder) in outcome.message
    real.still_renders()


def movie(path: Path, **given: Any) -> Path:
    """A movie of nine frames whose header stands first."""
    given = {"options": {"g": "9"}, "muxer": {"movflags": "faststart"}, **given}
    return encode_movie(path, numbered(9), **given)


def wiped(path: Path) -> None:
    """Overwrite the data of the fifth frame."""
    movie(path)
    with av.open(str(path)) as container:
        packets = [(packet.pos or 0, packet.size) for packet in container.demux(video=0)]
    at, size = packets[4]
    whole = bytearray(path.read_bytes())
    whole[at + 12 : at + size] = bytes(size - 12)
    path.write_bytes(whole)


def cut_movie(path: Path) -> None:
    """Leave four fifths."""
    cut(0.8)(movie(path))


def headless(path: Path) -> None:
    """Cut a movie whose header stands last."""
    cut(0.8)(movie(path, muxer={}))


def sound(path: Path) -> None:
    """A movie of silence without pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        assert isinstance(stream, av.AudioStream)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 48000
        container.mux(stream.encode(silence))
        container.mux(stream.encode())


def playlist(path: Path) -> None:
    """What would have FFmpeg read other files, and ask hosts, under another name."""
    secret = path.parents[2] / "beside" / "secret" / "secret.1001.png"
    path.write_text(f"#EXTM3U\n#EXTINF:1,\nfile://{secret}\nhttp://127.0.0.1:9/a.ts\n")


MOVIES: dict[str, tuple[Break, str]] = {
    "empty": (lambda path: path.touch(), r"is empty \(zero bytes\)"),
    "text": (lambda path: path.write_text("I am a text\n" * 99), "cannot be read as a .mp4 movie"),
    "playlist": (playlist, "cannot be read as a .mp4 movie"),
    "cut": (cut_movie, r"cut short|is damaged"),
    "without header": (headless, "cannot be read as a .mp4 movie"),
    "wiped": (wiped, "is damaged at frame [3-5] or just after"),
    "sound": (sound, "holds no pictures, only sound"),
    "variable rate": (
        lambda path: movie(path, times=[0, 1, 2, 3, 6, 7, 8, 9, 10]),
        r"variable frame rate \(frame 5 is",
    ),
    "one time": (lambda path: movie(path, times=[0] * 9), "frames 1 and 2 the same time"),
    "HDR": (lambda path: movie(path, tags={"color_trc": 16}), "is HDR already"),
}


@pytest.mark.parametrize("kind", MOVIES)
def test_damaged_movie(real: RealWorker, kind: str) -> None:
    """Case 8: told with its file, and no frame is made up in silence."""
    make, told = MOVIES[kind]
    path = real.new_folder("in") / "clip.mp4"
    make(path)
    outcome = real.refused(request(path, real.new_folder("no")), "E_INPUT", told)
    assert str(path) in outcome.message
    real.still_renders()


def test_turned_movie(real: RealWorker) -> None:
    """Case 8: one that is to be turned is rendered upright, with all of its frames."""
    path = movie(real.new_folder("in") / "clip.mp4", rotation=90)
    out = real.new_folder("out")
    assert sorted(real.run(request(path, out)).frames) == list(range(1, 10))
    with open_plate(str(path)) as plate, open_plate(f"{out}/a.####.exr") as result:
        assert (result.width, result.height) == (plate.width, plate.height) == (64, 96)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_number(real: RealWorker, value: float) -> None:
    """Case 9: refused with their frame and how many they are."""
    folder = real.new_folder("in")
    plate = write_exr(folder)
    pixels = picture(HEIGHT, WIDTH, 0)
    pixels[3:5, 7, 1] = value
    write_image(folder / "p.1005.exr", pixels)
    told = r"p\.1005\.exr \(frame 1005\) holds 2 samples that are NaN or infinite"
    real.refused(request(plate, real.new_folder("no")), "E_INPUT", told)
    real.still_renders()


def test_samples_at_the_end_of_their_range(real: RealWorker) -> None:
    """Case 9: negative, denormal and beyond half float: finite results, and a count of clamps."""
    folder, out = real.new_folder("in"), real.new_folder("out")
    plate = write_exr(folder)
    pixels = picture(HEIGHT, WIDTH, 0)
    for row, value in enumerate((-5.0, -1e30, 1e-40, -1e-40, 65519.0, 65520.0, 1e6, 1e37)):
        pixels[row, 8:16] = value
    write_image(folder / "p.1005.exr", pixels)
    outcome = real.run(request(plate, out))
    assert outcome.code == "", outcome.message
    assert {n: f.half_clamped > 0 for n, f in outcome.frames.items()} == {
        number: number == 1005 for number in range(FIRST, LAST + 1)
    }
    with open_plate(f"{out}/a.####.exr") as result:
        for number in result.frame_numbers:
            rgb = result.read(number).rgb  # which refuses what is not finite
            assert np.abs(rgb).max() <= 65504
    real.still_renders()


def test_samples_that_arithmetic_does_not_survive(real: RealWorker) -> None:
    """Case 9: the largest floats there are become no number on their way, and no silent frame."""
    folder, out = real.new_folder("in"), real.new_folder("out")
    plate = write_exr(folder)
    pixels = picture(HEIGHT, WIDTH, 0)
    pixels[3, 8:16] = np.finfo(np.float32).max
    write_image(folder / "p.1005.exr", pixels)
    outcome = real.run(request(plate, out))
    assert outcome.code == "E_RENDER"
    assert re.search(r"a\.1005\.exr \(frame 1005\) was not written, for \d+", outcome.message)
    assert list(outcome.frames) == list(range(FIRST, 1005))
    assert len(content(out)) == len(outcome.frames)
    real.still_renders()


def test_model_that_gives_no_number(tmp_path: Path, tiny_model_folder: Path) -> None:
    """Case 9: the job fails, and not one frame of such a window is written."""
    with real_worker(tmp_path, tiny_model_folder, fault="nan:1", once=True, good=False) as real:
        told = "the model tiny gave values that are no numbers in window 1"
        real.refused(request(real.plate, real.new_folder("no")), "E_RENDER", told)
        assert real.run(request(real.plate, real.new_folder("out"))).code == ""


RANGES = {
    "1009-1001": ("E_RANGE", "runs backwards; write 1001-1009"),
    "1001-1009z2": ("E_RANGE", "cannot be read"),
    "1001,,1003": ("E_RANGE", "cannot be read"),
    "": ("E_RANGE", "cannot be read"),
    "all": ("E_RANGE", "cannot be read"),
    "1001-1010": ("E_RANGE", "holds frames 1001-1009, so"),
    "-5-5": ("E_RANGE", "holds frames 1001-1009, so"),
    "1-1": ("E_RANGE", "holds frames 1001-1009, so"),
    "9999999999": ("E_RANGE", "holds frames 1001-1009, so"),
    "1-1000000": ("E_LIMIT", "has 1000000 frames, and a job has at most 10000"),
    "-9999999999-9999999999": ("E_LIMIT", "a job has at most 10000"),
    "0" * 65: ("E_SCHEMA", ""),
}


def test_ranges(real: RealWorker) -> None:
    """Case 10: backwards, outside, no range at all, and absurdly long."""
    for frames, (code, told) in RANGES.items():
        real.refused(request(real.plate, real.new_folder("no"), frames), code, told)
    real.still_renders()


def test_lengths(real: RealWorker) -> None:
    """Case 10: one frame, negative numbers, and lengths that are not 8n+1 come out whole."""
    folder = real.new_folder("in")
    for number in range(-4, 15):
        good = picture(HEIGHT, WIDTH, number)
        write_image(folder / f"p.{number:05d}.exr", good)
    for frames, wanted in (
        ("0", [0]),
        ("-4--3", [-4, -3]),
        ("-4-3", list(range(-4, 4))),
        ("-4-6", list(range(-4, 7))),
        ("-4-14x5", [-4, 1, 6, 11]),
        ("0-1,9", [0, 1, 9]),
        (None, list(range(-4, 15))),
    ):
        out = real.new_folder("out")
        outcome = real.run(request(f"{folder}/p.#####.exr", out, frames))
        assert (outcome.code, list(outcome.frames)) == ("", wanted), outcome.message
        assert len(content(out)) == len(wanted)
    real.still_renders()


def test_plate_of_too_many_frames(real: RealWorker) -> None:
    """Case 10: refused without a range as with one, whether the frames are there or not."""
    folder = real.new_folder("in")
    first = Path(write_png(folder, [1]).replace("####", "0001"))
    for number in range(2, 10_002):
        (folder / f"plate.{number:04d}.png").hardlink_to(first)
    no = real.new_folder("no")
    real.refused(request(folder / "plate.#.png", no), "E_LIMIT|E_INPUT", "at most 10000")
    for count in ("9999999", "99999999999999"):
        real.refused(request(folder / f"plate.1-{count}#.png", no), "E_RANGE|E_INPUT", "")
    shutil.rmtree(folder)
    real.still_renders()


HUGE: dict[str, tuple[Break, str]] = {
    "32768 squared": (
        claim(0, 0, 32767, 32767),
        "says it is 32768 x 32768|claims a 12288 MB image",
    ),
    "200000 squared": (claim(0, 0, 199_999, 199_999), "says it is 200000 x 200000|cut short"),
    "2^30 squared": (claim(0, 0, 2**30 - 1, 2**30 - 1), "says it is|cut short"),
    "one row of 2^30": (claim(0, 0, 2**30 - 1, 0), "says it is|cut short"),
    "from end to end": (claim(-(2**31), -(2**31), 2**31 - 1, 2**31 - 1), "says it is|cut short"),
}


@pytest.mark.parametrize("kind", HUGE)
def test_gigantic_frame(real: RealWorker, kind: str) -> None:
    """Case 11: refused by its header, before memory is taken for it."""
    claimed, told = HUGE[kind]
    folder = real.new_folder("in")
    plate = write_exr(folder)
    claimed(folder / "p.1001.exr")
    outcome = real.refused(request(plate, real.new_folder("no")), "E_INPUT|E_LIMIT", told)
    assert outcome.code == ("E_LIMIT" if "says it is" in outcome.message else "E_INPUT")
    assert "p.1001.exr (frame 1001)" in outcome.message
    real.still_renders()


def test_gigantic_display_window(real: RealWorker) -> None:
    """Case 11: small pictures in a vast window are rendered as such."""
    folder, out = real.new_folder("in"), real.new_folder("out")
    plate = write_exr(folder)
    for path in folder.iterdir():
        claim(0, 0, 999_999, 999_999, of=(b"displayWindow",))(path)
    outcome = real.run(request(plate, out))
    assert outcome.code == "", outcome.message
    with open_plate(f"{out}/a.####.exr") as result:
        assert result.read(1005).windows.display_width == 1_000_000
    real.still_renders()


def test_gigantic_plate_that_is_sent(real: RealWorker) -> None:
    """Case 11: refused before a byte of it is taken in."""
    for width, height, code in ((16384, 16384, "E_LIMIT"), (32768, 32768, "E_SCHEMA")):
        source = m.PixelSource(width=width, height=height, channels=4, first=1, count=10_000)
        settings = m.Settings(input_space="srgb")
        real.refused(
            m.Request(source=source, deliver="pixels", settings=settings), code, "bytes|width"
        )
    real.still_renders()
