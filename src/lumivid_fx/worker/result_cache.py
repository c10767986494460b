"""Finished frames by content, in a folder that is its own index.

    ab/cdef….frame      32 bytes of SHA-256 over the rest, then the EXR

A key is the SHA-256 of all that a frame depends on (:mod:`lumivid_fx.pipeline.frame_keys`). Entries
are whole or absent, and looked through whenever they are used: a damaged one is removed. When the
folder grows over its limit, the entries that were used the longest ago go. Several processes may
share a folder; nothing that goes wrong with it ends a render.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lumivid_fx.errors import LumividError
from lumivid_fx.media.whole_file import LEFTOVER_AGE_S, whole_file

log = logging.getLogger(__name__)

_ENTRY = re.compile(r"[0-9a-f]{62}\.frame")
_SHELF = re.compile(r"[0-9a-f]{2}")
_LEFTOVER = re.compile(r"\.[0-9a-f]{62}\.[0-9a-f]{8}\.frame")
_KEY = re.compile(r"[0-9a-f]{64}")
_DIGEST_BYTES = 32
_PIECE_BYTES = 1 << 20

_FULL_TO = 0.9
"""Share of the limit that is left after making room, so that it is not made for every frame."""

_COUNT_AFTER = 0.1
"""Share of the limit after whose writing the folder is counted again: others may write too."""


@dataclass(frozen=True)
class Entry:
    """A frame in the cache.

    Attributes:
        path: Its file.
        size: Bytes on disk.
        used_ns: When it was last kept or fetched, in nanoseconds since 1970.
    """

    path: Path
    size: int
    used_ns: int


@dataclass(frozen=True)
class Usage:
    """What a cache holds.

    Attributes:
        count: Frames.
        size: Bytes of all of them.
        oldest: When the first of them was last used, in seconds since 1970; None without frames.
        newest: When the last of them was.
    """

    count: int
    size: int
    oldest: float | None
    newest: float | None


class ResultCache:
    """A :class:`lumivid_fx.pipeline.frame_keys.FrameStore` on disk.

    Args:
        folder: Where it lies; made when the first frame is kept.
        limit_bytes: How large it may grow.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit = limit_bytes
        self._size = sum(entry.size for entry in self.entries())
        self._uncounted = 0

    def fetch(self, key: str, path: Path) -> bool:
        """Make `path` the frame of that key, whole; False, and no new file, where there is none.

        Raises:
            LumividError: The frame is here, but `path` cannot be written.
        """
        entry = self._path(key)
        try:
            with entry.open("rb") as file:
                _copy_checked(file, path)
        except FileNotFoundError:
            return False
        except _DamagedError as error:
            log.warning("%s is damaged (%s) and is removed from the cache", entry, error)
            self._remove(entry)
            return False
        except OSError as error:
            log.warning("%s cannot be read (%s)", entry, error)
            return False
        with suppress(OSError):  # another process may have removed it by now
            os.utime(entry, ns=(time.time_ns(),) * 2)
        return True

    def keep(self, key: str, path: Path) -> None:
        """Keep a copy of a finished frame; a disk that takes none is told to the log alone."""
        entry = self._path(key)
        try:
            if entry.exists():
                return
            size = path.stat().st_size + _DIGEST_BYTES
            if size > self._limit:
                return
            entry.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with path.open("rb") as file, whole_file(entry, str(entry)) as beside:
                _write_checked(file, beside)
            os.utime(entry, ns=(time.time_ns(),) * 2)
        except (OSError, LumividError) as error:
            log.warning("a frame was not kept in the cache: %s", error)
            return
        self._size += size
        self._uncounted += size
        if self._size > self._limit or self._uncounted > _COUNT_AFTER * self._limit:
            self._make_room()

    def entries(self) -> list[Entry]:
        """Every frame in the cache, the one that was used the longest ago first."""
        return sorted(self._look(), key=lambda entry: (entry.used_ns, entry.path))

    def usage(self) -> Usage:
        """How much there is."""
        entries = self.entries()
        used = [entry.used_ns / 1e9 for entry in entries]
        size = sum(entry.size for entry in entries)
        return Usage(len(entries), size, min(used, default=None), max(used, default=None))

    def prune(self, limit_bytes: int) -> None:
        """Remove what was used the longest ago until no more than `limit_bytes` are left."""
        entries = self.entries()
        self._size, self._uncounted = sum(entry.size for entry in entries), 0
        for entry in entries:
            if self._size <= limit_bytes:
                break
            self._remove(entry.path)
            self._size -= entry.size

    def clear(self) -> None:
        """Remove every frame; files that are none of the cache's stay."""
        self.prune(0)
        for shelf in self._shelves():
            with suppress(OSError):
                shelf.rmdir()

    def _make_room(self) -> None:
        self._size, self._uncounted = sum(entry.size for entry in self._look()), 0
        if self._size > self._limit:
            self.prune(int(_FULL_TO * self._limit))

    def _look(self) -> Iterator[Entry]:
        """What is in the folder now; on the way, what killed processes left is removed."""
        for shelf in self._shelves():
            with suppress(OSError), os.scandir(shelf) as files:
                for file in files:
                    with suppress(OSError):  # another process may have removed it by now
                        state = file.stat(follow_symlinks=False)
                        if _ENTRY.fullmatch(file.name):
                            yield Entry(Path(file.path), state.st_size, state.st_mtime_ns)
                        elif _LEFTOVER.fullmatch(file.name) and _is_old(state.st_mtime):
                            Path(file.path).unlink()

    def _shelves(self) -> list[Path]:
        try:
            return [path for path in self._folder.iterdir() if _SHELF.fullmatch(path.name)]
        except OSError:
            return []

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is no SHA-256 in hex")
        return self._folder / key[:2] / f"{key[2:]}.frame"

    def _remove(self, entry: Path) -> None:
        with suppress(OSError):
            entry.unlink()


class _DamagedError(Exception):
    """An entry of the cache is not what was put there."""


def _is_old(written: float) -> bool:
    return time.time() - written > LEFTOVER_AGE_S


def _copy_checked(entry: BinaryIO, path: Path) -> None:
    """Make `path` what an entry holds.

    Raises:
        _DamagedError: The entry does not match its digest, or cannot be read; there is no file.
        LumividError: `path` cannot be written.
    """
    promised = _read(entry, _DIGEST_BYTES)
    digest = hashlib.sha256()
    with whole_file(path, str(path)) as beside, beside.open("wb") as file:
        while piece := _read(entry, _PIECE_BYTES):
            digest.update(piece)
            file.write(piece)
        if digest.digest() != promised:
            raise _DamagedError("its digest is another")


def _write_checked(frame: BinaryIO, beside: Path) -> None:
    """Write an entry: the digest of a frame, then the frame."""
    digest = hashlib.sha256()
    with beside.open("wb") as file:
        file.write(bytes(_DIGEST_BYTES))
        while piece := frame.read(_PIECE_BYTES):
            digest.update(piece)
            file.write(piece)
        file.seek(0)
        file.write(digest.digest())


def _read(entry: BinaryIO, size: int) -> bytes:
    try:
        return entry.read(size)
    except OSError as error:
        raise _DamagedError(str(error.strerror)) from error
