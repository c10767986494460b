"""A job as its submitter sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from lumivid_fx.client.following import again
from lumivid_fx.errors import InputError, WireError
from lumivid_fx.protocol.codes import error_for

if TYPE_CHECKING:
    from lumivid_fx.client.following import Following
    from lumivid_fx.client.frame import FinishedFrame
    from lumivid_fx.protocol.job_state import JobState
    from lumivid_fx.protocol.messages import Done, Progress


class Job:
    """A job at a worker; made by :class:`lumivid_fx.client.Worker`, usable from every thread.

    It goes on at the worker whatever becomes of this object, and through the worker's restarts.
    """

    def __init__(
        self,
        following: Following,
        *,
        called: bool,
        reads: bool,
        cancel: Callable[[str], None],
        in_callback: Callable[[], bool],
    ) -> None:
        self._following = following
        self._called = called
        self._reads = reads
        self._cancel = cancel
        self._in_callback = in_callback

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.state}>"

    @property
    def id(self) -> str:
        """128 bits in hex; whoever has the same key may attach to it."""
        return self._following.id

    @property
    def state(self) -> JobState:
        """What was heard last: ``queued``, ``running``, ``done`` ..."""
        with self._following.changed:
            return self._following.state

    @property
    def progress(self) -> Progress | None:
        """What was heard last; None before anything was."""
        with self._following.changed:
            return self._following.progress

    @property
    def done(self) -> Done | None:
        """How the job ended; None while it has not."""
        with self._following.changed:
            return self._following.feed.done

    @property
    def error(self) -> BaseException | None:
        """Why nothing more is heard of the job, though it may go on; None while all is well.

        A job that the worker reports as failed has no error here but a :attr:`done`.
        """
        with self._following.changed:
            return self._following.error

    @property
    def notes(self) -> tuple[str, ...]:
        """What the artist should know, such as a fall-back to smaller tiles."""
        with self._following.changed:
            return self._following.notes

    def cancel(self) -> None:
        """Stop the job; what is finished stays. One that has ended stays as it is.

        Raises:
            WireError: The worker does not answer.
        """
        self._cancel(self.id)

    def wait(self, timeout: float | None = None) -> Done:
        """Wait until the job has ended, and its callbacks if there are any have returned.

        Frames need not be read for it. A worker that restarts is waited for.

        Args:
            timeout: Seconds; None waits for ever, until Ctrl-C.

        Raises:
            TimeoutError: It has not ended in time, and goes on.
            LumividError: The job failed or was cancelled, or nothing more can be heard of it.
            Exception: What a callback of this job raised.
        """
        following, called = self._following, self._called and not self._in_callback()

        def over() -> bool:
            ended = following.feed.done is not None and not (called and following.uncalled)
            return ended or following.error is not None

        with following.changed:
            if not following.wait_for(over, timeout):
                raise TimeoutError(f"job {self.id} has not ended within {timeout} s; it goes on")
            done = following.feed.done
            error = following.error if done is None or self._called else None
        if error is not None:
            raise again(error)
        return _well_ended(done)

    def frames(self, timeout: float | None = None) -> Iterator[FinishedFrame]:
        """Yield finished frames in ascending order, as they come.

        A frame is acknowledged when the next one is asked for; one with which a loop was left comes
        first in the next loop. One loop at a time.

        Args:
            timeout: Seconds to wait for each frame; None waits for ever, until Ctrl-C.

        Raises:
            InputError: Frames go to ``on_frame``, were not wanted, or another loop reads them.
            TimeoutError: The next frame did not come in time; a new loop goes on with it.
            LumividError: The job failed or was cancelled, told after its last finished frame; or
                nothing more can be heard of it.
        """
        following = self._following
        if not self._reads:
            raise InputError(
                f"the frames of job {self.id} go to on_frame or were not wanted; leave out both "
                "on_frame and want_frames to read them here"
            )
        with following.changed:
            if following.reading:
                raise InputError(f"the frames of job {self.id} are being read by another loop")
            following.reading = True
        try:
            while (frame := self._next(timeout)) is not None:
                yield frame
                with following.changed:
                    following.feed.release()
                following.nudge()
        finally:
            with following.changed:
                following.reading = False
                following.feed.put_back()

    def _next(self, timeout: float | None) -> FinishedFrame | None:
        following, feed = self._following, self._following.feed

        def some() -> bool:
            return bool(feed.buffer or feed.complete or following.error is not None)

        with following.changed:
            if not following.wait_for(some, timeout):
                raise TimeoutError(
                    f"no frame of job {self.id} came within {timeout} s; the job goes on"
                )
            if feed.buffer:
                return feed.take()
            done, error = feed.done, following.error
        if error is not None:
            raise again(error)
        _well_ended(done)
        return None


def _well_ended(done: Done | None) -> Done:
    """The end of a job that went well.

    Raises:
        LumividError: It did not.
    """
    if done is None:
        raise WireError("the job's end was not heard; attach to it again")
    if done.state != "done":
        raise error_for(done.code or "E_INTERNAL", done.message or f"the job is {done.state}")
    return done
