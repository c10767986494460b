"""Noise: a function of the seed and of the absolute frame, and of nothing else."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lumivid_fx.pipeline.noise import SeededNoise, window_noise
from lumivid_fx.pipeline.windows import cut_windows

SHAPE = (8, 6, 10)


def test_unit_normal() -> None:
    """Mean 0 and deviation 1, and no frame is like another."""
    noise = window_noise(SeededNoise(3), (8, 40, 16, 16), first=0, ratio=8, stage=0)
    assert noise.shape == (1, 8, 40, 16, 16)
    assert noise.dtype == torch.float32
    # 82 thousand samples: both are within 5 standard errors, 1 / sqrt(n) and 1 / sqrt(2 n).
    assert abs(float(noise.mean())) < 5 / noise.numel() ** 0.5
    assert abs(float(noise.std()) - 1) < 5 / (2 * noise.numel()) ** 0.5
    frames = noise[0].transpose(0, 1).flatten(1)
    correlation = torch.corrcoef(frames) - torch.eye(40)
    assert float(correlation.abs().max()) < 0.12  # 5 / sqrt(2048)


@given(st.integers(0, 2**31 - 1), st.integers(1, 400), st.sampled_from([(17, 1), (25, 9), (33, 1)]))
def test_a_frame_has_one_noise(seed: int, frames: int, plan: tuple[int, int]) -> None:
    """Two windows that share frames draw the same noise for them, latent by latent."""
    source, drawn = SeededNoise(seed), dict[int, torch.Tensor]()
    for window in cut_windows(frames, *plan):
        latents = (window.padded - 1) // 8 + 1
        noise = window_noise(source, (1, latents, 2, 2), first=window.first, ratio=8, stage=0)
        for index in range(latents):
            known = drawn.setdefault(window.first + 8 * index, noise[:, :, index])
            assert torch.equal(known, noise[:, :, index])


@pytest.mark.parametrize(
    ("seed", "frame", "stage", "role"),
    [(1, 0, 0, "target"), (0, 8, 0, "target"), (0, 0, 1, "target"), (0, 0, 0, "reference")],
)
def test_what_makes_another_noise(seed: int, frame: int, stage: int, role: str) -> None:
    """Another seed, frame, stage or role; the same again is the same, bit for bit."""
    first = SeededNoise(0).latent(0, SHAPE, stage=0, role="target")
    assert torch.equal(first, SeededNoise(0).latent(0, SHAPE, stage=0, role="target"))
    other = SeededNoise(seed).latent(frame, SHAPE, stage=stage, role=role)
    assert not torch.equal(first, other)


def test_the_global_generator_is_left_alone() -> None:
    """Drawing noise neither uses nor moves the seed of the process."""
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one = SeededNoise(0).latent(0, SHAPE, stage=0, role="target")
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    assert torch.equal(one, SeededNoise(0).latent(0, SHAPE, stage=0, role="target"))
