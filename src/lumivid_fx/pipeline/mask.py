"""A mask that limits where the model speaks: 0 keeps the plate, 1 lets the model speak."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType

import torch
from torch import Tensor

from lumivid_fx.errors import InputError
from lumivid_fx.media import Plate, open_plate


class ShotMask:
    """A mask's frames beside a plate's, from an image sequence or a still for all of them.

    The matte is the alpha channel where there is one, else the first channel, as it is stored: no
    curve is undone. It is held to [0, 1], for it is a share.

    Args:
        path: Image sequence with the plate's frame numbers, or a still.
        plate: The plate.

    Raises:
        InputError: It is of another size than the plate, or a movie.
    """

    def __init__(self, path: str, plate: Plate) -> None:
        self._mask = open_plate(path)
        self._still: Tensor | None = None
        if (self._mask.height, self._mask.width) != (plate.height, plate.width):
            self._mask.close()
            raise InputError(
                f"the mask {path} is {self._mask.width} x {self._mask.height} pixels and the plate "
                f"{plate.width} x {plate.height}; give a mask of the plate's size"
            )

    def __enter__(self) -> ShotMask:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._mask.__exit__(kind, error, trace)

    @property
    def is_still(self) -> bool:
        """Whether one image stands for all frames."""
        return len(self._mask.frame_numbers) == 1

    def require(self, numbers: list[int]) -> None:
        """Refuse a mask that lacks frames, before anything is rendered.

        Raises:
            InputError: The first that it lacks is named.
        """
        if self.is_still:
            return
        held = self._mask.frame_numbers
        missing = [number for number in numbers if number not in held]
        if missing:
            raise InputError(
                f"the mask {self._mask.source} has no frame {missing[0]}; give one image for all "
                "frames, or a sequence with the plate's numbers"
            )

    def fingerprint(self, first: int) -> str:
        """What tells a mask from others: its pixels where the plate begins, as a hash.

        Empty where there is no such frame, which hinders no range without it.
        """
        if not self.is_still and first not in self._mask.frame_numbers:
            return ""
        return hashlib.sha256(self.read(first).numpy().tobytes()).hexdigest()

    def file_of(self, number: int) -> Path:
        """The file that a frame's mask is in."""
        return self._mask.file_of(self._own(number))

    def read(self, number: int) -> Tensor:
        """The mask of a frame, ``1 h w`` in [0, 1]."""
        if self._still is not None:
            return self._still
        frame = self._mask.read(self._own(number))
        matte = frame.rgb[..., 0] if frame.alpha is None else frame.alpha
        read = torch.from_numpy(matte).float()[None].clamp(0, 1)
        if self.is_still:
            self._still = read
        return read

    def _own(self, number: int) -> int:
        return self._mask.first_frame if self.is_still else number
