"""A runner that renders nothing: 1080p frames of half floats as fast as memory takes them.

What a worker costs beside its renders is measured with it. A job whose label is ``1080p`` gets
frames of :data:`SHAPE`, any other the few bytes of the tests' quick runner.

python -m benchmarks.frame_runner FD CONFIG
"""

from __future__ import annotations

import hashlib
import os
from math import prod
from pathlib import Path

from tests.worker import quick_runner
from tests.worker.quick_runner import QuickRunner

from lumivid_fx.worker import orders

SHAPE = (1080, 1920, 4)
SIZE = 2 * prod(SHAPE)


class FrameRunner(QuickRunner):
    """Writes the same noise for each frame."""

    content = os.urandom(SIZE)

    def finish(self, order: orders.Render, frame: int, out: Path) -> None:
        """Write one frame, hash it as a runner does, and tell."""
        if order.request.label != "1080p":
            super().finish(order, frame, out)
            return
        path = out / f"{frame}.f16"
        path.write_bytes(self.content)
        self.end.report(
            orders.FrameDone(
                job=order.job,
                frame=frame,
                how="rendered",
                sha256=hashlib.sha256(self.content).hexdigest(),
                size=SIZE,
                path=str(path),
                shape=SHAPE,
            )
        )


if __name__ == "__main__":
    quick_runner.main(FrameRunner)
