"""One window of a plan, rendered on the machine that was asked: a farm's task.

Asked again it does nothing, for a window that is there is whole. Killed, it leaves nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.errors import InputError, OutOfMemoryError
from lumivid_fx.farm.plan_file import Plan, PlanFile
from lumivid_fx.farm.window_file import is_whole, write_window
from lumivid_fx.media import Plate
from lumivid_fx.media.plate import is_movie
from lumivid_fx.media.whole_file import remove_leftovers
from lumivid_fx.pipeline.background import ReadAhead, how_many
from lumivid_fx.pipeline.devices import device_name, is_out_of_memory
from lumivid_fx.pipeline.file_digests import file_digest
from lumivid_fx.pipeline.fitting import Fitted
from lumivid_fx.pipeline.ingest import SmallFrames
from lumivid_fx.pipeline.noise import SeededNoise
from lumivid_fx.pipeline.render_files import open_whole
from lumivid_fx.pipeline.render_shot import frame_bytes
from lumivid_fx.pipeline.shot_windows import ShotWindows, Step

MOST_READERS = 8
"""Frames of the plate that are read at once, where there are so many cores."""


@dataclass(frozen=True)
class WindowDone:
    """A window that is on disk.

    Attributes:
        index: Its place in the plan.
        path: Its file.
        how: ``rendered`` now, or ``kept`` from before.
    """

    index: int
    path: Path
    how: Literal["rendered", "kept"]


def render_window(
    plan: Plan, index: int, load: Callable[[], Fitted], step: Step, *, overwrite: bool = False
) -> WindowDone:
    """Render one window of a plan to its file, unless it is there.

    Args:
        plan: The plan.
        index: Place of the window in its list.
        load: Gives the plan's model, fitted; called when there is something to render.
        step: Progress and cancel.
        overwrite: Render it though it is there.

    Raises:
        InputError: The plan has no such window, or the plate is not what it was.
        RenderError: The model gave no numbers, or did not fit into memory.
    """
    plan.require_index(index)
    path = plan.window_path(index)
    step("looking for the window", 0, 1)
    if not overwrite and is_whole(plan, index):
        return WindowDone(index, path, "kept")
    remove_leftovers([path])
    step("checking the plate", 0, 1)
    require_unchanged(plan, _files_of(plan, index))
    with ExitStack() as stack:
        plate = stack.enter_context(open_whole(plan.source, plan.request.frames))
        step("loading the model", 0, 1)
        fitted = load()
        model, settings = fitted.model, fitted.settings
        spaces = ColorSpaces(plan.request.ocio)
        shot = ShotWindows.of(plate, model, settings, SeededNoise(settings.seed), spaces)
        asked = plan.windows[index]
        window = shot.windows[asked.number]
        numbers = plate.frame_numbers[window.first : window.last + 1]
        if (numbers[0], numbers[-1], len(numbers)) != (asked.first, asked.last, asked.frames):
            raise InputError(
                f"{plan.source} has other frames than when the plan was made; make the plan again"
            )
        small = SmallFrames(shot.height, shot.width)
        step("reading the plate", 0, len(numbers))
        threads = _readers(plate)
        with ReadAhead(lambda n: shot.reduce(plate.read(n)), numbers, threads, threads) as coming:
            for done, frame in enumerate(coming):
                small.frames[window.first + done] = frame
                step("reading the plate", done + 1, len(numbers))
        try:
            codes = shot.codes(window, small.stack(window)[0], model, step)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemoryError(
                f"there is not enough memory for window {index} of {plan.source} on "
                f"{device_name(model.device.type)}; plan it again with a smaller --model-size, "
                "--tile 16 or a shorter --window"
            ) from error
    step("writing the window", 0, 1)
    write_window(path, codes, plan.window_key(index), fitted)
    return WindowDone(index, path, "rendered")


def _readers(plate: Plate) -> int:
    """How many frames are read at once: no model runs meanwhile. A movie is decoded in order."""
    cores = 1 if is_movie(plate.source) else min(os.cpu_count() or 1, MOST_READERS)
    return how_many(frame_bytes(plate), cores)


def require_unchanged(
    plan: Plan, files: Iterable[PlanFile], looked: Step = lambda *_: None
) -> None:
    """Refuse files that are not what they were when the plan was made.

    Raises:
        InputError: The first is named.
    """
    listed = list(files)
    for done, file in enumerate(listed):
        looked("checking the plate", done, len(listed))
        try:
            same = file_digest(Path(file.path)) == file.sha256
        except OSError as error:
            raise InputError(
                f"{file.path} of the plan of {plan.source} cannot be read ({error.strerror}); "
                "put it back, or make the plan again"
            ) from error
        if not same:
            raise InputError(
                f"{file.path} was changed since the plan of {plan.source} was made; put it back, "
                "or make the plan again with `lumivid farm plan`"
            )


def _files_of(plan: Plan, index: int) -> list[PlanFile]:
    """What a window is made from."""
    own = [plan.files[place] for place in plan.windows[index].files]
    return [*own, *(file for file in plan.files if file.use == "colour")]
