"""What a camera and a delivery do to scene light on its way to an SDR file.

The target stays clean; only the reference goes through here (paper, section 3.3): exposure, a tone
curve, contrast with clipping, selective blur, compression, noise, 8-bit rounding. Clips are
``b f 3 h w``, each with faults of its own that last from its first frame to its last.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from lumivid_fx.color.tone_curves import HABLE_BIAS, HABLE_WHITE, MID_GREY, ToneCurves
from lumivid_fx.train.clips import chance, normal, uniform

LUMA = (0.2126, 0.7152, 0.0722)
"""Luminance of linear Rec.709 (ITU-R BT.709)."""

CURVE_SHARES = (0.30, 0.30, 0.10, 0.14, 0.08, 0.08)
"""How often each family is drawn: clip, Hable, Reinhard, S-curve, Narkowicz, knee."""


def random_tone_curves(count: int, generator: Generator) -> ToneCurves:
    """Draw tone curves; half of the filmic ones are at their published setting."""

    def draw(low: float, high: float) -> Tensor:
        return uniform(count, low, high, generator)

    shares = torch.tensor(CURVE_SHARES, device=generator.device)
    kind = torch.multinomial(shares, count, replacement=True, generator=generator)
    published = chance(count, 0.5, generator)
    bias = torch.where(published, HABLE_BIAS, draw(1.5, 3.0))
    white = torch.where(published, HABLE_WHITE, draw(7, 14))
    unused = torch.ones(count, device=generator.device)
    gamma = torch.where(chance(count, 0.15, generator), draw(2.1, 2.5), 0 * unused)
    return ToneCurves(
        kind,
        torch.stack([unused, bias, draw(1.5, 8), draw(0.9, 1.4), draw(0.5, 1.1), draw(0.7, 0.95)]),
        torch.stack([unused, white, unused, draw(3, 16), unused, draw(1.5, 6)]),
        gamma,
    )


def random_exposures(light: Tensor, curves: ToneCurves, generator: Generator) -> Tensor:
    """Draw the exposure ``b`` of clips ``b f 3 h w``.

    Either 0 to 25 % of the samples come to lie at or over 1.0, or the geometric mean of luminance
    comes to lie near mid grey. Clips and knees are exposed for the highlights more often.
    """
    count = len(light)
    luma = torch.einsum("bfchw,c->bfhw", light, light.new_tensor(LUMA)).flatten(1)
    step = max(1, luma.shape[1] // 4096)
    mean = torch.exp(luma[:, ::step].clamp(min=1e-6).log().mean(dim=1))
    keyed = MID_GREY / mean * torch.exp2(normal(count, 0.6, generator))
    ranked = light.amax(dim=2).flatten(1)[:, ::step].sort(dim=1).values
    share = 0.25 * uniform(count, 0, 1, generator) ** 1.5
    place = ((1 - share) * (ranked.shape[1] - 1)).long()
    clipped = 1 / ranked.gather(1, place[:, None])[:, 0].clamp(min=1e-6)
    hard = (curves.kind == 0) | (curves.kind == 5)
    by_key = torch.rand(count, generator=generator, device=generator.device) < torch.where(
        hard, 0.25, 0.7
    )
    return torch.where(by_key, keyed, clipped)


@dataclass(frozen=True)
class Faults:
    """How often each fault of a delivery strikes, in [0, 1].

    Attributes:
        contrast: Contrast about the middle, 0.85 to 1.15, with clipping.
        blur: Blur of the highlights alone or of the shadows alone.
        noise: Sensor noise of 0.002 to 0.02.
        compression: Block transform coding in 4:2:0, quality 40 to 97.
    """

    contrast: float = 0.15
    blur: float = 0.2
    noise: float = 0.35
    compression: float = 0.6


def degrade(codes: Tensor, generator: Generator, faults: Faults | None = None) -> Tensor:
    """Degrade SDR clips as deliveries do, each fault by chance.

    Args:
        codes: ``b f 3 h w`` display code values in [0, 1].
        generator: Source of chance, on the clips' device.
        faults: How often each strikes; the recipe's own if left out.

    Returns:
        The same shape in [0, 1], rounded to 8 bits.
    """
    faults = faults or Faults()
    count = len(codes)

    def struck(probability: float) -> Tensor:
        return chance(count, probability, generator).view(-1, 1, 1, 1, 1)

    def draw(low: float, high: float) -> Tensor:
        return uniform(count, low, high, generator).view(-1, 1, 1, 1, 1)

    scaled = (codes - 0.5) * draw(0.85, 1.15) + 0.5
    codes = torch.where(struck(faults.contrast), scaled, codes).clamp(0, 1)
    blurred = _selective_blur(codes, bright=struck(0.5))
    codes = torch.where(struck(faults.blur), blurred, codes)
    noise = torch.randn(codes.shape, generator=generator, device=codes.device)
    codes = (codes + struck(faults.noise) * draw(0.002, 0.02) * noise).clamp(0, 1)
    coded = transform_coded(codes, draw(40, 97).flatten())
    codes = torch.where(struck(faults.compression), coded, codes)
    return (codes.clamp(0, 1) * 255).round() / 255


def _selective_blur(codes: Tensor, *, bright: Tensor) -> Tensor:
    blurred = F.avg_pool3d(
        codes.transpose(1, 2), (1, 5, 5), stride=1, padding=(0, 2, 2), count_include_pad=False
    ).transpose(1, 2)
    peak = codes.amax(dim=2, keepdim=True)
    mask = torch.where(bright, (peak - 0.8) / 0.1, (0.2 - peak) / 0.1).clamp(0, 1)
    return codes + mask * (blurred - codes)


# ITU-T T.81 (JPEG), annex K.1: quantisation of luminance and chrominance at quality 50.
_LUMA_STEPS = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA_STEPS = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
# ITU-T T.871 (JFIF): R'G'B' to Y'CbCr, full range, without its offsets.
_TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def transform_coded(codes: Tensor, quality: Tensor) -> Tensor:
    """Leave of clips what JPEG's transform coding leaves: 8 x 8 cosine blocks, 4:2:0, quantised.

    No bits are made: the loss is the same, and it runs on any device. Edges that are no multiple of
    16 pixels are repeated.

    Args:
        codes: ``b f 3 h w`` in [0, 1].
        quality: ``b``, 50 to 100, by the scale of the Independent JPEG Group's library; below 50
            the same scale goes on.

    Returns:
        The same shape; may lie a little outside [0, 1].
    """
    height, width = codes.shape[-2:]
    matrix = codes.new_tensor(_TO_YCC)
    pictures = F.pad(codes.flatten(0, 1), (0, -width % 16, 0, -height % 16), mode="replicate")
    ycc = torch.einsum("nchw,dc->ndhw", pictures * 255, matrix)
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50).clamp(min=0.02)
    scale = scale.repeat_interleave(codes.shape[1]).view(-1, 1, 1, 1, 1, 1)
    luma = _quantise(ycc[:, :1] - 128, scale * codes.new_tensor(_LUMA_STEPS)[:, None, :]) + 128
    small = _quantise(F.avg_pool2d(ycc[:, 1:], 2), scale * codes.new_tensor(_CHROMA_STEPS)[:, None])
    chroma = F.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False)
    rgb = torch.einsum("nchw,dc->ndhw", torch.cat([luma, chroma], dim=1), matrix.inverse())
    return (rgb[..., :height, :width] / 255).view(codes.shape)


def _quantise(planes: Tensor, steps: Tensor) -> Tensor:
    """Round the cosine coefficients of ``n c h w`` to steps ``n 1 1 8 1 8``."""
    index = torch.arange(8, dtype=planes.dtype, device=planes.device)
    basis = torch.cos((2 * index + 1) * index[:, None] * math.pi / 16) / 2
    basis[0] /= math.sqrt(2)
    blocks = planes.unflatten(3, (-1, 8)).unflatten(2, (-1, 8))
    found = torch.einsum("nchywx,vy,ux->nchvwu", blocks, basis, basis)
    kept = (found / steps.clamp(min=1)).round() * steps.clamp(min=1)
    back = torch.einsum("nchvwu,vy,ux->nchywx", kept, basis, basis)
    return back.flatten(4, 5).flatten(2, 3)
