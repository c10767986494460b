"""Renders in the background: one thread a job, which waits, so that Nuke never does.

The thread talks to the worker and hashes the plate. Whatever touches a node it hands to the main
thread, and waits for that only where it needs the answer. The node is found by the job's id, which
stands in a hidden knob: it may be renamed, or deleted, at any time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import uuid4

import nuke

from lumivid_fx.errors import CancelledError, LumividError
from lumivid_nuke import connection, follow, host, knobs, node, plan, plates, results, submission

if TYPE_CHECKING:
    from pathlib import Path

    from lumivid_fx.client import FinishedFrame
    from lumivid_fx.protocol.messages import Done, Progress, Request

log = logging.getLogger(__name__)

_T = TypeVar("_T")

_running: dict[str, Running] = {}
"""Jobs that are followed here, by their ids; for the main thread alone."""


@dataclass
class Running:
    """A job that is followed here.

    Attributes:
        job: Its id.
        name: Full name of its node, as last known.
        title: What the progress bar is called.
        endpoint: Of the worker.
        start: Whether a worker may be started.
        task: The progress bar; None once it is gone.
        stop: Set to cancel.
    """

    job: str
    name: str
    title: str
    endpoint: str
    start: bool
    task: Any = None
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def node(self) -> nuke.Node | None:
        """Its node, wherever that is by now; for the main thread."""
        found = node.find(self.job, self.name)
        if found is not None and found.fullName() != self.name:
            self.name = found.fullName()
            node.rename(found)
        return found

    def wants_to_stop(self) -> bool:
        """Whether the artist has cancelled, by either button."""
        task = self.task
        return self.stop.is_set() or (task is not None and bool(task.isCancelled()))

    def heard(self, progress: Progress | None, frames: list[FinishedFrame]) -> None:
        """Move the progress bar, and leave the rest to the main thread."""
        task = self.task
        if task is not None and progress is not None:
            task.setProgress(follow.share(progress))
            task.setMessage(follow.in_words(progress))
        host.in_main(lambda: self._show(progress, frames))

    def _show(self, progress: Progress | None, frames: list[FinishedFrame]) -> None:
        here = self.node
        if here is not None and progress is not None and self.job in _running:
            node.tell(here, follow.in_words(progress), node.BUSY)
        submission.tell_frames(here, frames)


def start(here: nuke.Node, *, missing: bool) -> str:
    """Begin a render in the background.

    Args:
        here: A LumiVid.
        missing: Whether only the gaps of the shown result are wanted.

    Returns:
        The job's id; empty if nothing is missing.

    Raises:
        LumividError: It cannot be done as asked.
    """
    node.require_idle(here)
    first = last = None
    if missing:
        gaps = submission.require_result(here)
        if not gaps:
            node.tell(here, "no frame is missing", node.CALM)
            return ""
        first, last = gaps[0], gaps[-1]
    job = uuid4().hex
    planned = plan.plan_render(here, job, first, last)
    running = _begin(here, job)
    node.own(here, job, planned.state)
    node.tell(here, "sending", node.BUSY)
    _run(running, lambda: _render(running, planned, missing=missing), planned.clean_up)
    return job


def cancel(here: nuke.Node) -> bool:
    """Stop the job of a node, if one is under way; finished frames stay. Whether there was one."""
    running = _running.get(str(here["job_id"].value()))
    if running is None:
        return False
    running.stop.set()
    node.tell(here, "cancelling; finished frames stay", node.BUSY)
    return True


def go_on(here: nuke.Node) -> None:
    """Follow a job again that was under way when its script was closed."""
    job = str(here["job_id"].value())
    if not job or job in _running:
        return
    folder = plates.plate_folder(results.cache_dir(here), job)
    running = _begin(here, job)
    node.tell(here, "looking for its job", node.BUSY)
    _run(running, lambda: _attach(running), lambda: _remove(folder))


def _begin(here: nuke.Node, job: str) -> Running:
    running = Running(
        job,
        here.fullName(),
        f"LumiVid: {here.name()}",
        knobs.text(here, "endpoint"),
        bool(here["start_worker"].value()),
    )
    running.task = nuke.ProgressTask(running.title)
    _running[job] = running
    return running


def _run(running: Running, work: Callable[[], Done], clean_up: Callable[[], None]) -> None:
    def run() -> None:
        try:
            done = work()
        except Exception as error:
            if not isinstance(error, LumividError | OSError):
                log.exception("job %s of %s", running.job, running.name)
            _end(running, partial(_failed, running, error))
        else:
            _end(running, lambda: submission.tell_end(running.node, done))
        finally:
            clean_up()

    threading.Thread(target=run, name=f"lumivid-{running.job[:8]}", daemon=True).start()


def _render(running: Running, planned: plan.Plan, *, missing: bool) -> Done:
    key = planned.key()
    worker = connection.reach(
        running.endpoint, host.client_name(), start=running.start, roots=planned.roots
    )
    if running.wants_to_stop():
        raise CancelledError("cancelled before anything was sent")

    def settle() -> Request:
        here = running.node
        if here is None:
            raise CancelledError("the node was deleted before anything was sent")
        return submission.settle(here, planned, key, missing=missing)

    request = _Asked(settle).answer()
    return follow.submit_and_follow(worker, running.job, request, running)


def _attach(running: Running) -> Done:
    worker = connection.reach(running.endpoint, host.client_name(), start=False, roots=())
    return follow.attach_and_follow(worker, running.job, running)


def _end(running: Running, tell: Callable[[], object]) -> None:
    running.task = None  # Nuke takes the bar away with it

    def end() -> None:
        _running.pop(running.job, None)
        tell()

    host.in_main(end)


def _failed(running: Running, error: Exception) -> None:
    here = running.node
    if here is None:
        host.say(f"{running.title}: {error}")
        return
    node.disown(here)
    node.tell_error(here, error)


class _Asked(Generic[_T]):
    """Something that the main thread is asked to do, and whose answer is waited for.

    ``executeInMainThreadWithResult`` prints what is raised and gives None; here it is raised.
    """

    def __init__(self, call: Callable[[], _T]) -> None:
        self._call = call
        self._answer: list[_T] = []
        self._error: Exception | None = None

    def answer(self) -> _T:
        """Ask, and wait."""
        ask: Callable[[Callable[[], bool]], object] = nuke.executeInMainThreadWithResult
        ask(self._do)
        if self._error is not None:
            raise self._error
        if not self._answer:
            raise LumividError("Nuke did not do what it was asked; is it closing?")
        return self._answer[0]

    def _do(self) -> bool:
        try:
            self._answer.append(self._call())
        except Exception as error:
            self._error = error
        return True


def _remove(folder: Path) -> None:
    plates.WrittenPlate(folder, "", 0, 0).remove()
