"""Install and uninstall: a folder is built beside its place and renamed, to be whole or absent.

    lumivid/            the folder
    .lumivid.new-3f9c   being built
    .lumivid.old-3f9c   the one before, for the moment between two renames

What was interrupted is put right by the next install or uninstall.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import lumivid_fx
from lumivid_fx.errors import DiskFullError, InputError
from lumivid_fx.install.manifest import (
    NAME,
    Differences,
    Manifest,
    bytecode,
    compare,
    describe,
    read_manifest,
    write_manifest,
)
from lumivid_fx.install.payload import linked_payload, payload
from lumivid_fx.install.targets import Target
from lumivid_fx.install.wheels import fetch, unpack
from lumivid_fx.protocol.messages import VERSION

COMMAND = "lumivid_command.txt"
"""Where the node reads how `lumivid` is started on this machine."""

FORGOTTEN_S = 86400.0
"""A build this old is one that was interrupted, not one that goes on."""

_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Outcome:
    """What an install did.

    Attributes:
        manifest: What is there now.
        was: The release that was there before; None if none was.
        unchanged: Whether all of it was there already.
    """

    manifest: Manifest
    was: str | None
    unchanged: bool


def default_folder() -> Path:
    """Where the node goes if nothing is said."""
    return Path.home() / ".nuke" / "lumivid"


def install(
    root: Path,
    targets: tuple[Target, ...],
    *,
    wheels: Path | None = None,
    link: bool = False,
    force: bool = False,
    tell: Callable[[str], object] = lambda _: None,
) -> Outcome:
    """Put the node, its client and the wheels into a folder, in place of what was there before.

    Files that others have put there stay.

    Args:
        root: The folder.
        targets: The Pythons and systems to have wheels for.
        wheels: Take them from this folder alone.
        link: Link to this package instead of copying it.
        force: Also replace files that were changed since they were installed.
        tell: Told what is being done, target by target.

    Raises:
        InputError: It cannot be done; what was there before still is.
        DiskFullError: The disk is full; what was there before still is.
    """
    with _writes(root):
        root.parent.mkdir(parents=True, exist_ok=True)
        root = root.resolve()
        settle(root)
        before, found = _before(root, force=force)
        new = root.with_name(f".{root.name}.new-{secrets.token_hex(4)}")
        new.mkdir()
        try:
            manifest = _build(new, targets, wheels, link=link, tell=tell)
            was = None if before is None else before.lumivid
            if found is not None and found.whole and before == manifest:
                return Outcome(manifest, was, unchanged=True)
            _carry_over(root, new, found)
            _swap(root, new)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        return Outcome(manifest, was, unchanged=False)


def uninstall(root: Path, *, force: bool = False) -> tuple[Manifest, tuple[str, ...]]:
    """Remove what install wrote, and the folders that are empty then.

    Args:
        root: The folder.
        force: Also remove files that were changed since they were installed.

    Returns:
        What was installed, and what stays because install did not write it.

    Raises:
        InputError: Nothing is installed there, or a file was changed.
    """
    with _writes(root):
        root = root.resolve()
        settle(root)
        manifest = read_manifest(root)
        if manifest is None:
            raise InputError(f"{root} has no node for Nuke in it; give its folder with --target")
        found = compare(root, manifest)
        if found.changed and not force:
            raise InputError(_changed(root, found, "remove"))
        for place in (*manifest.files, *manifest.links):
            path = root / place
            if path.parent.resolve().is_relative_to(root):  # a folder may have become a link
                for each in (*bytecode(path), path):
                    each.unlink(missing_ok=True)
        (root / NAME).unlink()
        _remove_empty(root)
        return manifest, found.extra


def settle(root: Path) -> None:
    """Finish what an interrupted install left: the old folder comes back, old builds go."""
    for old in sorted(root.parent.glob(f".{root.name}.old-*")):
        if not root.exists():
            old.rename(root)
    for left in root.parent.glob(f".{root.name}.*-*"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > FORGOTTEN_S:
                shutil.rmtree(left, ignore_errors=True)


def _before(root: Path, *, force: bool) -> tuple[Manifest | None, Differences | None]:
    """What is there already.

    Raises:
        InputError: It is not ours, or was changed.
    """
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return None, None
    try:
        manifest = read_manifest(root)
    except InputError:
        if not force:
            raise
        manifest = Manifest("", 0, {}, {}, {})
    if manifest is None:
        raise InputError(f"{root} holds something else; give another folder with --target")
    found = compare(root, manifest)
    if found.changed and not force:
        raise InputError(_changed(root, found, "replace"))
    return manifest, found


def _build(
    new: Path,
    targets: tuple[Target, ...],
    wheels: Path | None,
    *,
    link: bool,
    tell: Callable[[str], object],
) -> Manifest:
    """Fill a new folder, its manifest included."""
    for place, source in (linked_payload() if link else payload()).items():
        path = new / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if link:
            path.symlink_to(source.resolve())
        else:
            shutil.copyfile(source, path)
    if (command := _command()) is not None:
        (new / COMMAND).write_text(f"{command}\n", encoding="utf-8")
    digests: dict[str, dict[str, str]] = {}
    for target in targets:
        tell(f"wheels for Python {target.python} on {target.system}")
        folder = new / "vendor" / target.folder
        folder.mkdir(parents=True)
        with tempfile.TemporaryDirectory(prefix="lumivid-wheels-") as fetched:
            found = fetch(target, Path(fetched), wheels)
            digests[target.folder] = {wheel.name: unpack(wheel, folder) for wheel in found}
    files, links = describe(new)
    manifest = Manifest(lumivid_fx.__version__, VERSION, digests, files, links)
    write_manifest(new, manifest)
    return manifest


def _command() -> Path | None:
    """The `lumivid` of this environment; the one on PATH may be another's."""
    names = ("lumivid.exe", "lumivid") if os.name == "nt" else ("lumivid",)
    beside = (Path(sys.executable).with_name(name) for name in names)
    return next((path for path in beside if path.is_file()), None)


def _carry_over(root: Path, new: Path, found: Differences | None) -> None:
    """Copy what others have put into the old folder, where nothing of ours takes its place."""
    for place in found.extra if found else ():
        if not os.path.lexists(new / place):
            (new / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / place, new / place, follow_symlinks=False)


def _swap(root: Path, new: Path) -> None:
    old = root.with_name(new.name.replace(".new-", ".old-"))
    there = root.exists()
    if there:
        root.rename(old)
    try:
        new.rename(root)
    except BaseException:
        if there:
            old.rename(root)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _remove_empty(folder: Path) -> None:
    for each in folder.iterdir():
        if each.is_dir() and not each.is_symlink():
            _remove_empty(each)
    with suppress(OSError):  # not empty
        folder.rmdir()


def _changed(root: Path, found: Differences, what: str) -> str:
    more = f" and {len(found.changed) - 1} more" if len(found.changed) > 1 else ""
    return (
        f"{root / found.changed[0]}{more} changed since it was installed; keep a copy if it "
        f"matters, then run this again with --force to {what} it"
    )


@contextmanager
def _writes(root: Path) -> Iterator[None]:
    """Say in a sentence why a folder cannot be written."""
    try:
        yield
    except OSError as error:
        at = error.filename or root
        if error.errno in _FULL:
            raise DiskFullError(
                f"the disk of {at} is full; free space, then run it again"
            ) from error
        raise InputError(
            f"{at} cannot be written ({error.strerror or error}); change its rights or give "
            "another folder with --target"
        ) from error
