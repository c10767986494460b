"""The training loop learns, and goes on after a kill as if nothing had been."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor, nn

from lumivid_fx.errors import InputError, RenderError
from lumivid_fx.train.trainer import Loss, Schedule, Step, steps_done, train

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


def regression(layer: nn.Linear, stop_at: int | None = None) -> Loss:
    """Loss of a linear fit on data drawn from each step's generator; dies at a step if asked to."""

    def loss_of_step(step: int, generator: Generator) -> Tensor:
        if step == stop_at:
            raise KeyboardInterrupt
        x = torch.randn(16, 4, generator=generator, device=generator.device)
        loss: Tensor = (layer(x) - x.sum(dim=1, keepdim=True)).square().mean()
        return loss

    return loss_of_step


def layer_and_parameters(device: str = "cpu") -> tuple[nn.Linear, dict[str, Tensor]]:
    """A layer that begins the same every time."""
    torch.manual_seed(0)
    layer = nn.Linear(4, 1).to(device)
    return layer, dict(layer.named_parameters())


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=GPU)])
def test_killed_and_resumed_run_follows_the_same_curve(tmp_path: Path, device: str) -> None:
    """Averaged weights are equal bit for bit, with and without an interruption."""
    schedule = Schedule(steps=60, learning_rate=0.05, warmup=5, save_every=20)
    layer, parameters = layer_and_parameters(device)
    losses: list[float] = []
    whole = train(
        parameters,
        regression(layer),
        schedule,
        tmp_path / "whole.safetensors",
        lambda _, loss, __: losses.append(loss),
    )
    layer, parameters = layer_and_parameters(device)
    with pytest.raises(KeyboardInterrupt):
        train(parameters, regression(layer, 47), schedule, tmp_path / "cut.safetensors", ignore)
    layer, parameters = layer_and_parameters(device)
    resumed = train(parameters, regression(layer), schedule, tmp_path / "cut.safetensors", ignore)
    assert losses[-1] < losses[0] / 4
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name])


def test_every_loss_is_told_and_the_rest_is_told_later(tmp_path: Path) -> None:
    """Means of reports are the same with and without an interruption between two of them."""
    schedule = Schedule(steps=40, learning_rate=0.05, warmup=5, save_every=15, report_every=10)
    told: dict[str, dict[int, float]] = {"whole": {}, "cut": {}}
    steps: list[Step] = []
    layer, parameters = layer_and_parameters()
    train(
        parameters,
        regression(layer),
        schedule,
        tmp_path / "whole.safetensors",
        lambda step, loss, _: told["whole"].update({step: loss}),
        after_step=steps.append,
    )
    assert [step.done for step in steps] == list(range(1, 41))
    for stop_at in (33, None):
        layer, parameters = layer_and_parameters()
        with suppress(KeyboardInterrupt):
            train(
                parameters,
                regression(layer, stop_at),
                schedule,
                tmp_path / "cut.safetensors",
                lambda step, loss, _: told["cut"].update({step: loss}),
            )
    assert told["cut"] == told["whole"]
    assert list(told["whole"]) == [10, 20, 30, 40]


def test_a_loss_that_is_no_number_ends_the_run_and_spoils_no_checkpoint(tmp_path: Path) -> None:
    """The last good checkpoint stays."""
    layer, parameters = layer_and_parameters()
    path = tmp_path / "run.safetensors"

    def diverging(step: int, generator: Generator) -> Tensor:
        loss = regression(layer)(step, generator)
        return loss * float("nan") if step >= 12 else loss

    schedule = Schedule(steps=40, learning_rate=0.05, save_every=10, report_every=100)
    with pytest.raises(RenderError, match="no number any more at step 20"):
        train(parameters, diverging, schedule, path, ignore)
    assert steps_done(path) == 10


def test_a_checkpoint_of_another_run_or_a_broken_one_is_refused(tmp_path: Path) -> None:
    """In one sentence that names it."""
    path = tmp_path / "run.safetensors"
    schedule = Schedule(steps=2, learning_rate=0.05)
    layer, parameters = layer_and_parameters()
    train(parameters, regression(layer), schedule, path, ignore, settings="a")
    with pytest.raises(InputError, match=r"run\.safetensors was made with other settings"):
        train(parameters, regression(layer), schedule, path, ignore, settings="b")
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(InputError, match=r"run\.safetensors is not a whole checkpoint"):
        train(parameters, regression(layer), schedule, path, ignore, settings="a")


def ignore(_step: int, _loss: float, _seconds: float) -> None:
    """A report nobody reads."""
