"""A render that goes on after an attempt that was given up."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lumivid_fx.errors import InputError
from lumivid_fx.media.exr import read_attributes
from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.pipeline.frame_file import FrameFile
from lumivid_fx.pipeline.render_files import RenderReport, render
from lumivid_fx.pipeline.render_shot import ShotSettings
from lumivid_fx.pipeline.resume import Earlier

from .plates import write_png

QUICK = ShotSettings(sigmas=((1.0, 0.0),))

Run = Callable[..., tuple[RenderReport, dict[int, str]]]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where frames go."""
    return tmp_path / "out"


@pytest.fixture
def run(quick_model: HdrModel, tmp_path: Path, out: Path) -> Run:
    """Render eight frames with the quick model, and say how each that was told of came."""
    source = write_png(tmp_path / "in", range(1, 9))

    def with_model(**chosen: Any) -> tuple[RenderReport, dict[int, str]]:
        told: list[FrameFile] = []
        report = render(
            source,
            str(out / "a.####.exr"),
            model=quick_model,
            on_frame=told.append,
            **{"settings": QUICK, **chosen},
        )
        assert [frame.number for frame in told] == sorted(frame.number for frame in told)
        return report, {frame.number: frame.how for frame in told}

    return with_model


def path(out: Path, number: int) -> Path:
    """The file of a frame."""
    return out / f"a.{number:04d}.exr"


def test_frames_from_before_are_told_of(run: Run, out: Path) -> None:
    """Each frame asked for is told of once, whether it was made now or not."""
    run(frames="3-4")
    report, how = run()
    assert how == {n: "kept" if n in (3, 4) else "rendered" for n in range(1, 9)}
    assert report.frames == [path(out, n) for n in range(1, 9)]
    assert (report.rendered, report.kept, report.cached) == (6, 2, 0)


def test_finished_frames_are_not_looked_at(run: Run, out: Path) -> None:
    """Frames that somebody vouches for may be anything, the first of them too."""
    run()
    for number in (1, 5):
        path(out, number).write_bytes(b"whatever")
    started: list[tuple[int, int]] = []
    earlier = Earlier(finished={1, 5})
    report, how = run(earlier=earlier, on_start=lambda *counts: started.append(counts))
    assert how == dict.fromkeys((2, 3, 4, 6, 7, 8), "kept")
    assert started == [(0, 6)]
    assert len(report.frames) == 8
    assert path(out, 5).read_bytes() == b"whatever"
    _, how = run(earlier=earlier, overwrite=True)
    assert how == dict.fromkeys((2, 3, 4, 6, 7, 8), "rendered")
    assert path(out, 1).read_bytes() == b"whatever"


def test_all_finished(run: Run, out: Path) -> None:
    """There may be nothing left to do."""
    report, how = run(earlier=Earlier(finished=range(1, 9)))
    assert how == {}
    assert (report.rendered, report.kept, report.cached) == (0, 0, 0)
    assert not out.exists()


def test_spoilt_frames_are_made_again(run: Run, out: Path) -> None:
    """They look finished, and somebody knows better; a foreign file is refused all the same."""
    run()
    before = path(out, 2).read_bytes()
    changed = before[: len(before) // 2] + b"????" + before[len(before) // 2 + 4 :]
    path(out, 2).write_bytes(changed)
    _, how = run(earlier=Earlier(spoilt={2}))
    assert how == {n: "rendered" if n == 2 else "kept" for n in range(1, 9)}
    assert path(out, 2).read_bytes() == before
    path(out, 2).write_bytes(b"the only copy")
    with pytest.raises(InputError, match="was not made by lumivid"):
        run(earlier=Earlier(spoilt={2}))
    assert path(out, 2).read_bytes() == b"the only copy"


def test_frames_of_a_rung_above_are_kept(run: Run, out: Path) -> None:
    """What was made before memory ran out stays beside what is made after."""
    run(frames="2-3")
    tiled = replace(QUICK, tile=9)
    with pytest.raises(InputError, match="made with other settings"):
        run(settings=tiled)
    _, how = run(settings=tiled, earlier=Earlier(settings=[QUICK]))
    assert how == {n: "kept" if n in (2, 3) else "rendered" for n in range(1, 9)}
    told = [str(read_attributes(path(out, n))["lumivid/settings"]) for n in (2, 4)]
    assert '"tile": null' in told[0]
    assert '"tile": 9' in told[1]
    with pytest.raises(InputError, match="made with other settings"):
        run(settings=replace(QUICK, seed=1), earlier=Earlier(settings=[QUICK]))


def test_what_a_kill_left_is_cleared_away(run: Run, out: Path) -> None:
    """Hidden files of frames that are rendered now go, if nobody writes to them any more."""
    out.mkdir()
    names = [".a.0003.0123abcd.exr", ".b.0003.0123abcd.exr"]
    for name in names:
        (out / name).touch()
        os.utime(out / name, (5, 5))
    run(frames="3")
    assert sorted(p.name for p in out.iterdir()) == [names[1], "a.0003.exr"]
