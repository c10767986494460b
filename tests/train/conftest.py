"""A tiny random model whose latents are 8 pixels wide, so that small clips have many."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def quick_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of LTX-2's own classes with random weights, 8 pixels a latent."""
    from tests.tiny_model import quick_vae, write_tiny_model

    return write_tiny_model(tmp_path_factory.mktemp("quick"), stages=1, vae=quick_vae())
