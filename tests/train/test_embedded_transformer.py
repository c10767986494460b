"""The embedded model's transformer stages: pairs as tokens, shapes by turns."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKLLTX2Video
from torch import Generator, Tensor

from lumivid_fx.train import embedded_transformer
from lumivid_fx.train.embedded import SHAPES, VAE_CONFIG, Run, Shape
from lumivid_fx.train.embedded_transformer import LOSS_BLOCK, encode_pairs
from lumivid_fx.train.embedded_vae import to_vae
from lumivid_fx.train.pairs import make_pairs
from lumivid_fx.train.scenes import Scenes, made_up_environment

TINY = (
    Shape(9, 32, 48, still=True, share=0.75, batch=2),
    Shape(17, 48, 32, still=False, share=0.25, batch=1),
)


@pytest.fixture(scope="module")
def vae() -> AutoencoderKLLTX2Video:
    """The embedded model's VAE with random weights, and statistics that are not 0 and 1."""
    torch.manual_seed(0)
    vae = AutoencoderKLLTX2Video(**VAE_CONFIG).eval().requires_grad_(False)
    vae.latents_mean.normal_(std=0.1)
    vae.latents_std.uniform_(0.5, 1.5)
    return vae


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run on two made-up maps."""
    maps = [made_up_environment(64, 128, Generator().manual_seed(i)) for i in range(2)]
    return Run(tmp_path, Scenes.of(maps), torch.device("cpu"))


@pytest.mark.parametrize("shape", TINY, ids=["still", "clip"])
def test_tokens_are_the_latents_of_the_pairs(
    vae: AutoencoderKLLTX2Video, run: Run, shape: Shape
) -> None:
    """One row a token in the order frames, rows, columns, normalised by the VAE's statistics."""
    encoded = encode_pairs(vae, run, shape, 2, Generator().manual_seed(1))
    size = (2, shape.frames, shape.height, shape.width)
    pairs = make_pairs(run.scenes, size, Generator().manual_seed(1), still=shape.still)
    for name, codes in (("reference", pairs.reference), ("sdr", pairs.sdr), ("hdr", pairs.hdr)):
        with torch.no_grad():
            latents = vae.encode(to_vae(codes)).latent_dist.mode()
        grid = latents.shape[2:]
        assert tuple(grid) == (1 + (shape.frames - 1) // 8, shape.height // 16, shape.width // 16)
        tokens = encoded[name]
        assert tokens.shape == (2, grid.numel(), 96)
        back = tokens.float().transpose(1, 2).unflatten(2, grid)
        back = back * vae.latents_std.view(-1, 1, 1, 1) + vae.latents_mean.view(-1, 1, 1, 1)
        # Half floats: 11 bits.
        assert torch.allclose(back, latents, rtol=2e-3, atol=2e-3 * float(latents.abs().max()))


def test_a_token_weighs_by_how_much_of_it_clipped(vae: AutoencoderKLLTX2Video, run: Run) -> None:
    """1 where nothing did, 5 where all did; the first latent frame stands for one, others for 8."""
    shape = TINY[1]
    encoded = encode_pairs(vae, run, shape, 3, Generator().manual_seed(2))
    size = (3, shape.frames, shape.height, shape.width)
    clipped = make_pairs(run.scenes, size, Generator().manual_seed(2)).clipped[:, :, 0]

    def expected(frames: slice) -> Tensor:
        cells = clipped[:, frames].unflatten(3, (-1, 16)).unflatten(2, (-1, 16))
        weight: Tensor = 1 + 4 * cells.mean(dim=(1, 3, 5)).flatten(1)
        return weight

    groups = [expected(frames) for frames in (slice(0, 1), slice(1, 9), slice(9, 17))]
    found = encoded["weight"]
    assert found.shape == (3, 3 * 3 * 2, 1)
    assert torch.allclose(found[..., 0].float(), torch.cat(groups, dim=1), rtol=1e-3)  # half floats
    assert float(found.max()) > 1.2  # some of it did


def test_codes_are_means_of_blocks(vae: AutoencoderKLLTX2Video, run: Run) -> None:
    """Of the light's codes and of what clipped, for the first nine frames."""
    shape = TINY[1]
    encoded = encode_pairs(vae, run, shape, 2, Generator().manual_seed(3))
    size = (2, shape.frames, shape.height, shape.width)
    pairs = make_pairs(run.scenes, size, Generator().manual_seed(3))
    for name, whole in (("codes", pairs.hdr), ("clipped", pairs.clipped)):
        blocks = whole[:, :9].unflatten(4, (-1, LOSS_BLOCK)).unflatten(3, (-1, LOSS_BLOCK))
        assert encoded[name].dtype == torch.float16
        assert torch.allclose(encoded[name].float(), blocks.mean(dim=(4, 6)), atol=1e-3)  # halves


def test_latents_are_kept_by_shape_and_share(
    vae: AutoencoderKLLTX2Video, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many clips of each shape as its share says, whole batches of them, no two alike."""
    monkeypatch.setattr(embedded_transformer, "SHAPES", TINY)
    cached = embedded_transformer.cache_latents(vae, run, 8, seed=0)
    assert [len(group["hdr"]) for group in cached] == [6, 2]
    assert len({float(clip.float().sum()) for clip in cached[0]["hdr"]}) == 6


def test_shapes_take_turns_by_their_shares() -> None:
    """Of twenty turns each shape has its share, and the largest never waits for three."""
    turns = embedded_transformer._turns()
    assert [turns.count(place) / 20 for place in range(len(SHAPES))] == [s.share for s in SHAPES]
    assert all(0 in turns[start : start + 3] for start in range(18))
