"""The soak's runner: the quick one, which also reads the plate and cleans up as the real one does.

python -m tests.worker.soak_runner FD CONFIG
"""

from __future__ import annotations

import ctypes
import signal
from pathlib import Path

from tests.worker import quick_runner
from tests.worker.quick_runner import QuickRunner
from tests.worker.soak_plan import plate_frame

from lumivid_fx.protocol.messages import PixelSource
from lumivid_fx.worker import orders

_SET_PARENT_DEATH_SIGNAL = 1
"""From linux/prctl.h."""


class SoakRunner(QuickRunner):
    """Ends every job whose plate is not the one that was sent."""

    def render(self, order: orders.Render) -> tuple[str, bool]:
        """Remove what a killed process left, then render."""
        request = order.request
        out = Path(order.spool) / "out" if request.target is None else Path(request.target)
        for left in out.glob(".*"):
            left.unlink()
        if isinstance(request.source, PixelSource) and not self.is_whole(order, request.source):
            return "E_INPUT", False
        return super().render(order)

    def is_whole(self, order: orders.Render, source: PixelSource) -> bool:
        """Whether all frames that were sent are there, byte for byte."""
        folder = Path(order.spool) / "in"
        numbers = range(source.first, source.first + source.count)
        return sorted(path.name for path in folder.iterdir()) == sorted(
            f"{number}.f16" for number in numbers
        ) and all(
            (folder / f"{number}.f16").read_bytes() == plate_frame(source, number)
            for number in numbers
        )


if __name__ == "__main__":
    # A runner that is stopped outlives a server that is killed, unless the kernel sees to it.
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    quick_runner.main(SoakRunner)
