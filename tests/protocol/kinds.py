"""Values of every message's fields, drawn from the types that the messages themselves declare."""

from __future__ import annotations

import math
from typing import get_args

from hypothesis import strategies as st
from msgspec import inspect

from lumivid_fx.protocol.messages import ClientMessage, WorkerMessage

CLIENT_KINDS: tuple[type[ClientMessage], ...] = get_args(ClientMessage)
WORKER_KINDS: tuple[type[WorkerMessage], ...] = get_args(WorkerMessage)

PRINTABLE = st.characters(codec="utf-8", exclude_categories=["Cc"])
"""Any character that is not a control."""

INT64 = 2**63 - 1
FEW = 3
"""Items of a list, where more would only be slower."""


def values(kind: inspect.Type) -> st.SearchStrategy[object]:
    """Draw what a field of that type may hold."""
    drawn: st.SearchStrategy[object]
    match kind:
        case inspect.StructType(cls=struct, fields=fields):
            drawn = st.builds(struct, **{field.name: values(field.type) for field in fields})
        case inspect.UnionType(types=any_of):
            drawn = st.one_of([values(each) for each in any_of])
        case inspect.TupleType(item_types=each):
            drawn = st.tuples(*map(values, each))
        case inspect.VarTupleType(item_type=item, min_length=low, max_length=high):
            most = min(high or FEW, FEW)
            drawn = st.lists(values(item), min_size=low or 0, max_size=most).map(tuple)
        case inspect.StrType():
            drawn = texts(kind)
        case _:
            drawn = plain(kind)
    return drawn


def texts(kind: inspect.StrType) -> st.SearchStrategy[str]:
    """Draw text: hex digits where the type asks for them, else anything but controls."""
    if kind.pattern and "0-9a-f" in kind.pattern:
        return st.from_regex(kind.pattern)
    most = min(kind.max_length or 200, 200)
    return st.text(PRINTABLE, min_size=kind.min_length or 0, max_size=most)


def plain(kind: inspect.Type) -> st.SearchStrategy[object]:
    """Draw numbers and choices.

    Raises:
        NotImplementedError: No message has had such a field so far.
    """
    match kind:
        case inspect.NoneType():
            return st.none()
        case inspect.BoolType():
            return st.booleans()
        case inspect.LiteralType(values=named):
            return st.sampled_from(named)
        case inspect.IntType(ge=low, le=high):
            return st.integers(-INT64 if low is None else low, INT64 if high is None else high)
        case inspect.FloatType(gt=above, ge=low, le=high):
            least = low if above is None else math.nextafter(above, math.inf)
            return st.floats(least, high, allow_nan=False, allow_infinity=False)
        case _:
            raise NotImplementedError(kind)


def messages(kind: type) -> st.SearchStrategy[object]:
    """Draw messages of one kind, or any struct, all fields anywhere in their range."""
    return values(inspect.type_info(kind))
