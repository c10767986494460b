"""What an HDR movie says of its light: how bright it becomes, and what it was mastered on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lumivid_fx.color.primaries import GAMUTS
from lumivid_fx.media.plate import FloatImage


@dataclass(frozen=True)
class LightLevels:
    """Content light levels of a whole movie, CTA-861.3, annex P.

    Attributes:
        most: MaxCLL, the brightest of R, G and B of any pixel, cd/m2.
        average: MaxFALL, the largest mean over a frame of each pixel's brightest channel, cd/m2.
    """

    most: float = 0.0
    average: float = 0.0

    def with_frame(self, nits: FloatImage) -> LightLevels:
        """Take in one more frame ``h w 3`` of display light."""
        brightest = nits.max(axis=-1)
        return LightLevels(
            max(self.most, float(brightest.max())),
            max(self.average, float(brightest.mean(dtype=np.float64))),
        )

    @property
    def whole(self) -> tuple[int, int]:
        """Both as the whole numbers that headers hold."""
        return min(round(self.most), 65535), min(round(self.average), 65535)


@dataclass(frozen=True)
class Mastering:
    """The display that a movie was mastered on, SMPTE ST 2086.

    Attributes:
        peak: Its brightest, cd/m2.
        least: Its darkest, cd/m2.
        gamut: Of :data:`lumivid_fx.color.primaries.GAMUTS`, its primaries and white.
    """

    peak: float
    least: float = 0.0001
    gamut: str = "P3-D65"

    @property
    def steps(self) -> tuple[int, ...]:
        """Primaries (red, green, blue, white; x before y) and light as HEVC counts them.

        Source: ITU-T H.265, D.3.28: 0.00002 of a coordinate, 0.0001 cd/m2.
        """
        places = (round(float(xy) * 50_000) for xy in GAMUTS[self.gamut].xy)
        return (*places, round(self.peak * 10_000), round(self.least * 10_000))
