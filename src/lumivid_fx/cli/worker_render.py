"""``lumivid render --worker``: a job that is waited for, and stopped with the command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from lumivid_fx.errors import CancelledError, WireError

if TYPE_CHECKING:
    from lumivid_fx.cli.worker_log import JobLog
    from lumivid_fx.client import Worker
    from lumivid_fx.protocol.messages import Done, Request


def render_at_worker(request: Request, log: JobLog, source: str, sheet: Path | None) -> None:
    """Submit a render and follow it to its end.

    Args:
        request: What to render.
        log: Told how far it is, and the end.
        source: The plate, for the sheet.
        sheet: Contact sheet to draw here when all frames are there; that alone takes torch.

    Raises:
        KeyboardInterrupt: Ctrl-C, and the job has stopped.
        CancelledError: Somebody else stopped it, or Ctrl-C came a second time.
        LumividError: It cannot be done, or failed.
    """
    from lumivid_fx import client

    if sheet is not None:
        from lumivid_fx.media.contact_sheet import require_png

        require_png(sheet)
    with client.connect(name="lumivid render") as there:
        with log:
            done = _run(there, request, log)
            if sheet is not None:
                log.bar.phase("drawing the contact sheet")
                _draw(sheet, source, request, log)
        log.on_end(done, sheet)


def _run(there: Worker, request: Request, log: JobLog) -> Done:
    """Submit a job and wait for its end; Ctrl-C asks for it, and a second one waits no more."""
    name, job = uuid4().hex, None
    try:
        job = there.submit_request(
            request, job=name, on_progress=log.on_progress, on_frame=log.on_frame
        )
        return job.wait()
    except KeyboardInterrupt:
        log.bar.phase("stopping; Ctrl-C again leaves at once")
    known = name[:8]
    try:
        there.cancel(name)
        if job is not None:
            return job.wait()
    except CancelledError as cancelled:
        raise KeyboardInterrupt from cancelled
    except KeyboardInterrupt as again:
        raise CancelledError(
            f"job {known} was asked to stop and may take a while; `lumivid watch {known}` shows it"
        ) from again
    except WireError as error:
        if job is not None:  # else it may never have been heard of
            raise WireError(
                f"job {known} may go on ({error}); `lumivid cancel {known}` stops it"
            ) from error
    raise KeyboardInterrupt


def _draw(sheet: Path, source: str, request: Request, log: JobLog) -> None:
    from lumivid_fx.pipeline.preview import write_preview
    from lumivid_fx.pipeline.render_shot import ShotSettings

    settings = ShotSettings(
        input_space=request.settings.input_space,
        output_space=request.settings.output_space,
        source_view=request.settings.source_view,
    )
    frames = [Path(frame.path) for frame in log.frames if frame.path is not None]
    write_preview(sheet, source, frames, settings, request.ocio)
