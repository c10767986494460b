"""Digests of files: computed once while they stay as they are, and never taken for another's."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from lumivid_fx.pipeline import file_digests
from lumivid_fx.pipeline.file_digests import RACY_S, FileDigests, file_digest


def sha(content: bytes) -> str:
    """What is expected."""
    return hashlib.sha256(content).hexdigest()


def is_remembered(path: Path) -> bool:
    """Whether a file's digest is in memory."""
    return any(known[0] == str(path) for known in vars(file_digests)["_KNOWN"])


def test_a_young_file_is_never_remembered(tmp_path: Path) -> None:
    """It may be written to again within one tick of the clock, and is hashed each time."""
    path = tmp_path / "a"
    path.write_bytes(b"one")
    assert file_digest(path) == sha(b"one")
    assert not is_remembered(path)
    state = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert file_digest(path) == sha(b"two")


def test_an_old_file_is_hashed_once() -> None:
    """What nobody has touched for longer than any clock's tick is remembered."""
    path = Path(os.__file__)
    assert time.time() - path.stat().st_ctime > RACY_S
    assert file_digest(path) == sha(path.read_bytes())
    assert is_remembered(path)
    assert file_digest(path) == sha(path.read_bytes())


def test_a_change_is_seen_though_its_times_are_put_back(tmp_path: Path) -> None:
    """The kernel's own time of change cannot be set."""
    path = tmp_path / "a"
    path.write_bytes(b"one")
    os.utime(path, (5, 5))
    before = file_digest(path)
    path.write_bytes(b"two")
    os.utime(path, (5, 5))
    assert file_digest(path) != before


def test_the_first_look_counts(tmp_path: Path) -> None:
    """A render goes by what files were when it began, and hears of those that changed since."""
    kept, changed, gone = (tmp_path / name for name in ("kept", "changed", "gone"))
    for path in (kept, changed, gone):
        path.write_bytes(b"one")
    digests = FileDigests()
    for path in (kept, changed, gone):
        digests.look(path)
    assert digests.still_hold([kept, changed, gone])
    changed.write_bytes(b"two")
    gone.unlink()
    assert digests.of(changed) == digests.of(gone) == sha(b"one")
    assert digests.still_hold([kept])
    assert not digests.still_hold([kept, changed])
    assert not digests.still_hold([gone])
    assert not digests.still_hold([tmp_path / "never seen"])


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """A look at it does no harm; its digest is an error."""
    digests = FileDigests()
    digests.look(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        digests.of(tmp_path / "none")
