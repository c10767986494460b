"""A plan from a plate, a model and what the user decided; no weight is read, only headers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import torch

from lumivid_fx import __version__
from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.errors import InputError
from lumivid_fx.farm.plan_file import Plan, PlanFile, PlanPlate, PlanWindow, Use
from lumivid_fx.farm.planned_model import PlannedModel, describe_model, planned_settings
from lumivid_fx.media import Plate, parse_range
from lumivid_fx.pipeline.file_digests import file_digest
from lumivid_fx.pipeline.mask import ShotMask
from lumivid_fx.pipeline.noise import SeededNoise
from lumivid_fx.pipeline.preflight import (
    check_settings,
    require_elsewhere,
    require_inside,
    require_scene_linear,
    require_size,
)
from lumivid_fx.pipeline.render_files import open_whole
from lumivid_fx.pipeline.resume import output_pattern
from lumivid_fx.pipeline.shot_windows import ShotWindows
from lumivid_fx.pipeline.windows import Window
from lumivid_fx.protocol.messages import PathSource, Request

OnFile = Callable[[int, int], None]
"""Told how many files were hashed, and how many there are; raise to stop."""


def make_plan(request: Request, folder: Path, on_file: OnFile = lambda *_: None) -> Plan:
    """Plan a shot: look at plate, mask, model and colour config, and hash every file.

    Args:
        request: What the user decided; its paths are absolute.
        folder: Where window files are to go, absolute.
        on_file: Progress and cancel.

    Raises:
        InputError: What was asked for cannot be done as asked; a render would say the same.
    """
    if not isinstance(request.source, PathSource) or request.target is None:
        raise InputError("a farm reads and writes files; name a plate and an output on disk")
    source = request.source.path
    model = describe_model(request)
    settings = planned_settings(request, model)
    check_settings(settings, request.compression)
    spaces = ColorSpaces(request.ocio)
    require_scene_linear(spaces, settings.output_space)
    with ExitStack() as stack:
        plate = stack.enter_context(open_whole(source, request.frames))
        frames = plate.frame_numbers
        size = PlanPlate(height=plate.height, width=plate.width, frames=len(frames))
        numbers = list(frames if request.frames is None else parse_range(request.frames))
        require_inside(source, numbers, plate)
        require_size(source, plate)
        mask = None
        if settings.mask is not None:
            mask = stack.enter_context(ShotMask(settings.mask, plate))
            mask.require(numbers)
        masks = [] if mask is None else list(dict.fromkeys(map(mask.file_of, numbers)))
        facts = PlannedModel(model, torch.device("cpu"))
        shot = ShotWindows.of(plate, facts, settings, SeededNoise(settings.seed), spaces)
        pattern = output_pattern(source, request.target, still=len(numbers) == 1)
        for number in numbers:
            require_elsewhere(pattern.path(number), source)
        wanted = set(map(frames.index, numbers))
        needed = [w for w in shot.windows if not wanted.isdisjoint(range(w.first, w.last + 1))]
        places: dict[Path, int] = {}
        for number in numbers_of(needed, frames):
            places.setdefault(plate.file_of(number), len(places))
        windows = [_window(w, shot, plate, places) for w in needed]
    files = _hashed({"plate": [*places], "mask": masks, "colour": spaces.files()}, on_file)
    return Plan(
        lumivid_plan=1,
        made_by=__version__,
        request=request,
        folder=str(folder),
        model=model,
        plate=size,
        window=settings.window or model.manifest.window_frames,
        overlap=settings.overlap or model.manifest.overlap_frames,
        windows=tuple(windows),
        files=tuple(files),
    )


def numbers_of(windows: Sequence[Window], frames: Sequence[int]) -> list[int]:
    """Numbers of the frames that lie in windows, each once, ascending."""
    places = sorted({place for w in windows for place in range(w.first, w.last + 1)})
    return [frames[place] for place in places]


def _window(
    window: Window, shot: ShotWindows, plate: Plate, places: Mapping[Path, int]
) -> PlanWindow:
    seen = [plate.file_of(number) for number in numbers_of([window], plate.frame_numbers)]
    return PlanWindow(
        number=window.index,
        first=plate.frame_numbers[window.first],
        last=plate.frame_numbers[window.last],
        height=shot.height,
        width=shot.width,
        frames=window.last + 1 - window.first,
        files=tuple(dict.fromkeys(places[path] for path in seen)),
    )


def _hashed(named: Mapping[Use, Sequence[Path]], on_file: OnFile) -> Iterator[PlanFile]:
    """Files with the SHA-256 of their content."""
    count = sum(map(len, named.values()))
    done = 0
    for use, paths in named.items():
        for path in paths:
            try:
                digest = file_digest(path)
            except OSError as error:
                raise InputError(
                    f"{path} cannot be read ({error.strerror}); check the path and its permissions"
                ) from error
            yield PlanFile(path=str(path), sha256=digest, use=use)
            done += 1
            on_file(done, count)
