"""Shots for the farm's tests: planned, rendered window by window, and rendered in one run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lumivid_fx.farm.plan_file import Plan
from lumivid_fx.farm.planned_model import planned_settings
from lumivid_fx.farm.planning import make_plan
from lumivid_fx.farm.stitching import stitch
from lumivid_fx.farm.window_file import CODES, read_window
from lumivid_fx.farm.window_task import WindowDone, render_window
from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.model.tensor_file import look, write
from lumivid_fx.pipeline.fitting import Fitted
from lumivid_fx.pipeline.render_files import render
from lumivid_fx.protocol.messages import PathSource, Request, Settings
from lumivid_fx.worker.one_job import shot_settings


def planned(
    source: str, folder: Path, model: Path, *, settings: dict[str, Any] | None = None, **chosen: Any
) -> Plan:
    """Plan a shot into a folder, in one sampler step.

    Args:
        source: The plate.
        folder: Gets ``out`` and ``windows``.
        model: Its folder.
        settings: What is decided beside the one step.
        chosen: Other fields of the request.
    """
    request = Request(
        source=PathSource(path=source),
        target=f"{folder}/out/hdr.####.exr",
        model=str(model),
        settings=Settings(**{"steps": 1, **(settings or {})}),
        **chosen,
    )
    return make_plan(request, folder / "windows")


def rendered(plan: Plan, model: HdrModel, indices: Iterable[int] | None = None) -> list[WindowDone]:
    """Render windows of a plan; all of them, last one first, if none are named."""
    chosen = reversed(range(len(plan.windows))) if indices is None else indices
    return [
        render_window(plan, index, lambda: fitted(plan, model), lambda *_: None) for index in chosen
    ]


def fitted(plan: Plan, model: HdrModel) -> Fitted:
    """A loaded model as it is on a CPU."""
    return Fitted(model, planned_settings(plan.request, plan.model))


def as_if_made(plan: Plan, index: int, **said: str) -> None:
    """Have a window's file say other things of how it was made."""
    path = plan.window_path(index)
    file, codes = look(path), read_window(plan, index)
    path.unlink()
    write(path, file.tensors, [(CODES, codes)], {**file.metadata, **said})


def in_one_run(plan: Plan, model: HdrModel, target: Path) -> dict[str, bytes]:
    """The same shot by a plain render: every file, byte for byte."""
    request = plan.request
    render(
        plan.source,
        f"{target}/hdr.####.exr",
        frames=request.frames,
        settings=shot_settings(request.settings, model.manifest, request.mask),
        model=model,
        ocio=request.ocio,
        compression=request.compression,
    )
    return files(target)


def on_a_farm(plan: Plan, model: HdrModel) -> dict[str, bytes]:
    """The shot window by window, and stitched: every file, byte for byte."""
    rendered(plan, model)
    stitch(plan)
    return files(Path(plan.target).parent)


def files(folder: Path) -> dict[str, bytes]:
    """The files of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
