"""What a run leaves to look at: a table of losses and pictures, both in TensorBoard too.

A run that goes on after a kill makes some steps again; what was written of them goes first.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from lumivid_fx.media.whole_file import whole_file
from lumivid_fx.train.trainer import Step

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch.utils.tensorboard import SummaryWriter

COLUMNS = ("step", "loss", "rate", "norm")


class Logbook:
    """A run's losses and pictures; a context manager.

    Args:
        folder: Of the run.
        start: Steps that are done already.
    """

    def __init__(self, folder: Path, start: int) -> None:
        self._folder = folder
        path = folder / "losses.csv"
        kept = [row for row in read_losses(path) if int(row["step"]) <= start]
        with whole_file(path, str(path)) as beside, beside.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(kept)
        self._file = path.open("a", newline="")
        self._rows = csv.writer(self._file)
        self._board = _board(folder / "tensorboard", start)

    @property
    def has_board(self) -> bool:
        """Whether TensorBoard is installed."""
        return self._board is not None

    def __enter__(self) -> Logbook:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if self._board is not None:
            self._board.close()

    def step(self, step: Step) -> None:
        """Note a step."""
        self._rows.writerow((step.done, repr(step.loss), repr(step.rate), repr(step.norm)))
        self._file.flush()
        self.scalars(
            {"train/loss": step.loss, "train/rate": step.rate, "train/norm": step.norm}, step.done
        )

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Note figures in TensorBoard."""
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def picture(self, name: str, picture: Image, step: int) -> Path:
        """Keep a picture as ``validation/NAME-STEP.png`` and in TensorBoard."""
        path = self._folder / "validation" / f"{name}-{step:06d}.png"
        with whole_file(path, str(path)) as beside:
            picture.save(beside, compress_level=1)
        if self._board is not None:
            self._board.add_image(
                f"validation/{name}", np.asarray(picture), step, dataformats="HWC"
            )
        return path


def read_losses(path: Path) -> list[dict[str, str]]:
    """Rows of a table of losses; none where there is no table, and none that was cut off."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return [
            {name: row[name] for name in COLUMNS}
            for row in csv.DictReader(file)
            if all(row.get(name) for name in COLUMNS)
        ]


def _board(folder: Path, start: int) -> SummaryWriter | None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError:
        return None
    return SummaryWriter(str(folder), purge_step=start + 1 if start else None)
