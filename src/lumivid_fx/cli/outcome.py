"""How a command ends when it does not end well: one sentence and an exit code, never a traceback.

1    something unexpected; LUMIVID_DEBUG=1 shows where
2    what was asked for cannot be done as asked
3    the render itself failed: memory, disk, a model that gave no number
4    no worker answers, or what it said was lost on the way
5    the worker does not admit this key, or is another than expected
6    what was looked at does not pass: lumivid qc found something
130  stopped by Ctrl-C
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from lumivid_fx.errors import InputError, LumividError, RenderError
from lumivid_fx.pipeline.devices import is_out_of_memory

DEBUG = "LUMIVID_DEBUG"
"""Set to 1 in the environment, it lets errors through as Python shows them."""

_OF_REVIEW = ("starlette", "uvicorn")

UNEXPECTED, DOES_NOT_PASS, INTERRUPTED = 1, 6, 130


@contextmanager
def one_sentence(*, as_json: bool, interrupted: Callable[[], str]) -> Iterator[None]:
    """Turn whatever ends a command into one sentence and an exit code.

    Args:
        as_json: Say it as a JSON line on standard output, not in words on standard error.
        interrupted: What to say when Ctrl-C stopped the command.

    Raises:
        typer.Exit: With the exit code.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        _say(interrupted(), INTERRUPTED, as_json=as_json)
        raise typer.Exit(INTERRUPTED) from stop
    except (typer.Exit, BrokenPipeError):  # a reader such as `head` that has had enough
        raise
    except Exception as error:
        if os.environ.get(DEBUG) == "1":
            raise
        known = _known(error)
        code = known.exit_code if known else UNEXPECTED
        _say(str(known or _unexpected(error)), code, as_json=as_json)
        raise typer.Exit(code) from error


def _known(error: Exception) -> LumividError | None:
    """The error in our own words, where we have some for it."""
    if isinstance(error, LumividError):
        return error
    if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("lumivid_fx"):
        extra = "review" if error.name in _OF_REVIEW else "worker"
        return InputError(
            f"this command needs {error.name}, which is not installed; install lumivid-fx[{extra}]"
        )
    if is_out_of_memory(error):
        return RenderError(
            "there is not enough memory for this render; give a smaller --model-size, or --tile 16 "
            "and a shorter --window, finished frames stay"
        )
    return None


def _unexpected(error: Exception) -> str:
    said = " ".join(str(error).split())
    return (
        f"something unexpected stopped this command ({type(error).__name__}: {said[:200]}); "
        f"set {DEBUG}=1 and run it again to see where"
    )


def _say(sentence: str, code: int, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"error": sentence, "exit_code": code}))
        return
    name, colour = ("Stopped", "yellow") if code == INTERRUPTED else ("Error", "red")
    typer.secho(f"{name}: ", fg=colour, err=True, nl=False)
    typer.echo(" ".join(sentence.split()), err=True)
