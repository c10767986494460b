"""A runner without a model that reads the plate and writes EXRs: every value doubled.

What it is to do wrong stands in the job's label, as in :mod:`tests.worker.quick_runner`:
``slow``, ``fail@3``.

python -m tests.nuke.exr_runner FD CONFIG
"""

from __future__ import annotations

import hashlib
import re
import time
from pathlib import Path

import numpy as np
import OpenImageIO

from lumivid_fx.media.plate import open_plate
from lumivid_fx.protocol.messages import PathSource
from lumivid_fx.worker import orders
from tests.worker.quick_runner import QuickRunner, main, numbers

GAIN = 2.0
"""What every pixel is multiplied by, so that a result is known from its plate."""

MASKED = 0.65
"""From here on a pixel of the plate counts as generated."""


class ExrRunner(QuickRunner):
    """Makes a result out of the plate, frame by frame."""

    def render(self, order: orders.Render) -> tuple[str, bool]:
        """Render the frames that are missing at the target."""
        request, label = order.request, order.request.label
        assert isinstance(request.source, PathSource)
        wanted = numbers(request.frames)
        self.end.report(orders.Step(job=order.job, phase="denoise", total=len(wanted)))
        failing = re.search(r"fail@(\d+)", label)
        with open_plate(request.source.path) as plate:
            for place, frame in enumerate(wanted):
                if order.job in self.stop:
                    return "E_CANCELLED", False
                if failing and int(failing[1]) == place:
                    return "E_RENDER", False
                if frame not in order.finished:
                    if "slow" in label:
                        time.sleep(0.15)
                    self._write(order, frame, plate.read(frame).rgb)
        return "", False

    def _write(self, order: orders.Render, frame: int, plate: np.ndarray) -> None:
        pixels = GAIN * plate
        mask = (plate.max(axis=-1, keepdims=True) >= MASKED).astype(np.float32)
        target = order.request.target or ""
        path = Path(re.sub(r"#+", f"{frame:04d}", target))
        there = path.exists()
        if not there:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(f".{path.stem}.part.exr")
            output = OpenImageIO.ImageOutput.create(str(beside))
            assert output is not None
            if order.request.settings.generated:
                pixels = np.concatenate([pixels, mask], axis=-1)
            height, width, channels = pixels.shape
            spec = OpenImageIO.ImageSpec(width, height, channels, OpenImageIO.HALF)
            spec.channelnames = ("R", "G", "B", "lumivid.generated")[:channels]
            spec.alpha_channel = -1
            output.open(str(beside), spec)
            output.write_image(np.ascontiguousarray(pixels))
            output.close()
            beside.replace(path)
        content = path.read_bytes()
        self.end.report(
            orders.FrameDone(
                job=order.job,
                frame=frame,
                how="kept" if there else "rendered",
                sha256=hashlib.sha256(content).hexdigest(),
                size=len(content),
                path=str(path),
                space="lin_rec709",
            )
        )


if __name__ == "__main__":
    main(ExrRunner)
