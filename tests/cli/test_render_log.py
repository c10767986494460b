"""What a render tells while it runs."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from lumivid_fx.cli.render_log import Pace, RenderLog, brief_time
from lumivid_fx.color.transfer import ClipCount
from lumivid_fx.media import Frame, Windows
from lumivid_fx.pipeline.render_shot import FinishedFrame, Progress


def finished(number: int) -> FinishedFrame:
    """A frame of one pixel."""
    rgb = np.zeros((1, 1, 3), np.float32)
    frame = Frame(number, rgb, None, Windows.whole(1, 1), {})
    return FinishedFrame(frame, rgb, ClipCount(1, 2, 3))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations_are_written_as_said(seconds: float, words: str) -> None:
    """Two units at most, rounded to the second."""
    assert brief_time(seconds) == words


def test_time_left_counts_steps_and_frames_apart() -> None:
    """Sampler steps of 2 s and frames of 0.5 s each weigh what they take."""
    pace = Pace(steps=4, frames=10, at=100.0)
    assert pace.left is None
    pace.step(102.0)
    pace.step(104.0)
    assert pace.left is None  # no frame to judge by
    pace.frame(104.5)
    assert pace.left == pytest.approx(2 * 2.0 + 9 * 0.5)
    assert pace.seconds == pytest.approx(4.5)


def test_nothing_is_left_after_the_last_frame() -> None:
    """A render that is done does not promise a time."""
    pace = Pace(steps=1, frames=1, at=0.0)
    pace.step(1.0)
    pace.frame(2.0)
    assert pace.left is None


def test_bar_shows_frames_phase_and_time() -> None:
    """On a terminal one bar tells what is being done, how many frames are done, what is left."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    with RenderLog(console=console) as log:
        log.steps_per_window = 2
        log.on_start(4, 3)
        log.on_progress(Progress("denoise", 1, 2, 1, 1))
        log.on_progress(Progress("denoise", 2, 2, 1, 1))
        log.on_frame(Path("p.0001.exr"), finished(1))
        log.on_frame(Path("p.0002.exr"), finished(2))
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
        log.on_frame(Path("p.0007.exr"), finished(7))
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == ["window 1 of 1, denoise", "frame 7 is done, 1 of 1"]
