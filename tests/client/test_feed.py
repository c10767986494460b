"""A feed against any worker, reader and network: nothing lost, nothing twice, little held."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.client.stand_in import pixels

from lumivid_fx.client.feed import PATHS_AHEAD, PIXELS_AHEAD, Feed
from lumivid_fx.errors import WireError
from lumivid_fx.protocol.messages import Accepted, Ack, Attach, Credit, Done, Frame, WorkerMessage

JOB = "ab" * 16


class PlainWorker:
    """The rules of a worker in a few lines: what it would have sent, in order.

    Args:
        count: Frames of the job.
        inline: Whether they go as pixels.
    """

    def __init__(self, count: int, *, inline: bool) -> None:
        self.count = count
        self.inline = inline
        self.finished = 0
        self.acked: set[int] = set()
        self.sent: list[WorkerMessage] = []
        self._frames = False
        self._after = 0
        self._credit = 0
        self._ended = True

    def lose(self) -> None:
        """The connection is gone, with what was under way."""
        self.sent.clear()
        self._ended, self._credit = True, 0

    def hear(self, message: Attach | Credit | Ack) -> None:
        """Take what a client says."""
        if isinstance(message, Attach):
            self._frames, self._after, self._credit = message.frames, message.after or 0, 0
            self._ended = False
            self.sent.append(Accepted(re=message.id, job=JOB, state="running"))
        elif isinstance(message, Credit):
            if self._ended:
                return  # its end is under way; a real worker says that nobody is attached
            self._credit += message.frames
            assert self._credit <= (PIXELS_AHEAD if self.inline else PATHS_AHEAD)
        else:
            assert message.sha256 == digest(message.frame)
            self.acked.add(message.frame)
        self.serve()

    def serve(self) -> None:
        """Send what is owed."""
        if self._ended:
            return
        while self._frames and self._credit and self._after < self.finished:
            self._after, self._credit = self._after + 1, self._credit - 1
            self.sent.append(self._frame(self._after))
        waits = self._frames and self._after < self.finished
        if self.finished == self.count and not waits:
            self._ended = True
            self.sent.append(Done(job=JOB, state="done", frames=self.count))

    def _frame(self, number: int) -> Frame:
        return Frame(
            job=JOB,
            frame=number,
            how="rendered",
            sha256=digest(number),
            size=12 * 2,
            path=None if self.inline else f"/show/{number}.exr",
            shape=(2, 2, 3) if self.inline else None,
        )


def digest(number: int) -> str:
    """Of a frame's pixels."""
    return hashlib.sha256(pixels(number)).hexdigest()


def tell(feed: Feed, message: WorkerMessage, *, spoil: bool = False) -> None:
    """What the client's thread does with a message."""
    if isinstance(message, Accepted):
        feed.accepted(message.re)
    elif isinstance(message, Done):
        feed.end(message)
    elif isinstance(message, Frame):
        content = pixels(message.frame + spoil) if message.path is None else None
        feed.frame(message, None if content is None else memoryview(content))


STEPS = st.lists(
    st.sampled_from(["finish", "say", "hear", "hear", "hear", "read", "read", "spoil", "lose"]),
    max_size=200,
)


@settings(max_examples=300, deadline=None)  # a deadline would measure the machine
@given(steps=STEPS, count=st.integers(1, 12), inline=st.booleans(), reads=st.booleans())
def test_whatever_happens(steps: list[str], count: int, inline: bool, reads: bool) -> None:
    """Any order of events, with losses and spoilt pixels, then a quiet time: all is there.

    A reader who does not read at all hears of the end all the same.
    """
    worker = PlainWorker(count, inline=inline)
    feed = Feed(JOB, wanted=True, after=None, pixels=inline)
    most = PIXELS_AHEAD if inline else PATHS_AHEAD
    read: list[int] = []
    spoilt = 0

    def do(step: str) -> bool:
        """One step; whether anything moved."""
        nonlocal spoilt
        if step == "finish" and worker.finished < count:
            worker.finished += 1
            worker.serve()
        elif step == "say":
            said = feed.due()
            for message in said:
                worker.hear(message)
            return bool(said)
        elif step in ("hear", "spoil") and worker.sent:
            heard = worker.sent.pop(0)
            # A frame may be spoilt three times over, and here only as often in all.
            spoil = step == "spoil" and inline and isinstance(heard, Frame) and spoilt < 3
            spoilt += spoil
            tell(feed, heard, spoil=spoil)
        elif step == "read" and reads and feed.buffer:
            read.append(feed.take().number)
            feed.release()
        elif step == "lose":
            worker.lose()
            feed.lost()
        else:
            return False
        return True

    for step in steps:
        do(step)
        under_way = sum(isinstance(each, Frame) for each in worker.sent)
        assert len(feed.buffer) <= most
        # Behind a spoilt frame others are under way that will be dropped when they come.
        assert len(feed.buffer) + under_way <= most * (1 + (spoilt > 0))
    for _ in range(1000):
        moved = [do(step) for step in ("finish", "say", "hear", "read")]
        if not any(moved):
            break
    assert feed.done is not None
    assert feed.done.frames == count
    there = [frame.number for frame in feed.buffer]
    assert read + there == list(range(1, len(read) + len(there) + 1))
    if reads:
        assert feed.complete
        assert read == list(range(1, count + 1))
        assert worker.acked == set(read)
    else:
        assert worker.acked == set()


def test_a_reader_leaves_with_a_frame_in_hand() -> None:
    """It is in the buffer again, and counts as held meanwhile."""
    worker = PlainWorker(8, inline=True)
    worker.finished = 8
    feed = Feed(JOB, wanted=True, after=None, pixels=True)
    for _ in range(3):
        for said in feed.due():
            worker.hear(said)
        for heard in worker.sent:
            tell(feed, heard)
        worker.sent.clear()
    assert feed.take().number == 1
    feed.put_back()
    assert [frame.number for frame in feed.buffer] == [1, 2, 3, 4]
    assert not feed.has_acks
    feed.take()
    feed.release()
    assert feed.take().number == 2
    assert [type(said) for said in feed.due()] == [Ack]  # two in the buffer, one in hand: no room
    feed.release()
    assert [type(said) for said in feed.due()] == [Ack, Attach]


def test_a_worker_that_repeats_itself() -> None:
    """A frame may come again, or late: it counts once."""
    feed = Feed(JOB, wanted=True, after=None, pixels=False)
    (attach,) = feed.due()
    assert isinstance(attach, Attach)
    assert feed.accepted(attach.id)
    for number in (1, 2, 1, 2, 3, 2):
        frame = Frame(
            job=JOB, frame=number, how="kept", sha256=digest(number), size=1, path=f"/{number}"
        )
        feed.frame(frame, None)
    assert [frame.number for frame in feed.buffer] == [1, 2, 3]
    assert feed.count == 3


def test_nothing_is_taken_behind_a_frame_that_stays_spoilt() -> None:
    """The order would have a gap that nobody told of."""
    worker = PlainWorker(4, inline=True)
    worker.finished = 4
    feed = Feed(JOB, wanted=True, after=None, pixels=True)

    def talk() -> None:
        while True:
            for said in feed.due():
                worker.hear(said)
            while worker.sent:
                heard = worker.sent.pop(0)
                tell(feed, heard, spoil=isinstance(heard, Frame) and heard.frame == 2)

    with pytest.raises(WireError, match="frame 2 of job"):
        talk()
    for heard in worker.sent:
        tell(feed, heard)
    assert [frame.number for frame in feed.buffer] == [1]
