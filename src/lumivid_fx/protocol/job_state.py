"""What a job can be, and what may follow.

    receiving ──> queued ──> running ──> done
        │           │  ▲        │  ├───> failed
        │           │  └────────┘  └───> cancelling ──> cancelled
        └───────────┴────────────────────────────────────> cancelled

A running job goes back to queued when its worker dies; it is then taken up at the first frame that
is missing.
"""

from __future__ import annotations

from typing import Literal, get_args

JobState = Literal["receiving", "queued", "running", "cancelling", "done", "failed", "cancelled"]

STATES: tuple[JobState, ...] = get_args(JobState)

FOLLOWS: dict[JobState, frozenset[JobState]] = {
    # its plate's frames are still being sent
    "receiving": frozenset({"queued", "failed", "cancelled"}),
    "queued": frozenset({"running", "failed", "cancelled"}),
    "running": frozenset({"queued", "done", "failed", "cancelling", "cancelled"}),
    # asked to stop, and not yet heard to have stopped
    "cancelling": frozenset({"cancelled", "done", "failed"}),
    "done": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
}

ENDED: frozenset[JobState] = frozenset(state for state, after in FOLLOWS.items() if not after)
"""States that nothing follows."""


def may_follow(before: JobState, after: JobState) -> bool:
    """Whether a job may go from one state to another."""
    return after in FOLLOWS[before]
