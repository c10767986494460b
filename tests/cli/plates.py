"""Small plates for the command line's tests, and how the tests call it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tests.media.files import write_image
from typer.testing import CliRunner, Result

from lumivid_fx.cli import app
from lumivid_fx.protocol.places import HOME

WIDTH, HEIGHT = 40, 24

FIRST = 1001

START = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job may inherit it ignored
from lumivid_fx.cli import main
main()
"""
"""For ``python -c``: the command line in a process that Ctrl-C reaches."""


def picture(index: int, width: int = WIDTH, height: int = HEIGHT) -> npt.NDArray[np.uint8]:
    """A ramp with a blown highlight that moves from frame to frame, `h w 3`."""
    rows, columns = np.mgrid[:height, :width]
    ramp = (rows * 3 + columns * 4) % 200
    lit = np.hypot(rows - height / 2, columns - 4 - 2 * index) < 5
    channels = [np.where(lit, 255, ramp + tint) for tint in (0, 15, 30)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def write_plate(folder: Path, count: int) -> Path:
    """Write ``plate.1001.png`` and on, and give the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        write_image(folder / f"plate.{FIRST + index}.png", picture(index))
    return folder


def lumivid(*arguments: str | Path, home: Path | None = None) -> Result:
    """Run the command line in this process, with keys and worker of `home` if it is given."""
    env = {} if home is None else {HOME: str(home)}
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env=env)


def the_sentence(result: Result) -> str:
    """The one sentence that a refused command says, on standard error and nowhere else."""
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    said = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(said) == 1
    assert result.stderr.splitlines()[-1] == said[0]
    return said[0].removeprefix("Error: ")


def files(folder: Path) -> list[str]:
    """All files under a folder, hidden ones too."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def frame_names(numbers: Sequence[int], stem: str = "p") -> list[str]:
    """What frames are called: ``p.1001.exr``."""
    return [f"{stem}.{number:04d}.exr" for number in numbers]
