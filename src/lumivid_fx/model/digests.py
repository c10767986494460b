"""SHA-256 of a model's files, kept beside the library: 46 GB are hashed once and not again.

A digest is believed while the file's path, size, time of change and header are what they were when
it was made. Small files are hashed every time.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from safetensors import SafetensorError

from lumivid_fx.errors import InputError
from lumivid_fx.model.library import library_folder
from lumivid_fx.model.tensor_file import look

SMALL = 16 * 1024 * 1024
"""Bytes up to which a file is hashed in no time."""

RACY_S = 2.0
"""A file changed so lately may change again within one tick of its clock: it is not noted."""

_BLOCK = 8 * 1024 * 1024

OnBytes = Callable[[int], None]
"""Told how many bytes were hashed, as they are; raise to stop."""


def file_digest(path: Path, on_bytes: OnBytes = lambda _: None, *, anew: bool = False) -> str:
    """SHA-256 of a file in hex.

    Args:
        path: The file.
        on_bytes: Progress.
        anew: Hash it, whatever is written down.

    Raises:
        InputError: It cannot be read.
    """
    try:
        state = _state(path)
        known = _read_book() if state is not None else {}
        name = str(path.resolve())
        found = known.get(name)
        if found is not None and found[:-1] == state and not anew:
            return str(found[-1])
        began, total = time.time(), hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                total.update(block)
                on_bytes(len(block))
            changed = os.fstat(file.fileno()).st_mtime
        digest = total.hexdigest()
        if state is not None and state == _state(path) and began - changed > RACY_S:
            _write_down(name, [*state, digest])
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); check the path and its permissions"
        ) from error
    return digest


def joint_digest(said: str, paths: Iterable[Path]) -> str:
    """SHA-256 over a text and the content of files, in their order."""
    total = hashlib.sha256(said.encode())
    for path in paths:
        total.update(bytes.fromhex(file_digest(path)))
    return total.hexdigest()


def _state(path: Path) -> list[object] | None:
    """What tells a file from what it may become; None where it is small or has no header."""
    status = path.stat()
    if status.st_size <= SMALL:
        return None
    try:
        header = look(path).header
    except SafetensorError:
        return None
    return [status.st_size, status.st_mtime_ns, header]


def _book() -> Path:
    return library_folder() / "digests.json"


def _read_book() -> dict[str, list[object]]:
    try:
        read = json.loads(_book().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(read, dict):
        return {}
    return {name: row for name, row in read.items() if isinstance(row, list) and len(row) == 4}


def _write_down(name: str, row: list[object]) -> None:
    """Note a digest; a process that may not write here hashes again the next time."""
    with suppress(OSError):
        book = _book()
        book.parent.mkdir(parents=True, exist_ok=True)
        known = {other: kept for other, kept in _read_book().items() if Path(other).exists()}
        beside = book.with_name(f".{uuid4().hex}.part")
        try:
            beside.write_text(json.dumps({**known, name: row}), encoding="utf-8")
            beside.replace(book)
        finally:
            beside.unlink(missing_ok=True)
