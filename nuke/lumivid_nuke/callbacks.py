"""What a studio hangs onto renders: before a submit, at every frame, after the end; and at a farm.

    import lumivid_nuke

    def on_the_farm(node, request):
        return msgspec.structs.replace(request, priority=10, label="sh010")

    lumivid_nuke.add_callback("before_submit", on_the_farm)

All are called on the main thread, in the order they were added.

==================  =======================  ====================================================
kind                called with              may
==================  =======================  ====================================================
``before_submit``   node, ``Request``        give another request back, or raise to stop the render
``on_frame``        node, ``FinishedFrame``  look at ``frame.number`` and ``frame.path``
``after``           node, ``Done``           look at ``done.state``, ``done.message``
``on_farm``         node, ``Path``           submit ``folder / "bundle"``, or run ``plan.json``
==================  =======================  ====================================================

The node is None for renders without one, and if it was deleted meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lumivid_fx.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    import nuke

    from lumivid_fx.client import FinishedFrame
    from lumivid_fx.protocol.messages import Done, Request

log = logging.getLogger(__name__)

KINDS = ("before_submit", "on_frame", "after", "on_farm")

Callback = Callable[..., Any]
"""What is called is the studio's own; see the module for what it is called with."""

_callbacks: dict[str, list[Callback]] = {kind: [] for kind in KINDS}


def add_callback(kind: str, call: Callback) -> None:
    """Call something at every render from now on; added twice, it is called once.

    Raises:
        InputError: There is no such kind.
    """
    if call not in _of(kind):
        _of(kind).append(call)


def remove_callback(kind: str, call: Callback) -> None:
    """Call it no more; nothing happens if it was not called.

    Raises:
        InputError: There is no such kind.
    """
    if call in _of(kind):
        _of(kind).remove(call)


def before_submit(node: nuke.Node | None, request: Request) -> Request:
    """The request as the callbacks leave it; what one raises goes on to whoever submits."""
    for call in tuple(_callbacks["before_submit"]):
        changed: Request | None = call(node, request)
        request = request if changed is None else changed
    return request


def on_frame(node: nuke.Node | None, frame: FinishedFrame) -> None:
    """Tell of a frame."""
    _tell("on_frame", node, frame)


def after(node: nuke.Node | None, done: Done) -> None:
    """Tell of the end."""
    _tell("after", node, done)


def on_farm(node: nuke.Node | None, folder: Path) -> None:
    """Tell where a plan and its job bundle lie."""
    _tell("on_farm", node, folder)


def _of(kind: str) -> list[Callback]:
    if kind not in _callbacks:
        raise InputError(f"there are no {kind!r} callbacks; use one of {', '.join(KINDS)}")
    return _callbacks[kind]


def _tell(kind: str, node: nuke.Node | None, what: FinishedFrame | Done | Path) -> None:
    for call in tuple(_callbacks[kind]):
        _shielded(kind, call, node, what)


def _shielded(
    kind: str, call: Callback, node: nuke.Node | None, what: FinishedFrame | Done | Path
) -> None:
    """Call; the frames are rendered whatever a studio's own code does with them."""
    try:
        call(node, what)
    except Exception:
        log.exception("the %s callback %r failed", kind, call)
