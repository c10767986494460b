"""What cameras, games and grades do to light before a display shows it: families of tone curves.

All are increasing, channel by channel, from scene-linear Rec.709 light to display-linear light in
[0, 1]. The training draws from them, and `detail` asks which of them a plate went through.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lumivid_fx.color.transfer import Transfer

MID_GREY = 0.18

HABLE_BIAS, HABLE_WHITE = 2.0, 11.2
"""The curve's published exposure bias and white."""


def hable(
    light: Tensor, bias: float | Tensor = HABLE_BIAS, white: float | Tensor = HABLE_WHITE
) -> Tensor:
    """John Hable's filmic curve ("Uncharted 2: HDR Lighting", GDC 2010)."""

    def shoulder(x: Tensor) -> Tensor:
        return (x * (0.15 * x + 0.05) + 0.004) / (x * (0.15 * x + 0.5) + 0.06) - 0.02 / 0.30

    shown: Tensor = shoulder(light * bias) / shoulder(torch.as_tensor(white).to(light))
    return shown.clamp(0, 1)


def reinhard(light: Tensor, white: float | Tensor) -> Tensor:
    """Reinhard's extended operator (Reinhard et al. 2002, equation 4): `white` maps to 1."""
    return (light * (1 + light / white**2) / (1 + light)).clamp(0, 1)


def sigmoid(light: Tensor, contrast: float | Tensor, white: float | Tensor) -> Tensor:
    """Camera-like S-curve: Naka and Rushton's response, scaled so that `white` maps to 1."""
    raised: Tensor = light.clamp(min=1e-8) ** contrast
    top = torch.as_tensor(white).to(light) ** contrast
    shown: Tensor = raised / (raised + 1) / (top / (top + 1))
    return shown.clamp(0, 1)


def narkowicz(light: Tensor, bias: float | Tensor) -> Tensor:
    """The fit to ACES' filmic look by Krzysztof Narkowicz ("ACES Filmic Tone Mapping", 2016)."""
    x = light * bias
    return (x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)).clamp(0, 1)


def knee(light: Tensor, start: float | Tensor, white: float | Tensor) -> Tensor:
    """A broadcast camera's knee: straight to `start`, then a flatter line that ends at `white`."""
    bent = start + (1 - start) * (light - start) / (white - start)
    return torch.where(light < start, light, bent).clamp(0, 1)


@dataclass(frozen=True)
class ToneCurves:
    """One tone curve for each clip of a batch.

    Attributes:
        kind: Which of the six families, ``b``, whole numbers.
        first: First parameter of each family, ``6 b``; what it means is the family's.
        second: Second parameter, ``6 b``.
        gamma: Exponent of the display's encoding, ``b``; 0 is sRGB's piecewise curve.
    """

    kind: Tensor
    first: Tensor
    second: Tensor
    gamma: Tensor

    def encode(self, light: Tensor) -> Tensor:
        """Exposed scene light ``b ...`` to display codes in [0, 1]."""

        def spread(x: Tensor) -> Tensor:
            return x.view(-1, *[1] * (light.ndim - 1))

        first, second = [spread(x) for x in self.first], [spread(x) for x in self.second]
        families = (
            light.clamp(0, 1),
            hable(light, first[1], second[1]),
            reinhard(light, first[2]),
            sigmoid(light, first[3], second[3]),
            narkowicz(light, first[4]),
            knee(light, first[5], second[5]),
        )
        shown = families[0]
        for index, family in enumerate(families[1:], 1):
            shown = torch.where(spread(self.kind) == index, family, shown)
        power = spread(self.gamma)
        curved = shown.clamp(min=1e-8) ** (1 / power.clamp(min=1))
        return torch.where(power == 0, srgb_encode(shown), curved)

    def grey_scale(self) -> Tensor:
        """Factor ``b`` on scene light that makes display mid grey stand for scene mid grey.

        A curve and an exposure cannot be told apart from the picture alone, so the exposure is
        fixed by this convention: what an sRGB display shows at 0.18 is 0.18 in the target.
        """
        light = torch.logspace(-3, 2, 1024, dtype=self.gamma.dtype, device=self.kind.device)
        codes = self.encode(light.expand(len(self.kind), -1)).contiguous()
        grey = srgb_encode(torch.full_like(codes[:, :1], MID_GREY))
        return MID_GREY / _where_reached(codes, light, grey)[:, 0]


def srgb_encode(linear: Tensor) -> Tensor:
    """IEC 61966-2-1 encoding of display-linear light in [0, 1]."""
    low = linear * 12.92
    return torch.where(
        linear <= 0.0031308, low, 1.055 * linear.clamp(min=1e-8) ** (1 / 2.4) - 0.055
    )


def undone(curves: ToneCurves, transfer: Transfer, count: int = 256) -> Tensor:
    """Tables that undo curves: display code to the code of a transfer, mid grey on mid grey.

    Args:
        curves: ``b`` curves.
        transfer: Curve of the result, on the light's own primaries.
        count: Samples of a table, evenly over display codes [0, 1].

    Returns:
        ``b count``, increasing; the last is the lowest light that shows as white.
    """
    light = torch.logspace(-5, 2, 8192, dtype=torch.float64)
    light = torch.cat([light.new_zeros(1), light])
    codes = curves.encode(light.expand(len(curves.kind), -1)).contiguous()
    wanted = torch.linspace(0, 1, count, dtype=torch.float64).expand(len(codes), -1)
    wanted = torch.minimum(wanted, codes.amax(dim=1, keepdim=True)).contiguous()
    found = _where_reached(codes, light, wanted)
    return transfer.forward((found * curves.grey_scale()[:, None]).float())


def _where_reached(codes: Tensor, light: Tensor, wanted: Tensor) -> Tensor:
    """The light ``n`` at which increasing codes ``b n`` reach wanted ones ``b m``: ``b m``."""
    above = torch.searchsorted(codes, wanted).clamp(1, codes.shape[1] - 1)
    low, high = codes.gather(1, above - 1), codes.gather(1, above)
    part = ((wanted - low) / (high - low).clamp(min=1e-12)).clamp(0, 1)
    return torch.lerp(light[above - 1], light[above], part)
