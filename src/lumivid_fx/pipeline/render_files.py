"""Files to files: a plate on disk becomes EXR frames on disk, and a killed render goes on.

Each frame is written whole or not at all, and says in ``lumivid/*`` attributes what made it. A
rerun keeps the frames that were made with the same settings, and windows do not depend on each
other, so the result is the same, bit for bit, as that of a run nobody disturbed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.color.transfer import ClipCount
from lumivid_fx.errors import InputError
from lumivid_fx.media import Plate, open_plate, parse_range
from lumivid_fx.media.exr import DIGEST_ATTRIBUTE
from lumivid_fx.media.plate import is_movie
from lumivid_fx.media.whole_file import remove_leftovers
from lumivid_fx.model.checkpoint import HdrModel, load_model
from lumivid_fx.pipeline.background import Waits, WriteBehind, how_many
from lumivid_fx.pipeline.devices import forget_peak, peak_memory
from lumivid_fx.pipeline.file_digests import FileDigests
from lumivid_fx.pipeline.fitting import Fit, Fitted, MemoryReport
from lumivid_fx.pipeline.frame_file import FrameFile, InOrder
from lumivid_fx.pipeline.frame_keys import (
    FramesByContent,
    FrameStore,
    frame_marks,
    plate_fingerprint,
)
from lumivid_fx.pipeline.frame_writer import FrameWriter
from lumivid_fx.pipeline.mask import ShotMask
from lumivid_fx.pipeline.noise import SeededNoise
from lumivid_fx.pipeline.preflight import (
    check_settings,
    choose_windows,
    require_elsewhere,
    require_inside,
    require_scene_linear,
    require_size,
    require_writable,
)
from lumivid_fx.pipeline.render_shot import (
    FULL_FRAMES,
    Progress,
    ProgressCallback,
    ShotSettings,
    frame_bytes,
    render_shot,
)
from lumivid_fx.pipeline.resume import Earlier, missing_frames, output_pattern
from lumivid_fx.pipeline.shot_windows import RenderedWindows


@dataclass(frozen=True)
class RenderReport:
    """What a render did.

    Attributes:
        frames: Files of all frames asked for, in order.
        rendered: How many were made now.
        kept: How many were there already, from the same settings.
        cached: How many came out of the store.
        model_clipped: Model samples outside the curve, clamped to it.
        half_clamped: Samples beyond half float, clamped to +-65504.
        waits: How long the model stood still for files.
        memory: What was planned and what came of it, where there was a plan.
    """

    frames: list[Path]
    rendered: int
    kept: int
    cached: int
    model_clipped: ClipCount
    half_clamped: int
    waits: Waits
    memory: MemoryReport | None = None


def render(
    source: str,
    target: str,
    *,
    frames: str | None = None,
    settings: ShotSettings | None = None,
    model: HdrModel | Callable[[], HdrModel | RenderedWindows] | str | None = None,
    fit: Fit | None = None,
    ocio: str | None = None,
    compression: str = "zip",
    overwrite: bool = False,
    earlier: Earlier | None = None,
    store: FrameStore | None = None,
    on_start: Callable[[int, int], None] | None = None,
    on_progress: ProgressCallback | None = None,
    on_frame: Callable[[FrameFile], None] | None = None,
) -> RenderReport:
    """Render a plate to half-float EXR frames.

    Args:
        source: Movie, image sequence, single image or folder.
        target: Pattern of the frames to write, such as ``out/plate.####.exr``, or a folder.
        frames: Frames such as ``1001-1049`` or ``1-100x2``; None renders the whole plate.
        settings: What else the user decided.
        model: A loaded model, what loads it once the plate has been looked at (or gives windows
            that were rendered elsewhere), or a model's name in the library or its folder; None
            loads the embedded one.
        fit: Puts the model where it runs, once it is known what for; None leaves it where it is.
        ocio: A studio's OCIO config; None is the built-in one.
        compression: EXR compression.
        overwrite: Render again what is there already.
        earlier: What is known of an attempt at this render that did not end.
        store: Frames by content: what it holds is not rendered, what is rendered goes into it.
        on_start: Called once before the first frame, with how many frames are missing and how many
            are there already.
        on_progress: Called after each sampler step; raise to cancel, finished frames stay.
        on_frame: Called once for each frame on disk, in ascending order whatever way it came.

    Returns:
        What was done.

    Raises:
        InputError: What was asked for cannot be done as asked.
        RenderError: The render itself failed.

    Example:
        >>> import lumivid_fx
        >>> lumivid_fx.render("clip.mp4", "out/plate.####.exr")  # doctest: +SKIP
    """
    settings, earlier = settings or ShotSettings(), earlier or Earlier()
    check_settings(settings, compression)
    digests = FileDigests() if store is None else _first_look(source, ocio)
    spaces = ColorSpaces(ocio)
    chromaticities = require_scene_linear(spaces, settings.output_space)
    wanted = None if frames is None else parse_range(frames)
    with ExitStack() as stack:
        ahead, behind = (stack.enter_context(open_whole(source, frames)) for _ in range(2))
        numbers = list(ahead.frame_numbers if wanted is None else wanted)
        require_inside(source, numbers, ahead)
        require_size(source, ahead)
        mask = None if settings.mask is None else ShotMask(settings.mask, ahead)
        if mask is not None:
            stack.enter_context(mask)
            mask.require(numbers)
        pattern = output_pattern(source, target, still=len(numbers) == 1)
        left = [number for number in numbers if number not in earlier.finished]
        for path in [pattern.path(number) for number in left[:1]]:
            require_elsewhere(path, source)
            require_writable(path)
        used, settings, fitted = _fitted(_loaded(model), settings, fit, ahead)
        fingerprint = plate_fingerprint(ahead)
        tried = [_filled(used, each) for each in earlier.settings]
        marks, *others = (
            frame_marks(each, used, ocio, ahead, fingerprint, mask)
            for each in (settings, *tried, *(fitted.alternatives if fitted else ()))
        )
        missing = missing_frames(
            source,
            pattern,
            left,
            {each[DIGEST_ATTRIBUTE] for each in (marks, *others)},
            earlier.spoilt,
            overwrite=overwrite,
        )
        remove_leftovers(map(pattern.path, missing))
        if on_start is not None:
            on_start(len(missing), len(left) - len(missing))
        fps = ahead.fps if settings.fps is None else _rate(settings.fps)
        by_content = FramesByContent(
            store,
            ahead,
            settings,
            used,
            common={**marks, "compression": compression, "fps": fps},
            colour=spaces.files(),
            digests=digests,
            mask=mask,
        )
        order = InOrder(on_frame or (lambda _: None), left)
        gaps, todo = set(missing), []
        for number in left:
            path = pattern.path(number)
            if number not in gaps:
                order.add(FrameFile(number, path, "kept"))
            elif by_content.fetch(number, path):
                order.add(FrameFile(number, path, "cache"))
            else:
                todo.append(number)
        writer = FrameWriter(
            pattern,
            marks,
            chromaticities,
            spaces.interop_id(settings.output_space),
            fps,
            compression,
        )
        written, waits = list[FrameFile](), Waits()

        def tell(frame: FrameFile) -> None:
            written.append(frame)
            order.add(frame)
            by_content.keep(frame.number, frame.path)

        if isinstance(used, HdrModel):
            forget_peak(used.device)
        with WriteBehind(how_many(frame_bytes(behind), FULL_FRAMES), tell) as writing:
            for finished in render_shot(
                ahead,
                behind,
                used,
                settings,
                SeededNoise(settings.seed),
                spaces,
                todo,
                _looking(writing, on_progress),
                mask=mask,
                waits=waits,
                more=fitted.more if fitted else (),
            ):
                writing.add(partial(writer.write, finished))
    return RenderReport(
        frames=[pattern.path(n) for n in numbers],
        rendered=len(todo),
        kept=len(left) - len(missing),
        cached=len(missing) - len(todo),
        model_clipped=sum((frame.clipped for frame in written), ClipCount()),
        half_clamped=sum(frame.half_clamped for frame in written),
        waits=replace(waits, write=writing.waited),
        memory=_memory(fitted) if written else None,
    )


def _loaded(
    model: HdrModel | Callable[[], HdrModel | RenderedWindows] | str | None,
) -> HdrModel | RenderedWindows:
    """The model, however it was given."""
    if isinstance(model, HdrModel):
        return model
    return model() if callable(model) else load_model(model)


def _fitted(
    model: HdrModel | RenderedWindows, settings: ShotSettings, fit: Fit | None, plate: Plate
) -> tuple[HdrModel | RenderedWindows, ShotSettings, Fitted | None]:
    """The model where it runs, the settings with nothing left open, and what was planned."""
    settings = _filled(model, settings)
    if fit is None or not isinstance(model, HdrModel):
        return model, settings, None
    fitted = fit(model, settings, (plate.height, plate.width, len(plate.frame_numbers)))
    return fitted.model, fitted.settings, fitted


def _filled(model: HdrModel | RenderedWindows, settings: ShotSettings) -> ShotSettings:
    """The settings with windows and overlaps of the model where nothing was said."""
    manifest, ratio = model.manifest, model.temporal_ratio
    return choose_windows(settings, manifest.window_frames, manifest.overlap_frames, ratio)


def _memory(fitted: Fitted | None) -> MemoryReport | None:
    """The plan beside what the allocator counted."""
    if fitted is None or fitted.plan is None:
        return None
    chosen = fitted.plan.chosen
    return MemoryReport(chosen.way.name, chosen.peak, peak_memory(fitted.model.device))


def _first_look(source: str, ocio: str | None) -> FileDigests:
    """Hash what is opened once, before it is: an open file is read on though it is replaced."""
    digests = FileDigests()
    for path in [*ColorSpaces(ocio).files(), *([Path(source)] if is_movie(source) else [])]:
        digests.look(path)
    return digests


def open_whole(source: str, frames: str | None) -> Plate:
    """Open every frame of the plate, so that windows do not depend on the range asked for.

    A plate with holes outside of the range stands for the range alone; one with holes between the
    frames that are asked for, for these frames alone.
    """
    if frames is None:
        return open_plate(source)
    wanted = parse_range(frames)
    for more in (None, f"{wanted[0]}-{wanted[-1]}"):
        with suppress(InputError):
            return open_plate(source, more)
    return open_plate(source, frames)


def _rate(fps: float) -> Fraction:
    """The exact rate behind a rounded one: 23.976 is 2997/125, 29.97002997 is 30000/1001."""
    return Fraction(fps).limit_denominator(1001)


def _looking(writing: WriteBehind[FrameFile], tell: ProgressCallback | None) -> ProgressCallback:
    """Tell of frames as soon as they are on disk, also while the model is busy with the next."""

    def step(progress: Progress) -> None:
        writing.look()
        if tell is not None:
            tell(progress)

    return step
