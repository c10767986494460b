"""SHA-256 of files, computed once while they stay as they are."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

RACY_S = 2.0
"""A file written to so lately may be written to again within one tick of its own clock; file
systems tick every 2 s at the slowest (FAT). Git guards its index in the same way."""

_KNOWN: dict[tuple[str, int, int, int, int, int], str] = {}
_MOST_KNOWN = 200_000


def file_digest(path: Path) -> str:
    """SHA-256 of a file in hex, from memory where it cannot have changed.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        before = os.fstat(file.fileno())
        times = (before.st_size, before.st_mtime_ns, before.st_ctime_ns)
        state = (str(path.absolute()), before.st_dev, before.st_ino, *times)
        known = _KNOWN.get(state)
        if known is not None:
            return known
        began = time.time()
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        after = os.fstat(file.fileno())
    same = (after.st_size, after.st_mtime_ns, after.st_ctime_ns) == times
    if same and began - max(after.st_mtime, after.st_ctime) > RACY_S:
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        _KNOWN[state] = digest
    return digest


class FileDigests:
    """SHA-256 of files as they were when they were first asked for.

    What was hashed once in this process is not hashed again while the file's size, times and inode
    stay the same, unless it is too young for its times to tell (:data:`RACY_S`).
    """

    def __init__(self) -> None:
        self._seen: dict[Path, str] = {}

    def of(self, path: Path) -> str:
        """The digest of a file when it was first asked for, in hex.

        Raises:
            OSError: The file cannot be read.
        """
        if path not in self._seen:
            self._seen[path] = file_digest(path)
        return self._seen[path]

    def look(self, path: Path) -> None:
        """Note what a file is now; one that cannot be read is told of by whoever opens it."""
        with suppress(OSError):
            self.of(path)

    def still_hold(self, paths: Iterable[Path]) -> bool:
        """Whether files are what they were when they were first asked for."""
        try:
            return all(file_digest(path) == self._seen.get(path) for path in paths)
        except OSError:
            return False
