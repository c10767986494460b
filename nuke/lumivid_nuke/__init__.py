"""The LumiVid node inside Nuke: knobs to messages, and back.

    import nuke, lumivid_nuke

    node = nuke.toNode("LumiVid1")
    lumivid_nuke.submit(node)                        # in the background; in nuke -t it waits
    lumivid_nuke.render("LumiVid1", 1001, 1040)      # waits; raises what goes wrong
    lumivid_nuke.render_files("/show/plate.####.exr", "/show/hdr.####.exr")   # without a node

host        which Nuke, which thread, undo
knobs       the knobs, as plain Python
colour      names of spaces, Nuke's and the worker's
upstream    a bare Read, or something that Nuke must render
plates      what Nuke renders for a worker
exr_digest  a hash of pixels
results     where results lie
plan        all that one render is to do
connection  the worker, found or started
follow      a job from submit to end
submission  what both kinds of render share
jobs        in the background
render      waited for
farm        planned, for others to render
node        status, tile, stale
actions     the other buttons
callbacks   what a studio hangs on

Python 3.10; the standard library, Nuke, and the half of lumivid_fx that needs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from lumivid_fx.errors import LumividError
from lumivid_nuke import actions, farm, host, jobs, knobs, node
from lumivid_nuke import render as waiting
from lumivid_nuke.callbacks import add_callback, remove_callback
from lumivid_nuke.render import render_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import nuke

    from lumivid_fx.protocol.messages import Done

_T = TypeVar("_T")

__all__ = [
    "add_callback",
    "cancel",
    "copy_settings",
    "export_cdl",
    "from_input",
    "import_as_read",
    "knob_changed",
    "on_create",
    "open_cache",
    "pick_view",
    "randomise",
    "remove_callback",
    "render",
    "render_files",
    "render_missing",
    "send_to_farm",
    "submit",
    "update_ui",
]


def submit(here: nuke.Node | str) -> None:
    """Render a node's range: in the background, or in ``nuke -t`` at once, raising what goes wrong.

    Frames of the same plate with the same settings that are there already are kept.
    """
    _start(here, missing=False)


def render_missing(here: nuke.Node | str) -> None:
    """Render the frames that the shown result lacks; else as :func:`submit`."""
    _start(here, missing=True)


def render(here: nuke.Node | str, first: int | None = None, last: int | None = None) -> Done:
    """Render a node and wait, in the GUI too; for farms and scripts.

    Parts of the node's range that are rendered one by one come to one result, also on several
    machines: all see the whole plate.

    Args:
        here: A LumiVid, or its full name.
        first: Number of the first frame that is wanted; None for the node's.
        last: Of the last.

    Raises:
        LumividError: It could not be done; the message says what to change.
    """
    return waiting.render(_ours(here), first, last)


def send_to_farm(here: nuke.Node | str, folder: str | Path | None = None) -> Path | None:
    """Write a node's plan and job bundle for a farm; nothing is rendered here.

    Args:
        here: A LumiVid, or its full name.
        folder: Where to; None is in the node's cache.

    Returns:
        The folder; in the GUI it is filled in the background, and ``on_farm`` is called then.
    """
    return _told(here, lambda: farm.send(_ours(here), folder))


def cancel(here: nuke.Node | str) -> bool:
    """Stop a node's job; finished frames stay. Whether one was under way."""
    return jobs.cancel(_ours(here))


def import_as_read(here: nuke.Node | str) -> nuke.Node | None:
    """Make a Read of the result; None if there is none, which the node then tells."""
    return _told(here, lambda: actions.import_as_read(_ours(here)))


def export_cdl(here: nuke.Node | str, path: str | None = None) -> Path | None:
    """Write the node's exposure as an ASC CDL; None if it was not written."""
    return _told(here, lambda: actions.export_cdl(_ours(here), path))


def open_cache(here: nuke.Node | str) -> None:
    """Show where the result lies."""
    _told(here, lambda: actions.open_cache(_ours(here)))


def copy_settings(here: nuke.Node | str) -> int | None:
    """Give this node's settings to all others of its kind that are selected; how many."""
    return _told(here, lambda: actions.copy_settings(_ours(here)))


def randomise(here: nuke.Node | str) -> None:
    """Take another seed."""
    actions.randomise(_ours(here))


def from_input(here: nuke.Node | str) -> None:
    """Let the range follow the input again."""
    actions.from_input(_ours(here))


def pick_view(here: nuke.Node | str) -> None:
    """Ask which view the plate was made with."""
    actions.pick_view(_ours(here))


def on_create(here: nuke.Node) -> None:
    """A node has come into being: new, pasted, or with its script."""
    if knobs.is_ours(here) and not node.disown_copies(here) and host.has_gui():
        jobs.go_on(here)


def knob_changed(here: nuke.Node, knob: nuke.Knob) -> None:
    """A knob of a node was changed, or its input; no disk is looked at."""
    if not knobs.is_ours(here):
        return
    if knob.name() == "name":
        node.rename(here)
    elif knob.name() in (*knobs.SETTINGS, "inputChange"):
        node.look(here)


def update_ui(here: nuke.Node) -> None:
    """Nuke draws the node anew; it may be because of what stands before it."""
    if knobs.is_ours(here):
        node.look_if_changed(here)


def _ours(here: nuke.Node | str) -> nuke.Node:
    found = host.node_of(here)
    knobs.require_ours(found)
    return found


def _start(here: nuke.Node | str, *, missing: bool) -> None:
    found = _ours(here)
    if host.has_gui():
        _told(found, lambda: jobs.start(found, missing=missing))
    else:
        waiting.render(found, missing=missing)


def _told(here: nuke.Node | str, do: Callable[[], _T]) -> _T | None:
    """Do something; in the GUI the node tells what goes wrong, else it is raised."""
    try:
        return do()
    except LumividError as error:
        if not host.has_gui():
            raise
        node.tell_error(_ours(here), error)
        return None
