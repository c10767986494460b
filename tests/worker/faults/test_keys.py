"""Clients that the worker does not know, and workers that are another: told within seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import zmq
from tests.worker.caller import new_id
from tests.worker.faults.sound import still_sound
from tests.worker.faults.taker import Taker
from tests.worker.faults.workers import (
    faulty_worker,
    new_folder,
    own_pair,
    request,
    shots_of,
    stranger,
)
from tests.worker.running import RunningWorker

from lumivid_fx import client
from lumivid_fx.errors import NotAdmittedError
from lumivid_fx.protocol import messages as m
from lumivid_fx.protocol.places import (
    KeyPair,
    Places,
    keep_key_pair,
    read_key_pair,
    write_connection,
)
from lumivid_fx.protocol.wire import pack

WITHIN_S = 5.0
"""What is promised; the clients would wait a minute."""


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorker]:
    """A worker at whose door somebody knocks."""
    with faulty_worker(tmp_path_factory.mktemp("keys")) as worker:
        still_sound(worker)
        yield worker
        log = "\n".join(map(str, worker.log()))
        secrets = [path.read_text() for path in worker.places.keys.glob("*.key")]
        assert len(secrets) == 2
        pairs = [read_key_pair(path) for path in worker.places.keys.glob("*.key")]
        assert not [pair for pair in pairs if pair and pair.secret in log]


def new_pair() -> KeyPair:
    """A key pair that nobody knows."""
    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode(), secret.decode())


def guest(worker: RunningWorker, folder: Path, pair: KeyPair, key: str = "") -> Places:
    """Places of somebody with a key pair of their own, who knows the worker by a key."""
    places = Places.of({"LUMIVID_HOME": str(folder)})
    keep_key_pair(places.keys / "client.key", pair)
    connection = replace(worker.connection, public_key=key or worker.connection.public_key)
    write_connection(places.connection, connection)
    return places


def refused(places: Places, told: str) -> None:
    """Connecting fails in time, and in a sentence."""
    began = time.monotonic()
    with pytest.raises(NotAdmittedError, match=told) as caught:
        client.connect(places=places, timeout=60)
    assert time.monotonic() - began < WITHIN_S
    assert caught.value.code == "E_AUTH"
    pair = read_key_pair(places.keys / "client.key")
    assert pair is not None
    assert pair.secret not in str(caught.value)


def test_unknown_key(worker: RunningWorker, tmp_path: Path) -> None:
    """Case 14: the client hears which key to have admitted, the log holds its beginning alone."""
    pair = new_pair()
    refused(guest(worker, tmp_path, pair), "does not know this user's key")
    worker.wait_until(lambda: worker.logged(pair.public[:8]), "the refusal is logged")
    assert not worker.logged(pair.public[:9])
    still_sound(worker)


def test_wrong_key_of_the_worker(worker: RunningWorker, tmp_path: Path) -> None:
    """Case 14: what listens there is not the worker, whoever asks."""
    places = guest(worker, tmp_path, own_pair(worker), new_pair().public)
    refused(places, "is not the worker that .*worker.json names")
    still_sound(worker)


def test_key_that_is_not_ones_own(worker: RunningWorker, tmp_path: Path) -> None:
    """Case 14: an admitted public key beside another's secret opens nothing."""
    pair = KeyPair(own_pair(worker).public, new_pair().secret)
    began = time.monotonic()
    with pytest.raises(NotAdmittedError):
        client.connect(places=guest(worker, tmp_path, pair), timeout=60)
    assert time.monotonic() - began < WITHIN_S
    still_sound(worker)


def test_revoked_key(worker: RunningWorker, tmp_path: Path) -> None:
    """Case 14: in the middle of a job, which goes on; not a word is heard from then on."""
    shots = new_folder(worker, "revoked")
    pair = stranger(worker, "leaver")
    places = guest(worker, tmp_path, pair)
    with client.connect(places=places, timeout=10) as inside, Taker(worker, pair) as taker:
        assert inside.ping().boot == worker.connection.boot
        job = taker.submit(request(shots, "1-30", "slow")).job
        (worker.places.admitted / "leaver.key").unlink()
        for message in (
            m.Ping(id=new_id()),
            m.Attach(id=new_id(), job=job),
            m.Cancel(id=new_id(), job=job),
            m.List(id=new_id()),
        ):
            taker.send(message)
            error = taker.error()
            assert (error.code, error.retry) == ("E_AUTH", False)
        began = time.monotonic()
        with pytest.raises(NotAdmittedError):
            inside.jobs()
        assert time.monotonic() - began < WITHIN_S
    refused(places, "does not know this user's key")
    wanted = {f"q.{number:04d}.exr" for number in range(1, 31)}
    worker.wait_until(lambda: {p.name for p in shots.glob("*.exr")} == wanted, "the job goes on")
    still_sound(worker)


@pytest.mark.parametrize("plain", [b"", b"lumivid", bytes(32)], ids=["null", "plain", "zeros"])
def test_without_curve(worker: RunningWorker, plain: bytes) -> None:
    """Case 14: no key, a password, or a key of zeros: nothing is answered, nobody is let in."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        if plain == b"lumivid":
            socket.plain_username = socket.plain_password = plain
        elif plain:
            socket.curve_serverkey = worker.connection.public_key.encode()
            socket.curve_publickey = socket.curve_secretkey = plain
        monitor = socket.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED
            | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
            | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
            | zmq.EVENT_HANDSHAKE_FAILED_AUTH
            | zmq.EVENT_DISCONNECTED
        )
        socket.connect(worker.connection.endpoint)
        try:
            socket.send_multipart(pack(m.Ping(id=new_id())), zmq.NOBLOCK)
            assert monitor.poll(int(1000 * WITHIN_S))
            event = int.from_bytes(monitor.recv_multipart()[0][:2], "little")
            assert event != zmq.EVENT_HANDSHAKE_SUCCEEDED
            assert not socket.poll(200)
        finally:
            socket.disable_monitor()
            monitor.close()
    assert shots_of(worker).is_dir()
    still_sound(worker)
