"""What a camera and a delivery do to scene light on its way to an SDR file.

The target stays clean; only the reference goes through here (paper, section 3.3): exposure, a tone
curve, white balance, contrast with clipping, selective blur, noise, 8-bit rounding.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

MID_GREY = 0.18

ToneCurve = Callable[[Tensor], Tensor]
"""Scene-linear light to display-linear light in [0, 1], increasing."""


def hable(light: Tensor, bias: float = 2.0, white: float = 11.2) -> Tensor:
    """John Hable's filmic curve ("Uncharted 2: HDR Lighting", GDC 2010)."""

    def shoulder(x: Tensor) -> Tensor:
        return (x * (0.15 * x + 0.05) + 0.004) / (x * (0.15 * x + 0.5) + 0.06) - 0.02 / 0.30

    peak = float(shoulder(torch.tensor(white)))
    shown: Tensor = shoulder(light * bias) / peak
    return shown.clamp(0, 1)


def reinhard(light: Tensor, white: float) -> Tensor:
    """Reinhard's extended operator (Reinhard et al. 2002, equation 4): `white` maps to 1."""
    return (light * (1 + light / white**2) / (1 + light)).clamp(0, 1)


def sigmoid(light: Tensor, contrast: float, white: float) -> Tensor:
    """Camera-like S-curve: Naka and Rushton's response, scaled so that `white` maps to 1."""
    raised: Tensor = light.clamp(min=1e-8) ** contrast
    peak = white**contrast / (white**contrast + 1)
    shown: Tensor = raised / (raised + 1) / peak
    return shown.clamp(0, 1)


def random_tone_curve(generator: Generator) -> ToneCurve:
    """Draw a tone curve: a plain clip, filmic, Reinhard or a camera's S-curve."""

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator))

    kind = uniform(0, 1)
    if kind < 0.3:
        return lambda light: light.clamp(0, 1)
    if kind < 0.65:
        bias, white = uniform(1.5, 3.0), uniform(7, 14)
        return lambda light: hable(light, bias, white)
    if kind < 0.8:
        reach = uniform(1.5, 8)
        return lambda light: reinhard(light, reach)
    contrast, top = uniform(0.9, 1.4), uniform(3, 16)
    return lambda light: sigmoid(light, contrast, top)


def grey_scale(curve: ToneCurve) -> float:
    """Factor on scene light that makes display mid grey stand for scene mid grey.

    A curve and an exposure cannot be told apart from the picture alone, so the exposure is fixed by
    this convention: what the display shows at 0.18 is 0.18 in the target.
    """
    light = torch.logspace(-3, 2, 2000)
    shown = curve(light)
    index = int(torch.searchsorted(shown.contiguous(), torch.tensor(MID_GREY)).clamp(max=1999))
    return MID_GREY / float(light[index])


def random_exposure(light: Tensor, generator: Generator) -> float:
    """Draw an exposure that leaves 0 to 25 % of the pixels at or over 1.0."""
    peak = light.amax(dim=1).flatten()
    share = 0.25 * float(torch.rand((), generator=generator)) ** 1.5
    level = float(torch.quantile(peak[:: max(1, peak.numel() // 100_000)], 1 - share))
    return 1.0 / max(level, 1e-6)


def srgb_encode(linear: Tensor) -> Tensor:
    """IEC 61966-2-1 encoding of display-linear light in [0, 1]."""
    low = linear * 12.92
    return torch.where(
        linear <= 0.0031308, low, 1.055 * linear.clamp(min=1e-8) ** (1 / 2.4) - 0.055
    )


def degrade(codes: Tensor, generator: Generator) -> Tensor:
    """Degrade an SDR clip as deliveries do, each fault by chance.

    Args:
        codes: ``f 3 h w`` display code values in [0, 1].
        generator: Source of chance.

    Returns:
        The same shape in [0, 1], rounded to 8 bits.
    """

    def chance(probability: float) -> bool:
        return float(torch.rand((), generator=generator)) < probability

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator))

    if chance(0.3):
        balance = 1 + 0.06 * torch.randn(3, 1, 1, generator=generator)
        codes = codes * balance
    if chance(0.3):
        codes = (codes - 0.5) * uniform(0.85, 1.15) + 0.5
    codes = codes.clamp(0, 1)
    if chance(0.2):
        codes = _selective_blur(codes, bright=chance(0.5))
    if chance(0.4):
        size = uniform(0.002, 0.02)
        codes = codes + size * torch.randn(codes.shape, generator=generator)
    return (codes.clamp(0, 1) * 255).round() / 255


def _selective_blur(codes: Tensor, *, bright: bool) -> Tensor:
    blurred = F.avg_pool2d(codes, 5, stride=1, padding=2, count_include_pad=False)
    peak = codes.amax(dim=1, keepdim=True)
    mask = ((peak - 0.8) / 0.1 if bright else (0.2 - peak) / 0.1).clamp(0, 1)
    return codes + mask * (blurred - codes)
