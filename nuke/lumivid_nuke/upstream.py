"""What stands before the node: a file that a worker can read, or pictures that Nuke must make.

A bare Read is sent as its path, and nothing is rendered. Everything else goes through a temporary
Write (:mod:`lumivid_nuke.plates`).
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import nuke

from lumivid_fx.errors import InputError
from lumivid_nuke import colour

if TYPE_CHECKING:
    from collections.abc import Iterator

SEQUENCES = (".exr", ".png", ".tif", ".tiff", ".dpx", ".jpg", ".jpeg")
MOVIES = (".mov", ".mp4", ".m4v", ".mkv", ".mxf")
"""Files that a worker reads as Nuke does."""

TRANSPARENT = ("Dot",)
"""Nodes that pass on what they are given."""

COSMETIC = frozenset({
    *("name", "xpos", "ypos", "selected", "label", "autolabel", "note_font", "note_font_size"),
    *("note_font_color", "tile_color", "gl_color", "hide_input", "postage_stamp", "icon", "help"),
    *("cached", "dope_sheet", "bookmark", "indicators", "panel", "lifetimeStart", "lifetimeEnd"),
    *("useLifetime", "knobChanged", "onCreate", "onDestroy", "updateUI", "postage_stamp_frame"),
    *("process_mask", "rootNodeUpdated", "panelDropped", "reload", "localizationPolicy"),
})  # fmt: skip
"""Knobs that say nothing of the picture."""

_NUMBER = re.compile(r"%(0(\d+))?d|#+")
_TCL_OR_VIEW = re.compile(r"[\[\]]|%[vV]")


@dataclass(frozen=True)
class FilePlate:
    """A plate on disk.

    Attributes:
        path: As a worker takes it: a movie, or a sequence with one ``#`` for each digit.
        space: What the Read says it is in, by the worker's name.
        first: What the Read reads.
        last: See `first`.
    """

    path: str
    space: str
    first: int
    last: int

    @property
    def identity(self) -> str:
        """Hash of the path and of every file's size and time; new when a file is replaced.

        Raises:
            InputError: Its folder cannot be read.
        """
        digest = hashlib.sha256(self.path.encode("utf-8"))
        for name, size, time in sorted(self._files()):
            digest.update(f"\0{name}\0{size}\0{time}".encode())
        return digest.hexdigest()

    def _files(self) -> Iterator[tuple[str, int, int]]:
        folder, name = os.path.split(self.path)
        head, hashes, tail = _split(name)
        files = re.compile(f"{re.escape(head)}{r'-?[0-9]+' if hashes else ''}{re.escape(tail)}")
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if files.fullmatch(entry.name):
                        about = entry.stat()
                        yield entry.name, about.st_size, about.st_mtime_ns
        except OSError as error:
            raise InputError(
                f"{folder} cannot be read ({error.strerror}); check the Read's file"
            ) from error


def plate_of(node: nuke.Node) -> nuke.Node:
    """The node whose pictures go in, past dots.

    Raises:
        InputError: Nothing is connected.
    """
    source = node.input(0)
    while source is not None and source.Class() in TRANSPARENT:
        source = source.input(0)
    if source is None:
        raise InputError(f"{node.name()} has no input; connect the plate")
    return source


def file_plate(node: nuke.Node, first: int, last: int) -> FilePlate | None:
    """The file that the node's input is, if it is one and a worker will see what Nuke shows.

    Args:
        node: A LumiVid.
        first: Of the frames that are to be rendered.
        last: See `first`.

    Raises:
        InputError: Nothing is connected.
    """
    read = plate_of(node)
    if read.Class() != "Read" or _said(read, "disable") in ("true", "True", "1"):
        return None
    path = worker_path(str(nuke.filename(read) or ""))
    start, end = int(read["first"].value()), int(read["last"].value())
    if path is None or _said(read, "frame") not in ("", "0") or not start <= first <= last <= end:
        return None
    if path.lower().endswith(MOVIES) and start != 1:
        return None
    space = colour.working_space()
    if not read["raw"].value():
        said = _said(read, "colorspace")
        if not colour.is_clear(said):
            return None
        space = colour.worker_name(said)
    return FilePlate(path, space, start, end)


def worker_path(path: str) -> str | None:
    """A Read's path as a worker takes it, absolute; None where it cannot read that."""
    folder = str(nuke.root()["project_directory"].value() or "")
    if folder and not Path(path).is_absolute():
        path = f"{folder}/{path}"
    low, hashes = path.lower(), _split(Path(path).name)[1]
    if not Path(path).is_absolute() or _TCL_OR_VIEW.search(path):
        return None
    if low.endswith(MOVIES) and not hashes:
        return path
    if not low.endswith(SEQUENCES) or not hashes:
        return None  # a still holds for every frame in Nuke, and is one frame to a worker
    folder, name = os.path.split(path)
    head, hashes, tail = _split(name)
    return f"{folder}/{head}{hashes}{tail}" if not _NUMBER.search(folder + head + tail) else None


def state_of(node: nuke.Node) -> str:
    """A hash of all that stands before a node, by the knobs alone: no picture is made.

    It tells cheaply that something may have changed; what a render is found by is a hash of the
    pictures themselves.
    """
    digest = hashlib.sha256()
    seen: set[str] = set()
    todo: list[nuke.Node | None] = [node.input(index) for index in range(node.inputs())]
    while todo:
        each = todo.pop(0)
        if each is None or each.fullName() in seen:
            digest.update(b"\1")
            continue
        digest.update(each.Class().encode())
        seen.add(each.fullName())
        for name, knob in sorted(each.knobs().items()):
            if name not in COSMETIC:
                digest.update(f"\0{name}\0{knob.toScript()}".encode())
        todo += [each.input(index) for index in range(each.inputs())]
        if isinstance(each, nuke.Group):
            inside = {inner.fullName(): inner for inner in each.nodes()}
            todo += [inside[name] for name in sorted(inside)]
    return digest.hexdigest()


def _said(node: nuke.Node, name: str) -> str:
    knob = node.knob(name)
    return "" if knob is None else str(knob.value() or "")


def _split(name: str) -> tuple[str, str, str]:
    """What stands before a file's number, one ``#`` for each of its digits, and what behind it."""
    found = _NUMBER.search(name)
    if found is None:
        return name, "", ""
    digits = int(found[2] or 1) if found[0].startswith("%") else len(found[0])
    return name[: found.start()], "#" * digits, name[found.end() :]
