"""Sends a plate, in the thread of whoever has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic
from typing import TYPE_CHECKING

from lumivid_fx.client.following import again
from lumivid_fx.client.upload import Bytes, Upload, frame_bytes
from lumivid_fx.errors import InputError, WireError

if TYPE_CHECKING:
    from lumivid_fx.client.following import Following
    from lumivid_fx.protocol.messages import PixelSource

PATIENCE_S = 60.0
"""How long a worker may take nothing of a plate, restarts included, before sending fails."""


class Sending:
    """A plate that is being sent.

    Args:
        source: What it is.
        following: The job it is for.
        need: The first frame that the worker wants, as its answer to the submit said.
        resubmit: Submits the same job again, when the connection was lost; what is needed then.
        on_sent: Called with each frame that the worker has on disk.
    """

    def __init__(
        self,
        source: PixelSource,
        following: Following,
        need: int | None,
        resubmit: Callable[[], int | None],
        on_sent: Callable[[int], object] | None,
    ) -> None:
        self._source = source
        self._following = following
        self._resubmit = resubmit
        self._on_sent = on_sent
        self._upload = Upload(following.id, source, need)
        self._told = source.first
        self._taken = 0
        self._deadline = monotonic() + PATIENCE_S

    def send(self, plate: Iterable[Bytes]) -> None:
        """Send the plate; returns when the worker has it whole, or wants it no more.

        Args:
            plate: Its frames from the first on.

        Raises:
            InputError: A frame has another size, or there are too few.
            WireError: The worker takes no more of it; the same job can be submitted again.
        """
        following, source = self._following, self._source
        with following.changed:
            self._upload.keep_to(following.limits)
            following.upload = self._upload
        try:
            given = iter(() if self._upload.whole else plate)
            for number in range(source.first, source.first + source.count):
                if self._upload.whole:
                    break
                pixels = next(given, None)
                if pixels is None:
                    raise InputError(
                        f"the plate ends before frame {number}, and {source.count} frames were "
                        f"promised from {source.first} on"
                    )
                piece = frame_bytes(pixels, number, source)
                with following.changed:
                    self._upload.add(number, piece)
                following.nudge()
                if not self._wait(lambda: self._upload.has_room):
                    return
            self._wait(lambda: self._upload.whole)
        finally:
            with following.changed:
                following.upload = None

    def _wait(self, ready: Callable[[], bool]) -> bool:
        """Wait for the worker, through its restarts; False when the job has ended."""
        upload = self._upload
        while True:
            wanted = self._wait_once(ready)
            while self._told < upload.need:
                if self._on_sent is not None:
                    self._on_sent(self._told)
                self._told += 1
            if not wanted or not upload.lost:
                return wanted
            need = self._resubmit()
            with self._following.changed:
                upload.resume(need)
            self._following.nudge()

    def _wait_once(self, ready: Callable[[], bool]) -> bool:
        following, upload = self._following, self._upload
        with following.changed:
            while following.feed.done is None:
                error = following.error or upload.error
                if error is not None:
                    raise again(error)
                if upload.taken != self._taken:
                    self._taken, self._deadline = upload.taken, monotonic() + PATIENCE_S
                left = self._deadline - monotonic()
                if left <= 0:
                    raise WireError(
                        f"the worker took nothing of the plate of job {following.id} for "
                        f"{PATIENCE_S:g} s; submit it again under the same id to go on"
                    )
                if upload.lost or ready():
                    return True
                following.changed.wait(left)
        return False
