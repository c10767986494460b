"""Transfer functions: scene light to code values and back, as one small family.

Every curve here is a :class:`Transfer`: ``forward`` takes linear light in the curve's native
primaries to code values, ``inverse`` takes them back. Both are plain tensor arithmetic: any shape,
any floating dtype (16-bit ones worked in float32), differentiable, no clamp. What a curve cannot
hold is named by ``linear_range`` and counted by :meth:`Transfer.clip`, so that a clamp is always
written down by whoever asks for it.

Below zero: LogC3 and ACEScct go on along their linear toe, PQ and HLG mirror about the origin, so
that all four are increasing and invertible for negative light too. Two hairs: ARRI's printed LogC3
constants leave a step down of 2.5e-7 at the cut, and PQ and HLG, whose slope is infinite at zero,
are flat there within 1e-10 and 1.2e-11 of it, so that every gradient is finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

import torch
from torch import Tensor

from lumivid_fx.errors import InputError

# ARRI, "ALEXA Log C Curve - Usage in VFX", LogC3 (SUP 3.x), exposure index 800.
LOGC3_A, LOGC3_B, LOGC3_C = 5.555556, 0.052272, 0.247190
LOGC3_D, LOGC3_E, LOGC3_F = 0.385537, 5.367655, 0.092809
LOGC3_CUT = 0.010591

# AMPAS S-2016-001, "ACEScct - A Quasi-Logarithmic Encoding of ACES Data".
ACESCCT_A, ACESCCT_B = 10.5402377416545, 0.0729055341958355
ACESCCT_CUT_LINEAR, ACESCCT_CUT_CODE = 0.0078125, 0.155251141552511

# SMPTE ST 2084:2014, equations 4.1 and 5.1; linear 1.0 is 10,000 cd/m2 there.
PQ_M1, PQ_M2 = 2610 / 16384, 2523 / 4096 * 128
PQ_C1, PQ_C2, PQ_C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
PQ_PEAK_NITS = 10_000.0

# ITU-R BT.2100-2, table 5 (reference OETF); linear 1.0 there is the brightest light of the scene.
HLG_A = 0.17883277
HLG_B = 1 - 4 * HLG_A
HLG_C = 0.5 - HLG_A * math.log(4 * HLG_A)

SDR_WHITE_NITS = 100.0
"""Luminance of linear 1.0 for PQ: SDR reference white, ITU-R BT.1886."""

LINEAR16_PEAK = 16.0
"""Light at code 1.0 where there is no curve: by its figures, the paper's "ACES" (table 4)."""

HLG_PEAK_LINEAR = 12.0
"""Linear light at HLG signal 1.0, so that linear 1.0 falls on signal 0.5 (BT.2100 table 5)."""


@dataclass(frozen=True)
class ClipCount:
    """How many samples a clip changed, and of how many.

    Attributes:
        above: Samples over the curve's ceiling.
        below: Samples under the curve's floor.
        total: Samples looked at.
    """

    above: int = 0
    below: int = 0
    total: int = 0

    def __add__(self, other: ClipCount) -> ClipCount:
        return ClipCount(
            self.above + other.above, self.below + other.below, self.total + other.total
        )


@dataclass(frozen=True)
class Transfer:
    """One curve between linear light and code values.

    Attributes:
        name: The curve and its primaries, as used in manifests and metadata.
        primaries: Name of the linear space whose light the curve takes.
        linear_range: Lowest and highest light with a code in [0, 1].
        forward: Linear light to code values.
        inverse: Code values to linear light.
    """

    name: str
    primaries: str
    linear_range: tuple[float, float]
    forward: Callable[[Tensor], Tensor]
    inverse: Callable[[Tensor], Tensor]

    def clip(self, linear: Tensor) -> tuple[Tensor, ClipCount]:
        """Limit light to what the curve holds in codes [0, 1], and count what that changed.

        Args:
            linear: Light in the curve's primaries, any shape.

        Returns:
            The clipped light and its count.
        """
        low, high = self.linear_range
        count = ClipCount(
            above=int((linear > high).sum()), below=int((linear < low).sum()), total=linear.numel()
        )
        return linear.clamp(low, high), count


def _curve(formula: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Refuse what is not floating, and work 16-bit floats in float32: PQ's 79th power needs it."""

    @wraps(formula)
    def curve(values: Tensor) -> Tensor:
        if not values.is_floating_point():
            raise TypeError(f"a transfer function needs a floating tensor, got {values.dtype}")
        working = values.float() if values.dtype.itemsize < 4 else values
        return formula(working).to(values.dtype)

    return curve


@_curve
def linear_to_logc3(linear: Tensor) -> Tensor:
    """Encode linear light with ARRI's LogC3 curve at EI 800.

    Args:
        linear: Scene-linear, 0.18 is mid grey; any shape, floating. Negative light follows the toe.

    Returns:
        Code values: 0 -> 0.092809, 0.18 -> 0.391007, 1 -> 0.570632, 55.0796 -> 1. Not clamped.

    Raises:
        TypeError: `linear` is not floating point.

    Source: ARRI, "ALEXA Log C Curve - Usage in VFX", EI 800.
    """
    safe = linear.clamp(min=LOGC3_CUT)
    log = LOGC3_C * torch.log10(LOGC3_A * safe + LOGC3_B) + LOGC3_D
    return torch.where(linear >= LOGC3_CUT, log, LOGC3_E * linear + LOGC3_F)


@_curve
def logc3_to_linear(code: Tensor) -> Tensor:
    """Invert :func:`linear_to_logc3`: code 0 gives -0.017290, code 1 gives 55.0796."""
    cut = LOGC3_E * LOGC3_CUT + LOGC3_F
    light = (torch.pow(10.0, (code.clamp(min=cut) - LOGC3_D) / LOGC3_C) - LOGC3_B) / LOGC3_A
    return torch.where(code >= cut, light, (code - LOGC3_F) / LOGC3_E)


@_curve
def linear_to_acescct(linear: Tensor) -> Tensor:
    """Encode AP1 light as ACEScct (S-2016-001): 0 -> 0.072906, 0.18 -> 0.413588, 222.86 -> 1."""
    log = (torch.log2(linear.clamp(min=ACESCCT_CUT_LINEAR)) + 9.72) / 17.52
    return torch.where(linear > ACESCCT_CUT_LINEAR, log, ACESCCT_A * linear + ACESCCT_B)


@_curve
def acescct_to_linear(code: Tensor) -> Tensor:
    """Invert :func:`linear_to_acescct`."""
    light = torch.pow(2.0, code.clamp(min=ACESCCT_CUT_CODE) * 17.52 - 9.72)
    return torch.where(code > ACESCCT_CUT_CODE, light, (code - ACESCCT_B) / ACESCCT_A)


@_curve
def linear_to_pq(linear: Tensor) -> Tensor:
    """Encode light as PQ, linear 1.0 at 100 cd/m2: 1 -> 0.508078, 100 -> 1. Odd about zero.

    Source: SMPTE ST 2084:2014, equation 5.1.
    """
    luminance = linear.abs() * (SDR_WHITE_NITS / PQ_PEAK_NITS)
    # The fraction is divided by Y ** m1 above and below, so that infinite light has a finite code.
    power = torch.pow(luminance.clamp(min=1e-12), -PQ_M1)
    code = torch.pow((PQ_C1 * power + PQ_C2) / (power + PQ_C3), PQ_M2)
    return torch.sign(linear) * code


@_curve
def pq_to_linear(code: Tensor) -> Tensor:
    """Invert :func:`linear_to_pq` (SMPTE ST 2084:2014, equation 4.1); from code 1.992 up, inf."""
    root = torch.pow(code.abs().clamp(min=1e-12), 1 / PQ_M2)
    ratio = (root - PQ_C1).clamp(min=0) / (PQ_C2 - PQ_C3 * root).clamp(min=0)
    luminance = torch.pow(ratio, 1 / PQ_M1)
    return torch.sign(code) * luminance * (PQ_PEAK_NITS / SDR_WHITE_NITS)


@_curve
def linear_to_hlg(linear: Tensor) -> Tensor:
    """Encode light with the HLG OETF, linear 12 at signal 1: 1 -> 0.5, 12 -> 1. Odd about zero.

    Source: ITU-R BT.2100-2, table 5.
    """
    scene = linear.abs() / HLG_PEAK_LINEAR
    low = torch.sqrt(3 * scene.clamp(min=1e-12))
    high = HLG_A * torch.log(12 * scene.clamp(min=1 / 12) - HLG_B) + HLG_C
    return torch.sign(linear) * torch.where(scene <= 1 / 12, low, high)


@_curve
def hlg_to_linear(code: Tensor) -> Tensor:
    """Invert :func:`linear_to_hlg` (ITU-R BT.2100-2, table 5)."""
    size = code.abs()
    high = (torch.exp((size.clamp(min=0.5) - HLG_C) / HLG_A) + HLG_B) / 12
    return torch.sign(code) * torch.where(size <= 0.5, size**2 / 3, high) * HLG_PEAK_LINEAR


@_curve
def linear_to_linear16(linear: Tensor) -> Tensor:
    """Divide light by 16: no curve at all, for ablations. 0.18 -> 0.01125, 16 -> 1."""
    return linear / LINEAR16_PEAK


@_curve
def linear16_to_linear(code: Tensor) -> Tensor:
    """Invert :func:`linear_to_linear16`."""
    return code * LINEAR16_PEAK


def _range(inverse: Callable[[Tensor], Tensor]) -> tuple[float, float]:
    low, high = inverse(torch.tensor([0.0, 1.0], dtype=torch.float64)).tolist()
    return low, high


LOGC3_REC709 = Transfer(
    "logc3_rec709", "lin_rec709", _range(logc3_to_linear), linear_to_logc3, logc3_to_linear
)
"""What LTX-2.3's HDR LoRA speaks: the bare LogC3 curve on Rec.709 light, never ARRI Wide Gamut."""

ACESCCT_AP1 = Transfer(
    "acescct_ap1", "acescg", _range(acescct_to_linear), linear_to_acescct, acescct_to_linear
)
PQ_REC2020 = Transfer("pq_rec2020", "lin_rec2020", (0.0, 100.0), linear_to_pq, pq_to_linear)
HLG_REC2020 = Transfer(
    "hlg_rec2020", "lin_rec2020", (0.0, HLG_PEAK_LINEAR), linear_to_hlg, hlg_to_linear
)

LINEAR16_REC709 = Transfer(
    "linear16_rec709", "lin_rec709", (0.0, LINEAR16_PEAK), linear_to_linear16, linear16_to_linear
)

TRANSFERS = {
    t.name: t for t in (LOGC3_REC709, ACESCCT_AP1, PQ_REC2020, HLG_REC2020, LINEAR16_REC709)
}


def get_transfer(name: str) -> Transfer:
    """Look a curve up by name.

    Raises:
        InputError: No such curve; the message lists those there are.
    """
    if name not in TRANSFERS:
        known = ", ".join(TRANSFERS)
        raise InputError(f"transfer {name!r} is not known; use one of {known}")
    return TRANSFERS[name]
