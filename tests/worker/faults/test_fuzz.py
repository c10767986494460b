"""Whatever may come through the socket: refused in a sentence, with others served meanwhile."""

from __future__ import annotations

import os
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import zmq
from tests.worker.caller import Caller, new_id
from tests.worker.faults.mutations import BOMBS, Mutator, corpus
from tests.worker.faults.sound import still_sound, vitals
from tests.worker.faults.taker import Taker
from tests.worker.faults.workers import faulty_worker, new_folder, request, stranger
from tests.worker.running import RunningWorker

from lumivid_fx.protocol import messages as m
from lumivid_fx.protocol.codes import CODES
from lumivid_fx.protocol.wire import MAGIC, pack

MB = 1024 * 1024

MESSAGES = 10_000

BATCH = 50
"""Between one ping and the next; what waits unread on the way is less than a socket's buffer."""


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorker]:
    """A worker that all tests of this module share."""
    with faulty_worker(tmp_path_factory.mktemp("fuzz")) as worker:
        still_sound(worker)
        yield worker


class Fuzzer(Caller):
    """Somebody else, who is let in and says anything; what is answered is only counted."""

    def __init__(self, worker: RunningWorker, name: str) -> None:
        super().__init__(worker.connection, stranger(worker, name))
        self.codes: Counter[str] = Counter()
        self.reasons: set[str] = set()

    def __enter__(self) -> Fuzzer:
        self.hello()
        return self

    def settle(self) -> None:
        """Wait until all that was said is answered."""
        ping = m.Ping(id=new_id())
        self.send(ping)
        self.hear(m.Pong, lambda pong: pong.re == ping.id)
        for said in self._heard:
            if isinstance(said, m.Error):
                self.codes[said.code] += 1
                self.reasons.add(said.message)
        self._heard.clear()


def test_ten_thousand_mutations(worker: RunningWorker) -> None:
    """Case 15: from a user who is let in; another works on, and neither memory nor disk fills."""
    mutator = Mutator(corpus(str(new_folder(worker, "fuzzed"))), seed=15)
    with Fuzzer(worker, "fuzzer") as fuzzer, Taker(worker) as other:
        for batch in range(MESSAGES // BATCH):
            for _ in range(BATCH):
                fuzzer.send_raw(mutator.next())
            fuzzer.settle()
            if batch % 20 == 0:
                asked = request(new_folder(worker, "beside"), "1-2", priority=100)
                assert other.run(asked).frames == 2
        codes = fuzzer.codes
        assert set(codes) <= set(CODES)
        connection = {"E_SCHEMA", "E_FRAMING", "E_AUTH", "E_VERSION"}
        job = {"E_PATH", "E_RANGE", "E_NO_JOB", "E_JOB_CONFLICT", "E_BAD_ACK"}
        assert connection | job <= set(codes), f"it did not get far: {codes}"
        # The rest are messages that mutation has left whole, or that have no answer.
        assert codes.total() > MESSAGES / 2, codes
        assert all(len(reason) < 1000 and reason.isprintable() for reason in fuzzer.reasons)
        fuzzer.hello()
        fuzzer.send(m.List(id=new_id(), ended=False))
        for row in fuzzer.hear(m.Jobs).jobs:
            fuzzer.cancel(row.job)
    still_sound(worker)


@pytest.mark.parametrize("body", BOMBS, ids=range(len(BOMBS)))
def test_bombs(worker: RunningWorker, body: bytes) -> None:
    """Case 15: what blows up when it is decoded is refused before it does, thirty times."""
    before = vitals(worker).memory
    with Fuzzer(worker, f"bomber{BOMBS.index(body)}") as fuzzer:
        for _ in range(30):
            fuzzer.send_raw([MAGIC, body])
        fuzzer.settle()
        assert fuzzer.codes.total() == 30
        assert set(fuzzer.codes) <= {"E_SCHEMA", "E_TOO_LARGE"}
    # A list of a thousand lists of a thousand lists ... is 8 MB when its room is made.
    assert vitals(worker).memory - before < 16 * MB


PING = pack(m.Ping(id="0" * 32))

FRAMINGS: dict[str, list[bytes]] = {
    "empty": [b""],
    "one part": [MAGIC],
    "one part, and it is the body": [PING[1]],
    "three parts": [*PING, b"x"],
    "three parts, the last empty": [*PING, b""],
    "put without payload": pack(m.Put(job="0" * 32, frame=1, offset=0)),
    "put with an empty payload": [*pack(m.Put(job="0" * 32, frame=1, offset=0)), b""],
    "four parts": [*PING, b"x", b"y"],
    "a delimiter, as REQ has it": [b"", *PING],
    "600 parts": [MAGIC] * 600,
    "600 large parts": [bytes(65536)] * 600,  # 39 MB, which libzmq hands over in one
    "wrong magic": [b"LVX2", PING[1]],
    "long magic": [b"LVX1" * 10000, PING[1]],
    "lower case": [b"lvx1", PING[1]],
    "one byte too many": [MAGIC, b"\xc0" * (64 * 1024 + 1)],
    "much too large": [MAGIC, bytes(200_000)],
}


@pytest.mark.parametrize("parts", FRAMINGS.values(), ids=FRAMINGS.keys())
def test_framing(worker: RunningWorker, parts: list[bytes]) -> None:
    """Case 16: one error for each, and the connection goes on."""
    with Fuzzer(worker, "framer") as fuzzer:
        fuzzer.send_raw(parts)
        fuzzer.settle()
        assert fuzzer.codes.total() == 1
        assert set(fuzzer.codes) <= {"E_FRAMING", "E_TOO_LARGE"}


def test_framing_leaves_nothing(worker: RunningWorker) -> None:
    """Case 16: after all of that, ten times over."""
    with Fuzzer(worker, "framer") as fuzzer:
        for _ in range(10):
            for parts in FRAMINGS.values():
                fuzzer.send_raw(parts)
            fuzzer.settle()
        assert fuzzer.codes.total() == 10 * len(FRAMINGS)
    # Of the 39 MB of one message malloc may keep what was in small pieces.
    still_sound(worker, 48 * MB)


def test_part_over_the_limit(worker: RunningWorker) -> None:
    """Case 16: libzmq closes the connection, as the protocol's page says; others keep theirs."""
    with Taker(worker) as other, Fuzzer(worker, "giant") as giant:
        giant.send_raw([MAGIC, bytes(10 * MB)])
        for _ in range(100):
            giant.send(m.List(id=new_id()))
            if giant.all_heard(m.Error, 0.05):
                break
        assert giant.error().code == "E_NO_SESSION", "libzmq has connected anew"
        giant.hello()
        assert other.run(request(new_folder(worker, "beside"))).frames == 4
    still_sound(worker, 48 * MB)


def test_message_without_an_end(worker: RunningWorker) -> None:
    """Case 16: parts upon parts and then nothing: the server sees none of it, and frees it all."""
    with Taker(worker) as other:
        context = zmq.Context()
        endless = context.socket(zmq.DEALER)
        endless.linger = 0
        pair = stranger(worker, "endless")
        endless.curve_serverkey = worker.connection.public_key.encode()
        endless.curve_publickey, endless.curve_secretkey = (
            pair.public.encode(),
            pair.secret.encode(),
        )
        endless.connect(worker.connection.endpoint)
        for _ in range(500):
            endless.send(bytes(60_000), zmq.SNDMORE)
        assert other.run(request(new_folder(worker, "beside"))).frames == 4
        context.destroy(linger=0)
    still_sound(worker, 48 * MB)


def test_bytes_that_are_no_zeromq(worker: RunningWorker) -> None:
    """Case 16: a browser, a greeting cut short, other mechanisms, handshakes that are rubbish."""
    port = int(worker.connection.endpoint.rpartition(":")[2])
    signature = b"\xff" + bytes(8) + b"\x7f"
    curve = signature + b"\x03\x00" + b"CURVE".ljust(20, b"\0") + bytes(32)
    openings = (
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),  # TLS
        signature[:5],
        signature + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32),
        signature + b"\x03\x00" + b"PLAIN".ljust(20, b"\0") + bytes(32) + b"\x04\x10\x05HELLO" * 9,
        signature + b"\x01\x05\x00\x00",  # the protocol of 2010
        signature + b"\x7f\x7f" + bytes(52),
        curve,
        curve + b"\x04\xc8\x05HELLO" + os.urandom(194),
        curve + b"\x06" + struct.pack(">Q", 2**63 - 1) + b"\x05HELLO",
        curve + b"\x04\x05\x05READY" + bytes(5),
        curve + b"\x00\x00" * 1000,
        os.urandom(5000),
    )
    with ExitStack() as stack, Taker(worker) as other:
        for opening in openings:
            for cut in (len(opening), len(opening) // 2):
                raw = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                raw.sendall(opening[:cut])
        assert other.run(request(new_folder(worker, "beside"))).frames == 4
    still_sound(worker, 48 * MB)
