"""Training pairs: one scene as the plate a user has, and as the light that was there."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from lumivid_fx.color.primaries import between
from lumivid_fx.color.transfer import LOGC3_REC709, Transfer
from lumivid_fx.train.degradations import (
    Faults,
    degrade,
    random_exposures,
    random_tone_curves,
)
from lumivid_fx.train.scenes import Scenes

GAMUTS = {"lin_rec709": "Rec.709", "lin_rec2020": "Rec.2020", "acescg": "AP1"}
"""Gamut of the linear space that a transfer takes."""


@dataclass(frozen=True)
class Pairs:
    """Training examples, codes ``b f 3 h w`` in [0, 1].

    Attributes:
        reference: Degraded SDR, what the user will have.
        sdr: The same clips, clean SDR.
        hdr: The same clips, the light itself in the model's curve.
        clipped: ``b f 1 h w``, 1 where a channel of the SDR has run out.
    """

    reference: Tensor
    sdr: Tensor
    hdr: Tensor
    clipped: Tensor


@torch.no_grad()
def make_pairs(
    scenes: Scenes,
    shape: tuple[int, int, int, int],
    generator: Generator,
    *,
    still: bool = False,
    transfer: Transfer = LOGC3_REC709,
    faults: Faults | None = None,
) -> Pairs:
    """Draw clips and their SDR references.

    Args:
        scenes: Where light comes from; its device is the generator's.
        shape: Clips, frames, rows, columns.
        generator: Source of chance.
        still: Let all frames of a clip be one picture.
        transfer: Curve of the target, which takes the light on its own primaries.
        faults: What a delivery does to the reference.
    """
    count, frames, height, width = shape
    light = scenes.draw(count, 1 if still else frames, height, width, generator)
    curves = random_tone_curves(count, generator)
    light = light * random_exposures(light, curves, generator).view(-1, 1, 1, 1, 1)
    sdr = curves.encode(light)
    reference = degrade(sdr, generator, faults)
    target = light * curves.grey_scale().view(-1, 1, 1, 1, 1)
    matrix = between("Rec.709", GAMUTS[transfer.primaries])
    rows = target.new_tensor([[float(x) for x in row] for row in matrix])
    native = torch.einsum("bfchw,dc->bfdhw", target, rows)
    hdr = transfer.forward(native.clamp(*transfer.linear_range))
    clipped = (sdr.amax(dim=2, keepdim=True) > 0.98).float()
    whole = (reference, sdr, hdr, clipped)
    return Pairs(*(x.expand(-1, frames, -1, -1, -1) if still else x for x in whole))
