"""Measure a model on the maps that no stage of its training saw.

    python -m lumivid_fx.evaluation.held_out --maps MAPS [--model FOLDER] [--out FOLDER]

The bar is not doing nothing but the fitted curve: a network below it has learned no more than tone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.errors import InputError, LumividError
from lumivid_fx.evaluation import metrics
from lumivid_fx.evaluation.protocol import (
    DELIVERIES,
    Delivery,
    Light,
    Scene,
    fit_log_lut,
    held_out_view,
    random_views,
    to_codes,
)
from lumivid_fx.evaluation.report import Row, as_markdown, write_comparison, write_report
from lumivid_fx.media import Frame, Plate, Windows
from lumivid_fx.model.checkpoint import HdrModel, load_model
from lumivid_fx.pipeline.noise import SeededNoise
from lumivid_fx.pipeline.render_shot import ShotSettings, render_shot
from lumivid_fx.train import clips
from lumivid_fx.train.embedded import HELD_OUT

LINEARISED, FITTED, OURS, NAMED = (
    "sRGB linearised",
    "fitted 1-D log LUT",
    "ours",
    "ours, view named",
)


class Still(Plate):
    """One picture in memory as a plate of one frame.

    Args:
        display: ``h w 3`` float32 sRGB codes in [0, 1].
    """

    def __init__(self, display: Light) -> None:
        self.source = "still"
        self.height, self.width = display.shape[:2]
        self.frame_numbers = range(1, 2)
        self.fps = None
        self.space = "srgb"
        self.has_alpha = False
        self._display = display

    def read(self, number: int) -> Frame:
        """Give the picture, whatever number it is asked by."""
        return Frame(number, self._display, None, Windows.whole(self.width, self.height), {})

    def close(self) -> None:
        """Let go of nothing."""


def render_still(
    display: Light, model: HdrModel, spaces: ColorSpaces, view: str | None = None
) -> Light:
    """Render one picture as the tool renders a plate of one frame: ``h w 3`` linear Rec.709."""
    still, settings = Still(display), ShotSettings(source_view=view)
    noise = SeededNoise(settings.seed)
    (frame,) = render_shot(still, still, model, settings, noise, spaces, [1], lambda _: None)
    return frame.rgb


def match(result: Light, scene: Scene) -> Light:
    """Bring a result to the exposure of the truth, which the SDR picture does not tell."""
    return result * np.float32(metrics.exposure_match(result, scene.truth, scene.display))


def measure(result: Light, scene: Scene) -> Row:
    """Put one result into numbers; all but the raw PSNR are after the exposure was matched."""
    truth, display = scene.truth, scene.display
    matched = match(result, scene)
    unclipped = display.max(axis=-1) < metrics.HIGHLIGHT_CODE - 1e-4
    return Row(
        raw=metrics.pu21_psnr(result, truth),
        aligned=metrics.pu21_psnr(matched, truth),
        unclipped=metrics.pu21_psnr(matched, truth, unclipped),
        ssim=metrics.pu21_ssim(matched, truth),
        highlights=metrics.highlight_error(matched, truth, display),
        shadows=metrics.shadow_error(matched, truth, display),
        stops=metrics.dynamic_range(matched),
        true_stops=metrics.dynamic_range(truth),
    )


def results(
    scene: Scene, delivery: Delivery, lut: Light, model: HdrModel, spaces: ColorSpaces
) -> dict[str, Light]:
    """Undo a delivery in each way there is: ``h w 3`` light by method."""
    found = {
        LINEARISED: spaces.display_to_linear(scene.display, "srgb"),
        FITTED: lut[to_codes(scene.display)],
        OURS: render_still(scene.display, model, spaces),
    }
    if delivery.view is not None:
        found[NAMED] = render_still(scene.display, model, spaces, delivery.view)
    return found


def evaluate(
    maps: Path, model: HdrModel, out: Path | None, names: Sequence[str] = HELD_OUT
) -> dict[str, dict[str, dict[str, Row]]]:
    """Measure every method on every scene.

    Args:
        maps: Folder of equirectangular EXR maps, held out or not.
        model: The model.
        out: Folder for a picture of each scene; None makes none.
        names: Maps to measure on.

    Returns:
        Rows by delivery, method and scene.

    Raises:
        InputError: A map is missing, or there is none to fit the curve on.
    """
    missing = [name for name in names if not (maps / f"{name}.exr").is_file()]
    others = clips.find_maps(maps, HELD_OUT)
    if missing or not others:
        raise InputError(
            f"{maps} lacks {', '.join(missing) or 'maps to fit the curve on'}; give the folder of "
            "all training maps, held out or not"
        )
    spaces = ColorSpaces()
    views = random_views(others)
    lights = {name: held_out_view(clips.load_environment(maps / f"{name}.exr")) for name in names}
    rows: dict[str, dict[str, dict[str, Row]]] = {}
    for delivery in DELIVERIES:
        table = rows.setdefault(delivery.name, {})
        lut = fit_log_lut(views, delivery)
        for name, light in lights.items():
            scene = delivery.deliver(name, light)
            found = results(scene, delivery, lut, model, spaces)
            for method, result in found.items():
                table.setdefault(method, {})[name] = measure(result, scene)
            if out is not None:
                pictures = {
                    "SDR": match(found[LINEARISED], scene),
                    "ours": match(found[OURS], scene),
                    "truth": scene.truth,
                }
                path = out / f"{name}_{delivery.name}.png"
                write_comparison(path, pictures, delivery.name)
            sys.stderr.write(f"{delivery.name} {name}\n")
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; with ``--out`` also write it, and a picture of each scene."""
    parser = argparse.ArgumentParser(
        prog="python -m lumivid_fx.evaluation.held_out",
        description="Measure a model on the maps that no stage of its training saw.",
    )
    parser.add_argument("--maps", type=Path, required=True, help="folder of all EXR maps")
    parser.add_argument("--model", type=Path, help="model folder; the embedded one if left out")
    parser.add_argument("--out", type=Path, help="folder for table and pictures")
    parser.add_argument("--only", nargs="+", default=HELD_OUT, choices=HELD_OUT, metavar="MAP")
    chosen = parser.parse_args(arguments)
    try:
        model = load_model(chosen.model)
        rows = evaluate(chosen.maps, model, chosen.out, chosen.only)
    except LumividError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    text = as_markdown(rows, baselines=(LINEARISED, FITTED), model=model.manifest.name)
    sys.stdout.write(text)
    if chosen.out is not None:
        write_report(chosen.out, text, rows, model.digest)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
