"""What tests share: Hypothesis without deadlines, and tiny random models in real folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("lumivid", deadline=None)  # a busy two-core machine is no failure
settings.load_profile("lumivid")


@pytest.fixture(scope="session")
def tiny_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of LTX-2's own classes with random weights: one stage, 32 pixels a latent."""
    from tests.tiny_model import write_tiny_model

    return write_tiny_model(tmp_path_factory.mktemp("tiny"), stages=1)


@pytest.fixture(scope="session")
def tiny_two_stage_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a latent upsampler, hence two stages."""
    from tests.tiny_model import write_tiny_model

    return write_tiny_model(tmp_path_factory.mktemp("tiny2"), stages=2)
