"""Detail: keep the plate's own pixels where it is well exposed; elsewhere the model speaks.

A VAE softens and a generator drifts, yet most of the plate already holds the truth, behind a tone
curve. That curve is undone (by the named view, or by a fit of the plate's codes against the model's
output) and the plate's pixels are carried through it. The model's pixels come in where a channel
clipped or was crushed: softly, channel by channel, and only ever brighter than the clip, or darker
than the crush. A scene-linear plate is never crushed: what it holds around black is its own.

All codes here are LogC3 of linear Rec.709 light, or whatever curve the model speaks: close enough
to a logarithm that a difference of codes is a ratio of light.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lumivid_fx.color.transfer import Transfer

CLIP_START, CLIP_END = 0.94, 0.99
"""Display codes between which a channel is handed over; JPEG moves white by about 0.01."""

CRUSH_START, CRUSH_END = 4 / 255, 1 / 255
"""Display codes between which shadows are handed over: one to four steps of 8 bits."""

BANDWIDTH = 0.05
"""Width of the tone fit's kernel, in display codes."""


@dataclass(frozen=True)
class ToneCurve:
    """Display code to model code, increasing, sampled evenly over [0, 1].

    Attributes:
        codes: Model codes at ``linspace(0, 1, len(codes))``.
    """

    codes: Tensor

    def __call__(self, display: Tensor) -> Tensor:
        """Apply to display codes of any shape; codes outside [0, 1] are held at the ends."""
        last = len(self.codes) - 1
        place = display.clamp(0, 1) * last
        low = place.floor().clamp(max=last - 1).long()
        table = self.codes.to(display)
        return torch.lerp(table[low], table[low + 1], place - low)


def srgb_to_linear(codes: Tensor) -> Tensor:
    """IEC 61966-2-1 inverse: the first guess of any display curve, which the fit then corrects."""
    high = ((codes.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(codes <= 0.04045, codes / 12.92, high)


def fit_tone_curve(
    display: Tensor, codes: Tensor, exposed: Tensor, transfer: Transfer
) -> ToneCurve:
    """Fit the curve that undoes the plate's tone.

    The fit is a local line (Cleveland 1979) through the difference between the model's codes and
    the plain sRGB linearisation, as a function of the plate's code, made increasing at the end.

    Args:
        display: Plate codes ``f 3 h w`` at the model's size.
        codes: The model's output there.
        exposed: ``f 1 h w``, 1 where no pixel under the sample clipped or crushed.
        transfer: The model's curve.

    Returns:
        A curve of 256 samples; the sRGB linearisation itself where nothing is well exposed.
    """
    grid = torch.linspace(0, 1, 256, dtype=torch.float64)
    plain = transfer.forward(srgb_to_linear(grid))
    count, total = torch.zeros_like(grid), torch.zeros_like(grid)
    for shown, code, whole in zip(display, codes, exposed > 0.999, strict=True):
        keep = whole.expand_as(shown)
        x = shown[keep].double()
        gap = code[keep].double() - transfer.forward(srgb_to_linear(x))
        bins = (x * 255).round().long()
        count.index_add_(0, bins, torch.ones_like(x))
        total.index_add_(0, bins, gap)
    if float(count.sum()) < 64:
        return ToneCurve(plain.float())
    mean = total / count.clamp(min=1)
    weight = count.sqrt()
    distance = (grid[:, None] - grid[None, :]) / BANDWIDTH
    kernel = torch.exp(-0.5 * distance.square()) * weight
    kernel = kernel + 1e-6 * weight / (1 + distance.square())
    centred = distance
    s0, s1, s2 = (torch.sum(kernel * centred**p, dim=1) for p in range(3))
    t0, t1 = (torch.sum(kernel * centred**p * mean, dim=1) for p in range(2))
    ridge = 0.1 * s0
    slope_free = (s2 + ridge) * s0 - s1 * s1
    fitted = ((s2 + ridge) * t0 - s1 * t1) / slope_free.clamp(min=1e-12)
    curve = torch.cummax(plain + fitted, dim=0).values
    return ToneCurve(curve.float())


def ramp(values: Tensor, start: float, end: float) -> Tensor:
    """Smooth step from 0 at `start` to 1 at `end` (either may be the larger)."""
    t = ((values - start) / (end - start)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def lost(display: Tensor) -> Tensor:
    """Where any channel of ``f 3 h w`` clipped or was crushed: ``f 1 h w`` in [0, 1]."""
    clipped = ramp(display.amax(dim=1, keepdim=True), CLIP_START, CLIP_END)
    crushed = ramp(display.amin(dim=1, keepdim=True), CRUSH_START, CRUSH_END)
    return torch.maximum(clipped, crushed)


@dataclass(frozen=True)
class WindowDetail:
    """What a window knows that its frames need when they are merged at full size.

    Attributes:
        model: The model's codes ``f 3 h w`` at its own size.
        coverage: Share of each of its samples that the plate clipped, by channel, ``f 3 h w``.
        curve: Plate code to model code, or None where the plate's light is known.
        anchor: Codes to add to the model's highlights so that they meet the plate below the clip.
    """

    model: Tensor
    coverage: Tensor
    curve: ToneCurve | None
    anchor: float

    def merge(
        self,
        index: int,
        display: Tensor,
        known: Tensor | None,
        amount: float,
        clip_above: Tensor | None,
    ) -> Tensor:
        """Merge one frame at full size.

        Args:
            index: Frame within the window.
            display: Plate codes ``3 h w`` in [0, 1].
            known: The plate's light in model codes ``3 h w``, where a view or linear file tells it.
            amount: 1 is the full merge, 0 the model alone.
            clip_above: For a scene-linear plate alone, ``1 h w`` in [0, 1]: 0 where it is known to
                hold more than white by itself.

        Returns:
            Codes ``3 h w``.
        """
        size = display.shape[-2:]
        model = _enlarge(self.model[index : index + 1], size)[0]
        if amount == 0:
            return model
        plate = known
        if plate is None:
            plate = self._through_curve(display)
        clipped = ramp(display, CLIP_START, CLIP_END)
        crushed = ramp(display, CRUSH_START, CRUSH_END)
        if clip_above is not None:
            clipped, crushed = clipped * clip_above, torch.zeros_like(crushed)
        merged = plate + clipped * (self._bright(index, size) - plate).clamp(min=0)
        merged = merged + crushed * (model - plate).clamp(max=0)
        return torch.lerp(model, merged, amount)

    def _through_curve(self, display: Tensor) -> Tensor:
        if self.curve is None:
            raise ValueError("the plate's light is neither known nor was a curve fitted to it")
        return self.curve(display)

    def _bright(self, index: int, size: torch.Size) -> Tensor:
        """The model's highlights, enlarged without the darker neighbours leaking in."""
        weight = self.coverage[index : index + 1] + 1e-3
        model = self.model[index : index + 1] + self.anchor
        return (_enlarge(model * weight, size) / _enlarge(weight, size))[0]


def window_detail(
    model: Tensor,
    display: Tensor,
    coverage: Tensor,
    exposed: Tensor,
    known: Callable[[Tensor], Tensor] | None,
    transfer: Transfer,
) -> WindowDetail:
    """Fit a window's curve, or its anchor where the curve is known.

    Args:
        model: The model's codes ``f 3 h w``.
        display: The plate at that size.
        coverage: Share clipped, by channel, ``f 3 h w``.
        exposed: ``f 1 h w``, 1 where nothing under the sample was lost.
        known: From small display codes to model codes, where the view is named.
        transfer: The model's curve.
    """
    if known is None:
        return WindowDetail(model, coverage, fit_tone_curve(display, model, exposed, transfer), 0.0)
    bright = (exposed > 0.999) & (display.amax(dim=1, keepdim=True) > 0.5)
    keep = (bright if int(bright.sum()) >= 16 else exposed > 0.999).expand_as(display)
    if int(keep.sum()) < 16:
        return WindowDetail(model, coverage, None, 0.0)
    anchor = float((known(display)[keep] - model[keep]).median())
    return WindowDetail(model, coverage, None, anchor)


def _enlarge(pictures: Tensor, size: torch.Size) -> Tensor:
    if pictures.shape[-2:] == size:
        return pictures
    return F.interpolate(pictures, size=size, mode="bilinear", align_corners=False)
