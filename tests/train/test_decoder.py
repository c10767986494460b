"""The decoder's own stage: what a model foretells, crops about clipped areas, a weighted loss."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Generator

from lumivid_fx.model.checkpoint import HdrModel, load_model
from lumivid_fx.train import decoder
from lumivid_fx.train.decoder import (
    CLIPPED,
    RING,
    RING_PIXELS,
    Example,
    crop,
    decoder_loss,
    foretell,
    train_decoder,
)
from lumivid_fx.train.scenes import Scenes, made_up_environment
from lumivid_fx.train.trainer import Schedule


@pytest.fixture
def tiny(tiny_model_folder: Path) -> HdrModel:
    """Random weights, 32 pixels a latent."""
    return load_model(tiny_model_folder)


@pytest.fixture
def scenes() -> Scenes:
    """Two made-up maps."""
    return Scenes.of(
        [made_up_environment(64, 128, Generator().manual_seed(seed)) for seed in range(2)]
    )


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clips of a few latents: a still, and one that moves."""
    monkeypatch.setattr(decoder, "SHAPES", ((9, 64, 96, True), (9, 64, 64, False)))
    monkeypatch.setattr(decoder, "EDGE", 2)


@pytest.mark.usefixtures("small")
def test_examples_are_what_the_model_foretells(tiny: HdrModel, scenes: Scenes) -> None:
    """By turns a still, kept as one frame, and a clip; each from its seed and place alone."""
    still, moving = foretell(tiny, scenes, 2, seed=3)
    assert still.latents.shape == (8, 2, 2, 3)
    assert moving.latents.shape == (8, 2, 2, 2)
    assert [still.codes.shape, moving.codes.shape] == [(1, 3, 64, 96), (9, 3, 64, 64)]
    assert [still.clipped.shape, moving.clipped.shape] == [(1, 1, 64, 96), (9, 1, 64, 64)]
    again = next(foretell(tiny, scenes, 1, seed=3))
    other = next(foretell(tiny, scenes, 1, seed=4))
    assert torch.equal(again.latents, still.latents)
    assert not torch.equal(other.codes, still.codes)


@pytest.mark.usefixtures("small")
def test_the_decoder_learns_and_nothing_else_moves(
    tiny: HdrModel, scenes: Scenes, tmp_path: Path
) -> None:
    """Eight steps on one still lower the loss by more than a tenth, and leave a file that fits."""
    examples = list(foretell(tiny, scenes, 1, seed=5))
    encoder = {name: x.clone() for name, x in tiny.vae.encoder.state_dict().items()}
    before = {name: x.clone() for name, x in tiny.vae.decoder.state_dict().items()}
    schedule = Schedule(steps=8, learning_rate=3e-4, warmup=0, ema=0.0, report_every=1)
    losses = list[float]()
    train_decoder(tiny, examples, schedule, 2, tmp_path, lambda _, loss, __: losses.append(loss))
    assert len(losses) == 8
    assert losses[-1] < 0.9 * losses[0]
    after = tiny.vae.decoder.state_dict()
    assert any(not torch.equal(after[name], x) for name, x in before.items())
    assert all(torch.equal(tiny.vae.encoder.state_dict()[name], x) for name, x in encoder.items())
    assert not any(parameter.requires_grad for parameter in tiny.vae.parameters())
    tiny.vae.decoder.load_state_dict(load_file(tmp_path / "decoder.safetensors"), strict=True)


def test_a_crop_is_taken_where_about_half_is_clipped() -> None:
    """The right half is clipped: with many tries a crop stands across the edge, whole latents."""
    clipped = torch.zeros(1, 1, 256, 512, dtype=torch.uint8)
    clipped[..., 256:] = 1
    places = torch.arange(8 * 16.0).view(1, 1, 8, 16)
    codes = places[0].repeat_interleave(32, 1).repeat_interleave(32, 2).expand(1, 3, -1, -1)
    example = Example(places, codes, clipped)
    shares = list[float]()
    for seed in range(40):
        latents, light, lost = crop(example, 32, Generator().manual_seed(seed))
        assert latents.shape == (1, 1, 8, 8)
        assert light.shape == (1, 3, 256, 256)
        assert torch.equal(light[0, 0, ::32, ::32], latents[0, 0])  # pixels of these very latents
        shares.append(float(lost.float().mean()))
    # One place drawn evenly from nine would be off by a quarter on average, the best of three by
    # an eighth.
    assert sum(abs(share - 0.5) for share in shares) / len(shares) < 0.18


def test_the_loss_asks_most_of_what_clipped_and_least_beside_it() -> None:
    """The same error costs most in a clipped pixel, and next to nothing just beside it."""
    codes = torch.full((1, 1, 3, 64, 96), 0.4)
    clipped = torch.zeros(1, 1, 1, 64, 96)
    clipped[..., :16] = 1

    def cost(columns: slice) -> float:
        told = codes.clone()
        told[..., columns] += 0.2
        return float(decoder_loss(told, codes, clipped))

    assert float(decoder_loss(codes, codes, clipped)) == 0
    inside, ring, far = cost(slice(0, 8)), cost(slice(16, 16 + RING_PIXELS)), cost(slice(64, 72))
    assert inside > far > ring > 0
    # Pixels weigh as the constants say; means of blocks soften that a little.
    assert inside / far == pytest.approx(CLIPPED, rel=0.4)
    assert ring / far < 3 * RING


def test_a_light_that_is_too_dim_as_a_whole_costs_more_than_grain() -> None:
    """Of two errors of one size, the one that is the same all over a highlight costs more."""
    codes = torch.full((1, 1, 3, 32, 32), 0.6)
    clipped = torch.ones(1, 1, 1, 32, 32)
    signs = 1 - 2 * ((torch.arange(32)[:, None] + torch.arange(32)) % 2).float()
    dim, grain = codes - 0.1, codes + 0.1 * signs
    assert decoder_loss(dim, codes, clipped) > 1.5 * decoder_loss(grain, codes, clipped)
