"""Table 2: the model beside what a user would take instead, on stills held out of training.

It comes in two: how near to the truth, and what of the light itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lumivid_fx.evaluation import paper
from lumivid_fx.evaluation.baselines import BASELINES
from lumivid_fx.evaluation.protocol import (
    DELIVERIES,
    JPEG_QUALITY,
    Delivery,
    Light,
    Scene,
    to_codes,
)
from lumivid_fx.evaluation.rendering import render_pictures
from lumivid_fx.evaluation.scores import Score, frames_of, mean_score, score
from lumivid_fx.evaluation.table import Cell, Column, Table
from lumivid_fx.evaluation.workbench import Workbench

LINEARISED, FITTED = "sRGB linearised", "fitted 1-D log LUT"
OURS, NAMED = "ours", "ours, view named"

Scores = Mapping[str, Mapping[str, Score]]
"""By method and scene."""


def table_2(bench: Workbench) -> list[Table]:
    """Measure every method on every still of both deliveries."""
    scores = {d: measure_stills(bench, d) for d in DELIVERIES}
    rows = [row for delivery, table in scores.items() for row in _rows(delivery.name, table)]
    published: list[dict[str, Cell]] = [
        {"delivery": f"paper, {benchmark}", "method": method, **cells}
        for benchmark, table in paper.TABLE_2.items()
        for method, cells in table.items()
    ]
    deliveries = "; ".join(f"{d.name}: {d.about}, JPEG q{JPEG_QUALITY} 4:2:0" for d in DELIVERIES)
    notes = [
        f"{len(bench.names)} stills of 640 x 480, 90 degrees wide. {deliveries}. The fitted LUT "
        "knows which delivery it faces, the model is told nothing. *Ahead* counts scenes by "
        "aligned PU21-PSNR.",
        "The paper does not say how exposure was aligned, nor what LPIPS was given.",
    ]
    return [
        Table("table2", "Table 2. Stills: how near to the truth", NEAR, [*rows, *published], notes),
        Table("table2-light", "Table 2, light. Stills: what of the light", LIGHT, rows),
    ]


def measure_stills(bench: Workbench, delivery: Delivery) -> dict[str, dict[str, Score]]:
    """Scores by method and scene."""
    found: dict[str, dict[str, Score]] = {}
    for done, scene in enumerate(bench.stills(delivery)):
        bench.tell(f"table 2: stills, delivery {delivery.name}", done, len(bench.names))
        for method, result in undo(bench, delivery, scene):
            measured = score(frames_of(result, scene), bench.perceptual)
            found.setdefault(method, {})[scene.name] = measured
    return found


def undo(bench: Workbench, delivery: Delivery, scene: Scene) -> Iterator[tuple[str, Light]]:
    """Undo a delivery in each way there is: the method and its light ``h w 3``."""
    for name, baseline in BASELINES.items():
        yield name, baseline(scene.display)
    yield FITTED, bench.lut(delivery)[to_codes(scene.display)]
    yield OURS, render_pictures(scene.display, bench.model, bench.spaces)
    yield NAMED, render_pictures(scene.display, bench.model, bench.spaces, delivery.view)


def _rows(delivery: str, table: Scores) -> list[dict[str, Cell]]:
    rows = []
    for method, scenes in table.items():
        means = mean_score(list(scenes.values()))
        row: dict[str, Cell] = {"delivery": delivery, "method": method, **vars(means)}
        row["range"] = f"{means.stops:.1f} / {means.true_stops:.1f}"
        row["peaks"] = f"{means.peak:.0f} / {means.true_peak:.0f}"
        for key, other in (("ahead_plain", LINEARISED), ("ahead_lut", FITTED)):
            row[key] = "" if method == other else _ahead(scenes, table[other])
        rows.append(row)
    return rows


def _ahead(scenes: Mapping[str, Score], others: Mapping[str, Score]) -> str:
    won = sum(measured.aligned > others[name].aligned for name, measured in scenes.items())
    return f"{won} of {len(scenes)}"


_WHO = (Column("delivery", "Delivery"), Column("method", "Method"))

NEAR = (
    *_WHO,
    Column("aligned", "PU21-PSNR", 2, "up"),
    Column("raw", "raw", 2, "up"),
    Column("crf", "CRF-corrected", 2, "up"),
    Column("unclipped", "unclipped", 2, "up"),
    Column("ssim", "PU21-SSIM", 3, "up"),
    Column("lpips", "LPIPS", 3, "down"),
    Column("jod", "JOD", 2, "up"),
    Column("ahead_plain", "ahead of linearised"),
    Column("ahead_lut", "ahead of LUT"),
)

LIGHT = (
    *_WHO,
    Column("highlights", "highlights, stops", 2, "down"),
    Column("bias", "bias there"),
    Column("shadows", "shadows, stops", 2, "down"),
    Column("hue", "hue shift, degrees", 1, "down"),
    Column("colour", "colour shift, JND", 1, "down"),
    Column("range", "range / true, stops"),
    Column("peaks", "peak / true, cd/m²"),
)
