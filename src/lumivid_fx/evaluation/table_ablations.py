"""Tables 4 and 5: what the encoding and the degradations are worth, from models trained otherwise.

The runs lie in one folder, each under the name of its row: a model folder (``pq/lumivid.toml``), or
a LoRA for the measured model (``pq.safetensors``). A row whose run is not there says so.
"""

from __future__ import annotations

import numpy as np
import torch

from lumivid_fx.color.display_curves import linear_to_srgb
from lumivid_fx.evaluation import paper
from lumivid_fx.evaluation.divergence import divergence, histogram
from lumivid_fx.evaluation.encodings import ENCODINGS
from lumivid_fx.evaluation.scores import Score
from lumivid_fx.evaluation.table import Cell, Column, Table
from lumivid_fx.evaluation.table_motion import clips_in_words, measure_model, row_of
from lumivid_fx.evaluation.workbench import Workbench
from lumivid_fx.model.checkpoint import HdrModel, load_model

TRANSFORMS = {
    "LogC3": "logc3",
    "PQ": "pq",
    "HLG": "hlg",
    "ACEScct": "acescct",
    "linear / 16": "linear16",
}
"""Rows of Table 4, and the names of their runs."""

DEGRADATIONS = {"full": "full", "none": "none", "blur only": "blur"}
"""Rows of Table 5, and the names of their runs."""

NOT_RUN = "no run"


def table_4(bench: Workbench, ours: Score) -> Table:
    """Models trained in other encodings."""
    rows = [
        {**row, "kl": _pixel_divergence(bench, str(row["name"]))}
        for row in _measured(bench, TRANSFORMS, "table 4")
    ]
    shipped = row_of({"name": f"{bench.model.manifest.name}, for comparison"}, ours)
    published = [{"name": f"paper: {n}", **cells} for n, cells in paper.TABLE_4.items()]
    notes = (
        f"{clips_in_words(bench)} KL is that of the encoding of their truth against the truth "
        "clipped to SDR, in pixels. Runs share everything but the encoding; the shipped model was "
        "trained for longer.",
    )
    columns = (COLUMNS[0], Column("kl", "KL(SDR)", 3, "down"), *COLUMNS[1:])
    title = "Table 4. Ablation: the encoding"
    return Table("table4", title, columns, [*rows, shipped, *published], notes)


def table_5(bench: Workbench) -> Table:
    """Models trained with other degradations of the reference."""
    rows = _measured(bench, DEGRADATIONS, "table 5")
    published = [{"name": f"paper: {n}", **cells} for n, cells in paper.TABLE_5.items()]
    notes = (f"{clips_in_words(bench)} Runs share everything but the degradations.",)
    title = "Table 5. Ablation: degradations of the reference"
    return Table("table5", title, COLUMNS, [*rows, *published], notes)


def _measured(bench: Workbench, names: dict[str, str], words: str) -> list[dict[str, Cell]]:
    rows: list[dict[str, Cell]] = []
    for label, run in names.items():
        model = _load_run(bench, run)
        if model is None:
            absent: dict[str, Cell] = dict.fromkeys((c.key for c in COLUMNS), NOT_RUN)
            rows.append({**absent, "name": label})
        else:
            found = measure_model(bench, model, f"{words}: {label}")
            rows.append(row_of({"name": label, "digest": model.digest[:12]}, found))
    return rows


def _load_run(bench: Workbench, name: str) -> HdrModel | None:
    """The run of a name, or None where there is none.

    Raises:
        InputError: It is there, but damaged.
    """
    if bench.runs is None:
        return None
    if (bench.runs / name).is_dir():
        return load_model(bench.runs / name)
    lora = bench.runs / f"{name}.safetensors"
    return load_model(bench.base, lora=lora) if lora.is_file() else None


def _pixel_divergence(bench: Workbench, name: str) -> float:
    encoding = next(e for e in ENCODINGS if e.name == name)
    truth = np.stack([clip.truth for clip in bench.clips])
    codes = encoding.codes(torch.from_numpy(truth)).numpy()
    return divergence(histogram(codes), histogram(linear_to_srgb(truth.clip(0, 1))))


COLUMNS = (
    Column("name", "Trained with"),
    Column("aligned", "PU21-PSNR", 2, "up"),
    Column("lpips", "LPIPS", 3, "down"),
    Column("f2f", "F2F-PSNR"),
    Column("flicker", "Flicker", 4),
    Column("jod", "JOD", 2, "up"),
    Column("delta", "delta-PSNR", 2, "up"),
    Column("highlights", "highlights, stops", 2, "down"),
    Column("shadows", "shadows, stops", 2, "down"),
    Column("digest", "model"),
)
