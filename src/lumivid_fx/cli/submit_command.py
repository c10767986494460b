"""``lumivid submit``: a render that the worker does, and nobody waits for.

It needs no torch: the machine that asks need not be one that renders.
"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from lumivid_fx.cli import options as o
from lumivid_fx.cli.jobs_command import reach_worker
from lumivid_fx.cli.outcome import one_sentence


def submit(
    *,
    source: o.Source,
    target: o.Target,
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
    priority: Annotated[
        int,
        typer.Option(help="-100 to 100; higher goes first.", rich_help_panel=o.QUEUE),
    ] = 0,
    label: Annotated[
        str, typer.Option(help="What to call it in lists.", rich_help_panel=o.QUEUE)
    ] = "",
    as_json: o.AsJson = False,
) -> None:
    """Have the worker render a plate, and do not wait for it. Prints the job's id.

    Submitted again to the same OUTPUT, frames that are there already are kept.
    """
    with one_sentence(as_json=as_json, interrupted=lambda: "the job may have been submitted"):
        from lumivid_fx.cli.request import build_request
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
            priority=priority,
            label=label,
        )
        with reach_worker() as there:
            job = there.submit_request(request, want_frames=False)
            typer.echo(json.dumps({"job": job.id, "state": job.state}) if as_json else job.id)
