"""Models that the pipeline's tests share: random weights in LTX-2's own classes, loaded once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.tiny_model import quick_vae, write_tiny_model

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.model.checkpoint import HdrModel, load_model


@pytest.fixture(scope="session")
def model(tiny_model_folder: Path) -> HdrModel:
    """One stage, 32 pixels a latent."""
    return load_model(tiny_model_folder)


@pytest.fixture(scope="session")
def two_stage_model(tiny_two_stage_folder: Path) -> HdrModel:
    """Two stages, 32 pixels a latent."""
    return load_model(tiny_two_stage_folder)


@pytest.fixture(scope="session")
def quick_model(tmp_path_factory: pytest.TempPathFactory) -> HdrModel:
    """One stage, 8 pixels a latent: small pictures have several latents an edge."""
    folder = tmp_path_factory.mktemp("quick")
    return load_model(write_tiny_model(folder, stages=1, vae=quick_vae()))


@pytest.fixture(scope="session")
def spaces() -> ColorSpaces:
    """The built-in colour config."""
    return ColorSpaces()
