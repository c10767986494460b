"""A finished frame: what is taken, and what numpy sees."""

from __future__ import annotations

import gc
import hashlib
import struct

import msgspec
import numpy as np
import pytest

from lumivid_fx.client.frame import SpoiltError, received
from lumivid_fx.protocol.messages import Frame

PIXELS = struct.pack("<6e", 0.0, 1.0, -0.5, 65504.0, 2.0**-24, 0.18)
"""1 x 2 RGB."""


MESSAGE = Frame(
    job="0" * 32,
    frame=7,
    how="rendered",
    sha256=hashlib.sha256(PIXELS).hexdigest(),
    size=len(PIXELS),
    shape=(1, 2, 3),
    space="acescg",
    model_clipped=0.25,
    half_clamped=3,
)
"""What a worker says of these pixels."""


def test_all_that_the_worker_tells_is_there() -> None:
    """With the pixels as they came."""
    frame = received(MESSAGE, memoryview(PIXELS))
    assert vars(frame) == {
        "number": 7,
        "path": None,
        "how": "rendered",
        "sha256": hashlib.sha256(PIXELS).hexdigest(),
        "size": 12,
        "shape": (1, 2, 3),
        "space": "acescg",
        "model_clipped": 0.25,
        "half_clamped": 3,
        "pixels": memoryview(PIXELS),
    }
    assert len({frame, received(MESSAGE, memoryview(PIXELS))}) == 2
    assert repr(frame) == "<FinishedFrame 7: 12 bytes of pixels, rendered>"


def test_an_array_outlives_its_frame() -> None:
    """The pixels live as long as somebody looks at them."""
    frame = received(MESSAGE, memoryview(bytearray(PIXELS)))
    array = np.asarray(frame)
    del frame
    gc.collect()
    assert array.tolist()[0][0] == [0.0, 1.0, -0.5]
    assert array[0, 1, 0] == 65504


@pytest.mark.parametrize(
    ("changes", "pixels", "told"),
    [
        ({}, PIXELS[:-1], "11 bytes came of 12"),
        ({}, PIXELS[:-1] + b"\x00", "its digest is wrong"),
        ({"shape": None}, PIXELS, "its shape is missing"),
        ({"shape": (-1, -2, 3)}, PIXELS, "its shape is missing"),
        ({"shape": (1, 2, 4)}, PIXELS, "12 bytes came of 12 for"),
        ({"size": 13}, PIXELS, "12 bytes came of 13"),
        ({"path": "/show/1.exr"}, PIXELS, "neither a path nor pixels, or both"),
        ({}, None, "neither a path nor pixels, or both"),
    ],
)
def test_what_is_not_what_was_told(
    changes: dict[str, object], pixels: bytes | None, told: str
) -> None:
    """A worker's word is not taken for it."""
    with pytest.raises(SpoiltError, match=told):
        received(
            msgspec.structs.replace(MESSAGE, **changes),
            None if pixels is None else memoryview(pixels),
        )
