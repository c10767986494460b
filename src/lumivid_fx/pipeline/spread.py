"""Work spread over several devices: each has a thread of its own, results come in order.

Progress is told by the caller's own thread, so that what it raises stops all the others at their
next step, as it stops a single device.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from threading import Event
from typing import TypeVar

from lumivid_fx.errors import CancelledError

Item = TypeVar("Item")
Result = TypeVar("Result")

Tell = Callable[[], None]
"""Something to be told, by the caller's thread."""

Step = Callable[[Tell], None]
"""Called by work after each of its steps; raises when the work is to stop."""


def spread(
    workers: Sequence[Callable[[Item, Step], Result]], items: Iterable[Item]
) -> Iterator[Result]:
    """Have items worked on, as many at once as there are workers.

    Args:
        workers: One for each device; a single one works in the caller's thread.
        items: Taken one by one by the caller's thread, no more than are worked on.

    Yields:
        Results in the items' order.
    """
    if len(workers) == 1:
        for item in items:
            yield workers[0](item, lambda tell: tell())
        return
    threads = [ThreadPoolExecutor(1, f"device-{index}") for index in range(len(workers))]
    told: SimpleQueue[Tell | None] = SimpleQueue()
    stop = Event()
    waiting: deque[Future[Result]] = deque()
    step = partial(_step, told, stop)
    try:
        for index, item in enumerate(items):
            turn = index % len(workers)
            future = threads[turn].submit(workers[turn], item, step)
            future.add_done_callback(lambda _: told.put(None))
            waiting.append(future)
            if len(waiting) == len(workers):
                yield _result(waiting.popleft(), told)
        while waiting:
            yield _result(waiting.popleft(), told)
    finally:
        stop.set()
        for thread in threads:
            thread.shutdown(cancel_futures=True)


def _step(told: SimpleQueue[Tell | None], stop: Event, tell: Tell) -> None:
    if stop.is_set():
        raise CancelledError("the render was stopped")
    told.put(tell)


def _result(future: Future[Result], told: SimpleQueue[Tell | None]) -> Result:
    """Wait for a result, and tell meanwhile what there is to be told."""
    while not (future.done() and told.empty()):
        tell = told.get()
        if tell is not None:
            tell()
    return future.result()
