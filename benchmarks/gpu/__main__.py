"""Print the table: ``python -m benchmarks.gpu [ROWS]`` on a machine with a CUDA card.

ROWS are any of 1080p49, 1080p121, 1080p241, 4k49 on the whole card, and 12, 16, 24, 48, 80 for
1080p x 49 in so many GB; all of them if none is named. +compile after a row compiles our side, and
measures after the warm-up. Without a card the same code runs on small shapes, as a look at whether
it runs.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import torch

from benchmarks.table import show
from lumivid_fx.pipeline.cards import GB

SIZES = {
    "1080p49": ("1920x1080", 49, 0),
    "1080p121": ("1920x1080", 121, 0),
    "1080p241": ("1920x1080", 241, 0),
    "4k49": ("3840x2160", 49, 0),
}
PLANS = {str(gigabytes): ("1920x1080", 49, gigabytes) for gigabytes in (12, 16, 24, 48, 80)}
SMALL = {"small": ("128x64", 9, 0)}
"""What is run where there is no card."""

COMPILED = "+compile"

LINES = (
    *("way", "seconds", "  encode 1", "  stage 1", "  upsample, encode 2", "  stage 2", "  decode"),
    *("peak GB", "  planned", "seconds planned", "share of matrix rate"),
    *("diffusers: seconds", "  peak GB", "  times ours"),
)


def measured(who: str, size: str, frames: int, gigabytes: int) -> dict[str, Any]:
    """One measurement, in a process of its own so that none finds another's memory."""
    done = subprocess.run(
        [
            *(sys.executable, "-W", "ignore", "-m", "benchmarks.gpu.measure"),
            *(who, size, str(frames), str(gigabytes)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1][:60] if done.stderr else "failed"}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def cells(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """A column of the table."""
    if "failed" in ours:
        return [ours["failed"], *[""] * (len(LINES) - 1)]
    off = ours["expected_peak"] / ours["peak"] - 1 if ours["peak"] else 0.0
    slow = ours["expected_seconds"] / ours["seconds"] - 1
    found = [ours["chosen"].split()[0], f"{ours['seconds']:.1f}"]
    found += [f"{seconds:.1f}" for seconds in ours["phases"].values()]
    found += [f"{ours['peak'] / GB:.1f}", f"{ours['expected_peak'] / GB:.1f} ({off:+.0%})"]
    found += [f"{ours['expected_seconds']:.0f} ({slow:+.0%})", f"{ours['share_of_rate']:.0%}"]
    if "failed" in theirs:
        return [*found, theirs["failed"], "", ""]
    ratio = theirs["seconds"] / ours["seconds"]
    return [*found, f"{theirs['seconds']:.1f}", f"{theirs['peak'] / GB:.1f}", f"{ratio:.2f}"]


def main(names: Sequence[str]) -> int:
    """Measure and print."""
    known = {**SIZES, **PLANS} if torch.cuda.is_available() else SMALL
    if unknown := [name for name in names if name.removesuffix(COMPILED) not in known]:
        print(f"{', '.join(unknown)} is no row; rows here are {', '.join(known)}")
        return 2
    chosen, columns, card, failed = [*(names or known)], [], "", False
    for name in chosen:
        who = "compiled" if name.endswith(COMPILED) else "ours"
        case = known[name.removesuffix(COMPILED)]
        ours, theirs = measured(who, *case), measured("theirs", *case)
        card = card or f"{ours.get('card', '')}, {ours.get('rate', 0) / 1e12:.1f} TFLOP/s measured"
        columns.append(cells(ours, theirs))
        failed = failed or "failed" in ours or "failed" in theirs
        print(f"{name}: {ours} beside {theirs}", file=sys.stderr)
    what = f"LTX-2.3 22B with random weights, one window, 8 + 2 steps; {card}"
    if not torch.cuda.is_available():
        what = (
            "A small model, to see that it runs: the table wants a CUDA card, and torch sees none"
        )
    show(what, ("", *chosen), list(zip(LINES, *columns, strict=True)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
