"""``lumivid nuke``: put the node into a folder for Nuke, look after it, take it away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lumivid_fx.cli.options import AsJson
from lumivid_fx.cli.outcome import one_sentence

if TYPE_CHECKING:
    from lumivid_fx.install.examine import Finding
    from lumivid_fx.install.place import Outcome

nuke = typer.Typer(
    name="nuke", help="Install, look at and uninstall the node for Nuke.", no_args_is_help=True
)

_COLOURS = {"ok": "green", "skip": "dim", "warn": "yellow", "fail": "red"}
_MB = 1_000_000

_Target = Annotated[
    Path | None, typer.Option(help="Folder of the node; ~/.nuke/lumivid if not said.")
]


@nuke.command()
def install(
    *,
    target: _Target = None,
    wheels: Annotated[
        Path | None, typer.Option(help="Take wheels from this folder, and ask no index.")
    ] = None,
    python: Annotated[
        str | None, typer.Option(help="Pythons to install for; 3.10,3.11,3.13 if not said.")
    ] = None,
    platform: Annotated[
        str | None, typer.Option(help="linux, windows, macos, macos-arm; this one if not said.")
    ] = None,
    link: Annotated[
        bool, typer.Option("--link", help="Link to this package; for those who work on it.")
    ] = False,
    register: Annotated[
        bool, typer.Option("--register", help="Add a line to ~/.nuke/init.py.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also replace files changed since they were installed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put the node, its client and the client's wheels into a folder for NUKE_PATH.

    What is there from before is replaced once the new one is whole.
    """
    with _told(as_json, "nothing was changed"):
        from lumivid_fx.install import place
        from lumivid_fx.install import register as registry
        from lumivid_fx.install.targets import PYTHONS, targets, this_system

        root = _folder(target)
        wanted = targets(
            PYTHONS if python is None else _names(python),
            (this_system(),) if platform is None else _names(platform),
        )

        def tell(what: str) -> None:
            if not as_json:
                typer.echo(what, err=True)

        outcome = place.install(root, wanted, wheels=wheels, link=link, force=force, tell=tell)
        if register:
            registry.register(root, registry.user_init())
        found = registry.seen_by(root, registry.user_init())
        if as_json:
            typer.echo(json.dumps(_as_row(root, outcome, found)))
            return
        typer.echo(_in_words(root, outcome))
        typer.echo(f"Nuke finds it {found}" if found else "let Nuke find it:")
        if not found:
            typer.echo(f"  {registry.advice(root)}")


@nuke.command()
def uninstall(
    *,
    target: _Target = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also remove files changed since they were installed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove what install wrote, and nothing else."""
    with _told(as_json, "the node was removed in part; run it again"):
        from lumivid_fx.install import place
        from lumivid_fx.install import register as registry

        root = _folder(target)
        manifest, stays = place.uninstall(root, force=force)
        line = registry.unregister(root, registry.user_init())
        removed = len(manifest.files) + len(manifest.links)
        if as_json:
            told = {"target": str(root), "removed": removed, "stays": stays, "unregistered": line}
            typer.echo(json.dumps(told))
            return
        typer.echo(f"removed lumivid-fx {manifest.lumivid} from {root}: {removed} files")
        if line:
            typer.echo(f"took its line out of {registry.user_init()}")
        for each in stays:
            typer.echo(f"stays, for install did not write it: {root / each}")


@nuke.command()
def doctor(*, target: _Target = None, as_json: AsJson = False) -> None:
    """Say whether the node is whole, works in the Pythons of this machine, and fits the worker.

    The exit code is 1 when something fails.
    """
    with _told(as_json, "the examination was not finished"):
        rows = list(_rows(_folder(target)))
        failed = sum(row.status == "fail" for row in rows)
        if as_json:
            typer.echo(json.dumps({"checks": [asdict(row) for row in rows], "failed": failed}))
        else:
            _table(rows)
        if failed:
            raise typer.Exit(1)


def _rows(root: Path) -> Iterator[Finding]:
    from lumivid_fx.errors import InputError
    from lumivid_fx.install.examine import examine
    from lumivid_fx.install.manifest import read_manifest

    yield from examine(root)
    try:
        manifest = read_manifest(root)
    except InputError:
        manifest = None
    yield _worker(manifest.lumivid if manifest else "")


def _worker(release: str) -> Finding:
    """Whether a worker runs, and whether it is of the node's release."""
    from lumivid_fx import client
    from lumivid_fx.errors import LumividError, NotAdmittedError, WireError
    from lumivid_fx.install.examine import Finding
    from lumivid_fx.protocol.places import Places, read_connection

    places = Places.of()
    try:
        where = read_connection(places.connection).endpoint
        with client.connect(places=places, name="lumivid nuke doctor") as there:
            worker = there.welcome.worker
    except LumividError as error:
        if isinstance(error, WireError) and not isinstance(error, NotAdmittedError):
            return Finding("worker", "warn", str(error), "lumivid worker --detach")
        return Finding("worker", "fail", str(error), "docs/worker.md, Who may submit")
    if release and worker != release:
        detail = f"{where} is release {worker}, the node is {release}"
        return Finding("worker", "warn", detail, "bring both to one release")
    return Finding("worker", "ok", f"{where}, release {worker}")


def _table(rows: list[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("check", "", "found", "what to do")
    for row in rows:
        # Text, not markup: a path may hold square brackets.
        cells = (Text(row.name), Text(row.status, _COLOURS[row.status]))
        found, remedy = (Text(text, overflow="fold") for text in (row.detail, row.remedy))
        table.add_row(*cells, found, remedy)
    Console().print(table)


def _in_words(root: Path, outcome: Outcome) -> str:
    manifest = outcome.manifest
    what = f"{', '.join(sorted(manifest.targets))}, {manifest.size / _MB:.1f} MB"
    if outcome.unchanged:
        return f"lumivid-fx {manifest.lumivid} was in {root} already: {what}"
    was = f" in place of {outcome.was}" if outcome.was else ""
    return f"installed lumivid-fx {manifest.lumivid}{was} in {root}: {what}"


def _as_row(root: Path, outcome: Outcome, found: str) -> dict[str, object]:
    manifest = outcome.manifest
    return {
        "target": str(root),
        "lumivid": manifest.lumivid,
        "was": outcome.was,
        "unchanged": outcome.unchanged,
        "wheels": manifest.targets,
        "files": len(manifest.files) + len(manifest.links),
        "bytes": manifest.size,
        "found": bool(found),
    }


def _folder(target: Path | None) -> Path:
    from lumivid_fx.install.place import default_folder

    return (target or default_folder()).expanduser().absolute()


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _told(as_json: bool, interrupted: str) -> AbstractContextManager[None]:
    return one_sentence(as_json=as_json, interrupted=lambda: interrupted)
