"""How commands end: one sentence and an exit code."""

from __future__ import annotations

import json

import pytest
import typer

from lumivid_fx.cli.outcome import DEBUG, one_sentence
from lumivid_fx.errors import (
    CancelledError,
    InputError,
    NotAdmittedError,
    RenderError,
    WireError,
)


def end(error: BaseException, *, as_json: bool = False) -> int:
    """End a command with an error, and give its exit code."""
    with (
        pytest.raises(typer.Exit) as stopped,
        one_sentence(as_json=as_json, interrupted=lambda: "3 frames are kept"),
    ):
        raise error
    return stopped.value.exit_code


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (InputError("a.exr is missing; copy it"), 2, "Error: a.exr is missing; copy it"),
        (RenderError("no space\nleft; free some"), 3, "Error: no space\\nleft; free some"),
        (WireError("no worker is there; start one"), 4, "Error: no worker is there; start one"),
        (NotAdmittedError("not admitted; ask"), 5, "Error: not admitted; ask"),
        (CancelledError("the job was cancelled"), 130, "Stopped: the job was cancelled"),
        (KeyboardInterrupt(), 130, "Stopped: 3 frames are kept"),
        (MemoryError(), 3, "Error: there is not enough memory"),
        (RuntimeError("[enforce fail] can't allocate memory"), 3, "Error: there is not enough"),
        (ModuleNotFoundError("No module", name="torch"), 2, "Error: this command needs torch"),
        (ZeroDivisionError("float division"), 1, "ZeroDivisionError: float division"),
        (ModuleNotFoundError("No module", name="lumivid_fx.nothing"), 1, "Error: something"),
    ],
)
def test_error_is_one_line_and_a_code(
    error: BaseException, code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence stands alone on standard error."""
    assert end(error) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert told in printed.err


def test_missing_library_names_the_extra(capsys: pytest.CaptureFixture[str]) -> None:
    """A client-only install is told what to install."""
    end(ModuleNotFoundError("No module named 'torch'", name="torch"))
    assert "install lumivid-fx[worker]" in capsys.readouterr().err


def test_json_error_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """A program reads errors where it reads results."""
    end(RenderError("no space; free some"), as_json=True)
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"error": "no space; free some", "exit_code": 3}
    assert printed.err == ""


def test_debug_shows_where(monkeypatch: pytest.MonkeyPatch) -> None:
    """With LUMIVID_DEBUG=1 the error comes through as it is."""
    monkeypatch.setenv(DEBUG, "1")
    with (
        pytest.raises(ZeroDivisionError),
        one_sentence(as_json=False, interrupted=lambda: ""),
    ):
        raise ZeroDivisionError


def test_broken_pipe_passes() -> None:
    """Typer ends a command well whose reader has had enough."""
    with (
        pytest.raises(BrokenPipeError),
        one_sentence(as_json=False, interrupted=lambda: ""),
    ):
        raise BrokenPipeError


def test_exit_passes(capsys: pytest.CaptureFixture[str]) -> None:
    """A command's own exit code is not an error."""
    assert end(typer.Exit(1)) == 1
    assert capsys.readouterr() == ("", "")
