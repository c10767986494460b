"""All windows of a plan to finished frames: a render whose windows come from files.

The frames are those of ``lumivid render``, by the same code: plate, detail, cross-fade, attributes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from lumivid_fx.errors import InputError
from lumivid_fx.farm.plan_file import Plan
from lumivid_fx.farm.planned_model import PlannedModel, planned_settings
from lumivid_fx.farm.window_file import WindowMarks, look_at_window, read_window
from lumivid_fx.farm.window_task import require_unchanged
from lumivid_fx.media import format_range
from lumivid_fx.pipeline.frame_file import FrameFile
from lumivid_fx.pipeline.render_files import RenderReport, render
from lumivid_fx.pipeline.render_shot import ProgressCallback
from lumivid_fx.pipeline.shot_windows import Step
from lumivid_fx.pipeline.windows import Window


class WindowFiles(PlannedModel):
    """A plan's model whose windows lie in files.

    Args:
        plan: The plan.
        device: Where they were rendered.
        digest: Of the model as it ran there.
    """

    def __init__(self, plan: Plan, device: torch.device, digest: str) -> None:
        super().__init__(plan.model, device, digest)
        self._plan = plan
        self._places = {window.number: place for place, window in enumerate(plan.windows)}

    def codes(self, window: Window) -> Tensor:
        """See :class:`lumivid_fx.pipeline.shot_windows.RenderedWindows`."""
        return read_window(self._plan, self._places[window.index])


def stitch(
    plan: Plan,
    *,
    overwrite: bool = False,
    looked: Step = lambda *_: None,
    on_start: Callable[[int, int], None] | None = None,
    on_progress: ProgressCallback | None = None,
    on_frame: Callable[[FrameFile], None] | None = None,
) -> RenderReport:
    """Join a plan's windows to frames.

    Args:
        plan: The plan.
        overwrite: Write frames again that are there.
        looked: Progress of the look at the plate's files, which comes first; raise to cancel.
        on_start: As of :func:`lumivid_fx.pipeline.render_files.render`, like the others.
        on_progress: Likewise.
        on_frame: Likewise.

    Raises:
        InputError: Windows are missing, or a file is not what it was.
    """
    marks = _marks(plan)
    require_unchanged(plan, plan.files, looked)
    # Of several ways, the most common one stands for all in what the frames say of themselves.
    (((device, model, tiles), _),) = Counter(
        (mark.device, mark.model, mark.tiles) for mark in marks
    ).most_common(1)
    request = plan.request
    settings = planned_settings(request, plan.model)
    return render(
        plan.source,
        plan.target,
        frames=request.frames,
        settings=replace(settings, tile=tiles[0], vae_tile=tiles[1], vae_frames=tiles[2]),
        model=lambda: WindowFiles(plan, torch.device(device), model),
        ocio=request.ocio,
        compression=request.compression,
        overwrite=overwrite or request.overwrite,
        on_start=on_start,
        on_progress=on_progress,
        on_frame=on_frame,
    )


def rendered_by(plan: Plan) -> dict[str, int]:
    """How many windows each kind of processor rendered; one alone gives one machine's bits.

    GPUs of one kind with other tiles, for want of memory, count as several.
    """
    return dict(Counter(mark.made_by for mark in _marks(plan)))


def missing_windows(plan: Plan) -> list[int]:
    """Windows that are not there, by their place in the plan; their headers alone are read."""
    return [index for index in range(len(plan.windows)) if look_at_window(plan, index) is None]


def _marks(plan: Plan) -> list[WindowMarks]:
    """What the windows say of themselves.

    Raises:
        InputError: Some are missing, or they were rendered on devices of different kinds.
    """
    found = [look_at_window(plan, index) for index in range(len(plan.windows))]
    missing = [index for index, window in enumerate(found) if window is None]
    if missing:
        count = f"window {missing[0]}" if len(missing) == 1 else f"windows {format_range(missing)}"
        raise InputError(
            f"{count} of {len(found)} of the plan of {plan.source} "
            f"{'is' if len(missing) == 1 else 'are'} missing in {Path(plan.folder)}; render with "
            f"`lumivid window --index {missing[0]}`, and stitch again"
        )
    marks = [window[1] for window in found if window is not None]
    devices = sorted({mark.device for mark in marks})
    if len(devices) != 1:
        raise InputError(
            f"windows of the plan of {plan.source} were rendered on {' and '.join(devices)}, whose "
            "bits differ; render some again with `lumivid window --overwrite --device`"
        )
    return marks
