"""A schedule with fewer steps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumivid_fx.errors import InputError
from lumivid_fx.model.schedules import DISTILLED_SIGMAS, STAGE_2_SIGMAS
from lumivid_fx.pipeline.sampling import (
    thin_schedule,
    thin_sigmas,
)

SCHEDULES = st.sampled_from([DISTILLED_SIGMAS, STAGE_2_SIGMAS, (1.0, 0.0)])


def test_half_of_the_distilled_steps() -> None:
    """Every other level is taken."""
    assert thin_sigmas(DISTILLED_SIGMAS, 4) == (1.0, 0.9875, 0.975, 0.725, 0.0)


def test_all_steps_are_the_schedule_itself() -> None:
    """Nothing changes where nothing is left out, or more is asked for than there is."""
    assert thin_sigmas(DISTILLED_SIGMAS, 8) == DISTILLED_SIGMAS
    assert thin_sigmas(STAGE_2_SIGMAS, 8) == STAGE_2_SIGMAS


@given(SCHEDULES, st.integers(1, 12))
def test_thinned_schedule_falls_from_the_first_level_to_0(
    sigmas: tuple[float, ...], steps: int
) -> None:
    """It has the steps asked for, begins where the schedule does, and takes levels from it only."""
    thin = thin_sigmas(sigmas, steps)
    assert len(thin) == min(steps, len(sigmas) - 1) + 1
    assert (thin[0], thin[-1]) == (sigmas[0], 0.0)
    assert list(thin) == sorted(set(thin), reverse=True)
    assert set(thin) <= set(sigmas)


def test_no_step_is_refused() -> None:
    """A schedule without a step is no schedule."""
    with pytest.raises(ValueError, match="at least one step"):
        thin_sigmas(DISTILLED_SIGMAS, 0)


def test_every_stage_is_thinned() -> None:
    """A stage that has fewer steps than asked for keeps its own."""
    stages = (DISTILLED_SIGMAS, STAGE_2_SIGMAS)
    assert thin_schedule(stages, 4) == (thin_sigmas(DISTILLED_SIGMAS, 4), STAGE_2_SIGMAS)
    assert thin_schedule(stages, 8) == stages


@pytest.mark.parametrize("steps", [0, -1, 9])
def test_steps_that_the_model_has_not(steps: int) -> None:
    """The message says how many there may be."""
    with pytest.raises(InputError, match=f"steps is {steps}; this model takes 1 to 8"):
        thin_schedule((DISTILLED_SIGMAS, STAGE_2_SIGMAS), steps)
