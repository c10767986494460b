"""A scope as a picture. Matplotlib draws, and is imported only then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lumivid_fx.errors import InputError
from lumivid_fx.media.whole_file import whole_file
from lumivid_fx.review.measures import BRIGHTEST_STOP, DARKEST_STOP, Histogram, stops
from lumivid_fx.review.scope import Scope

_PAPER, _INK, _LINES = "#262626", "#bebebe", "#4a4a4a"
"""The dark neutral grey of contact sheets, and their lettering."""

_CHANNELS = ("#ff5a4d", "#45d05f", "#5b8cff")
_SDR_WHITE = float(np.log2(1 / 0.18))
_LEAST = 2.0**DARKEST_STOP * 0.18


def write_scope_picture(path: Path, scope: Scope) -> None:
    """Draw waveform, histogram, and levels over the frames.

    Args:
        path: A PNG, replaced if it exists.
        scope: What was measured.

    Raises:
        InputError: Matplotlib is not installed, or the file cannot be made there.
        DiskFullError: There is no room.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise InputError(
            "the scope's picture needs matplotlib, which is not installed; install "
            "lumivid-fx[review], or ask for --json alone"
        ) from error
    figure = Figure(figsize=(14, 9), layout="constrained", facecolor=_PAPER)
    grid = figure.add_gridspec(2, 3, height_ratios=(3, 2))
    figure.suptitle(f"{Path(scope.source).name}, {_summary(scope)}", color=_INK, fontsize=11)
    _draw_waveform(figure.add_subplot(grid[0, :2]), scope)
    _draw_histogram(figure.add_subplot(grid[0, 2]), scope.histogram)
    _draw_levels(figure.add_subplot(grid[1, :]), scope)
    with whole_file(path, str(path)) as beside:
        # Without the version of the library in it, the file is the same each time.
        figure.savefig(beside, dpi=100, metadata={"Software": None})


def _summary(scope: Scope) -> str:
    told = scope.as_json()
    peak = f"peak {told['peak']:.3g} ({100 * told['peak']:.0f} cd/m2)"
    width = "no range" if told["dynamic_range"] is None else f"{told['dynamic_range']:.1f} stops"
    steady = "" if told["flicker"] is None else f", flicker {told['flicker']:.4f}"
    return f"{len(scope.levels)} frames, {peak}, {width}{steady}"


def _draw_waveform(axes: Any, scope: Scope) -> None:
    counts = np.moveaxis(scope.waveform, 0, -1).astype(np.float64)
    # A trace's brightness goes with the root of its density, so that single pixels are seen.
    trace = np.sqrt(counts / max(np.percentile(counts[counts > 0], 99.0), 1.0))
    axes.imshow(
        np.clip(trace * 0.9, 0, 1), origin="lower", aspect="auto", interpolation="nearest",
        extent=(0, 1, DARKEST_STOP, BRIGHTEST_STOP),
    )  # fmt: skip
    _dress(axes, f"waveform of frame {scope.waveform_frame}", "")
    axes.set_ylabel("stops from 0.18", color=_INK)
    axes.set_xticks([])
    axes.set_yticks(range(DARKEST_STOP, BRIGHTEST_STOP + 1, 2))
    for level, label in ((0.0, "0.18"), (_SDR_WHITE, "1.0")):
        axes.axhline(level, color=_INK, lw=0.6, alpha=0.6)
        axes.text(1.0, level, f"{label} ", color=_INK, fontsize=8, va="bottom", ha="right")


def _draw_histogram(axes: Any, histogram: Histogram) -> None:
    total = (histogram.counts.sum(axis=1) + histogram.below + histogram.above)[:, None]
    shares = histogram.counts / np.maximum(total, 1)
    centres = (histogram.edges[1:] + histogram.edges[:-1]) / 2
    for share, colour in zip(shares, _CHANNELS, strict=True):
        axes.fill_between(centres, share, color=colour, alpha=0.25, lw=0)
        axes.plot(centres, share, color=colour, lw=1)
    outside = [100 * part.sum() / total.sum() for part in (histogram.below, histogram.above)]
    title = f"histogram; {outside[0]:.2f} % below, {outside[1]:.2f} % above"
    _dress(axes, title, "stops from 0.18")
    axes.set(xlim=(DARKEST_STOP, BRIGHTEST_STOP), yticks=[], ylim=(0, None))
    axes.set_xticks(range(DARKEST_STOP, BRIGHTEST_STOP + 1, 4))
    axes.axvline(_SDR_WHITE, color=_INK, lw=0.6, alpha=0.6)
    axes.axvline(0, color=_INK, lw=0.6, alpha=0.6)


def _draw_levels(axes: Any, scope: Scope) -> None:
    frames = [level.frame for level in scope.levels]
    for name, label, colour in (
        ("bright", "99.99 %", "#e08a3c"),
        ("peak", "peak", "#ffd24d"),
        ("log_average", "log average", "#ffffff"),
        ("median", "median", "#7fb8c9"),
    ):
        light = np.array([getattr(level, name) for level in scope.levels])
        axes.plot(
            frames, stops(np.maximum(light, _LEAST)), color=colour, lw=1.4, label=label,
            marker="." if len(frames) < 60 else None,
        )  # fmt: skip
    _dress(axes, "luminance over the frames", "frame")
    axes.set_ylabel("stops from 0.18", color=_INK)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.axhline(0, color=_INK, lw=0.6, alpha=0.6)
    axes.axhline(_SDR_WHITE, color=_INK, lw=0.6, alpha=0.6)
    axes.legend(
        fontsize=8, frameon=False, labelcolor=_INK, ncols=4, loc="lower left",
        bbox_to_anchor=(0, 1), borderaxespad=0.2,
    )  # fmt: skip


def _dress(axes: Any, title: str, below: str) -> None:
    axes.set_facecolor("black")
    axes.set_title(title, color=_INK, fontsize=10, loc="right" if below == "frame" else "center")
    axes.set_xlabel(below, color=_INK)
    axes.tick_params(colors=_INK, labelsize=8)
    axes.grid(color=_LINES, lw=0.4, alpha=0.6)
    for spine in axes.spines.values():
        spine.set_color(_LINES)
