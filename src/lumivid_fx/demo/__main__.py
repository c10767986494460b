"""Render the shipped clip with the embedded model, and show what came back.

python -m lumivid_fx.demo [--out demo-out]
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import lumivid_fx
from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.demo import CLIP
from lumivid_fx.errors import LumividError
from lumivid_fx.media import format_range, open_plate, parse_range
from lumivid_fx.media.contact_sheet import write_sheet
from lumivid_fx.model.checkpoint import load_model
from lumivid_fx.pipeline.render_shot import Progress

SHEET_FRAMES = 4


def demo(out: Path, model: Path | None = None, frames: str | None = None) -> None:
    """Render the clip to ``out/plate.####.exr``, and draw ``out/sheet.png`` of what is there then.

    Args:
        out: Folder, made if missing; an earlier demo's frames in it are replaced.
        model: Model folder; None is the embedded one.
        frames: Range of the clip; None is all of it.
    """
    target = str(out / "plate.####.exr")
    print(f"plate   {CLIP}")
    started = time.monotonic()
    report = lumivid_fx.render(
        str(CLIP),
        target,
        frames=frames,
        model=load_model(model),
        overwrite=True,
        on_progress=_show,
    )
    seconds = time.monotonic() - started
    print(f"frames  {len(report.frames)} in {seconds:.0f} s: {target}")
    before, after = _draw(out / "sheet.png", target, frames)
    print(f"sheet   {out / 'sheet.png'}: the plate, and the result at -4, 0 and +4 stops")
    print(f"peak    {before:+.1f} stops over SDR white before, {after:+.1f} after")


def _show(progress: Progress) -> None:
    """Keep one line up to date on a terminal; write one line a window to a file."""
    line = (
        f"render  window {progress.window} of {progress.windows}, "
        f"{progress.phase} {progress.done} of {progress.steps}"
    )
    finished = progress.done == progress.steps
    if sys.stdout.isatty():
        print(f"\r{line:<60}", end="\n" if finished else "", flush=True)
    elif finished:
        print(line, flush=True)


def _draw(sheet: Path, target: str, frames: str | None) -> tuple[float, float]:
    """Write the contact sheet from the files; tell the peak of plate and result in stops over 1."""
    spaces = ColorSpaces()
    inputs, results = [], []
    peaks = [0.0, 0.0]
    with open_plate(str(CLIP)) as plate:
        numbers = plate.frame_numbers if frames is None else parse_range(frames)
        shown = numbers[:: max(1, math.ceil(len(numbers) / SHEET_FRAMES))]
        with open_plate(target, format_range(numbers)) as rendered:
            for number in numbers:
                codes, light = plate.read(number).rgb, rendered.read(number).rgb
                plain = spaces.display_to_linear(codes, "srgb")
                peaks = [max(p, float(x.max())) for p, x in zip(peaks, (plain, light), strict=True)]
                if number in shown:
                    inputs.append((number, codes))
                    results.append(light)
    write_sheet(sheet, inputs, results)
    before, after = (math.log2(p) if p > 0 else -math.inf for p in peaks)
    return before, after


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; what went wrong is one sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m lumivid_fx.demo",
        description="Render the shipped clip with the embedded model.",
    )
    parser.add_argument("--out", type=Path, default=Path("demo-out"), help="folder to write to")
    parser.add_argument("--model", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--frames", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    try:
        demo(chosen.out, chosen.model, chosen.frames)
    except LumividError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
