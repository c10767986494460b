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

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lumivid_fx.color.transfer import Transfer
from lumivid_fx.pipeline.tone_fit import ToneCurve, block_means, fit_tone_curve

CLIP_START, CLIP_END = 0.94, 0.99
"""Display codes between which a channel is handed over; JPEG moves white by about 0.01."""

CRUSH_START, CRUSH_END = 4 / 255, 1 / 255
"""Display codes between which shadows are handed over: one to four steps of 8 bits."""

BRIM = (0.75, 0.9)
"""Display codes between which a pixel begins to count as just below the clip."""

BRIM_REACH = 48
"""The brim reaches into a highlight by about this part of the longest side."""

GLOW = (0.85, 0.5)
"""Share of what is whole around a sample that is brim, between which light that grows towards the
clip gives way to a plain edge: a sky around the sun tells by itself how bright it goes on, and the
wall round a window does not."""

INSIDE = (0.2, 0.7)
"""Share of a sample's surroundings (as wide as the brim reaches) that clipped, where it begins to
count as the inside of a highlight, and where it does wholly."""

GREY, GREY_CODE = 0.18, 0.4613561
"""Mid grey, and its sRGB code."""

PLAIN_REACH, LONGEST_REACH = math.log2(1 / GREY), 2.0
"""Stops from mid grey to white under a plain clip, and the most beyond them that a rise is for: a
filmic curve has 2.0."""

SPOKEN = 1 / 255
"""Model codes, a twentieth of a stop: a pixel that was moved so far counts as the model's whole."""


def ramp(values: Tensor, start: float, end: float) -> Tensor:
    """Smooth step from 0 at `start` to 1 at `end` (either may be the larger)."""
    # In place: at 4K each further copy is 100 MB of fresh pages, which cost more than the sums.
    t = values.sub(start).div_(end - start).clamp_(0, 1)
    squared = t * t
    return squared.mul_(t.mul_(-2).add_(3))


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
        highlights: The same, moved to meet the plate where that is just below the clip.
        coverage: Share of each of its samples that the plate clipped, by channel, ``f 3 h w``.
        curve: Plate code to model code, or None where the plate's light is known.
    """

    model: Tensor
    highlights: Tensor
    coverage: Tensor
    curve: ToneCurve | None

    def merge(
        self,
        index: int,
        display: Tensor,
        known: Tensor | None,
        amount: float,
        clip_above: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Merge one frame at full size.

        Args:
            index: Frame within the window.
            display: Plate codes ``3 h w`` in [0, 1].
            known: The plate's light in model codes ``3 h w``, where a view or linear file tells it.
            amount: 1 is the full merge, 0 the model alone.
            clip_above: For a scene-linear plate alone, ``1 h w`` in [0, 1]: 0 where it is known to
                hold more than white by itself.

        Returns:
            Codes ``3 h w``, and how much of each pixel is the model's, ``1 h w``: 0 where it is the
            plate's own, 1 where it is the model's, of the channel that has the most of it.
        """
        size = display.shape[-2:]
        model = _enlarge(self.model[index : index + 1], size)[0]
        whole = torch.ones_like(model[:1])
        if amount == 0:
            return model, whole
        plate = self._through_curve(display) if known is None else known
        clipped = ramp(_without_holes(display), CLIP_START, CLIP_END)
        crushed = ramp(display, CRUSH_START, CRUSH_END)
        if clip_above is not None:
            clipped, crushed = clipped * clip_above, torch.zeros_like(crushed)
        bright = _meet(self._bright(index, size), plate, clipped)
        merged = plate + clipped * (bright - plate).clamp(min=0)
        merged = merged + crushed * (model - plate).clamp(max=0)
        taken = clipped * _spoken(bright - plate) + crushed * _spoken(plate - model)
        generated = torch.lerp(whole, taken.amax(dim=0, keepdim=True), amount)
        return torch.lerp(model, merged, amount), generated

    def _through_curve(self, display: Tensor) -> Tensor:
        if self.curve is None:
            raise ValueError("the plate's light is neither known nor was a curve fitted to it")
        return self.curve(display)

    def _bright(self, index: int, size: torch.Size) -> Tensor:
        """The model's highlights, enlarged without the darker neighbours leaking in."""
        weight = self.coverage[index : index + 1] + 1e-3
        model = self.highlights[index : index + 1]
        return (_enlarge(model * weight, size) / _enlarge(weight, size))[0]


def _spoken(gap: Tensor) -> Tensor:
    """How much a model has said that lies this far beyond the plate, from nothing at 0 or below."""
    return (gap / SPOKEN).clamp(0, 1)


def _without_holes(display: Tensor) -> Tensor:
    """Fill the dark specks that noise and compression leave just below white, by means over 5 x 5.

    Where the model is stops brighter than white, a speck that stays the plate's is a black dot.
    """
    means = F.avg_pool2d(display[None], 5, stride=1, padding=2, count_include_pad=False)[0]
    return torch.maximum(display, means)


def _meet(bright: Tensor, plate: Tensor, clipped: Tensor) -> Tensor:
    """Move the model's light of each pixel to where its whole channels say it is.

    Where one channel clipped and two did not, the two know how bright the pixel is; only the colour
    is the model's to tell. Without this the first channel to clip would run ahead of the others,
    which shows as a coloured fringe round every highlight.
    """
    whole = 1 - clipped
    known = (whole * (plate - bright)).sum(dim=0, keepdim=True)
    return bright + known / whole.sum(dim=0, keepdim=True).clamp(min=0.5)


def window_detail(
    model: Tensor,
    display: Tensor,
    coverage: Tensor,
    exposed: Tensor,
    known: Callable[[Tensor], Tensor] | None,
    transfer: Transfer,
    *,
    grain_px: int = 1,
    grain_frames: int = 1,
    rise: float = 0.0,
    least: float = 0.0,
) -> WindowDetail:
    """Fit a window's curve where it is not known, and bring the model's highlights to the plate.

    Args:
        model: The model's codes ``f 3 h w``.
        display: The plate at that size.
        coverage: Share clipped, by channel, ``f 3 h w``.
        exposed: ``f 1 h w``, 1 where nothing under the sample was lost.
        known: From small display codes to model codes, where the view is named.
        transfer: The model's curve.
        grain_px: Width under which structure in the highlights is the decoder's, not the scene's.
        grain_frames: Frames to each side over which they are averaged, as what wavers faster is
            the decoder's, not the scene's.
        rise: Stops to lift them for each stop that the plate's curve reaches beyond a plain clip.
        least: Stops over white that the inside of a highlight has at least, and `rise` beside.
    """
    curve = None
    if known is None:
        known = curve = fit_tone_curve(display, model, exposed, transfer)
    # A frame at a time from here on: a long window takes no more room than its own pictures.
    plate, highlights = torch.empty_like(model), torch.empty_like(model)
    gaps = []
    for i in range(len(model)):
        plate[i] = known(display[i : i + 1])[0]
        gaps.append(block_means(plate[i] - model[i]))
    lift = _anchor(torch.stack(gaps), display, exposed)
    white, stop, reach = _white(known, transfer) if rise or least else (0.0, 0.0, 0.0)
    beyond = stop * rise * reach
    floor = white + stop * least + beyond
    inside = max(display.shape[-2:]) // BRIM_REACH // 2 * 2 + 1
    for i in range(len(model)):
        one = slice(i, i + 1)
        lifted = model[one] + lift
        met, near, glow = _brim(plate[one] - lifted, display[one], coverage[one])
        lifted = lifted + met + beyond * (1 - near)
        if grain_px > 1:
            weight, width = coverage[one] + 1e-3, grain_px // 2 * 2 + 1
            lifted = _soften(lifted * weight, width) / _soften(weight, width)
        if least > 0:
            deep = ramp(_soften(coverage[one], inside), *INSIDE) * ramp(glow, *GLOW)
            lifted = torch.maximum(lifted, white + (floor - white) * deep)
        highlights[i] = lifted[0]
    if grain_frames > 1:
        _steady(highlights, coverage, grain_frames)
    return WindowDetail(model, highlights, coverage, curve)


def _white(known: Callable[[Tensor], Tensor], transfer: Transfer) -> tuple[float, float, float]:
    """The plate's white in model codes, a stop there, and how far the plate's curve reaches.

    That is the stops from a plain clip's white to the plate's, both as seen from mid grey: 0 where
    it reaches no further, `LONGEST_REACH` at most.
    """
    ends = torch.tensor([GREY_CODE, 1.0]).view(2, 1, 1, 1).expand(-1, 3, -1, -1)
    grey, white = transfer.inverse(known(ends)).mean(dim=(1, 2, 3))
    code = float(transfer.forward(white))
    stops = float(torch.log2(white / grey.clamp(min=1e-6))) - PLAIN_REACH
    return code, float(transfer.forward(2 * white)) - code, min(max(stops, 0.0), LONGEST_REACH)


def _anchor(gaps: Tensor, display: Tensor, exposed: Tensor) -> float:
    """One number for the window: how far the model lies under the plate where that is bright.

    Args:
        gaps: Plate less model, means over blocks.
        display: The plate.
        exposed: Where no pixel under a sample was lost.
    """
    bright = ramp(display.amax(dim=1, keepdim=True), 0.3, 0.7)
    weight = block_means(exposed).square() * (block_means(bright) + 1e-3)
    total = float(weight.sum())
    means = gaps.mean(dim=1, keepdim=True)
    return float((means * weight).sum()) / total if total > 1e-3 else 0.0


def _brim(gap: Tensor, display: Tensor, coverage: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What to add to the model near the brim of a highlight so that it rises from the clip.

    The gap between plate and model is known where the plate is just below the clip. It is carried a
    little way into the highlight and fades out there: a sky that brightens towards the sun gets no
    edge where the plate ran out. A lamp on a dark wall has no such brim, and keeps its edge.

    Returns:
        That, how near a brim is, and how much of what is whole around is brim, each of the last two
        ``f 1 h w`` in [0, 1].
    """
    whole = 1 - coverage
    some = whole.amax(dim=1, keepdim=True)
    weight = ramp(display.mean(dim=1, keepdim=True), *BRIM) * some
    told = (whole * gap).sum(dim=1, keepdim=True) / whole.sum(dim=1, keepdim=True).clamp(min=0.5)
    reach = 2 * (max(display.shape[-2:]) // BRIM_REACH) + 1
    spread = _soften(torch.cat([told * weight, weight, some], dim=1), reach)
    told, near, some = spread[:, :1], spread[:, 1:2], spread[:, 2:]
    return told / near.clamp(min=0.1), (near / 0.1).clamp(max=1), near / (some + 0.05)


def _steady(highlights: Tensor, coverage: Tensor, frames: int) -> None:
    """Means over frames of what clipped, under a tent of `frames` to each side, in place.

    A channel at a time, for memory.
    """
    place = torch.arange(len(highlights), device=highlights.device)
    tent = (1 - (place[:, None] - place).abs() / frames).clamp(min=0).to(highlights)
    weight = coverage + 1e-3
    for channel in range(highlights.shape[1]):
        light, share = highlights[:, channel], weight[:, channel]
        light.copy_(torch.tensordot(tent, light * share, 1) / torch.tensordot(tent, share, 1))


def _soften(pictures: Tensor, width: int) -> Tensor:
    """Two running means of `width` samples: a tent, so that nothing it carries has an edge."""
    for _ in range(2):
        pictures = F.avg_pool2d(
            pictures, width, stride=1, padding=width // 2, count_include_pad=False
        )
    return pictures


def _enlarge(pictures: Tensor, size: torch.Size) -> Tensor:
    if pictures.shape[-2:] == size:
        return pictures
    return F.interpolate(pictures, size=size, mode="bilinear", align_corners=False)
