"""A run without numbers: what some code takes of memory and arithmetic, seen on meta tensors.

Meta tensors have shapes and no values, so that a pass of a 22B model costs a moment. Every storage
that appears is counted until it is let go of, as an allocator sees it. Attention counts as the
fused kernels of a GPU have it, which keep no matrix of scores.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import flop_registry


@dataclass(frozen=True)
class Cost:
    """What a run takes.

    Attributes:
        peak: Bytes of tensors at once at the most, those that were there before not counted.
        flops: Multiplications and additions of matrix products, convolutions and attention.
    """

    peak: int
    flops: int


def dry_run(run: Callable[[], object]) -> Cost:
    """Run something on meta tensors, and say what it takes.

    Args:
        run: Works on meta tensors alone, or on what is small; its result counts as held.
    """
    count = _Count()
    with torch.no_grad(), count, _FusedAttention(count):
        held = run()
    del held
    return Cost(count.peak, count.flops)


class _Count(TorchDispatchMode):
    """Counts storages as they appear and go, and the arithmetic."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch gives it no types
        self.peak = self.flops = 0
        self._live: dict[int, int] = {}
        self._now = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        there = {t.untyped_storage()._cdata for t in tree_iter((args, kwargs)) if _is_meta(t)}
        made = func(*args, **kwargs)
        for tensor in tree_iter(made):
            if _is_meta(tensor) and tensor.untyped_storage()._cdata not in there:
                self._hold(tensor.untyped_storage())
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.flops += count(*args, **kwargs, out_val=made)
        return made

    def _hold(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._live:
            return
        self._live[key] = storage.nbytes()
        self._now += storage.nbytes()
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._let_go, key)

    def _let_go(self, key: int) -> None:
        self._now -= self._live.pop(key)


class _FusedAttention(TorchFunctionMode):
    """Attention as one step that makes its result and nothing besides."""

    def __init__(self, count: _Count) -> None:
        super().__init__()
        self._count = count

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is not F.scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        given = dict(zip(("query", "key", "value"), args, strict=False)) | dict(kwargs or {})
        query, key, value = given["query"], given["key"], given["value"]
        pairs = math.prod(query.shape[:-1]) * key.shape[-2]
        self._count.flops += 2 * pairs * (query.shape[-1] + value.shape[-1])
        return query.new_empty(*query.shape[:-1], value.shape[-1])


def _is_meta(value: object) -> bool:
    return isinstance(value, Tensor) and value.device.type == "meta"
