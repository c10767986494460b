"""One job from its order to its end: plate in, frames out, with less memory where there is none."""

from __future__ import annotations

import hashlib
import logging
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec

from lumivid_fx.errors import InputError, LumividError, OutOfMemoryError
from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.model.manifest import Manifest, read_manifest
from lumivid_fx.model.schedules import SCHEDULES
from lumivid_fx.pipeline.devices import device_name, free_memory, is_out_of_memory, peak_memory
from lumivid_fx.pipeline.file_digests import file_digest
from lumivid_fx.pipeline.fitting import Fitted, PlateSize
from lumivid_fx.pipeline.frame_keys import FrameStore
from lumivid_fx.pipeline.preflight import choose_windows
from lumivid_fx.pipeline.render_files import open_whole, render
from lumivid_fx.pipeline.render_shot import ShotSettings
from lumivid_fx.pipeline.resume import Earlier, output_pattern
from lumivid_fx.pipeline.sampling import thin_schedule
from lumivid_fx.protocol.codes import code_of
from lumivid_fx.protocol.messages import PathSource, PixelSource, Settings
from lumivid_fx.worker.job_reports import JobReports, WatchedStore
from lumivid_fx.worker.loaded_model import LoadedModel
from lumivid_fx.worker.memory_ladder import Rung, exhausted, latent_edge, rungs
from lumivid_fx.worker.orders import Ended, FallBack, Render
from lumivid_fx.worker.pixel_files import read_picture, result_of, take_in
from lumivid_fx.worker.server_line import ServerLine

log = logging.getLogger(__name__)

_NO_MEMORY = (
    "there is not enough memory to load the model, or to read the plate; end what else takes "
    "memory on the worker's machine, and submit again"
)


def run_job(
    order: Render, line: ServerLine, models: LoadedModel, store: FrameStore | None
) -> Ended:
    """Render a job, and say how it ended.

    Args:
        order: What to do.
        line: To the server.
        models: The model that is held.
        store: The result cache, or None.

    Returns:
        What the server is told last: spoilt, if nobody knows what is broken.
    """
    try:
        _Job(order, line, models, store).run()
    except LumividError as error:
        return Ended(job=order.job, code=code_of(error), message=_plain(str(error)))
    except OSError as error:
        log.warning("job %s met a file that fails: %r", order.job, error)
        named = "a file" if error.filename is None else str(error.filename)
        message = (
            f"{named} failed under the render ({error.strerror}); see that nobody removes or "
            "replaces it meanwhile, and submit again, for finished frames stay"
        )
        return Ended(job=order.job, code="E_RENDER", message=_plain(message))
    except Exception as error:
        if is_out_of_memory(error):  # outside of the render itself, where less is of no help
            log.warning("memory ran out in job %s", order.job, exc_info=True)
            return Ended(job=order.job, code="E_OOM", message=_NO_MEMORY)
        log.exception("job %s met something unexpected", order.job)
        said = _plain(" ".join(f"{type(error).__name__}: {error}".split())[:300])
        message = f"something unexpected stopped the render ({said}); see the worker's log"
        return Ended(job=order.job, code="E_INTERNAL", message=message, spoilt=True)
    return Ended(job=order.job)


def shot_settings(asked: Settings, manifest: Manifest, mask: str | None = None) -> ShotSettings:
    """What a request says, as the pipeline takes it.

    Raises:
        InputError: It says twice how to sample, or names more steps than the model has.
    """
    chosen = msgspec.structs.asdict(asked)
    steps, schedule = chosen.pop("steps"), chosen.pop("schedule")
    if sum(way is not None for way in (steps, schedule, asked.sigmas)) > 1:
        raise InputError("steps, sigmas and a schedule are not given together; leave one of them")
    if steps is not None:
        chosen["sigmas"] = thin_schedule(manifest.sigmas, steps)
    if schedule is not None:
        chosen["sigmas"] = SCHEDULES[schedule]
    return ShotSettings(**chosen, mask=mask)


class _Job:
    """A job under way.

    Args:
        order: What to do.
        line: To the server.
        models: The model that is held.
        store: The result cache, or None.
    """

    def __init__(
        self, order: Render, line: ServerLine, models: LoadedModel, store: FrameStore | None
    ) -> None:
        self._order, self._request = order, order.request
        self._line = line
        self._models = models
        self._reports = JobReports(order, line)
        self._store = None if store is None else WatchedStore(store, self._reports)
        self._folder = models.folder(order.request.model)
        self._source = ""
        self._target = ""
        self._spoilt: set[int] = set()
        self._planned: list[ShotSettings] = []

    def run(self) -> None:
        """Render what is not finished yet.

        Raises:
            LumividError: The job ends without all of its frames.
        """
        self._reports.phase("starting")
        manifest = read_manifest(self._folder)
        asked = shot_settings(self._request.settings, manifest, self._request.mask)
        stages = asked.sigmas or manifest.sigmas
        self._reports.steps_per_window = sum(len(stage) - 1 for stage in stages)
        self._source = self._take_in()
        self._target = (
            result_of(Path(self._order.spool)) if self._pixels else self._request.target or ""
        )
        self._look_at_finished()
        number = self._order.rung
        ladder = self._ladder(asked) if number > 1 else [Rung(asked), Rung(asked)]
        number = min(number, len(ladder) - 1)
        while not self._fits(ladder, number):
            free_memory()
            ladder, number = self._ladder(asked), number + 1
            if number == len(ladder):
                raise exhausted(ladder[-1], device_name(self._models.device), peak_memory())
            fallen = FallBack(job=self._order.job, rung=number, note=ladder[number].note)
            self._line.fall_back(fallen, self._order.job)

    @property
    def _pixels(self) -> bool:
        return self._request.deliver == "pixels"

    def _take_in(self) -> str:
        """The plate, as a path."""
        source = self._request.source
        if isinstance(source, PixelSource):
            if self._request.settings.input_space is None:
                raise InputError(
                    "the input space of pixels cannot be guessed; name it, such as srgb or acescg"
                )
            spool = Path(self._order.spool)
            return take_in(spool, source, lambda _: self._reports.phase("taking in the plate"))
        if source.digest is not None:
            _require_digest(source)
        return source.path

    def _look_at_finished(self) -> None:
        """Hold the frames that the journal has against what is on disk."""
        pattern = output_pattern(self._source, self._target, still=True)
        for number, told in self._order.finished.items():
            self._reports.phase("looking at finished frames")
            path = pattern.path(number)
            there = _pixels_told(path) if self._pixels else _file_told(path)
            (self._reports.finished if there == told else self._spoilt).add(number)

    def _fits(self, ladder: list[Rung], number: int) -> bool:
        """Render by one rung of the ladder; whether there was memory for it."""
        try:
            report = render(
                self._source,
                self._target,
                frames=self._request.frames,
                settings=ladder[number].settings,
                model=self._load,
                fit=partial(self._fit, share=ladder[number].share),
                ocio=self._request.ocio,
                compression=self._request.compression,
                overwrite=self._request.overwrite and not self._pixels,
                earlier=Earlier(
                    finished=frozenset(self._reports.finished),
                    spoilt=self._spoilt - self._reports.finished,
                    settings=[*(rung.settings for rung in ladder[:number]), *self._planned],
                ),
                store=self._store,
                on_start=self._reports.on_start,
                on_progress=self._reports.on_progress,
                on_frame=self._reports.on_frame,
            )
        except (MemoryError, RuntimeError, OutOfMemoryError) as error:
            if not isinstance(error, OutOfMemoryError) and not is_out_of_memory(error):
                raise
            log.warning("memory ran out in job %s: %s", self._order.job, error)
            return False
        if report.memory is not None:
            log.info("job %s, memory, %s", self._order.job, report.memory)
        return True

    def _fit(
        self, model: HdrModel, settings: ShotSettings, size: PlateSize, share: float
    ) -> Fitted:
        self._reports.phase("fitting the model to the device")
        fitted = self._models.fit(model, settings, size, share)
        self._planned.append(fitted.settings)
        return fitted

    def _load(self) -> HdrModel:
        self._reports.phase("loading the model")
        lora = Path(self._request.lora) if self._request.lora else None
        return self._models.take(self._folder, lora, self._request.lora_strength)

    def _ladder(self, asked: ShotSettings) -> list[Rung]:
        """The whole ladder, which depends on the model and the plate."""
        model = self._load()
        manifest, ratio = model.manifest, model.temporal_ratio
        filled = choose_windows(asked, manifest.window_frames, manifest.overlap_frames, ratio)
        with open_whole(self._source, self._request.frames) as plate:
            edge = latent_edge(
                asked,
                manifest,
                (plate.height, plate.width),
                model.spatial_ratio,
                len(asked.sigmas or manifest.sigmas),
            )
            return rungs(
                filled,
                edge=edge,
                frames=len(plate.frame_numbers),
                ratio=ratio,
                planned=self._models.planned,
            )


def _plain(said: str) -> str:
    """A sentence with what is no print escaped: names of files may hold line breaks and no text."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in said)


def _require_digest(source: PathSource) -> None:
    """Refuse a plate that is another than the one that was meant."""
    path = Path(source.path)
    with suppress(OSError):
        if file_digest(path) == source.digest:
            return
    raise InputError(
        f"{path} is not the file that was meant, by its SHA-256; check the path, or submit again"
    )


def _file_told(path: Path) -> tuple[str, int] | None:
    """Digest and size of a frame's file; None where there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
    except OSError:
        return None


def _pixels_told(path: Path) -> tuple[str, int] | None:
    """Digest and size of a frame as pixels, which need not be on disk as such any more."""
    try:
        picture = read_picture(path)
    except InputError:
        return None
    return picture.sha256, picture.samples.nbytes
