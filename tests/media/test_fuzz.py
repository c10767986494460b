"""A few hundred damaged files; ``make fuzz`` reads two thousand."""

from __future__ import annotations

from pathlib import Path

from .fuzz import run_cases


def test_damaged_files(tmp_path: Path) -> None:
    """No crash, no hang, bounded memory, a sentence or a plate, no partial frame."""
    outcomes, wrongs = run_cases(range(300), seed=1, folder=tmp_path, readers=1)
    assert wrongs == []
    assert outcomes.total() == 300
    kinds = {name.split()[0] for name in outcomes}
    assert kinds == {".exr", ".png", ".tif", ".jpg", ".dpx", ".mp4", ".mov", ".mkv", ".mxf"}
    refused = sum(count for name, count in outcomes.items() if name.endswith("refused"))
    assert refused > 100  # the wounds are such that most files do not survive them
