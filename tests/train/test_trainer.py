"""The training loop learns, and goes on after a kill as if nothing had been."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor, nn

from lumivid_fx.train.trainer import Loss, Schedule, train


def regression(layer: nn.Linear, stop_at: int | None = None) -> Loss:
    """Loss of a linear fit on data drawn from each step's generator; dies at a step if asked to."""

    def loss_of_step(step: int, generator: Generator) -> Tensor:
        if step == stop_at:
            raise KeyboardInterrupt
        x = torch.randn(16, 4, generator=generator)
        loss: Tensor = (layer(x) - x.sum(dim=1, keepdim=True)).square().mean()
        return loss

    return loss_of_step


def layer_and_parameters() -> tuple[nn.Linear, dict[str, Tensor]]:
    """A layer that begins the same every time."""
    torch.manual_seed(0)
    layer = nn.Linear(4, 1)
    return layer, dict(layer.named_parameters())


def test_killed_and_resumed_run_follows_the_same_curve(tmp_path: Path) -> None:
    """Averaged weights are equal bit for bit, with and without an interruption."""
    schedule = Schedule(steps=60, learning_rate=0.05, warmup=5, save_every=20)
    layer, parameters = layer_and_parameters()
    losses: list[float] = []
    whole = train(
        parameters,
        regression(layer),
        schedule,
        tmp_path / "whole.safetensors",
        lambda _, loss, __: losses.append(loss),
    )
    layer, parameters = layer_and_parameters()
    with pytest.raises(KeyboardInterrupt):
        train(parameters, regression(layer, 47), schedule, tmp_path / "cut.safetensors", ignore)
    layer, parameters = layer_and_parameters()
    resumed = train(parameters, regression(layer), schedule, tmp_path / "cut.safetensors", ignore)
    assert losses[-1] < losses[0] / 4
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name])


def ignore(_step: int, _loss: float, _seconds: float) -> None:
    """A report nobody reads."""
