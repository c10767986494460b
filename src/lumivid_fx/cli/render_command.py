"""``lumivid render``: its options, and their way to a render, here or at the worker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lumivid_fx.cli import options as o
from lumivid_fx.cli.outcome import one_sentence
from lumivid_fx.cli.render_log import RenderLog
from lumivid_fx.cli.worker_log import JobLog
from lumivid_fx.errors import InputError
from lumivid_fx.model.quiet import quieten_libraries

if TYPE_CHECKING:
    from lumivid_fx.model.checkpoint import HdrModel

MAX_LORA_STRENGTH = 2.0


def render(
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
    device: Annotated[
        str | None,
        typer.Option(
            help="auto, cpu, cuda; or several, as cuda:0,cuda:1 or all, to spread windows over.",
            rich_help_panel=o.MODEL,
            show_default="auto",
        ),
    ] = None,
    worker: Annotated[
        bool,
        typer.Option(
            "--worker",
            help="Have `lumivid worker` render it, whose model is loaded; the bits are the same.",
            rich_help_panel=o.MODEL,
        ),
    ] = False,
    seed: o.Seed = 0,
    steps: o.Steps = None,
    schedule: o.Schedule = None,
    detail: o.Detail = 1.0,
    reference_strength: o.ReferenceStrength = 1.0,
    mask: o.Mask = None,
    high_quality: o.HighQuality = False,
    exposure: o.Exposure = 0.0,
    fps: o.Fps = None,
    memory: o.Memory = "auto",
    compiled: o.Compile = False,
    model_size: o.ModelSize = None,
    tile: o.Tile = None,
    tilers: o.Tilers = "seamless",
    window: o.Window = None,
    overlap: o.Overlap = None,
    compression: o.Compression = "zip",
    generated: o.Generated = False,
    sheet: Annotated[
        Path | None,
        typer.Option(
            help="Contact sheet to write: input, and result at -4, 0, +4 stops, as PNG.",
            rich_help_panel=o.REPORT,
        ),
    ] = None,
    overwrite: o.Overwrite = False,
    as_json: o.JsonLines = False,
) -> None:
    """Render a plate to scene-linear half-float EXR.

    Frames that are there already, made with the same settings, are kept: the same command resumes.
    """
    log: RenderLog | JobLog = (JobLog if worker else RenderLog)(as_json=as_json)
    with one_sentence(as_json=as_json, interrupted=lambda: _kept(log.finished, overwrite)):
        if not 0 <= lora_strength <= MAX_LORA_STRENGTH:
            raise InputError(
                f"LoRA strength is {lora_strength:g}; give a number from 0 to {MAX_LORA_STRENGTH:g}"
            )
        if worker and device is not None:
            raise InputError(
                "the worker renders on the devices it was started with; leave out --device, or "
                "--worker"
            )
        if worker and (memory != "auto" or compiled):
            raise InputError(
                "the worker plans its own memory; leave out --memory and --compile, or --worker"
            )
        from lumivid_fx.cli.request import build_request
        from lumivid_fx.cli.worker_render import render_at_worker
        from lumivid_fx.protocol.messages import Settings

        settings = Settings(
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
        )
        if isinstance(log, JobLog):
            request = build_request(
                source,
                target,
                frames=frames,
                settings=settings,
                mask=mask,
                model=model,
                lora=lora,
                lora_strength=lora_strength,
                ocio=ocio,
                compression=compression,
                overwrite=overwrite,
            )
            render_at_worker(request, log, source, sheet)
            return
        here = log
        quieten_libraries()
        from lumivid_fx.media.contact_sheet import require_png
        from lumivid_fx.model.library import find_model
        from lumivid_fx.model.manifest import read_manifest
        from lumivid_fx.pipeline import render_files
        from lumivid_fx.pipeline.devices import choose_devices
        from lumivid_fx.pipeline.fitting import fit_to_devices
        from lumivid_fx.pipeline.preview import write_preview
        from lumivid_fx.worker.one_job import shot_settings

        if sheet is not None:
            require_png(sheet)
        manifest = read_manifest(find_model(model))
        shot = shot_settings(settings, manifest, None if mask is None else str(mask))
        config = None if ocio is None else str(ocio)

        devices = choose_devices(device or "auto")
        only = None if memory == "auto" else memory

        def load() -> HdrModel:
            here.bar.phase("loading the model")
            loaded = _load(model, lora, lora_strength, devices[0])
            if compiled:
                here.bar.line("compiled: the first step of each stage takes minutes longer")
            return replace(loaded, compiled=compiled)

        with here:
            here.steps_per_window = sum(len(stage) - 1 for stage in shot.sigmas or manifest.sigmas)
            report = render_files.render(
                source,
                target,
                frames=frames,
                settings=shot,
                model=load,
                fit=fit_to_devices(devices, load, only, here.on_plan),
                ocio=config,
                compression=compression,
                overwrite=overwrite,
                on_start=here.on_start,
                on_progress=here.on_progress,
                on_frame=here.on_frame,
            )
            if sheet is not None:
                here.bar.phase("drawing the contact sheet")
                write_preview(sheet, source, report.frames, shot, config)
        here.on_end(report, sheet)


def _kept(finished: int, overwrite: bool) -> str:
    again = "the same command without --overwrite" if overwrite else "the same command"
    return f"{finished} finished frames are kept, and {again} goes on after them"


def _load(model: str | None, lora: Path | None, strength: float, device: str) -> HdrModel:
    from lumivid_fx.model.checkpoint import read_model, working_type

    return read_model(model, lora=lora, lora_strength=strength, dtype=working_type(device))
