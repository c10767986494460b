"""``lumivid cache``: the finished frames that the worker keeps for reuse."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

from lumivid_fx.cli.options import GB, AsJson
from lumivid_fx.cli.outcome import one_sentence
from lumivid_fx.cli.phase_bar import brief_time
from lumivid_fx.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from lumivid_fx.worker.result_cache import ResultCache, Usage

cache = typer.Typer(
    name="cache", help="Show and prune the finished frames that the worker keeps for reuse."
)


@cache.callback(invoke_without_command=True)
def look(context: typer.Context, as_json: AsJson = False) -> None:
    """Show and prune the finished frames that the worker keeps for reuse."""
    if context.invoked_subcommand is None:
        show(as_json)


@cache.command()
def show(as_json: AsJson = False) -> None:
    """Say where the cache lies and how much it holds."""
    with one_sentence(as_json=as_json, interrupted=lambda: "nothing was changed"):
        folder, found = _cache()
        _tell(folder, found.usage(), as_json=as_json)


@cache.command()
def prune(
    to_gb: Annotated[
        float | None, typer.Option(min=0, help="How much may stay; what was used last does.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove all of it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove frames from the cache; renders on disk are no part of it."""
    with one_sentence(as_json=as_json, interrupted=lambda: "the cache was pruned in part"):
        if (to_gb is None) != everything:
            raise InputError("say how much of the cache may stay with --to-gb, or --all for none")
        folder, found = _cache()
        if to_gb is None:
            found.clear()
        else:
            found.prune(round(to_gb * GB))
        _tell(folder, found.usage(), as_json=as_json)


def _cache() -> tuple[Path, ResultCache]:
    """The worker's cache, as it lies; nothing is removed to keep to a limit."""
    from lumivid_fx.protocol.places import Places
    from lumivid_fx.worker.result_cache import ResultCache

    folder = Places.of().cache
    return folder, ResultCache(folder, 0)


def _tell(folder: Path, usage: Usage, *, as_json: bool) -> None:
    if as_json:
        told = {
            "folder": str(folder),
            "frames": usage.count,
            "bytes": usage.size,
            "oldest": usage.oldest,
            "newest": usage.newest,
        }
        typer.echo(json.dumps(told))
        return
    typer.echo(f"{usage.count} frames, {_size(usage.size)} in {folder}")
    if usage.oldest is not None and usage.newest is not None:
        now = time.time()
        oldest, newest = (brief_time(max(0.0, now - at)) for at in (usage.oldest, usage.newest))
        typer.echo(f"last used between {oldest} and {newest} ago")


def _size(count: int) -> str:
    """Bytes as people say them: ``0 kB``, ``38 MB``, ``1.2 GB``."""
    if count < 1_000_000:
        return f"{count / 1000:.0f} kB"
    return f"{count / 1e6:.0f} MB" if count < GB else f"{count / GB:.1f} GB"
