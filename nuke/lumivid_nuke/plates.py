"""Pictures that Nuke makes for a worker: a temporary Write of half EXRs, gone when it is done.

The frames lie in the cache folder until the render has ended:

    <cache_dir>/plates/<job>/plate.####.exr
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import nuke

from lumivid_fx.errors import CancelledError, InputError
from lumivid_nuke.exr_digest import exr_digest
from lumivid_nuke.host import group_of, no_undo, selection_kept
from lumivid_nuke.upstream import plate_of

PLATES = "plates"

WRITE_KNOBS = {
    "file_type": "exr",
    "datatype": "16 bit half",
    "compression": "none",  # read once, and hashed without unpacking
    "raw": True,  # the working space as it is; the request says which
    "channels": "rgba",
    "create_directories": True,
    "metadata": "all metadata",  # time code and frame rate go into the result
    "use_limit": False,  # else frames outside of a limit are refused
}
"""In this order: ``file_type`` brings the knobs behind it into being."""


@dataclass(frozen=True)
class WrittenPlate:
    """A plate that Nuke has written.

    Attributes:
        folder: Where it lies, alone.
        space: The working space.
        first: Number of its first frame.
        last: Of its last.
    """

    folder: Path
    space: str
    first: int
    last: int

    @property
    def path(self) -> str:
        """As a worker takes it."""
        return f"{self.folder.as_posix()}/plate.####.exr"

    @property
    def identity(self) -> str:
        """Hash of every frame's pixels.

        Raises:
            InputError: A frame is missing or damaged.
        """
        digest = hashlib.sha256()
        for frame in range(self.first, self.last + 1):
            pixels = exr_digest(self.folder / f"plate.{frame:04d}.exr")
            digest.update(f"{frame} {pixels}\n".encode())
        return digest.hexdigest()

    def remove(self) -> None:
        """Delete it; what cannot be deleted stays."""
        shutil.rmtree(self.folder, ignore_errors=True)


def plate_folder(cache: Path, job: str) -> Path:
    """Where a job's plate lies, if Nuke wrote one."""
    return cache / PLATES / job


def write_plate(node: nuke.Node, folder: Path, first: int, last: int, space: str) -> WrittenPlate:
    """Render what stands before a node. Nuke shows its own progress bar, and waits.

    Args:
        node: A LumiVid.
        folder: Where to.
        first: Number of the first frame.
        last: Of the last.
        space: The working space, by the worker's name.

    Raises:
        CancelledError: The artist stopped it.
        InputError: Nuke could not render it.
    """
    plate = WrittenPlate(folder, space, first, last)
    root, source = nuke.root(), plate_of(node)
    proxy = root.proxy()
    write: nuke.Node | None = None
    with no_undo(), selection_kept():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            root.setProxy(False)
            with group_of(node):
                write = nuke.nodes.Write(file=plate.path)
            for name, value in WRITE_KNOBS.items():
                knob = write.knob(name)
                if knob is not None:  # `metadata` has other names in other releases
                    knob.setValue(value)
            write.setInput(0, source)
            nuke.execute(write, first, last, 1, views=[nuke.views()[0]])
        except RuntimeError as error:
            plate.remove()
            if str(error).lower().startswith("cancel"):
                raise CancelledError(
                    f"rendering the plate of {node.name()} was cancelled; nothing was sent"
                ) from error
            raise InputError(
                f"the plate of {node.name()} could not be rendered ({error}); mend {source.name()}"
            ) from error
        except OSError as error:
            plate.remove()
            raise InputError(
                f"{folder} cannot be made ({error.strerror}); choose another cache directory"
            ) from error
        finally:
            if write is not None:
                nuke.delete(write)
            if proxy:
                root.setProxy(True)
    return plate
