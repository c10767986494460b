"""Jobs from submitting to the last frame."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from tests.client.stand_in import PATIENCE_S, StandIn, pixels, wait_until

from lumivid_fx import client
from lumivid_fx.errors import CancelledError, InputError, RenderError, WireError
from lumivid_fx.protocol import messages as m

NOW_S = 0.05
"""A while in which nothing may happen, where nothing can be waited for."""


def test_frames_come_in_order_as_arrays(worker: client.Worker) -> None:
    """An array sees the pixels where they lie, as float16 h w c."""
    job = worker.submit("/show/clip.mp4", frames="1001-1024", deliver="pixels")
    numbers = []
    for frame in job.frames(PATIENCE_S):
        array = np.asarray(frame)
        assert array.dtype == np.float16
        assert array.shape == (2, 2, 3)
        assert np.all(array == np.float16(frame.number / 64))
        assert frame.pixels is not None
        assert np.shares_memory(array, np.frombuffer(frame.pixels, np.uint8))
        numbers.append(frame.number)
    assert numbers == list(range(1001, 1025))
    assert job.state == "done"
    assert job.notes == ("a note",)
    assert job.wait(0).frames == 24


def test_paths(worker: client.Worker) -> None:
    """A target asks for files; their frames say where they are, and are no arrays."""
    job = worker.submit("/show/clip.mp4", "/show/out/", frames="1-40")
    frames = list(job.frames(PATIENCE_S))
    assert [frame.path for frame in frames] == [f"/show/{n}.exr" for n in range(1, 41)]
    with pytest.raises(InputError, match=r"frame 1 was delivered as a file; read /show/1\.exr"):
        np.asarray(frames[0])


def test_waiting_needs_no_reading(stand_in: StandIn, worker: client.Worker) -> None:
    """The end is heard of although nobody reads, and the frames can be read then."""
    job = worker.submit("/show/clip.mp4", frames="1-30")
    assert job.wait(PATIENCE_S).frames == 30
    assert stand_in.heard(m.Ack) == []
    assert [frame.number for frame in job.frames(PATIENCE_S)] == list(range(1, 31))


def test_waiting_inside_a_loop(worker: client.Worker) -> None:
    """A reader that stops to wait hears of the end, and reads on."""
    job = worker.submit("/show/clip.mp4", frames="1-30")
    frames = job.frames(PATIENCE_S)
    assert next(frames).number == 1
    assert job.wait(PATIENCE_S).state == "done"
    assert [frame.number for frame in frames] == list(range(2, 31))


def test_unwanted_frames_do_not_come(stand_in: StandIn, worker: client.Worker) -> None:
    """Who only waits is sent nothing else."""
    job = worker.submit("/show/clip.mp4", want_frames=False)
    assert job.wait(PATIENCE_S).frames == 8
    assert stand_in.sent == []
    with pytest.raises(InputError, match="were not wanted"):
        next(job.frames())


def test_a_slow_reader_holds_little(stand_in: StandIn, worker: client.Worker) -> None:
    """Four frames of pixels at most are sent and not dealt with, however slow the reader."""
    job = worker.submit("/show/clip.mp4", frames="1-60")
    for frame in job.frames(PATIENCE_S):
        if frame.number % 10 == 0:
            time.sleep(NOW_S)
    # An ack that is on its way has been dealt with but not been heard of: twice four at the most.
    assert 0 < stand_in.owed <= 8
    assert job.wait(0).frames == 60


def test_a_reader_that_stops_owes_nothing(stand_in: StandIn, worker: client.Worker) -> None:
    """What is read is acknowledged, what is in hand or waits is not."""
    job = worker.submit("/show/clip.mp4", "/show/out/", frames="1-100")
    frames = job.frames(PATIENCE_S)
    for _ in range(3):
        next(frames)
    wait_until(lambda: len(stand_in.heard(m.Ack)) == 2, "two are acknowledged")
    wait_until(lambda: len(stand_in.sent) >= 32, "the worker sends ahead")
    job.wait(PATIENCE_S)
    assert len(stand_in.sent) <= 34
    assert [ack.frame for ack in stand_in.heard(m.Ack)] == [1, 2]


def test_a_loop_that_was_left_goes_on(stand_in: StandIn, worker: client.Worker) -> None:
    """The frame with which it was left comes again, for nobody has said that it was dealt with."""
    job = worker.submit("/show/clip.mp4")
    for frame in job.frames(PATIENCE_S):
        if frame.number == 3:
            break
    assert [frame.number for frame in job.frames(PATIENCE_S)] == [3, 4, 5, 6, 7, 8]
    wait_until(lambda: len(stand_in.heard(m.Ack)) == 8, "all are acknowledged")
    assert [ack.frame for ack in stand_in.heard(m.Ack)] == list(range(1, 9))


def test_one_loop_at_a_time(worker: client.Worker) -> None:
    """Two would share the frames between them."""
    job = worker.submit("/show/clip.mp4")
    frames = job.frames(PATIENCE_S)
    next(frames)
    with pytest.raises(InputError, match="read by another loop"):
        next(job.frames())


def test_the_last_frame_is_acknowledged(stand_in: StandIn, worker: client.Worker) -> None:
    """Also when nobody keeps the job, or closes the connection at once."""
    assert len(list(worker.submit("/show/clip.mp4").frames(PATIENCE_S))) == 8
    gc.collect()
    wait_until(lambda: len(stand_in.heard(m.Ack)) == 8, "all are acknowledged")
    assert len(list(worker.submit("/show/clip.mp4").frames(PATIENCE_S))) == 8
    worker.close()
    wait_until(lambda: len(stand_in.heard(m.Ack)) == 16, "all are acknowledged")


def test_a_failed_job_gives_its_frames_first(stand_in: StandIn, worker: client.Worker) -> None:
    """What is finished is given; then comes the worker's own sentence as the code's error."""
    stand_in.limit, stand_in.fails = 3, "E_OOM"
    job = worker.submit("/show/clip.mp4")
    numbers: list[int] = []
    with pytest.raises(RenderError, match="as told: E_OOM") as caught:
        numbers.extend(frame.number for frame in job.frames(PATIENCE_S))
    assert numbers == [1, 2, 3]
    assert caught.value.code == "E_OOM"
    with pytest.raises(RenderError, match="as told: E_OOM"):
        job.wait(PATIENCE_S)
    assert (job.state, job.done is not None and job.done.code) == ("failed", "E_OOM")
    assert job.error is None
    assert len(stand_in.sent) == 3


def test_cancel(stand_in: StandIn, worker: client.Worker) -> None:
    """Cancelled is an error of its own; twice is as good as once."""
    stand_in.limit = 2
    job = worker.submit("/show/clip.mp4")
    frames = job.frames(PATIENCE_S)
    assert [next(frames).number, next(frames).number] == [1, 2]
    job.cancel()
    worker.cancel(job.id)
    with pytest.raises(CancelledError):
        job.wait(PATIENCE_S)
    with pytest.raises(CancelledError):
        next(frames)


def test_timeouts(stand_in: StandIn, worker: client.Worker) -> None:
    """Waiting ends when it was told to, the job does not."""
    stand_in.limit = 1
    job = worker.submit("/show/clip.mp4")
    with pytest.raises(TimeoutError, match="goes on"):
        job.wait(NOW_S)
    frames = job.frames(NOW_S)
    assert next(frames).number == 1
    with pytest.raises(TimeoutError, match="goes on"):
        next(frames)
    stand_in.limit = 8
    assert [frame.number for frame in job.frames(PATIENCE_S)] == list(range(2, 9))


def test_a_frame_that_never_comes_is_told(stand_in: StandIn, worker: client.Worker) -> None:
    """A worker that lost the pixels of a frame does not make a short shot look whole."""
    stand_in.skip = {5}
    job = worker.submit("/show/clip.mp4")
    numbers: list[int] = []
    with pytest.raises(WireError, match="1 of 8 finished frames of job"):
        numbers.extend(frame.number for frame in job.frames(PATIENCE_S))
    assert numbers == [1, 2, 3, 4, 6, 7, 8]


def test_spoilt_pixels_are_taken_anew(stand_in: StandIn, worker: client.Worker) -> None:
    """A wrong digest is not acknowledged; the frame is asked for again, and nothing is lost."""
    stand_in.spoil = {1: 1, 5: 3}
    frames = list(worker.submit("/show/clip.mp4").frames(PATIENCE_S))
    assert [frame.number for frame in frames] == list(range(1, 9))
    assert [bytes(frame.pixels or b"") for frame in frames] == [pixels(n) for n in range(1, 9)]
    assert stand_in.sent.count(5) == 4
    wait_until(lambda: len(stand_in.heard(m.Ack)) == 8, "each is acknowledged once")
    assert {ack.sha256 for ack in stand_in.heard(m.Ack)} == {frame.sha256 for frame in frames}


def test_pixels_that_stay_spoilt(stand_in: StandIn, worker: client.Worker) -> None:
    """After three times more it is told, behind the frames before."""
    stand_in.spoil = {3: 100}
    job = worker.submit("/show/clip.mp4")
    numbers: list[int] = []
    with pytest.raises(WireError, match=r"frame 3 of job .* came spoilt 4 times"):
        numbers.extend(frame.number for frame in job.frames(PATIENCE_S))
    assert numbers == [1, 2]
    assert 3 not in [ack.frame for ack in stand_in.heard(m.Ack)]


def test_messages_of_a_foreign_job_are_passed_over(
    stand_in: StandIn, worker: client.Worker
) -> None:
    """A late end of one job is not the end of another."""
    stand_in.limit = 2
    job = worker.submit("/show/clip.mp4")
    assert next(job.frames(PATIENCE_S)).number == 1
    foreign = "0" * 32
    stand_in.say(m.Done(job=foreign, state="failed", code="E_OOM", message="of another"))
    stand_in.say(m.Progress(job=foreign, state="failed"))
    stand_in.say(m.Frame(job=foreign, frame=2, how="kept", sha256="0" * 64, size=1, path="/x"))
    stand_in.say(m.Took(job=job.id, frame=1, size=1, whole=True))
    worker.ping()
    assert job.state == "running"
    stand_in.limit = 8
    assert [frame.number for frame in job.frames(PATIENCE_S)] == list(range(1, 9))


def test_two_threads_submit_at_once(worker: client.Worker) -> None:
    """Each gets the answers to its own questions and its own frames."""
    got: dict[int, list[int]] = {}

    def work(first: int) -> None:
        for turn in range(5):
            start = first + 10 * turn
            job = worker.submit("/show/clip.mp4", frames=f"{start}-{start + 9}")
            got.setdefault(first, []).extend(f.number for f in job.frames(PATIENCE_S))

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 1000, 2000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert got == {first: list(range(first, first + 50)) for first in (0, 1000, 2000)}


def test_the_same_again_is_the_same_job(
    stand_in: StandIn, connect: Callable[..., client.Worker]
) -> None:
    """By id and request; one connection follows it once."""
    name = "ab" * 16
    job = connect().submit("/show/clip.mp4", job=name)
    other = connect()
    again = other.submit("/show/clip.mp4", job=name)
    assert job.id == again.id == name
    assert len(stand_in.jobs) == 1
    assert again.wait(PATIENCE_S).frames == 8
    with pytest.raises(InputError, match="followed by this connection already"):
        other.attach(name)
    with pytest.raises(WireError, match="another") as caught:
        connect().submit("/show/other.mp4", job=name)
    assert caught.value.code == "E_JOB_CONFLICT"


def test_attach(stand_in: StandIn, connect: Callable[..., client.Worker]) -> None:
    """Another program takes the frames after those it holds; and again when it has read them."""
    stand_in.limit = 6
    job = connect().submit("/show/clip.mp4", "/show/out/")
    attached = connect().attach(job.id, after=4)
    frames = attached.frames(PATIENCE_S)
    assert [next(frames).number, next(frames).number] == [5, 6]
    assert attached.state == "running"
    stand_in.limit = 8
    assert [frame.number for frame in frames] == [7, 8]
    late = connect().attach(job.id)
    assert [frame.number for frame in late.frames(PATIENCE_S)] == list(range(1, 9))


def test_a_job_that_is_not_there(worker: client.Worker) -> None:
    """Attaching and cancelling tell it in the calling thread; nothing is left behind."""
    for _ in range(2):
        with pytest.raises(WireError, match="E_NO_JOB") as caught:
            worker.attach("0" * 32)
        assert caught.value.code == "E_NO_JOB"
    with pytest.raises(WireError, match="E_NO_JOB"):
        worker.cancel("0" * 32)


def test_a_refused_job_leaves_nothing(stand_in: StandIn, worker: client.Worker) -> None:
    """The same id can be used for the request as it should have been."""
    stand_in.refuse = {m.Submit: "E_PATH"}
    called: list[object] = []
    with pytest.raises(InputError, match="E_PATH"):
        worker.submit("/etc/passwd", job="cd" * 16, on_done=called.append)
    stand_in.refuse = {}
    assert called == []
    assert worker.submit("/show/clip.mp4", job="cd" * 16).wait(PATIENCE_S).frames == 8


def test_paths_are_absolute(
    stand_in: StandIn, worker: client.Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are those of this process, and a slash that says folder stays."""
    monkeypatch.chdir(tmp_path)
    worker.submit("plate.####.exr", "out/", lora="../a.safetensors", label="a shot", priority=3)
    (submit,) = stand_in.heard(m.Submit)
    request = submit.request
    assert isinstance(request.source, m.PathSource)
    assert request.source.path == f"{tmp_path}/plate.####.exr"
    assert request.target == f"{tmp_path}/out/"
    assert request.lora == f"{tmp_path.parent}/a.safetensors"
    assert (request.deliver, request.label, request.priority) == ("path", "a shot", 3)
    worker.submit(Path("/show/clip.mp4"))
    assert stand_in.heard(m.Submit)[1].request == m.Request(
        source=m.PathSource(path="/show/clip.mp4"), deliver="pixels"
    )


def test_what_no_worker_would_take(stand_in: StandIn, worker: client.Worker) -> None:
    """It is told here, and never sent."""
    with pytest.raises(InputError, match=r"cannot be submitted: .*priority"):
        worker.submit("/show/clip.mp4", priority=1000)
    with pytest.raises(InputError, match=r"cannot be submitted: .*settings.detail"):
        worker.submit("/show/clip.mp4", settings=m.Settings(detail=2.0))
    with pytest.raises(InputError, match="'xyz' is no job's id"):
        worker.submit("/show/clip.mp4", job="xyz")
    with pytest.raises(InputError, match="no job's id"):
        worker.attach("AB" * 16)
    pixel_source = m.PixelSource(width=1, height=1, channels=3, first=1, count=1)
    with pytest.raises(InputError, match="goes to submit_pixels"):
        worker.submit_request(m.Request(source=pixel_source))
    with pytest.raises(InputError, match="want_frames=False wants none"):
        worker.submit("/show/clip.mp4", want_frames=False, on_frame=print)
    assert stand_in.heard(m.Submit) == []


def test_a_job_that_nobody_holds_is_let_go(stand_in: StandIn, worker: client.Worker) -> None:
    """Thousands of submitted jobs do not pile up in a program that runs for weeks."""
    name = worker.submit("/show/clip.mp4").id

    def attached() -> bool:
        gc.collect()  # the thread of the socket holds it while it speaks of it
        with suppress(InputError):
            return worker.attach(name).wait(PATIENCE_S).frames == 8
        return False

    wait_until(attached, "nobody follows it any more")
    assert len(stand_in.heard(m.Submit)) == 1
