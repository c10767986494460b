"""Models that the pipeline's tests share: random weights in LTX-2's own classes, loaded once."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.tiny_model import quick_vae, write_tiny_model
from torch import nn

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
def local_model(quick_model: HdrModel) -> HdrModel:
    """A model whose VAE looks mostly near in space and time, as trained ones do."""
    vae = copy.deepcopy(quick_model.vae)
    taps = torch.full((3, 3, 3), 0.2)
    taps[1, 1, 1] = 1
    with torch.no_grad():
        for layer in vae.modules():
            if isinstance(layer, nn.Conv3d) and layer.kernel_size == (3, 3, 3):
                layer.weight.mul_(taps)
    return replace(quick_model, vae=vae)


@pytest.fixture(scope="session")
def spaces() -> ColorSpaces:
    """The built-in colour config."""
    return ColorSpaces()
