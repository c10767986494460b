"""Latents are made once, kept under a name that follows their content, and resumed by shard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.train.recipes import tiny_recipe

from lumivid_fx.errors import InputError, LimitError
from lumivid_fx.model.checkpoint import HdrModel, load_model
from lumivid_fx.pipeline.reference import to_vae_range
from lumivid_fx.pipeline.render_window import pack
from lumivid_fx.pipeline.vae import encode
from lumivid_fx.train import latents
from lumivid_fx.train.examples import Example, Examples
from lumivid_fx.train.latents import (
    Geometry,
    LatentCache,
    encode_pair,
    latent_folder,
    make_latents,
    size_bytes,
)
from lumivid_fx.train.recipe import ClipPart, Recipe
from lumivid_fx.train.sources import Sources


@pytest.fixture(scope="module")
def model(quick_model_folder: Path) -> HdrModel:
    """The tiny model, without its LoRA."""
    return load_model(quick_model_folder, lora_strength=0.0)


class Made:
    """Latents of a recipe, and how many pairs were made for them."""

    def __init__(self, recipe: Recipe, model: HdrModel, root: Path) -> None:
        sources = Sources(recipe)
        self.pairs = Examples(recipe, sources)
        self.folder = latent_folder(root, recipe, sources, model)
        counts: list[int] = []
        self.cache: LatentCache = make_latents(
            recipe, self.pairs, model, self.folder, lambda done, _: counts.append(done)
        )
        self.made = counts[-1] - counts[0]


def test_a_batch_holds_what_the_vae_makes_of_its_pairs(tmp_path: Path, model: HdrModel) -> None:
    """Target and reference of the same pair, and how much of each token had clipped."""
    recipe = tiny_recipe(tmp_path, clips={"count": 6})
    made = Made(recipe, model, tmp_path)
    assert made.cache.lengths == [1, 9]
    assert [made.cache.count(n) for n in (1, 9)] == [3, 3]
    target, reference, clipped = made.cache.batch(9, [2, 0])
    assert target.shape == reference.shape == (2, 2 * 4 * 8, 8)
    pair = made.pairs.example(5)
    with torch.no_grad():
        whole = pack(encode(model, to_vae_range(pair.target)))[0]
    assert torch.allclose(target[0], whole, atol=2e-3 * float(whole.abs().max()))  # half floats
    assert float(clipped[0].mean()) == pytest.approx(
        float((pair.clipped[0].mean() + pair.clipped[1:].mean()) / 2), abs=1e-3
    )


def test_a_token_knows_how_much_of_it_had_clipped(model: HdrModel) -> None:
    """The first latent stands for one frame, each later one for eight."""
    codes = torch.full((9, 3, 32, 64), 0.5)
    clipped = torch.zeros(9, 1, 32, 64)
    clipped[0, :, :8, :8] = 1
    clipped[1:3, :, 8:16, :8] = 1
    _, _, share = encode_pair(model, Example(codes, codes, clipped, None))
    assert share.shape == (64, 1)
    expected = torch.zeros(64, 1)
    expected[0] = 1
    expected[32 + 8] = 0.25
    assert torch.equal(share, expected)


def test_the_size_told_is_the_size_on_disk(tmp_path: Path, model: HdrModel) -> None:
    """But for the shards' headers."""
    recipe = tiny_recipe(tmp_path)
    made = Made(recipe, model, tmp_path)
    files = list(made.folder.glob("*.safetensors"))
    told = size_bytes(recipe, Geometry.of(model))
    assert 0 <= sum(f.stat().st_size for f in files) - told < 1000 * len(files)


def test_made_once_and_resumed_by_shard(
    tmp_path: Path, model: HdrModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second run makes nothing; a shard that is gone or cut off is made again, the same."""
    monkeypatch.setattr(latents, "PAIRS_A_SHARD", 2)
    recipe = tiny_recipe(tmp_path, clips={"count": 8})
    first = Made(recipe, model, tmp_path)
    assert first.made == 8
    assert Made(recipe, model, tmp_path).made == 0
    before = first.cache.batch(9, [0, 1, 2, 3])
    gone, cut = sorted(first.folder.glob("0009-*.safetensors"))
    gone.unlink()
    cut.write_bytes(cut.read_bytes()[:100])
    again = Made(recipe, model, tmp_path)
    assert again.made == 4
    for old, new in zip(before, again.cache.batch(9, [0, 1, 2, 3]), strict=True):
        assert torch.equal(old, new)


def test_other_settings_make_other_latents(tmp_path: Path, model: HdrModel) -> None:
    """All that latents depend on changes the folder; how long one trains on them does not."""
    recipe = tiny_recipe(tmp_path)

    def folder(**amended: Any) -> Path:
        other = tiny_recipe(tmp_path, **amended)
        return latent_folder(tmp_path, other, Sources(other), model)

    own = latent_folder(tmp_path, recipe, Sources(recipe), model)
    assert folder(training={"steps": 99}) == own
    assert folder(lora={"rank": 2}) == own
    others = [
        folder(clips={"seed": 1}),
        folder(reference={"degradations": "none"}),
        folder(target={"transfer": "pq_rec2020"}),
    ]
    assert len({own, *others}) == 4


def test_another_vae_makes_other_latents(tmp_path: Path, model: HdrModel) -> None:
    """By its weights, wherever they were read from."""
    recipe = tiny_recipe(tmp_path)
    sources = Sources(recipe)
    own = latent_folder(tmp_path, recipe, sources, model)
    weight = next(iter(model.vae.parameters()))
    kept = weight.detach().clone()
    weight.data[..., 0] += 1e-3
    try:
        assert latent_folder(tmp_path, recipe, sources, model) != own
    finally:
        weight.data.copy_(kept)
    assert latent_folder(tmp_path, recipe, sources, model) == own


def test_clips_that_fill_no_whole_latents_are_refused() -> None:
    """With the size to write."""
    with pytest.raises(InputError, match=r"clips\.width is 100, .* multiple of 32; write 96"):
        Geometry(128, 32, 8).check(ClipPart(count=1, width=100, height=64))


def test_a_full_disk_is_told_before(
    tmp_path: Path, model: HdrModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what is needed and what there is."""
    monkeypatch.setattr(latents, "size_bytes", lambda *_: 10**18)
    with pytest.raises(LimitError, match=r"take 1000000000\.0 GB"):
        Made(tiny_recipe(tmp_path), model, tmp_path)
