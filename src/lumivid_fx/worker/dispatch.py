"""Jobs to runners and their reports to the journal: what is true is committed before it is told.

The journal is the truth; this module holds in memory what goes with jobs that have not ended, and
with those that somebody follows. :attr:`Dispatch.changed` names the jobs that there is news of.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from time import monotonic

from lumivid_fx.protocol.job_state import ENDED, JobState
from lumivid_fx.protocol.messages import Done, PixelSource, Progress, Request
from lumivid_fx.worker.journal import FrameRecord, JobRecord, Journal, JournalError
from lumivid_fx.worker.line import jobs_ahead, next_job
from lumivid_fx.worker.orders import (
    Cancel,
    Ended,
    FallBack,
    FrameDone,
    GoOn,
    Render,
    Report,
    Step,
)
from lumivid_fx.worker.spool import Spool, Upload
from lumivid_fx.worker.supervisor import Runner

log = logging.getLogger(__name__)

MAX_DEATHS = 3
"""Runners that a job may take with it, one after another without a new frame, before it fails."""

KEPT_IDLE = 8
"""Jobs that have ended, and that nobody follows, which are kept at hand for late acks."""

JOURNAL_PAUSE_S = 2.0
"""How long nothing is started after the journal could not be written."""


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
    """

    record: JobRecord
    frames: dict[int, FrameRecord]
    progress: Progress
    began: float = 0.0
    upload: Upload | None = None
    followers: int = 0


@dataclass
class Counts:
    """What has happened since the start, for metrics."""

    jobs: dict[str, int] = field(default_factory=dict)
    frames: dict[str, int] = field(default_factory=dict)
    deaths: int = 0
    fall_backs: int = 0


class Dispatch:
    """Every job that has not ended, the runners, and who works on what."""

    def __init__(self, journal: Journal, spool: Spool, runners: Sequence[Runner]) -> None:
        self.counts = Counts()
        self.changed: set[str] = set()
        self.runners = list(runners)
        self._journal = journal
        self._spool = spool
        self._live: dict[str, Live] = {}
        self._turns: dict[str, int] = {}
        self._paused = 0.0
        self._adrift: set[str] = set()
        for record in journal.unended():
            live = self._take_up(record)
            if record.attempts >= MAX_DEATHS and record.state == "queued":
                self._fail_crashed(live, "the worker ended in the middle of it")

    @property
    def waiting(self) -> list[JobRecord]:
        """Jobs in the queue, in the order of their arrival."""
        return [live.record for live in self._live.values() if live.record.state == "queued"]

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

    def ahead(self, live: Live) -> int:
        """How many jobs will run before this one."""
        if live.record.state != "queued":
            return 0
        running = sum(bool(runner.job) for runner in self.runners)
        return running + jobs_ahead(live.record, self.waiting, self._turns)

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
        size, whole = live.upload.put(frame, offset, piece)
        if live.upload.need is None:
            self._move(live, "queued")
            live.upload = None
        return size, whole

    def ack(self, live: Live, frame: int, sha256: str) -> bool:
        """Note that a client has a frame safe; False where there is no such frame."""
        if not self._journal.ack(live.record.job, frame, sha256):
            return False
        record = live.frames.get(frame)
        if record is not None and not record.acked:
            live.frames[frame] = replace(record, acked=True)
        return True

    def cancel(self, live: Live) -> None:
        """Stop a job; what is finished stays. An ended job stays as it is."""
        if live.record.state in ("receiving", "queued"):
            self._end(live, "cancelled", "E_CANCELLED", "the job was cancelled before it began")
        elif live.record.state == "running":
            self._move(live, "cancelling")
            for runner in self.runners:
                if runner.job == live.record.job:
                    runner.give(Cancel(job=live.record.job), monotonic())
                    runner.cancelled(monotonic())

    def work(self, now: float) -> None:
        """Hear the runners, look at their clocks, and give jobs to those that are free."""
        for runner in self.runners:
            reports, gone = runner.reports(now)
            for report in reports:
                self._hear(runner, report, now)
            if gone:
                self._bury(runner, now)
            runner.tick(now)
        if now < self._paused:
            return
        try:
            for job in list(self._adrift):
                self._requeue(self._live[job])
                self._adrift.discard(job)
            for runner in self.runners:
                if runner.state == "ready":
                    self._start_next(runner, now)
        except JournalError as error:
            self._pause(error, now)

    def close(self, now: float) -> None:
        """End the runners; what they worked on is taken up at the next start."""
        for runner in self.runners:
            live = self._live.get(runner.job)
            runner.end(now)
            if live is not None and live.record.state == "running":
                self._requeue(live)

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

    def _take_up(self, record: JobRecord) -> Live:
        frames = self._journal.frames(record.job)
        live = Live(record, frames, Progress(job=record.job, state=record.state))
        source = record.request.source
        if record.state == "receiving" and isinstance(source, PixelSource):
            live.upload = Upload(self._spool.of(record.job), source)
            if live.upload.need is None:
                self._move(live, "queued")
                live.upload = None
        self._live[record.job] = live
        self._tell(live)
        return live

    def _start_next(self, runner: Runner, now: float) -> None:
        record = next_job(self.waiting, self._turns)
        if record is None:
            return
        live = self._live[record.job]
        self._move(live, "running")
        self._turns[record.session] = 1 + max(self._turns.values(), default=0)
        live.began = now
        runner.begin(record.job)
        runner.give(
            Render(
                job=record.job,
                request=record.request,
                spool=str(self._spool.of(record.job)),
                finished={n: (f.sha256, f.size) for n, f in live.frames.items()},
                rung=record.rung,
            ),
            now,
        )
        self._tell(live, phase="starting", attempt=live.record.attempts)
        log.info("job runs", extra={"job": record.job, "runner": runner.device})

    def _hear(self, runner: Runner, report: Report, now: float) -> None:
        live, job = self._live.get(runner.job), runner.job
        if live is None or getattr(report, "job", "") != job or job in self._adrift:
            return
        try:
            if isinstance(report, Step):
                self._step(live, report)
            elif isinstance(report, FrameDone):
                self._frame(live, report)
            elif isinstance(report, FallBack):
                self._journal.fall_back(job, report.rung, report.note)
                live.record = self._journal.job(job) or live.record
                self.counts.fall_backs += 1
                self._tell(live, note=report.note)
                runner.give(GoOn(), now)
            elif isinstance(report, Ended):
                self._ended(live, runner, report, now)
        except JournalError as error:
            # What was reported is not in the journal: it has not happened, and is done again.
            self._adrift.add(job)
            runner.kill()
            self._pause(error, now)

    def _step(self, live: Live, step: Step) -> None:
        if step.total and step.total != live.record.total:
            self._journal.set_total(live.record.job, step.total)
            live.record = self._journal.job(live.record.job) or live.record
        self._tell(
            live,
            phase=step.phase,
            step=step.step,
            steps=step.steps,
            window=step.window,
            windows=step.windows,
            eta_s=step.eta_s,
        )

    def _frame(self, live: Live, done: FrameDone) -> None:
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
            live.record = self._journal.job(live.record.job) or live.record
        later = any(number > done.frame for number in live.frames)
        live.frames[done.frame] = record
        if record.acked and live.record.request.deliver == "pixels":
            self._spool.drop(record.path)
        if later:
            live.frames = dict(sorted(live.frames.items()))
        self.counts.frames[done.how] = self.counts.frames.get(done.how, 0) + 1
        self._tell(live)

    def _ended(self, live: Live, runner: Runner, ended: Ended, now: float) -> None:
        runner.finish(spoilt=ended.spoilt)
        self._journal.add_seconds(live.record.job, now - live.began)
        if not ended.code:
            self._end(live, "done", "", "")
        elif ended.code == "E_CANCELLED" and live.record.state == "cancelling":
            self._end(live, "cancelled", ended.code, ended.message)
        else:
            self._end(live, "failed", ended.code, ended.message)

    def _bury(self, runner: Runner, now: float) -> None:
        job, device = runner.job, runner.device
        why, hung = runner.bury(now)
        self.counts.deaths += 1
        log.warning("%s %s", device, why, extra={"job": job})
        live = self._live.get(job)
        if live is None or job in self._adrift:
            return
        try:
            self._journal.add_seconds(job, now - live.began)
            if live.record.state == "cancelling":
                message = f"the job was cancelled; the process that rendered it {why}"
                self._end(live, "cancelled", "E_CANCELLED", message)
            elif live.record.attempts >= MAX_DEATHS:
                self._fail_crashed(live, f"the process that rendered it {why}", hung=hung)
            elif live.record.state == "running":
                self._move(live, "queued")
                self._tell(live, phase="waiting", note=f"{device} {why}; the job goes on anew")
        except JournalError as error:
            self._adrift.add(job)
            self._pause(error, now)

    def _fail_crashed(self, live: Live, why: str, *, hung: bool = False) -> None:
        self._end(
            live,
            "failed",
            "E_STALLED" if hung else "E_WORKER_CRASHED",
            f"{why}, {MAX_DEATHS} times one after another with no new frame; "
            f"{len(live.frames)} frames are finished and kept; see the worker's log",
        )

    def _requeue(self, live: Live) -> None:
        """Back into the queue through no fault of the job."""
        if live.record.state == "cancelling":
            self._end(live, "cancelled", "E_CANCELLED", "the job was cancelled")
        elif live.record.state == "running":
            self._journal.forgive(live.record.job)
            self._move(live, "queued")

    def _end(self, live: Live, state: JobState, code: str, message: str) -> None:
        self._move(live, state, code, message)
        self._adrift.discard(live.record.job)
        self.counts.jobs[state] = self.counts.jobs.get(state, 0) + 1
        if live.upload is not None:
            live.upload.restart()
            live.upload = None
        self._spool.remove_plate(live.record.job)
        log.info("job is %s %s", state, code, extra={"job": live.record.job, "detail": message})

    def _move(self, live: Live, state: JobState, code: str = "", message: str = "") -> None:
        job = live.record.job
        if not self._journal.move(job, live.record.state, state, code=code, message=message):
            log.error("job was not %s", live.record.state, extra={"job": job})
        live.record = self._journal.job(job) or live.record
        self._tell(live)

    def _tell(self, live: Live, **news: object) -> None:
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

    def _pause(self, error: JournalError, now: float) -> None:
        log.error("%s", error)
        self._paused = now + JOURNAL_PAUSE_S
