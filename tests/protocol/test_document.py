"""``docs/protocol.md`` and the code say the same: fields, codes, states, limits, examples."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import get_type_hints

import msgpack
import msgspec
import pytest
from msgspec import inspect
from tests.protocol.kinds import CLIENT_KINDS, WORKER_KINDS
from tests.protocol.spelling import default, rows, scalar, section, spelled

from lumivid_fx.protocol import messages as m
from lumivid_fx.protocol.codes import CODES
from lumivid_fx.protocol.job_state import ENDED, FOLLOWS, STATES
from lumivid_fx.protocol.places import Connection, Places, check_key
from lumivid_fx.protocol.wire import MAGIC, MAX_FIELDS, MAX_ITEMS, read_client_message
from lumivid_fx.worker.admission import MAX_JOBS, MAX_SESSION_JOBS
from lumivid_fx.worker.callers import SILENCE_S
from lumivid_fx.worker.delivery import PROGRESS_S
from lumivid_fx.worker.server import KEPT_DAYS

PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"
DOCUMENT = PAGE.read_text("utf-8")

TITLES: dict[str, type[msgspec.Struct]] = {
    **{f"`{kind.__struct_config__.tag}`": kind for kind in (*CLIENT_KINDS, *WORKER_KINDS)},
    "`request`": m.Request,
    "`settings`": m.Settings,
    "source `path`": m.PathSource,
    "source `pixels`": m.PixelSource,
    "`device`": m.Device,
    "`row`": m.JobRow,
    "Limits": m.Limits,
}
"""Headings, each of which has the table of one message or map below it."""

FROM_A_CLIENT = {*CLIENT_KINDS, m.Request, m.Settings, m.PathSource, m.PixelSource}

EXAMPLE = re.compile(
    r"^(?P<who>[CW])  (?P<fields>\{.*\})(?: \+ (?P<payload>\d+) bytes)?$", re.MULTILINE
)
"""A line of a conversation."""


def fields_of(kind: type[msgspec.Struct]) -> tuple[inspect.Field, ...]:
    """The fields of a message."""
    found = inspect.type_info(kind)
    assert isinstance(found, inspect.StructType)
    return found.fields


@pytest.mark.parametrize(("title", "kind"), TITLES.items(), ids=str)
def test_table_of_fields_is_the_codes(title: str, kind: type[msgspec.Struct]) -> None:
    """Every field in order, with its type, range and default."""
    always = "needed" if kind in FROM_A_CLIENT else "always"
    wanted = [[f.name, spelled(f.type), default(f, always=always)] for f in fields_of(kind)]
    assert [row[:3] for row in rows(section(DOCUMENT, title))] == wanted


def test_every_message_stands_on_its_side() -> None:
    """Clients' messages in one chapter, workers' in the other, and nothing that is not spoken."""
    for chapter, kinds in (
        ("What a client says", CLIENT_KINDS),
        ("What a worker says", WORKER_KINDS),
    ):
        titles = re.findall(r"^### `(\w+)`$", section(DOCUMENT, chapter), re.MULTILINE)
        tags = [kind.__struct_config__.tag for kind in kinds]
        assert [title for title in titles if title not in ("device", "row")] == tags


def test_codes_are_the_codes() -> None:
    """Who can mend it, whether to try again, and the advice, word by word."""
    found = [[row[0], *row[2:]] for row in rows(section(DOCUMENT, "Errors"))]
    assert found == [
        [code, failure.who.value, "yes" if failure.retry else "no", failure.advice]
        for code, failure in CODES.items()
    ]


def test_no_other_code_is_named() -> None:
    """A code that was renamed is renamed all over the page."""
    assert set(re.findall(r"\bE_[A-Z_]+\b", DOCUMENT)) == set(CODES)


def test_states_are_the_states() -> None:
    """Every state, and what it may become."""
    found = {row[0]: row[2] for row in rows(section(DOCUMENT, "States of a job"))}
    assert list(found) == list(STATES)
    for state in STATES:
        assert set(re.findall(r"\w+", found[state])) == FOLLOWS[state]


def test_drawing_of_the_states_draws_them_all() -> None:
    """And counts as ended those that have."""
    drawing, below = section(DOCUMENT, "States of a job").split("```")[1:]
    assert {word for word in re.findall(r"\w+", drawing) if word in STATES} == set(STATES)
    told = re.search(r"A client waits for (.*?), and", below)
    assert told is not None
    assert set(re.findall(r"`(\w+)`", told[1])) == set(ENDED)


@pytest.mark.parametrize(
    ("title", "pattern", "values"),
    [
        ("Limits", r"takes (\d+) jobs .* and (\d+) of one", [MAX_JOBS, MAX_SESSION_JOBS]),
        ("Limits", r"at most (\d+) items, maps (\d+)", [MAX_ITEMS, MAX_FIELDS]),
        ("`put`", r"`offset` \| integer 0\.\.(\d+)", [m.MAX_FRAME]),
        ("Rules", r"After (\d+) seconds in which", [m.HEARTBEAT_S]),
        ("Rules", r"said nothing for (\d+) seconds", [SILENCE_S]),
        ("Rules", r"is remembered for (\d+) days", [KEPT_DAYS]),
    ],
)
def test_number_in_the_text_is_the_codes(title: str, pattern: str, values: list[float]) -> None:
    """Numbers that stand in sentences have one source, too."""
    found = re.search(pattern, section(DOCUMENT, title))
    assert found is not None
    assert [float(each) for each in found.groups()] == values


def test_words_for_types_mean_what_the_types_mean() -> None:
    """The five that the tables use without saying their range again."""
    told = {row[0]: row[1] for row in rows(section(DOCUMENT, "Messages"))}
    path, name = inspect.type_info(m.Path), inspect.type_info(m.Name)
    frame = inspect.type_info(m.FrameNumber)
    assert isinstance(path, inspect.StrType)
    assert isinstance(name, inspect.StrType)
    assert isinstance(frame, inspect.IntType)
    assert told["path"].startswith(f"text of {path.min_length} to {path.max_length} characters")
    assert told["name"].startswith(f"text of at most {name.max_length} characters")
    assert told["frame"] == scalar(frame)
    for word, kind in (("id", m.Id), ("digest", m.Digest)):
        digits = re.match(r"text of (\d+) digits 0-9a-f: ", told[word])
        assert digits is not None
        assert msgspec.convert(("0123456789abcdef" * 4)[: int(digits[1])], kind)
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert("0" * (int(digits[1]) + 1), kind)


def test_progress_comes_as_often_as_it_says() -> None:
    """Four times a second."""
    assert "At most four times a second" in section(DOCUMENT, "`progress`")
    assert PROGRESS_S == 1 / 4


def test_address_is_an_address() -> None:
    """The example of ``worker.json`` can be read, and its table names its fields."""
    chapter = section(DOCUMENT, "Where the worker is")
    example = re.search(r"```json\n(.*?)```", chapter, re.DOTALL)
    assert example is not None
    connection = msgspec.json.decode(example[1], type=Connection)
    assert check_key(connection.public_key)
    assert list(json.loads(example[1])) == list(Connection.__dataclass_fields__)
    table = list(rows(chapter.partition("```json")[2]))
    assert [row[0] for row in table] == list(Connection.__dataclass_fields__)


def test_folders_are_the_folders() -> None:
    """By the names of the four places, with and without variables."""
    home = Path.home()
    plain, bare = (
        Places.of({f"XDG_{name}": f"/${name}" for name in names})
        for names in (("CONFIG_HOME", "RUNTIME_DIR", "STATE_HOME", "CACHE_HOME"), ())
    )
    table = list(rows(section(DOCUMENT, "Where the worker is")))
    assert [row[0] for row in table] == [each.name for each in dataclasses.fields(Places)]
    for name, where, _ in table:
        variable = str(getattr(plain, name)).replace("/$", "$XDG_", 1)
        assert variable in where
        by_default = f"~/{getattr(bare, name).relative_to(home)}"
        assert by_default in where or name == "state"


def examples() -> list[tuple[str, str, str | None]]:
    """Who says what, with how many bytes behind it."""
    found = [(e["who"], e["fields"], e["payload"]) for e in EXAMPLE.finditer(DOCUMENT)]
    lines = re.findall(r"^[CW]  .*$", DOCUMENT, re.MULTILINE)
    assert len(found) == len(lines) > 30
    return found


def spoken(written: str) -> dict[str, object]:
    """An example's fields: ``#1`` stands for an id, and ``%1`` for a digest."""
    with_ids = re.sub(r'"#(\w)"', lambda found: f'"{found[1] * 32}"', written)
    with_digests = re.sub(r'"%(\w)"', lambda found: f'"{found[1] * 64}"', with_ids)
    fields: dict[str, object] = json.loads(with_digests)
    return fields


def test_every_example_of_a_client_is_understood() -> None:
    """What the page's client says is said as it must be."""
    for who, written, payload in examples():
        if who == "C":
            parts = [MAGIC, msgpack.packb(spoken(written))]
            read_client_message(parts if payload is None else [*parts, bytes(int(payload))])


def test_every_example_of_a_worker_could_be_said() -> None:
    """Every field that is not left out is one of its message's, and holds what it may."""
    kinds = {kind.__struct_config__.tag: kind for kind in WORKER_KINDS}
    for who, written, payload in examples():
        if who == "W":
            said = spoken(written.replace(", ...", ""))
            kind = kinds[str(said.pop("t"))]
            hints = get_type_hints(kind, include_extras=True)
            for name, value in said.items():
                msgspec.convert(value, hints[name])
            missing = {f.name for f in fields_of(kind) if f.required} - set(said)
            assert not missing or ", ..." in written, written
            assert (payload is None) == (said.get("shape") is None)
