"""Callbacks: on a thread of their own, one after another, none harming another job."""

from __future__ import annotations

import gc
import logging
import threading
import time

import pytest
from tests.client.stand_in import PATIENCE_S, StandIn, wait_until

from lumivid_fx import client
from lumivid_fx.errors import CancelledError, InputError, RenderError, WireError
from lumivid_fx.protocol import messages as m


def test_all_that_there_is_to_tell(stand_in: StandIn, worker: client.Worker) -> None:
    """Progress, every frame in order, then the end, once; waiting waits for all of it."""
    told: list[object] = []
    threads = set()

    def tell(what: object) -> None:
        told.append(what)
        threads.add(threading.current_thread().name)

    job = worker.submit(
        "/show/clip.mp4",
        frames="1-20",
        on_progress=lambda progress: tell(progress.state),
        on_frame=lambda frame: tell(frame.number),
        on_done=tell,
    )
    assert job.wait(PATIENCE_S).frames == 20
    assert [each for each in told if isinstance(each, int)] == list(range(1, 21))
    assert told[-1] is job
    assert told.count(job) == 1
    assert "running" in told
    assert threads == {"lumivid-callbacks"}
    wait_until(lambda: len(stand_in.heard(m.Ack)) == 20, "all are acknowledged")
    with pytest.raises(InputError, match="go to on_frame"):
        next(job.frames())


def test_the_end_of_a_failed_job(stand_in: StandIn, worker: client.Worker) -> None:
    """It is told behind the finished frames; the job says how it ended."""
    stand_in.limit, stand_in.fails = 2, "E_RENDER"
    told: list[object] = []
    job = worker.submit(
        "/show/clip.mp4",
        on_frame=lambda frame: told.append(frame.number),
        on_done=lambda ended: told.append((ended.state, ended.done and ended.done.code)),
    )
    with pytest.raises(RenderError):
        job.wait(PATIENCE_S)
    assert told == [1, 2, ("failed", "E_RENDER")]


def test_a_lost_job_is_told_too(stand_in: StandIn, worker: client.Worker) -> None:
    """Nothing more will come: the job has no end, but an error."""
    stand_in.limit = 2
    told: list[tuple[object, object]] = []
    job = worker.submit("/show/clip.mp4", on_done=lambda job: told.append((job.done, job.error)))
    stand_in.stop()
    stand_in.jobs.clear()
    stand_in.start()
    with pytest.raises(WireError, match="E_NO_JOB"):
        job.wait(PATIENCE_S)
    wait_until(lambda: len(told) == 1, "it is told")
    assert told[0][0] is None
    assert isinstance(told[0][1], WireError)


def test_a_callback_that_fails(
    stand_in: StandIn, worker: client.Worker, caplog: pytest.LogCaptureFixture
) -> None:
    """Its error is logged and raised by that job's wait; its frame is not acknowledged."""

    def fail(frame: client.FinishedFrame) -> None:
        if frame.number == 3:
            raise ZeroDivisionError("as told")

    ended: list[client.Job] = []
    bad = worker.submit("/show/clip.mp4", on_frame=fail, on_done=ended.append)
    good = worker.submit("/show/clip.mp4", on_frame=lambda _: None, on_done=ended.append)
    with pytest.raises(ZeroDivisionError, match="as told"):
        bad.wait(PATIENCE_S)
    assert good.wait(PATIENCE_S).frames == 8
    assert ended == [good]
    assert isinstance(bad.error, ZeroDivisionError)
    assert f"a callback of job {bad.id} failed" in caplog.text
    assert [r.levelno for r in caplog.records if r.exc_info] == [logging.ERROR]
    wait_until(lambda: len(stand_in.jobs[good.id].acked) == 8, "the good one's are acknowledged")
    assert sorted(stand_in.jobs[bad.id].acked) == [1, 2]


@pytest.mark.parametrize("kind", ["on_progress", "on_done"])
def test_other_callbacks_that_fail(worker: client.Worker, kind: str) -> None:
    """Whichever fails, the thread that calls lives on."""

    def fail(_: object) -> None:
        raise SystemExit("as told")

    bad = (
        worker.submit("/show/clip.mp4", on_progress=fail)
        if kind == "on_progress"
        else worker.submit("/show/clip.mp4", on_done=fail)
    )
    with pytest.raises(SystemExit):
        bad.wait(PATIENCE_S)
    called: list[object] = []
    worker.submit("/show/clip.mp4", on_done=called.append).wait(PATIENCE_S)
    assert len(called) == 1


def test_a_slow_callback_stops_no_heartbeat(stand_in: StandIn, worker: client.Worker) -> None:
    """The connection lives while one is called, and holds no more than four frames of pixels."""
    held = threading.Event()
    job = worker.submit("/show/clip.mp4", on_frame=lambda _: held.wait(PATIENCE_S))
    pings = len(stand_in.heard(m.Ping))
    wait_until(lambda: len(stand_in.heard(m.Ping)) > pings + 4, "it goes on pinging")
    assert len(stand_in.sent) == 4
    assert len(stand_in.heard(m.Hello)) == 1
    assert worker.connected
    held.set()
    assert job.wait(PATIENCE_S).frames == 8


def test_slow_progress_is_passed_over(stand_in: StandIn, worker: client.Worker) -> None:
    """A callback that is slower than the news is given the latest, not all there was."""
    stand_in.limit = 1
    held, steps = threading.Event(), []

    def on_progress(progress: m.Progress) -> None:
        steps.append(progress.step)
        held.wait(PATIENCE_S)

    job = worker.submit("/show/clip.mp4", on_progress=on_progress)
    wait_until(lambda: steps == [0], "it is called")
    for step in range(1, 200):
        stand_in.say(m.Progress(job=job.id, state="running", step=step, note=f"note {step % 3}"))
    wait_until(lambda: job.progress is not None and job.progress.step == 199, "all has come")
    held.set()
    wait_until(lambda: len(steps) > 1, "it is called again")
    assert steps == [0, 199]
    assert sorted(job.notes) == ["note 0", "note 1", "note 2"]


def test_callbacks_may_submit_and_cancel(stand_in: StandIn, worker: client.Worker) -> None:
    """And wait for others: their own job's end alone they cannot wait to be called for."""
    jobs: list[client.Job] = []

    def go_on(job: client.Job) -> None:
        assert job.wait(PATIENCE_S).state == "done"
        stand_in.limit = 1
        jobs.append(worker.submit("/show/next.mp4"))
        jobs[0].cancel()

    worker.submit("/show/clip.mp4", on_done=go_on).wait(PATIENCE_S)
    with pytest.raises(CancelledError):
        jobs[0].wait(PATIENCE_S)


def test_a_job_without_a_holder_is_called_for(stand_in: StandIn, worker: client.Worker) -> None:
    """Who gave callbacks need not keep the job."""
    told: list[int] = []
    stand_in.limit = 10
    worker.submit("/show/clip.mp4", frames="1-50", on_frame=lambda frame: told.append(frame.number))
    wait_until(lambda: len(stand_in.heard(m.Ack)) == 10, "the first are acknowledged")
    worker.ping()
    gc.collect()
    stand_in.limit = 50
    wait_until(lambda: len(stand_in.heard(m.Ack)) == 50, "all are acknowledged")
    assert told == list(range(1, 51))


def test_closing_waits_for_no_slow_callback(worker: client.Worker) -> None:
    """Closing is bounded, whatever is being called."""
    held, begun = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        begun.set()
        held.wait(PATIENCE_S)

    worker.submit("/show/clip.mp4", on_progress=hold)
    assert begun.wait(PATIENCE_S)
    began = time.monotonic()
    worker.close()
    assert time.monotonic() - began < PATIENCE_S / 2
    held.set()


def test_callbacks_may_close(worker: client.Worker) -> None:
    """A thread does not wait for itself."""
    closed = threading.Event()

    def close(_: object) -> None:
        worker.close()
        closed.set()

    worker.submit("/show/clip.mp4", on_progress=close)
    assert closed.wait(PATIENCE_S)
    assert not worker.connected


def test_frames_are_called_for_through_a_restart(stand_in: StandIn, worker: client.Worker) -> None:
    """Once each, although a callback was under way when the worker went."""
    stand_in.limit = 5
    told: list[int] = []

    def on_frame(frame: client.FinishedFrame) -> None:
        told.append(frame.number)
        if frame.number == 4:
            stand_in.restart()
            stand_in.limit = 8
            wait_until(lambda: bool(stand_in.heard(m.Attach, stand_in.boot)), "attached again")

    job = worker.submit("/show/clip.mp4", on_frame=on_frame)
    assert job.wait(PATIENCE_S).frames == 8
    assert told == list(range(1, 9))
