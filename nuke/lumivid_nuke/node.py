"""What the node tells: its status line, its colour, and whether its result is stale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nuke

from lumivid_fx.errors import CancelledError, InputError
from lumivid_nuke import host, knobs, plan

if TYPE_CHECKING:
    from collections.abc import Iterator

CALM, BUSY, STALE, FAILED = 0x3F6EA5FF, 0x3F8F5FFF, 0xB98B2BFF, 0x9C2B2BFF
"""Tile colours: nothing to tell; rendering; the result is an older plate's; an error."""

STALE_TEXT = "stale: the plate or the settings have changed; the result shown is the one before"

IDLE = "idle"

_watched: dict[str, tuple[object, ...]] = {}
"""What a node and its input were when they were last looked at; for this session alone."""


def tell(node: nuke.Node, text: str, colour: int) -> None:
    """Say something in the status line and on the tile; no step of the undo history.

    A colour that the artist gave the node is left alone.
    """
    with host.no_undo():
        if node["status"].value() != text:
            node["status"].setValue(text)
        if node["tile_color"].value() in (0, CALM, BUSY, STALE, FAILED):
            node["tile_color"].setValue(colour)


def tell_error(node: nuke.Node, error: BaseException) -> None:
    """Say why something failed; what the artist stopped has not."""
    colour = CALM if isinstance(error, CancelledError) else FAILED
    tell(node, str(error) or type(error).__name__, colour)


def is_running(node: nuke.Node) -> bool:
    """Whether a job of this node is under way."""
    return bool(node["job_id"].value())


def is_stale(node: nuke.Node) -> bool:
    """Whether the plate or the settings have changed since the shown result was asked for."""
    sent = str(node["sent_hash"].value())
    return bool(sent) and sent != plan.state_of(node)


def look(node: nuke.Node) -> None:
    """Tell whether the result is stale, if that is news; no step of the undo history."""
    if is_running(node) or not node["sent_hash"].value():
        return
    told = node["status"].value() == STALE_TEXT
    stale = is_stale(node)
    if stale and not told:
        tell(node, STALE_TEXT, STALE)
    elif told and not stale:
        tell(node, "up to date", CALM)


def look_if_changed(node: nuke.Node) -> None:
    """The same, but only where Nuke says that something before the node is new: it is cheap."""
    source = node.input(0)
    now = (node["sent_hash"].value(), *([] if source is None else source.opHashes()))
    name = node.fullName()
    if _watched.get(name) != now:
        _watched[name] = now
        look(node)


def reload_result(node: nuke.Node) -> None:
    """Have the Read inside look at the disk again; without it Nuke remembers what was missing."""
    read = host.by_name(f"{node.fullName()}.ResultRead")
    knob = None if read is None else read.knob("reload")
    if isinstance(knob, nuke.Script_Knob):
        with host.no_undo():
            knob.execute()


def owner_of(node: nuke.Node) -> str:
    """Whose a job is: script and node."""
    return f"{host.script_name()}|{node.fullName()}"


def own(node: nuke.Node, job: str, state: str) -> None:
    """Note the job under way, and what it was sent as. No step of the undo history."""
    with host.no_undo():
        node["job_id"].setValue(job)
        node["job_owner"].setValue(owner_of(node))
        node["job_hash"].setValue(state)


def disown(node: nuke.Node) -> None:
    """No job is under way any more. No step of the undo history."""
    with host.no_undo():
        for name in ("job_id", "job_owner", "job_hash"):
            node[name].setValue("")


def rename(node: nuke.Node) -> None:
    """Note what the node of a running job is called by now. No step of the undo history."""
    if is_running(node) and node["job_owner"].value() != owner_of(node):
        with host.no_undo():
            node["job_owner"].setValue(owner_of(node))


def disown_copies(node: nuke.Node) -> bool:
    """Take the job from a node that has only copied it; whether it was one.

    A copy is a node whose job another node of the script has, or that came from another script. A
    clone shares its knobs, so that the job is both's.
    """
    job = str(node["job_id"].value())
    if not job or node.clones():
        return False
    script = str(node["job_owner"].value()).partition("|")[0]
    others = [each for each in nodes_of(job) if each.fullName() != node.fullName()]
    if not others and script == host.script_name():
        return False
    disown(node)
    tell(node, IDLE if not node["result_key"].value() else "copied", CALM)
    return True


def nodes_of(job: str) -> Iterator[nuke.Node]:
    """The nodes whose job this is: one, and its clones and fresh copies."""
    for node in nuke.allNodes("Group", group=nuke.root(), recurseGroups=True):
        if knobs.is_ours(node) and node["job_id"].value() == job:
            yield node


def find(job: str, name: str) -> nuke.Node | None:
    """The node of a job, whatever it is called by now; None if it is gone.

    Args:
        job: The job's id.
        name: Its full name as it was last known.
    """
    node = host.by_name(name)
    if node is not None and knobs.is_ours(node) and node["job_id"].value() == job:
        return node
    return next(nodes_of(job), None)


def require_idle(node: nuke.Node) -> None:
    """Refuse a second job of a node.

    Raises:
        InputError: One is under way.
    """
    if is_running(node):
        raise InputError(f"{node.name()} is rendering; cancel that first")
