"""All figures of a result at once: perfect results, exposure, clips, and what has no figure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lumivid_fx.evaluation.perceptual import Perceptual
from lumivid_fx.evaluation.protocol import CAMERA, Scene
from lumivid_fx.evaluation.scores import Score, frames_of, mean_score, score


@pytest.fixture
def nobody(tmp_path: Path) -> Iterator[Perceptual]:
    """No metrics environment."""
    with Perceptual(tmp_path) as perceptual:
        yield perceptual


def scene(frames: int = 0) -> Scene:
    """Light of eighteen stops and its camera-like SDR, a still or a clip."""
    random = np.random.default_rng(0)
    shape = (frames, 48, 64, 3) if frames else (48, 64, 3)
    light = (0.18 * 2 ** random.uniform(-8, 10, shape)).astype(np.float32)
    truth, display = CAMERA.show(light)
    return Scene("scene", truth, display)


def test_perfect_result_scores_so(nobody: Perceptual) -> None:
    """The truth itself, two stops off, has no error left after alignment."""
    made = scene()
    found = score(frames_of(made.truth * np.float32(4), made), nobody)
    assert found.raw < 20
    assert found.aligned > 100  # float32 rounding of the factor is all that is left
    assert found.highlights == pytest.approx(0, abs=1e-5)
    assert found.colour == pytest.approx(0, abs=1e-3)
    assert found.stops == pytest.approx(found.true_stops)
    assert math.isnan(found.jod)
    assert math.isnan(found.flicker)


def test_clip_has_one_exposure_for_all_frames(nobody: Perceptual) -> None:
    """A frame that is brighter than the others stays so: it flickers, and its change is wrong."""
    made = scene(4)
    steady = score(frames_of(made.truth * np.float32(0.5), made), nobody, 24)
    assert steady.delta > 100
    assert steady.flicker == pytest.approx(steady.true_flicker, rel=1e-4)
    pulsing = made.truth * np.array([1, 1, 2, 1], np.float32)[:, None, None, None]
    found = score(frames_of(pulsing, made), nobody, 24)
    assert found.delta < 30
    assert found.flicker > 3 * found.true_flicker
    assert found.aligned < 30


def test_clip_is_pooled_over_frames(nobody: Perceptual) -> None:
    """PSNR of a clip is that of all its frames together, which one bad frame pulls down."""
    made = scene(2)
    result = made.truth.copy()
    result[0] *= np.float32(1.2)
    one = score(frames_of(result[0], Scene("", made.truth[0], made.display[0])), nobody)
    both = score(frames_of(result, made), nobody, 24)
    # Half of the pixels have the error: 10 log10(2).
    assert both.raw == pytest.approx(one.raw + 10 * math.log10(2), abs=1e-6)


def test_mean_passes_over_what_is_no_number() -> None:
    """A scene without shadows takes no part in the mean of shadows."""
    figures = dict.fromkeys(Score.__dataclass_fields__, 1.0)
    low, high = Score(**figures | {"shadows": math.nan}), Score(**figures | {"shadows": 3.0})
    found = mean_score([low, high])
    assert (found.shadows, found.raw) == (3, 1)
    assert math.isnan(mean_score([low]).shadows)
