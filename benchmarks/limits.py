"""LogC3 beside what the machine itself can do with the same bytes."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.table import show, take_turns
from lumivid_fx.color.transfer import linear_to_logc3, logc3_to_linear

HEIGHT, WIDTH = 1080, 1920


def _plate() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    ramps = [rows / HEIGHT, columns / WIDTH, (rows + columns) / (HEIGHT + WIDTH)]
    smooth = np.stack(ramps, axis=-1)
    grain = np.random.default_rng(0).normal(0, 0.01, smooth.shape)
    return (smooth + grain).astype(np.float32)


def logc3_table() -> None:
    """LogC3 both ways beside one exponential and one copy of the same tensor."""
    light = torch.from_numpy(_plate())
    code = linear_to_logc3(light)
    out = torch.empty_like(light)
    forward, inverse, exponential, copy = take_turns(
        [
            lambda: linear_to_logc3(light),
            lambda: logc3_to_linear(code),
            lambda: torch.exp(light),
            lambda: out.copy_(light),
        ],
        rounds=15,
    )
    show(
        "LogC3 on one 1080p float32 frame, milliseconds",
        ("", "ms", "of one exp", "of one copy"),
        [
            (name, f"{s * 1e3:.1f}", f"{s / exponential:.1f}", f"{s / copy:.1f}")
            for name, s in (
                ("light to LogC3", forward),
                ("LogC3 to light", inverse),
                ("torch.exp", exponential),
                ("copy", copy),
            )
        ],
    )


def main() -> None:
    """Measure and print."""
    logc3_table()


if __name__ == "__main__":
    main()
