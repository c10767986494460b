"""A training pair: a degraded SDR reference, and the same clip's light as codes of a curve.

Exposure moves both streams alike; what a camera and a delivery do to the picture meets the
reference alone (paper, section 3.3). A pair is a function of its number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Generator, Tensor

from lumivid_fx.color.spaces import LINEAR_REC709, ColorSpaces
from lumivid_fx.color.transfer import Transfer
from lumivid_fx.media.compression import CODECS, compress
from lumivid_fx.train.clips import uniform
from lumivid_fx.train.degradations import Faults, degrade, random_exposures, random_tone_curves
from lumivid_fx.train.recipe import Degradations, Recipe
from lumivid_fx.train.sources import Clip, Sources
from lumivid_fx.train.trainer import step_generator

CLIPPED_CODE = 0.98
"""Display code from which the tone curve has run out."""

BEST_QUALITY, WORST_QUALITY = 18, 40
"""Constant rate factors, from what looks like the original to what nobody would deliver."""

_NONE = Faults(contrast=0, blur=0, noise=0, compression=0)

FAULTS: dict[Degradations, Faults] = {
    "full": replace(Faults(), compression=0),
    "none": _NONE,
    "blur": replace(_NONE, blur=Faults().blur),
}
"""What strikes the reference beside 8-bit rounding. Compression is left to real codecs, last."""

VALIDATION_SEED = 7_919
"""Added to the recipe's seed for the clips that are looked at and never trained on."""


@dataclass(frozen=True)
class Example:
    """One training example.

    Attributes:
        reference: Degraded SDR codes ``f 3 h w`` in [0, 1]: what the user will have.
        target: The clip's light as codes of the curve, or its clean SDR codes, in [0, 1].
        clipped: ``f 1 h w``, 1 where the tone curve has run out.
        light: Scene-linear Rec.709 that the target stands for; None for SDR.
    """

    reference: Tensor
    target: Tensor
    clipped: Tensor
    light: Tensor | None


class Examples:
    """The pairs of a recipe, by number."""

    def __init__(self, recipe: Recipe, sources: Sources) -> None:
        self._recipe = recipe
        self._sources = sources

    def frames_of(self, number: int) -> int:
        """How many frames a pair has: the recipe's lengths by turns."""
        lengths = self._recipe.clips.frames
        return lengths[number % len(lengths)]

    def example(self, number: int, *, validation: bool = False) -> Example:
        """Make a pair.

        Args:
            number: From 0.
            validation: One of those that are looked at.
        """
        seed = self._recipe.clips.seed + (VALIDATION_SEED if validation else 0)
        generator = step_generator(seed, number)
        clip = self._sources.clip(self.frames_of(number), generator)
        if clip.is_display:
            return self._from_codes(clip.pixels, generator)
        return self._from_light(clip, generator)

    def _from_light(self, clip: Clip, generator: Generator) -> Example:
        light = clip.pixels[None]
        curves = random_tone_curves(1, generator)
        if clip.as_shot:
            shift = self._recipe.clips.exposure_shift
            light = light * torch.exp2(uniform(1, -shift, shift, generator))
        else:
            light = light * random_exposures(light, curves, generator)
        codes = curves.encode(light)[0]
        light = (light * curves.grey_scale())[0]
        transfer = self._recipe.transfer
        target = codes if transfer is None else self._encode(light, transfer)
        return self._finish(codes, target, None if transfer is None else light, generator)

    def _from_codes(self, codes: Tensor, generator: Generator) -> Example:
        return self._finish(codes, codes, None, generator)

    def _encode(self, light: Tensor, transfer: Transfer) -> Tensor:
        """Light ``f 3 h w`` as codes of a curve, in its own primaries, clipped to [0, 1]."""
        if transfer.primaries != LINEAR_REC709:
            rgb = light.movedim(1, -1).contiguous().numpy()
            there = self._spaces.convert(rgb, LINEAR_REC709, transfer.primaries)
            light = torch.from_numpy(there).movedim(-1, 1)
        held, _ = transfer.clip(light)
        return transfer.forward(held).clamp(0, 1)

    @cached_property
    def _spaces(self) -> ColorSpaces:
        """Colour, where the curve has primaries of its own."""
        return ColorSpaces()

    def _finish(
        self, codes: Tensor, target: Tensor, light: Tensor | None, generator: Generator
    ) -> Example:
        told = self._recipe.reference
        clipped = (codes.amax(dim=1, keepdim=True) > CLIPPED_CODE).float()
        reference = degrade(codes[None], generator, FAULTS[told.degradations])[0]
        if told.degradations == "full":
            reference = random_compression(reference, told.compression, generator)
        return Example(reference, target, clipped, light)


def random_compression(codes: Tensor, probability: float, generator: Generator) -> Tensor:
    """Send a clip through H.264 or HEVC at a random quality, by chance.

    Args:
        codes: ``f 3 h w`` in [0, 1].
        probability: Of doing so.
        generator: Source of chance.
    """
    if float(torch.rand((), generator=generator)) >= probability:
        return codes
    codec = CODECS[int(torch.randint(2, (), generator=generator))]
    quality = int(torch.randint(BEST_QUALITY, WORST_QUALITY + 1, (), generator=generator))
    frames = compress(codes.movedim(1, -1).contiguous().numpy(), codec, quality)
    return torch.from_numpy(frames).movedim(-1, 1).contiguous()
