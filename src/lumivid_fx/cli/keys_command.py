"""``lumivid keys``: who one is to a worker, and who may submit to one's own.

A worker at work hears of what is admitted or revoked with the next message it gets.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Annotated

import typer

from lumivid_fx.cli.outcome import one_sentence

keys = typer.Typer(
    name="keys",
    help="Show this user's key, and say whose keys may submit to this user's worker.",
    no_args_is_help=True,
)

_AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_Name = Annotated[str, typer.Argument(help="What to call the key: letters, digits and . _ @ -")]


@keys.command()
def show(as_json: _AsJson = False) -> None:
    """Print this user's public key, which a worker's owner admits; make it if it is missing."""
    with _told(as_json):
        from lumivid_fx.client.keys import own_key_pair
        from lumivid_fx.protocol.places import Places

        places = Places.of()
        public, path = own_key_pair(places).public, str(places.client_key)
        typer.echo(json.dumps({"key": public, "file": path}) if as_json else public)


# A key may begin with -, which would pass for an option.
@keys.command(context_settings={"ignore_unknown_options": True})
def admit(
    name: _Name,
    key: Annotated[str, typer.Argument(help="As `lumivid keys show` printed it; in '' quotes.")],
    as_json: _AsJson = False,
) -> None:
    """Let somebody submit to this user's worker."""
    with _told(as_json):
        from lumivid_fx.errors import InputError
        from lumivid_fx.protocol.places import check_key, check_name, write_private

        path = _admitted() / f"{check_name(name)}.key"
        check_key(key)
        for other, held in _held().items():
            if other == name and held not in ("", key):
                raise InputError(f"{name} has another key; run `lumivid keys revoke {name}` first")
            if other != name and held == key:
                raise InputError(f"this key is admitted as {other}; revoke that name first")
        try:
            write_private(path, key + "\n")
        except OSError as error:
            raise InputError(
                f"{path} cannot be written ({error.strerror}); free space or change its rights"
            ) from error
        typer.echo(json.dumps({"name": name, "key": key}) if as_json else f"{name} may submit")


@keys.command("list")
def list_keys(as_json: _AsJson = False) -> None:
    """Print who may submit to this user's worker besides this user."""
    with _told(as_json):
        held = _held()
        if as_json:
            rows = [{"name": name, "key": key or None} for name, key in held.items()]
            typer.echo(json.dumps({"keys": rows}))
            return
        wide = max(map(len, held), default=0)
        for name, key in held.items():
            typer.echo(f"{name:{wide}}  {key or '(holds no key, admits nobody)'}")
        if not held:
            typer.echo("nobody but this user; `lumivid keys admit` lets others in", err=True)


@keys.command()
def revoke(name: _Name, as_json: _AsJson = False) -> None:
    """Let somebody submit no more, from now on; jobs that were submitted go on."""
    with _told(as_json):
        from lumivid_fx.errors import InputError
        from lumivid_fx.protocol.places import check_name

        path = _admitted() / f"{check_name(name)}.key"
        try:
            path.unlink()
        except FileNotFoundError:
            raise InputError(f"{name} has no key here; `lumivid keys list` tells who has") from None
        except OSError as error:
            raise InputError(f"{path} cannot be removed ({error.strerror}); remove it") from error
        typer.echo(json.dumps({"name": name}) if as_json else f"{name} may submit no more")


def _told(as_json: bool) -> AbstractContextManager[None]:
    return one_sentence(as_json=as_json, interrupted=lambda: "nothing was changed")


def _admitted() -> Path:
    from lumivid_fx.protocol.places import Places

    return Places.of().admitted


def _held() -> dict[str, str]:
    """Name and key of every file in the folder; the key is empty where there is none."""
    from lumivid_fx.errors import InputError
    from lumivid_fx.protocol.places import check_key, check_name

    held = {}
    for path in sorted(_admitted().glob("*.key")):
        held[path.stem] = ""
        with suppress(OSError, UnicodeDecodeError, InputError):
            if check_name(path.stem) and path.is_file():
                held[path.stem] = check_key(path.read_text(encoding="utf-8").strip())
    return held
