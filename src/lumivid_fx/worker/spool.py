"""Pixels on their way in and out: raw half floats in a folder of the job's own.

    spool/<job>/in/<frame>.f16     sent by a client; whole or absent
    spool/<job>/plate/, out/       the runner's: EXRs, and <frame>.f16 to be sent

Only the server makes and removes a job's folder.
"""

from __future__ import annotations

import errno
import logging
import mmap
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lumivid_fx.errors import DiskFullError, RenderError
from lumivid_fx.protocol.messages import PixelSource
from lumivid_fx.protocol.places import NO_HANDLES

log = logging.getLogger(__name__)

SPARE_BYTES = 256 * 1024 * 1024
"""Room on the disk that a plate from outside leaves free."""


class Upload:
    """A plate that a client is sending, frame after frame and piece after piece.

    Args:
        folder: The job's folder in the spool.
        source: What is coming.
    """

    def __init__(self, folder: Path, source: PixelSource) -> None:
        self._folder = folder / "in"
        self._source = source
        self._size = 0
        self._file: int | None = None
        frames = range(source.first, source.first + source.count)
        self.need: int | None = next((n for n in frames if not self._path(n).exists()), None)

    def put(self, frame: int, offset: int, piece: memoryview | bytes) -> tuple[int, bool]:
        """Take in a piece of the frame that is needed next.

        Returns:
            Bytes of the frame held by now, and whether it is whole and on disk.

        Raises:
            ValueError: It is another frame or another place; the frame starts anew.
            DiskFullError: There is no room for it.
        """
        wanted = self._source.frame_bytes
        if offset == 0:
            self._drop()
        if frame != self.need or offset != self._size or offset + len(piece) > wanted:
            told = f"frame {self.need} from byte {self._size}"
            self._drop()
            raise ValueError(f"{told} was expected, and frame {frame} from byte {offset} came")
        try:
            self._write(piece)
            if self._size < wanted:
                return self._size, False
            self._keep(frame)
        except OSError as error:
            self._drop()
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise DiskFullError(
                    f"frame {frame} of the plate found no room in {self._folder}; free space there "
                    "and send it again"
                ) from error
            raise RenderError(
                f"frame {frame} of the plate cannot be kept in {self._folder} ({error.strerror})"
            ) from error
        return wanted, True

    def restart(self) -> None:
        """Forget the part of a frame that has come: it is sent from its beginning, or no more."""
        self._drop()

    def _write(self, piece: memoryview | bytes) -> None:
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
            self._file = os.open(self._part, flags, 0o600)
        view = memoryview(piece)
        while view:
            view = view[os.write(self._file, view) :]
        self._size += len(piece)

    def _keep(self, frame: int) -> None:
        if self._file is not None:
            os.fsync(self._file)
            os.close(self._file)
            self._file = None
        self._part.replace(self._path(frame))
        self._size = 0
        last = self._source.first + self._source.count - 1
        self.need = frame + 1 if frame < last else None

    def _drop(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
            self._part.unlink(missing_ok=True)
        self._size = 0

    @property
    def _part(self) -> Path:
        return self._folder / ".part"

    def _path(self, frame: int) -> Path:
        return self._folder / f"{frame}.f16"


class Spool:
    """The folder of all jobs' pixels."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def of(self, job: str) -> Path:
        """The folder of one job, which need not exist."""
        return self._folder / job

    def has_room_for(self, size: int) -> bool:
        """Whether the disk takes that many bytes more."""
        try:
            return shutil.disk_usage(self._folder).free >= size + SPARE_BYTES
        except OSError:
            return False

    def open(self, path: str, size: int) -> mmap.mmap | None:
        """The pixels of a frame, as a view of its file; None where it is gone or another.

        Raises:
            OSError: The process has too many files open to say.
        """
        # Paths are a runner's word: no link leads out of the folder, and no pipe keeps us waiting.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            with self._beside(path) as (folder, name):
                file = os.open(name, flags, dir_fd=folder)
        except OSError as error:
            if error.errno in NO_HANDLES:
                raise
            return None
        except ValueError:
            return None
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode) or status.st_size != size:
                return None
            return mmap.mmap(file, size, access=mmap.ACCESS_READ)
        except ValueError:  # it is empty
            return None
        finally:
            os.close(file)

    def drop(self, path: str) -> None:
        """Remove the pixels of a frame that a client has safe."""
        try:
            with self._beside(path) as (folder, name):
                os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            log.warning("%s cannot be removed (%s)", path, error)

    @contextmanager
    def _beside(self, path: str) -> Iterator[tuple[int, str]]:
        """Open the folder that a file of ours lies in, following no link on the way to it.

        Raises:
            ValueError: It is none of ours.
            OSError: There is no such folder.
        """
        *folders, name = Path(path).relative_to(self._folder).parts
        if ".." in (*folders, name):
            raise ValueError("it goes up by ..")
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
        with ExitStack() as stack:
            here = os.open(self._folder, flags)
            stack.callback(os.close, here)
            for folder in folders:
                here = os.open(folder, flags, dir_fd=here)
                stack.callback(os.close, here)
            yield here, name

    def remove_plate(self, job: str) -> None:
        """Remove what came in: the job has ended and reads it no more."""
        for name in ("in", "plate"):
            shutil.rmtree(self.of(job) / name, ignore_errors=True)

    def remove(self, job: str) -> None:
        """Remove all there is of a job."""
        shutil.rmtree(self.of(job), ignore_errors=True)

    def jobs(self) -> list[str]:
        """Jobs that have a folder here, ended or forgotten ones too."""
        return [folder.name for folder in self._folder.iterdir()]
