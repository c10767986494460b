"""A finished frame as a client holds it: where its file is, or its pixels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Literal

from lumivid_fx.errors import InputError

if TYPE_CHECKING:
    from lumivid_fx.protocol.messages import Frame


class SpoiltError(Exception):
    """A frame's pixels are not those that its message tells of."""


@dataclass(frozen=True, eq=False)  # pixels that may be written to have no hash
class FinishedFrame:
    """A frame that a worker has finished.

    ``numpy.asarray(frame)`` gives its pixels as float16 ``h w c``, top line first, without a copy;
    for frames that came as pixels. numpy itself is not needed here.

    Attributes:
        number: The frame's number.
        path: Its EXR, for jobs that deliver paths.
        how: ``rendered`` now, ``kept`` from before, or taken from the ``cache``.
        sha256: Of the file or of the pixels, in hex.
        size: Bytes of the same.
        shape: ``h w c`` of the pixels.
        space: Colour space of the pixels.
        model_clipped: Share of the model's samples that lay outside its curve and were clamped.
        half_clamped: Samples beyond half float, clamped to +-65504.
        pixels: Little-endian half floats, for jobs that deliver pixels.
    """

    number: int
    path: str | None
    how: Literal["rendered", "kept", "cache"]
    sha256: str
    size: int
    shape: tuple[int, int, int] | None
    space: str
    model_clipped: float
    half_clamped: int
    pixels: memoryview | None

    def __repr__(self) -> str:
        what = repr(self.path) if self.pixels is None else f"{self.size} bytes of pixels"
        return f"<FinishedFrame {self.number}: {what}, {self.how}>"

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """What numpy makes an array from."""
        if self.pixels is None:
            raise InputError(
                f"frame {self.number} was delivered as a file; read {self.path}, or submit with "
                'deliver="pixels"'
            )
        return {"version": 3, "typestr": "<f2", "shape": self.shape, "data": self.pixels}


def received(message: Frame, pixels: memoryview | None) -> FinishedFrame:
    """Take a frame that came in.

    Raises:
        SpoiltError: Its pixels are not as many, or not those, that the message tells of.
    """
    if (pixels is None) == (message.path is None):
        raise SpoiltError("it has neither a path nor pixels, or both")
    if pixels is not None:
        shape = message.shape
        if shape is None or not all(side > 0 for side in shape):
            raise SpoiltError("its shape is missing")
        if not len(pixels) == message.size == 2 * prod(shape):
            raise SpoiltError(f"{len(pixels)} bytes came of {message.size} for {shape}")
        if hashlib.sha256(pixels).hexdigest() != message.sha256:
            raise SpoiltError("its digest is wrong")
    return FinishedFrame(
        number=message.frame,
        path=message.path,
        how=message.how,
        sha256=message.sha256,
        size=message.size,
        shape=message.shape,
        space=message.space,
        model_clipped=message.model_clipped,
        half_clamped=message.half_clamped,
        pixels=pixels,
    )
