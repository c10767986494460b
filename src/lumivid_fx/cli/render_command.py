"""``lumivid render``: its options, and their way to a render."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lumivid_fx.cli.outcome import one_sentence
from lumivid_fx.cli.render_log import RenderLog
from lumivid_fx.errors import InputError

if TYPE_CHECKING:
    from lumivid_fx.model.checkpoint import HdrModel

MAX_LORA_STRENGTH = 2.0

_COLOUR, _MODEL, _LOOK = "Colour", "Model", "Look"
_SIZE, _REPORT = "Memory and time", "Output"

QUIET_LIBRARIES = {
    "DIFFUSERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_OFFLINE": "1",  # a model is a folder; nothing is ever downloaded
}
"""Environment under which the libraries below keep to themselves what only we can act upon."""


def render(
    *,
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="Movie, image sequence such as plate.####.exr, single image, or folder.",
        ),
    ],
    target: Annotated[
        str,
        typer.Argument(metavar="OUTPUT", help="Frames to write, as out/plate.####.exr, or folder."),
    ],
    frames: Annotated[
        str | None,
        typer.Option(
            "--frames", "--range", help="Frames to render, as 1001-1049; all if not said."
        ),
    ] = None,
    input_space: Annotated[
        str | None,
        typer.Option(help="Colour space of INPUT; guessed if not said.", rich_help_panel=_COLOUR),
    ] = None,
    output_space: Annotated[
        str, typer.Option(help="Scene-linear space to write.", rich_help_panel=_COLOUR)
    ] = "lin_rec709",
    source_view: Annotated[
        str | None,
        typer.Option(
            help="SDR view INPUT was made with: srgb, rec709, gamma22 or Display/View.",
            rich_help_panel=_COLOUR,
        ),
    ] = None,
    ocio: Annotated[
        Path | None, typer.Option(help="A studio's config.ocio.", rich_help_panel=_COLOUR)
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(help="Model folder; the embedded one if not said.", rich_help_panel=_MODEL),
    ] = None,
    lora: Annotated[
        Path | None,
        typer.Option(help="HDR LoRA in place of the model's own.", rich_help_panel=_MODEL),
    ] = None,
    lora_strength: Annotated[
        float, typer.Option(help="1 as trained, 0 none, at most 2.", rich_help_panel=_MODEL)
    ] = 1.0,
    device: Annotated[
        Literal["auto", "cpu", "cuda"],
        typer.Option(
            help="Where to run; auto takes a GPU if there is one.", rich_help_panel=_MODEL
        ),
    ] = "auto",
    seed: Annotated[int, typer.Option(help="Of the noise.", rich_help_panel=_LOOK)] = 0,
    steps: Annotated[
        int | None,
        typer.Option(
            help="Sampler steps a stage; the model's own if not said.", rich_help_panel=_LOOK
        ),
    ] = None,
    detail: Annotated[
        float,
        typer.Option(
            help="1 keeps the plate's well-exposed pixels, 0 is the model alone.",
            rich_help_panel=_LOOK,
        ),
    ] = 1.0,
    reference_strength: Annotated[
        float, typer.Option(help="1 holds on to the plate, 0 lets go of it.", rich_help_panel=_LOOK)
    ] = 1.0,
    exposure: Annotated[
        float, typer.Option(help="Stops added to the result.", rich_help_panel=_LOOK)
    ] = 0.0,
    fps: Annotated[
        float | None,
        typer.Option(help="Frames a second; the plate's if not said.", rich_help_panel=_LOOK),
    ] = None,
    model_size: Annotated[
        int | None,
        typer.Option(
            help="Longest side the model sees, pixels; 0 is the plate's own.", rich_help_panel=_SIZE
        ),
    ] = None,
    tile: Annotated[
        int | None,
        typer.Option(
            help="Edge of a tile in latents; one tile if not said.", rich_help_panel=_SIZE
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(help="Frames rendered at once, 8k+1.", rich_help_panel=_SIZE),
    ] = None,
    overlap: Annotated[
        int | None,
        typer.Option(
            help="Frames two windows share, 8k+1, at most half a window.", rich_help_panel=_SIZE
        ),
    ] = None,
    compression: Annotated[
        str,
        typer.Option(help="zip, zips, piz, dwaa, dwab or none.", rich_help_panel=_REPORT),
    ] = "zip",
    sheet: Annotated[
        Path | None,
        typer.Option(
            help="Contact sheet to write: input, and result at -4, 0, +4 stops, as PNG.",
            rich_help_panel=_REPORT,
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Render again what is there.", rich_help_panel=_REPORT),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="One JSON line a frame, and a summary.", rich_help_panel=_REPORT
        ),
    ] = False,
) -> None:
    """Render a plate to scene-linear half-float EXR.

    Frames that are there already, made with the same settings, are kept: the same command resumes.
    """
    log = RenderLog(as_json=as_json)
    with one_sentence(as_json=as_json, interrupted=lambda: _kept(log.finished, overwrite)):
        if not 0 <= lora_strength <= MAX_LORA_STRENGTH:
            raise InputError(
                f"LoRA strength is {lora_strength:g}; give a number from 0 to {MAX_LORA_STRENGTH:g}"
            )
        os.environ.update({k: v for k, v in QUIET_LIBRARIES.items() if k not in os.environ})
        from lumivid_fx.media.contact_sheet import require_png
        from lumivid_fx.model.checkpoint import EMBEDDED
        from lumivid_fx.model.manifest import read_manifest
        from lumivid_fx.pipeline import render_files
        from lumivid_fx.pipeline.preview import write_preview
        from lumivid_fx.pipeline.render_shot import ShotSettings

        if sheet is not None:
            require_png(sheet)
        sigmas = _schedule(read_manifest(model or EMBEDDED).sigmas, steps)
        settings = ShotSettings(
            input_space=input_space,
            output_space=output_space,
            source_view=source_view,
            seed=seed,
            sigmas=None if steps is None else sigmas,
            reference_strength=reference_strength,
            detail=detail,
            exposure=exposure,
            model_size=model_size,
            tile=tile,
            window=window,
            overlap=overlap,
            fps=fps,
        )
        config = None if ocio is None else str(ocio)

        def load() -> HdrModel:
            log.phase("loading the model")
            return _load(model, lora, lora_strength, device)

        with log:
            log.steps_per_window = sum(len(stage) - 1 for stage in sigmas)
            report = render_files.render(
                source,
                target,
                frames=frames,
                settings=settings,
                model=load,
                ocio=config,
                compression=compression,
                overwrite=overwrite,
                on_start=log.on_start,
                on_progress=log.on_progress,
                on_frame=log.on_frame,
            )
            if sheet is not None:
                log.phase("drawing the contact sheet")
                write_preview(sheet, source, report.frames, settings, config)
        log.on_end(report, sheet)


def _kept(finished: int, overwrite: bool) -> str:
    again = "the same command without --overwrite" if overwrite else "the same command"
    return f"{finished} finished frames are kept, and {again} goes on after them"


def _schedule(
    sigmas: tuple[tuple[float, ...], ...], steps: int | None
) -> tuple[tuple[float, ...], ...]:
    """The model's noise levels, thinned to the steps asked for."""
    from lumivid_fx.pipeline.sampling import thin_sigmas

    if steps is None:
        return sigmas
    most = max(len(stage) for stage in sigmas) - 1
    if not 1 <= steps <= most:
        raise InputError(f"steps is {steps}; this model takes 1 to {most}")
    return tuple(thin_sigmas(stage, steps) for stage in sigmas)


def _load(model: Path | None, lora: Path | None, strength: float, device: str) -> HdrModel:
    import torch

    from lumivid_fx.model.checkpoint import load_model

    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        raise InputError("torch sees no CUDA device; check `lumivid doctor`, or give --device cpu")
    chosen = "cuda" if there and device != "cpu" else "cpu"
    return load_model(model, lora=lora, lora_strength=strength, device=chosen)
