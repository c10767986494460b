"""Durations as people say them."""

from __future__ import annotations

import pytest

from lumivid_fx.cli.phase_bar import brief_time


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
