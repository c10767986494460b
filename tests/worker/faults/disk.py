"""A disk of a few megabytes that a worker lives on, and a test fills, empties and locks.

It is a tmpfs in namespaces of its own, where the kernel lets anybody mount one; a process that only
sleeps holds it. Programs are put on it by :attr:`SmallDisk.enter`; the test itself, which is
outside, sees its files under :attr:`SmallDisk.seen`.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_HOLD = 'mount -t tmpfs -o "size=$1" tmpfs "$2" && echo ready && exec sleep 1000'


class SmallDisk:
    """A disk.

    Args:
        holder: Process that holds it.
        folder: Where it lies for those who are on it.

    Attributes:
        enter: Start of a command line; what follows runs on the disk, in the same process.
        seen: The folder as seen from outside.
    """

    def __init__(self, holder: int, folder: Path) -> None:
        self.enter = (
            *("nsenter", f"--target={holder}", "--user", "--mount"),
            "--preserve-credentials",
        )
        self.seen = Path(f"/proc/{holder}/root{folder}")
        self._folder = folder

    def see(self, path: str | Path) -> Path:
        """A file of the disk as seen from outside."""
        return self.seen / Path(path).relative_to(self._folder)

    def fill(self, spare: int = 0) -> None:
        """Leave no room, or only so many bytes."""
        self.empty()
        with (self.seen / "filler").open("wb") as file:
            while True:
                disk = os.statvfs(self.seen)
                size = disk.f_bavail * disk.f_frsize - spare
                if size <= 0:
                    return
                with suppress(OSError):  # somebody has taken some of it meanwhile
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, size)

    def empty(self) -> None:
        """Give the room back."""
        (self.seen / "filler").unlink(missing_ok=True)

    def mount(self, options: str) -> None:
        """Mount it anew, such as with ``ro``."""
        command = [*self.enter, "mount", "-o", f"remount,{options}", str(self._folder)]
        deadline = time.monotonic() + 30
        while (done := subprocess.run(command, capture_output=True, check=False)).returncode:
            # Busy while a file is open to be written.
            assert time.monotonic() < deadline, done.stderr
            time.sleep(0.01)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[SmallDisk]:
    """Make a disk; skip the test where that may not be.

    Args:
        folder: Where it lies for those who are on it; made if missing.
        size: As tmpfs wants it, such as ``3m``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    inside = ["unshare", "--user", "--map-root-user", "--mount"]
    try:
        subprocess.run([*inside, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this kernel lets no ordinary user mount: {error}")
    with subprocess.Popen(
        [*inside, "sh", "-c", _HOLD, "sh", size, str(folder)], stdout=subprocess.PIPE
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"ready\n"
            yield SmallDisk(holder.pid, folder)
        finally:
            holder.kill()
