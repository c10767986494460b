"""Training pairs as tokens, with the shipped VAE."""

from __future__ import annotations

import pytest
import torch
from diffusers import AutoencoderKLLTX2Video

from lumivid_fx.model.checkpoint import EMBEDDED
from lumivid_fx.train.embedded import HEIGHT, WIDTH, Pair, encode_pair


@pytest.mark.parametrize(("frames", "groups"), [(1, 1), (9, 2)])
def test_every_token_has_its_weight(frames: int, groups: int) -> None:
    """A still is one latent frame, nine frames are two; a clipped token weighs 5, another 1."""
    vae = AutoencoderKLLTX2Video.from_pretrained(EMBEDDED / "vae", dtype=torch.float32)
    codes = torch.rand(frames, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    clipped = torch.zeros(frames, 1, HEIGHT, WIDTH)
    clipped[..., :16, :16] = 1
    pair = encode_pair(vae, Pair(codes, codes, codes, clipped))
    tokens = (HEIGHT // 16) * (WIDTH // 16)
    assert pair.reference.shape == pair.sdr.shape == pair.hdr.shape == (groups * tokens, 64)
    expected = torch.ones(groups * tokens, 1)
    expected[::tokens] = 5
    assert torch.equal(pair.weight, expected)
