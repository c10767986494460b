"""The encodings that Table 1 compares: light to codes in [0, 1], and back.

Curves are put on Rec.709 light as it is, channel by channel, because that is what the paper does
with LogC3: none of them goes through the primaries of its own standard here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lumivid_fx.color import transfer


@dataclass(frozen=True)
class Encoding:
    """A curve between light and codes in [0, 1].

    Attributes:
        name: As tables call it.
        ceiling: Brightest light it holds; what is brighter is clipped to it.
        encode: Light in [0, ceiling] to codes.
        decode: Codes to light.
    """

    name: str
    ceiling: float
    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]

    def codes(self, light: Tensor) -> Tensor:
        """Clip light to what the curve holds, and encode it: codes in [0, 1]."""
        return self.encode(light.clamp(0, self.ceiling)).clamp(0, 1)

    def light(self, codes: Tensor) -> Tensor:
        """Decode codes, held to [0, 1] first."""
        return self.decode(codes.clamp(0, 1)).clamp(0, self.ceiling)


_A, _B, _C, _D, _E = 2.51, 0.03, 2.43, 0.59, 0.14


def aces_tone_curve(light: Tensor) -> Tensor:
    """Fit of ACES' reference rendering on one channel: 0.18 -> 0.2669, 1 -> 0.8038.

    Source: Narkowicz, "ACES Filmic Tone Mapping Curve", 2016.
    """
    return light * (_A * light + _B) / (light * (_C * light + _D) + _E)


def aces_tone_curve_inverse(code: Tensor) -> Tensor:
    """Invert :func:`aces_tone_curve`: a root of its quadratic, for codes under 1.0329."""
    a, b, c = _A - _C * code, _B - _D * code, -_E * code
    return (-b + torch.sqrt((b * b - 4 * a * c).clamp(min=0))) / (2 * a)


LINEAR_CEILING = 16.0

ENCODINGS = (
    Encoding(
        "LogC3",
        transfer.LOGC3_REC709.linear_range[1],
        transfer.linear_to_logc3,
        transfer.logc3_to_linear,
    ),
    Encoding("PQ", 100.0, transfer.linear_to_pq, transfer.pq_to_linear),
    Encoding("HLG", transfer.HLG_PEAK_LINEAR, transfer.linear_to_hlg, transfer.hlg_to_linear),
    Encoding(
        "ACEScct",
        transfer.ACESCCT_AP1.linear_range[1],
        transfer.linear_to_acescct,
        transfer.acescct_to_linear,
    ),
    Encoding(
        "ACES tone curve",
        float(aces_tone_curve_inverse(torch.ones((), dtype=torch.float64))),
        aces_tone_curve,
        aces_tone_curve_inverse,
    ),
    Encoding(
        "linear / 16",
        LINEAR_CEILING,
        lambda light: light / LINEAR_CEILING,
        lambda codes: codes * LINEAR_CEILING,
    ),
)
"""Table 1's rows. The paper's figures for "ACES" are those of linear / 16, to all appearance."""
