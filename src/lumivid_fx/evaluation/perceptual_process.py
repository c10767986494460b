"""The far side of :mod:`.perceptual`: ColorVideoVDP and LPIPS in an environment of their own.

This file is run by that environment's Python, which has torchvision and has not this package, so it
imports nothing of it. It reads one JSON object a line from standard input and answers each with one
on standard output; pictures come as files of bare float32 samples, never as pickles.

    {"metric": "jod", "result": PATH, "truth": PATH, "shape": [f, h, w, 3], "fps": 24}    in cd/m2
    {"metric": "lpips", "result": PATH, "truth": PATH, "shape": [h, w, 3]}        within [-1, 1]

A still's JOD has a shape of three numbers, and no fps.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

DISPLAY = "standard_hdr_linear"
"""ColorVideoVDP's display of 1500 cd/m2, 30 inches, 4K, 10 lux, for linear Rec.709 in cd/m2."""


def import_vdp() -> Any:
    """Import ColorVideoVDP, also where torchvision's own operators cannot be loaded.

    The wheel of torchvision is built for CUDA, and beside a CPU torch its binary part is missing.
    What is used of it is plain Python, which only wants to see two operators declared.
    """
    try:
        return import_module("pycvvdp")
    except RuntimeError:
        for name in [n for n in sys.modules if n.split(".")[0] in {"torchvision", "pycvvdp"}]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(operator + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _KEPT.append(library)
        return import_module("pycvvdp")


_KEPT: list[Any] = []
"""Operators stay declared only as long as their library lives."""


def load_lpips(backbone: Path) -> Any:
    """LPIPS with AlexNet's weights from a safetensors file; None where there is no such file.

    The package ships its own linear heads; the backbone is never left random.
    """
    if not backbone.is_file():
        return None
    from safetensors.torch import load_file

    metric = import_module("lpips").LPIPS(net="alex", pnet_rand=True, verbose=False)
    learned = load_file(backbone)
    wanted = metric.net.state_dict()  # slice2.3.weight is AlexNet's features.3.weight
    filled = {name: learned[f"features.{name.split('.', 1)[1]}"] for name in wanted}
    metric.net.load_state_dict(filled, strict=True)
    return metric.eval()


class Metrics:
    """Both metrics, loaded once."""

    def __init__(self, backbone: Path) -> None:
        self._vdp = import_vdp().cvvdp(display_name=DISPLAY, device=torch.device("cpu"), quiet=True)
        self._lpips = load_lpips(backbone)

    def about(self) -> dict[str, Any]:
        """What this is, for the record."""
        return {"jod": self._vdp.get_info_string().strip('"'), "lpips": self._lpips is not None}

    def measure(self, asked: dict[str, Any]) -> float:
        """Answer one question."""
        result, truth = (
            np.fromfile(asked[name], np.float32).reshape(asked["shape"])
            for name in ("result", "truth")
        )
        with torch.inference_mode():
            if asked["metric"] == "jod":
                fps = asked.get("fps")
                order = "HWC" if result.ndim == 3 else "FHWC"
                value, _ = self._vdp.predict(
                    result, truth, dim_order=order, frames_per_second=fps or 0
                )
                return float(value)
            x, y = (torch.from_numpy(a).permute(2, 0, 1)[None] for a in (result, truth))
            return float(self._lpips(x, y))


def main() -> None:
    """Answer questions until there are no more."""
    # The libraries print; what they print goes to standard error, and answers have their own way.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    metrics = Metrics(Path(sys.argv[1]))
    answers.write(json.dumps(metrics.about()) + "\n")
    answers.flush()
    for line in sys.stdin:
        try:
            told: dict[str, Any] = {"value": metrics.measure(json.loads(line))}
        except Exception as error:  # noqa: BLE001  # whatever it is, the caller is to hear of it
            told = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(told) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
