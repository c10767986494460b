"""``lumivid models``: models by name, from the files a user has or fetches."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from lumivid_fx.cli.options import GB, AsJson
from lumivid_fx.cli.outcome import one_sentence
from lumivid_fx.cli.phase_bar import PhaseBar
from lumivid_fx.errors import InputError
from lumivid_fx.model.quiet import quieten_libraries

if TYPE_CHECKING:
    from lumivid_fx.model.adding import Given

models = typer.Typer(
    name="models",
    help="Add, list, check and fetch models, each under a name.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the model is called.")]
Replace = Annotated[bool, typer.Option("--replace", help="Take the place of a model of that name.")]


@models.command()
def add(
    name: Name,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES...",
            help="Its files and folders in any order; FILE:0.5 is a LoRA's strength.",
        ),
    ],
    lora_fusing: Annotated[
        Literal["float32", "bfloat16"],
        typer.Option(help="How LoRAs are rounded; bfloat16 is the reference code's way."),
    ] = "float32",
    replace: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Name a model for --model: a checkpoint, a latent upsampler, LoRAs and the scene embedding.

    Files stay where they are. What each is, its content says.
    """
    with one_sentence(as_json=as_json, interrupted=lambda: "no model was added"):
        quieten_libraries()
        _add(name, [_given(text) for text in files], lora_fusing, replace=replace, as_json=as_json)


@models.command("list")
def list_models(as_json: AsJson = False) -> None:
    """Say which models there are, and what they are made of."""
    with one_sentence(as_json=as_json, interrupted=lambda: "nothing was changed"):
        from lumivid_fx.model.library import EMBEDDED, entries, library_folder

        rows = [_row(name, folder) for name, folder in [("embedded", EMBEDDED), *entries()]]
        if as_json:
            typer.echo(json.dumps({"folder": str(library_folder()), "models": rows}))
            return
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table("model", "steps", "curve", "LoRAs", "files", "")
        for row in rows:
            cells = [row["name"], row["steps"], row["transfer"] or "by its LoRA"]
            cells += [", ".join(row["loras"]), row["size"], row["flaw"] or "ok"]
            table.add_row(*(Text(cell) for cell in cells))
        Console().print(table)
        typer.echo(f"in {library_folder()}")


@models.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="Models; all if not said.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hash every file of a model again. The exit code is 1 when one is not what it was."""
    with one_sentence(as_json=as_json, interrupted=lambda: "not every file was verified"):
        quieten_libraries()
        from lumivid_fx.model.adding import verify_model
        from lumivid_fx.model.library import entries, find_model

        wanted = {name: find_model(name) for name in names} if names else dict(entries())
        flaws: dict[str, list[str]] = {}
        with PhaseBar("verifying", quiet=as_json) as bar:
            for name, folder in wanted.items():
                flaws[name] = verify_model(folder, _told(bar))
        if as_json:
            typer.echo(json.dumps({"models": flaws}))
        else:
            for name, found in flaws.items():
                typer.echo(f"{name}: " + ("; ".join(found) or "every file is what it was"))
        if any(flaws.values()):
            raise typer.Exit(1)


@models.command()
def pull(
    name: Annotated[str, typer.Argument(metavar="NAME", help="ltx-2.3-hdr is the one known.")],
    accept_licence: Annotated[
        bool,
        typer.Option("--accept-licence", help="You have read the licence and keep to it."),
    ] = False,
    replace: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Fetch a published model with your own account on Hugging Face, and add it.

    The licence is shown first. What has come stays, and the same command goes on.
    """
    stopped = "what has come stays, and the same command goes on"
    with one_sentence(as_json=as_json, interrupted=lambda: stopped):
        os.environ["HF_HUB_OFFLINE"] = "0"  # the one command that goes out, and for files alone
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        quieten_libraries()
        from lumivid_fx.model.adding import Given
        from lumivid_fx.model.hub import pull as fetch
        from lumivid_fx.model.hub import read_licences
        from lumivid_fx.model.published import PULLABLE

        if name not in PULLABLE:
            raise InputError(f"{name!r} is not known here; known are {', '.join(PULLABLE)}")
        files = PULLABLE[name]
        _agree(read_licences(files), accepted=accept_licence)
        with PhaseBar("fetching", quiet=as_json) as bar:
            paths = fetch(files, _told(bar))
        _add(name, [Given(path) for path in paths], "float32", replace=replace, as_json=as_json)


def _agree(licences: list[tuple[str, str]], *, accepted: bool) -> None:
    """Show the licence and who must pay, and have the user say yes.

    Raises:
        InputError: They do not, or nobody is there to ask.
    """
    from lumivid_fx.model.hub import WHO_MUST_PAY

    for repo, text in licences:
        typer.echo(f"--- licence of {repo} ---\n{text.strip() or 'none stands beside its files'}\n")
    typer.echo(WHO_MUST_PAY)
    if accepted:
        return
    if not sys.stdin.isatty():
        raise InputError("nobody is there to agree to the licence; read it, and --accept-licence")
    if not typer.confirm("Do you keep to this licence, and fetch the files?", err=True):
        raise InputError("nothing was fetched, for the licence was not agreed to; ask a lawyer")


def _add(name: str, given: list[Given], lora_fusing: str, *, replace: bool, as_json: bool) -> None:
    from lumivid_fx.model.adding import add_model

    with PhaseBar("looking at the files", quiet=as_json) as bar:
        folder = add_model(
            name, given, lora_fusing=lora_fusing, replace=replace, on_progress=_told(bar)
        )
    row = _row(name, folder)
    if as_json:
        typer.echo(json.dumps({**row, "folder": str(folder)}))
        return
    loras = ", ".join(row["loras"]) or "no LoRA"
    typer.echo(f"{name}: {row['steps']} steps, {loras}; render with --model {name}")


def _told(bar: PhaseBar) -> Any:
    def told(words: str, done: int, total: int) -> None:
        bar.phase(words)
        bar.advance(done, max(1, total), f"{done / GB:.1f} of {total / GB:.1f} GB", None)

    return told


def _row(name: str, folder: Path) -> dict[str, Any]:
    """A model in a list; one whose files are gone is there with its flaw."""
    from lumivid_fx.model.library import named_files
    from lumivid_fx.model.manifest import read_manifest

    manifest = read_manifest(folder)
    paths = named_files(folder, manifest)
    gone = [path for path in paths if not path.exists()]
    size = sum(_size(path) for path in paths if path.exists())
    loras = [manifest.lora, *(file for file, _ in manifest.more_loras)]
    return {
        "name": name,
        "steps": " + ".join(str(len(stage) - 1) for stage in manifest.sigmas),
        "transfer": manifest.transfer,
        "loras": [Path(file).name for file in loras if file],
        "size": f"{size / GB:.2f} GB",
        "flaw": f"{gone[0]} is missing" if gone else "",
    }


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _given(text: str) -> Given:
    """A path, or a LoRA's path and strength: ``file.safetensors:0.5``."""
    from lumivid_fx.model.adding import Given

    path, colon, number = text.rpartition(":")
    if colon and path and not Path(text).exists():
        try:
            return Given(Path(path), float(number))
        except ValueError:
            pass
    return Given(Path(text))
