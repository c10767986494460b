"""The model that ships with the package is a model folder like any other, and a small one."""

from __future__ import annotations

import torch

from lumivid_fx.model.checkpoint import EMBEDDED, load_model
from lumivid_fx.model.video_only import is_audio

from .model_folders import read_tensors

MEGABYTE = 2**20


def test_it_loads() -> None:
    """Without a folder the embedded model is loaded, float32 on the CPU, in LogC3."""
    model = load_model()
    assert model.manifest.name == "embedded"
    assert model.transfer.name == "logc3_rec709"
    assert model.lora == ("hdr_lora.safetensors", 1.0)
    assert all(p.dtype == torch.float32 for p in model.transformer.parameters())
    # Like the real one: a latent covers one frame, then eight each.
    assert model.temporal_ratio == 8


def test_it_is_small() -> None:
    """Under 60 MB in all, no file over 16 MB, and no weight for audio among them."""
    files = [p for p in EMBEDDED.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) < 60 * MEGABYTE
    assert max(p.stat().st_size for p in files) <= 16 * MEGABYTE
    assert {p.suffix for p in files} <= {".safetensors", ".json", ".toml", ".md"}
    for path in (EMBEDDED / "transformer").glob("*.safetensors"):
        assert not [name for name in read_tensors(path) if is_audio(name)]


def test_its_numbers_are_finite() -> None:
    """No weight is NaN or infinite, which half precision could have made of a large one."""
    for path in EMBEDDED.rglob("*.safetensors"):
        for name, tensor in read_tensors(path).items():
            assert bool(torch.isfinite(tensor).all()), name


def test_it_names_no_place_of_its_makers() -> None:
    """Configs hold settings alone, not the folder that a training run was saved in."""
    for path in EMBEDDED.rglob("*.json"):
        assert "_name_or_path" not in path.read_text("utf-8"), path
