"""What a render tells while it runs."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from lumivid_fx.cli.render_log import RenderLog
from lumivid_fx.color.transfer import ClipCount
from lumivid_fx.pipeline.frame_file import FrameFile
from lumivid_fx.pipeline.render_shot import Progress


def finished(number: int) -> FrameFile:
    """A frame that was rendered."""
    return FrameFile(number, Path(f"p.{number:04d}.exr"), "rendered", ClipCount(1, 2, 3))


def test_bar_shows_frames_phase_and_time() -> None:
    """On a terminal one bar tells what is being done, how many frames are done, what is left."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    with RenderLog(console=console) as log:
        log.steps_per_window = 2
        log.on_start(4, 3)
        log.on_progress(Progress("denoise", 1, 2, 1, 1))
        log.on_progress(Progress("denoise", 2, 2, 1, 1))
        log.on_frame(FrameFile(9, Path("p.0009.exr"), "kept"))
        log.on_frame(finished(1))
        log.on_frame(finished(2))
    shown = screen.getvalue()
    assert "window 1 of 1, denoise 2 of 2" in shown
    assert "2 of 4 frames" in shown
    assert "left" in shown
    assert log.finished == 3 + 2


def test_plain_lines_name_each_phase_once(capsys: pytest.CaptureFixture[str]) -> None:
    """In a log file a window is one line, not one a step."""
    with RenderLog(console=Console(file=io.StringIO())) as log:
        log.on_start(1, 0)
        for step in (1, 2, 3):
            log.on_progress(Progress("denoise", step, 3, 1, 1))
        log.on_frame(FrameFile(6, Path("p.0006.exr"), "kept"))
        log.on_frame(finished(7))
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == ["window 1 of 1, denoise", "frame 7 is done, 1 of 1"]
