"""A path of this machine, as the worker says it.

A worker runs on Linux and takes paths from the root. Where a disk is called otherwise on this
machine, ``LUMIVID_PATHS`` says what it is called there; the longest match counts:

    LUMIVID_PATHS="Z:/show=/mnt/show;//nas/plates=/mnt/plates"     Windows
    LUMIVID_PATHS="/Volumes/show=/mnt/show"                        macOS
"""

from __future__ import annotations

import ntpath
import os
import posixpath
import sys
from collections.abc import Mapping
from pathlib import Path

from lumivid_fx.errors import InputError

PATHS = "LUMIVID_PATHS"
"""Environment variable: what folders of this machine are called on the worker's."""

StrPath = str | os.PathLike[str]


def worker_path(
    path: StrPath, environ: Mapping[str, str] = os.environ, system: str = sys.platform
) -> str:
    """The path from the root on, as the worker says it.

    A slash at its end, which says folder, stays. On Windows a path that begins with one slash is
    taken for the worker's own.

    Args:
        path: Absolute, or from the current folder on.
        environ: Environment variables.
        system: As ``sys.platform`` calls it.

    Raises:
        InputError: ``LUMIVID_PATHS`` cannot be read; or the path has a drive or a server, and
            nobody says what that is called on the worker's machine.
    """
    windows = system == "win32"
    text = os.fspath(path)
    slashed = text.replace("\\", "/") if windows else text
    if not windows:
        whole = posixpath.normpath(posixpath.join(Path.cwd(), text))
    elif slashed.startswith("/") and not slashed.startswith("//"):
        whole = posixpath.normpath(slashed)
    else:
        whole = ntpath.normpath(ntpath.join(Path.cwd(), text)).replace("\\", "/")
    end = "/" if slashed.endswith("/") and whole != "/" else ""
    found = _renamed(whole, _table(environ.get(PATHS, "")), windows=windows)
    if windows and (not found.startswith("/") or found.startswith("//")):
        raise InputError(
            f"{text} is a path of this machine, and a worker on Linux does not know it; say in "
            f"{PATHS} what its folder is called there, as in Z:/show=/mnt/show"
        )
    return found + end


def _renamed(whole: str, table: Mapping[str, str], *, windows: bool) -> str:
    for here in sorted(table, key=len, reverse=True):
        start = whole[: len(here)]
        same = start.lower() == here.lower() if windows else start == here
        if same and whole[len(here) :][:1] in ("", "/"):
            return (table[here] + whole[len(here) :]) or "/"
    return whole


def _table(said: str) -> dict[str, str]:
    """Folders here and there, without slashes at their ends."""
    table = {}
    for entry in filter(None, map(str.strip, said.split(";"))):
        here, equals, there = entry.replace("\\", "/").rpartition("=")
        if not (equals and here and there.startswith("/")):
            raise InputError(
                f"{PATHS} has {entry!r}, which names no two folders; write Z:/show=/mnt/show, "
                "and a semicolon between entries"
            )
        table[here.rstrip("/")] = there.rstrip("/")
    return table
