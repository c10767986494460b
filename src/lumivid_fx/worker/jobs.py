"""Jobs as the journal has them, and what goes with them in memory.

The journal is the truth: every change here is committed before it is told. At hand are the jobs
that have not ended, and those that somebody follows; :attr:`Jobs.changed` names those that there is
news of.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from time import monotonic

from lumivid_fx.protocol.job_state import ENDED, JobState
from lumivid_fx.protocol.messages import Done, PixelSource, Progress, Request
from lumivid_fx.worker.journal import FrameRecord, JobRecord, Journal
from lumivid_fx.worker.orders import FallBack, FrameDone, Step
from lumivid_fx.worker.spool import Spool, Upload

log = logging.getLogger(__name__)

PLATE_S = 86400.0
"""How long a plate that was begun is waited for."""

KEPT_IDLE = 8
"""Jobs that have ended, and that nobody follows, which are kept at hand for late acks."""


@dataclass
class Live:
    """A job, and what is known of it beside the journal.

    Attributes:
        record: As the journal has it.
        frames: Finished frames, ascending.
        progress: What was told last.
        began: When it was last given to a runner.
        upload: The plate that is being sent for it.
        followers: How many connections follow it.
        heard: When it came up, or a piece of its plate came; monotonic seconds.
    """

    record: JobRecord
    frames: dict[int, FrameRecord]
    progress: Progress
    began: float = 0.0
    upload: Upload | None = None
    followers: int = 0
    heard: float = field(default_factory=monotonic)


@dataclass
class Counts:
    """What has happened since the start, for metrics."""

    jobs: dict[str, int] = field(default_factory=dict)
    frames: dict[str, int] = field(default_factory=dict)
    deaths: int = 0
    fall_backs: int = 0


class Jobs:
    """Every job that has not ended, and those that somebody follows.

    Attributes:
        counts: What has happened.
        changed: Jobs that there is news of; whoever tells it empties the set.
    """

    def __init__(self, journal: Journal, spool: Spool) -> None:
        self.counts = Counts()
        self.changed: set[str] = set()
        self._journal = journal
        self._spool = spool
        self._live: dict[str, Live] = {}
        for record in journal.unended():
            self._take_up(record)

    @property
    def waiting(self) -> list[JobRecord]:
        """Jobs in the queue, in the order of their arrival."""
        return [live.record for live in self.queued()]

    def queued(self) -> list[Live]:
        """The same, with what is known beside the journal."""
        return [live for live in self._live.values() if live.record.state == "queued"]

    def unended(self, session: str | None = None) -> int:
        """How many jobs have not ended, everybody's or one session's."""
        return sum(
            live.record.state not in ENDED and session in (None, live.record.session)
            for live in list(self._live.values())  # a copy: metrics ask from another thread
        )

    def find(self, job: str) -> Live | None:
        """A job, ended or not; None where there is none of that id."""
        live = self._live.get(job)
        if live is None and (record := self._journal.job(job)) is not None:
            live = self._take_up(record)
        return live

    def forget_idle(self) -> None:
        """Let go of ended jobs that nobody follows, but for the last few."""
        idle = [
            job
            for job, live in self._live.items()
            if live.record.state in ENDED and not live.followers
        ]
        for job in idle[:-KEPT_IDLE]:
            del self._live[job]

    def submit(self, job: str, owner: str, session: str, request: Request) -> Live:
        """Put a new job into the journal, and so into the queue.

        Raises:
            JournalError: It could not be committed; nobody has heard of the job.
        """
        state: JobState = "receiving" if isinstance(request.source, PixelSource) else "queued"
        record = self._journal.add_job(job, owner, session, request, state)
        log.info("job is %s", state, extra={"job": job, "key": owner[:8]})
        return self._take_up(record)

    def put(
        self, live: Live, frame: int, offset: int, piece: memoryview | bytes
    ) -> tuple[int, bool]:
        """Take in a piece of a plate; the job is queued when the plate is whole.

        Raises:
            ValueError: The piece is not the one that is needed.
            LumividError: There is no room for it, or the journal cannot be written.
        """
        if live.upload is None:
            raise ValueError("no frames are wanted")
        live.heard = monotonic()
        size, whole = live.upload.put(frame, offset, piece)
        self.queue_if_whole(live)
        return size, whole

    def queue_if_whole(self, live: Live) -> None:
        """A job whose whole plate has come waits for its turn.

        Raises:
            JournalError: It could not be committed; ask again.
        """
        if live.upload is not None and live.upload.need is None:
            self.move(live, "queued")
            live.upload = None

    def give_up_plates(self, now: float) -> None:
        """End jobs whose plate has not gone on coming for :data:`PLATE_S`."""
        for live in list(self._live.values()):
            if live.record.state == "receiving" and now > live.heard + PLATE_S:
                message = "the rest of the plate did not come for a day; submit it again"
                self.end(live, "failed", "E_INPUT", message)

    def ack(self, live: Live, frame: int, sha256: str) -> bool:
        """Note that a client has a frame safe; False where there is no such frame."""
        if not self._journal.ack(live.record.job, frame, sha256):
            return False
        record = live.frames.get(frame)
        if record is not None and not record.acked:
            live.frames[frame] = replace(record, acked=True)
        return True

    def done(self, live: Live) -> Done:
        """How an ended job ended."""
        record, how = live.record, [frame.how for frame in live.frames.values()]
        return Done(
            job=record.job,
            state=record.state,
            code=record.code,
            message=record.message,
            frames=len(how),
            kept=how.count("kept"),
            cached=how.count("cache"),
            notes=record.notes,
            seconds=round(record.seconds, 3),
        )

    def step(self, live: Live, step: Step) -> None:
        """A runner has moved on."""
        if step.total and step.total != live.record.total:
            self._journal.set_total(live.record.job, step.total)
            self._look_again(live)
        self.tell(
            live,
            phase=step.phase,
            step=step.step,
            steps=step.steps,
            window=step.window,
            windows=step.windows,
            eta_s=step.eta_s,
        )

    def add_frame(self, live: Live, done: FrameDone) -> None:
        """A frame is on disk; a job that gets on has its deaths forgiven."""
        before = live.frames.get(done.frame)
        record = FrameRecord(
            frame=done.frame,
            how=done.how,
            sha256=done.sha256,
            size=done.size,
            path=done.path,
            shape=done.shape,
            space=done.space,
            model_clipped=done.model_clipped,
            half_clamped=done.half_clamped,
            acked=before is not None and before.acked and before.sha256 == done.sha256,
        )
        self._journal.add_frame(live.record.job, record)
        if done.how == "rendered" and live.record.attempts > 0:
            self._journal.forgive(live.record.job)
            self._look_again(live)
        later = any(number > done.frame for number in live.frames)
        live.frames[done.frame] = record
        if record.acked and live.record.request.deliver == "pixels":
            self._spool.drop(record.path)
        if later:
            live.frames = dict(sorted(live.frames.items()))
        self.counts.frames[done.how] = self.counts.frames.get(done.how, 0) + 1
        self.tell(live)

    def fall_back(self, live: Live, report: FallBack) -> None:
        """Memory ran out, and the job goes on with less."""
        self._journal.fall_back(live.record.job, report.rung, report.note)
        self._look_again(live)
        self.counts.fall_backs += 1
        self.tell(live, note=report.note)

    def worked(self, live: Live, seconds: float) -> None:
        """A runner has spent time on it."""
        self._journal.add_seconds(live.record.job, seconds)

    def requeue(self, live: Live) -> None:
        """Back into the queue through no fault of the job."""
        if live.record.state == "cancelling":
            self.end(live, "cancelled", "E_CANCELLED", "the job was cancelled")
        elif live.record.state == "running":
            self._journal.forgive(live.record.job)
            self.move(live, "queued")

    def end(self, live: Live, state: JobState, code: str, message: str) -> None:
        """The job is over; the plate that came for it goes."""
        self.move(live, state, code, message)
        self.counts.jobs[state] = self.counts.jobs.get(state, 0) + 1
        if live.upload is not None:
            live.upload.restart()
            live.upload = None
        self._spool.remove_plate(live.record.job)
        log.info("job is %s %s", state, code, extra={"job": live.record.job, "detail": message})

    def move(self, live: Live, state: JobState, code: str = "", message: str = "") -> None:
        """Bring a job to another state."""
        job = live.record.job
        if not self._journal.move(job, live.record.state, state, code=code, message=message):
            log.error("job was not %s", live.record.state, extra={"job": job})
        self._look_again(live)
        self.tell(live)

    def tell(self, live: Live, **news: object) -> None:
        """There is news of a job: fields of :class:`Progress`, and what the journal has."""
        record = live.record
        known = {name: getattr(live.progress, name) for name in live.progress.__struct_fields__}
        known |= {
            "state": record.state,
            "frames": len(live.frames),
            "total": record.total,
            "kept": sum(frame.how != "rendered" for frame in live.frames.values()),
        }
        live.progress = Progress(**{**known, **news})
        self.changed.add(record.job)

    def _take_up(self, record: JobRecord) -> Live:
        frames = self._journal.frames(record.job)
        live = Live(record, frames, Progress(job=record.job, state=record.state))
        source = record.request.source
        if record.state == "receiving" and isinstance(source, PixelSource):
            live.upload = Upload(self._spool.of(record.job), source)
            self.queue_if_whole(live)
        self._live[record.job] = live
        self.tell(live)
        return live

    def _look_again(self, live: Live) -> None:
        live.record = self._journal.job(live.record.job) or live.record
