"""What the host remembers beside the graph, its main thread, and the rules of threads.

The main thread is the one that called :func:`reset`, which is a test's own. It is Nuke's as long as
it runs the test's code, and Nuke's event loop inside :func:`process_events`.
"""

from __future__ import annotations

import functools
import inspect
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from . import ProgressTask
    from .knobs import Knob
    from .nodes import Group, Node

_T = TypeVar("_T")
_PATIENCE_S = 60.0
"""Upper bound for the main thread to come by; past it the host calls it a deadlock."""


@dataclass
class Session:
    """One run of the host; :func:`reset` makes a new one.

    Attributes:
        gui: Whether it is Nuke with windows; False is ``nuke -t``.
        main: The main thread.
        told: What was said to the user: (how, text).
        errors: What callbacks raised; Nuke prints it and goes on.
        answers: What the user will say to ``ask``, ``getFilename`` and the like.
        tasks: Every ProgressTask there was.
        fired: Every callback: (kind, node, knob or "").
        executed: Every render: (node, first, last).
        cancel_after: The user cancels a render after so many frames.
        panels: Nodes whose panel is open.
        clipboard: What was copied.
        plugin_path: Where gizmos are looked for, first match first.
        layers: Layers beside rgba that are known, with their channels.
        undo_steps: What could be undone: (name, how), the last one last.
    """

    gui: bool = True
    main: int = field(default_factory=threading.get_ident)
    told: list[tuple[str, str]] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    answers: list[object] = field(default_factory=list)
    tasks: list[ProgressTask] = field(default_factory=list)
    fired: list[tuple[str, str, str]] = field(default_factory=list)
    executed: list[tuple[str, int, int]] = field(default_factory=list)
    cancel_after: int | None = None
    panels: list[str] = field(default_factory=list)
    clipboard: str = ""
    plugin_path: list[str] = field(default_factory=list)
    layers: dict[str, list[str]] = field(default_factory=dict)
    callbacks: dict[str, list[tuple[Callable[..., object], str]]] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    this: list[tuple[Node, Knob | None]] = field(default_factory=list)
    busy: set[tuple[int, str]] = field(default_factory=set)
    loading: int = 0
    frame: int = 1
    waiting: queue.SimpleQueue[Callable[[], None]] = field(default_factory=queue.SimpleQueue)
    undone: int = 0
    undo_off: int = 0
    undo_open: list[str] = field(default_factory=list)
    undo_steps: list[tuple[str, list[Callable[[], None]]]] = field(default_factory=list)


session = Session()


def reset(gui: bool = True) -> None:
    """Begin anew: nothing said, nothing open; what was queued is forgotten."""
    fresh = Session(gui=gui)
    session.__dict__.update(fresh.__dict__)


def process_events(until: Callable[[], bool], seconds: float = _PATIENCE_S) -> None:
    """Be Nuke's event loop until something is the case.

    Raises:
        AssertionError: It did not come to be.
    """
    on_main("the event loop")
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "the event loop waited in vain"
        try:
            session.waiting.get(timeout=0.02)()
        except queue.Empty:
            continue


def on_main(what: str) -> None:
    """Refuse what Nuke allows on its main thread alone."""
    if threading.get_ident() != session.main:
        raise RuntimeError(f"nuke.{what} was called from a thread that is not the main one")


def queue_call(call: Callable[[], _T], wait: bool) -> _T | None:
    """Have the main thread call something.

    Raises:
        RuntimeError: This is the main thread, or ``nuke -t``, where no event loop would come by.
    """
    if threading.get_ident() == session.main:
        raise RuntimeError("executeInMainThread was called from the main thread; Nuke would hang")
    if not session.gui:
        raise RuntimeError("executeInMainThread was called in `nuke -t`, which has no event loop")
    done = threading.Event()
    results: list[_T] = []

    def run() -> None:
        try:
            results.append(call())
        except Exception as error:
            session.errors.append(error)
        finally:
            done.set()

    session.waiting.put(run)
    if wait and not done.wait(_PATIENCE_S):
        raise RuntimeError("the main thread never came by: it waits for this thread, a deadlock")
    return results[0] if results else None


def guarded(call: Callable[..., _T], name: str) -> Callable[..., _T]:
    """A function that keeps to the main thread, and to nodes that are still there."""

    @functools.wraps(call)
    def guard(*given: object, **named: object) -> _T:
        on_main(name)
        attached = getattr(given[0], "_attached", None) if given else None
        if attached is not None and not attached():
            raise ValueError("A PythonObject is not attached to a node")
        return call(*given, **named)

    return guard


def guard_class(kind: type[_T]) -> type[_T]:
    """Guard every public method of a class."""
    for name, member in list(vars(kind).items()):
        if inspect.isfunction(member) and (not name.startswith("_") or name == "__getitem__"):
            setattr(kind, name, guarded(member, f"{kind.__name__}.{name}"))
    return kind


def remember(name: str, back: Callable[[], None]) -> None:
    """Take a change down, so that it can be undone."""
    if session.undo_off or session.loading or session.undone:
        return
    if session.undo_open and session.undo_steps:
        session.undo_steps[-1][1].append(back)
    else:
        session.undo_steps.append((name, [back]))
