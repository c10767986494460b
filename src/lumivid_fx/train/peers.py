"""The processes of one run: one a GPU, each with its own share of the batch.

Every process holds the same weights, draws its own examples, and averages the gradients of the few
parameters that are learned with the others'. The frozen base needs no word between them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import torch
from torch import Tensor

PATIENCE = timedelta(hours=12)
"""How long a process waits for another: the first one may have all latents to make."""


class Peers(Protocol):
    """What a training loop asks of the other processes.

    Attributes:
        rank: Which process this is, from 0.
        count: How many there are.
    """

    rank: int
    count: int

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Put the mean over all processes in place of each tensor."""

    def agree(self, asked: bool) -> bool:
        """Whether any process says yes; all get the same answer."""

    def wait(self) -> None:
        """Until every process has come so far."""


class Alone:
    """One process."""

    rank = 0
    count = 1

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Nothing to do."""

    def agree(self, asked: bool) -> bool:
        """Its own word."""
        return asked

    def wait(self) -> None:
        """For nobody."""


ALONE = Alone()


class Accelerated:
    """The processes that ``accelerate launch`` or ``torchrun`` started.

    Args:
        cpu: Run on the CPU, over gloo, even where there are GPUs.
    """

    def __init__(self, *, cpu: bool) -> None:
        from accelerate import Accelerator
        from accelerate.utils import InitProcessGroupKwargs

        patience = InitProcessGroupKwargs(timeout=PATIENCE)
        self._accelerator = Accelerator(cpu=cpu, kwargs_handlers=[patience])
        self.rank = int(self._accelerator.process_index)
        self.count = int(self._accelerator.num_processes)
        self.device = torch.device(self._accelerator.device)

    def average(self, tensors: Sequence[Tensor]) -> None:
        """All in one message: a LoRA has a thousand small tensors."""
        flat = torch.cat([tensor.float().flatten() for tensor in tensors])
        mean: Tensor = self._accelerator.reduce(flat, reduction="mean")
        parts = mean.split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def agree(self, asked: bool) -> bool:
        """See :class:`Peers`."""
        vote = torch.tensor([float(asked)], device=self.device)
        return bool(self._accelerator.reduce(vote, reduction="sum") > 0)

    def wait(self) -> None:
        """See :class:`Peers`."""
        self._accelerator.wait_for_everyone()


def find_peers(device: str) -> Alone | Accelerated:
    """The processes this one was started with.

    Args:
        device: ``cpu`` or ``cuda``.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return ALONE
    return Accelerated(cpu=device == "cpu")
