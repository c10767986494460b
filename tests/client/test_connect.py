"""Reaching a worker, or being told within seconds why not."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zmq
from tests.client.stand_in import (
    SilentListener,
    StandIn,
    new_pair,
    own_places,
    wait_until,
)

from lumivid_fx import client
from lumivid_fx.client.approach import Approach
from lumivid_fx.client.keys import own_key_pair
from lumivid_fx.errors import InputError, NotAdmittedError, WireError
from lumivid_fx.protocol import messages as m
from lumivid_fx.protocol.places import Connection, Places, read_key_pair, write_connection

AT_ONCE_S = 15.0
"""What is promised within five seconds, on a machine that is busy with other tests."""


def test_a_worker_welcomes(stand_in: StandIn, worker: client.Worker) -> None:
    """What it says of itself is at hand, and it answers a ping."""
    assert worker.connected
    assert worker.welcome.boot == worker.ping().boot == stand_in.boot
    (hello,) = stand_in.heard(m.Hello)
    assert (hello.client, hello.versions) == ("test", (1,))
    assert repr(worker) == "<Worker connected>"


def test_no_worker_is_told_at_once(tmp_path: Path) -> None:
    """Without a file that says where it listens there is nothing to wait for."""
    began = time.monotonic()
    with pytest.raises(WireError, match="no worker is running here; start one with `lumivid"):
        client.connect(places=own_places(tmp_path), timeout=60)
    assert time.monotonic() - began < AT_ONCE_S


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    """Half a file is no address."""
    places = own_places(tmp_path)
    places.run.mkdir(parents=True)
    places.connection.write_text('{"endpoint": "tcp://127')
    with pytest.raises(WireError, match=r"worker.json cannot be read .*start the worker again"):
        client.connect(places=places)


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:1", "tcp://127.0.0.1", "nonsense"])
def test_an_address_where_nobody_listens(tmp_path: Path, endpoint: str) -> None:
    """A file that a killed worker left, or that names no address, ends in a sentence."""
    places = own_places(tmp_path)
    write_connection(places.connection, Connection(endpoint, new_pair().public, 1, "0" * 32, (1,)))
    with pytest.raises(WireError, match=r"does not answer within 0\.5 s"):
        client.connect(places=places, timeout=0.5)


@pytest.mark.parametrize(
    "words", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(1000)], ids=["mute", "http", "zeros"]
)
def test_something_else_that_listens_there(tmp_path: Path, words: bytes) -> None:
    """Whatever took the port of a worker that is gone, connecting ends."""
    listener = SilentListener(words)
    try:
        places = own_places(tmp_path)
        write_connection(
            places.connection,
            Connection(f"tcp://127.0.0.1:{listener.port}", new_pair().public, 1, "0" * 32, (1,)),
        )
        began = time.monotonic()
        with pytest.raises(WireError):
            client.connect(places=places, timeout=1)
        assert time.monotonic() - began < AT_ONCE_S
    finally:
        listener.close()


def test_a_worker_that_never_answers(stand_in: StandIn) -> None:
    """A server that hangs accepts connections and says nothing."""
    stand_in.deaf_to = {m.Hello}
    with pytest.raises(WireError, match=r"does not answer within 0\.5 s"):
        client.connect(places=stand_in.places, timeout=0.5)


def test_a_key_that_is_not_admitted(tmp_path: Path) -> None:
    """ZeroMQ stops trying in silence; the monitor tells, and so do we, with the key to admit."""
    with StandIn(own_places(tmp_path), admitted=new_pair().public) as stand_in:
        began = time.monotonic()
        with pytest.raises(NotAdmittedError, match="does not know this user's key") as caught:
            client.connect(places=stand_in.places, timeout=60)
        assert time.monotonic() - began < AT_ONCE_S
    pair = own_key_pair(stand_in.places)
    assert pair.public in str(caught.value)
    assert pair.secret not in str(caught.value)
    assert stand_in.said == []


def test_a_worker_with_another_key(tmp_path: Path) -> None:
    """What listens at the address cannot prove to be the worker that the file names."""
    stand_in = StandIn(own_places(tmp_path))
    stand_in.told = new_pair()
    with stand_in:
        began = time.monotonic()
        with pytest.raises(NotAdmittedError, match="is not the worker that"):
            client.connect(places=stand_in.places, timeout=60)
        assert time.monotonic() - began < AT_ONCE_S


def test_a_worker_of_another_version(stand_in: StandIn) -> None:
    """A refused hello is told as the worker told it."""
    stand_in.refuse = {m.Hello: "E_VERSION"}
    with pytest.raises(WireError, match="as told: E_VERSION") as caught:
        client.connect(places=stand_in.places, timeout=60)
    assert caught.value.code == "E_VERSION"


def test_a_worker_that_says_garbage(
    stand_in: StandIn, worker: client.Worker, caplog: pytest.LogCaptureFixture
) -> None:
    """What is no message is logged and passed over; the rest goes on."""
    for parts in ([b""], [b"LVX1"], [b"LVX1", b"\xc1"], [b"LVX1", b"\x81"], [b"x"] * 9):
        stand_in.say_raw(parts)
    stand_in.say_raw([b"LVX1", b"\xc0" * (17 * 1024 * 1024)])
    wait_until(lambda: caplog.text.count("no message") == 6, "all six are logged")
    assert worker.ping().boot == stand_in.boot
    assert len(list(worker.submit("/show/clip.mp4").frames(20))) == 8
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_an_answer_to_nobody_is_passed_over(stand_in: StandIn, worker: client.Worker) -> None:
    """Answers are matched to questions by id, never by order."""
    stand_in.say(m.Pong(re="0" * 32, boot="f" * 32, devices=()))
    stand_in.say(m.Error(re="1" * 32, code="E_BUSY", message="not for you", retry=True))
    assert worker.ping().boot == stand_in.boot
    assert worker.jobs() == ()


def test_a_closed_connection_is_closed(worker: client.Worker) -> None:
    """Closing twice is as good as once, and what is asked then says so."""
    worker.close()
    worker.close()
    assert not worker.connected
    with pytest.raises(WireError, match="was closed; connect again"):
        worker.ping()


def test_an_unanswered_question_ends(
    stand_in: StandIn, connect: Callable[..., client.Worker]
) -> None:
    """Nothing blocks for longer than it was told to."""
    worker = connect(timeout=0.3)
    stand_in.deaf_to = {m.List, m.Submit}
    with pytest.raises(WireError, match=r"does not answer within 0\.3 s"):
        worker.jobs()
    with pytest.raises(WireError, match=r"does not answer within 0\.3 s"):
        worker.submit("/show/clip.mp4")
    assert worker.connected  # it pongs


def test_stop(stand_in: StandIn, worker: client.Worker) -> None:
    """A stop is heard, and is never said to the next worker."""
    worker.stop()
    assert len(stand_in.heard(m.Stop)) == 1
    wait_until(lambda: not worker.connected, "the worker that ends is left")
    stand_in.restart()
    wait_until(lambda: worker.connected, "the next is found")
    assert len(stand_in.heard(m.Stop)) == 1


def test_a_key_pair_is_made_and_kept_private(tmp_path: Path) -> None:
    """Made once, readable by its owner alone, its secret in no text."""
    places = own_places(tmp_path)
    pair = own_key_pair(places)
    path = places.keys / "client.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert own_key_pair(places) == read_key_pair(path) == pair
    assert pair.secret not in repr(pair) + str(pair)
    path.chmod(0o644)
    with pytest.raises(InputError, match="may be read by others"):
        own_key_pair(places)


def test_all_who_begin_together_get_one_key(tmp_path: Path) -> None:
    """Two of them would lock each other out."""
    for turn in range(10):
        places = own_places(tmp_path / str(turn))
        together = threading.Barrier(8)

        def make(places: Places = places, together: threading.Barrier = together) -> str:
            together.wait(AT_ONCE_S)
            return own_key_pair(places).public

        with ThreadPoolExecutor(8) as pool:
            made = [pool.submit(make) for _ in range(8)]
        assert len({each.result() for each in made}) == 1


def test_a_worker_that_hangs_is_tried_anew(stand_in: StandIn) -> None:
    """Its socket is left for another after five seconds, of a clock that is the test's."""
    approach = Approach(stand_in.places.connection, own_key_pair(stand_in.places), "test")
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        approach.look(context, 100.0)
        first = approach.dealer
        assert first is not None
        approach.look(context, 104.9)
        assert approach.dealer is first
        approach.look(context, 105.1)
        assert approach.dealer is not first
        second = approach.dealer
        stand_in.restart()
        approach.look(context, 105.2)
        assert approach.dealer is not second
    finally:
        approach.leave(0.0)
        context.destroy(linger=0)


def test_no_secret_in_any_log(
    stand_in: StandIn, worker: client.Worker, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither while all goes well nor when the worker is lost."""
    caplog.set_level(logging.DEBUG)
    stand_in.restart()
    wait_until(lambda: worker.connected, "connected again")
    worker.ping()
    secret = own_key_pair(stand_in.places).secret
    assert "the worker is lost" in caplog.text
    assert secret not in caplog.text
    for each in (worker, worker.reach(), worker.reach().link):
        assert secret not in repr(each) + str(vars(each))
