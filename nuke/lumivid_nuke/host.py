"""What this Nuke is, on which thread we are, and how to change a script without leaving traces."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import nuke

from lumivid_fx.errors import InputError

ACTION = "LumiVid: {}"
"""What a user's action is called in the undo history."""


def has_gui() -> bool:
    """Whether somebody looks at it; False in ``nuke -t`` and on farms."""
    return bool(nuke.GUI)


def in_main(call: Callable[[], object]) -> None:
    """Have something done on the main thread, where alone nodes may be touched.

    From another thread it is put into the main thread's queue, and not waited for. Without a GUI
    nobody empties that queue, and it is done here: nothing of ours has another thread there.
    """
    if threading.current_thread() is threading.main_thread() or not has_gui():
        call()
    else:
        nuke.executeInMainThread(call)


def say(text: str) -> None:
    """Write a line to the console."""
    nuke.tprint(f"lumivid: {text}")


def client_name() -> str:
    """What we call ourselves to a worker, such as ``nuke 16.0v2``."""
    return f"nuke {nuke.NUKE_VERSION_STRING}"


def node_of(node: nuke.Node | str) -> nuke.Node:
    """A node by itself or by its full name.

    Raises:
        InputError: No node has that name.
    """
    if not isinstance(node, str):
        return node
    found = nuke.toNode(node)
    if found is None:
        raise InputError(f"there is no node {node!r} in this script; give its full name")
    return found


def by_name(full: str) -> nuke.Node | None:
    """A node by its full name, whatever group is current."""
    return nuke.toNode(f"root.{full}")


def group_of(node: nuke.Node) -> nuke.Group:
    """The group that a node lies in, the script itself included; enter it to make nodes there."""
    found = by_name(node.fullName().rpartition(".")[0]) if "." in node.fullName() else None
    return found if isinstance(found, nuke.Group) else nuke.root()


def script_name() -> str:
    """Path of the script; empty while it has none."""
    return str(nuke.root().name()) if nuke.root().name() != "Root" else ""


@contextmanager
def one_undo(action: str) -> Iterator[None]:
    """Make what is changed inside one step of the undo history."""
    nuke.Undo.begin(ACTION.format(action))
    try:
        yield
    finally:
        nuke.Undo.end()


@contextmanager
def no_undo() -> Iterator[None]:
    """Keep what is changed inside out of the undo history."""
    if nuke.Undo.disabled():
        yield
        return
    nuke.Undo.disable()
    try:
        yield
    finally:
        nuke.Undo.enable()


@contextmanager
def selection_kept() -> Iterator[None]:
    """Select at the end what was selected at the beginning."""
    selected = [node.fullName() for node in nuke.selectedNodes()]
    try:
        yield
    finally:
        for node in nuke.selectedNodes():
            node.setSelected(False)
        for name in selected:
            node_again = by_name(name)
            if node_again is not None:
                node_again.setSelected(True)
