"""``lumivid farm``: a shot's plan, and what carries it to a farm."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from lumivid_fx.cli import options as o
from lumivid_fx.cli.outcome import one_sentence
from lumivid_fx.cli.phase_bar import PhaseBar
from lumivid_fx.cli.window_command import Device, PathRules, Plan, StitchLog, told
from lumivid_fx.model.quiet import quieten_libraries

farm = typer.Typer(
    name="farm",
    help="Plan a shot in windows, and hand it to a farm.",
    no_args_is_help=True,
)


@farm.command()
def plan(
    *,
    source: o.Source,
    target: o.Target,
    plan: Annotated[
        Path, typer.Option("--plan", metavar="PLAN", help="File to write, such as shot.json.")
    ],
    windows: Annotated[
        Path | None,
        typer.Option(help="Folder for window files; PLAN's name with .windows if not said."),
    ] = None,
    frames: o.Frames = None,
    input_space: o.InputSpace = None,
    output_space: o.OutputSpace = "lin_rec709",
    source_view: o.SourceView = None,
    ocio: o.Ocio = None,
    model: o.Model = None,
    lora: o.Lora = None,
    lora_strength: o.LoraStrength = 1.0,
    seed: o.Seed = 0,
    steps: o.Steps = None,
    schedule: o.Schedule = None,
    detail: o.Detail = 1.0,
    reference_strength: o.ReferenceStrength = 1.0,
    mask: o.Mask = None,
    high_quality: o.HighQuality = False,
    exposure: o.Exposure = 0.0,
    fps: o.Fps = None,
    model_size: o.ModelSize = None,
    tile: o.Tile = None,
    tilers: o.Tilers = "seamless",
    window: o.Window = None,
    overlap: o.Overlap = None,
    compression: o.Compression = "zip",
    generated: o.Generated = False,
    overwrite: o.Overwrite = False,
    as_json: o.AsJson = False,
) -> None:
    """Write the plan of a shot: its windows, and what they are made from.

    Every machine that renders one must reach INPUT, OUTPUT, PLAN and the folder of the windows.
    """
    with one_sentence(as_json=as_json, interrupted=lambda: "no plan was written"):
        quieten_libraries()
        from lumivid_fx.cli.request import build_request
        from lumivid_fx.farm.plan_file import write_plan
        from lumivid_fx.farm.planning import make_plan
        from lumivid_fx.protocol.messages import Settings

        request = build_request(
            source,
            target,
            frames=frames,
            settings=Settings(
                input_space=input_space,
                output_space=output_space,
                source_view=source_view,
                seed=seed,
                steps=steps,
                schedule=schedule,
                reference_strength=reference_strength,
                detail=detail,
                exposure=exposure,
                model_size=model_size,
                tile=tile,
                tilers=tilers,
                high_quality=high_quality,
                window=window,
                overlap=overlap,
                fps=fps,
                generated=generated,
            ),
            mask=mask,
            model=model,
            lora=lora,
            lora_strength=lora_strength,
            ocio=ocio,
            compression=compression,
            overwrite=overwrite,
        )
        place = plan.absolute()
        folder = (windows or place.with_suffix(".windows")).absolute()
        with PhaseBar("reading the plate", quiet=as_json) as bar:

            def hashed(done: int, count: int) -> None:
                bar.phase("hashing the plate", f"{done} of {count} files")

            made = make_plan(request, folder, hashed)
        write_plan(place, made)
        if as_json:
            told = {"plan": str(place), "windows": len(made.windows), "folder": str(folder)}
            typer.echo(json.dumps(told))
        else:
            count = len(made.windows)
            typer.echo(f"{place}: {count} window{'' if count == 1 else 's'}, 0 to {count - 1}")


@farm.command()
def export(
    *,
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder to write.")],
    plan: Plan,
    gpu: Annotated[
        bool | None,
        typer.Option(
            "--gpu/--no-gpu",
            help="Whether windows need a GPU.",
            show_default="unless the model is the embedded one",
        ),
    ] = None,
) -> None:
    """Write a plan as an Open Job Description job bundle, as AWS Deadline Cloud takes it."""
    with one_sentence(as_json=False, interrupted=lambda: "the bundle may not be whole"):
        from lumivid_fx.farm.job_bundle import job_parameters, wants_gpu, write_bundle
        from lumivid_fx.farm.plan_file import read_plan

        place, made = plan.absolute(), read_plan(plan)
        write_bundle(made, place, bundle, gpu=wants_gpu(made) if gpu is None else gpu)
        given = job_parameters(made, place)
        called = ["openjd", "run", str(bundle / "template.yaml"), "--step", "Stitch"]
        called += ["--run-dependencies", "--job-param", json.dumps(given)]
        typer.echo(f"{bundle}: deadline bundle submit {shlex.quote(str(bundle))}")
        typer.echo(f"here and now: {shlex.join(called)}")


@farm.command()
def bundle(
    *,
    request: Annotated[
        Path, typer.Argument(metavar="REQUEST", help="What the node or a script packed.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Gets plan.json and bundle.")],
) -> None:
    """Write plan and job bundle of a request, as the node's Send to farm does."""
    with one_sentence(as_json=False, interrupted=lambda: "the bundle may not be whole"):
        quieten_libraries()
        from lumivid_fx.farm.prepare import BUNDLE, prepare, read_request

        made = prepare(read_request(request), folder)
        typer.echo(f"{folder / BUNDLE}: {len(made.windows)} windows")


@farm.command()
def run(
    *,
    plan: Plan,
    ray: Annotated[
        str,
        typer.Option(
            "--ray", metavar="ADDRESS", help="Of a Ray cluster's head; auto is this machine's."
        ),
    ],
    workers: Annotated[
        int | None, typer.Option(min=1, help="At most; one a GPU, or a node, if not said.")
    ] = None,
    gpu: Annotated[
        bool | None,
        typer.Option(
            "--gpu/--no-gpu",
            help="Whether windows need a GPU.",
            show_default="if the cluster has any",
        ),
    ] = None,
    overwrite: o.Overwrite = False,
    as_json: o.JsonLines = False,
) -> None:
    """Render a plan's windows on a Ray cluster, and stitch them here.

    Every node needs this release and reaches INPUT, OUTPUT and PLAN under the same paths. Beyond
    this machine the cluster must ask for a token: RAY_AUTH_MODE=token.
    """
    stopped = "finished windows are kept, and the same command goes on after them"
    with one_sentence(as_json=as_json, interrupted=lambda: stopped), told(openjd=False):
        quieten_libraries()
        from lumivid_fx.farm.path_rules import read_plan_here
        from lumivid_fx.farm.ray_run import Told, run_on_ray
        from lumivid_fx.farm.stitching import stitch

        made = read_plan_here(plan, None)
        with PhaseBar("joining the cluster", quiet=as_json) as bar:

            def tell(heard: Told) -> None:
                if heard.note and as_json:
                    row = {"done": heard.done, "windows": heard.windows, "note": heard.note}
                    typer.echo(json.dumps(row))
                elif heard.note:
                    bar.line(f"{heard.note}, {heard.done} of {heard.windows}")
                words = ", ".join(f"{index}: {doing}" for index, doing in heard.under_way.items())
                if bar.seen and words:
                    bar.phase(words)
                bar.advance(heard.done, heard.windows, f"{heard.done} of {heard.windows}", None)

            run_on_ray(made, ray, tell=tell, gpus=gpu, workers=workers)
        log = StitchLog(as_json=as_json)
        with log:
            report = stitch(
                made,
                overwrite=overwrite,
                looked=log.looked,
                on_start=log.on_start,
                on_frame=log.on_frame,
            )
        log.on_end(report, None)


@farm.command()
def hold(
    *,
    plan: Plan,
    session: Annotated[Path, typer.Option(help="Folder of the session.")],
    device: Device = "auto",
    openjd: Annotated[
        bool, typer.Option("--openjd", help="Tell progress as a session listens for it.")
    ] = False,
    path_rules: PathRules = None,
) -> None:
    """Keep a plan's model loaded for the windows of a session, in a process of its own.

    It ends with `lumivid farm release`, or when the session's folder is removed.
    """
    with (
        one_sentence(as_json=False, interrupted=lambda: "no model is held"),
        told(openjd=openjd) as lines,
    ):
        from lumivid_fx.farm.held_model import hold as start

        if lines is not None:
            lines.status("loading the model")
        device_name = start(plan.absolute(), session.absolute(), device, path_rules)
        typer.echo(f"the model is loaded on {device_name}")


@farm.command()
def release(*, session: Annotated[Path, typer.Option(help="Folder of the session.")]) -> None:
    """End the process that holds a model for a session."""
    with one_sentence(as_json=False, interrupted=lambda: "the model may be held still"):
        from lumivid_fx.farm.held_model import let_go

        typer.echo("the model was let go" if let_go(session.absolute()) else "no model was held")
