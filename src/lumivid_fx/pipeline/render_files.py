"""Files to files: a plate on disk becomes EXR frames on disk, and a killed render goes on.

Each frame is written whole or not at all, and says in ``lumivid/*`` attributes what made it. A
rerun keeps the frames that were made with the same settings, and windows do not depend on each
other, so the result is the same, bit for bit, as that of a run nobody disturbed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

from lumivid_fx import __version__
from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.color.transfer import ClipCount
from lumivid_fx.errors import InputError
from lumivid_fx.media import Plate, open_plate, parse_range
from lumivid_fx.media.exr import OutputPattern, read_attributes, write_exr
from lumivid_fx.media.frame_range import find_frames
from lumivid_fx.media.image_file import IMAGE_FORMATS
from lumivid_fx.media.plate import MOVIE_DEMUXERS
from lumivid_fx.model.checkpoint import HdrModel, load_model
from lumivid_fx.pipeline.noise import SeededNoise
from lumivid_fx.pipeline.preflight import (
    check_settings,
    choose_windows,
    require_elsewhere,
    require_inside,
    require_size,
    require_writable,
)
from lumivid_fx.pipeline.render_shot import (
    FinishedFrame,
    ProgressCallback,
    ShotSettings,
    render_shot,
)

SETTINGS_ATTRIBUTE = "lumivid/digest"


@dataclass(frozen=True)
class RenderReport:
    """What a render did.

    Attributes:
        frames: Files of all frames asked for, in order.
        rendered: How many were made now.
        kept: How many were there already, from the same settings.
        model_clipped: Model samples outside the curve, clamped to it.
        half_clamped: Samples beyond half float, clamped to +-65504.
    """

    frames: list[Path]
    rendered: int
    kept: int
    model_clipped: ClipCount
    half_clamped: int


def render(
    source: str,
    target: str,
    *,
    frames: str | None = None,
    settings: ShotSettings | None = None,
    model: HdrModel | Callable[[], HdrModel] | None = None,
    ocio: str | None = None,
    compression: str = "zip",
    overwrite: bool = False,
    on_start: Callable[[int, int], None] | None = None,
    on_progress: ProgressCallback | None = None,
    on_frame: Callable[[Path, FinishedFrame], None] | None = None,
) -> RenderReport:
    """Render a plate to half-float EXR frames.

    Args:
        source: Movie, image sequence, single image or folder.
        target: Pattern of the frames to write, such as ``out/plate.####.exr``, or a folder.
        frames: Range such as ``1001-1049``; None renders the whole plate.
        settings: What else the user decided.
        model: A loaded model, or what loads it once the plate has been looked at; None loads the
            embedded one.
        ocio: A studio's OCIO config; None is the built-in one.
        compression: EXR compression.
        overwrite: Render again what is there already.
        on_start: Called once before the first window, with how many frames are to be rendered and
            how many are there already.
        on_progress: Called after each sampler step; raise to cancel, finished frames stay.
        on_frame: Called when a frame is on disk.

    Returns:
        What was done.

    Raises:
        InputError: What was asked for cannot be done as asked.
        RenderError: The render itself failed.

    Example:
        >>> import lumivid_fx
        >>> lumivid_fx.render("clip.mp4", "out/plate.####.exr")  # doctest: +SKIP
    """
    settings = settings or ShotSettings()
    check_settings(settings, compression)
    spaces = ColorSpaces(ocio)
    chromaticities = spaces.chromaticities(settings.output_space)
    if chromaticities is None:
        raise InputError(
            f"output space {settings.output_space!r} is not scene-linear; choose one that is, "
            "such as acescg or lin_rec709"
        )
    wanted = None if frames is None else parse_range(frames)
    with _open_whole(source, frames) as ahead, _open_whole(source, frames) as behind:
        numbers = list(wanted or ahead.frame_numbers)
        require_inside(source, numbers, ahead)
        require_size(source, ahead)
        stem = Path(source).name.split(".")[0] or "plate"
        pattern = OutputPattern(target, stem=stem, still=len(numbers) == 1)
        require_elsewhere(pattern.path(numbers[0]), source)
        require_writable(pattern.path(numbers[0]))
        if not isinstance(model, HdrModel):
            model = (model or load_model)()
        manifest = model.manifest
        settings = choose_windows(
            settings, manifest.window_frames, manifest.overlap_frames, model.temporal_ratio
        )
        making = _attributes(settings, model, ocio, ahead)
        todo = _todo(source, pattern, numbers, making[SETTINGS_ATTRIBUTE], overwrite=overwrite)
        if on_start is not None:
            on_start(len(todo), len(numbers) - len(todo))
        clipped, clamped = ClipCount(), 0
        for finished in render_shot(
            ahead,
            behind,
            model,
            settings,
            SeededNoise(settings.seed),
            spaces,
            todo,
            on_progress or (lambda _: None),
        ):
            number = finished.source.number
            path = pattern.path(number)
            own = {"lumivid/frame": number, "lumivid/model_clipped": _share(finished.clipped)}
            clamped += write_exr(
                path,
                finished.rgb,
                finished.source.alpha,
                windows=finished.source.windows,
                attributes={**finished.source.attributes, **making, **own},
                chromaticities=chromaticities,
                interop_id=spaces.interop_id(settings.output_space),
                fps=ahead.fps if settings.fps is None else _rate(settings.fps),
                compression=compression,
            )
            clipped = clipped + finished.clipped
            if on_frame is not None:
                on_frame(path, finished)
    return RenderReport(
        frames=[pattern.path(n) for n in numbers],
        rendered=len(todo),
        kept=len(numbers) - len(todo),
        model_clipped=clipped,
        half_clamped=clamped,
    )


def _open_whole(source: str, frames: str | None) -> Plate:
    """Open every frame of the plate, so that windows do not depend on the range asked for.

    A plate with holes outside of the range stands for the range alone.
    """
    if frames is None:
        return open_plate(source)
    try:
        return open_plate(source)
    except InputError:
        return open_plate(source, frames)


def _attributes(
    settings: ShotSettings, model: HdrModel, ocio: str | None, plate: Plate
) -> dict[str, object]:
    """The ``lumivid/*`` attributes of every frame of this render."""
    chosen = {
        **asdict(settings),
        "input_space": settings.input_space or plate.space,
        "sigmas": settings.sigmas or model.manifest.sigmas,
        "ocio": ocio or "built-in",
        "plate": [plate.width, plate.height, plate.first_frame, plate.last_frame],
        "plate_digest": _fingerprint(plate),
        "model": model.digest,
        "device": model.device.type,
        "version": __version__,
    }
    text = json.dumps(chosen, sort_keys=True)
    lora, strength = model.lora
    return {
        "lumivid/version": __version__,
        "lumivid/model": model.manifest.name,
        "lumivid/model_digest": model.digest,
        "lumivid/lora": lora,
        "lumivid/lora_strength": strength,
        "lumivid/transfer": model.transfer.name,
        "lumivid/seed": settings.seed,
        "lumivid/settings": text,
        "lumivid/source": Path(plate.source).name,
        SETTINGS_ATTRIBUTE: hashlib.sha256(text.encode()).hexdigest(),
    }


def _fingerprint(plate: Plate) -> str:
    """What tells a plate from others of its size and length: its first frame's pixels, as a hash.

    Empty where that frame is damaged, which hinders no range without it.
    """
    try:
        return hashlib.sha256(plate.read(plate.first_frame).rgb.tobytes()).hexdigest()
    except InputError:
        return ""


def _files_of(source: str, numbers: list[int]) -> set[Path]:
    """The plate's own files, which may be renders of ours too; a movie is none that we write."""
    if Path(source).suffix.lower() in MOVIE_DEMUXERS:
        return set()
    wanted = range(numbers[0], numbers[-1] + 1)
    return {path.resolve() for path in find_frames(source, wanted, IMAGE_FORMATS).values()}


def _todo(
    source: str, pattern: OutputPattern, numbers: list[int], digest: object, *, overwrite: bool
) -> list[int]:
    """Frames still to render; those of another render are refused unless they may be replaced."""
    todo, plate = [], _files_of(source, numbers)
    for number in numbers:
        path = pattern.path(number)
        require_elsewhere(path, source)
        if path.resolve() in plate:
            raise InputError(f"{path} is the plate itself; choose another output")
        if overwrite or not path.exists():
            todo.append(number)
        elif read_attributes(path).get(SETTINGS_ATTRIBUTE) != digest:
            raise InputError(
                f"{path} (frame {number}) was made with other settings or from another plate; "
                "render with --overwrite, or to another folder"
            )
    return todo


def _rate(fps: float) -> Fraction:
    """The exact rate behind a rounded one: 23.976 is 2997/125, 29.97002997 is 30000/1001."""
    return Fraction(fps).limit_denominator(1001)


def _share(count: ClipCount) -> float:
    return (count.above + count.below) / max(1, count.total)
