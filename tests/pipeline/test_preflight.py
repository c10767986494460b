"""What is refused before a render starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumivid_fx.errors import InputError
from lumivid_fx.pipeline.preflight import check_settings, choose_windows, require_writable
from lumivid_fx.pipeline.render_shot import ShotSettings
from lumivid_fx.pipeline.windows import cut_windows


@given(
    settings=st.builds(
        ShotSettings,
        window=st.none() | st.integers(-4, 60),
        overlap=st.none() | st.integers(-4, 40),
    ),
    length=st.sampled_from([9, 17, 25, 49, 121]),
)
def test_chosen_windows_can_be_cut(settings: ShotSettings, length: int) -> None:
    """Whatever the user gives is refused in a sentence, or is a plan that covers every shot."""
    overlap = min(9, (length - 1) // 2 // 8 * 8 + 1)
    try:
        chosen = choose_windows(settings, length, overlap, 8)
    except InputError:
        return
    assert chosen.window is not None
    assert chosen.overlap is not None
    windows = cut_windows(100, chosen.window, chosen.overlap, 8)
    assert windows[-1].last == 99
    assert settings.window in (None, chosen.window)
    assert settings.overlap in (None, chosen.overlap)


def test_short_window_takes_a_shorter_overlap() -> None:
    """A window of 9 cannot share the model's 9 frames; it shares 1."""
    chosen = choose_windows(ShotSettings(window=9), 49, 9, 8)
    assert (chosen.window, chosen.overlap) == (9, 1)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (ShotSettings(window=20), "window is 20 frames, and the model takes 8k+1 of them; give 17"),
        (ShotSettings(window=1), "window is 1 frames, and the model takes 8k+1 of them; give 9"),
        (ShotSettings(overlap=0), "overlap is 0 frames, and the model takes 8k+1 of them; give 1"),
        (ShotSettings(window=17, overlap=17), "overlap is 17 frames, more than half of a window"),
    ],
)
def test_lengths_off_the_rule_name_the_nearest(settings: ShotSettings, told: str) -> None:
    """The message names what was given and what would do."""
    with pytest.raises(InputError) as refused:
        choose_windows(settings, 49, 9, 8)
    assert told in str(refused.value)


def test_defaults_pass() -> None:
    """Nobody has to set anything."""
    check_settings(ShotSettings(), "zip")


def test_plate_size_for_the_model_is_0() -> None:
    """Model size 0 is the plate's own; 1 to 15 are too small."""
    check_settings(ShotSettings(model_size=0), "zip")
    with pytest.raises(InputError, match="model size is 15; give at least 16 pixels"):
        check_settings(ShotSettings(model_size=15), "zip")


def test_writable_place_passes_and_is_not_made(tmp_path: Path) -> None:
    """The check leaves no folder behind."""
    require_writable(tmp_path / "a" / "b" / "p.0001.exr")
    assert list(tmp_path.iterdir()) == []


def test_locked_folder_is_refused(tmp_path: Path) -> None:
    """A folder without write permission is told before the first window."""
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    with pytest.raises(InputError, match="change its permissions"):
        require_writable(locked / "p.0001.exr")
