"""The curve that undoes a plate's tone, told from the plate's codes and the model's output.

Two witnesses are asked which of the tone curves that plates go through it was: a small reader of
the plate's own pixels, and the model's output, which each curve explains better or worse. The
answer is a mean over the curves, weighed by both. A plate that none of them explains is followed by
a free curve on top, so far as the model insists.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from lumivid_fx.color.tone_curves import HABLE_WHITE, ToneCurves, undone
from lumivid_fx.color.transfer import Transfer
from lumivid_fx.pipeline.tone_reader import read_tone

BLOCK = 16
"""Edge of the blocks over which plate and model are compared, in samples of the model's size."""

HATS = 17
"""Knots of the free curve, a sixteenth of the display's range apart."""

STIFFNESS = 1.0
"""Weight of the free curve's bend against the mean square error of a block."""

DOUBT = 0.0055
"""Error of the mean code, rms over the blocks, by which a known curve loses e^-1/2 of its weight:
set so that the embedded model tells filmic plates from clipped ones best on its training maps."""

READER = 0.5
"""How much of the reader's word is taken; the rest is how common each curve is. Wholly believed it
would serve stills of curves that it has seen a little better, and movies and odd grades worse."""

INSIST = (2.0, 6.0)
"""How many times better the free curve must explain the model than the known ones do before it
begins to be followed, and until it is followed wholly. On plates of a known curve the embedded
model's is 1.0 to 2.0 times better: its own errors, which must not pass for a grade."""


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


@cache
def known_curves(transfer: Transfer) -> tuple[Tensor, Tensor]:
    """Tables that undo the tone curves plates go through, and how common each is.

    Returns:
        Model codes ``b 256``, and the share of each, ``b``, summing to 1.
    """
    rows: list[tuple[int, float, float, float, float]] = [  # kind, first, second, gamma, share
        (0, 1, 1, 0, 0.3),
        *((0, 1, 1, gamma, 0.03) for gamma in (2.2, 2.4)),
        *((1, bias, white, 0, 0.025) for bias, white in product((1.5, 2, 2.5, 3), (7, 11.2, 14))),
        *((2, white, 1, 0, 0.025) for white in (1.5, 2.5, 4, 8)),
        *((3, c, white, 0, 0.012) for c, white in product((0.9, 1.05, 1.2, 1.4), (3, 6, 12))),
        *((4, bias, 1, 0, 0.02) for bias in (0.5, 0.7, 0.9, 1.1)),
        *((5, start, white, 0, 0.009) for start, white in product((0.7, 0.8, 0.9), (1.5, 3, 6))),
    ]
    kind, first, second, gamma, share = (torch.tensor(x) for x in zip(*rows, strict=True))
    # A family looks at its own row alone; the rest only has to be harmless.
    firsts, seconds = first.double().expand(6, -1), second.double().expand(6, -1)
    firsts = torch.where(torch.arange(6)[:, None] == kind, firsts, 1.05)
    seconds = torch.where(torch.arange(6)[:, None] == kind, seconds, HABLE_WHITE)
    tables = undone(ToneCurves(kind, firsts, seconds, gamma.double()), transfer)
    return tables, share / share.sum()


def fit_tone_curve(
    display: Tensor, codes: Tensor, exposed: Tensor, transfer: Transfer
) -> ToneCurve:
    """Fit the curve that undoes the plate's tone.

    The model's pictures are softer than the plate's, so a bright pixel comes back mixed with its
    darker neighbours, and a curve fitted pixel by pixel comes out too flat (18 dB instead of 27 in
    foliage). Means over blocks are what the model gets right. How the plate's codes spread within a
    block tells the mean of any curve over it, so that every curve's error, and the free curve,
    follow from one walk over the pixels. The free curve is a sum of hats that bends no more than
    the model asks.

    Args:
        display: Plate codes ``f 3 h w`` at the model's size.
        codes: The model's output there.
        exposed: ``f 1 h w``, 1 where no pixel under the sample clipped or was crushed.
        transfer: The model's curve.

    Returns:
        A curve of 256 samples; sRGB's own where nothing is well exposed.
    """
    tables, shares = known_curves(transfer)
    known = tables.double().T
    basis = _hats(len(known))
    seen = _compare(display, codes, exposed, len(known))
    if seen.weight < 1:
        return ToneCurve(tables[0])
    told = -seen.errors(known) / (2 * DOUBT**2)
    usual = torch.log(shares.double())
    nearest = known @ torch.softmax(usual + told, dim=0)
    free = _free_heights(seen, basis, nearest)
    # A display squeezes bright light, it never stretches it: above the middle the way back expands.
    free[HATS // 2 :] = torch.cummax(free[HATS // 2 :], dim=0).values
    own = nearest + basis @ free
    better, worse = seen.errors(torch.stack([own, nearest], dim=1)).clamp(min=1e-9).tolist()
    start, end = INSIST
    followed = min(1.0, max(0.0, (worse / better - start) / (end - start)))
    read = torch.lerp(usual, read_tone(display).double(), READER)
    common = known @ torch.softmax(read + told, dim=0)
    return ToneCurve(torch.cummax(torch.lerp(common, own, followed), dim=0).values.float())


@dataclass(frozen=True)
class _Seen:
    """What the blocks say of curves of ``n`` samples.

    Attributes:
        spread: Mean of a block's spread times itself, ``n n``.
        aim: Mean of a block's spread times the model's code, ``n``.
        square: Mean square of the model's codes.
        weight: Blocks that were seen, in all.
    """

    spread: Tensor
    aim: Tensor
    square: Tensor
    weight: float

    def errors(self, curves: Tensor) -> Tensor:
        """Mean square error of curves ``n k`` over the blocks, ``k``."""
        found = (curves * (self.spread @ curves)).sum(dim=0)
        return found - 2 * self.aim @ curves + self.square


def _compare(display: Tensor, codes: Tensor, exposed: Tensor, count: int) -> _Seen:
    spreads = torch.zeros(count, count, dtype=torch.float64)
    aim = torch.zeros(count, dtype=torch.float64)
    square = torch.zeros((), dtype=torch.float64)
    total = 0.0
    # A frame at a time, so that a long window takes no more memory than a short one.
    for shown, code, whole in zip(display, codes, exposed, strict=True):
        spread = _spread(shown, count)
        told = block_means(code).flatten().double()
        weight = block_means(whole).square().expand(3, -1, -1).flatten().double()
        spreads += (spread * weight[:, None]).T @ spread
        aim += (weight * told) @ spread
        square += weight @ told.square()
        total += float(weight.sum())
    scale = max(1.0, total)
    return _Seen(spreads / scale, aim / scale, square / scale, total)


def _spread(shown: Tensor, count: int) -> Tensor:
    """How the codes of each block of ``3 h w`` spread over the samples of a curve, ``n count``.

    A curve's mean over a block is this times the curve's samples, exactly: each pixel is shared
    between the two samples that it lies between, as :class:`ToneCurve` does.
    """
    height, width = shown.shape[-2:]
    rows, columns = (torch.arange(size) // BLOCK for size in (height, width))
    across, down = int(columns[-1]) + 1, int(rows[-1]) + 1
    block = rows[:, None] * across + columns + torch.arange(3)[:, None, None] * across * down
    place = shown.double().clamp(0, 1) * (count - 1)
    low = place.floor().clamp(max=count - 2).long()
    part = place - low
    spread = torch.zeros(3 * across * down * count, dtype=torch.float64)
    at = (block * count + low).flatten()
    spread.index_add_(0, at, (1 - part).flatten()).index_add_(0, at + 1, part.flatten())
    spread = spread.view(-1, count)
    return spread / spread.sum(dim=1, keepdim=True)


def _free_heights(seen: _Seen, basis: Tensor, base: Tensor) -> Tensor:
    """Heights of the free curve over a known one; black stays black, and bends cost."""
    eye = torch.eye(HATS, dtype=torch.float64)
    bend, slope = eye.diff(n=2, dim=0), eye.diff(dim=0)
    stiff = STIFFNESS * bend.T @ bend + 0.01 * STIFFNESS * slope.T @ slope + 1e-6 * eye
    stiff[0, 0] += STIFFNESS
    normal = basis.T @ seen.spread @ basis
    heights: Tensor = torch.linalg.solve(normal + stiff, basis.T @ (seen.aim - seen.spread @ base))
    return heights


def block_means(pictures: Tensor) -> Tensor:
    """Means over the blocks in which plate and model are compared."""
    return F.avg_pool2d(pictures, BLOCK, ceil_mode=True, count_include_pad=False)


def _hats(count: int) -> Tensor:
    """Hats over ``count`` samples of [0, 1], ``count k``: two steps wide, and they sum to 1."""
    codes, knots = (torch.linspace(0, 1, n, dtype=torch.float64) for n in (count, HATS))
    return (1 - (codes[:, None] - knots).abs() * (HATS - 1)).clamp(min=0)
