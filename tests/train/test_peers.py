"""Several processes learn as one that had all their examples: real ones, over gloo."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Generator, Tensor, nn

from lumivid_fx.train.peers import ALONE, find_peers
from lumivid_fx.train.trainer import Schedule, step_generator, train

SCHEDULE = Schedule(steps=6, learning_rate=0.05, warmup=2, save_every=3, seed=5)

WORKER = """
import sys
from pathlib import Path
from tests.train.test_peers import learn
from lumivid_fx.train.peers import find_peers
learn(Path(sys.argv[1]), find_peers("cpu"))
"""


def layer() -> nn.Linear:
    """A layer that begins the same every time."""
    torch.manual_seed(0)
    return nn.Linear(4, 1)


def loss_of(fit: nn.Linear, generator: Generator) -> Tensor:
    """Of a linear fit on examples drawn by the generator."""
    x = torch.randn(16, 4, generator=generator)
    loss: Tensor = (fit(x) - x.sum(dim=1, keepdim=True)).square().mean()
    return loss


def learn(folder: Path, peers: object) -> None:
    """What each process runs."""
    from safetensors.torch import save_file

    fit = layer()
    average = train(
        dict(fit.named_parameters()),
        lambda _, generator: loss_of(fit, generator),
        SCHEDULE,
        folder / "checkpoint.safetensors",
        lambda *_: None,
        peers=peers,  # type: ignore[arg-type]  # Alone or Accelerated
    )
    save_file(average, folder / f"rank{getattr(peers, 'rank', 0)}.safetensors")


def test_two_processes_learn_what_one_learns_from_both_shares(tmp_path: Path) -> None:
    """Each draws its own examples; gradients are averaged, so that both end with the same weights.

    One process that takes the mean loss of both shares ends with them too.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path)],
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]
    try:
        assert [process.wait(timeout=240) for process in both] == [0, 0]
    finally:
        for process in both:
            process.kill()
    ours, theirs = (load_file(tmp_path / f"rank{rank}.safetensors") for rank in range(2))
    fit = layer()

    def both_shares(step: int, _: Generator) -> Tensor:
        shares = [loss_of(fit, step_generator(5, 2 * step + rank)) for rank in range(2)]
        return torch.stack(shares).mean()

    alone = train(
        dict(fit.named_parameters()),
        both_shares,
        SCHEDULE,
        tmp_path / "alone.safetensors",
        lambda *_: None,
    )
    for name, tensor in alone.items():
        assert torch.equal(ours[name], theirs[name])
        assert torch.allclose(ours[name], tensor, atol=1e-6)  # the order of two sums


def test_one_process_needs_no_peers() -> None:
    """Nothing of accelerate is asked for then."""
    assert find_peers("cpu") is ALONE
