"""Jobs to runners, and what runners report to the jobs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import monotonic

from lumivid_fx.worker.jobs import Jobs, Live
from lumivid_fx.worker.journal import JournalError
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
from lumivid_fx.worker.spool import Spool
from lumivid_fx.worker.supervisor import Runner

log = logging.getLogger(__name__)

MAX_DEATHS = 3
"""Runners that a job may take with it, one after another without a new frame, before it fails."""

MAX_TURNS = 1000
"""Sessions whose last turn is remembered."""

JOURNAL_PAUSE_S = 2.0
"""How long nothing is started after the journal could not be written."""


class Dispatch:
    """The runners, and who works on what.

    Attributes:
        jobs: All there is to do.
        runners: Who does it.
    """

    def __init__(self, jobs: Jobs, spool: Spool, runners: Sequence[Runner]) -> None:
        self.jobs = jobs
        self.runners = list(runners)
        self._spool = spool
        self._turns: dict[str, int] = {}
        self._paused = 0.0
        self._adrift: dict[str, Live] = {}
        for live in jobs.queued():
            if live.record.attempts >= MAX_DEATHS:
                self._fail_crashed(live, "the worker ended in the middle of it")

    def ahead(self, live: Live) -> int:
        """How many jobs will run before this one."""
        if live.record.state != "queued":
            return 0
        running = sum(bool(runner.job) for runner in self.runners)
        return running + jobs_ahead(live.record, self.jobs.waiting, self._turns)

    def cancel(self, live: Live) -> None:
        """Stop a job; what is finished stays. An ended job stays as it is."""
        if live.record.state in ("receiving", "queued"):
            self.jobs.end(live, "cancelled", "E_CANCELLED", "the job was cancelled before it began")
        elif live.record.state == "running":
            self.jobs.move(live, "cancelling")
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
            for job, live in list(self._adrift.items()):
                self.jobs.requeue(live)
                del self._adrift[job]
            for runner in self.runners:
                if runner.state == "ready":
                    self._start_next(runner, now)
        except JournalError as error:
            self._pause(error, now)

    def close(self, now: float) -> None:
        """End the runners; what they worked on is taken up at the next start."""
        for runner in self.runners:
            live = self.jobs.find(runner.job) if runner.job else None
            runner.end(now)
            if live is not None and live.record.state == "running":
                self.jobs.requeue(live)

    def _start_next(self, runner: Runner, now: float) -> None:
        record = next_job(self.jobs.waiting, self._turns)
        if record is None:
            return
        live = self.jobs.find(record.job)
        if live is None:
            return
        self.jobs.move(live, "running")
        self._turns[record.session] = 1 + max(self._turns.values(), default=0)
        if len(self._turns) > MAX_TURNS:
            del self._turns[min(self._turns, key=self._turns.__getitem__)]
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
        self.jobs.tell(live, phase="starting", attempt=live.record.attempts)
        log.info("job runs", extra={"job": record.job, "runner": runner.device})

    def _hear(self, runner: Runner, report: Report, now: float) -> None:
        live, job = self.jobs.find(runner.job) if runner.job else None, runner.job
        if live is None or getattr(report, "job", "") != job or job in self._adrift:
            return
        try:
            if isinstance(report, Step):
                self.jobs.step(live, report)
            elif isinstance(report, FrameDone):
                self.jobs.add_frame(live, report)
            elif isinstance(report, FallBack):
                self.jobs.fall_back(live, report)
                runner.give(GoOn(), now)
            elif isinstance(report, Ended):
                self._ended(live, runner, report, now)
        except JournalError as error:
            # What was reported is not in the journal: it has not happened, and is done again.
            self._adrift[job] = live
            runner.kill()
            self._pause(error, now)

    def _ended(self, live: Live, runner: Runner, ended: Ended, now: float) -> None:
        runner.finish(spoilt=ended.spoilt)
        self.jobs.worked(live, now - live.began)
        if not ended.code:
            self.jobs.end(live, "done", "", "")
        elif ended.code == "E_CANCELLED" and live.record.state == "cancelling":
            self.jobs.end(live, "cancelled", ended.code, ended.message)
        else:
            self.jobs.end(live, "failed", ended.code, ended.message)

    def _bury(self, runner: Runner, now: float) -> None:
        job, device = runner.job, runner.device
        why, hung = runner.bury(now)
        self.jobs.counts.deaths += 1
        log.warning("%s %s", device, why, extra={"job": job})
        live = self.jobs.find(job) if job else None
        if live is None or job in self._adrift:
            return
        try:
            self.jobs.worked(live, now - live.began)
            if live.record.state == "cancelling":
                message = f"the job was cancelled; the process that rendered it {why}"
                self.jobs.end(live, "cancelled", "E_CANCELLED", message)
            elif live.record.attempts >= MAX_DEATHS:
                self._fail_crashed(live, f"the process that rendered it {why}", hung=hung)
            elif live.record.state == "running":
                self.jobs.move(live, "queued")
                self.jobs.tell(live, phase="waiting", note=f"{device} {why}; the job goes on anew")
        except JournalError as error:
            self._adrift[job] = live
            self._pause(error, now)

    def _fail_crashed(self, live: Live, why: str, *, hung: bool = False) -> None:
        self.jobs.end(
            live,
            "failed",
            "E_STALLED" if hung else "E_WORKER_CRASHED",
            f"{why}, {MAX_DEATHS} times one after another with no new frame; "
            f"{len(live.frames)} frames are finished and kept; see the worker's log",
        )

    def _pause(self, error: JournalError, now: float) -> None:
        log.error("%s", error)
        self._paused = now + JOURNAL_PAUSE_S
