"""The folder of the worker's state: on a local disk, one worker's, with ballast to throw out.

SQLite's write-ahead log needs memory that all who open it share, so that it cannot lie on a network
filesystem (https://sqlite.org/wal.html). When the disk is full, the ballast makes room to write
down how the jobs ended.
"""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path
from time import monotonic

from lumivid_fx.errors import InputError
from lumivid_fx.protocol.places import HOME

BALLAST_BYTES = 512 * 1024
"""Room for about forty changes to the journal."""

_ROOM_BYTES = 4 * BALLAST_BYTES
"""Free space below which no ballast is laid: it must not be what fills the disk."""

_PAUSE_S = 60.0
"""Seconds until laying it is tried again where it failed, over a quota say."""

# fmt: off
NETWORK = frozenset({  # as mountinfo names them
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs",
    "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "pvfs2", "smb3", "smbfs", "wekafs",
    "fuse.ceph", "fuse.cifs", "fuse.gcsfuse", "fuse.glusterfs", "fuse.goofys", "fuse.juicefs",
    "fuse.mount-s3", "fuse.rclone", "fuse.s3fs", "fuse.smbnetfs", "fuse.sshfs",
})
# fmt: on
"""Filesystems that several machines may hold at once."""

_log = logging.getLogger(__name__)


def filesystem(folder: Path) -> str:
    """The kind of filesystem that holds a folder, or will hold it, such as ``ext4``.

    Empty where the kernel does not tell.
    """
    for place in (folder.absolute(), *folder.absolute().parents):
        try:
            # The dot has an automounter mount what it keeps here; O_PATH asks no server that hangs.
            descriptor = os.open(f"{place}/.", os.O_PATH)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            return ""
        try:
            return _mounted(descriptor)
        except OSError:
            return ""
        finally:
            os.close(descriptor)
    return ""


def _mounted(descriptor: int) -> str:
    about = Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="utf-8")
    number = next(
        (line.split()[1] for line in about.splitlines() if line.startswith("mnt_id:")), ""
    )
    # proc(5): mount id, parent, device, root, mount point, options, any fields, "-", kind, ...
    for line in Path("/proc/self/mountinfo").read_bytes().decode(errors="replace").splitlines():
        if line.split(maxsplit=1)[0] == number:
            return line.partition(" - ")[2].split(maxsplit=1)[0]
    return ""


def refuse_network(folder: Path) -> None:
    """Refuse a folder that several machines may hold at once.

    Raises:
        InputError: It lies on a network filesystem.
    """
    kind = filesystem(folder)
    if kind in NETWORK:
        raise InputError(
            f"{folder} lies on a network filesystem ({kind}), where a journal is not safe; "
            f"set {HOME} to a folder on a disk of this machine"
        )


def lock(folder: Path) -> int:
    """Take a folder for this process; no other gets it until the descriptor is closed.

    The kernel lets go of it when the process ends, however it ends.

    Raises:
        InputError: Another worker has it.
    """
    descriptor = os.open(folder / "worker.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise InputError(
            f"a worker already keeps its state in {folder}; stop it with `lumivid worker stop`, "
            f"or set {HOME} to another folder"
        ) from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


class Ballast:
    """A file that only takes up room, until somebody needs it more."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ballast"
        self._try_at = 0.0
        try:
            self._lies = self.path.stat().st_size == BALLAST_BYTES
        except OSError:
            self._lies = False

    def lay(self) -> None:
        """Take up the room, if it is not taken and the disk has enough of it."""
        if self._lies or monotonic() < self._try_at:
            return
        try:
            disk = os.statvfs(self.path.parent)
            if disk.f_bavail * disk.f_frsize < _ROOM_BYTES:
                return
            with self.path.open("wb") as file:
                file.write(os.urandom(BALLAST_BYTES))  # some filesystems make little of zeros
                file.flush()
                os.fsync(file.fileno())
            self._lies = True
        except OSError as error:
            _log.warning("%s cannot be laid (%s)", self.path, error.strerror)
            self._try_at = monotonic() + _PAUSE_S
            self.throw_out()

    def throw_out(self) -> None:
        """Give the room back."""
        try:
            self.path.unlink(missing_ok=True)
            self._lies = False
        except OSError as error:
            _log.warning("%s cannot be thrown out (%s)", self.path, error.strerror)
