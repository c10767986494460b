"""What a half-trained LoRA makes of clips it is not trained on: pictures, and two figures.

Rendered as `lumivid render` does it, with the model's own noise levels, and the same noise each
time, so that pictures of different steps differ by what was learned alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lumivid_fx.color.display_curves import linear_to_srgb
from lumivid_fx.color.spaces import LINEAR_REC709, ColorSpaces
from lumivid_fx.media.contact_sheet import STOPS, contact_sheet
from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.pipeline.noise import SeededNoise
from lumivid_fx.pipeline.render_window import Sampling, render_window
from lumivid_fx.train.examples import Example
from lumivid_fx.train.recipe import Recipe

if TYPE_CHECKING:
    from PIL.Image import Image

FAINT = 1e-4
"""Light below this counts as this much, so that black has stops too."""

Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Validation:
    """What a look brought.

    Attributes:
        picture: Reference, ours at -4, 0 and +4 stops, the truth at the same.
        code_rmse: Root mean square error of the target's codes.
        clipped_stops: Mean error in stops where the reference had clipped; NaN for SDR.
    """

    picture: Image
    code_rmse: float
    clipped_stops: float


def validate(
    model: HdrModel,
    recipe: Recipe,
    pairs: Sequence[Example],
    parameters: Mapping[str, Tensor],
    average: Mapping[str, Tensor],
    title: str,
) -> Validation:
    """Render the validation clips with the averaged weights, which are put back afterwards.

    Args:
        model: With its LoRA on.
        recipe: What is trained.
        pairs: At least one.
        parameters: What is being learned.
        average: What to look at in its place.
        title: Written in the picture's corner.
    """
    sampling = Sampling(SeededNoise(0), model.manifest.sigmas, recipe.clips.fps)
    with _in_place(parameters, average):
        rendered = [
            render_window(model, pair.reference, 0, sampling, lambda *_: None).clamp(0, 1)
            for pair in pairs
        ]
    squares = [(x - pair.target).square().mean() for x, pair in zip(rendered, pairs, strict=True)]
    lights = [_light(codes, recipe) for codes in rendered]
    return Validation(
        picture=_sheet(recipe, pairs, rendered, lights, title),
        code_rmse=float(torch.stack(squares).mean().sqrt()),
        clipped_stops=_clipped_stops(pairs, lights),
    )


@contextmanager
def _in_place(parameters: Mapping[str, Tensor], average: Mapping[str, Tensor]) -> Iterator[None]:
    own = {name: tensor.detach().clone() for name, tensor in parameters.items()}
    try:
        _copy(parameters, average)
        yield
    finally:
        _copy(parameters, own)


@torch.no_grad()
def _copy(to: Mapping[str, Tensor], source: Mapping[str, Tensor]) -> None:
    for name, tensor in to.items():
        tensor.copy_(source[name])


def _light(codes: Tensor, recipe: Recipe) -> Tensor | None:
    """Codes of the target as linear Rec.709 light ``f 3 h w``; None for SDR."""
    transfer = recipe.transfer
    if transfer is None:
        return None
    light = transfer.inverse(codes)
    if transfer.primaries == LINEAR_REC709:
        return light
    rgb = light.movedim(1, -1).contiguous().numpy()
    return torch.from_numpy(ColorSpaces().convert(rgb, transfer.primaries, LINEAR_REC709)).movedim(
        -1, 1
    )


def _clipped_stops(pairs: Sequence[Example], lights: Sequence[Tensor | None]) -> float:
    errors = []
    for pair, light in zip(pairs, lights, strict=True):
        if light is not None and pair.light is not None:
            ours, truth = (
                x.mean(dim=1, keepdim=True).clamp(min=FAINT) for x in (light, pair.light)
            )
            errors.append(torch.log2(ours / truth).abs()[pair.clipped > 0])
    return float(torch.cat(errors).mean()) if errors else float("nan")


def _sheet(
    recipe: Recipe,
    pairs: Sequence[Example],
    rendered: Sequence[Tensor],
    lights: Sequence[Tensor | None],
    title: str,
) -> Image:
    """The first and the last frame of each clip."""
    chosen = [(i, f) for i, p in enumerate(pairs) for f in dict.fromkeys((0, len(p.target) - 1))]
    rows = [("input", [_codes(pairs[i].reference[f]) for i, f in chosen])]
    if recipe.transfer is None:
        rows.append(("ours", [_codes(rendered[i][f]) for i, f in chosen]))
        rows.append(("truth", [_codes(pairs[i].target[f]) for i, f in chosen]))
    else:
        truths = [pair.light for pair in pairs]
        for name, shown in (("ours", lights), ("truth", truths)):
            for stops in STOPS:
                seen = [_exposed(shown[i], f, stops) for i, f in chosen]
                rows.append((f"{name} {stops:+g}" if stops else f"{name} 0", seen))
    return contact_sheet(rows, [f"clip {i + 1} frame {f + 1}" for i, f in chosen], title)


def _exposed(light: Tensor | None, frame: int, stops: float) -> Codes:
    if light is None:
        raise ValueError("an SDR target has no light to expose")
    rgb = (light[frame] * 2.0**stops).clamp(0, 1).movedim(0, -1).contiguous().numpy()
    return np.rint(linear_to_srgb(rgb) * 255).astype(np.uint8)


def _codes(picture: Tensor) -> Codes:
    codes: Codes = np.rint(picture.clamp(0, 1).movedim(0, -1).numpy() * 255).astype(np.uint8)
    return codes
