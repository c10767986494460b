"""A client as it should be, which holds the worker to its word about every frame.

What it is told it checks: frames ascend between one attach and the next, their bytes have the
digest that was told, a frame that comes again is the same, and pixels that were acknowledged do not
come again.
"""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from tests.worker.caller import Caller, new_id
from tests.worker.faults.workers import own_pair
from tests.worker.running import SOON_S, RunningWorker

from lumivid_fx.protocol import messages as m
from lumivid_fx.protocol.places import KeyPair


class Taker(Caller):
    """Acknowledges pixels and gives credit by itself.

    Args:
        worker: Which.
        pair: Key pair to show; that of the worker's own user if not given.
        before: A taker whose connection is lost; this one goes on with its session and what it
            holds.
        see: Finds the file of a path that the worker told.

    Attributes:
        held: Frames by job and number.
        safe: Frames of pixels that the worker knows to be safe here.
        ends: How jobs ended.
        refusals: Every error that came.
    """

    def __init__(
        self,
        worker: RunningWorker,
        pair: KeyPair | None = None,
        before: Taker | None = None,
        see: Callable[[str], Path] = Path,
    ) -> None:
        super().__init__(
            worker.connection, pair or own_pair(worker), None if before is None else before.session
        )
        self.held: dict[str, dict[int, m.Frame]] = defaultdict(dict)
        self.safe: dict[str, set[int]] = defaultdict(set)
        self.ends: dict[str, m.Done] = {}
        self.refusals: list[m.Error] = []
        self.accepted: set[str] = set()
        self._see = see
        self._last: dict[str, int] = {}
        self._asked: dict[str, tuple[str, int]] = {}
        if before is not None:
            self.held, self.safe = before.held, before.safe
            self.ends, self.accepted = before.ends, before.accepted

    def __enter__(self) -> Taker:
        self.hello()
        return self

    def follow(self, job: str, *, credit: int = 8) -> None:
        """Attach after the last frame that is held without a gap before it, and give credit."""
        self._last.pop(job, None)
        after = max(self.held[job], default=None)
        for number, frame in self.held[job].items():
            if frame.path is None and number not in self.safe[job]:
                self._ack(frame)  # the worker may have died before it heard of it
        self.send(m.Attach(id=new_id(), job=job, after=after))
        self.send(m.Credit(job=job, frames=credit))

    def again(self, job: str, *, credit: int = 64) -> None:
        """Attach and ask for all there is."""
        self._last.pop(job, None)
        self.held[job] = {}
        self.send(m.Attach(id=new_id(), job=job))
        self.send(m.Credit(job=job, frames=credit))

    def run(self, request: m.Request, job: str | None = None) -> m.Done:
        """Submit, and take it to its end."""
        job = self.submit(request, job).job
        self.follow(job)
        return self.done(job)

    def answer(self, re: str) -> m.Message:
        """Wait for the answer to a message."""
        return self.hear(m.Message, lambda said: getattr(said, "re", None) == re)

    def take(self, seconds: float) -> None:
        """Hear what comes in a while."""
        self.all_heard(m.Message, seconds)

    def take_until(self, so: Callable[[], bool], what: str) -> None:
        """Take what comes until something is so."""
        deadline = time.monotonic() + SOON_S
        while not so():
            assert time.monotonic() < deadline, f"{what}: not so; heard {self._heard[-20:]}"
            self.take(0.02)

    def take_more(self, job: str, count: int = 1) -> None:
        """Take that many more frames."""
        enough = len(self.held[job]) + count
        self.take_until(lambda: len(self.held[job]) >= enough, f"{enough} frames are held")

    def _take(self) -> None:
        super()._take()
        match self._heard[-1]:
            case m.Frame() as frame:
                self._frame(frame)
            case m.Pong(re=re) if re in self._asked:
                job, number = self._asked.pop(re)
                self.safe[job].add(number)
                self._heard.pop()
            case m.Done() as done:
                self.ends[done.job] = done
            case m.Accepted() as accepted:
                self.accepted.add(accepted.job)
            case m.Error() as error:
                self.refusals.append(error)

    def _frame(self, frame: m.Frame) -> None:
        job, number = frame.job, frame.frame
        last = self._last.get(job)
        assert last is None or number > last, f"frame {number} came after frame {last}"
        self._last[job] = number
        content = self._see(frame.path).read_bytes() if frame.path else self.payloads.pop()
        assert hashlib.sha256(content).hexdigest() == frame.sha256
        assert len(content) == frame.size
        known = self.held[job].get(number)
        assert known is None or known.sha256 == frame.sha256, f"frame {number} is another"
        self.held[job][number] = frame
        self.send(m.Credit(job=job, frames=1))
        if frame.path is None:
            assert number not in self.safe[job], f"frame {number} is safe, and came again"
            self._ack(frame)

    def _ack(self, frame: m.Frame) -> None:
        self.send(m.Ack(job=frame.job, frame=frame.frame, sha256=frame.sha256))
        # Messages of one connection are heard in their order: the pong says that the ack was.
        ping = m.Ping(id=new_id())
        self._asked[ping.id] = (frame.job, frame.frame)
        self.send(ping)
