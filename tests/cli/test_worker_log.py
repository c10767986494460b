"""What a watched job tells: on a terminal, in a log file, to a program."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Literal

import pytest
from rich.console import Console

from lumivid_fx.cli.worker_log import JobLog
from lumivid_fx.client import FinishedFrame
from lumivid_fx.protocol.messages import Done, Progress

JOB = "0" * 32


def finished(
    number: int, how: Literal["rendered", "kept", "cache"] = "rendered", clipped: float = 0.0
) -> FinishedFrame:
    """A frame on disk."""
    path = f"/show/p.{number:04d}.exr"
    return FinishedFrame(number, path, how, "0" * 64, 1, None, "lin_rec709", clipped, 3, None)


def running(step: int, frames: int, note: str = "", eta: float | None = None) -> Progress:
    """The second of two windows of four steps."""
    return Progress(
        job=JOB,
        state="running",
        phase="denoise",
        frames=frames,
        total=10,
        step=step,
        steps=4,
        window=2,
        windows=2,
        eta_s=eta,
        note=note,
    )


def test_bar_shows_what_a_render_of_ones_own_does() -> None:
    """Phase, step, frames and the time that is left; a note stands above."""
    screen = io.StringIO()
    with JobLog(console=Console(file=screen, force_terminal=True, width=120)) as log:
        log.on_progress(running(3, 5, "memory ran out; tiles of [32]", 200.0))
        log.on_frame(finished(5))
    shown = screen.getvalue()
    assert "window 2 of 2, denoise 3 of 4" in shown
    assert "5 of 10 frames" in shown
    assert "3 min 20 s left" in shown
    assert "note: memory ran out; tiles of [32]" in shown  # and no markup is seen in it
    assert log.finished == 5


def test_plain_lines_name_each_thing_once(capsys: pytest.CaptureFixture[str]) -> None:
    """In a log file a phase is one line, and so is a note, however often they come."""
    with JobLog(console=Console(file=io.StringIO())) as log:
        log.on_progress(Progress(job=JOB, state="queued", ahead=2))
        log.on_progress(Progress(job=JOB, state="queued", ahead=1))
        log.on_progress(Progress(job=JOB, state="queued"))
        for step in (1, 2, 3):
            log.on_progress(running(step, 0, "fewer frames at once"))
        log.on_frame(finished(1, "kept"))
        log.on_progress(running(4, 1, eta=5.0))
        log.on_frame(finished(2))
        log.on_progress(Progress(job=JOB, state="cancelling"))
        log.on_progress(Progress(job=JOB, state="cancelled"))
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        "waiting for 2 jobs before this",
        "waiting for one job before this",
        "waiting for the worker",
        "note: fewer frames at once",
        "window 2 of 2, denoise",
        "frame 2 is done, 2 of 10, 5 s left",
        "stopping after the step that is under way",
    ]


def test_summary_counts_what_was_made_now(capsys: pytest.CaptureFixture[str]) -> None:
    """Shares are those of rendered frames; a note that nobody saw yet is told at last."""
    done = Done(
        job=JOB, state="done", frames=4, kept=1, cached=1, seconds=3.0, notes=("smaller tiles",)
    )
    for as_json in (False, True):
        log = JobLog(as_json=as_json, console=Console(file=io.StringIO()))
        for frame in (
            finished(1, "kept", 0.9),
            finished(2, "cache", 0.9),
            finished(3, clipped=0.01),
            finished(4, clipped=0.03),
        ):
            log.frames.append(frame)
        log.on_end(done, Path("sheet.png"))
    told = capsys.readouterr()
    *words, last = told.out.splitlines()
    assert words == [
        "2 frames rendered in 3 s, 1.50 s a frame; 1 kept from before, 1 from the cache",
        "from /show/p.0001.exr to /show/p.0004.exr",
        "model samples outside its curve, clamped: 2 %",
        "samples beyond half float, clamped: 6",
        "contact sheet: sheet.png",
    ]
    assert told.err == "note: smaller tiles\n"
    summary = json.loads(last)
    assert summary["model_clipped_share"] == pytest.approx(0.02)
    assert (summary["rendered"], summary["half_clamped"]) == (2, 6)
    assert summary["seconds_per_frame"] == 1.5
    assert summary["notes"] == ["smaller tiles"]


def test_nothing_to_render_is_told_without_a_pace(capsys: pytest.CaptureFixture[str]) -> None:
    """A job that found all its frames took no time a frame."""
    done = Done(job=JOB, state="done", frames=3, kept=3, seconds=0.2)
    JobLog(console=Console(file=io.StringIO())).on_end(done)
    assert capsys.readouterr().out == "0 frames rendered; 3 kept from before\n"
