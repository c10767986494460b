"""One small model for the farm's tests, in a folder and loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.tiny_model import quick_vae, write_tiny_model

from lumivid_fx.model.checkpoint import HdrModel, load_model


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One stage, windows of 25 frames that share 9, 8 pixels a latent."""
    return write_tiny_model(tmp_path_factory.mktemp("farm"), stages=1, vae=quick_vae())


@pytest.fixture(scope="session")
def model(model_folder: Path) -> HdrModel:
    """The same, loaded."""
    return load_model(model_folder)
