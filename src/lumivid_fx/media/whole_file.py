"""Files that are whole or absent: written beside, brought to disk, renamed.

Nobody ever reads half a file. A process that is killed while it writes leaves a hidden file beside,
which :func:`remove_leftovers` clears away later.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lumivid_fx.errors import DiskFullError, InputError

LEFTOVER_AGE_S = 600.0
"""A hidden file that nobody has written to for so long has nobody who goes on with it."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_HIDDEN = re.compile(r"\.(.+)\.[0-9a-f]{8}(\.[^.]*)?")
_PROBE_BYTES = 65536


@contextmanager
def whole_file(path: Path, where: str) -> Iterator[Path]:
    """Give a hidden file beside `path` to write to, which takes its place in the end.

    Args:
        path: The file, replaced if it exists; its folder is made if missing.
        where: What to call it in messages.

    Raises:
        DiskFullError: There is no room for it; nothing of it stays, as on any failure.
        InputError: It cannot be made where it was asked for.
    """
    beside = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.touch(exist_ok=False)  # a folder that refuses files says why here, by its errno
        yield beside
        _sync(beside)
        beside.replace(path)
        _sync(path.parent)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise DiskFullError(
                f"{where} was not written whole ({error.strerror}); free space on that disk and "
                "render again, for finished frames stay"
            ) from error
        raise InputError(
            f"{where} cannot be written ({error.strerror}); choose another folder or change its "
            "permissions"
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def require_room(path: Path) -> None:
    """Ask the disk whether it takes more of a file, where a library only says that it failed.

    Raises:
        OSError: It does not; the error number says why.
    """
    with path.open("ab", buffering=0) as file:
        rest = memoryview(bytes(_PROBE_BYTES))
        while rest:
            rest = rest[file.write(rest) :]
        os.fsync(file.fileno())


def remove_leftovers(paths: Iterable[Path], age_s: float = LEFTOVER_AGE_S) -> None:
    """Remove what writers of these files left beside them when they were killed.

    Args:
        paths: Files that may have been under way.
        age_s: What was written to more lately stays, in seconds.
    """
    folders: dict[Path, set[str]] = defaultdict(set)
    for path in paths:
        folders[path.parent].add(path.name)
    for folder, names in folders.items():
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                match = _HIDDEN.fullmatch(entry.name)
                if match is None or f"{match[1]}{match[2] or ''}" not in names:
                    continue
                with suppress(OSError):
                    if time.time() - entry.stat(follow_symlinks=False).st_mtime > age_s:
                        Path(entry.path).unlink()


def _sync(path: Path) -> None:
    """Wait until a file or folder is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
