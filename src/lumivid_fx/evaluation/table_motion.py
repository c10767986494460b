"""Table 3: stability in time, on clips whose camera turns inside maps held out of training."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from lumivid_fx.evaluation import paper
from lumivid_fx.evaluation.baselines import BASELINES
from lumivid_fx.evaluation.protocol import (
    CAMERA,
    CLIP_HEIGHT,
    CLIP_WIDTH,
    FPS,
    FRAMES,
    X264_RATE_FACTOR,
    Light,
    Scene,
    to_codes,
)
from lumivid_fx.evaluation.rendering import render_pictures
from lumivid_fx.evaluation.scores import Score, frames_of, mean_score, score
from lumivid_fx.evaluation.table import Cell, Column, Table
from lumivid_fx.evaluation.table_methods import FITTED, LINEARISED, OURS
from lumivid_fx.evaluation.workbench import Workbench
from lumivid_fx.model.checkpoint import HdrModel

Method = Callable[[Scene], Light]

TRUTH, BT2446_A = "the truth itself", "BT.2446 A inverse"


def table_3(bench: Workbench, ours: Score) -> Table:
    """Measure the truth, the baselines and the model on every clip.

    Args:
        bench: The material.
        ours: The model's mean score, from :func:`measure_model`.
    """
    rows = [
        row_of({"method": name}, measure_clips(bench, method, f"table 3: {name}"))
        for name, method in _baselines(bench)
    ]
    rows.append(row_of({"method": OURS}, ours))
    rows += [{"method": f"paper: {name}", **cells} for name, cells in paper.TABLE_3.items()]
    notes = (
        f"{clips_in_words(bench)} The truth's own row is what F2F-PSNR and flicker are to be held "
        "against: a camera that turns makes some of both, and lost range makes less. Delta-PSNR "
        "compares what changes from frame to frame with what changes in the truth.",
    )
    return Table("table3", "Table 3. Clips: stability in time", COLUMNS, rows, notes)


def clips_in_words(bench: Workbench) -> str:
    """What the clips are."""
    return (
        f"{len(bench.clips)} clips of {FRAMES} frames, {CLIP_WIDTH} x {CLIP_HEIGHT}, {FPS} fps; "
        f"delivery B ({CAMERA.about}) as x264, rate factor {X264_RATE_FACTOR}."
    )


def measure_model(bench: Workbench, model: HdrModel, words: str) -> Score:
    """Mean score of a model on the clips, told nothing of their view."""
    return measure_clips(
        bench, lambda clip: render_pictures(clip.display, model, bench.spaces), words
    )


def measure_clips(bench: Workbench, method: Method, words: str) -> Score:
    """Mean score of a method on the clips."""
    found = []
    for done, clip in enumerate(bench.clips):
        bench.tell(words, done, len(bench.clips))
        found.append(score(frames_of(method(clip), clip), bench.perceptual, float(FPS)))
    return mean_score(found)


def row_of(first: dict[str, Cell], means: Score) -> dict[str, Cell]:
    """A row of means, F2F-PSNR and flicker set against the truth's."""
    return {
        **first,
        **vars(means),
        "f2f_gap": means.f2f - means.true_f2f,
        "flicker_ratio": means.flicker / means.true_flicker,
        "range": f"{means.stops:.1f} / {means.true_stops:.1f}",
        "peaks": f"{means.peak:.0f} / {means.true_peak:.0f}",
    }


def _baselines(bench: Workbench) -> Iterator[tuple[str, Method]]:
    def each(baseline: Callable[[Light], Light]) -> Method:
        return lambda clip: np.stack([baseline(frame) for frame in clip.display])

    yield TRUTH, lambda clip: clip.truth
    yield LINEARISED, each(BASELINES[LINEARISED])
    yield BT2446_A, each(BASELINES[BT2446_A])
    lut = bench.clip_lut
    yield FITTED, lambda clip: lut[to_codes(clip.display)]


COLUMNS = (
    Column("method", "Method"),
    Column("f2f", "F2F-PSNR"),
    Column("f2f_gap", "less the truth's"),
    Column("flicker", "Flicker", 4),
    Column("flicker_ratio", "over the truth's", 2),
    Column("delta", "delta-PSNR", 2, "up"),
    Column("jod", "JOD", 2, "up"),
    Column("aligned", "PU21-PSNR", 2, "up"),
    Column("ssim", "PU21-SSIM", 3, "up"),
    Column("highlights", "highlights, stops", 2, "down"),
    Column("colour", "colour shift, JND", 1, "down"),
    Column("range", "range / true, stops"),
    Column("peaks", "peak / true, cd/m²"),
)
