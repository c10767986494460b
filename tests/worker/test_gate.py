"""Who gets in, tried by real sockets: a ROUTER behind a gate, and clients of every kind."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from lumivid_fx.errors import InputError
from lumivid_fx.protocol.places import CLIENT_KEY, KeyPair, Places, write_private
from lumivid_fx.worker.gate import WORKER_KEY, Gate, load_or_make_pair

PATIENCE_MS = 60_000
"""Upper bound of any wait here; each takes milliseconds."""

Context = zmq.Context[zmq.Socket[bytes]]
Socket = zmq.Socket[bytes]

ENDS_OF_HANDSHAKE = {
    zmq.EVENT_HANDSHAKE_SUCCEEDED: "in",
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "refused",
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "broken",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "broken",
}


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Folders of a worker that has never run."""
    return Places.of({"LUMIVID_HOME": str(tmp_path / "home")})


@pytest.fixture
def context() -> Iterator[Context]:
    """A ZeroMQ context that ends with the test."""
    with zmq.Context() as context:
        yield context


def new_pair() -> KeyPair:
    """A key pair that nobody knows."""
    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode(), secret.decode())


class Server:
    """A ROUTER behind a gate; clients connect to it from a context of their own."""

    def __init__(self, context: Context, places: Places) -> None:
        self.gate = Gate(context, places)
        self.router = context.socket(zmq.ROUTER)
        self.router.linger = 0
        self.gate.prepare(self.router)
        self.router.bind("tcp://127.0.0.1:*")
        self.endpoint = self.router.get_string(zmq.LAST_ENDPOINT)
        self._clients: Context = zmq.Context()

    def close(self) -> None:
        """End everything."""
        self._clients.destroy(linger=0)
        self.router.close()
        self.gate.close()

    @contextmanager
    def client(self, pair: KeyPair | None, server_key: str | None = None) -> Iterator[Socket]:
        """A DEALER with that key pair, or without CURVE, not connected yet."""
        dealer = self._clients.socket(zmq.DEALER)
        dealer.linger = 0
        dealer.rcvtimeo = dealer.sndtimeo = PATIENCE_MS
        if pair is not None:
            dealer.curve_serverkey = (server_key or self.gate.worker_key).encode()
            dealer.curve_publickey = pair.public.encode()
            dealer.curve_secretkey = pair.secret.encode()
        try:
            yield dealer
        finally:
            dealer.close()

    def knock(self, pair: KeyPair | None, server_key: str | None = None) -> str:
        """Connect, and tell how the handshake ended; a client that got in is heard by its key."""
        with self.client(pair, server_key) as dealer:
            monitor = dealer.get_monitor_socket(sum(ENDS_OF_HANDSHAKE))
            try:
                dealer.connect(self.endpoint)
                assert monitor.poll(PATIENCE_MS)
                ended = ENDS_OF_HANDSHAKE[zmq.Event(recv_monitor_message(monitor)["event"])]
                if ended == "in" and pair is not None:
                    dealer.send(b"hello")
                    assert self.hear() == (pair.public, b"hello")
                return ended
            finally:
                dealer.disable_monitor()
                monitor.close()

    def hear(self) -> tuple[str, bytes]:
        """The key of whoever speaks next, and what they say."""
        assert self.router.poll(PATIENCE_MS)
        _, frame = self.router.recv_multipart(copy=False)
        return str(frame.get("User-Id")), frame.bytes


@pytest.fixture
def server(context: Context, places: Places) -> Iterator[Server]:
    """A server that listens."""
    server = Server(context, places)
    yield server
    server.close()


def admit(places: Places, name: str, text: str) -> Path:
    """Put a file into the folder of admitted keys."""
    path = places.admitted / f"{name}.key"
    write_private(path, text)
    return path


def test_admitted_client_is_in_and_known_by_its_key(server: Server, places: Places) -> None:
    """What the socket gives as User-Id is the key that the gate is asked about."""
    pair = new_pair()
    admit(places, "comp", pair.public + "\n")
    assert server.knock(pair) == "in"
    assert server.gate.admits(pair.public)


def test_own_user_is_in(server: Server, places: Places) -> None:
    """The client key of the worker's user need not be admitted."""
    own = load_or_make_pair(places.keys / CLIENT_KEY)
    assert server.gate.own_key == own.public
    assert server.knock(own) == "in"


def test_unknown_client_is_out_and_no_more_of_its_key_is_logged(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has eight characters of the key, and is no place to take keys from."""
    pair = new_pair()
    with caplog.at_level(logging.DEBUG):
        assert server.knock(pair) == "refused"
        assert not server.gate.admits(pair.public)
    assert f"begins with {pair.public[:8]} was refused" in caplog.text
    assert pair.public[:9] not in caplog.text
    assert pair.public not in caplog.text


def test_no_curve_is_out(server: Server, places: Places) -> None:
    """A client that does not encrypt does not get as far as the gate."""
    assert server.knock(None) == "broken"
    assert server.knock(load_or_make_pair(places.keys / CLIENT_KEY)) == "in"


def test_wrong_server_key_is_noticed_by_the_client(server: Server, places: Places) -> None:
    """A client that expects another worker does not speak to this one."""
    own = load_or_make_pair(places.keys / CLIENT_KEY)
    assert server.knock(own, new_pair().public) == "broken"


def test_stolen_public_key_is_of_no_use(server: Server, places: Places) -> None:
    """The public key without its secret does not pass for its owner."""
    own = load_or_make_pair(places.keys / CLIENT_KEY)
    assert server.knock(KeyPair(own.public, new_pair().secret)) == "broken"


def test_client_admitted_later_gets_in_without_restart(server: Server, places: Places) -> None:
    """Refused at first, in when the key has been admitted."""
    pair = new_pair()
    assert server.knock(pair) == "refused"
    admit(places, "comp", pair.public)
    assert server.knock(pair) == "in"


def test_revoked_client_is_out_without_restart(server: Server, places: Places) -> None:
    """The connection that stands is out with its next message, and there is no new one."""
    pair = new_pair()
    path = admit(places, "comp", pair.public)
    with server.client(pair) as dealer:
        dealer.connect(server.endpoint)
        dealer.send(b"before")
        key, said = server.hear()
        assert (said, server.gate.admits(key)) == (b"before", True)
        path.unlink()
        dealer.send(b"after")
        key, said = server.hear()
        assert (said, server.gate.admits(key)) == (b"after", False)
    assert server.knock(pair) == "refused"


def test_keys_that_have_settled_are_still_looked_at(context: Context, places: Places) -> None:
    """What comes, goes or takes another's place is seen by its time, without reading the rest."""
    gate = Gate(context, places, tick_s=0)
    for _ in range(20):
        pair, other = new_pair(), new_pair()
        path = admit(places, "comp", pair.public)
        assert [gate.admits(key.public) for key in (pair, other)] == [True, False]
        assert gate.admits(pair.public)
        admit(places, "comp", other.public)
        assert [gate.admits(key.public) for key in (pair, other)] == [False, True]
        path.unlink()
        assert [gate.admits(key.public) for key in (pair, other)] == [False, False]
    gate.close()


def test_file_that_changes_in_place_is_read_again(server: Server, places: Places) -> None:
    """Another key of the same length, within one tick of the file system's clock."""
    path = admit(places, "comp", new_pair().public)
    for _ in range(200):
        pair, before = new_pair(), path.read_text()
        path.write_text(pair.public)
        assert server.gate.admits(pair.public)
        assert not server.gate.admits(before)


def test_garbage_admits_nobody_and_others_stay(server: Server, places: Places) -> None:
    """Damaged files, a folder and a dangling link among the keys do not keep anybody else out."""
    pair, other = new_pair(), new_pair()
    admit(places, "comp", pair.public)
    for name, text in (
        ("empty", ""),
        ("two", f"{other.public}\n{other.public}\n"),
        ("short", other.public[:-1]),
        ("json", f'{{"public": "{other.public}"}}'),
        ("wild", "*"),
    ):
        admit(places, name, text)
    (places.admitted / "binary.key").write_bytes(bytes(range(256)))
    (places.admitted / "folder.key").mkdir()
    (places.admitted / "dangling.key").symlink_to("nowhere")
    (places.admitted / "hidden.txt").write_text(other.public)
    assert server.knock(other) == "refused"
    assert server.knock(pair) == "in"
    assert not any(server.gate.admits(key) for key in ("", "*", "None", other.public[:-1]))


def test_removed_folder_leaves_the_own_user(server: Server, places: Places) -> None:
    """No folder, nobody admitted; the gate stands."""
    pair = new_pair()
    admit(places, "comp", pair.public).unlink()
    places.admitted.rmdir()
    assert server.knock(pair) == "refused"
    assert server.knock(load_or_make_pair(places.keys / CLIENT_KEY)) == "in"


def test_own_key_may_be_made_anew(server: Server, places: Places) -> None:
    """A user who deletes the pair gets in with the next, and the old one is out."""
    path = places.keys / CLIENT_KEY
    old = load_or_make_pair(path)
    path.unlink()
    assert server.knock(old) == "refused"
    new = load_or_make_pair(path)
    assert server.knock(new) == "in"
    assert server.gate.own_key == new.public
    path.chmod(0o644)
    assert not server.gate.admits(new.public)
    assert not server.gate.admits("")


def test_without_its_gate_a_socket_lets_nobody_in(server: Server, places: Places) -> None:
    """ZeroMQ's own way is to let everybody in where nobody answers for them."""
    own = load_or_make_pair(places.keys / CLIENT_KEY)
    assert server.knock(own) == "in"
    server.gate.close()
    assert server.knock(own) == "broken"
    assert server.knock(new_pair()) == "broken"


def test_worker_keeps_its_key(places: Places) -> None:
    """Clients that were told a worker's key know it again after a restart."""
    seen = []
    for _ in range(2):
        with zmq.Context() as context:
            gate = Gate(context, places)
            seen.append((gate.worker_key, gate.own_key))
            gate.close()
    assert seen[0] == seen[1]
    assert seen[0][0] != seen[0][1]
    for name in (CLIENT_KEY, WORKER_KEY):
        assert (places.keys / name).stat().st_mode & 0o777 == 0o600
    assert places.admitted.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", [CLIENT_KEY, WORKER_KEY])
@pytest.mark.parametrize("text", ["", "[]", "{}", '{"public": 1, "secret": 2}', "\0"])
def test_damaged_pair_stops_the_worker(
    context: Context, places: Places, name: str, text: str
) -> None:
    """It is not made anew behind its owner's back: clients know the old one."""
    write_private(places.keys / name, text)
    with pytest.raises(InputError):
        Gate(context, places)
    assert (places.keys / name).read_text() == text


def test_pair_that_others_may_read_is_refused(context: Context, places: Places) -> None:
    """The sentence says what to do."""
    path = places.keys / WORKER_KEY
    load_or_make_pair(path)
    path.chmod(0o640)
    with pytest.raises(InputError, match="chmod 600"):
        Gate(context, places)


def test_pair_that_cannot_be_kept_is_not_used(tmp_path: Path) -> None:
    """A key that is gone after the restart would lock every client out."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "client.key").mkdir(mode=0o700)
    with pytest.raises(InputError, match=r"client\.key"):
        load_or_make_pair(tmp_path / "keys" / "client.key")


def test_many_threads_may_ask(server: Server, places: Places) -> None:
    """The server asks while ZeroMQ's thread does, and keys come and go."""
    own = server.gate.own_key
    pair = new_pair()
    ended = threading.Event()
    wrong: list[str] = []

    def ask() -> None:
        while not ended.is_set():
            if not server.gate.admits(own):
                wrong.append(own)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for turn in range(20):
        path = admit(places, "comp", pair.public)
        assert server.gate.admits(pair.public)
        path.unlink()
        assert not server.gate.admits(pair.public)
        if turn % 5 == 0:
            assert server.knock(pair) == "refused"
    ended.set()
    for thread in threads:
        thread.join()
    assert wrong == []
