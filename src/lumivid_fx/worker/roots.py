"""Under which folders the paths of a request may lie, asked before a job is taken.

The server asks, so that an artist hears at once and by name what is wrong. What is opened later is
held by the kernel (:mod:`lumivid_fx.worker.sandbox`), for a link may change in between.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lumivid_fx.errors import InputError

_MAX_PATH = 4095
"""Bytes of a path that Linux opens: PATH_MAX without the final NUL."""

_MAX_PART = 255
"""Bytes of a file's name: NAME_MAX of every file system that plates are kept on."""

_CONTROL = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode's control characters, halves of surrogate pairs, and separators of lines."""

_WINDOWS_DEVICE = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\N{SUPERSCRIPT ONE}"
    r"\N{SUPERSCRIPT TWO}\N{SUPERSCRIPT THREE}]) *(\..*)?",
    re.IGNORECASE,
)
"""Names that no Windows machine on the same share could open, with any extension (Microsoft's
"Naming Files, Paths, and Namespaces")."""

_REMEDY = "start the worker with `lumivid worker --root FOLDER` to add one"


class Roots:
    """The folders whose files a worker reads and writes for its clients.

    Args:
        roots: Folders of plates, results, models and colour configurations.
        private: Folders of the worker's own, such as keys and journal, which may lie in a root and
            are no client's business all the same; they need not exist yet.

    Attributes:
        folders: The roots, absolute and without links.

    Raises:
        InputError: There is no root, or one is no folder or lies in a private folder.
    """

    def __init__(self, roots: Sequence[Path], private: Sequence[Path]) -> None:
        self.folders = tuple(dict.fromkeys(_real(root) for root in roots))
        self._private = tuple(_real(folder) for folder in private)
        if not self.folders:
            raise InputError(f"the worker has no folder to work in; {_REMEDY}")
        for folder in self.folders:
            if not folder.is_dir():
                raise InputError(
                    f"{folder} is no folder; make it, or name another with `lumivid worker --root`"
                )
            if self._is_private(folder):
                raise InputError(
                    f"{folder} holds what is the worker's own; name another folder with "
                    "`lumivid worker --root`"
                )

    @property
    def names(self) -> tuple[str, ...]:
        """The roots as text."""
        return tuple(str(folder) for folder in self.folders)

    def check(self, path: str, what: str) -> None:
        """Refuse a path that does not lie under a root.

        Links are followed: one that leads from root to root passes, as studios publish by links.
        Of a pattern such as ``plate.####.exr`` the folder counts, its frames being many.

        Args:
            path: Absolute, with forward slashes; need not exist.
            what: What it is to the artist, such as ``the plate``.

        Raises:
            InputError: It may not be used; its code is ``E_PATH``.
        """
        if flaw := _flaw(path):
            raise _refused(f"{what} {path!r:.300} {flaw}", "write it another way")
        try:
            real = _real(Path(path))
        except (OSError, RecursionError) as error:  # a link that was changed meanwhile, or many
            raise _refused(
                f"{what} {path!r} leads through links that cannot be followed to their end",
                "name the folder itself, or submit again once nobody changes them",
            ) from error
        if not any(real.is_relative_to(folder) for folder in self.folders):
            known = ", ".join(self.names)
            raise _refused(f"{what} {path!r} does not lie under the worker's roots ({known})")
        if self._is_private(real):
            raise _refused(
                f"{what} {path!r} lies among the worker's own files", "choose another folder"
            )

    def _is_private(self, real: Path) -> bool:
        return any(real.is_relative_to(folder) for folder in self._private)


def default_roots() -> list[Path]:
    """The user's home and the current folder, but for the root of the file system."""
    found = [folder for folder in (home_folder(), current_folder()) if folder is not None]
    return [folder for folder in dict.fromkeys(found) if folder != Path("/")]


def home_folder() -> Path | None:
    """The user's home without links; None where there is none, as for many a service."""
    with suppress(RuntimeError):
        home = _real(Path.home())
        return home if home.is_dir() else None
    return None


def current_folder() -> Path | None:
    """The current folder without links; None where it has been removed."""
    with suppress(FileNotFoundError):
        return _real(Path.cwd())
    return None


def _real(path: Path) -> Path:
    """The path without links; what does not exist is taken as it stands."""
    return Path(os.path.realpath(path))


def _flaw(path: str) -> str:
    """What is wrong with how a path is written, or nothing."""
    if any(unicodedata.category(character) in _CONTROL for character in path):
        return "has control characters"
    if "\\" in path:
        return "has backslashes, where the worker's system has /"
    if path.startswith("//"):
        return "names a host in place of the folder where its share is mounted"
    if not path.startswith("/"):
        return "is not absolute"
    if len(path.encode()) > _MAX_PATH:
        return f"is longer than {_MAX_PATH} bytes"
    return next((flaw for part in path.split("/") if (flaw := _flaw_of_part(part))), "")


def _flaw_of_part(part: str) -> str:
    """What is wrong with one name of a path, or nothing."""
    if part == "..":
        return "goes up by .."
    if len(part.encode()) > _MAX_PART:
        return f"has a name of more than {_MAX_PART} bytes"
    if _WINDOWS_DEVICE.fullmatch(part):
        return f"holds {part}, which Windows keeps for a device"
    return ""


def _refused(why: str, remedy: str = _REMEDY) -> InputError:
    error = InputError(f"{why}; {remedy}")
    error.code = "E_PATH"
    return error
