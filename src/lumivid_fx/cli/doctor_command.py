"""``lumivid doctor``: the rows of :mod:`lumivid_fx.doctor` as a table or as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from lumivid_fx.cli.outcome import one_sentence

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(
    model: Annotated[
        str | None,
        typer.Option(help="Model to look at, by name or folder; the embedded one if not given."),
    ] = None,
    ocio: Annotated[Path | None, typer.Option(help="A studio's config.ocio to look at.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what is installed, whether it works, and what to do about what does not.

    The exit code is 1 when something fails.
    """
    with one_sentence(as_json=as_json, interrupted=lambda: "the examination was not finished"):
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        from lumivid_fx.doctor import examine

        checks = list(examine(model, None if ocio is None else str(ocio)))
        failed = sum(check.status == "fail" for check in checks)
        if as_json:
            rows = [asdict(check) for check in checks]
            typer.echo(json.dumps({"checks": rows, "failed": failed}))
        else:
            table = Table("check", "", "found", "what to do")
            for check in checks:
                # Text, not markup: a path may hold square brackets.
                cells = (Text(check.name), Text(check.status, _COLOURS[check.status]))
                table.add_row(*cells, Text(check.detail), Text(check.remedy))
            Console().print(table)
        if failed:
            raise typer.Exit(1)
