"""Every figure of one result at once: a still, or a clip whose frames come one at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

from lumivid_fx.color.display_curves import linear_to_srgb
from lumivid_fx.evaluation import alignment, metrics
from lumivid_fx.evaluation.motion import Change, delta_square_error
from lumivid_fx.evaluation.perceptual import Perceptual
from lumivid_fx.evaluation.protocol import Light, Scene
from lumivid_fx.evaluation.pu21 import Float, light_to_pu21, psnr_of, pu21_ssim

NONE = math.nan


@dataclass(frozen=True)
class Shown:
    """One frame to be measured.

    Attributes:
        result: ``h w 3`` linear Rec.709 light.
        truth: The same shape.
        display: SDR codes ``h w 3`` in [0, 1] that the result was made of, or None.
    """

    result: Light
    truth: Light
    display: Light | None


Frames = Callable[[], Iterator[Shown]]
"""Gives the frames of a still or clip from the first to the last, each time it is called."""


@dataclass(frozen=True)
class Score:
    """What one result scored; NaN where there is no such figure.

    All but `raw` and `crf` are after one factor of exposure for the whole still or clip; figures
    that are means over frames pass over frames without one.

    Attributes:
        raw: PU21-PSNR as it came, dB, over all frames together.
        aligned: The same after the factor.
        crf: The same after CRF correction, each frame for itself, mean over frames.
        unclipped: PU21-PSNR over pixels that the SDR picture did not clip, mean over frames.
        ssim: PU21-SSIM, mean over frames.
        lpips: LPIPS of PU21 codes, mean over frames.
        jod: ColorVideoVDP, of the clip as a whole.
        highlights: Mean error in stops where the SDR picture clipped.
        bias: Mean signed error there, above 0 where too bright.
        shadows: Mean error in stops where it crushed.
        hue: Mean hue shift where it clipped, degrees.
        colour: Mean shift of colour where it clipped, in just noticeable differences.
        stops: Dynamic range, mean over frames, and `true_stops` the truth's.
        true_stops: See `stops`.
        peak: Brightest frame's peak in cd/m2, and `true_peak` the truth's.
        true_peak: See `peak`.
        f2f: F2F-PSNR, dB, and `true_f2f` the truth's.
        true_f2f: See `f2f`.
        delta: Delta-PSNR, dB.
        flicker: Flicker index, and `true_flicker` the truth's.
        true_flicker: See `flicker`.
    """

    raw: float
    aligned: float
    crf: float
    unclipped: float
    ssim: float
    lpips: float
    jod: float
    highlights: float
    bias: float
    shadows: float
    hue: float
    colour: float
    stops: float
    true_stops: float
    peak: float
    true_peak: float
    f2f: float = NONE
    true_f2f: float = NONE
    delta: float = NONE
    flicker: float = NONE
    true_flicker: float = NONE


def frames_of(result: Light, scene: Scene) -> Frames:
    """The frames of a result in memory, ``h w 3`` or ``f h w 3``, and of its scene."""
    pictures = (result, scene.truth, scene.display)
    stacked = [x[None] if x.ndim == 3 else x for x in pictures]
    return lambda: (Shown(*each) for each in zip(*stacked, strict=True))


def exposure_factor(frames: Frames) -> float:
    """One factor that brings all frames together to the truth's exposure.

    Where the SDR picture is not given, the truth's own codes, sRGB and clipped, stand for it.
    """
    ratios = []
    for shown in frames():
        display = _plain_codes(shown.truth) if shown.display is None else shown.display
        found = alignment.exposure_ratios(shown.result, shown.truth, display)
        ratios.append(found[:: max(1, found.size // 100_000)])  # a clip of any length fits
    return alignment.median_factor(np.concatenate(ratios) if ratios else np.zeros(0))


def _plain_codes(light: Light) -> Light:
    return linear_to_srgb(light.clip(0, 1))


def score(frames: Frames, perceptual: Perceptual, fps: float | None = None) -> Score:
    """Measure a result.

    Args:
        frames: Its frames; one is a still.
        perceptual: JOD and LPIPS.
        fps: Frames a second of a clip, for JOD.
    """
    factor = np.float32(exposure_factor(frames))
    found: list[dict[str, float]] = []
    change, true_change = Change(), Change()
    with perceptual.recording() as recording:
        for shown in frames():
            aligned = shown.result * factor
            recording.add(aligned, shown.truth)
            codes = light_to_pu21(aligned), light_to_pu21(shown.truth)
            found.append(_of_frame(shown, aligned, codes, perceptual))
            change.add(codes[0], aligned)
            true_change.add(codes[1], shown.truth)
            moved = delta_square_error(change, true_change)
            if moved is not None:
                found[-1]["delta"] = moved
        jod = recording.jod(fps)
    column = {name: [row[name] for row in found if name in row] for name in _FRAME_FIGURES}
    pooled = {
        name: psnr_of(np.sqrt(np.array(column[name]))) for name in ("raw", "aligned", "delta")
    }
    means = {name: mean(column[name]) for name in _FRAME_FIGURES if name not in pooled}
    return Score(
        **(means | pooled | {name: max(column[name]) for name in ("peak", "true_peak")}),
        jod=jod,
        f2f=change.frame_to_frame_psnr(),
        true_f2f=true_change.frame_to_frame_psnr(),
        flicker=change.flicker(),
        true_flicker=true_change.flicker(),
    )


_FRAME_FIGURES = tuple(
    field.name
    for field in fields(Score)
    if field.name not in {"jod", "f2f", "true_f2f", "flicker", "true_flicker"}
)


def _of_frame(
    shown: Shown, aligned: Light, codes: tuple[Float, Float], perceptual: Perceptual
) -> dict[str, float]:
    """Figures of one frame; PSNR that is averaged over frames as its mean square error.

    Args:
        shown: The frame.
        aligned: Its result after the factor.
        codes: PU21 codes of that and of the truth.
        perceptual: LPIPS.
    """
    truth, display = shown.truth, shown.display
    gap = codes[0] - codes[1]
    corrected = light_to_pu21(alignment.crf_corrected(shown.result, truth))
    row = {
        "raw": float(np.square(light_to_pu21(shown.result) - codes[1]).mean()),
        "aligned": float(np.square(gap).mean()),
        "crf": psnr_of(corrected - codes[1]),
        "ssim": pu21_ssim(aligned, truth),
        "lpips": perceptual.lpips(aligned, truth),
        "stops": metrics.dynamic_range(aligned),
        "true_stops": metrics.dynamic_range(truth),
        "peak": metrics.peak_nits(aligned),
        "true_peak": metrics.peak_nits(truth),
    }
    if display is None:
        absent = ("unclipped", "highlights", "bias", "shadows", "hue", "colour")
        return row | dict.fromkeys(absent, NONE)
    clipped, crushed = metrics.highlights(display), metrics.shadows(display)
    error, bias = metrics.stops_apart(aligned, truth, clipped)
    hue, colour = metrics.colour_shift(aligned, truth, clipped)
    return row | {
        "unclipped": psnr_of(gap[~clipped]),
        "highlights": error,
        "bias": bias,
        "shadows": metrics.stops_apart(aligned, truth, crushed)[0],
        "hue": hue,
        "colour": colour,
    }


def mean(values: Iterable[float]) -> float:
    """Mean of what is a number; NaN where nothing is, infinite where anything is."""
    known = [v for v in values if not math.isnan(v)]
    return sum(known) / len(known) if known else NONE


def mean_score(scores: Sequence[Score]) -> Score:
    """Mean of each figure over scenes, passing over scenes that have none."""
    return Score(*(mean(getattr(s, f.name) for s in scores) for f in fields(Score)))
