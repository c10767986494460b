"""``lumivid evaluate``: results against references, the paper's tables, the picture page."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from lumivid_fx.cli.options import Model
from lumivid_fx.cli.outcome import one_sentence
from lumivid_fx.cli.phase_bar import PhaseBar
from lumivid_fx.errors import InputError

if TYPE_CHECKING:
    from lumivid_fx.evaluation.table import Table
    from lumivid_fx.evaluation.workbench import Tell, Workbench


class _PairsUnlessNamed(TyperGroup):
    """``lumivid evaluate A B`` is ``lumivid evaluate pairs A B``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["pairs", *args]
        return super().parse_args(ctx, args)


evaluate = typer.Typer(
    name="evaluate",
    cls=_PairsUnlessNamed,
    no_args_is_help=True,
    help="Measure results against references (evaluate PREDICTIONS REFERENCES); make tables.",
)

Maps = Annotated[Path, typer.Option(help="Folder of environment maps, the held-out ones in it.")]
Out = Annotated[Path, typer.Option(help="Folder to write into, made if missing.")]


@evaluate.command()
def pairs(
    predictions: Annotated[
        str,
        typer.Argument(metavar="PREDICTIONS", help="EXR still, plate.####.exr, or folder of them."),
    ],
    references: Annotated[
        str, typer.Argument(metavar="REFERENCES", help="The truth: as many frames of one size.")
    ],
    source: Annotated[
        str | None,
        typer.Option(metavar="SDR", help="What PREDICTIONS were made of: says what had clipped."),
    ] = None,
    fps: Annotated[
        float | None, typer.Option(min=1, help="Of clips, for JOD; the files' own if not said.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure results against references: exposure as it is, aligned, and CRF-corrected."""
    with one_sentence(as_json=as_json, interrupted=lambda: "nothing was measured"):
        from lumivid_fx.evaluation.pairs import compare_all, find_pairs
        from lumivid_fx.evaluation.perceptual import Perceptual

        found = find_pairs(predictions, references, source)
        with _told(quiet=as_json) as tell, Perceptual() as perceptual:
            table = compare_all(found, perceptual, tell, fps)
        typer.echo(_as_json(table) if as_json else _upright(table))


@evaluate.command()
def tables(
    maps: Maps,
    which: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TABLE]...", help="1 to 5 or figure4; all if none is named."),
    ] = None,
    model: Model = None,
    out: Out = Path("evaluation-out"),
    ablations: Annotated[
        Path | None,
        typer.Option(
            help="Folder of runs for tables 4 and 5: logc3, pq, hlg, acescct, linear16, full, "
            "none, blur, each a model folder or NAME.safetensors."
        ),
    ] = None,
) -> None:
    """Make the paper's tables 1 to 5 and figure 4 for a model, with the paper's rows beside.

    Writes results.md, and in results/ each table as Markdown, CSV and LaTeX.
    """
    with one_sentence(as_json=False, interrupted=lambda: "tables that were finished stay"):
        from lumivid_fx.evaluation.results import TABLES, Results

        asked = which or list(TABLES)
        unknown = [name for name in asked if name not in TABLES]
        if unknown:
            raise InputError(f"there is no table {unknown[0]}; name some of {', '.join(TABLES)}")
        with _bench(maps, model, ablations) as bench:
            command = _command("tables", *(which or ()), model=model, ablations=ablations)
            page = Results(bench, out).make(asked, command)
        typer.echo(page)


@evaluate.command()
def pictures(maps: Maps, model: Model = None, out: Out = Path("evaluation-out")) -> None:
    """Draw every held-out scene as SDR, as the model's and as the truth, at -4, 0 and +3 stops.

    Writes pictures.md, and a PNG for each scene in pictures/.
    """
    with one_sentence(as_json=False, interrupted=lambda: "pictures that were finished stay"):
        from lumivid_fx.evaluation.pictures import PAGE, write_pictures

        with _bench(maps, model, None) as bench:
            write_pictures(bench, out, _command("pictures", model=model))
        typer.echo(str(out / PAGE))


@contextmanager
def _bench(maps: Path, model: str | None, runs: Path | None) -> Iterator[Workbench]:
    from lumivid_fx.evaluation.perceptual import Perceptual
    from lumivid_fx.evaluation.workbench import Workbench
    from lumivid_fx.model.checkpoint import load_model

    with _told(quiet=False) as tell, Perceptual() as perceptual:
        yield Workbench(maps, load_model(model), perceptual, tell, runs=runs, base=model)


@contextmanager
def _told(*, quiet: bool) -> Iterator[Tell]:
    """A bar with the time left, or a line a phase."""
    with PhaseBar("getting ready", quiet=quiet) as bar:
        began: dict[str, float] = {}

        def tell(words: str, done: int, total: int) -> None:
            since = time.monotonic() - began.setdefault(words, time.monotonic())
            bar.phase(words)
            bar.advance(
                done, total, f"{done} of {total}", since / done * (total - done) if done else None
            )

        yield tell


def _command(verb: str, *names: str, **given: str | Path | None) -> str:
    """The command as a reader may give it: folders of this machine are none of theirs."""
    named = [f"--{name} {Path(path).name}" for name, path in given.items() if path is not None]
    return " ".join(["lumivid evaluate", verb, *names, "--maps MAPS", *named])


def _as_json(table: Table) -> str:
    def plain(cell: object) -> object:
        return cell if not isinstance(cell, float) or math.isfinite(cell) else None

    rows = [{k: plain(v) for k, v in row.items()} for row in table.rows]
    return json.dumps({"pairs": rows, "notes": list(table.notes)})


def _upright(table: Table) -> str:
    """A line a figure: so many columns fit no terminal."""
    width = max(len(column.heading) for column in table.columns)
    parts = []
    for row in table.rows:
        lines = [
            f"{column.heading:{width}}  {column.text(row.get(column.key))}"
            for column in table.columns
        ]
        parts.append("\n".join(lines))
    return "\n\n".join([*parts, *table.notes])
