"""Threads beside the model: order kept, queues bounded, errors at their turn, no thread left."""

from __future__ import annotations

import threading
from itertools import count

import pytest

from lumivid_fx.pipeline.background import ReadAhead, WriteBehind, how_many


class BadFrameError(Exception):
    """A frame that cannot be read or written."""


class Gate:
    """Work that waits until it is let through, and counts what has come to it."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.here = threading.Semaphore(0)
        self.go = threading.Semaphore(0)

    def __call__(self, item: int) -> int:
        """Wait, and give the item back."""
        self.begun.append(item)
        self.here.release()
        assert self.go.acquire(timeout=60)
        return item


def ours() -> list[str]:
    """Threads of this room that live."""
    names = (thread.name for thread in threading.enumerate())
    return [name for name in names if name.startswith(("read-ahead", "write-behind"))]


def test_read_in_order_whatever_the_depth() -> None:
    """Results are those of a plain loop, for fewer items than the depth and for more."""
    for depth in (1, 2, 7, 100):
        with ReadAhead(lambda n: n * n, range(20), depth) as squares:
            assert list(squares) == [n * n for n in range(20)]
    with ReadAhead(str, list[int](), 3) as nothing:
        assert list(nothing) == []
    assert ours() == []


def test_reads_while_nobody_asks_and_no_further_than_its_depth() -> None:
    """The thread runs ahead by itself, and stops where the queue is full."""
    asked: list[int] = []

    def numbers() -> count[int]:
        return count()

    done = threading.Event()

    def work(item: int) -> int:
        asked.append(item)
        if item == 3:
            done.set()
        return item

    with ReadAhead(work, numbers(), 4) as results:
        assert done.wait(60)
        assert asked == [0, 1, 2, 3]
        assert next(results) == 0
        assert next(results) == 1
        assert len(asked) <= 6
    assert ours() == []


def test_an_error_comes_at_its_turn() -> None:
    """What was read before a bad frame is had first, and its own error comes out as it is."""

    def work(item: int) -> int:
        if item == 3:
            raise BadFrameError(item)
        return item

    with ReadAhead(work, range(9), 8) as results:
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(BadFrameError):
            next(results)
    assert ours() == []


def test_leaving_lets_go_of_what_was_not_asked_for() -> None:
    """A cancelled render waits for the frame that is being read, and for none after its queue."""
    gate = Gate()

    def read() -> None:
        with ReadAhead(gate, count(), 5):
            assert gate.here.acquire(timeout=60)
            gate.go.release(5)  # should more have begun
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read()
    assert len(gate.begun) <= 5
    assert ours() == []


def test_written_in_order_and_told_by_the_caller() -> None:
    """Each result is told of once, in order, on the thread that adds."""
    told: list[tuple[int, int]] = []
    with WriteBehind[int](3, lambda n: told.append((n, threading.get_ident()))) as writing:
        for number in range(50):
            writing.add(lambda number=number: number)  # type: ignore[misc]
    assert told == [(number, threading.get_ident()) for number in range(50)]
    assert ours() == []


def test_no_more_waits_to_be_written_than_may() -> None:
    """Whoever adds waits while the queue is full, and no longer."""
    gate, told = Gate(), list[int]()
    with WriteBehind(2, told.append) as writing:
        writing.add(lambda: gate(0))
        writing.add(lambda: gate(1))
        assert gate.here.acquire(timeout=60)
        writing.look()
        assert told == []
        timer = threading.Timer(0.05, gate.go.release)
        timer.start()
        writing.add(lambda: gate(2))  # until the first is through
        assert told == [0]
        gate.go.release(2)
    assert told == [0, 1, 2]


def test_a_failed_write_ends_it() -> None:
    """What was written before is told of, what comes after is not begun, the error comes out."""
    told, begun = list[int](), list[int]()

    def work(number: int) -> int:
        begun.append(number)
        if number == 2:
            raise BadFrameError(number)
        return number

    def run() -> None:
        with WriteBehind(2, told.append) as writing:
            for number in range(9):
                writing.add(lambda number=number: work(number))  # type: ignore[misc]

    with pytest.raises(BadFrameError):
        run()
    assert told == [0, 1]
    assert begun == [0, 1, 2]
    assert ours() == []


def test_what_was_handed_over_before_a_write_failed_is_not_begun() -> None:
    """A frame that nobody will be told of is not written."""
    failing, begun = threading.Event(), list[str]()

    def bad() -> str:
        assert failing.wait(60)
        raise BadFrameError

    def good() -> str:
        begun.append("good")
        return "good"

    def run() -> None:
        with WriteBehind[str](2, begun.append) as writing:
            writing.add(bad)
            writing.add(good)
            failing.set()

    for _ in range(20):
        failing.clear()
        with pytest.raises(BadFrameError):
            run()
    assert begun == []


def test_a_cancelled_render_tells_of_what_it_wrote() -> None:
    """Frames that were handed over are written and told of before the cancel goes on."""
    told = list[int]()

    def run() -> None:
        with WriteBehind(2, told.append) as writing:
            writing.add(lambda: 1)
            writing.add(lambda: 2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert told == [1, 2]
    assert ours() == []


def test_large_frames_wait_alone() -> None:
    """A queue holds a gigabyte at most, or one frame."""
    assert how_many(1920 * 1080 * 16, 2) == 2
    assert how_many(2**29, 9) == 2
    assert how_many(2**32, 2) == 1
