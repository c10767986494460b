"""The Euler sampler: one loop that reads as its equation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from lumivid_fx.errors import InputError


def thin_sigmas(sigmas: Sequence[float], steps: int) -> tuple[float, ...]:
    """Keep some of a schedule's steps, evenly spread from its first level on, down to 0.

    Args:
        sigmas: Falling noise levels, the last is 0.
        steps: How many steps to take, at least 1; a shorter schedule is kept as it is.

    Returns:
        ``steps + 1`` levels at most: ``(1.0, 0.9875, 0.975, 0.725, 0.0)`` for 4 of LTX-2's 8.

    Raises:
        ValueError: No step at all.
    """
    if steps < 1:
        raise ValueError(f"a schedule needs at least one step, got {steps}")
    there = len(sigmas) - 1
    taken = min(steps, there)
    return (*(sigmas[i * there // taken] for i in range(taken)), sigmas[-1])


def thin_schedule(stages: Sequence[Sequence[float]], steps: int) -> tuple[tuple[float, ...], ...]:
    """A model's noise levels, every stage thinned to the steps asked for.

    Args:
        stages: The model's own levels of each stage.
        steps: As the user gave it; a shorter stage is kept as it is.

    Raises:
        InputError: No step at all, or more than the model has.
    """
    most = max(len(stage) for stage in stages) - 1
    if not 1 <= steps <= most:
        raise InputError(f"steps is {steps}; this model takes 1 to {most}")
    return tuple(thin_sigmas(stage, steps) for stage in stages)


class Latents(NamedTuple):
    """Tokens ``b n c``: the target, and the reference beside it."""

    target: Tensor
    reference: Tensor


Velocity = Callable[[Latents, float, float], Latents]
"""Velocity of both groups, given the tokens, the target's sigma and the reference's sigma."""

StepCallback = Callable[[int, int, Tensor], None]
"""Called after each step with steps done, steps in all and the target; raise to cancel."""


def denoise(
    predict: Velocity,
    noise: Latents,
    initial: Tensor | None,
    reference: Tensor,
    sigmas: Sequence[float],
    on_step: StepCallback,
    reference_strength: float = 1.0,
) -> Tensor:
    """Walk from noise to a clean target while the reference is held.

    A reference of strength 1 stays clean at sigma 0. Below 1 it is noised to ``1 - strength`` of
    the target's sigma and pulled back towards itself after every step.

    Args:
        predict: The network.
        noise: Unit noise for target and reference.
        initial: Clean tokens to start from in a second stage, None for pure noise.
        reference: Clean reference tokens.
        sigmas: Falling noise levels, the last is 0.
        on_step: Progress and cancel.
        reference_strength: In [0, 1].

    Returns:
        The denoised target.
    """
    free = 1.0 - reference_strength
    start = sigmas[0]
    target = start * noise.target
    if initial is not None:
        target = target + (1 - start) * initial
    held = torch.lerp(reference, start * noise.reference, free)
    for step, (sigma, next_sigma) in enumerate(pairwise(sigmas)):
        velocity = predict(Latents(target, held), sigma, sigma * free)
        target = target + (next_sigma - sigma) * velocity.target
        if free:
            denoised = torch.lerp(reference, held - sigma * free * velocity.reference, free)
            held = held + (next_sigma - sigma) * (held - denoised) / sigma
        on_step(step + 1, len(sigmas) - 1, target)
    return target
