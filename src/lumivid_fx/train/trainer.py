"""One training loop for every stage: steps, learning rate, EMA, checkpoints, resume.

A stage gives the loop its parameters and a function from step number to loss. All randomness of a
step comes from a generator seeded with (seed, step), so that a resumed run follows the same curve.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Generator, Tensor

Loss = Callable[[int, Generator], Tensor]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn.

    Attributes:
        steps: Optimiser steps in all.
        learning_rate: Peak rate of AdamW.
        warmup: Steps of linear rise before the cosine fall to a twentieth.
        ema: Decay of the averaged weights, which are what is kept.
        clip: Largest norm of the gradient.
        save_every: Steps between checkpoints.
        seed: Seed of all randomness.
    """

    steps: int
    learning_rate: float
    warmup: int = 50
    ema: float = 0.995
    clip: float = 1.0
    save_every: int = 100
    seed: int = 0

    def rate(self, step: int) -> float:
        """Learning rate at a step."""
        rise = min(1.0, (step + 1) / self.warmup)
        fall = 0.525 + 0.475 * math.cos(math.pi * step / self.steps)
        return self.learning_rate * rise * fall


def step_generator(seed: int, step: int, device: str | torch.device = "cpu") -> Generator:
    """Random numbers that depend on device, seed and step alone."""
    return torch.Generator(device).manual_seed(seed * 1_000_003 + step)


def train(
    parameters: Mapping[str, Tensor],
    loss_of_step: Loss,
    schedule: Schedule,
    checkpoint: Path,
    report: Callable[[int, float, float], None],
    device: str | torch.device = "cpu",
) -> dict[str, Tensor]:
    """Run a stage to its end, going on from the checkpoint if there is one.

    Args:
        parameters: Named tensors to learn, changed in place.
        loss_of_step: Loss of one step, given its number and its generator.
        schedule: How long and how fast.
        checkpoint: Safetensors file for weights, averages and optimiser state.
        report: Called every 25 steps with step, mean loss and seconds a step.
        device: Where the parameters are, and each step's generator.

    Returns:
        The averaged weights by name.
    """
    optimiser = torch.optim.AdamW(
        parameters.values(), lr=1.0, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    average = {name: tensor.detach().clone() for name, tensor in parameters.items()}
    start = _resume(checkpoint, parameters, average, optimiser, device)
    losses: list[Tensor] = []
    averages, learned = list(average.values()), list(parameters.values())
    clock = time.monotonic()
    for step in range(start, schedule.steps):
        for group in optimiser.param_groups:
            group["lr"] = schedule.rate(step)
        loss = loss_of_step(step, step_generator(schedule.seed, step, device))
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(learned, schedule.clip)
        optimiser.step()
        decay = min(schedule.ema, (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(averages, learned, 1 - decay)
        losses.append(loss.detach())
        if (step + 1) % 25 == 0:
            mean = float(torch.stack(losses).mean())  # the one wait for the device
            report(step + 1, mean, (time.monotonic() - clock) / len(losses))
            losses, clock = [], time.monotonic()
        if (step + 1) % schedule.save_every == 0 or step + 1 == schedule.steps:
            _save(checkpoint, step + 1, parameters, average, optimiser)
    return average


def _save(
    path: Path,
    step: int,
    parameters: Mapping[str, Tensor],
    average: Mapping[str, Tensor],
    optimiser: torch.optim.Optimizer,
) -> None:
    tensors = {f"weight.{name}": tensor.detach() for name, tensor in parameters.items()}
    tensors |= {f"average.{name}": tensor for name, tensor in average.items()}
    for name, tensor in parameters.items():
        state = optimiser.state[tensor]
        tensors[f"first.{name}"] = state["exp_avg"]
        tensors[f"second.{name}"] = state["exp_avg_sq"]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    kept = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(kept, partial, metadata={"train": json.dumps({"step": step})})
    os.replace(partial, path)


def _resume(
    path: Path,
    parameters: Mapping[str, Tensor],
    average: dict[str, Tensor],
    optimiser: torch.optim.Optimizer,
    device: str | torch.device,
) -> int:
    if not path.exists():
        return 0
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        step = int(json.loads(file.metadata()["train"])["step"])
    tensors = load_file(path, device=str(device))
    with torch.no_grad():
        for name, tensor in parameters.items():
            tensor.copy_(tensors[f"weight.{name}"])
            average[name].copy_(tensors[f"average.{name}"])
            optimiser.state[tensor] = {
                "step": torch.tensor(float(step)),
                "exp_avg": tensors[f"first.{name}"],
                "exp_avg_sq": tensors[f"second.{name}"],
            }
    return step
