"""Workers that vanish, come back, forget, or are another: what a client makes of it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from tests.client.stand_in import PATIENCE_S, StandIn, new_pair, wait_until

from lumivid_fx import client
from lumivid_fx.errors import NotAdmittedError, WireError
from lumivid_fx.protocol import messages as m


@pytest.mark.parametrize("target", [None, "/show/out/"], ids=["pixels", "paths"])
def test_a_restart_loses_and_repeats_no_frame(
    stand_in: StandIn, worker: client.Worker, target: str | None
) -> None:
    """The worker goes and comes three times, with new ports and boots, in the middle of a job."""
    job = worker.submit("/show/clip.mp4", target, frames="1-40")
    session = {hello.session for hello in stand_in.heard(m.Hello)}
    stand_in.limit = 10
    numbers = []
    for frame in job.frames(PATIENCE_S):
        numbers.append(frame.number)
        if frame.number in (10, 20, 30):
            stand_in.restart()
            stand_in.limit += 10
    assert numbers == list(range(1, 41))
    assert job.wait(0).frames == 40
    assert {hello.session for hello in stand_in.heard(m.Hello)} == session
    wait_until(
        lambda: {ack.frame for ack in stand_in.heard(m.Ack)} == set(numbers), "all acknowledged"
    )
    assert len(stand_in.heard(m.Submit)) == 1


def test_attaching_again_begins_after_what_is_here(
    stand_in: StandIn, worker: client.Worker
) -> None:
    """Frames that wait to be read are not sent a second time."""
    stand_in.limit = 3
    job = worker.submit("/show/clip.mp4")
    wait_until(lambda: len(stand_in.sent) == 3, "three frames came")
    worker.ping()
    stand_in.restart()
    stand_in.limit = 8
    assert [frame.number for frame in job.frames(PATIENCE_S)] == list(range(1, 9))
    assert stand_in.sent == list(range(1, 9))
    assert stand_in.heard(m.Attach, stand_in.boot)[0].after == 3


def test_acks_that_may_have_been_lost_are_said_again(
    stand_in: StandIn, worker: client.Worker
) -> None:
    """The worker keeps pixels until it hears of them; one that died may not have."""
    stand_in.limit = 3
    job = worker.submit("/show/clip.mp4", frames="1-4")
    frames = job.frames(PATIENCE_S)
    for _ in range(3):
        next(frames)
    wait_until(lambda: len(stand_in.heard(m.Ack)) == 2, "two are acknowledged")
    stand_in.restart()
    wait_until(lambda: len(stand_in.heard(m.Ack, stand_in.boot)) == 2, "and again")
    stand_in.limit = 4
    assert [frame.number for frame in frames] == [4]


def test_acks_of_a_job_that_is_over_are_said_until_they_were_heard(
    stand_in: StandIn, worker: client.Worker
) -> None:
    """Nobody holds the job any more; the answer to a ping behind the acks ends it, nothing else."""
    stand_in.deaf_to = {m.Ping}
    assert len([*worker.submit("/show/clip.mp4").frames(PATIENCE_S)]) == 8
    wait_until(lambda: len(stand_in.heard(m.Ack)) == 8, "all are acknowledged")
    stand_in.stop()
    stand_in.deaf_to = set()
    stand_in.start()
    wait_until(lambda: len(stand_in.heard(m.Ack, stand_in.boot)) == 8, "and again")
    worker.ping()
    stand_in.restart()
    worker.ping()
    assert stand_in.heard(m.Ack, stand_in.boot) == []


def test_waiting_goes_on(stand_in: StandIn, worker: client.Worker) -> None:
    """Whoever waits for the end hears of it from the worker that comes after."""
    stand_in.limit = 2
    job = worker.submit("/show/clip.mp4")
    ended = []
    thread = threading.Thread(target=lambda: ended.append(job.wait(PATIENCE_S)))
    thread.start()
    stand_in.stop()
    wait_until(lambda: not worker.connected, "the worker is missed")
    assert repr(worker) == "<Worker not connected>"
    with pytest.raises(WireError, match="not reached at this moment"):
        _ = worker.welcome
    stand_in.limit = 8
    stand_in.start()
    thread.join(PATIENCE_S)
    assert [done.frames for done in ended] == [8]


def test_a_worker_that_falls_silent(stand_in: StandIn, worker: client.Worker) -> None:
    """Its sockets live, but it answers no ping: after three it is given up, and tried anew."""
    boot = stand_in.boot
    stand_in.deaf_to = {m.Ping}
    wait_until(lambda: len(stand_in.heard(m.Hello)) >= 2, "a new connection is made")
    assert len(stand_in.heard(m.Ping)) >= 3
    stand_in.deaf_to = set()
    assert worker.ping().boot == boot


def test_who_only_listens_pings(stand_in: StandIn, worker: client.Worker) -> None:
    """News that keeps coming proves the worker to us, but not us to the worker."""
    stand_in.limit = 1
    job = worker.submit("/show/clip.mp4")
    quiet = threading.Event()

    def chatter() -> None:
        while not quiet.wait(0.02):
            stand_in.say(m.Progress(job=job.id, state="running"))

    thread = threading.Thread(target=chatter)
    thread.start()
    wait_until(lambda: len(stand_in.heard(m.Ping)) >= 3, "it pings all the same")
    quiet.set()
    thread.join()
    assert len(stand_in.heard(m.Hello)) == 1


def test_drain(stand_in: StandIn, connect: Callable[..., client.Worker]) -> None:
    """A worker that will end is left at once, and not come back to, though it still listens."""
    worker = connect(timeout=0.6)  # twice as long as it takes to look for another
    stand_in.limit = 4
    job = worker.submit("/show/clip.mp4")
    stand_in.say(m.Drain(boot=stand_in.boot))
    wait_until(lambda: not worker.connected, "it is left")
    with pytest.raises(WireError, match="because it is about to end"):
        worker.jobs()
    assert len(stand_in.heard(m.Hello)) == 1
    stand_in.limit = 8
    stand_in.restart()
    assert [frame.number for frame in job.frames(PATIENCE_S)] == list(range(1, 9))
    assert len(stand_in.heard(m.Hello)) == 2


def test_a_worker_that_forgot_us(stand_in: StandIn, worker: client.Worker) -> None:
    """It says that there is no session: we say hello, and all goes on."""
    stand_in.limit = 4
    job = worker.submit("/show/clip.mp4")
    stand_in.say(m.Error(re="", code="E_NO_SESSION", message="hello first", retry=True))
    wait_until(lambda: len(stand_in.heard(m.Hello)) == 2, "it says hello again")
    stand_in.limit = 8
    assert [frame.number for frame in job.frames(PATIENCE_S)] == list(range(1, 9))


def test_a_worker_that_lost_the_job(stand_in: StandIn, worker: client.Worker) -> None:
    """A lost job is an error, and never reads as one that is done or goes on."""
    stand_in.limit = 2
    lost = worker.submit("/show/clip.mp4")
    kept = worker.submit("/show/clip.mp4")
    frames = lost.frames(PATIENCE_S)
    assert [next(frames).number, next(frames).number] == [1, 2]
    stand_in.stop()
    del stand_in.jobs[lost.id]
    stand_in.limit = 8
    stand_in.start()
    with pytest.raises(WireError, match="E_NO_JOB") as caught:
        lost.wait(PATIENCE_S)
    assert caught.value.code == "E_NO_JOB"
    assert isinstance(lost.error, WireError)
    with pytest.raises(WireError, match="E_NO_JOB"):
        next(frames)
    assert kept.wait(PATIENCE_S).frames == 8


def test_a_submit_that_was_on_its_way(stand_in: StandIn, worker: client.Worker) -> None:
    """Whether the worker that died had heard it or not, there is one job in the end."""
    stand_in.deaf_to = {m.Submit}
    jobs: list[client.Job] = []
    thread = threading.Thread(target=lambda: jobs.append(worker.submit("/show/clip.mp4")))
    thread.start()
    wait_until(lambda: len(stand_in.heard(m.Submit)) == 1, "it was said")
    stand_in.deaf_to = set()
    stand_in.restart()
    thread.join(PATIENCE_S)
    first, second = stand_in.heard(m.Submit)
    assert (first.job, first.request) == (second.job, second.request)
    assert jobs[0].wait(PATIENCE_S).frames == 8


def test_what_was_given_up_is_not_said_later(
    stand_in: StandIn, connect: Callable[..., client.Worker]
) -> None:
    """A cancel that its caller has given up does not reach the worker when it is back."""
    worker = connect(timeout=0.2)
    stand_in.limit = 2
    job = worker.submit("/show/clip.mp4")
    stand_in.stop()
    with pytest.raises(WireError, match="does not answer"):
        job.cancel()
    stand_in.limit = 8
    stand_in.start()
    assert job.wait(PATIENCE_S).frames == 8
    assert stand_in.heard(m.Cancel) == []


def test_a_new_key_of_the_worker(stand_in: StandIn, worker: client.Worker) -> None:
    """The file names address and key: with a new pair in both it is the worker still."""
    stand_in.limit = 4
    job = worker.submit("/show/clip.mp4")
    stand_in.stop()
    stand_in.pair = new_pair()
    stand_in.limit = 8
    stand_in.start()
    assert [frame.number for frame in job.frames(PATIENCE_S)] == list(range(1, 9))


def test_a_key_that_is_revoked(stand_in: StandIn, worker: client.Worker) -> None:
    """All that waits ends with it; when it is admitted again, so is what comes then."""
    stand_in.limit = 2
    job = worker.submit("/show/clip.mp4")
    stand_in.admitted = new_pair().public
    stand_in.restart()
    with pytest.raises(NotAdmittedError, match="lumivid keys admit"):
        job.wait(PATIENCE_S)
    with pytest.raises(NotAdmittedError):
        worker.ping()
    stand_in.admitted = None
    stand_in.limit = 8
    assert worker.ping().boot == stand_in.boot
    assert worker.attach(job.id).wait(PATIENCE_S).frames == 8


def test_a_key_that_is_revoked_while_connected(stand_in: StandIn, worker: client.Worker) -> None:
    """The worker says so without a question; that ends the waiting."""
    stand_in.limit = 2
    job = worker.submit("/show/clip.mp4")
    stand_in.say(m.Error(re="", code="E_AUTH", message="not admitted any more", retry=False))
    with pytest.raises(NotAdmittedError, match="any more"):
        job.wait(PATIENCE_S)


def test_closing_ends_the_waiting(stand_in: StandIn, worker: client.Worker) -> None:
    """Nobody is left hanging on a connection that is closed."""
    stand_in.limit = 2
    job = worker.submit("/show/clip.mp4")
    told: list[str] = []

    def wait() -> None:
        try:
            job.wait(PATIENCE_S)
        except WireError as error:
            told.append(str(error))

    thread = threading.Thread(target=wait)
    thread.start()
    worker.close()
    thread.join(PATIENCE_S)
    assert told == ["the connection to the worker was closed"]
    frames = job.frames(PATIENCE_S)
    with pytest.raises(WireError, match="was closed"):
        list(frames)


def test_a_fault_of_our_own_is_no_silence(
    stand_in: StandIn, worker: client.Worker, caplog: pytest.LogCaptureFixture
) -> None:
    """An error in the thread of the socket ends every waiting call."""
    stand_in.limit = 2
    job = worker.submit("/show/clip.mp4")
    told: list[BaseException] = []

    def wait() -> None:
        try:
            job.wait(PATIENCE_S)
        except WireError as error:
            told.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    # That thread packs what is asked, and half a character cannot be packed.
    with pytest.raises(WireError, match="broke"):
        worker.reach().link.ask(m.Ping(id="\ud800"), PATIENCE_S)
    thread.join(PATIENCE_S)
    assert len(told) == 1
    assert "the connection to the worker broke" in caplog.text
