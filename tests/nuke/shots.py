"""Plates, nodes and the event loop, for tests of the node's behaviour."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nuke
import numpy as np
import OpenImageIO

from tests.nuke.exr_runner import GAIN
from tests.nuke.host.nuke.state import process_events, session

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.worker.running import RunningWorker

NODE = Path(__file__).parents[2] / "nuke"

EXR_RUNNER = (sys.executable, "-m", "tests.nuke.exr_runner")

SIZE = (8, 16)
"""Height and width of plates."""


def level(frame: int) -> float:
    """What all pixels of a frame are; halves hold it exactly."""
    return (frame % 64) / 64


def write_plate(
    folder: Path, first: int = 1001, last: int = 1004, size: tuple[int, int] = SIZE
) -> str:
    """A plate of flat frames; its path as a Read has it."""
    folder.mkdir(parents=True, exist_ok=True)
    for frame in range(first, last + 1):
        write_frame(folder / f"plate.{frame:04d}.exr", level(frame), size)
    return f"{folder.as_posix()}/plate.%04d.exr"


def write_frame(
    path: Path, value: float, size: tuple[int, int] = SIZE, mask: float | None = None
) -> None:
    """One flat EXR, alpha 1, with a mask if one is given."""
    channels = ("R", "G", "B", "A", *(() if mask is None else ("lumivid.generated",)))
    pixels = np.full((*size, len(channels)), value, np.float32)
    pixels[..., 3:] = 1 if mask is None else (1, mask)
    output = OpenImageIO.ImageOutput.create(str(path))
    assert output is not None
    spec = OpenImageIO.ImageSpec(size[1], size[0], len(channels), OpenImageIO.HALF)
    spec.channelnames = channels
    assert output.open(str(path), spec)
    assert output.write_image(pixels)
    output.close()


def read_frame(path: Path | str) -> NDArray[np.float32]:
    """An EXR's pixels."""
    return np.asarray(OpenImageIO.ImageBuf(str(path)).get_pixels("float"), np.float32)


def new_read(path: str, first: int = 1001, last: int = 1004) -> nuke.Node:
    """A Read of a linear plate."""
    nuke.root()["first_frame"].setValue(first)
    nuke.root()["last_frame"].setValue(last)
    read = nuke.nodes.Read(file=path)
    for name, value in (("first", first), ("last", last), ("colorspace", "linear")):
        read[name].setValue(value)
    return read


def new_grade(above: nuke.Node, multiply: float) -> nuke.Node:
    """What makes an input more than a bare Read."""
    grade = nuke.nodes.Grade()
    grade["multiply"].setValue(multiply)
    grade.setInput(0, above)
    return grade


def new_node(above: nuke.Node | None, cache: Path, worker: RunningWorker | None) -> nuke.Node:
    """A LumiVid that goes to a worker; without one to nobody's folder, and starts none."""
    session.plugin_path.append(str(NODE))
    node = nuke.nodes.LumiVid()
    if above is not None:
        node.setInput(0, above)
    home = cache.parent / "nobody" if worker is None else worker.places.keys.parent
    node["cache_dir"].setValue(cache.as_posix())
    node["endpoint"].setValue(home.as_posix())
    node["start_worker"].setValue(False)
    return node


def wait_until_idle(node: nuke.Node) -> None:
    """Be Nuke's event loop until no job of the node is under way."""
    process_events(lambda: not node["job_id"].value())


def results(node: nuke.Node) -> list[int]:
    """Numbers of the frames in the folder of the shown result."""
    folder = Path(str(node["cache_dir"].value())) / str(node["result_key"].value())
    return sorted(int(path.name.split(".")[1]) for path in folder.glob("result.*.exr"))


def result_level(node: nuke.Node, frame: int) -> float:
    """What the red of a frame of the shown result is."""
    folder = Path(str(node["cache_dir"].value())) / str(node["result_key"].value())
    return float(read_frame(folder / f"result.{frame:04d}.exr")[0, 0, 0])


def expected(frame: int, multiply: float = 1.0) -> float:
    """What the runner of these tests makes of a frame."""
    return GAIN * multiply * level(frame)
