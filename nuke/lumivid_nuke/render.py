"""Renders that are waited for: in ``nuke -t``, on farms, in scripts; with a node or without.

Progress goes to the console, and what goes wrong is raised, so that the farm's task fails.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from lumivid_fx.client.requests import make_request
from lumivid_fx.errors import CancelledError
from lumivid_fx.protocol.codes import error_for
from lumivid_fx.protocol.messages import Done
from lumivid_nuke import callbacks, connection, follow, host, knobs, node, plan, submission

if TYPE_CHECKING:
    from typing import Unpack  # Python 3.11's; annotations alone name it

    import nuke

    from lumivid_fx.client import FinishedFrame, RenderOptions
    from lumivid_fx.protocol.messages import Progress, Request


@dataclass
class _Console:
    """Hears of a job on the main thread, and writes it to the console.

    Attributes:
        name: What is rendered.
        node: Its node, if there is one.
        said: What was written last.
    """

    name: str
    node: nuke.Node | None
    said: str = ""

    def wants_to_stop(self) -> bool:
        """Never: Ctrl-C raises."""
        return False

    def heard(self, progress: Progress | None, frames: list[FinishedFrame]) -> None:
        """Show finished frames, and write what is new."""
        submission.tell_frames(self.node, frames)
        said = "" if progress is None else follow.in_words(progress)
        if said and said != self.said:
            self.said = said
            host.say(f"{self.name}: {said}")


def render(
    here: nuke.Node, first: int | None = None, last: int | None = None, *, missing: bool = False
) -> Done:
    """Render a node, and wait; see :func:`lumivid_nuke.render`."""
    node.require_idle(here)
    if missing:
        gaps = submission.require_result(here)
        if not gaps:
            node.tell(here, "no frame is missing", node.CALM)
            return Done(job="", state="done")
        first, last = gaps[0], gaps[-1]
    planned = plan.plan_render(here, uuid4().hex, first, last)
    try:
        node.own(here, planned.job, planned.state)
        key = planned.key()
        request = submission.settle(here, planned, key, missing=missing)
        done = _wait(
            knobs.text(here, "endpoint"),
            request,
            _Console(here.fullName(), here),
            job=planned.job,
            start=bool(here["start_worker"].value()),
            roots=planned.roots,
        )
    except Exception as error:
        node.disown(here)
        node.tell_error(here, error)
        raise
    finally:
        planned.clean_up()
    submission.tell_end(here, done)
    return _well_ended(done)


def render_files(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    frames: str | None = None,
    *,
    endpoint: str = "",
    start_worker: bool = False,
    **options: Unpack[RenderOptions],
) -> Done:
    """Render a plate on disk without any node, and wait; the callbacks are called with None.

    Args:
        source: Movie or sequence such as ``plate.####.exr``.
        target: Pattern such as ``hdr.####.exr``, or a folder.
        frames: Range such as ``1001-1049``; None renders the whole plate.
        endpoint: Folder of the worker, as ``LUMIVID_HOME``; empty for this user's.
        start_worker: Whether to start one if none runs.
        options: See :class:`lumivid_fx.client.RenderOptions`.

    Raises:
        LumividError: It could not be done.
    """
    request = callbacks.before_submit(None, make_request(source, target, frames, **options))
    done = _wait(
        endpoint,
        request,
        _Console(Path(source).name, None),
        job=uuid4().hex,
        start=start_worker,
        roots=[Path(source).absolute().parent, Path(target).absolute().parent],
    )
    submission.tell_end(None, done)
    return _well_ended(done)


def _wait(
    endpoint: str, request: Request, console: _Console, *, job: str, start: bool, roots: list[Path]
) -> Done:
    worker = connection.reach(endpoint, host.client_name(), start=start, roots=roots)
    try:
        return follow.submit_and_follow(worker, job, request, console)
    except KeyboardInterrupt:
        worker.cancel(job)
        raise CancelledError(f"{console.name}: cancelled; finished frames stay") from None


def _well_ended(done: Done) -> Done:
    """The same if all is well.

    Raises:
        LumividError: The job failed or was cancelled.
    """
    if done.state != "done":
        raise error_for(done.code or "E_INTERNAL", done.message or f"the job is {done.state}")
    return done
