"""What one job's frames take: attaching, credit, acknowledging. Plain state without lock or socket.

A worker tells a job's end to a connection only after the last frame that it is owed. A reader who
stops reading would thus never hear of it, so that a feed whose buffer is full goes on as one that
wants no frames, and attaches for frames again when there is room.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import Literal
from uuid import uuid4

from lumivid_fx.client.frame import FinishedFrame, SpoiltError, received
from lumivid_fx.errors import WireError
from lumivid_fx.protocol.messages import (
    MAX_CREDIT,
    Ack,
    Attach,
    Credit,
    Done,
    Frame,
    Limits,
)

log = logging.getLogger(__name__)

PATHS_AHEAD = 32
"""Frames that are held or owed at most, where they come as paths."""

PIXELS_AHEAD = 4
"""The same where they come as pixels: at 4K with alpha that is 283 MB."""

ATTEMPTS = 3
"""How often a frame is asked for again when its pixels come spoilt."""


class Feed:
    """The frames of one job, from the worker to whoever reads them.

    Args:
        job: Its id.
        wanted: Whether frames are to come at all.
        after: The last frame that the reader holds already.
        pixels: Whether frames come as pixels; None if nobody knows yet.

    Attributes:
        buffer: Frames that have come and have not been given to the reader.
        in_hand: The frame that the reader has and has not yet done with.
        count: Frames that have come.
        done: How the job ended.
        complete: Whether the job has ended and no frame will follow.
    """

    def __init__(self, job: str, *, wanted: bool, after: int | None, pixels: bool | None) -> None:
        self.job = job
        self.wanted = wanted
        self.buffer: deque[FinishedFrame] = deque()
        self.in_hand: FinishedFrame | None = None
        self.count = 0
        self.done: Done | None = None
        self.complete = False
        self._pixels = pixels is not False
        self._paths_ahead, self._pixels_ahead = PATHS_AHEAD, PIXELS_AHEAD
        self._held = after
        self._owed = 0
        self._spoilt = 0
        self._acks: deque[Ack] = deque()
        # A worker that vanished may not have heard the last of these; they are few, and harmless.
        self._said: deque[Ack] = deque(maxlen=MAX_CREDIT)
        self._following: Literal["", "progress", "frames"] = ""
        self._attach: Attach | None = None

    # ---- the reader's side ----------------------------------------------------------------------

    def take(self) -> FinishedFrame:
        """Give the reader the next frame; there must be one."""
        self.in_hand = self.buffer.popleft()
        return self.in_hand

    def release(self) -> None:
        """The reader has done with the frame in hand: it is acknowledged."""
        frame, self.in_hand = self.in_hand, None
        if frame is not None:
            self._acks.append(Ack(job=self.job, frame=frame.number, sha256=frame.sha256))

    def put_back(self) -> None:
        """The reader left with the frame in hand: the next one begins with it."""
        if self.in_hand is not None:
            self.buffer.appendleft(self.in_hand)
            self.in_hand = None

    # ---- the worker's side ----------------------------------------------------------------------

    @property
    def has_acks(self) -> bool:
        """Whether there are frames to acknowledge."""
        return bool(self._acks)

    def keep_to(self, limits: Limits) -> None:
        """Owe and hold no more than the worker allows."""
        self._paths_ahead = min(PATHS_AHEAD, limits.credit)
        self._pixels_ahead = min(PIXELS_AHEAD, limits.pixel_credit)

    @property
    def unheard(self) -> list[Ack]:
        """Frames whose acknowledgement was said, and may not have been heard."""
        return list(self._said)

    def heard_of(self, acks: list[Ack]) -> None:
        """The worker has heard these: they need not be said again."""
        self._said = deque((ack for ack in self._said if ack not in acks), maxlen=MAX_CREDIT)

    def acks(self) -> list[Ack]:
        """Frames to acknowledge now; they count as said."""
        out = list(self._acks)
        self._said.extend(out)
        self._acks.clear()
        return out

    def due(self) -> list[Attach | Credit | Ack]:
        """What is to be said now; it counts as said."""
        out: list[Attach | Credit | Ack] = [*self.acks()]
        if self._attach is not None or self.complete:
            return out
        most = self._pixels_ahead if self._pixels else self._paths_ahead
        room = most - len(self.buffer) - (self.in_hand is not None) - self._owed
        more = room >= max(1, most // 2)
        frames = self.wanted and (self._owed > 0 or more)
        if frames and self._following == "frames":
            if more:
                self._owed += room
                out.append(Credit(job=self.job, frames=room))
        elif frames or (self._following != "progress" and self.done is None):
            self._owed = 0
            self._attach = Attach(id=uuid4().hex, job=self.job, frames=frames, after=self._held)
            out.append(self._attach)
        return out

    def accepted(self, re: str) -> bool:
        """Hear that an attach was heard; whether it is this feed's."""
        if self._attach is None or self._attach.id != re:
            return False
        self._following = "frames" if self._attach.frames else "progress"
        self._attach = None
        return True

    def asked(self, re: str) -> bool:
        """Whether that is the attach under way."""
        return self._attach is not None and self._attach.id == re

    def frame(self, message: Frame, pixels: memoryview | None) -> bool:
        """Take a frame; whether the reader has something new.

        Raises:
            WireError: It came spoilt time and again.
        """
        if self._attach is not None or self._following != "frames":
            return False  # owed to an attach that was given up
        self._owed = max(0, self._owed - 1)
        if self._held is not None and message.frame <= self._held:
            return False
        try:
            frame = received(message, pixels)
        except SpoiltError as error:
            self._again(message.frame, error)
            return False
        self._spoilt = 0
        self._held = frame.number
        self._pixels = frame.pixels is not None
        self.buffer.append(frame)
        self.count += 1
        return True

    def end(self, done: Done) -> None:
        """Hear that the job has ended."""
        self.done = self.done or done
        if not self.wanted or (self._attach is None and self._following == "frames"):
            self.complete = True

    def lost(self) -> None:
        """The connection is gone: begin anew on the next one, after the last frame that came."""
        self._following = ""
        self._attach = None
        self._owed = 0
        self._acks = deque([*self._said, *self._acks])
        self._said.clear()

    def _again(self, number: int, error: SpoiltError) -> None:
        # What comes behind it is not taken: the order would have a gap.
        self._following = ""
        self._owed = 0
        self._spoilt += 1
        if self._spoilt > ATTEMPTS:
            raise WireError(
                f"frame {number} of job {self.job} came spoilt {self._spoilt} times ({error}); "
                "check the network and the worker's disk, then attach to the job again"
            ) from error
        log.warning("frame %d of job %s came spoilt (%s); asked again", number, self.job, error)
