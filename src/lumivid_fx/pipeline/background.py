"""Files beside the model: read ahead of it and written behind it, each on a thread of its own.

The model waits for no file while the next ones are read and the last ones written. Both threads do
one thing at a time and in order, so that results are those of a single thread; both hold a bounded
number of frames, so that memory does not grow with the shot. What goes wrong on a thread is raised
in the caller, at its turn: what came before it in order is had first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_BYTES = 2**30
"""What frames that wait in one queue may take together; one may wait whatever it takes."""


def how_many(frame_bytes: int, most: int) -> int:
    """How many frames may wait: `most`, or fewer where they are large, at least one."""
    return max(1, min(most, MOST_BYTES // max(frame_bytes, 1)))


@dataclass
class Waits:
    """How long a render stood still for files, in seconds.

    Attributes:
        first: Until its first window was read, ahead of which there is nothing to do.
        read: For frames that were not read in time, those of the first window included.
        write: For frames that were not written in time, the last ones included.
    """

    first: float = 0.0
    read: float = 0.0
    write: float = 0.0


class ReadAhead(Iterator[Result], Generic[Item, Result]):
    """Results of some work on items, in order, worked out before they are asked for.

    A context manager; leaving it lets go of what was not asked for.

    Args:
        work: Done on each item, on the thread.
        items: In order.
        depth: How many results may wait.
        threads: How many items are worked on at once; results come in order all the same.

    Attributes:
        waited: Seconds that whoever asked has waited for results.
    """

    def __init__(
        self,
        work: Callable[[Item], Result],
        items: Iterable[Item],
        depth: int,
        threads: int = 1,
    ) -> None:
        self._work, self._items, self._depth = work, iter(items), depth
        self.waited = 0.0
        self._thread = ThreadPoolExecutor(threads, "read-ahead")
        self._waiting: deque[Future[Result]] = deque()
        self._fill()

    def _fill(self) -> None:
        while len(self._waiting) < self._depth:
            try:
                item = next(self._items)
            except StopIteration:
                return
            self._waiting.append(self._thread.submit(self._work, item))

    def __next__(self) -> Result:
        if not self._waiting:
            raise StopIteration
        start = perf_counter()
        result = self._waiting.popleft().result()
        self.waited += perf_counter() - start
        self._fill()
        return result

    def __enter__(self) -> ReadAhead[Item, Result]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._waiting.clear()
        self._thread.shutdown(cancel_futures=True)


class WriteBehind(Generic[Result]):
    """Work that is done behind the caller's back, and told of in order.

    A context manager; leaving it waits for what is under way. Once a piece of work has failed,
    those after it are not begun.

    Args:
        depth: How much work may wait.
        tell: Called by the caller's own thread with each result, in order.

    Attributes:
        waited: Seconds that the caller has waited for work to be done.
    """

    def __init__(self, depth: int, tell: Callable[[Result], None]) -> None:
        self._depth, self._tell, self.waited = depth, tell, 0.0
        self._thread = ThreadPoolExecutor(1, "write-behind")
        self._waiting: deque[Future[Result]] = deque()
        self._failed = False

    def add(self, work: Callable[[], Result]) -> None:
        """Have something done; waits while there is too much to do.

        Raises:
            Exception: Whatever earlier work, or telling of it, raised.
        """
        if len(self._waiting) >= self._depth:
            self._wait()
        self.look()
        self._waiting.append(self._thread.submit(self._do, work))

    def _do(self, work: Callable[[], Result]) -> Result:
        # On the thread itself: the next piece would be under way before the caller could look.
        if self._failed:
            raise CancelledError
        try:
            return work()
        except BaseException:
            self._failed = True
            raise

    def look(self) -> None:
        """Tell of what is done by now; raises as :meth:`add` does."""
        while self._waiting and self._waiting[0].done():
            try:
                result = self._waiting.popleft().result()
            except BaseException:
                self._waiting.clear()
                raise
            self._tell(result)

    def __enter__(self) -> WriteBehind[Result]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            while self._waiting:
                self._wait()
                self.look()
        finally:
            self._thread.shutdown()

    def _wait(self) -> None:
        start = perf_counter()
        wait([self._waiting[0]])
        self.waited += perf_counter() - start
