"""Folders that may not be written, or are gone: a job fails in a sentence, the worker goes on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.worker.caller import new_id
from tests.worker.faults.disk import small_disk
from tests.worker.faults.sound import still_sound, whole
from tests.worker.faults.taker import Taker
from tests.worker.faults.workers import (
    faulty_worker,
    pixel_request,
    plate,
    request,
    shots_of,
)
from tests.worker.running import RunningWorker

from lumivid_fx.protocol import messages as m
from lumivid_fx.worker.spool import SPARE_BYTES


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorker]:
    """A worker from under which folders are taken away."""
    with faulty_worker(tmp_path_factory.mktemp("gone")) as worker:
        still_sound(worker)
        yield worker


def test_spool_may_not_be_written(tmp_path: Path) -> None:
    """Case 13: a piece is refused, an ack is not; both go on when the disk may be written again."""
    size = f"{SPARE_BYTES // 1024 // 1024 + 8}m"
    with (
        small_disk(tmp_path / "home" / "state" / "spool", size) as disk,
        faulty_worker(tmp_path, before=disk.enter) as worker,
    ):
        still_sound(worker)
        piece = bytes(8 * 8 * 4 * 2)
        with Taker(worker) as taker:
            job = taker.submit(plate(8, 8, 2)).job
            out = taker.submit(pixel_request(shots_of(worker), "1-3")).job
            taker.send(m.Attach(id=new_id(), job=out, frames=False))
            taker.done(out)
            disk.mount("ro")
            taker.send(m.Put(job=job, frame=1, offset=0), piece)
            error = taker.error()
            assert (error.code, error.job) == ("E_RENDER", job)
            assert "Read-only file system" in error.message
            refused = taker.run(pixel_request(shots_of(worker), "1-3"))
            assert (refused.state, refused.code) == ("failed", "E_RENDER")
            taker.again(out)
            taker.done(out)
            taker.take_until(lambda: taker.safe[out] == {1, 2, 3}, "all are safe")
            disk.mount("rw")
            for frame in (1, 2):
                taker.send(m.Put(job=job, frame=frame, offset=0), piece)
            taker.follow(job)
            assert taker.done(job).frames == 2
            taker.take_until(lambda: taker.safe[job] == {1, 2}, "all are safe")
            worker.kill()
        left = [path.name for path in disk.seen.rglob("*.f16")]
        assert sorted(left) == ["1.f16", "2.f16", "3.f16"], "acknowledged, but not to be removed"
        worker.start()
        assert not list(disk.seen.rglob("*.f16")), "a start removes what is not needed"
        still_sound(worker)


def test_output_may_not_be_written(tmp_path: Path) -> None:
    """Case 13: the job fails, and the next one goes on from the frames that are there."""
    with (
        small_disk(tmp_path / "shots" / "out", "3m") as disk,
        faulty_worker(tmp_path, before=disk.enter) as worker,
    ):
        still_sound(worker)
        asked = request(shots_of(worker) / "out", "1-8", "slow")
        with Taker(worker, see=disk.see) as taker:
            job = taker.submit(asked).job
            taker.follow(job)
            taker.take_more(job, 2)
            disk.mount("ro")
            done = taker.done(job)
            assert (done.state, done.code) == ("failed", "E_RENDER")
            disk.mount("rw")
            again = taker.run(asked)
            assert (again.frames, again.kept) == (8, done.frames)
        whole(disk.seen, range(1, 9))
        still_sound(worker)


def test_output_is_gone(worker: RunningWorker) -> None:
    """Case 13: removed in the middle of a job, alone or with the whole root; the next makes it."""
    for gone in ("out", "."):
        shots = shots_of(worker) / "out"
        with Taker(worker) as taker:
            job = taker.submit(request(shots, "1-50", "slow")).job
            taker.follow(job)
            taker.take_more(job, 2)
            shutil.rmtree(shots_of(worker) / gone)
            done = taker.done(job)
            assert (done.state, done.code) == ("failed", "E_RENDER")
            assert taker.run(request(shots, "1-3")).frames == 3
        whole(shots, range(1, 4))
        shutil.rmtree(shots)
    still_sound(worker)


def test_spool_is_gone(worker: RunningWorker) -> None:
    """Case 13: what somebody removed by hand is lost, the worker is not."""
    spool = worker.places.state / "spool"
    piece = bytes(8 * 8 * 4 * 2)
    with Taker(worker) as taker:
        job = taker.submit(plate(8, 8, 2)).job
        taker.send(m.Put(job=job, frame=1, offset=0), piece[:100])
        taker.hear(m.Took)
        shutil.rmtree(spool)
        taker.send(m.Put(job=job, frame=1, offset=100), piece[100:])
        assert taker.error().code == "E_RENDER"
        error = taker.answer(_submit(taker, plate(8, 8, 2)))
        assert isinstance(error, m.Error)
        assert error.code == "E_DISK_FULL"
        for frame in (1, 2):
            taker.send(m.Put(job=job, frame=frame, offset=0), piece)
        taker.follow(job)
        assert taker.done(job).frames == 2
    still_sound(worker)


def test_everything_of_the_workers_but_its_state_is_gone(worker: RunningWorker) -> None:
    """Case 13: keys, address and cache are made or read anew at the next start."""
    key = worker.places.keys / "client.key"
    kept = key.read_bytes()
    for folder in (worker.places.cache, worker.places.run):
        shutil.rmtree(folder, ignore_errors=True)
    key.unlink()
    worker.kill()
    worker.start()
    assert key.read_bytes() != kept
    still_sound(worker)


def _submit(taker: Taker, asked: m.Request) -> str:
    submit = m.Submit(id=new_id(), job=new_id(), request=asked)
    taker.send(submit)
    return submit.id
