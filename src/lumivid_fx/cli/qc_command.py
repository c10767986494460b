"""``lumivid qc``: what is wrong with finished plates, frame by frame, for people and pipelines."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lumivid_fx.cli import options as o
from lumivid_fx.cli.outcome import DOES_NOT_PASS, one_sentence
from lumivid_fx.cli.phase_bar import PhaseBar

if TYPE_CHECKING:
    from lumivid_fx.review.qc import Inspection

_LIMITS = "Limits"


def qc(
    *,
    plates: o.Plates,
    against: Annotated[
        str | None,
        typer.Option(
            "--source", help="What PLATES were rendered from; its own changes are no faults."
        ),
    ] = None,
    frames: Annotated[
        str | None,
        typer.Option("--frames", help="Frames there should be; first to last there, if not said."),
    ] = None,
    negative: Annotated[
        float,
        typer.Option(
            "--max-negative",
            min=0,
            max=100,
            help="Per cent of samples below 0.",
            rich_help_panel=_LIMITS,
        ),
    ] = 5.0,
    clipped: Annotated[
        float,
        typer.Option(
            "--max-clipped",
            min=0,
            max=100,
            help="Per cent of samples at the end of the model's curve.",
            rich_help_panel=_LIMITS,
        ),
    ] = 1.0,
    jump: Annotated[
        float,
        typer.Option(
            "--max-jump",
            min=0,
            help="Stops a frame may differ by on its own.",
            rich_help_panel=_LIMITS,
        ),
    ] = 0.25,
    input_space: o.PlateSpace = None,
    ocio: o.Ocio = None,
    as_json: o.AsJson = False,
) -> None:
    """Look for faults in plates; exit code 0 if there are none, 6 if there are."""
    with one_sentence(as_json=as_json, interrupted=lambda: "not all frames were looked at"):
        from lumivid_fx.color.spaces import ColorSpaces
        from lumivid_fx.review.faults import Limits
        from lumivid_fx.review.qc import Inspection

        inspection = Inspection(
            plates,
            against,
            ColorSpaces(None if ocio is None else str(ocio)),
            frames=frames,
            space=input_space,
            limits=Limits(negative / 100, clipped / 100, jump),
        )
        bar = PhaseBar("looking", quiet=as_json)
        with closing(inspection), bar:
            inspection.run(bar.frames)
        if as_json:
            typer.echo(json.dumps(_as_json(plates, inspection)))
        else:
            _tell(plates, against, inspection)
        if inspection.findings:
            raise typer.Exit(DOES_NOT_PASS)


def _as_json(plates: str, inspection: Inspection) -> dict[str, object]:
    return {
        "plate": plates,
        "passed": not inspection.findings,
        "findings": [asdict(finding) for finding in inspection.findings],
        "frames": [asdict(facts) for facts in inspection.facts],
        "joins": sorted(inspection.joins),
        "cuts": inspection.cuts,
        "limits": asdict(inspection.limits),
    }


def _tell(plates: str, against: str | None, inspection: Inspection) -> None:
    for finding in inspection.findings:
        typer.secho(f"{finding.kind:10}", fg="red", nl=False)
        typer.echo(f" frame {finding.frame} {finding.told}")
    facts = inspection.facts
    if facts:
        negative = max(facts, key=lambda each: each.negative)
        clipped = max(facts, key=lambda each: each.clipped)
        typer.echo(
            f"below 0: at most {negative.negative:.2%} of a frame (frame {negative.frame}); at the "
            f"curve's end: at most {clipped.clipped:.2%} (frame {clipped.frame})"
        )
    if not inspection.joins:
        typer.echo("the frames do not say where windows were joined; seams were not looked for")
    if inspection.cuts:
        typer.echo(f"cuts, taken for such: {', '.join(map(str, inspection.cuts))}")
    if against is None:
        typer.echo(
            "without --source a small step hides in motion, and a still frame counts as dead"
        )
    many = len({finding.frame for finding in inspection.findings})
    told = f"faults in {many} of them" if many else "no faults"
    typer.echo(f"{plates}: {len(facts)} frames looked at, {told}")
