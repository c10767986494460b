"""A window is the same window, wherever the model's weights wait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lumivid_fx.model.checkpoint import HdrModel, read_model
from lumivid_fx.model.placement import place, release
from lumivid_fx.model.residency import Way
from lumivid_fx.pipeline.noise import SeededNoise
from lumivid_fx.pipeline.render_window import Sampling, render_window


def codes(model: HdrModel) -> Tensor:
    """A window through both stages."""
    picture = torch.rand(9, 3, 40, 70, generator=torch.Generator().manual_seed(3))
    sampling = Sampling(SeededNoise(1), model.manifest.sigmas, fps=24.0)
    return render_window(model, picture, 0, sampling, lambda *_: None)


def held(folder: Path, way: Way) -> HdrModel:
    """The model, held in a way."""
    return place(read_model(folder, dtype=torch.float32), "cpu", way)


@pytest.mark.parametrize("name", ["offload", "stream"])
def test_two_stages_are_the_same_bits(
    two_stage_model: HdrModel, tiny_two_stage_folder: Path, name: Any
) -> None:
    """Encoder, transformer, upsampler and decoder, each there for its turn."""
    moved = held(tiny_two_stage_folder, Way(name, kept=1))
    assert torch.equal(codes(moved), codes(two_stage_model))
    assert moved.digest == two_stage_model.digest


def test_a_model_in_fp8_is_another_model(
    two_stage_model: HdrModel, tiny_two_stage_folder: Path
) -> None:
    """Its frames are near the others, never taken for them."""
    rounded = held(tiny_two_stage_folder, Way("fp8"))
    whole, near = codes(two_stage_model), codes(rounded)
    assert 0 < float((near - whole).abs().max()) < 0.3 * float(whole.max() - whole.min())
    assert rounded.digest != two_stage_model.digest


def test_weights_are_let_go_of_whoever_holds_the_model(tiny_two_stage_folder: Path) -> None:
    """There may not be memory for two models while one is exchanged for the other."""
    for way in (Way(), Way("offload"), Way("stream")):
        model = held(tiny_two_stage_folder, way)
        release(model)
        assert not any(p.numel() for p in model.transformer.parameters())
        assert not any(p.numel() for p in model.vae.parameters())
