"""The worker's log: every line is one JSON object, whatever was said."""

from __future__ import annotations

import json
import logging
import sys

from hypothesis import given
from hypothesis import strategies as st

from lumivid_fx.worker.log import JsonLines


def line(message: str, **extra: object) -> dict[str, object]:
    """A record as it is written, read back."""
    record = logging.LogRecord(
        "lumivid_fx.worker.desk", logging.WARNING, "desk.py", 1, message, (), None
    )
    vars(record).update(extra)
    written = JsonLines("b00t").format(record)
    assert "\n" not in written
    read: dict[str, object] = json.loads(written)
    return read


@given(st.text(), st.text())
def test_words_cannot_forge_a_line(message: str, job: str) -> None:
    """Line breaks, quotes and escapes come back as they were said, inside their own field."""
    said = line(message.replace("%", ""), job=job)
    assert said["message"] == message.replace("%", "")
    assert said["job"] == job
    assert (said["level"], said["where"], said["boot"]) == ("warning", "worker.desk", "b00t")


def test_trace_is_a_field() -> None:
    """An unexpected error has its trace in the same line."""
    try:
        raise KeyError("x")
    except KeyError:
        record = logging.LogRecord("x", logging.ERROR, "x", 1, "failed", (), sys.exc_info())
    read = json.loads(JsonLines().format(record))
    assert "KeyError" in read["trace"]
