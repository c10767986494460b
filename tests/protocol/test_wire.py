"""Bytes to messages and back, and every kind of bytes that is no message."""

from __future__ import annotations

import gc
import math
import pickle
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Sequence

import msgpack
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.protocol.kinds import CLIENT_KINDS, WORKER_KINDS, messages

from lumivid_fx.protocol.messages import (
    MAX_CHUNK,
    MAX_CONTROL,
    ClientMessage,
    Frame,
    Jobs,
    PathSource,
    Ping,
    Put,
    Request,
    Settings,
    Submit,
    WorkerMessage,
)
from lumivid_fx.protocol.wire import (
    MAGIC,
    RefusedError,
    pack,
    pack_request,
    read_client_message,
    read_request,
    read_worker_message,
    request_digest,
)

ONE = "0123456789abcdef" * 2
PING = msgpack.packb({"t": "ping", "id": ONE})

MEMORY = 16 * 2**20
"""Bytes that reading 64 KiB may take at the most: 1024 lists one in the other with room for 1024
items of 8 bytes each are 8 MiB, and 64 Ki of the smallest maps at 64 bytes each are 4 MiB."""


def refusal(parts: Sequence[bytes | memoryview]) -> RefusedError:
    """How a worker refuses what a client sent."""
    with pytest.raises(RefusedError) as caught:
        read_client_message(parts)
    return caught.value


def code(*parts: bytes) -> str:
    """The code of that."""
    return refusal(parts).code


# ---- there and back -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CLIENT_KINDS)
@given(data=st.data())
@settings(max_examples=40)
def test_client_message_comes_back(kind: type[ClientMessage], data: st.DataObject) -> None:
    """Whatever a client can say arrives as it was said."""
    message = data.draw(messages(kind))
    assert isinstance(message, kind)
    payload = [data.draw(st.binary(min_size=1, max_size=64))] if kind is Put else []
    assert read_client_message([*pack(message), *payload]) == (message, *(payload or [b""]))


@pytest.mark.parametrize("kind", WORKER_KINDS)
@given(data=st.data())
@settings(max_examples=40)
def test_worker_message_comes_back(kind: type[WorkerMessage], data: st.DataObject) -> None:
    """So does whatever a worker can say."""
    message = data.draw(messages(kind))
    assert isinstance(message, kind)
    assert read_worker_message(pack(message)) == (message, None)


def test_pixels_of_a_frame_stand_beside_it() -> None:
    """They are handed over where they lie, not copied."""
    frame = Frame(job=ONE, frame=1, how="rendered", sha256="0" * 64, size=6, shape=(1, 1, 3))
    pixels = memoryview(b"\0" * 6)
    read, payload = read_worker_message([*pack(frame), pixels])
    assert read == frame
    assert payload is pixels


def test_parts_may_be_views() -> None:
    """ZeroMQ hands over its own memory; a copy is not needed."""
    put = Put(job=ONE, frame=1, offset=0)
    views = [memoryview(part) for part in (*pack(put), b"pixels")]
    assert read_client_message(views) == (put, views[2])


def test_any_msgpack_library_may_pack() -> None:
    """Fields in any order, integers in any width, whole numbers for floats: all is the same."""
    fields = {
        "request": {
            "target": "/t/",
            "settings": {"exposure": 1, "detail": 0},
            "source": {"path": "/p", "t": "path"},
        },
        "job": ONE,
        "id": ONE,
    }
    wide = b"\x84" + msgpack.packb("t") + b"\xdb\0\0\0\6submit" + msgpack.packb(fields)[1:]
    read, _ = read_client_message([MAGIC, wide])
    wanted = Settings(exposure=1.0, detail=0.0)
    source = PathSource(path="/p")
    request = Request(source=source, target="/t/", settings=wanted)
    assert read == Submit(id=ONE, job=ONE, request=request)
    many = b"\x83\xa1t\xa6credit\xa3job" + msgpack.packb(ONE) + b"\xa6frames"
    for three in (b"\3", b"\xcc\3", b"\xcd\0\3", b"\xd3\0\0\0\0\0\0\0\3"):
        assert read_client_message([MAGIC, many + three]) == read_client_message(
            [MAGIC, msgpack.packb({"t": "credit", "job": ONE, "frames": 3})]
        )


def test_longest_list_of_jobs_comes_back() -> None:
    """A thousand rows, which is what the worker sends at the most, are within the reader's caps."""
    row = {
        **dict.fromkeys(("label", "source", "target", "code", "message"), "x" * 200),
        **dict.fromkeys(("priority", "frames", "total", "attempts"), 1),
        "job": ONE,
        "state": "done",
        "deliver": "path",
        "created": 1.5,
        "updated": 2.5,
    }
    jobs = msgspec.convert({"t": "jobs", "re": ONE, "jobs": [row] * 1000}, Jobs)
    assert read_worker_message(pack(jobs)) == (jobs, None)


# ---- one request, one digest --------------------------------------------------------------------


@given(messages(Request))
@settings(max_examples=100)
def test_request_read_back_has_the_same_digest(request: object) -> None:
    """A client, the worker and the worker's journal agree on which request it is."""
    assert isinstance(request, Request)
    packed = pack_request(request)
    again = read_request(packed)
    assert again == request
    assert pack_request(again) == packed
    assert request_digest(again) == request_digest(request)


@given(messages(Request), messages(Request))
def test_other_request_has_another_digest(one: object, other: object) -> None:
    """And only equal requests agree."""
    assert isinstance(one, Request)
    assert isinstance(other, Request)
    assert (request_digest(one) == request_digest(other)) == (one == other)


def test_defaults_may_be_written_or_left_out() -> None:
    """The digest is of what is meant: a client that writes every default asks for the same."""
    source = {"t": "path", "path": "/p"}
    short = {"source": source, "target": "/t/"}
    full = msgspec.to_builtins(Request(source=PathSource(path="/p"), target="/t/"))
    digests = set()
    for request in (short, full, dict(reversed(full.items()))):
        packed = msgpack.packb({"t": "submit", "id": ONE, "job": ONE, "request": request})
        submit, _ = read_client_message([MAGIC, packed])
        assert isinstance(submit, Submit)
        digests.add(request_digest(submit.request))
    assert len(digests) == 1


@pytest.mark.parametrize(("one", "same"), [(1, 1.0), (0.0, -0.0), (0, -0.0)])
def test_equal_numbers_are_the_same_request(one: float, same: float) -> None:
    """1 and 1.0, 0 and -0, are equal, so a job sent again with the other is no new job."""
    requests = [
        Request(source=PathSource(path="/p"), settings=Settings(exposure=each, sigmas=((each,),)))
        for each in (one, same)
    ]
    assert requests[0] == requests[1]
    assert len({request_digest(request) for request in requests}) == 1


def test_request_that_no_worker_would_read_has_no_digest() -> None:
    """What Python lets through is refused before it is sent, or journalled."""
    with pytest.raises(RefusedError, match="priority"):
        request_digest(Request(source=PathSource(path="/p"), priority=1000))


@given(st.binary(max_size=200))
def test_damaged_request_is_refused(packed: bytes) -> None:
    """A journal's page can rot; what comes back is a request or a refusal."""
    with pytest.raises(RefusedError):
        read_request(packed)


# ---- what is refused ----------------------------------------------------------------------------


FRAMINGS: dict[str, list[bytes]] = {
    "nothing": [],
    "no message": [MAGIC],
    "no magic": [PING],
    "empty magic": [b"", PING],
    "other version": [b"LVX2", PING],
    "space behind": [b"LVX1 ", PING],
    "huge magic": [b"LVX10" * 100_000, PING],
    "short magic": [b"LVX", PING],
    "turned round": [PING, MAGIC],
    "four parts": [MAGIC, PING, b"", b""],
    "600 parts": [MAGIC] * 600,
}


@pytest.mark.parametrize("parts", FRAMINGS.values(), ids=FRAMINGS.keys())
def test_framing_is_refused(parts: list[bytes]) -> None:
    """Two parts or three, and the first is the protocol's name."""
    assert refusal(parts).code == "E_FRAMING"


def test_payload_belongs_to_a_put() -> None:
    """A put has one, and nothing else has."""
    put = pack(Put(job=ONE, frame=1, offset=0))
    assert code(*put) == "E_FRAMING"
    assert refusal([MAGIC, PING, b"pixels"]).code == "E_FRAMING"
    assert refusal([MAGIC, PING, b""]).re == ONE


def test_payload_has_bytes_and_not_too_many() -> None:
    """From one byte up to the limit."""
    put = pack(Put(job=ONE, frame=1, offset=0))
    assert len(read_client_message([*put, b"\0" * MAX_CHUNK])[1]) == MAX_CHUNK
    assert code(*put, b"") == "E_TOO_LARGE"
    assert code(*put, b"\0" * (MAX_CHUNK + 1)) == "E_TOO_LARGE"


def test_message_over_the_limit_is_not_even_decoded() -> None:
    """64 KiB is read and found wanting; one byte more is refused for its size alone."""
    assert code(MAGIC, PING.ljust(MAX_CONTROL, b"\0")) == "E_SCHEMA"
    assert code(MAGIC, PING.ljust(MAX_CONTROL + 1, b"\0")) == "E_TOO_LARGE"


ID = b"\xa2id\xd9\x20" + ONE.encode()
NO_MAPS_OF_OURS = {
    "nothing": b"",
    "the one byte without meaning": b"\xc1",
    "empty map": b"\x80",
    "nil": b"\xc0",
    "list": b"\x90",
    "number": b"\x01",
    "text": b"\xa4ping",
    "a byte behind": PING + b"\0",
    "two messages": PING + PING,
    "cut short": PING[:-1],
    "no UTF-8": b"\x82\xa1t\xa4ping\xa2id\xa1\xff",
    "half a surrogate pair": b"\x82\xa1t\xa4ping\xa2id\xa3\xed\xa0\x80",
    "bytes for text": b"\x82\xa1t\xa4ping\xa2id\xc4\x20" + ONE.encode(),
    "a key twice": b"\x83\xa1t\xa4ping\xa1t\xa4ping" + ID,
    "a key as bytes": b"\x82\xc4\1t\xa4ping" + ID,
    "a key as bytes and as text": b"\x83\xa1t\xa4ping\xc4\1t\xa4ping" + ID,
    "a key as number": b"\x83\xa1t\xa4ping\x01\x02" + ID,
    "extension": b"\x82\xa1t\xa4ping\xa2id\xc7\x01\x2a\0",
    "time": b"\x82\xa1t\xa4ping\xa2id\xd6\xff\0\0\0\0",
    "map without end": b"\xdf\xff\xff\xff\xff",
    "list without end": b"\xdd\xff\xff\xff\xff",
    "text without end": b"\xdb\xff\xff\xff\xff",
    "pickle": pickle.dumps({"t": "ping", "id": ONE}),
    "JSON": b'{"t": "ping", "id": "' + ONE.encode() + b'"}',
}


@pytest.mark.parametrize("packed", NO_MAPS_OF_OURS.values(), ids=NO_MAPS_OF_OURS.keys())
def test_what_is_no_map_of_ours_is_refused(packed: bytes) -> None:
    """One meaning for each sequence of bytes, or none."""
    assert code(MAGIC, packed) == "E_SCHEMA"


def test_refusal_answers_the_message_it_is_about() -> None:
    """As far as its id could be read; and never repeats more than an id."""
    for given_id, told in (
        (ONE, ONE),
        ("not an id", "not an id"),
        ("x" * 65, ""),
        (7, ""),
        (None, ""),
    ):
        refused = refusal([MAGIC, msgpack.packb({"t": "cancel", "id": given_id})])
        assert (refused.code, refused.re) == ("E_SCHEMA", told)


def test_refusal_is_one_short_line() -> None:
    """It stands in a log, where a key that was sent may not write lines of its own."""
    evil = "x\nERROR all disks lost\x1b[2J" * 1000
    for fields in ({"t": "ping", evil: 1}, {"t": evil}, {"t": "ping", "id": evil}):
        said = str(refusal([MAGIC, msgpack.packb(fields)]))
        assert said.isprintable()
        assert len(said) < 400


def head(count: int, first: int) -> bytes:
    """The head of a list or map that claims that many items in 32 bits."""
    return bytes([first]) + count.to_bytes(4, "big")


LISTS, MAPS = 0xDD, 0xDF
BOMBS = {
    "nothings": head(65_000, LISTS) + b"\xc0" * 65_000,
    "empty maps": head(65_000, LISTS) + b"\x80" * 65_000,
    "empty maps, few a list": head(900, LISTS) + (b"\xdc\0\x46" + b"\x80" * 70) * 895,
    "maps of one": head(1000, LISTS) + (b"\xdc\0\x14" + b"\x81\xa0\xc0" * 20) * 1000,
    "lists that claim much": (head(60_000, LISTS) * 1100).ljust(65_000, b"\xc0"),
    "lists that claim less": (head(1000, LISTS) * 1020).ljust(65_000, b"\xc0"),
    "maps that claim much": ((head(30_000, MAPS) + b"\xa0") * 1020).ljust(65_000, b"\xc0"),
    "maps that claim less": ((head(60, MAPS) + b"\xa0") * 1020).ljust(65_000, b"\xc0"),
    "deep lists": b"\x91" * 65_000,
    "deep maps": b"\x81\xa1t" * 21_000,
    "deep request": b"\x81\xa7request" * 1000 + b"\xc0",
    "times": head(1000, LISTS) + (b"\x98" + b"\xd6\xff\0\0\0\0" * 8) * 1000,
    "long text": b"\x81\xa1t\xda\xff\0" + b"a" * 0xFF00,
}


@pytest.mark.parametrize("packed", BOMBS.values(), ids=BOMBS.keys())
def test_bomb_takes_little_memory(packed: bytes) -> None:
    """64 KiB that claim to be much more are refused before room is made for it."""
    assert len(packed) <= MAX_CONTROL
    tracemalloc.start()
    refused = refusal([MAGIC, packed])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.code == "E_SCHEMA"
    assert peak < MEMORY


def test_refused_bombs_leave_nothing_behind() -> None:
    """A stranger's mistakes, made all day, must not fill the worker's memory."""
    tracemalloc.start()
    for packed in BOMBS.values():
        refusal([MAGIC, packed])
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(4):
        for packed in BOMBS.values():
            refusal([MAGIC, packed])
    gc.collect()  # errors that pytest caught stand in circles
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < MAX_CONTROL


def mutants(seeds: list[bytes], count: int) -> Iterator[bytes]:
    """Messages with bytes flipped, cut out, put in, doubled, or joined to another message's."""
    random = np.random.default_rng(20_260_101)
    tokens = [bytes([each]) for each in range(0x80, 0x100)]
    for _ in range(count):
        seed, times, *dice = random.integers(2**31, size=14).tolist()
        packed = bytearray(seeds[seed % len(seeds)])
        for what, where, which in list(zip(*[iter(dice)] * 3, strict=True))[: 1 + times % 4]:
            at = where % (len(packed) + 1)
            match what % 6:
                case 0:
                    packed[at : at + 1] = bytes([which % 256])
                case 1:
                    del packed[at : at + 1 + which % 16]
                case 2:
                    packed[at:at] = tokens[which % len(tokens)]
                case 3:
                    packed[at : at + 1] = tokens[which % len(tokens)]
                case 4:
                    packed += packed[at : at + which % 64]
                case _:
                    packed[at:] = seeds[which % len(seeds)][at:]
        yield bytes(packed)


def test_mutants_are_read_or_refused() -> None:
    """Thirty thousand damaged messages: each is a message or a refusal, and memory stays flat."""
    full = Request(
        source=PathSource(path="/show/plate.####.exr", digest="0" * 64),
        frames="1001-1049",
        target="/show/hdr.####.exr",
        settings=Settings(sigmas=((1.0, 0.5, 0.0), (0.9,)), exposure=0.5, fps=24.0),
    )
    least = [
        {"t": "hello", "id": ONE, "versions": [1], "client": "test", "session": ONE},
        {"t": "put", "job": ONE, "frame": 1001, "offset": 0},
        {"t": "attach", "id": ONE, "job": ONE, "frames": True, "after": None},
        {"t": "ack", "job": ONE, "frame": 1001, "sha256": "0" * 64},
        {"t": "list", "id": ONE, "job": ONE, "ended": False},
    ]
    seeds = [pack(Submit(id=ONE, job=ONE, request=full))[1], PING, *map(msgpack.packb, least)]
    refused: Counter[str] = Counter()
    longest = read = 0
    tracemalloc.start()
    for packed in mutants(seeds, 30_000):
        payload = [b"pixels"] if b"\xa3put" in packed else []
        try:
            message, _ = read_client_message([MAGIC, packed, *payload])
        except RefusedError as error:
            refused[error.code] += 1
            longest = max(longest, len(error.re))
        else:
            read += 1
            assert read_client_message([*pack(message), *payload])[0] == message
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MEMORY
    assert set(refused) <= {"E_SCHEMA", "E_FRAMING"}
    assert longest <= 64
    # Both ways are taken: most mutants are refused, and a changed digit of an id is still an id.
    assert refused.total() > 15_000
    assert read > 500


@given(st.lists(st.binary(max_size=64), max_size=4))
def test_any_bytes_from_a_worker_are_read_or_refused(parts: list[bytes]) -> None:
    """A client, too, meets nothing but messages and refusals."""
    with pytest.raises(RefusedError):
        read_worker_message(parts)
    with pytest.raises(RefusedError):
        read_worker_message([MAGIC, *parts])


def test_worker_may_not_speak_as_a_client() -> None:
    """Each side reads the other's messages only."""
    assert code(*pack(Frame(job=ONE, frame=1, how="kept", sha256="", size=0))) == "E_SCHEMA"
    with pytest.raises(RefusedError):
        read_worker_message(pack(Ping(id=ONE)))


def test_no_number_is_no_setting() -> None:
    """NaN compares false with everything, and would pass a check that asks the wrong way round."""
    for bad in (math.nan, math.inf, -math.inf):
        request = {"source": {"t": "path", "path": "/p"}, "settings": {"exposure": bad}}
        packed = msgpack.packb({"t": "submit", "id": ONE, "job": ONE, "request": request})
        assert code(MAGIC, packed) == "E_SCHEMA"
