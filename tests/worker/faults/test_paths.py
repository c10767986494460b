"""Paths that lead out of the root, however they are written, and links that change meanwhile."""

from __future__ import annotations

import threading
import time
from itertools import count, cycle
from pathlib import Path

import msgspec
import pytest
from tests.worker.faults.real import RealWorker, content, request

from lumivid_fx.protocol import messages as m

BAD: dict[str, tuple[str, str, str]] = {
    "beside": ("{beside}/secret/secret.####.png", "E_PATH", "does not lie under the worker's root"),
    "same beginning": ("{shots}-evil/p.png", "E_PATH", "does not lie under the worker's root"),
    "system": ("/etc/passwd", "E_PATH", "does not lie under the worker's root"),
    "up": ("{shots}/../beside/secret/secret.1001.png", "E_PATH", "goes up by .."),
    "up and back": ("{shots}/good/../good/plate.1001.png", "E_PATH", "goes up by .."),
    "relative": ("good/plate.1001.png", "E_PATH", "is not absolute"),
    "home": ("~/plate.1001.png", "E_PATH", "is not absolute"),
    "link": ("{shots}/out_link/secret.1001.png", "E_PATH", "does not lie under"),
    "link to root": ("{shots}/proc/etc/passwd", "E_PATH", "does not lie under"),
    "chain of links": ("{shots}/chain/0", "E_PATH", "leads through links that cannot be followed"),
    "protocol": ("concat:{shots}/good|{beside}/secret", "E_PATH", "is not absolute"),
    "UNC": ("//host/share/plate.png", "E_PATH", "names a host"),
    "backslashes": ("{shots}\\..\\beside", "E_PATH", "has backslashes"),
    "Windows device": ("{shots}/NUL.exr", "E_PATH", "which Windows keeps"),
    "long name": ("{shots}/" + 300 * "a" + ".exr", "E_PATH", "more than 255 bytes"),
    "C1 control": ("{shots}/a\x85b.exr", "E_PATH", "has control characters"),
    "line separator": ("{shots}/a\u2028b.exr", "E_PATH", "has control characters"),
    "NUL": ("{shots}/a\0b.exr", "E_SCHEMA", ""),
    "newline": ("{shots}/a\nb.exr", "E_SCHEMA", ""),
    "endless": ("{shots}/" + 5000 * "a", "E_SCHEMA", ""),
    "empty": ("", "E_SCHEMA", ""),
}


@pytest.fixture(scope="module", autouse=True)
def links(real: RealWorker) -> None:
    """Links that lead out of the root, and a folder whose name begins as the root's does."""
    (real.shots / "out_link").symlink_to(real.beside / "secret")
    (real.shots / "proc").symlink_to("/proc/self/root")
    Path(f"{real.shots}-evil").mkdir()
    (real.shots / "chain").mkdir()
    for number in range(3000):  # more than Python's recursion bears; the kernel follows 40
        (real.shots / "chain" / str(number)).symlink_to(str(number + 1))


@pytest.mark.parametrize("kind", BAD)
def test_path_in_every_place(real: RealWorker, kind: str) -> None:
    """Case 22: refused as plate, output, model, LoRA and config before anything is opened."""
    text, code, told = BAD[kind]
    path = text.format(shots=real.shots, beside=real.beside)
    good = request(real.plate, real.new_folder("no"))
    for asked in (
        msgspec.structs.replace(good, source=m.PathSource(path=path)),
        msgspec.structs.replace(good, target=path),
        msgspec.structs.replace(good, model=path),
        msgspec.structs.replace(good, lora=path),
        msgspec.structs.replace(good, ocio=path),
    ):
        outcome = real.run(asked)
        assert outcome.code == code, outcome.message
        assert told in outcome.message
        assert outcome.done is None, "it has become a job"
    assert not [*Path(f"{real.shots}-evil").iterdir()]
    real.still_renders()


def test_own_files_of_the_worker(real: RealWorker) -> None:
    """Case 22: keys, journal and spool are nobody's plate."""
    places = real.worker.places
    for folder in (places.keys, places.state, places.run, places.cache):
        real.refused(request(folder, real.new_folder("no")), "E_PATH", "does not lie under")
        outcome = real.run(request(real.plate, folder))
        assert outcome.code == "E_PATH"
    real.still_renders()


def _put(turn: Path, place: Path) -> None:
    """Let a turn begin; a folder that the writer made where there was none goes aside."""
    for number in count():
        try:
            turn.rename(place)
        except OSError:
            place.rename(place.with_name(f"made{time.monotonic_ns()}{number}"))
        else:
            return


@pytest.mark.parametrize("what", ["plate", "output"])
def test_link_that_is_swapped(real: RealWorker, what: str) -> None:
    """Case 22: between the look and the opening, a folder and a link out of the root take turns.

    Some jobs are rendered and some are refused; none has read or written beside the root.
    """
    place = real.new_folder("race")
    swapped, folder, link = place / "x", place / "folder", place / "link"
    link.symlink_to(real.beside / "secret")
    folder.mkdir()
    for path in (real.shots / "good").iterdir():
        (folder / path.name.replace("plate", "secret")).hardlink_to(path)
    inside, outside = content(folder), content(real.beside)
    stop = threading.Event()

    def swap() -> None:
        for rest in cycle((0.0002,) * 99 + (0.2,)):  # most often too short for a job, then not
            _put(folder, swapped)
            time.sleep(rest)
            swapped.rename(folder)
            _put(link, swapped)
            time.sleep(min(rest, 0.02))
            swapped.rename(link)
            if stop.is_set():
                return

    thread = threading.Thread(target=swap)
    thread.start()
    outs, codes = [], list[str]()
    deadline = time.monotonic() + 60
    try:
        while len(codes) < 40 or not {"", "E_PATH", "E_INPUT"} <= {*codes}:
            assert time.monotonic() < deadline, codes
            out = real.new_folder("raced")
            asked = request(swapped / "secret.####.png", out)
            if what == "output":
                asked = request(real.plate, swapped, overwrite=True)
            codes.append(real.run(asked, take=what == "plate").code)
            outs.append(out)
    finally:
        stop.set()
        thread.join()
    # A folder that goes away under a file being written is the disk's fault, for all we know.
    assert {*codes} <= {"", "E_PATH", "E_INPUT", "E_RENDER"}, codes
    assert content(real.beside) == outside
    if what == "plate":
        good = _pixels_of(real, folder)
        for out in (out for out, code in zip(outs, codes, strict=True) if not code):
            assert content(out) == good, "frames of another plate"
    else:
        assert inside.items() <= content(folder).items()
    real.still_renders()


def _pixels_of(real: RealWorker, folder: Path) -> dict[str, bytes]:
    out = real.new_folder("out")
    outcome = real.run(request(folder / "secret.####.png", out))
    assert outcome.code == "", outcome.message
    return content(out)
