"""What one process has open to its worker: the link, the jobs it follows, the callbacks' thread."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from uuid import uuid4

from lumivid_fx.client.callbacks import Callbacks, Calls
from lumivid_fx.client.feed import Feed
from lumivid_fx.client.following import Following
from lumivid_fx.client.job import Job
from lumivid_fx.client.keys import own_key_pair
from lumivid_fx.client.link import Link, Says
from lumivid_fx.errors import InputError
from lumivid_fx.protocol.messages import Ack, Limits, Ping, Pong, Welcome, WorkerMessage
from lumivid_fx.protocol.places import read_connection

if TYPE_CHECKING:
    from lumivid_fx.errors import LumividError
    from lumivid_fx.protocol.places import Places


class Session:
    """A connection and the jobs that are followed over it.

    A job that nobody holds any more, and that has nobody to call, is followed no further. Acks have
    no answer of their own: a ping goes behind those of a job that is over, and it is kept until
    the answer comes, so that a worker which dies before it heard them is told again.

    Args:
        places: Where keys and the worker's address lie.
        name: What the client calls itself.
        timeout: Seconds that an answer may take.

    Raises:
        WireError: No worker runs here, or it does not answer.
        NotAdmittedError: It does not know this key, or is another than its file names.
    """

    def __init__(self, places: Places, name: str, timeout: float) -> None:
        self._lock = threading.Lock()
        self._jobs: weakref.WeakValueDictionary[str, Following] = weakref.WeakValueDictionary()
        self._calling: set[Following] = set()
        self._nudged: set[Following] = set()
        self._unheard: dict[str, list[tuple[Following, list[Ack]]]] = {}  # the link's thread alone
        self._limits = Limits()
        read_connection(places.connection)
        self.callbacks = Callbacks()
        self.link = Link(places, own_key_pair(places), name, self)
        self.link.start(timeout)
        self.callbacks.start()

    def follow(
        self,
        job: str,
        calls: Calls,
        *,
        wanted: bool,
        after: int | None,
        pixels: bool | None,
        cancel: Callable[[str], None],
    ) -> tuple[Following, Job]:
        """A job that this process knows from here on; it is said to the worker when it begins.

        Args:
            job: Its id.
            calls: Whom to call.
            wanted: Whether frames are to come.
            after: The last frame that is not wanted any more.
            pixels: Whether frames come as pixels; None if nobody knows.
            cancel: How to stop a job.

        Raises:
            InputError: It is followed already.
        """
        if calls.on_frame is not None and not wanted:
            raise InputError("on_frame is given frames, and want_frames=False wants none")
        feed = Feed(job, wanted=wanted, after=after, pixels=pixels)
        following = Following(feed, self._nudge)
        following.keep_to(self._limits)
        face = Job(
            following,
            called=bool(calls),
            reads=wanted and calls.on_frame is None,
            cancel=cancel,
            in_callback=lambda: self.callbacks.here,
        )
        with self._lock:
            known = self._jobs.get(job)
            if known is not None and not known.over:
                raise InputError(
                    f"job {job} is followed by this connection already; use the Job it gave"
                )
            self._jobs[job] = following
            if calls:
                self._calling.add(following)
        self.callbacks.call_for(following, face, calls)
        if self.link.error is not None:
            following.fail(self.link.error)
        return following, face

    def unfollow(self, following: Following) -> None:
        """Forget a job that the worker has refused."""
        with self._lock:
            if self._jobs.get(following.id) is following:
                del self._jobs[following.id]
            self._calling.discard(following)

    def close(self) -> None:
        """End the connection; jobs go on at the worker."""
        self.link.close()
        self.callbacks.close()

    def _nudge(self, following: Following) -> None:
        with self._lock:
            self._nudged.add(following)
        self.link.wake()

    def _all(self) -> list[Following]:
        with self._lock:
            return list(self._jobs.values())

    # ---- what the link tells --------------------------------------------------------------------

    def welcome(self, welcome: Welcome) -> None:
        """There is a connection: everything is said anew."""
        self._limits = welcome.limits
        followings = self._all()
        for following in followings:
            following.keep_to(welcome.limits)
        with self._lock:
            self._nudged.update(followings)

    def hear(self, message: WorkerMessage, pixels: memoryview | None) -> None:
        """The worker said something of a job; of one that nobody follows it is passed over."""
        if isinstance(message, Pong):
            for each, acks in self._unheard.pop(message.re, ()):
                each.heard_of(acks)
            return
        with self._lock:
            following = self._jobs.get(getattr(message, "job", ""))
        if following is not None:
            following.hear(message, pixels)
            with self._lock:
                self._nudged.add(following)

    def due(self) -> Iterator[Says]:
        """What is to be said of all jobs."""
        with self._lock:
            nudged, self._nudged = self._nudged, set()
        last: list[tuple[Following, list[Ack]]] = []
        for following in nudged:
            yield from following.due()
            if following.over and (acks := following.unheard):
                last.append((following, acks))
            if following.finished:
                with self._lock:
                    self._calling.discard(following)
        if last:
            ping = Ping(id=uuid4().hex)
            self._unheard[ping.id] = last
            yield ping, None

    def lost(self) -> None:
        """The connection is gone; another is being made."""
        unheard = {following for said in self._unheard.values() for following, _ in said}
        self._unheard.clear()
        for following in unheard.union(self._all()):
            following.lost()
        with self._lock:
            self._nudged |= unheard

    def fail(self, error: LumividError) -> None:
        """There will be no connection any more."""
        for following in self._all():
            following.fail(error)
