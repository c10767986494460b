"""The table of an evaluation, as text and as JSON, and pictures to look at beside the numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lumivid_fx.color.display_curves import linear_to_srgb
from lumivid_fx.evaluation.metrics import NITS_RANGE, PU21_PEAK, WHITE_NITS
from lumivid_fx.evaluation.protocol import DELIVERIES, Light
from lumivid_fx.media.contact_sheet import contact_sheet

Rows = Mapping[str, Mapping[str, "Row"]]

STOPS = (-4, 0, 3)
"""Exposures that a picture is shown at: into the highlights, as delivered, into the shadows."""


@dataclass(frozen=True)
class Row:
    """What one result scored; NaN where a scene has no such pixels.

    Attributes:
        raw: PU21-PSNR as it came, dB.
        aligned: After one factor of exposure.
        unclipped: The same over pixels that the delivery did not clip.
        ssim: PU21-SSIM.
        highlights: Mean error in stops where it clipped.
        shadows: Mean error in stops where it crushed.
        stops: Dynamic range of the result.
        true_stops: Dynamic range of the truth.
    """

    raw: float
    aligned: float
    unclipped: float
    ssim: float
    highlights: float
    shadows: float
    stops: float
    true_stops: float


def mean(values: Iterable[float]) -> float:
    """Mean of what is a number; NaN where nothing is."""
    known = [v for v in values if not math.isnan(v)]
    return sum(known) / len(known) if known else math.nan


def as_markdown(rows: Mapping[str, Rows], *, baselines: tuple[str, str], model: str) -> str:
    """Write one table: methods under each delivery, means over scenes.

    Args:
        rows: By delivery, method and scene.
        baselines: The two methods against which scenes are counted, by aligned PSNR.
        model: The model's name.
    """
    lines = [
        f"# {model} on maps held out of its training",
        "",
        f"Linear 1.0 is {WHITE_NITS:g} cd/m², light is clamped to {NITS_RANGE[0]:g} to "
        f"{NITS_RANGE[1]:g} cd/m², PU21-PSNR has its peak at {PU21_PEAK:g}. All but *raw* is after "
        "one factor of exposure; *ahead* counts scenes by aligned PSNR.",
        "",
        *(f"- {d.name}: {d.about}" for d in DELIVERIES if d.name in rows),
        "",
        "| | method | PSNR raw | PSNR aligned | unclipped | SSIM | highlights, stops | "
        "shadows, stops | range / true, stops | ahead of linearised | ahead of LUT |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for delivery, table in rows.items():
        for method, scenes in table.items():
            scored = list(scenes.values())
            cells = [
                delivery,
                method,
                *(f"{mean(getattr(r, n) for r in scored):.2f}" for n in ("raw", "aligned")),
                f"{mean(r.unclipped for r in scored):.2f}",
                f"{mean(r.ssim for r in scored):.3f}",
                f"{mean(r.highlights for r in scored):.2f}",
                f"{mean(r.shadows for r in scored):.2f}",
                f"{mean(r.stops for r in scored):.1f} / {mean(r.true_stops for r in scored):.1f}",
                *(_ahead(scenes, table[name], method == name) for name in baselines),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _ahead(scenes: Mapping[str, Row], others: Mapping[str, Row], itself: bool) -> str:
    if itself:
        return ""
    won = sum(row.aligned > others[name].aligned for name, row in scenes.items())
    return f"{won} of {len(scenes)}"


def write_report(folder: Path, text: str, rows: Mapping[str, Rows], digest: str) -> None:
    """Write ``held_out.md`` and, with every scene's own numbers, ``held_out.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "held_out.md").write_text(text, "utf-8")
    numbers = {
        delivery: {
            method: {scene: _rounded(row) for scene, row in scenes.items()}
            for method, scenes in table.items()
        }
        for delivery, table in rows.items()
    }
    whole = {"model_digest": digest, "white_nits": WHITE_NITS, "rows": numbers}
    (folder / "held_out.json").write_text(json.dumps(whole, indent=1) + "\n", "utf-8")


def _rounded(row: Row) -> dict[str, float | None]:
    return {k: round(v, 4) if math.isfinite(v) else None for k, v in asdict(row).items()}


def write_comparison(path: Path, pictures: Mapping[str, Light], title: str) -> None:
    """Write a PNG with a row for each picture, at the exposures :data:`STOPS`.

    Args:
        path: The file; its folder is made if missing.
        pictures: ``h w 3`` linear Rec.709 light of one size, by label.
        title: Written in the corner.
    """
    rows = []
    for label, light in pictures.items():
        seen = [linear_to_srgb(np.clip(light * np.float32(2.0**s), 0, 1)) for s in STOPS]
        rows.append((label, [np.rint(codes * 255).astype(np.uint8) for codes in seen]))
    path.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet(rows, [f"{s:+d} stops" if s else "0 stops" for s in STOPS], title).save(path)
