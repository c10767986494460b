"""The noise schedules that LTX-2 was distilled to, as published."""

from __future__ import annotations

DISTILLED_SIGMAS = (1.0, 0.99375, 0.9875, 0.98125, 0.975, 0.909375, 0.725, 0.421875, 0.0)
"""LTX-2 distilled schedule, stage 1: 8 steps."""

STAGE_2_SIGMAS = (0.909375, 0.725, 0.0)
"""The HDR pipeline's stage 2: 2 steps. The generic distilled one has 0.421875 before the 0."""

SCHEDULES = {
    "8+2": (DISTILLED_SIGMAS, STAGE_2_SIGMAS),
    "8+3": (DISTILLED_SIGMAS, (*STAGE_2_SIGMAS[:-1], 0.421875, 0.0)),
}
"""By their steps: what the HDR pipeline takes, and what the paper's 11 steps are."""
