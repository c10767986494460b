"""A library of its own for each test, and the official files once for all."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.official_files import CHECKPOINT, write_checkpoint, write_parts


@pytest.fixture(scope="session")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a whole tiny model as Lightricks publishes it."""
    folder = tmp_path_factory.mktemp("official")
    write_checkpoint(folder / CHECKPOINT)
    write_parts(folder)
    return folder


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty library."""
    folder = tmp_path / "library"
    monkeypatch.setenv("LUMIVID_MODELS", str(folder))
    return folder
