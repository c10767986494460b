"""The page is enough: a client written from ``docs/protocol.md`` alone has its shots rendered."""

from __future__ import annotations

import ast
import hashlib
import signal
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import zmq
from tests.media.files import write_image
from tests.worker import raw_client
from tests.worker.raw_client import RawClient, RefusedError, Said, check
from tests.worker.running import QUICK, RunningWorker, running_worker

HEIGHT, WIDTH = 32, 48


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of the workers below."""
    return tmp_path_factory.mktemp("shots")


@pytest.fixture(scope="module")
def worker(shots: Path, tiny_model_folder: Path) -> Iterator[RunningWorker]:
    """``lumivid worker`` as anybody would start it, with a tiny model."""
    arguments: list[str | Path] = ["--model", tiny_model_folder, "--cache-gb", "0"]
    home = shots.parent / "home"
    with running_worker(
        home, roots=[shots, tiny_model_folder.parent], arguments=arguments
    ) as running:
        yield running


@pytest.fixture(scope="module")
def quick_home(tmp_path_factory: pytest.TempPathFactory, shots: Path) -> Iterator[RunningWorker]:
    """A worker that makes small files in place of renders, to be killed at will."""
    home = tmp_path_factory.mktemp("quick") / "home"
    with running_worker(home, roots=[shots], runner=QUICK) as running:
        yield running


@pytest.fixture
def client(worker: RunningWorker) -> Iterator[RawClient]:
    """A stranger's client of the first."""
    with RawClient(home_of(worker)) as client:
        yield client


@pytest.fixture
def quick(quick_home: RunningWorker) -> Iterator[RawClient]:
    """And of the second."""
    with RawClient(home_of(quick_home)) as client:
        yield client


def home_of(worker: RunningWorker) -> Path:
    """The folder that a client needs to know."""
    return Path(worker.environ["LUMIVID_HOME"])


def frames_of(said: list[Said]) -> list[Said]:
    """The finished frames among all that was said."""
    return [each for each in said if each["t"] == "frame"]


def test_client_knows_nothing_of_ours() -> None:
    """It imports the standard library, zmq and msgpack."""
    tree = ast.parse(Path(raw_client.__file__).read_text("utf-8"))
    names = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
    }
    assert names - sys.stdlib_module_names == {"zmq", "msgpack"}


def test_a_shot_by_path(client: RawClient, shots: Path) -> None:
    """Three PNGs in, three EXRs out, told one after the other with their digests."""
    (shots / "in").mkdir()
    for number in (1001, 1002, 1003):
        codes = np.full((HEIGHT, WIDTH, 3), number - 980, np.uint8)
        write_image(shots / "in" / f"plate.{number}.png", codes)
    job = uuid4().hex
    request = {
        "source": {"t": "path", "path": str(shots / "in" / "plate.####.png")},
        "target": str(shots / "out" / "hdr.####.exr"),
        "settings": {"source_view": "srgb"},
    }
    accepted = client.ask("submit", job=job, request=request)
    assert (accepted["state"], accepted["dup"], accepted["need"]) == ("queued", False, None)
    said = list(client.follow(job))
    done = said[-1]
    assert (done["t"], done["state"], done["frames"]) == ("done", "done", 3), done
    frames = frames_of(said)
    assert [frame["frame"] for frame in frames] == [1001, 1002, 1003]
    assert [Path(frame["path"]).name for frame in frames] == [
        f"hdr.{number}.exr" for number in (1001, 1002, 1003)
    ]
    assert said[0]["t"] == "progress"
    (row,) = client.ask("list", job=job)["jobs"]
    assert (row["state"], row["frames"], row["total"]) == ("done", 3, 3)


def test_pixels_in_pixels_out(client: RawClient) -> None:
    """Half floats both ways, alpha and all; what was acknowledged does not come again."""
    job, count = uuid4().hex, 2
    rng = np.random.default_rng(1)
    plate = {
        number: rng.uniform(0, 1, (HEIGHT, WIDTH, 4)).astype("<f2").tobytes()
        for number in range(1, count + 1)
    }
    request = {
        "source": {
            "t": "pixels",
            "width": WIDTH,
            "height": HEIGHT,
            "channels": 4,
            "first": 1,
            "count": count,
        },
        "deliver": "pixels",
        "settings": {"input_space": "lin_rec709"},
    }
    accepted = client.ask("submit", job=job, request=request)
    assert (accepted["state"], accepted["need"]) == ("receiving", 1)
    client.send_plate(accepted, plate)
    said = list(client.follow(job))
    assert (said[-1]["state"], said[-1]["frames"]) == ("done", count), said[-1]
    frames = frames_of(said)
    assert [frame["frame"] for frame in frames] == [1, 2]
    for frame in frames:
        assert frame["shape"] == [HEIGHT, WIDTH, 4]
        assert frame["path"] is None
        pixels = np.frombuffer(frame["pixels"], "<f2").reshape(frame["shape"])
        assert np.isfinite(pixels).all()
        # Alpha passes through untouched, which shows that lines and channels lie as they were sent.
        sent = np.frombuffer(plate[frame["frame"]], "<f2").reshape(frame["shape"])
        np.testing.assert_array_equal(pixels[..., 3], sent[..., 3])
    again = list(client.follow(job))
    assert (frames_of(again), again[-1]["state"]) == ([], "done")


def test_same_job_again_is_the_same_job(quick: RawClient, shots: Path) -> None:
    """Defaults written or not; another request under the id is refused, and so is a bad ack."""
    job, target = uuid4().hex, str(shots / "again")
    short = {"source": {"t": "path", "path": str(shots)}, "target": target, "frames": "1-2"}
    full = {**short, "settings": {"exposure": 0, "seed": 0}, "priority": 0, "lora": None}
    assert not quick.ask("submit", job=job, request=short)["dup"]
    assert quick.ask("submit", job=job, request=full)["dup"]
    with pytest.raises(RefusedError, match="E_JOB_CONFLICT"):
        quick.ask("submit", job=job, request={**short, "frames": "1-3"})
    frames = frames_of(list(quick.follow(job)))
    assert [frame["frame"] for frame in frames] == [1, 2]
    assert frames_of(list(quick.follow(job))) == frames
    assert frames_of(list(quick.follow(job, after=1))) == frames[1:]
    quick.say("ack", job=job, frame=1, sha256="0" * 64)
    refused = quick.hear(lambda said: said["t"] == "error")
    assert (refused["code"], refused["job"], refused["retry"]) == ("E_BAD_ACK", job, False)


def test_cancel(quick: RawClient, shots: Path) -> None:
    """It stops, what is finished stays, and cancelling it again says how it ended."""
    job = uuid4().hex
    request = {
        "source": {"t": "path", "path": str(shots)},
        "target": str(shots / "cancelled"),
        "frames": "1-5000",
        "label": "slow",
    }
    quick.ask("submit", job=job, request=request)
    following = quick.follow(job)
    first = next(said for said in following if said["t"] == "frame")
    assert quick.ask("cancel", job=job)["state"] == "cancelling"
    done = list(following)[-1]
    assert (done["t"], done["state"], done["code"]) == ("done", "cancelled", "E_CANCELLED")
    assert 0 < done["frames"] < 5000
    check(first)
    assert quick.ask("cancel", job=job)["state"] == "cancelled"


def test_plate_that_was_broken_off_goes_on(quick: RawClient, quick_home: RunningWorker) -> None:
    """A new connection submits again, and hears at which frame to go on."""
    job, size = uuid4().hex, 1024 * 512 * 3 * 2
    source = {"t": "pixels", "width": 1024, "height": 512, "channels": 3, "first": -1, "count": 3}
    request = {"source": source, "deliver": "pixels", "settings": {"input_space": "srgb"}}
    plate = {number: struct.pack("b", number) * size for number in (-1, 0, 1)}
    quick.send_plate(quick.ask("submit", job=job, request=request), {-1: plate[-1]})
    quick.say("put", plate[0][:1000], job=job, frame=0, offset=0)
    quick.say("put", plate[0][:1000], job=job, frame=0, offset=5000)
    refused = quick.hear(lambda said: said["t"] == "error")
    assert (refused["code"], refused["job"]) == ("E_SCHEMA", job)
    quick.say("put", plate[0][:1000], job=job, frame=0, offset=0)
    with RawClient(home_of(quick_home)) as other:
        accepted = other.ask("submit", job=job, request=request)
        assert (accepted["dup"], accepted["state"], accepted["need"]) == (True, "receiving", 0)
        other.send_plate(accepted, plate)
        assert other.ask("submit", job=job, request=request)["need"] is None
        said = list(other.follow(job))
        assert [frame["frame"] for frame in frames_of(said)] == [-1, 0, 1]
        assert said[-1]["state"] == "done"


def test_killed_worker_goes_on(quick: RawClient, quick_home: RunningWorker, shots: Path) -> None:
    """The client finds the new one by itself, and gets every frame once, in order."""
    job = uuid4().hex
    request = {
        "source": {"t": "path", "path": str(shots)},
        "target": str(shots / "killed"),
        "frames": "1-12",
        "label": "slow",
    }
    boot = quick.welcome["boot"]
    quick.ask("submit", job=job, request=request)
    frames, done = [], None
    for said in quick.follow(job):
        if said["t"] == "frame":
            frames.append(said["frame"])
            if said["frame"] == 3 and quick.welcome["boot"] == boot:
                quick_home.kill(signal.SIGKILL)
                quick_home.start()
        done = said
    assert frames == list(range(1, 13))
    assert done is not None
    assert (done["t"], done["state"]) == ("done", "done")
    assert quick.welcome["boot"] == quick_home.connection.boot != boot


def test_stranger_is_kept_out(quick_home: RunningWorker) -> None:
    """A key that nobody admitted: the monitor says so, where the socket says nothing."""
    public, secret = (key.decode() for key in zmq.curve_keypair())
    with (
        pytest.raises(PermissionError, match="does not admit this key"),
        RawClient(home_of(quick_home), (public, secret)),
    ):
        pass


def test_admitted_key_has_its_own_jobs(quick_home: RunningWorker, shots: Path) -> None:
    """It sees nobody else's, cannot touch them, and may not end the worker."""
    public, secret = (key.decode() for key in zmq.curve_keypair())
    admitted = home_of(quick_home) / "keys" / "admitted" / "farm.key"
    admitted.write_text(public + "\n")
    job = uuid4().hex
    request = {
        "source": {"t": "path", "path": str(shots)},
        "target": str(shots / "own"),
        "frames": "7",
    }
    with RawClient(home_of(quick_home)) as owner:
        owner.ask("submit", job=job, request=request)
        with RawClient(home_of(quick_home), (public, secret)) as other:
            assert other.ask("list", job=job)["jobs"] == []
            assert job not in [row["job"] for row in other.ask("list")["jobs"]]
            for kind, fields in (
                ("submit", {"request": request}),
                ("cancel", {}),
                ("attach", {}),
            ):
                with pytest.raises(RefusedError, match="E_NO_JOB"):
                    other.ask(kind, job=job, **fields)
            with pytest.raises(RefusedError, match="E_AUTH"):
                other.ask("stop")
        assert list(owner.follow(job))[-1]["state"] == "done"


def test_mistake_is_told_and_forgiven(quick: RawClient, shots: Path) -> None:
    """A field that is not on the page, and a path outside the roots; the connection goes on."""
    request = {"source": {"t": "path", "path": str(shots)}, "target": str(shots / "x")}
    with pytest.raises(RefusedError, match=r"E_SCHEMA.*`priorty`"):
        quick.ask("submit", job=uuid4().hex, request={**request, "priorty": 1})
    for path in ("/etc/passwd", "relative.exr", f"{shots}/../up"):
        with pytest.raises(RefusedError, match="E_PATH") as caught:
            quick.ask("submit", job=uuid4().hex, request={**request, "target": path})
        assert caught.value.said["retry"] is False
    assert quick.ask("ping")["boot"] == quick.welcome["boot"]


def test_stop_ends_the_worker(quick_home: RunningWorker) -> None:
    """It says farewell to everybody, and takes its address away."""
    with RawClient(home_of(quick_home)) as client, RawClient(home_of(quick_home)) as other:
        client.say("stop", id=uuid4().hex)
        for each in (client, other):
            assert each.hear(lambda said: said["t"] == "drain")["boot"] == client.welcome["boot"]
    assert quick_home.process is not None
    assert quick_home.process.wait(timeout=60) == 0
    assert not quick_home.places.connection.exists()
    quick_home.start()


def test_digest_is_of_what_came() -> None:
    """The client would notice a flipped bit, which is what digests are for."""
    pixels = bytes(8)
    frame = {"frame": 1, "path": None, "size": 8, "sha256": hashlib.sha256(pixels).hexdigest()}
    check({**frame, "pixels": pixels})
    for wrong in (bytes(7) + b"\1", bytes(9)):
        with pytest.raises(ValueError, match="frame 1 came in other bytes"):
            check({**frame, "pixels": wrong})
