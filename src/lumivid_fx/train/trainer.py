"""One training loop for every stage: steps, learning rate, EMA, checkpoints, resume.

A stage gives the loop its parameters and a function from step number to loss. All randomness of a
step comes from a generator seeded with (seed, step), and a checkpoint holds all that the next step
depends on, so that a run that was killed follows the same curve, loss for loss.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Generator, Tensor

from lumivid_fx.errors import CancelledError, InputError, RenderError
from lumivid_fx.media.whole_file import whole_file
from lumivid_fx.train.peers import ALONE, Peers

Loss = Callable[[int, Generator], Tensor]
"""Loss of one step, given its number and its generator, which lies on the parameters' device."""

Report = Callable[[int, float, float], None]
"""Told now and then: steps done, mean loss since it was last told, seconds a step."""


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
        report_every: Steps between reports.
    """

    steps: int
    learning_rate: float
    warmup: int = 50
    ema: float = 0.995
    clip: float = 1.0
    save_every: int = 100
    seed: int = 0
    report_every: int = 25

    def rate(self, step: int) -> float:
        """Learning rate at a step."""
        rise = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        fall = 0.525 + 0.475 * math.cos(math.pi * step / self.steps)
        return self.learning_rate * rise * fall


@dataclass(frozen=True)
class Step:
    """A step that was made.

    Attributes:
        done: Steps made so far, this one included.
        loss: Its loss, averaged over all processes.
        rate: Learning rate it was made with.
        norm: Norm of its gradient, before clipping.
        average: Averaged weights after it, by name; not to be changed.
    """

    done: int
    loss: float
    rate: float
    norm: float
    average: Mapping[str, Tensor]


def step_generator(seed: int, step: int, device: torch.device | str = "cpu") -> Generator:
    """Random numbers that depend on seed and step alone."""
    return torch.Generator(device).manual_seed(seed * 1_000_003 + step)


def train(
    parameters: Mapping[str, Tensor],
    loss_of_step: Loss,
    schedule: Schedule,
    checkpoint: Path,
    report: Report,
    *,
    after_step: Callable[[Step], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
    peers: Peers = ALONE,
    settings: str = "",
) -> dict[str, Tensor]:
    """Run a stage to its end, going on from the checkpoint if there is one.

    Args:
        parameters: Named tensors to learn, changed in place; all on one device.
        loss_of_step: Loss of one step.
        schedule: How long and how fast.
        checkpoint: Safetensors file for weights, averages and optimiser state.
        report: Called every `report_every` steps.
        after_step: Called after every step; it makes the loop wait for the loss, so leave it out
            where a GPU would idle.
        stop: Asked before every step; once true, what was learned is saved and the run ends.
        peers: The other processes of this run.
        settings: What the run is made with, in any form that is the same for the same settings.

    Returns:
        The averaged weights by name.

    Raises:
        InputError: The checkpoint is damaged, or was made with other settings.
        RenderError: The loss is no number any more; the last checkpoint stays.
        CancelledError: It was asked to stop; the checkpoint holds every step that was made.
    """
    tensors = list(parameters.values())
    device = tensors[0].device
    optimiser = torch.optim.AdamW(tensors, lr=1.0, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    average = {name: tensor.detach().clone() for name, tensor in parameters.items()}
    averages = list(average.values())
    start, losses = _resume(checkpoint, parameters, average, optimiser, settings)
    clock, first = time.monotonic(), start
    for step in range(start, schedule.steps):
        if peers.agree(stop()):
            _save(checkpoint, step, losses, parameters, average, optimiser, settings, peers)
            raise CancelledError(f"training was stopped after step {step}, and goes on from there")
        rate = schedule.rate(step)
        for group in optimiser.param_groups:
            group["lr"] = rate
        turn = step * peers.count + peers.rank
        loss = loss_of_step(step, step_generator(schedule.seed, turn, device))
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        told = loss.detach().float().reshape(1)
        peers.average([*(t.grad for t in tensors if t.grad is not None), told])
        norm = torch.nn.utils.clip_grad_norm_(tensors, schedule.clip)
        optimiser.step()
        decay = min(schedule.ema, (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(averages, tensors, 1 - decay)
        losses.append(told)
        done = step + 1
        if after_step is not None:
            after_step(Step(done, float(told), rate, float(norm), average))
        if done % schedule.report_every == 0:
            report(done, _mean(losses, done), (time.monotonic() - clock) / (done - first))
            losses, clock, first = [], time.monotonic(), done
        if done % schedule.save_every == 0 or done == schedule.steps:
            _save(checkpoint, done, losses, parameters, average, optimiser, settings, peers)
    return average


def steps_done(checkpoint: Path) -> int:
    """How many steps a checkpoint holds; 0 where there is none.

    Raises:
        InputError: It is damaged.
    """
    return _told(checkpoint).step if checkpoint.exists() else 0


class _Told(NamedTuple):
    """What a checkpoint says of itself: steps made, losses not yet reported, and its settings."""

    step: int
    losses: list[float]
    settings: str


def _mean(losses: list[Tensor], done: int) -> float:
    mean = float(torch.cat(losses).mean()) if losses else 0.0
    if not math.isfinite(mean):
        raise RenderError(
            f"the loss is no number any more at step {done}; lower learning_rate, remove the "
            "checkpoint if it was saved too late, and run it again"
        )
    return mean


def _save(
    path: Path,
    step: int,
    losses: list[Tensor],
    parameters: Mapping[str, Tensor],
    average: Mapping[str, Tensor],
    optimiser: torch.optim.Optimizer,
    settings: str,
    peers: Peers,
) -> None:
    """Write a checkpoint, whole or not at all; one that holds no numbers is not written."""
    _mean(losses, step)
    if peers.rank == 0:
        tensors = {f"weight.{name}": tensor.detach() for name, tensor in parameters.items()}
        tensors |= {f"average.{name}": tensor for name, tensor in average.items()}
        for name, tensor in parameters.items():
            if state := optimiser.state[tensor]:
                tensors[f"first.{name}"] = state["exp_avg"]
                tensors[f"second.{name}"] = state["exp_avg_sq"]
        told = _Told(step, [float(loss) for loss in losses], settings)._asdict()
        kept = {name: tensor.contiguous() for name, tensor in tensors.items()}
        with whole_file(path, str(path)) as beside:
            save_file(kept, beside, metadata={"train": json.dumps(told)})
    peers.wait()


def _told(path: Path) -> _Told:
    try:
        with safe_open(path, "pt") as file:
            told = json.loads(file.metadata()["train"])
            losses = [float(loss) for loss in told.get("losses", [])]
            return _Told(int(told["step"]), losses, str(told.get("settings", "")))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is not a whole checkpoint ({error}); remove it to begin anew"
        ) from error


def _resume(
    path: Path,
    parameters: Mapping[str, Tensor],
    average: dict[str, Tensor],
    optimiser: torch.optim.Optimizer,
    settings: str,
) -> tuple[int, list[Tensor]]:
    if not path.exists():
        return 0, []
    told = _told(path)
    with safe_open(path, "pt") as file:
        names = set(file.keys())
        fits = {n.removeprefix("weight.") for n in names if n.startswith("weight.")}
        if told.settings != settings or fits != set(parameters):
            raise InputError(
                f"{path} was made with other settings; choose another --run, or remove it to begin "
                "anew"
            )
        with torch.no_grad():
            for name, tensor in parameters.items():
                tensor.copy_(file.get_tensor(f"weight.{name}"))
                average[name].copy_(file.get_tensor(f"average.{name}"))
                if f"first.{name}" in names:
                    optimiser.state[tensor] = {
                        "step": torch.tensor(float(told.step), device=tensor.device),
                        "exp_avg": file.get_tensor(f"first.{name}").to(tensor.device),
                        "exp_avg_sq": file.get_tensor(f"second.{name}").to(tensor.device),
                    }
    device = next(iter(parameters.values())).device
    return told.step, [torch.tensor([loss], device=device) for loss in told.losses]
