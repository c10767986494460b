"""Disks that take no more: refused in a sentence, nothing half made, and on once there is room."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import pytest
from tests.worker.caller import new_id
from tests.worker.faults.disk import SmallDisk, small_disk
from tests.worker.faults.sound import still_sound, whole
from tests.worker.faults.taker import Taker
from tests.worker.faults.workers import (
    faulty_worker,
    new_folder,
    pixel_request,
    plate,
    request,
    shots_of,
    starts,
)
from tests.worker.quick_runner import pixels
from tests.worker.running import RunningWorker

from lumivid_fx.protocol import messages as m
from lumivid_fx.worker.spool import SPARE_BYTES

MB = 1024 * 1024


@pytest.fixture(scope="module")
def on_disk(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[RunningWorker, SmallDisk]]:
    """A worker whose state, journal and spool, lies on a small disk.

    It has room for what is left free beside plates that are sent, and for 8 MB more.
    """
    folder = tmp_path_factory.mktemp("disk")
    size = f"{SPARE_BYTES // MB + 8}m"
    with (
        small_disk(folder / "home" / "state", size) as disk,
        faulty_worker(folder, before=disk.enter) as worker,
    ):
        still_sound(worker)
        yield worker, disk


# ---- journal ------------------------------------------------------------------------------------


def test_journal_on_a_full_disk(on_disk: tuple[RunningWorker, SmallDisk]) -> None:
    """Case 12: what cannot be written down is not accepted; what runs waits, and then goes on."""
    worker, disk = on_disk
    shots, other = new_folder(worker, "plate"), new_folder(worker, "other")
    with Taker(worker) as taker:
        job = taker.submit(request(shots, "1-400", "slow")).job
        taker.follow(job)
        taker.take_more(job, 2)
        disk.fill()
        asked = request(other, "1-3", source=m.PathSource(path=f"{other}{'/' + 'x' * 200}" * 10))
        accepted: list[str] = []
        refused = ""
        while not refused and len(accepted) < 2000:  # what the log holds free takes some more
            submit = m.Submit(id=new_id(), job=new_id(), request=asked)
            taker.send(submit)
            told = taker.answer(submit.id)
            if isinstance(told, m.Error):
                refused = submit.job
                assert (told.code, told.retry, told.job) == ("E_JOURNAL", True, refused)
                assert "free space" in told.message
            else:
                accepted.append(submit.job)
        taker.send(m.List(id=new_id(), job=refused))
        assert taker.hear(m.Jobs).jobs == ()
        disk.empty()
        taker.take_more(job, 5)
        taker.cancel(job)
        done = taker.done(job)
        assert (done.state, done.frames) == ("cancelled", len(list(shots.glob("*.exr"))))
        assert not taker.submit(asked, refused).dup
        for name in (*accepted, refused):
            taker.follow(name)
            assert taker.done(name).frames == 3
    still_sound(worker)


def test_start_on_a_full_disk(tmp_path: Path) -> None:
    """Case 12: a worker that finds no room at all says so and ends; its jobs are there later."""
    with (
        small_disk(tmp_path / "home" / "state", "3m") as disk,
        faulty_worker(tmp_path, before=disk.enter, start=False) as worker,
    ):
        disk.fill()
        assert not starts(worker)
        assert "free space on its disk" in str(worker.log()[-1]["message"])
        assert not [p.name for p in disk.seen.glob("journal*")]
        disk.empty()
        worker.start()
        still_sound(worker)
        with Taker(worker) as taker:
            job = taker.submit(request(new_folder(worker, "plate"), "1-20", "slow")).job
            taker.follow(job)
            taker.take_more(job, 2)
            worker.kill()
        disk.fill()
        # Either may be: what the journal holds free has room for the first changes, or has not.
        if not starts(worker):
            assert "free space on its disk" in str(worker.log()[-1]["message"])
        worker.end_hard()
        disk.empty()
        worker.start()
        with Taker(worker, before=taker) as taker:
            taker.follow(job)
            assert taker.done(job).frames == 20
            assert sorted(taker.held[job]) == list(range(1, 21))
        still_sound(worker)


# ---- spool --------------------------------------------------------------------------------------


def test_plate_that_finds_no_room(on_disk: tuple[RunningWorker, SmallDisk]) -> None:
    """Case 12: it is refused at once, or goes on later at the frame that found no room."""
    worker, disk = on_disk
    spool = worker.places.state / "spool"
    with Taker(worker) as taker:
        submit = m.Submit(id=new_id(), job=new_id(), request=plate(1024, 1024, 3))
        taker.send(submit)
        error = taker.error(submit.id)
        assert (error.code, error.job) == ("E_DISK_FULL", submit.job)
        assert "find no room where the worker keeps plates" in error.message

        asked = plate(256, 256, 4)
        job = taker.submit(asked).job
        frame = bytes(256 * 256 * 4 * 2)
        taker.send(m.Put(job=job, frame=1, offset=0), frame[: MB // 4])
        taker.send(m.Put(job=job, frame=1, offset=MB // 4), frame[MB // 4 :])
        taker.hear(m.Took, lambda took: took.whole)
        disk.fill(spare=300_000)
        for offset in (0, MB // 4):
            taker.send(m.Put(job=job, frame=2, offset=offset), frame[offset : offset + MB // 4])
        error = taker.error()
        assert (error.code, error.job) == ("E_DISK_FULL", job)
        assert "frame 2 of the plate found no room" in error.message
        there = sorted(p.name for p in disk.see(spool / job / "in").iterdir())
        assert there == ["1.f16"]
        disk.empty()
        assert taker.submit(asked, job).need == 2
        for number in (2, 3, 4):
            for offset in (0, MB // 4):
                put = m.Put(job=job, frame=number, offset=offset)
                taker.send(put, frame[offset : offset + MB // 4])
        taker.follow(job)
        assert taker.done(job).frames == 4
        taker.take_until(lambda: len(taker.safe[job]) == 4, "all are safe")
    assert not list(disk.see(spool / job).rglob("*.f16"))
    still_sound(worker)


def test_pixels_that_find_no_room(on_disk: tuple[RunningWorker, SmallDisk]) -> None:
    """Case 12: the job fails, what is finished is delivered, and another goes well later."""
    worker, disk = on_disk
    asked = pixel_request(shots_of(worker), "1-9", "edge500")  # 1.5 MB a frame
    with Taker(worker) as taker:
        disk.fill(spare=4 * MB)
        job = taker.submit(asked).job
        taker.send(m.Attach(id=new_id(), job=job, frames=False))
        done = taker.done(job)
        assert (done.state, done.code) == ("failed", "E_DISK_FULL"), done
        assert 0 < done.frames < 9
        assert not list(disk.seen.rglob("out/.*"))
        taker.again(job)
        taker.done(job)
        assert sorted(taker.held[job]) == list(range(1, done.frames + 1))
        taker.take_until(lambda: len(taker.safe[job]) == done.frames, "all are safe")
        disk.empty()
        assert taker.run(asked).frames == 9
    still_sound(worker)


def test_no_files_left_to_make(tmp_path: Path) -> None:
    """Case 12: a disk may have room and yet take no more files."""
    asked, frame = plate(8, 8, 2), bytes(8 * 8 * 4 * 2)
    with (
        small_disk(tmp_path / "home" / "state", f"{SPARE_BYTES // MB + 8}m,nr_inodes=40") as disk,
        faulty_worker(tmp_path, before=disk.enter) as worker,
    ):
        still_sound(worker)
        fillers = [disk.seen / f"filler{number}" for number in range(60)]
        with suppress(OSError):
            for filler in fillers:
                filler.touch()
        assert not fillers[-1].exists()
        with Taker(worker) as taker:
            job = taker.submit(asked).job
            taker.send(m.Put(job=job, frame=1, offset=0), frame)
            assert taker.error().code == "E_DISK_FULL"
            worker.kill()
        fillers[0].unlink()  # for SQLite; no folder finds room at the next start
        worker.start()
        for filler in fillers:
            filler.unlink(missing_ok=True)
        with Taker(worker, before=taker) as taker:
            assert taker.submit(asked, job).need == 1
            for number in (1, 2):
                taker.send(m.Put(job=job, frame=number, offset=0), frame)
            taker.follow(job)
            assert taker.done(job).frames == 2
        still_sound(worker)


# ---- output -------------------------------------------------------------------------------------


def test_output_on_a_full_disk(tmp_path: Path) -> None:
    """Case 12: finished frames are kept, nothing half made is left, and the rest comes later."""
    edge = 300  # 540 KB a frame
    with (
        small_disk(tmp_path / "shots" / "out", "3m") as disk,
        faulty_worker(tmp_path, before=disk.enter) as worker,
    ):
        still_sound(worker)
        asked = msgspec.structs.replace(
            request(shots_of(worker) / "out", "1-9", f"edge{edge}"), priority=1
        )
        with Taker(worker, see=disk.see) as taker:
            done = taker.run(asked)
            assert (done.state, done.code) == ("failed", "E_DISK_FULL"), done
            assert done.frames == 5
            whole(disk.seen, range(1, 6), edge)
            disk.mount("size=6m")
            again = taker.run(asked)
            assert (again.state, again.frames, again.kept) == ("done", 9, 5)
            assert sorted(taker.held[again.job]) == list(range(1, 10))
            whole(disk.seen, range(1, 10), edge)
        still_sound(worker)


# ---- files that may not grow --------------------------------------------------------------------


@contextmanager
def no_file_above(pid: int, size: int) -> Iterator[None]:
    """Have a process's files grow no larger."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def test_server_may_write_no_large_file(tmp_path: Path) -> None:
    """Case 12: the limit of a service or a quota (EFBIG) is a full disk by another name."""
    frame = bytes(64 * 64 * 4 * 2)
    with faulty_worker(tmp_path) as worker:
        still_sound(worker)
        with Taker(worker) as taker:
            job = taker.submit(plate(64, 64, 1)).job
            with no_file_above(worker.pid, 8192):
                taker.send(m.Put(job=job, frame=1, offset=0), frame)
                error = taker.error()
                assert (error.code, error.job) == ("E_DISK_FULL", job)
                submit = m.Submit(
                    id=new_id(), job=new_id(), request=request(shots_of(worker) / "new")
                )
                taker.send(submit)
                assert taker.error(submit.id).code == "E_JOURNAL"
                assert not list((worker.places.state / "spool" / job / "in").iterdir())
            taker.send(m.Put(job=job, frame=1, offset=0), frame)
            taker.follow(job)
            assert taker.done(job).frames == 1
            assert taker.run(submit.request, submit.job).frames == 4

            # The last piece finds room, and that the plate is whole does not.
            small, frame = plate(8, 8, 1), bytes(8 * 8 * 4 * 2)
            job = taker.submit(small).job
            with no_file_above(worker.pid, 8192):
                taker.send(m.Put(job=job, frame=1, offset=0), frame)
                assert taker.error().code == "E_JOURNAL"
                again = taker.answer(_said_again(taker, small, job))
                assert isinstance(again, m.Error)
                assert (again.code, again.retry) == ("E_JOURNAL", True)
            assert taker.submit(small, job).need is None
            taker.follow(job)
            assert taker.done(job).frames == 1
        still_sound(worker)


def test_runner_may_write_no_large_file(tmp_path: Path) -> None:
    """Case 12: it is told as a full disk, and nothing half made is left."""
    with faulty_worker(tmp_path) as worker:
        still_sound(worker)
        shots = new_folder(worker, "plate")
        with Taker(worker) as taker:
            (runner,) = worker.runners
            with no_file_above(runner, len(pixels(1, 64)) - 1):
                done = taker.run(request(shots, "1-4", "big"))
                assert (done.state, done.code, done.frames) == ("failed", "E_DISK_FULL", 0)
                assert not list(shots.iterdir())
            assert taker.run(request(shots, "1-4", "big")).frames == 4
        whole(shots, range(1, 5), 64)
        still_sound(worker)


def _said_again(taker: Taker, asked: m.Request, job: str) -> str:
    submit = m.Submit(id=new_id(), job=job, request=asked)
    taker.send(submit)
    return submit.id
