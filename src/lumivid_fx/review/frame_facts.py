"""One frame under inspection: what its file holds, and what the next one is held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np

from lumivid_fx.color.display_curves import DISPLAY_CURVES
from lumivid_fx.color.spaces import LINEAR_REC709, ColorSpaces
from lumivid_fx.color.transfer import TRANSFERS
from lumivid_fx.media.data_windows import display_of
from lumivid_fx.media.exr import HALF_MAX
from lumivid_fx.media.light_movie import shown_pixels
from lumivid_fx.media.plate import FloatImage, Frame
from lumivid_fx.review.reel import EXPOSED, Reel, settings_in
from lumivid_fx.review.steps import cells_of

BLACK = 2.0**-12
"""Light up to which a frame is black where nothing in it is brighter, nine stops below mid grey."""

_ROUNDING = 1 - 2.0**-9
"""A sample at the ceiling may have been rounded to half floats twice, by 2**-11 each time, and
multiplied by a matrix between."""


@dataclass(frozen=True)
class FrameFacts:
    """What one frame is, looked at on its own.

    Attributes:
        frame: Its number.
        size: Width and height of what is shown; data windows may change from frame to frame.
        nonfinite: Samples that are NaN or infinite.
        negative: Share of samples below 0.
        lowest: The least of them.
        clipped: Share of samples at the ceiling of the model's curve; 0 where none is known.
        ceiling: That ceiling, in light as it is in the file; None where none is known.
        overflow: Samples at the end of half float.
        brightest: The largest sample.
        level: Mean of the stops from mid grey.
    """

    frame: int
    size: tuple[int, int]
    nonfinite: int
    negative: float
    lowest: float
    clipped: float
    ceiling: float | None
    overflow: int
    brightest: float
    level: float

    @property
    def black(self) -> bool:
        """Whether nothing in it is brighter than black."""
        return self.brightest <= BLACK


@dataclass(frozen=True)
class Seen:
    """A frame and all that the next one is held against.

    Attributes:
        facts: What it is.
        digest: Of its pixels.
        cells: See :func:`~lumivid_fx.review.steps.cells_of`.
        source: The same of the source's frame; None where there is none.
        source_digest: Of that frame's pixels.
    """

    facts: FrameFacts
    digest: bytes
    cells: FloatImage
    source: FloatImage | None
    source_digest: bytes


def look_at(
    number: int, frame: Frame, space: str, attributes: Mapping[str, object], spaces: ColorSpaces
) -> Seen:
    """Look at one frame of a plate.

    Args:
        number: Its number.
        frame: What was read of it.
        space: Scene-linear space of its pixels.
        attributes: What its file says of how it was made.
        spaces: The colour config.
    """
    rgb = frame.rgb
    broken = int(rgb.size - np.count_nonzero(np.isfinite(rgb)))
    infinite = int(np.count_nonzero(np.isinf(rgb))) if broken else 0
    finite = np.nan_to_num(rgb, posinf=HALF_MAX, neginf=-HALF_MAX) if broken else rgb
    light = spaces.convert(finite, space, LINEAR_REC709)
    cells = cells_of(_displayed(frame, light))
    ceiling, clipped = _clipped(finite, light, space, spaces, attributes)
    facts = FrameFacts(
        frame=number,
        size=(frame.windows.display_width, frame.windows.display_height),
        nonfinite=broken,
        negative=float(np.count_nonzero(finite < 0) / rgb.size),
        lowest=float(finite.min()),
        clipped=clipped,
        ceiling=ceiling,
        overflow=int(np.count_nonzero(np.abs(finite) >= HALF_MAX)) - infinite,
        brightest=float(finite.max()),
        level=float(cells.mean()),
    )
    return Seen(facts, _digest(rgb), cells, None, b"")


def with_source(seen: Seen, reel: Reel, spaces: ColorSpaces) -> Seen:
    """Add what the source looks like there; nothing where it has no such frame.

    Raises:
        InputError: The source's frame cannot be read.
    """
    if reel.path(seen.facts.frame) is None:
        return seen
    frame, plate = reel.read(seen.facts.frame)
    # An unknown tone curve is taken for sRGB: only changes are held together, not levels.
    space = "srgb" if plate.doubt else plate.space
    light = (
        spaces.display_to_linear(frame.rgb, space)
        if space in DISPLAY_CURVES
        else spaces.convert(frame.rgb, space, LINEAR_REC709)
    )
    cells = cells_of(_displayed(frame, light))
    return replace(seen, source=cells, source_digest=_digest(frame.rgb))


def _clipped(
    stored: FloatImage,
    light: FloatImage,
    space: str,
    spaces: ColorSpaces,
    attributes: Mapping[str, object],
) -> tuple[float | None, float]:
    """The ceiling of the curve that the model spoke, and the share of samples at it."""
    curve = TRANSFERS.get(str(attributes.get("lumivid/transfer")))
    if curve is None:
        return None, 0.0
    exposed = [settings_in(attributes).get("exposure", 0.0), attributes.get(EXPOSED, 0.0)]
    stops = sum(float(value) for value in exposed if isinstance(value, int | float))
    ceiling = curve.linear_range[1] * 2.0**stops
    if curve.primaries != LINEAR_REC709:
        light = spaces.convert(stored, space, curve.primaries)
    return ceiling, float(np.count_nonzero(light >= ceiling * _ROUNDING) / light.size)


def _displayed(frame: Frame, light: FloatImage) -> FloatImage:
    """The display window of a frame's light, black where its file holds no pixels."""
    if display_of(frame.windows) == frame.windows:
        return light
    return shown_pixels(replace(frame, rgb=light))


def _digest(rgb: FloatImage) -> bytes:
    return sha256(np.ascontiguousarray(rgb).data).digest()
