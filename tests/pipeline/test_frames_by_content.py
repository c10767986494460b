"""Frames by content: what a store has is not rendered, and what went into a frame is its key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.media.movies import movie

from lumivid_fx.media.whole_file import whole_file
from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.pipeline import file_digests
from lumivid_fx.pipeline.frame_file import FrameFile
from lumivid_fx.pipeline.frame_keys import FrameStore
from lumivid_fx.pipeline.render_files import RenderReport, render
from lumivid_fx.pipeline.render_shot import ShotSettings

from .plates import write_png

QUICK = ShotSettings(sigmas=((1.0, 0.0),))
WHOLE = range(1001, 1031)
FIRST_WINDOW = range(1001, 1017)
"""Frames that the second window of 25 does not see."""


class Shelf:
    """A store in memory.

    Attributes:
        frames: By key.
        asked: Keys asked for.
    """

    def __init__(self) -> None:
        self.frames: dict[str, bytes] = {}
        self.asked: list[str] = []

    def fetch(self, key: str, path: Path) -> bool:
        """See :class:`FrameStore`."""
        self.asked.append(key)
        if key not in self.frames:
            return False
        with whole_file(path, str(path)) as beside:
            beside.write_bytes(self.frames[key])
        return True

    def keep(self, key: str, path: Path) -> None:
        """Likewise."""
        assert key not in self.frames
        self.frames[key] = path.read_bytes()


Run = Callable[..., RenderReport]


@pytest.fixture
def run(quick_model: HdrModel) -> Run:
    """Render with the quick model, in one step."""

    def with_model(source: str, target: Path, store: FrameStore, **chosen: Any) -> RenderReport:
        arguments = {"settings": QUICK, "model": quick_model, "store": store, **chosen}
        return render(source, str(target / "a.####.exr"), **arguments)

    return with_model


@pytest.fixture
def plate(tmp_path: Path) -> str:
    """Thirty frames of PNG from 1001 on: two windows."""
    return write_png(tmp_path / "in", WHOLE)


def content(folder: Path) -> dict[str, bytes]:
    """The files of a folder."""
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def repaint(folder: Path, number: int, shift: int = 9) -> None:
    """Put another picture in the place of one frame, as an artist's export does."""
    beside = write_png(folder / "beside", [number], shift=shift)
    Path(beside.replace("####", str(number))).replace(folder / f"plate.{number}.png")


def test_a_store_gives_the_same_bytes(run: Run, plate: str, tmp_path: Path) -> None:
    """A second render makes nothing, tells of every frame in order, and its files are the same."""
    shelf, told = Shelf(), list[FrameFile]()
    first = run(plate, tmp_path / "one", shelf)
    assert (first.rendered, first.kept, first.cached) == (30, 0, 0)
    assert len(shelf.frames) == 30
    second = run(plate, tmp_path / "two", shelf, on_frame=told.append)
    assert (second.rendered, second.kept, second.cached) == (0, 0, 30)
    assert [(f.number, f.how) for f in told] == [(n, "cache") for n in WHOLE]
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_a_store_fills_gaps(run: Run, plate: str, tmp_path: Path) -> None:
    """Kept, fetched and rendered frames are told of in one ascending order."""
    shelf, told, out = Shelf(), list[FrameFile](), tmp_path / "out"
    whole = run(plate, tmp_path / "whole", shelf)
    frames = dict(zip(shelf.asked, whole.frames, strict=True))
    gone = {path.name for key, path in frames.items() if path.name in ("a.1003.exr", "a.1020.exr")}
    shelf.frames = {k: v for k, v in shelf.frames.items() if frames[k].name not in gone}
    run(plate, out, Shelf(), frames="1010-1012")
    started: list[tuple[int, int]] = []
    report = run(
        plate, out, shelf, on_frame=told.append, on_start=lambda *counts: started.append(counts)
    )
    assert started == [(27, 3)]
    assert (report.rendered, report.kept, report.cached) == (2, 3, 25)
    kept, rendered = range(1010, 1013), (1003, 1020)
    assert [(f.number, f.how) for f in told] == [
        (n, "kept" if n in kept else "rendered" if n in rendered else "cache") for n in WHOLE
    ]
    assert content(out) == content(tmp_path / "whole")


def test_frames_come_as_early_as_order_allows(run: Run, plate: str, tmp_path: Path) -> None:
    """Those before the first gap are told of before the first window is rendered."""
    shelf, told = Shelf(), list[int]()
    run(plate, tmp_path / "out", shelf, frames="1001-1004")
    run(plate, tmp_path / "out", Shelf(), frames="1020")
    seen: list[list[int]] = []
    run(
        plate,
        tmp_path / "out",
        shelf,
        on_frame=lambda frame: told.append(frame.number),
        on_progress=lambda _: seen.append(list(told)),
    )
    before, after = seen  # of the first window's frames the last may still be being written
    assert before == [1001, 1002, 1003, 1004]
    assert after == list(WHOLE)[: len(after)]
    assert len(after) <= len(FIRST_WINDOW)
    assert told == list(WHOLE)


def test_a_changed_frame_costs_its_windows(run: Run, plate: str, tmp_path: Path) -> None:
    """Frames whose windows do not see the change come out of the store."""
    shelf = Shelf()
    run(plate, tmp_path / "one", shelf)
    repaint(tmp_path / "in", 1028)
    told: list[FrameFile] = []
    run(plate, tmp_path / "two", shelf, on_frame=told.append)
    assert {f.number for f in told if f.how == "cache"} == set(FIRST_WINDOW)
    run(plate, tmp_path / "fresh", Shelf())
    assert content(tmp_path / "two") == content(tmp_path / "fresh")


@pytest.mark.parametrize(
    "change",
    [
        {"settings": replace(QUICK, exposure=1.0)},
        {"settings": replace(QUICK, seed=1)},
        {"settings": replace(QUICK, fps=25.0)},
        {"settings": replace(QUICK, window=17)},
        {"settings": replace(QUICK, generated=True)},
        {"compression": "zips"},
        {"ocio": "config.ocio"},
    ],
)
def test_what_was_asked_is_in_the_key(
    run: Run, plate: str, tmp_path: Path, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another setting, compression or colour config finds nothing."""
    import PyOpenColorIO

    monkeypatch.chdir(tmp_path)
    builtin = "ocio://studio-config-v2.1.0_aces-v1.3_ocio-v2.3"
    config = PyOpenColorIO.Config.CreateFromFile(builtin).serialize()
    (tmp_path / "config.ocio").write_text(config, "utf-8")
    shelf = Shelf()
    run(plate, tmp_path / "one", shelf, frames="1001-1002")
    report = run(plate, tmp_path / "two", shelf, frames="1001-1002", **change)
    assert (report.rendered, report.cached) == (2, 0)
    again = run(plate, tmp_path / "three", shelf, frames="1001-1002", **change)
    assert (again.rendered, again.cached) == (0, 2)
    if "ocio" in change:
        with (tmp_path / "config.ocio").open("a") as file:
            file.write("# edited\n")
        edited = run(plate, tmp_path / "four", shelf, frames="1001-1002", **change)
        assert (edited.rendered, edited.cached) == (2, 0)
        absolute = {"ocio": str(tmp_path / "config.ocio")}
        spelt = run(plate, tmp_path / "four", shelf, frames="1001-1002", **absolute)
        assert spelt.kept == 2


def test_the_name_of_a_plate_is_in_the_key(run: Run, plate: str, tmp_path: Path) -> None:
    """It stands in every frame, so that a plate of another name has other bytes."""
    shelf = Shelf()
    run(plate, tmp_path / "one", shelf, frames="1001")
    folder = tmp_path / "in"
    for path in list(folder.iterdir()):
        path.rename(folder / path.name.replace("plate", "bg"))
    report = run(str(folder / "bg.####.png"), tmp_path / "two", shelf, frames="1001")
    assert report.rendered == 1


def test_a_plate_that_changes_meanwhile_is_not_stored(run: Run, plate: str, tmp_path: Path) -> None:
    """A frame of unknown content is no use to anybody; those that were safe before are kept."""
    shelf = Shelf()

    def change(frame: FrameFile) -> None:
        if frame.number == 1005:
            repaint(tmp_path / "in", 1028)

    run(plate, tmp_path / "out", shelf, on_frame=change)
    assert len(shelf.frames) == len(FIRST_WINDOW)
    assert run(plate, tmp_path / "again", shelf).cached == len(FIRST_WINDOW)


def test_a_movie_is_one_file(run: Run, tmp_path: Path) -> None:
    """Any change of it costs all frames, and one that is replaced under way stores none."""
    source = str(movie(tmp_path, "a.mp4", "libx264", "yuv420p", {"g": "12"}))
    shelf = Shelf()
    run(source, tmp_path / "one", shelf, frames="1-3")
    assert run(source, tmp_path / "two", shelf, frames="1-3").cached == 3
    Path(source).write_bytes(Path(source).read_bytes() + bytes(8))
    other = Shelf()

    def change(frame: FrameFile) -> None:
        if frame.number == 2:
            Path(source).write_bytes(Path(source).read_bytes() + bytes(8))

    report = run(source, tmp_path / "three", shelf, frames="1-3")
    assert (report.rendered, report.cached) == (3, 0)
    run(source, tmp_path / "four", other, frames="1-3", on_frame=change)
    assert len(other.frames) == 1


def test_files_are_hashed_for_a_store_alone(
    run: Run, quick_model: HdrModel, tmp_path: Path
) -> None:
    """A plain render reads of the plate what it renders, and no more."""
    source = Path(__file__).parents[1] / "data" / "modern_buildings_2.exr"
    settings = replace(QUICK, model_size=64)
    known = vars(file_digests)["_KNOWN"]
    known.clear()
    render(str(source), str(tmp_path / "a.exr"), settings=settings, model=quick_model)
    assert not known
    run(str(source), tmp_path / "b", Shelf(), settings=settings)
    assert [state[0] for state in known] == [str(source)]
