"""Which job is next: higher priority first, then sessions take turns, first come first served.

A session that sends a hundred shots does not keep another's single frame waiting: each gives one
job in its turn. The numbers of turns begin anew with the worker.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from lumivid_fx.worker.journal import JobRecord


def next_job(waiting: Sequence[JobRecord], turns: Mapping[str, int]) -> JobRecord | None:
    """The job to take; None where none waits.

    Args:
        waiting: In any order.
        turns: Number of the last turn of each session that had one; the later, the higher.
    """
    return min(
        waiting,
        key=lambda job: (-job.priority, *_longest_ago(job.session, turns), job.seq),
        default=None,
    )


def in_line(waiting: Iterable[JobRecord], turns: Mapping[str, int]) -> Iterator[JobRecord]:
    """Yield all jobs in the order in which :func:`next_job` takes them, if none comes or goes."""
    last = dict(turns)
    turn = max(last.values(), default=0)
    by_priority = sorted(waiting, key=lambda job: (-job.priority, job.seq))
    for _, jobs in groupby(by_priority, key=lambda job: job.priority):
        of: dict[str, deque[JobRecord]] = {}
        for job in jobs:
            of.setdefault(job.session, deque()).append(job)
        # Sessions that had no turn yet stay in the order of their first job: sorting is stable.
        round_robin = deque(sorted(of, key=lambda session: _longest_ago(session, last)))
        while round_robin:
            session = round_robin.popleft()
            yield of[session].popleft()
            turn += 1
            last[session] = turn
            if of[session]:
                round_robin.append(session)


def jobs_ahead(job: JobRecord, waiting: Iterable[JobRecord], turns: Mapping[str, int]) -> int:
    """How many of the jobs that wait are taken before this one, which need not be among them."""
    line = in_line([job, *(other for other in waiting if other.job != job.job)], turns)
    return next(place for place, other in enumerate(line) if other.job == job.job)


def _longest_ago(session: str, turns: Mapping[str, int]) -> tuple[bool, int]:
    return session in turns, turns.get(session, 0)
