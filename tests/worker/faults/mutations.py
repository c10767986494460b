"""Messages gone wrong: real ones with bytes or values exchanged, and some made to do harm."""

from __future__ import annotations

import msgpack
import numpy as np
from tests.worker.caller import new_id

from lumivid_fx.protocol import messages as m
from lumivid_fx.protocol.wire import pack

Tree = dict[object, object] | list[object]

ODD_VALUES: tuple[object, ...] = (
    *(None, True, False, 0, -1, 2**31, 2**53, 2**63, 2**64 - 1, -(2**63)),
    *(0.0, -0.0, 1e308, float("inf"), float("-inf"), float("nan")),
    *(
        "",
        "x",
        "\x00",
        "\n",
        "../../etc/passwd",
        "/",
        "//host/share",
        "C:\\",
        "CON",
        "\ufeff",
        "🎬",
    ),
    *("x" * 300, "x" * 5000, "9" * 400, "1-999999999999", "1-99999", "2-1", "-", "%s%n{0}"),
    *("ping", "list", "path", "pixels", "0" * 32, "0" * 64),
    *(b"", b"\xff" * 10, b"\x80\x04."),
    *([], [[]] * 100, {}, {"t": "submit"}, [0] * 1000, msgpack.Timestamp(1)),
    msgpack.ExtType(42, b"abc"),
)

ODD_BYTES = (
    0x00,
    0x7F,
    0x80,
    0x90,
    0xA0,
    0xC0,
    0xC1,
    0xC4,
    0xC7,
    0xCF,
    0xD9,
    0xDC,
    0xDD,
    0xDF,
    0xFF,
)

BOMBS = (
    b"\xdd\xff\xff\xff\xff",  # a list that says it has 2^32 - 1 items
    b"\xdf\xff\xff\xff\xff",  # a map of as many
    b"\xdb\xff\xff\xff\xff",  # text of as many bytes
    b"\xdc\xff\xff" * 21845,  # lists of 65535 lists
    b"\xdc\x04\x00" * 21845,  # lists that are each not too long
    b"\xde\x00\x40" * 21845,
    b"\x91" * 65536,  # lists in lists
    b"\x81\xa0" * 32768,
    b"\xc0" * 65536,
    b"\x81\xa1t" + b"\x91" * 60000 + b"\xc0",
    b"\xdc\xff\xff" + b"\x80" * 65533,
    b"\x82\xa1t\xa4ping\xa1t\xa4ping",  # a key twice
    b"\x81\x01\x02",  # a key that is no text
    b"\x81\xa1t\xa4pi\xffg",
    b"",
)
"""What makes decoders take memory or time, within the largest control part."""


def corpus(shots: str) -> list[list[bytes]]:
    """One of each message that a client says, all its fields filled in, as parts."""
    job = new_id()
    source = m.PixelSource(width=8, height=8, channels=4, first=1, count=2, fps=24.0)
    sent = m.Request(source=source, deliver="pixels", settings=m.Settings(input_space="srgb"))
    named = m.Request(
        source=m.PathSource(path=f"{shots}/plate.####.exr", digest="0" * 64),
        frames="1-2",
        target=f"{shots}/out.####.exr",
        settings=m.Settings(seed=3, sigmas=((1.0, 0.5, 0.0),), exposure=-1.0, fps=25.0),
        model=f"{shots}/model",
        lora=f"{shots}/lora.safetensors",
        ocio=f"{shots}/config.ocio",
        priority=-5,
        label="label",
    )
    said: list[m.ClientMessage] = [
        m.Hello(id=new_id(), versions=(1,), client="test", session=new_id()),
        m.Submit(id=new_id(), job=job, request=named),
        m.Submit(id=new_id(), job=new_id(), request=sent),
        m.Attach(id=new_id(), job=job, after=1),
        m.Credit(job=job, frames=3),
        m.Ack(job=job, frame=1, sha256="0" * 64),
        m.Cancel(id=new_id(), job=job),
        m.List(id=new_id(), job=job),
        m.List(id=new_id()),
        m.Ping(id=new_id()),
        m.Stop(id=new_id()),
    ]
    return [*map(pack, said), [*pack(m.Put(job=job, frame=1, offset=0)), bytes(512)]]


class Mutator:
    """Makes messages that are almost right.

    Args:
        messages: Right ones.
        seed: Another gives others; the same the same.
    """

    def __init__(self, messages: list[list[bytes]], seed: int) -> None:
        self._messages = messages
        self._random = np.random.default_rng(seed)

    def next(self) -> list[bytes]:
        """The next one, as parts."""
        magic, body, *payload = self._messages[self._below(len(self._messages))]
        if self._below(3):
            body = self._warped(body)
        else:
            for _ in range(1 + self._below(3)):
                body = self._bent(body)
        if self._below(20) == 0:
            payload = [] if payload else [bytes(self._below(600))]
        return [magic, body[:65536], *payload]

    def _below(self, most: int) -> int:
        return int(self._random.integers(most))

    def _bent(self, body: bytes) -> bytes:
        """Bytes exchanged, left out, put in, or said twice."""
        here = self._below(len(body) + 1)
        there = here + self._below(8)
        other = self._messages[self._below(len(self._messages))][1]
        match self._below(7):
            case 0:
                return body[:here]
            case 1:
                return body[:here] + body[there:]
            case 2:
                return body[:there] + body[here:]
            case 3:
                return body[:here] + self._random.bytes(1 + self._below(8)) + body[there:]
            case 4:
                odd = ODD_BYTES[self._below(len(ODD_BYTES))]
                return body[:here] + bytes([odd]) + body[here + 1 :]
            case 5:
                return body[:here] + other[self._below(len(other)) :]
            case _:
                bit = 1 << self._below(8)
                return (
                    body[:here] + bytes(b ^ bit for b in body[here : here + 1]) + body[here + 1 :]
                )

    def _warped(self, body: bytes) -> bytes:
        """A value exchanged, a field too many, or one too few; ids are new, so that jobs are."""
        tree: dict[object, object] = msgpack.unpackb(body)
        for name in ("id", "job"):
            if name in tree and self._below(3) == 0:
                tree[name] = new_id()
        places = list(_places(tree))
        within, key = places[self._below(len(places))]
        now = within[int(str(key))] if isinstance(within, list) else within[key]
        any_kind = self._below(4) == 0
        odds = [each for each in ODD_VALUES if any_kind or type(each) is type(now)]
        odd = odds[self._below(len(odds))] if odds else None
        if isinstance(now, int) and self._below(2):
            odd = now + self._below(5) - 2
        if isinstance(within, list):
            within[int(str(key))] = odd
        else:
            match self._below(20):
                case 0:
                    del within[key]
                case 1:
                    within[f"{key}s"] = odd
                case _:
                    within[key] = odd
        packed: bytes = msgpack.packb(tree)
        return packed


def _places(tree: Tree) -> list[tuple[Tree, object]]:
    """Every value that there is, by what it is in and under which key."""
    found: list[tuple[Tree, object]] = []
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        found.append((tree, key))
        if isinstance(value, dict | list):
            found += _places(value)
    return found
