"""How long the rest of a render will take."""

from __future__ import annotations

import pytest

from lumivid_fx.pipeline.pace import Pace


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
