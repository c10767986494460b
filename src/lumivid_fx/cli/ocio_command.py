"""``lumivid ocio``: our OpenColorIO config, ours in a studio's, and whether a config is sound."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lumivid_fx.cli.options import AsJson
from lumivid_fx.cli.outcome import one_sentence
from lumivid_fx.errors import InputError

if TYPE_CHECKING:
    from lumivid_fx.color.ocio_check import Agreement, Checked
    from lumivid_fx.color.ocio_merge import Item, Merged

ocio = typer.Typer(
    name="ocio",
    help="Write our OpenColorIO config, add ours to a studio's, or check a config.",
    no_args_is_help=True,
)

CONFIG_NAME = "config.ocio"

_Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")]


@ocio.command()
def write(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write it to.")],
    overwrite: _Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write our config.ocio, which OpenColorIO 2.0 and later read, into a folder."""
    with _told(as_json):
        from lumivid_fx.color.ocio_config import config_text

        path = folder / CONFIG_NAME
        _write(path, config_text(), overwrite=overwrite)
        told = f"{path} is written; set OCIO={path.resolve()}, or choose it in the project settings"
        typer.echo(json.dumps({"config": str(path)}) if as_json else told)


@ocio.command()
def merge(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="A studio's config.ocio.")],
    output: Annotated[Path, typer.Option(help="The new config, beside CONFIG if that has tables.")],
    overwrite: _Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write a studio's config anew with our spaces and looks in it; nothing of it is changed."""
    with _told(as_json):
        from lumivid_fx.color.ocio_check import ocio_messages
        from lumivid_fx.color.ocio_merge import merge

        path = output / CONFIG_NAME if output.is_dir() else output
        _require_free(path, overwrite=overwrite)
        with ocio_messages():  # about the studio's own config, which `check` tells
            merged = merge(config, path.parent)
        _write(path, merged.text, overwrite=overwrite)
        _tell_merged(path, merged, as_json=as_json)


@ocio.command()
def check(
    config: Annotated[
        str | None, typer.Argument(metavar="[CONFIG]", help="A config.ocio; ours if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a config is valid, which spaces of ours it has, and how near its curves are.

    The exit code is 1 when it is not valid, or a curve is not the one we render with.
    """
    with _told(as_json):
        from lumivid_fx.color.ocio_check import check

        found = check(config)
        _tell_checked(found, as_json=as_json)
        if not found.sound:
            raise typer.Exit(1)


def _told(as_json: bool) -> AbstractContextManager[None]:
    return one_sentence(as_json=as_json, interrupted=lambda: "nothing was written")


def _require_free(path: Path, *, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists and is left as it is; choose another or say --overwrite")


def _write(path: Path, text: str, *, overwrite: bool) -> None:
    """Write a config, whole or not at all."""
    _require_free(path, overwrite=overwrite)
    beside = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}); choose another folder, free space or "
            "change its permissions"
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _tell_merged(path: Path, merged: Merged, *, as_json: bool) -> None:
    if as_json:
        told = {
            "config": str(path),
            "profile_raised": merged.raised,
            "paths_are_searched": merged.searched,
            "items": [item._asdict() for item in merged.items],
        }
        typer.echo(json.dumps(told))
        return
    for item in merged.items:
        typer.echo(_became(item))
    if merged.raised:
        typer.echo("the profile is 2.0 now, which our spaces need; older programs do not read it")
    if merged.searched:
        typer.echo("file rules search paths for names: a path with an added name is now that space")
    count = sum(item.outcome == "added" for item in merged.items)
    typer.echo(f"{path} is written, {count} added; comments of the old file are not in it")


def _became(item: Item) -> str:
    """What became of a space or a look of ours, in a line."""
    called = "" if item.there == item.name else f" as {item.there}"
    match item.outcome:
        case "added":
            without = f", without {', '.join(item.dropped)}" if item.dropped else ""
            return f"added    {item.name}{called}{without}"
        case "present":
            return f"there    {item.name}{called}"
        case _:
            by = "" if item.difference is None else f" by {item.difference:.1g} of the light"
            return f"left out {item.name}: the config's own {item.there} differs{by}, and stays"


def _tell_checked(found: Checked, *, as_json: bool) -> None:
    if as_json:
        told = {
            **found._asdict(),
            "sound": found.sound,
            "curves": [{**curve._asdict(), "holds": curve.holds} for curve in found.curves],
        }
        typer.echo(json.dumps(told))
        return
    typer.echo(f"profile {found.profile}, read by OpenColorIO {found.library}")
    typer.echo(f"not valid: {found.fault}" if found.fault else "valid")
    for message in found.messages:
        typer.echo(f"OpenColorIO says: {message}")
    for short, name in found.spaces.items():
        typer.echo(f"{short:14} {name or 'missing; `lumivid ocio merge` adds it'}")
    for curve in found.curves:
        typer.echo(f"{curve.curve:14} {_beside(curve)}")


def _beside(curve: Agreement) -> str:
    """How near a curve of the config is to ours, in words."""
    if curve.code is None or curve.light is None:
        return "not in this config"
    verdict = "agrees" if curve.holds else "is another curve"
    return (
        f"{verdict}: {curve.space} is within {curve.code:.0e} of a code and {curve.light:.0e} of "
        "the light"
    )
