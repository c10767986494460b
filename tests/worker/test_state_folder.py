"""Where a worker may keep its state, and what it throws out first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.worker.small_disk import on_small_disk, python

from lumivid_fx.errors import InputError
from lumivid_fx.worker.state_folder import NETWORK, Ballast, filesystem, lock, refuse_network

MOUNTED = """
import ctypes, os, sys
from pathlib import Path
from lumivid_fx.errors import InputError
from lumivid_fx.worker.journal import Journal
from lumivid_fx.worker.state_folder import filesystem

share, kind = Path(sys.argv[1]), sys.argv[2]
try:
    # Nobody answers at the other end, as with a server that is down: looking must not hang.
    fuse = os.open("/dev/fuse", os.O_RDWR)
except OSError as error:
    print("skip", error)
    sys.exit()
options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0".encode()
if ctypes.CDLL(None).mount(b"host:/show", bytes(share), kind.encode(), 0, options) != 0:
    print("skip no FUSE in a namespace")
    sys.exit()
for folder in (share, share.parent / "link"):
    assert filesystem(folder) == kind, (folder, filesystem(folder))
try:
    Journal.open(share)
except InputError as error:
    print(error)
"""


def mounted(share: Path, kind: str) -> str:
    """Mount something, try to keep a journal there, and give what was said."""
    share.mkdir()
    (share.parent / "link").symlink_to(share)
    done = python(MOUNTED, str(share), kind)
    assert done.returncode == 0, done.stderr
    if done.stdout.startswith("skip"):
        pytest.skip(done.stdout)
    return done.stdout


def test_network_filesystem_is_refused(tmp_path: Path) -> None:
    """By the kernel's own word, through links too, although its server is silent."""
    said = mounted(tmp_path / "a share", "fuse.sshfs")
    assert str(tmp_path / "a share") in said
    assert "network filesystem (fuse.sshfs)" in said
    assert "LUMIVID_HOME" in said


def test_common_network_filesystems_are_known() -> None:
    """Those that studios have."""
    assert {"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "lustre", "beegfs", "9p"} <= NETWORK
    assert not {"ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay"} & NETWORK


def test_this_disk_is_local(tmp_path: Path) -> None:
    """A folder is on the filesystem of the nearest that is there."""
    kind = filesystem(tmp_path)
    assert kind
    assert filesystem(tmp_path / "not" / "there") == kind
    assert filesystem(Path("/proc")) == "proc"
    (tmp_path / "file").touch()
    assert filesystem(tmp_path / "file" / "below") == kind
    refuse_network(tmp_path)


def test_lock(tmp_path: Path) -> None:
    """One at a time, and the next when it is let go."""
    first = lock(tmp_path)
    with pytest.raises(InputError, match=f"already keeps its state in {tmp_path}"):
        lock(tmp_path)
    os.close(first)
    os.close(lock(tmp_path))


def test_ballast(tmp_path: Path) -> None:
    """It lies until it is thrown out, over a restart too, and is laid anew if it is not whole."""
    ballast = Ballast(tmp_path)
    ballast.lay()
    laid = ballast.path.stat()
    assert laid.st_size == 512 * 1024
    assert laid.st_blocks * 512 >= laid.st_size  # no holes
    again = Ballast(tmp_path)
    again.lay()
    assert again.path.stat().st_mtime_ns == laid.st_mtime_ns
    again.throw_out()
    assert not again.path.exists()
    again.throw_out()
    again.path.write_bytes(b"half")
    Ballast(tmp_path).lay()
    assert again.path.stat().st_size == 512 * 1024


LITTLE_ROOM = """
from lumivid_fx.worker.state_folder import Ballast

ballast = Ballast(disk)
filler = fill()
ballast.lay()
assert not ballast.path.exists()
# Room for it, but for little else.
filler.open("r+b").truncate(filler.stat().st_size - 3 * 512 * 1024)
ballast.lay()
assert not ballast.path.exists()
filler.unlink()
ballast.lay()
assert ballast.path.stat().st_size == 512 * 1024
"""


def test_ballast_leaves_room_for_others(tmp_path: Path) -> None:
    """It is never what fills the disk."""
    on_small_disk(tmp_path, "4m", LITTLE_ROOM)
