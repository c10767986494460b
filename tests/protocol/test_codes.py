"""Codes to exceptions and back: nothing is lost on the way from a worker to an artist."""

from __future__ import annotations

import re

import pytest

from lumivid_fx.errors import (
    CancelledError,
    DiskFullError,
    InputError,
    LimitError,
    LumividError,
    NotAdmittedError,
    OutOfMemoryError,
    RangeError,
    RenderError,
    WireError,
)
from lumivid_fx.protocol.codes import CODES, Who, code_of, error_for


def subclasses(kind: type[LumividError]) -> set[type[LumividError]]:
    """A class and all that derive from it."""
    return {kind}.union(*(subclasses(each) for each in kind.__subclasses__()))


@pytest.mark.parametrize("code", CODES)
def test_code_survives_the_way(code: str) -> None:
    """The exception that a client raises has the code that the worker reported, and its words."""
    error = error_for(code, "frame 1001 of plate.mov is damaged; export it anew")
    assert error.code == code
    assert code_of(error) == code
    assert str(error) == "frame 1001 of plate.mov is damaged; export it anew"


@pytest.mark.parametrize("code", CODES)
def test_exception_says_who_can_mend_it(code: str) -> None:
    """An artist's fault is an InputError, the worker's a RenderError, unless trying again helps."""
    failure = CODES[code]
    wanted: type[LumividError]
    match failure.who:
        case Who.ARTIST:
            wanted = InputError
        case Who.NOBODY:
            wanted = CancelledError
        case Who.WORKER if not failure.retry:
            wanted = RenderError
        case _:
            wanted = WireError
    assert isinstance(error_for(code, ""), wanted)


def test_key_that_is_not_admitted_has_its_own() -> None:
    """A client tells its user what to do about it, and does not try again."""
    assert type(error_for("E_AUTH", "")) is NotAdmittedError
    assert not CODES["E_AUTH"].retry


@pytest.mark.parametrize("code", CODES)
def test_code_and_advice_read_well(code: str) -> None:
    """A code is one word in capitals; advice is a few words with no full stop."""
    assert re.fullmatch(r"E(_[A-Z]+)+", code)
    assert re.fullmatch(r"[a-z][a-z ;,']+[a-z]", CODES[code].advice)


def test_only_what_time_mends_is_tried_again() -> None:
    """Trying again with nothing mended must not loop over a fault of the plate or the client's."""
    assert {code for code, failure in CODES.items() if failure.retry} == {
        "E_NO_SESSION",
        "E_BUSY",
        "E_DRAINING",
        "E_JOURNAL",
    }


@pytest.mark.parametrize("code", ["E_OF_NEXT_YEAR", "", "nonsense"])
def test_unknown_code_counts_as_the_workers(code: str) -> None:
    """A newer worker may fail in new ways; the message is kept, and nothing is tried again."""
    error = error_for(code, "the moon is in the wrong phase")
    assert type(error) is RenderError
    assert error.code == code
    assert code_of(error) == "E_RENDER"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("no such file"), "E_INPUT"),
        (RangeError("1-0"), "E_RANGE"),
        (LimitError("vast"), "E_LIMIT"),
        (RenderError("no number"), "E_RENDER"),
        (DiskFullError("full"), "E_DISK_FULL"),
        (OutOfMemoryError("too large"), "E_OOM"),
        (CancelledError("stopped"), "E_CANCELLED"),
        (NotAdmittedError("who is it"), "E_AUTH"),
        (WireError("gone"), "E_INTERNAL"),
        (LumividError("something"), "E_INTERNAL"),
        (KeyError("x"), "E_INTERNAL"),
        (MemoryError(), "E_INTERNAL"),
        (KeyboardInterrupt(), "E_INTERNAL"),
    ],
)
def test_worker_has_a_code_for_every_error(error: BaseException, code: str) -> None:
    """Its own errors by their kind; whatever else comes up is a fault of the worker's."""
    assert code_of(error) == code


@pytest.mark.parametrize("kind", sorted(subclasses(LumividError), key=repr))
def test_codes_of_classes_are_in_the_table(kind: type[LumividError]) -> None:
    """An error class does not name a code that no client knows."""
    assert kind.code in {"", *CODES}
    assert code_of(kind("")) in CODES


def test_raising_one_code_leaves_others_alone() -> None:
    """The code is the exception's own, not its class's."""
    error_for("E_PATH", "")
    assert InputError.code == ""
    assert code_of(InputError("")) == "E_INPUT"
