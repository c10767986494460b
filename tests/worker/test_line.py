"""Which job is next, and how many are before it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.worker.journals import TO_PATH, digest, job_id

from lumivid_fx.worker.journal import JobRecord
from lumivid_fx.worker.line import in_line, jobs_ahead, next_job


def job(seq: int, session: str = "a", priority: int = 0) -> JobRecord:
    """A job that waits."""
    return JobRecord(
        job=job_id(seq),
        owner="x" * 40,
        session=session,
        seq=seq,
        state="queued",
        request=TO_PATH,
        digest=digest("a request"),
        priority=priority,
        attempts=0,
        rung=0,
        notes=(),
        total=0,
        code="",
        message="",
        created=0.0,
        updated=0.0,
        seconds=0.0,
    )


def taken(waiting: list[JobRecord], turns: dict[str, int]) -> list[int]:
    """Take jobs one after another as a worker does, and give the order."""
    waiting, turns, order = list(waiting), dict(turns), []
    while (found := next_job(waiting, turns)) is not None:
        waiting.remove(found)
        turns[found.session] = 1 + max(turns.values(), default=0)
        order.append(found.seq)
    return order


def test_nothing_waits() -> None:
    """An empty queue has no next job."""
    assert next_job([], {"a": 1}) is None


def test_first_come_first_served_in_a_session() -> None:
    """The order of the list does not matter, the order of arrival does."""
    assert taken([job(3), job(1), job(2)], {}) == [1, 2, 3]


def test_sessions_take_turns() -> None:
    """A hundred shots of one session do not keep the single shot of another waiting."""
    waiting = [*(job(seq, "a") for seq in range(1, 101)), job(101, "b"), job(102, "c")]
    assert taken(waiting, {"a": 7})[:4] == [101, 102, 1, 2]
    assert taken(waiting, {})[:4] == [1, 101, 102, 2]


def test_longest_ago_goes_first() -> None:
    """Turns are told by their numbers, and a session that had none comes before all."""
    waiting = [job(1, "a"), job(2, "b"), job(3, "c")]
    assert taken(waiting, {"a": 9, "b": 4}) == [3, 2, 1]
    # Numbers are only compared; nothing begins at 0 or 1.
    assert taken(waiting, {"a": -1, "b": -2, "c": -3}) == [3, 2, 1]
    assert taken(waiting, {"a": -1}) == [2, 3, 1]


def test_priority_goes_before_turns() -> None:
    """However long another session has waited."""
    waiting = [job(1, "b"), job(2, "a", priority=5), job(3, "a", priority=5), job(4, "c", -5)]
    assert taken(waiting, {"a": 3}) == [2, 3, 1, 4]


def test_turns_of_urgent_jobs_count() -> None:
    """A session whose urgent jobs went first waits in the rest of the queue."""
    waiting = [job(1, "a"), job(2, "b"), job(3, "a", priority=1)]
    assert taken(waiting, {}) == [3, 2, 1]


def test_jobs_ahead_of_one_that_is_not_queued_yet() -> None:
    """It is counted as if it were: its plate is still being sent."""
    assert jobs_ahead(job(9, "b"), [job(1), job(2), job(3)], {}) == 1
    assert jobs_ahead(job(9, "a"), [job(1), job(2), job(3)], {}) == 3


sessions = st.sampled_from("abcd")
queues = st.lists(st.tuples(sessions, st.integers(-2, 2)), max_size=24).flatmap(
    lambda kinds: st.permutations([job(seq, *kind) for seq, kind in enumerate(kinds)])
)
turns_had = st.dictionaries(sessions, st.integers(-5, 50))


@given(queues, turns_had)
def test_line_is_what_is_taken(waiting: list[JobRecord], turns: dict[str, int]) -> None:
    """The whole line in one go is what taking one job after another gives."""
    order = taken(waiting, turns)
    assert [each.seq for each in in_line(waiting, turns)] == order
    for each in waiting:
        assert jobs_ahead(each, waiting, turns) == order.index(each.seq)


@given(queues, turns_had)
def test_nobody_is_passed_twice(waiting: list[JobRecord], turns: dict[str, int]) -> None:
    """Between two jobs of a session, every other that waits with equal priority has a turn."""
    line = list(in_line(waiting, turns))
    for place, first in enumerate(line):
        later = [i for i in range(place + 1, len(line)) if line[i].session == first.session]
        if not later or line[later[0]].priority != first.priority:
            continue
        between = {each.session for each in line[place + 1 : later[0]]}
        still = {each.session for each in line[later[0] :] if each.priority == first.priority}
        assert still - {first.session} <= between
