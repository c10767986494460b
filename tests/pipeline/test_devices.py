"""What a render runs on."""

from __future__ import annotations

import pytest
import torch

from lumivid_fx.errors import InputError, OutOfMemoryError
from lumivid_fx.pipeline.devices import (
    choose_device,
    device_name,
    free_memory,
    is_out_of_memory,
    kernels_name,
    peak_memory,
)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
         True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (OSError("can't allocate memory"), False),
        (OutOfMemoryError("even the last rung did not fit"), False),
    ],
)  # fmt: skip
def test_out_of_memory(error: Exception, expected: bool) -> None:
    """Torch's own class, Python's, and torch's words on the CPU; ours is the end, not a reason."""
    assert is_out_of_memory(error) == expected


def test_torch_says_so_on_the_cpu() -> None:
    """What is told from its words is what this release of torch raises."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


def test_cpu() -> None:
    """The CPU is always there, and its kernels are told by their instructions."""
    assert choose_device("cpu") == "cpu"
    assert device_name("cpu") == "cpu"
    assert kernels_name("cpu").startswith("cpu ")
    free_memory()


def test_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU is taken if there is one, and is told by the driver's number."""
    if not torch.cuda.is_available():
        assert choose_device("auto") == "cpu"
        assert peak_memory() == 0
        with pytest.raises(InputError, match="torch sees no CUDA device"):
            choose_device("cuda")
        return
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert choose_device("auto") == choose_device("cuda") == "cuda"
    assert device_name("cuda") == f"cuda:3 {torch.cuda.get_device_name()}"
    assert kernels_name("cuda") == torch.cuda.get_device_name()
    torch.zeros(1000, device="cuda")
    assert peak_memory() >= 4000
