"""How Nuke finds the folder: ``NUKE_PATH``, or one marked line in ``~/.nuke/init.py``."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lumivid_fx.errors import InputError

MARK = "# lumivid nuke install"
"""How the line ends; by it the line is found again."""


def user_init() -> Path:
    """The file that Nuke runs at every start of this user's."""
    return Path.home() / ".nuke" / "init.py"


def line(root: Path) -> str:
    """The line for ``init.py``; it does nothing where the folder is gone."""
    at = repr(root.as_posix())
    return f"import os, nuke; os.path.isdir({at}) and nuke.pluginAddPath({at})  {MARK}"


def advice(root: Path, name: str = os.name) -> str:
    """The line for a shell's start file that lets Nuke find the folder."""
    if name == "nt":
        return f'setx NUKE_PATH "{root};%NUKE_PATH%"'
    return f'export NUKE_PATH="{root}${{NUKE_PATH:+:$NUKE_PATH}}"'


def register(root: Path, init: Path) -> bool:
    """Add the line, or put it right; tell whether anything was changed.

    Raises:
        InputError: The file cannot be written.
    """
    with _writes(init):
        lines = _lines(init)
        wanted = line(root).encode()
        if [each for each in lines if _is_ours(each)] == [wanted]:
            return False
        _write(init, [*(each for each in lines if not _is_ours(each)), wanted])
        return True


def unregister(root: Path, init: Path) -> bool:
    """Take the folder's line away, and the file with it if nothing else was in it.

    Raises:
        InputError: The file cannot be written.
    """
    with _writes(init):
        lines = _lines(init)
        kept = [each for each in lines if each != line(root).encode()]
        if kept == lines:
            return False
        if kept or init.is_symlink():
            _write(init, kept)
        else:
            init.unlink()
        return True


def seen_by(root: Path, init: Path, environ: Mapping[str, str] = os.environ) -> str:
    """What lets Nuke find the folder, in words; empty if nothing does."""
    for each in environ.get("NUKE_PATH", "").split(os.pathsep):
        if each and _same(Path(each), root):
            return "in NUKE_PATH"
    if line(root).encode() in _lines(init):
        return f"by a line in {init}"
    return ""


@contextmanager
def _writes(init: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{init} cannot be written ({error.strerror}); add or remove the line that ends with "
            f"{MARK!r} by hand"
        ) from error


def _same(one: Path, other: Path) -> bool:
    return one.expanduser().resolve() == other.resolve()


def _is_ours(text: bytes) -> bool:
    return text.rstrip().endswith(MARK.encode())


def _lines(path: Path) -> list[bytes]:
    """A file's lines without their ends; none where there is no such file."""
    try:
        return path.read_bytes().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []


def _write(path: Path, lines: list[bytes]) -> None:
    """Write a file whole or not at all, through a link, its rights and line ends kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path = path.resolve()
    there = path.exists()
    end = b"\r\n" if there and b"\r\n" in path.read_bytes() else b"\n"
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        beside.write_bytes(b"".join(each + end for each in lines))
        if there:
            beside.chmod(path.stat().st_mode & 0o7777)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
