"""What a job may become: the table holds together, and every way through it ends."""

from __future__ import annotations

import pytest

from lumivid_fx.protocol.job_state import ENDED, FOLLOWS, STATES, JobState, may_follow

BEGINNINGS: set[JobState] = {"receiving", "queued"}
"""A job begins with its plate on its way, or in the queue."""


def reachable(beginnings: set[JobState]) -> set[JobState]:
    """All states that a job can come to from these."""
    found: set[JobState] = set()
    new = set(beginnings)
    while new:
        found |= new
        new = {after for state in new for after in FOLLOWS[state]} - found
    return found


def test_table_knows_every_state_and_no_other() -> None:
    """Each has its row, and each row leads to states that have one."""
    assert set(FOLLOWS) == set(STATES)
    assert {after for row in FOLLOWS.values() for after in row} <= set(STATES)


def test_every_state_is_reached() -> None:
    """None stands in the table for nothing."""
    assert reachable(BEGINNINGS) == set(STATES)


def test_nothing_leads_back_to_receiving() -> None:
    """A plate that is whole stays whole."""
    assert reachable({"queued"}) == set(STATES) - {"receiving"}


@pytest.mark.parametrize("state", STATES)
def test_every_job_can_end(state: JobState) -> None:
    """No state is a trap, and each may still fail or be cancelled unless it has ended."""
    if state in ENDED:
        assert FOLLOWS[state] == frozenset()
    else:
        assert {"failed", "cancelled"} <= reachable({state})


def test_ended_is_what_a_client_waits_for() -> None:
    """Three ways to end, and no others."""
    assert set(ENDED) == {"done", "failed", "cancelled"}


def test_no_state_follows_itself() -> None:
    """A change is a change: the journal tells by it whether something happened."""
    assert not [state for state in STATES if may_follow(state, state)]


def test_a_killed_worker_loses_no_job() -> None:
    """What was running is queued at the next start; only that way is there back."""
    back = {(a, b) for a in STATES for b in STATES if may_follow(a, b) and may_follow(b, a)}
    assert back == {("running", "queued"), ("queued", "running")}


def test_cancelled_job_is_not_taken_up_again() -> None:
    """Once it has been asked to stop, it ends, be it done in the same moment."""
    assert reachable({"cancelling"}) == {"cancelling", *ENDED}
