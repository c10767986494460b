"""How ``docs/protocol.md`` spells the types of fields, and its tables back into rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from msgspec import inspect

from lumivid_fx.protocol import messages as m
from lumivid_fx.protocol.job_state import JobState

NAMED = [
    (inspect.type_info(kind), name)
    for kind, name in (
        (m.Id, "id"),
        (m.Digest, "digest"),
        (m.Path, "path"),
        (m.Name, "name"),
        (m.FrameNumber, "frame"),
        (JobState, "state"),
        (m.PathSource | m.PixelSource, "source"),
        (m.Request, "request"),
        (m.Settings, "settings"),
        (m.Device, "device"),
        (m.Limits, "limits"),
        (m.JobRow, "row"),
    )
]
"""Types that the document explains once and then calls by a name."""


def spelled(kind: inspect.Type) -> str:
    """What a field may hold, in the document's notation."""
    name = next((name for named, name in NAMED if named == kind), None)
    if name is not None:
        return name
    match kind:
        case inspect.UnionType(types=any_of):
            return " or ".join(map(spelled, any_of))
        case inspect.LiteralType(values=values):
            return " or ".join(json.dumps(value) for value in values)
        case inspect.TupleType(item_types=each):
            return f"[{', '.join(map(spelled, each))}]"
        case inspect.VarTupleType(item_type=item, min_length=low, max_length=high):
            return f"[{spelled(item)}]{span(low, high)}"
        case _:
            return scalar(kind)


def scalar(kind: inspect.Type) -> str:
    """The same for what holds nothing else.

    Raises:
        NotImplementedError: The document has no word for it.
    """
    match kind:
        case inspect.NoneType():
            return "nil"
        case inspect.BoolType():
            return "boolean"
        case inspect.IntType(ge=low, le=high):
            return f"integer{span(low, high)}"
        case inspect.FloatType(gt=None, ge=low, le=high):
            return f"number{span(low, high)}"
        case inspect.FloatType(gt=above, le=high):
            return f"number{span(above, high).replace(' ', ' >')}"
        case inspect.StrType(pattern=None, max_length=high):
            return f"text{span(None, high)}"
        case _:
            raise NotImplementedError(kind)


def span(low: float | None, high: float | None) -> str:
    """A range such as `` 0..1``; nothing where there is none."""
    if low is None and high is None:
        return ""
    return f" {'' if low is None else low}..{'' if high is None else high}"


def default(field: inspect.Field, *, always: str) -> str:
    """What a field is taken for if it is left out; `always` for those that may not be."""
    if field.required:
        return always
    if isinstance(field.default, m.Settings):
        return "{}"
    return re.sub(r"\.0$", "", json.dumps(field.default).replace("null", "nil"))


def section(document: str, title: str) -> str:
    """What stands under a heading, up to the next one of its level or above.

    Raises:
        KeyError: There is no such heading, or more than one.
    """
    found = list(re.finditer(rf"^(#+) {re.escape(title)}\n", document, re.MULTILINE))
    if len(found) != 1:
        raise KeyError(f"{len(found)} headings {title!r}")
    level, rest = len(found[0][1]), document[found[0].end() :]
    return re.split(rf"^#{{1,{level}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> Iterator[list[str]]:
    """The rows of the first table in a text, without its head; code is taken out of its quotes."""
    table = re.search(r"^\|.*\n\|[-| ]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    for line in table[1].splitlines() if table else []:
        yield [cell.strip().replace("`", "") for cell in line.strip("|").split(" |")]
