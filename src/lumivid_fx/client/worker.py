"""The face of a worker: submit, attach, list, cancel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from lumivid_fx.client.callbacks import Calls
from lumivid_fx.client.lifetime import abandon, close_at_exit, tell_of_forks
from lumivid_fx.client.requests import checked, job_id, make_request
from lumivid_fx.client.sending import PATIENCE_S, Sending
from lumivid_fx.client.session import Session
from lumivid_fx.errors import InputError, LumividError, WireError
from lumivid_fx.protocol.messages import (
    Accepted,
    Cancel,
    Jobs,
    List,
    Ping,
    PixelSource,
    Pong,
    Stop,
    Submit,
)
from lumivid_fx.protocol.places import Places

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Unpack  # Python 3.11's; annotations alone name it

    from lumivid_fx.client.following import Following
    from lumivid_fx.client.frame import FinishedFrame
    from lumivid_fx.client.job import Job
    from lumivid_fx.client.questions import Question
    from lumivid_fx.client.requests import RenderOptions
    from lumivid_fx.client.upload import Bytes
    from lumivid_fx.client.worker_paths import StrPath
    from lumivid_fx.protocol.messages import JobRow, Progress, Request, Welcome, WorkerMessage

OnProgress = Callable[["Progress"], object]
OnFrame = Callable[["FinishedFrame"], object]
OnDone = Callable[["Job"], object]

_Answer = TypeVar("_Answer", bound="WorkerMessage")


def connect(*, places: Places | None = None, name: str = "python", timeout: float = 5.0) -> Worker:
    """Connect to this user's worker.

    Args:
        places: Where keys and the worker's address lie; None takes this user's.
        name: What this program is, for the worker's log, such as ``nuke 16.0``.
        timeout: Seconds that an answer may take, now and later.

    Raises:
        WireError: No worker runs here, or it does not answer.
        NotAdmittedError: It does not know this key, or is another than its file names.
        InputError: The key pair cannot be read or made.
    """
    worker = Worker(places or Places.of(), name, timeout)
    worker.reach()
    return worker


class Worker:
    """A worker, as long as it is connected to; every method may be called from every thread.

    It connects again by itself when the worker is restarted. After a fork, the child's first call
    connects anew; jobs that the parent submitted stay the parent's.

    Callbacks run one after another on a thread of their own. An error in one is logged, raised by
    that job's :meth:`Job.wait`, and ends that job's calls. ``on_progress`` is called with what was
    heard last; ``on_frame`` with each :class:`FinishedFrame` in order, acknowledged when it
    returns; ``on_done`` with the :class:`Job` once nothing more will come: `job.done` says how it
    ended, or `job.error` why that will not be heard.
    """

    def __init__(self, places: Places, name: str, timeout: float) -> None:
        self._places = places
        self._name = name
        self._timeout = timeout
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._closed = False
        tell_of_forks(self)
        close_at_exit(self)

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Worker {'connected' if self.connected else 'not connected'}>"

    # ---- the connection -------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether the worker is reached at this moment; if not, it is being tried."""
        session = self._session
        return session is not None and session.link.welcome is not None

    @property
    def welcome(self) -> Welcome:
        """What the worker said of itself when it was last reached: release, devices, roots.

        Raises:
            WireError: It is not reached at this moment.
        """
        welcome = self.reach().link.welcome
        if welcome is None:
            raise WireError("the worker is not reached at this moment; try again later")
        return welcome

    def reach(self) -> Session:
        """The connection of this process, which is made if there is none or the last one broke."""
        with self._lock:
            if self._closed:
                raise WireError("this connection was closed; connect again")
            if self._session is not None and self._session.link.error is not None:
                broken, self._session = self._session, None
                broken.close()
            if self._session is None:
                self._session = Session(self._places, self._name, self._timeout)
            return self._session

    def close(self) -> None:
        """End the connection; jobs go on at the worker. Closing twice is as good as once."""
        with self._lock:
            session, self._session, self._closed = self._session, None, True
        if session is not None:
            session.close()

    def forked(self) -> None:
        """This process is a child: the connection is its parent's."""
        self._lock = threading.Lock()
        abandon(self._session)
        self._session = None

    def ping(self) -> Pong:
        """Ask whether the worker is there, and how its devices are."""
        return self._ask(Ping(id=uuid4().hex), Pong)

    def stop(self) -> None:
        """End the worker; its jobs go on when it is started again. For the worker's own user.

        Raises:
            NotAdmittedError: The worker is somebody else's.
        """
        self.reach().link.ask(Stop(id=uuid4().hex), self._timeout)

    # ---- jobs -----------------------------------------------------------------------------------

    def submit(
        self,
        source: StrPath,
        target: StrPath | None = None,
        *,
        frames: str | None = None,
        job: str | None = None,
        want_frames: bool = True,
        on_progress: OnProgress | None = None,
        on_frame: OnFrame | None = None,
        on_done: OnDone | None = None,
        **options: Unpack[RenderOptions],
    ) -> Job:
        """Submit a plate that the worker reads from disk; returns when the job is in its journal.

        Args:
            source: Movie, sequence such as ``plate.####.exr``, single image, or folder.
            target: Pattern such as ``hdr.####.exr`` or a folder, for EXRs; None sends pixels here.
            frames: Range such as ``1001-1049``; None renders the whole plate.
            job: The job's id, 32 hex digits; None makes one. The same again is the same job.
            want_frames: Whether finished frames are to come here.
            on_progress: See the class.
            on_frame: See the class.
            on_done: See the class.
            options: See :class:`RenderOptions`.

        Raises:
            InputError: It cannot be done as asked.
            WireError: The worker does not answer, or takes no more jobs.
        """
        return self.submit_request(
            make_request(source, target, frames, **options),
            job=job,
            want_frames=want_frames,
            on_progress=on_progress,
            on_frame=on_frame,
            on_done=on_done,
        )

    def submit_request(
        self,
        request: Request,
        *,
        job: str | None = None,
        want_frames: bool = True,
        on_progress: OnProgress | None = None,
        on_frame: OnFrame | None = None,
        on_done: OnDone | None = None,
    ) -> Job:
        """Submit a request as it is, its paths absolute; see :meth:`submit`."""
        if isinstance(request.source, PixelSource):
            raise InputError("a request with a plate of pixels goes to submit_pixels")
        calls = Calls(on_progress, on_frame, on_done)
        return self._submit(checked(request), job_id(job), calls, want_frames=want_frames)[1]

    def submit_pixels(
        self,
        plate: Iterable[Bytes],
        source: PixelSource,
        target: StrPath | None = None,
        *,
        job: str | None = None,
        want_frames: bool = True,
        on_sent: Callable[[int], object] | None = None,
        on_progress: OnProgress | None = None,
        on_frame: OnFrame | None = None,
        on_done: OnDone | None = None,
        **options: Unpack[RenderOptions],
    ) -> Job:
        """Submit a plate as pixels; returns when the worker has it whole, which starts the render.

        It sends in the calling thread, through restarts of the worker, and gives up when nothing is
        taken for a minute. The same job submitted again goes on at the first frame that is missing.
        If `plate` or `on_sent` raises, the job is cancelled.

        Args:
            plate: Frames from `source.first` on, each half floats ``h w c`` in one piece: bytes, a
                view, a numpy array. They are copied as they are taken; those past `source.count`
                are not.
            source: Size and number of the frames.
            target: See :meth:`submit`.
            job: See :meth:`submit`.
            want_frames: See :meth:`submit`.
            on_sent: Called in this thread with the number of each frame the worker has on disk.
            on_progress: See the class.
            on_frame: See the class.
            on_done: See the class.
            options: See :class:`RenderOptions`.

        Raises:
            InputError: It cannot be done as asked, or a frame has another size.
            WireError: The worker does not answer, or takes no more.
        """
        request = make_request(source, target, **options)
        calls = Calls(on_progress, on_frame, on_done)
        following, face, need = self._submit(request, job_id(job), calls, want_frames=want_frames)

        def resubmit() -> int | None:
            message = Submit(id=uuid4().hex, job=following.id, request=request)
            return _expect(self.reach().link.ask(message, PATIENCE_S), Accepted).need

        try:
            Sending(source, following, need, resubmit, on_sent).send(plate)
        except WireError:
            raise
        except BaseException:
            with suppress(LumividError):
                self.cancel(following.id)
            raise
        return face

    def attach(
        self,
        job: str,
        *,
        after: int | None = None,
        want_frames: bool = True,
        on_progress: OnProgress | None = None,
        on_frame: OnFrame | None = None,
        on_done: OnDone | None = None,
    ) -> Job:
        """Follow a job that was submitted before, by this program or another with the same key.

        Pixels of a frame go to whoever attached last, and are gone once they were acknowledged.

        Args:
            job: Its id.
            after: The last frame that is not wanted any more.
            want_frames: See :meth:`submit`.
            on_progress: See the class.
            on_frame: See the class.
            on_done: See the class.

        Raises:
            WireError: There is no such job, or the worker does not answer.
        """
        session, calls = self.reach(), Calls(on_progress, on_frame, on_done)
        following, face = session.follow(
            job_id(job),
            calls,
            wanted=want_frames,
            after=after,
            pixels=None,
            cancel=self.cancel,
        )
        try:
            following.begin(None)
            following.wait_until_heard(self._timeout)
        except BaseException:
            session.unfollow(following)
            raise
        return face

    def jobs(self, ended: bool = True, job: str | None = None) -> tuple[JobRow, ...]:
        """The jobs of this key, newest first, a thousand at most.

        Args:
            ended: Those that have ended too.
            job: Only this one.
        """
        asked = List(id=uuid4().hex, ended=ended, job=None if job is None else job_id(job))
        return self._ask(asked, Jobs).jobs

    def cancel(self, job: str) -> None:
        """Stop a job; what is finished stays. One that has ended stays as it is.

        Raises:
            WireError: There is no such job, or the worker does not answer.
        """
        self._ask(Cancel(id=uuid4().hex, job=job_id(job)), Accepted)

    def _submit(
        self, request: Request, job: str, calls: Calls, *, want_frames: bool
    ) -> tuple[Following, Job, int | None]:
        """Submit, and follow; the frame of a plate that the worker wants first, if any."""
        session = self.reach()
        pixels = request.deliver == "pixels"
        following, face = session.follow(
            job, calls, wanted=want_frames, after=None, pixels=pixels, cancel=self.cancel
        )
        try:
            message = Submit(id=uuid4().hex, job=job, request=request)
            accepted = _expect(session.link.ask(message, self._timeout), Accepted)
        except BaseException:
            session.unfollow(following)
            raise
        following.begin(accepted, exact=not accepted.dup)
        return following, face, accepted.need

    def _ask(self, question: Question, kind: type[_Answer]) -> _Answer:
        return _expect(self.reach().link.ask(question, self._timeout), kind)


def _expect(answer: WorkerMessage, kind: type[_Answer]) -> _Answer:
    if not isinstance(answer, kind):
        raise WireError(f"the worker answered with {type(answer).__name__}; update the older side")
    return answer
