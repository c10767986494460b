"""Bytes to messages and back: ``[b"LVX1", MessagePack map]``, and pixels as a third part.

Whatever arrives, :func:`read_client_message` gives a checked message or raises
:class:`RefusedError`: never another exception, and never more than a few megabytes of memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgpack
import msgspec

from lumivid_fx.protocol.messages import (
    MAX_CHUNK,
    MAX_CONTROL,
    ClientMessage,
    Put,
    Request,
    WorkerMessage,
)

MAGIC = b"LVX1"

MAX_ITEMS = 1024
"""Items of any list: a thousand noise levels, or jobs, are the most. MessagePack makes room for as
many as a list claims, at each of 1024 depths, before it reads one."""

MAX_FIELDS = 64
"""Fields of any map, for the same reason."""

MAX_REASON = 300
"""Characters of a refusal that may come from what was sent."""

Buffer = bytes | memoryview


class RefusedError(Exception):
    """A message that cannot be understood.

    Attributes:
        code: Which error it is.
        re: The message's id, as far as it could be read.
    """

    def __init__(self, code: str, message: str, re: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.re = re


def pack(message: ClientMessage | WorkerMessage) -> list[bytes]:
    """The parts of a message, but for a payload, which is appended as it is."""
    return [MAGIC, _packed(message)]


def read_client_message(parts: Sequence[Buffer]) -> tuple[ClientMessage, Buffer]:
    """Read what a client sent.

    Args:
        parts: Without the routing id.

    Returns:
        The message, and its payload, empty for all but a :class:`Put`.

    Raises:
        RefusedError: It is no message of ours, or too large.
    """
    head = _head(parts, 3)
    if len(head) > MAX_CONTROL:
        raise RefusedError("E_TOO_LARGE", f"the message has {len(head)} bytes, over {MAX_CONTROL}")
    raw = _unpacked(head)
    given = raw.get("id")
    re = given if isinstance(given, str) and len(given) <= 64 else ""
    try:
        message: ClientMessage = msgspec.convert(raw, ClientMessage)
    except (ValueError, RecursionError) as error:
        raise _not_understood("message", error, re) from error
    payload = parts[2] if len(parts) == 3 else b""
    if isinstance(message, Put) != (len(parts) == 3):
        raise RefusedError("E_FRAMING", "a put has three parts, every other message two", re)
    if isinstance(message, Put) and not 0 < len(payload) <= MAX_CHUNK:
        raise RefusedError("E_TOO_LARGE", f"a put carries 1 to {MAX_CHUNK} bytes", re)
    return message, payload


def read_worker_message(parts: Sequence[Buffer]) -> tuple[WorkerMessage, Buffer | None]:
    """Read what a worker sent: the message, and its pixels if it has some.

    Raises:
        RefusedError: It is no message of ours.
    """
    raw = _unpacked(_head(parts, 3))
    try:
        message: WorkerMessage = msgspec.convert(raw, WorkerMessage)
    except (ValueError, RecursionError) as error:
        raise _not_understood("worker's message", error) from error
    return message, parts[2] if len(parts) == 3 else None


def pack_request(request: Request) -> bytes:
    """A request as bytes, always the same for the same request: 1 and 1.0 do not differ.

    Raises:
        RefusedError: It holds what no request may.
    """
    try:
        return _packed(msgspec.convert(_one_zero(msgspec.to_builtins(request)), Request))
    except ValueError as error:
        raise _not_understood("request", error) from error


def read_request(packed: bytes) -> Request:
    """The request that :func:`pack_request` packed.

    Raises:
        RefusedError: The bytes are damaged.
    """
    try:
        return msgspec.convert(_unpacked(packed), Request)
    except (ValueError, RecursionError) as error:
        raise _not_understood("request", error) from error


def request_digest(request: Request) -> str:
    """SHA-256 that tells one request from another, in hex."""
    return hashlib.sha256(pack_request(request)).hexdigest()


def _packed(message: msgspec.Struct) -> bytes:
    packed: bytes = msgpack.packb(msgspec.to_builtins(message))
    return packed


def _head(parts: Sequence[Buffer], most: int) -> Buffer:
    if not 2 <= len(parts) <= most:
        raise RefusedError(
            "E_FRAMING", f"a message has 2 or {most} parts, and this one {len(parts)}"
        )
    if bytes(parts[0][:5]) != MAGIC:
        raise RefusedError("E_FRAMING", "a message begins with LVX1")
    return parts[1]


def _unpacked(packed: Buffer) -> dict[str, Any]:
    try:
        raw = msgpack.unpackb(
            packed,
            object_pairs_hook=_map,
            ext_hook=_no_extension,
            max_array_len=MAX_ITEMS,
            max_map_len=MAX_FIELDS,
        )
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise _not_understood("message", error) from error
    if not isinstance(raw, dict):
        raise RefusedError("E_SCHEMA", "the message is no MessagePack map")
    return raw


def _not_understood(what: str, error: Exception, re: str = "") -> RefusedError:
    # It goes into logs: in one line, of bounded length, although keys that were sent stand in it.
    reason = str(error)[:MAX_REASON] or type(error).__name__
    line = "".join(each if each.isprintable() else "?" for each in reason)
    return RefusedError("E_SCHEMA", f"the {what} was not understood: {line}", re)


def _one_zero(value: Any) -> Any:
    """The same with 0 for -0, which are equal but have different bytes."""
    match value:
        case float():
            return value + 0.0
        case dict():
            return {key: _one_zero(each) for key, each in value.items()}
        case list() | tuple():
            return [_one_zero(each) for each in value]
        case _:
            return value


def _map(pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_extension(code: int, data: bytes) -> None:
    raise ValueError(f"extension type {code} of {len(data)} bytes")


# msgspec works a type out when it first meets it; two threads that meet it at once, or a fork in
# the middle, crash the process (0.22). Whoever imports this module is alone.
for _kind in (ClientMessage, WorkerMessage, Request):
    msgspec.json.Decoder(_kind)
