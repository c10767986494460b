"""What followers are owed: progress, finished frames by credit, and the end."""

from __future__ import annotations

import logging

from lumivid_fx.protocol import messages as m
from lumivid_fx.protocol.job_state import ENDED
from lumivid_fx.protocol.wire import pack
from lumivid_fx.worker.callers import Buffer, Caller, Callers, Follow
from lumivid_fx.worker.dispatch import Dispatch
from lumivid_fx.worker.jobs import Live
from lumivid_fx.worker.journal import FrameRecord
from lumivid_fx.worker.spool import Spool

log = logging.getLogger(__name__)

PROGRESS_S = 0.25
"""Progress of a job is told no more often than this."""


class Delivery:
    """Sends followers what is due; frames go out in ascending order and never without credit.

    A slow reader costs nothing but its own time: frames wait on disk. The pixels of a job go to one
    connection, the last that attached for them.
    """

    def __init__(self, dispatch: Dispatch, spool: Spool, callers: Callers) -> None:
        self._dispatch = dispatch
        self._spool = spool
        self._callers = callers
        self._pixels_to: dict[str, bytes] = {}

    def follow(self, identity: bytes, caller: Caller, live: Live, attach: m.Attach) -> None:
        """A connection wants to hear of a job from here on."""
        if attach.job not in caller.follows:
            live.followers += 1
        caller.follows[attach.job] = Follow(attach.frames, attach.after)
        if attach.frames and _sends_pixels(live):
            self._pixels_to[attach.job] = identity

    def credit(self, follow: Follow, live: Live, frames: int) -> None:
        """A follower takes that many more frames."""
        most = m.MAX_PIXEL_CREDIT if _sends_pixels(live) else m.MAX_CREDIT
        follow.credit = min(most, follow.credit + frames)
        follow.look = True

    def acked(self, live: Live, frame: int) -> None:
        """A client has a frame safe: its pixels are kept no longer."""
        record = live.frames.get(frame)
        if record is not None and _sends_pixels(live):
            self._spool.drop(record.path)

    def gone(self, identity: bytes, caller: Caller) -> None:
        """A connection follows nothing any more."""
        for job in list(caller.follows):
            self._unfollow(identity, caller, job)

    def tick(self, now: float) -> bool:
        """Send what is due; whether a reader's queue is full."""
        changed, self._dispatch.jobs.changed = self._dispatch.jobs.changed, set()
        stuck = False
        for identity, caller in self._callers:
            for job, follow in list(caller.follows.items()):
                follow.news |= job in changed
                follow.look |= job in changed
                stuck |= self._serve(identity, job, follow, now)
                if follow.ended:
                    self._unfollow(identity, caller, job)
        self._dispatch.jobs.forget_idle()
        return stuck

    def _unfollow(self, identity: bytes, caller: Caller, job: str) -> None:
        if caller.follows.pop(job, None) is None:
            return
        live = self._dispatch.jobs.find(job)
        if live is not None:
            live.followers -= 1
        if self._pixels_to.get(job) == identity:
            del self._pixels_to[job]

    def _serve(self, identity: bytes, job: str, follow: Follow, now: float) -> bool:
        """Send one follower what it is owed; whether its queue was full."""
        live = self._dispatch.jobs.find(job)
        if live is None:
            return False
        ended = live.record.state in ENDED
        if follow.news and (ended or now >= follow.told + PROGRESS_S):
            progress = live.progress
            if progress.state == "queued":
                ahead = self._dispatch.ahead(live)
                progress = m.Progress(job=job, state="queued", ahead=ahead, note=progress.note)
            self._callers.offer(identity, pack(progress))
            follow.news, follow.told = False, now
        stuck = False
        if follow.frames and follow.look:
            follow.more, stuck = self._send_frames(identity, live, follow)
            follow.look = stuck
        if ended and not follow.more:
            self._callers.post(identity, self._dispatch.jobs.done(live))
            follow.ended = True
        return stuck

    def _send_frames(self, identity: bytes, live: Live, follow: Follow) -> tuple[bool, bool]:
        """Send frames as credit allows; whether there are more, and whether the queue was full."""
        job = live.record.job
        pixels = _sends_pixels(live)
        if pixels and self._pixels_to.get(job, identity) != identity:
            return False, False  # another connection has taken the pixels over
        for number, frame in live.frames.items():
            if (follow.after is not None and number <= follow.after) or (pixels and frame.acked):
                continue
            if follow.credit <= 0:
                return True, False
            if not self._send_frame(identity, job, frame, pixels=pixels):
                return True, True
            follow.after = number
            follow.credit -= 1
        return False, False

    def _send_frame(self, identity: bytes, job: str, frame: FrameRecord, *, pixels: bool) -> bool:
        told = m.Frame(
            job=job,
            frame=frame.frame,
            how=frame.how,
            sha256=frame.sha256,
            size=frame.size,
            path=None if pixels else frame.path,
            shape=frame.shape,
            space=frame.space,
            model_clipped=frame.model_clipped,
            half_clamped=frame.half_clamped,
        )
        parts: list[Buffer] = [*pack(told)]
        if pixels:
            try:
                view = self._spool.open(frame.path, frame.size)
            except OSError:
                return False  # no handles are left: later
            if view is None:
                log.error("pixels are gone", extra={"job": job, "frame": frame.frame})
                return True
            parts.append(view)
        return self._callers.offer(identity, parts)


def _sends_pixels(live: Live) -> bool:
    return live.record.request.deliver == "pixels"
