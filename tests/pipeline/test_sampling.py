"""The sampler: diffusers' Euler steps over the literal sigmas, with a reference that is held."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.pipelines.ltx2.utils import DISTILLED_SIGMA_VALUES, STAGE_2_DISTILLED_SIGMA_VALUES
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lumivid_fx.model.schedules import DISTILLED_SIGMAS, STAGE_2_SIGMAS
from lumivid_fx.pipeline.sampling import (
    Latents,
    denoise,
)

SHAPE = (1, 12, 8)

ROUNDING = 1e-6
"""Eight Euler steps over values of about 1 in float32: eight roundings of 6e-8, and some room."""


def random(seed: int) -> Tensor:
    """Unit normal tokens."""
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


NOISE = Latents(random(1), random(2))
REFERENCE = random(3)


def velocity(latents: Latents, sigma: float, reference_sigma: float) -> Latents:
    """A velocity that depends on all it is given, as a network's does."""
    both = torch.sin(latents.target + 0.5 * latents.reference)
    return Latents(both * (1 + sigma), both.flip(1) * (1 + reference_sigma))


def run(
    sigmas: Sequence[float], initial: Tensor | None = None, strength: float = 1.0
) -> list[Tensor]:
    """Our sampler's target after each step."""
    states: list[Tensor] = []
    result = denoise(
        velocity,
        NOISE,
        initial,
        REFERENCE,
        sigmas,
        lambda _done, _total, target: states.append(target.clone()),
        strength,
    )
    assert torch.equal(result, states[-1])
    return states


def scheduler(sigmas: Sequence[float], **config: object) -> FlowMatchEulerDiscreteScheduler:
    """A scheduler of diffusers that was given a schedule without its last 0."""
    euler = FlowMatchEulerDiscreteScheduler(**config)
    euler.set_timesteps(sigmas=list(sigmas)[:-1], mu=1.0)
    return euler


@pytest.mark.parametrize("sigmas", [DISTILLED_SIGMAS, STAGE_2_SIGMAS, (1.0, 0.0)])
@pytest.mark.parametrize("second_stage", [False, True])
def test_steps_equal_diffusers(sigmas: tuple[float, ...], second_stage: bool) -> None:
    """After each step the target is that of diffusers' scheduler."""
    initial = random(4) if second_stage else None
    euler = scheduler(sigmas, use_dynamic_shifting=False, shift_terminal=None)
    sample = sigmas[0] * NOISE.target
    if initial is not None:
        start = torch.tensor([sigmas[0] * 1000])
        sample = euler.scale_noise(initial, start, NOISE.target)
    states = run(sigmas, initial)
    assert len(states) == len(sigmas) - 1
    for ours, sigma, timestep in zip(states, sigmas, euler.timesteps, strict=False):
        predicted = velocity(Latents(sample, REFERENCE), sigma, 0.0).target
        sample = euler.step(predicted, timestep, sample).prev_sample
        assert float((ours - sample).abs().max()) < ROUNDING


@pytest.mark.parametrize("sigmas", [DISTILLED_SIGMAS, STAGE_2_SIGMAS])
def test_departure_3_sigmas_are_literal(sigmas: tuple[float, ...]) -> None:
    """A scheduler with the settings of the undistilled model would move them, unasked."""
    literal = scheduler(sigmas, use_dynamic_shifting=False, shift_terminal=None).sigmas
    assert literal.tolist() == pytest.approx(sigmas, abs=1e-7)  # float32 of the same decimals
    shifted = scheduler(sigmas, use_dynamic_shifting=True, shift_terminal=0.1).sigmas
    assert float((shifted - literal).abs().max()) > 0.1


def test_departure_4_stage_2_takes_2_steps() -> None:
    """The HDR schedule leaves out 0.421875, which diffusers' constant for stage 2 has."""
    assert (*DISTILLED_SIGMA_VALUES, 0.0) == DISTILLED_SIGMAS
    assert STAGE_2_SIGMAS == (0.909375, 0.725, 0.0)
    assert (*STAGE_2_DISTILLED_SIGMA_VALUES, 0.0) == (0.909375, 0.725, 0.421875, 0.0)
    assert len(run(STAGE_2_SIGMAS, random(4))) == 2


@given(
    st.floats(0, 1),
    st.sampled_from([1.0, 0.995]),
    st.lists(st.floats(0.01, 0.99), min_size=1, max_size=6, unique=True),
)
def test_departure_6_each_token_has_its_own_sigma(
    strength: float, start: float, levels: list[float]
) -> None:
    """Below strength 1, the formula token by token; the mask m is 1 for noise, 0 for held.

    x0 = (x - v sigma m) m + clean (1 - m), then the step along (x - x0) / sigma for all tokens
    alike. diffusers takes sigma in place of sigma m.
    """
    sigmas = [start, *sorted(levels, reverse=True), 0.0]
    initial, count = random(4), SHAPE[1]
    held = strength * REFERENCE + (1 - strength) * start * NOISE.reference
    x = torch.cat([start * NOISE.target + (1 - start) * initial, held], dim=1).double()
    clean = torch.cat([initial, REFERENCE], dim=1).double()
    mask = torch.cat([torch.ones(count), torch.full((count,), 1 - strength)]).double()[:, None]
    for sigma, following in pairwise(sigmas):
        state = Latents(x[:, :count], x[:, count:])
        v = torch.cat(velocity(state, sigma, sigma * (1 - strength)), dim=1)
        x0 = (x - v * sigma * mask) * mask + clean * (1 - mask)
        x = x + (following - sigma) * (x - x0) / sigma
    ours = run(sigmas, initial, strength)[-1]
    # Our own arithmetic is in float32, the formula's in float64.
    assert float((ours - x[:, :count]).abs().max()) < 1e-5


def test_reference_is_held_at_strength_1() -> None:
    """Every step sees the very reference that was given, at sigma 0."""
    seen: list[tuple[Tensor, float, float]] = []

    def look(latents: Latents, sigma: float, reference_sigma: float) -> Latents:
        seen.append((latents.reference, sigma, reference_sigma))
        return velocity(latents, sigma, reference_sigma)

    denoise(look, NOISE, None, REFERENCE, DISTILLED_SIGMAS, lambda *_: None)
    assert all(torch.equal(reference, REFERENCE) for reference, _, _ in seen)
    assert [sigma for _, sigma, _ in seen] == list(DISTILLED_SIGMAS[:-1])
    assert {reference_sigma for _, _, reference_sigma in seen} == {0.0}


def test_steps_are_told_and_may_stop_it() -> None:
    """The callback counts up to all steps; what it raises ends the walk there."""
    told: list[tuple[int, int]] = []

    def stop(done: int, total: int, _target: Tensor) -> None:
        told.append((done, total))
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        denoise(velocity, NOISE, None, REFERENCE, DISTILLED_SIGMAS, stop)
    assert told == [(1, 8), (2, 8), (3, 8)]
