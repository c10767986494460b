"""What moves: figures of known swings and steps, and what a blind copy gains."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lumivid_fx.evaluation.motion import change_of, delta_square_error
from lumivid_fx.evaluation.pu21 import light_to_pu21


def flat(level: float) -> np.ndarray:
    """A frame of one level."""
    return np.full((4, 4, 3), level)


def test_flicker_of_known_swing() -> None:
    """Frames of mean 1 that swing by 0.1 flicker by 0.1, at any exposure; a still shot by 0."""
    frames = [flat(level) for level in (0.9, 1.1, 0.9, 1.1)]
    assert change_of(frames).flicker() == pytest.approx(0.1)
    assert change_of([8 * f for f in frames]).flicker() == pytest.approx(0.1)
    assert change_of(frames[:1] * 4).flicker() == 0


def test_frame_to_frame_psnr_of_known_steps() -> None:
    """Steps between 10 and 100 cd/m2 are 20 log10(256 / 132.737) each; a halt is infinite."""
    found = change_of([flat(0.1), flat(1), flat(0.1)]).frame_to_frame_psnr()
    # From PU21's points of 10 and 100 cd/m2, good to 5e-4.
    assert found == pytest.approx(20 * math.log10(256 / (256.384 - 123.647)), abs=1e-4)
    assert change_of([flat(1), flat(1)]).frame_to_frame_psnr() == math.inf


def test_a_still_has_no_motion() -> None:
    """One frame has neither flicker nor a frame before it."""
    change = change_of([flat(1)])
    assert change.last is None
    assert math.isnan(change.flicker())
    assert math.isnan(change.frame_to_frame_psnr())
    assert delta_square_error(change, change) is None


def test_delta_compares_changes_and_not_pictures() -> None:
    """An offset of PU21 codes that stays is no change; one that moves is counted at its square."""
    truth, result = change_of([flat(0.1), flat(1)]), change_of([flat(0.2), flat(1)])
    codes = [float(light_to_pu21(np.array(x))) for x in (0.1, 0.2)]
    assert delta_square_error(result, truth) == pytest.approx((codes[0] - codes[1]) ** 2)
    assert delta_square_error(truth, truth) == 0
