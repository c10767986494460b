"""A pair: one light seen twice, and only the reference goes through camera and delivery."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.train.recipes import tiny_recipe

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.color.transfer import TRANSFERS
from lumivid_fx.train.degradations import degrade
from lumivid_fx.train.examples import FAULTS, Example, Examples, random_compression
from lumivid_fx.train.sources import Sources


def make(tmp_path: Path, number: int = 0, *, validation: bool = False, **amended: Any) -> Example:
    """A pair of a tiny recipe."""
    recipe = tiny_recipe(tmp_path, **amended)
    return Examples(recipe, Sources(recipe)).example(number, validation=validation)


def test_a_pair_is_a_function_of_its_number(tmp_path: Path) -> None:
    """Made again it is the same bits; its neighbour and the validation clip are others."""
    one, again = make(tmp_path, 1), make(tmp_path, 1)
    assert one.reference.shape == one.target.shape == (9, 3, 32, 64)
    assert torch.equal(one.reference, again.reference)
    assert torch.equal(one.target, again.target)
    assert not torch.equal(one.target, make(tmp_path, 3).target)
    assert not torch.equal(one.target, make(tmp_path, 1, validation=True).target)


@pytest.mark.parametrize("curve", TRANSFERS)
def test_the_target_is_the_light_in_the_curve_asked_for(tmp_path: Path, curve: str) -> None:
    """Codes in [0, 1] that invert to the light, where curve and gamut hold it."""
    pair = make(tmp_path, target={"transfer": curve})
    transfer = TRANSFERS[curve]
    assert pair.light is not None
    assert 0 <= float(pair.target.min()) <= float(pair.target.max()) <= 1
    decoded = transfer.inverse(pair.target).movedim(1, -1).contiguous().numpy()
    back = torch.from_numpy(ColorSpaces().convert(decoded, transfer.primaries, "lin_rec709"))
    truth = pair.light.movedim(1, -1)
    held = truth.amax(dim=-1) < 5  # all curves hold this much
    # float32, HLG's flat toe, and matrices rounded to float
    assert torch.allclose(back[held], truth[held], rtol=2e-3, atol=2e-4)


def test_curves_see_the_same_light(tmp_path: Path) -> None:
    """Ablations of the curve train on the same clips with the same references."""
    one = make(tmp_path, target={"transfer": "logc3_rec709"})
    other = make(tmp_path, target={"transfer": "pq_rec2020"})
    assert torch.equal(one.reference, other.reference)
    assert one.light is not None
    assert other.light is not None
    assert torch.equal(one.light, other.light)


def test_degradations_meet_the_reference_alone(tmp_path: Path) -> None:
    """With and without, the target is the same."""
    full, none = (make(tmp_path, reference={"degradations": d}) for d in ("full", "none"))
    assert torch.equal(full.target, none.target)


def test_without_degradations_the_reference_is_the_clean_picture(tmp_path: Path) -> None:
    """Rounded to 8 bits, as any SDR file is."""
    pair = make(tmp_path, target={"transfer": "sdr"}, reference={"degradations": "none"})
    assert pair.light is None
    assert torch.allclose(pair.reference, pair.target, atol=0.51 / 255)
    assert not torch.equal(pair.reference, pair.target)


def test_blur_alone_touches_highlights_and_shadows_alone() -> None:
    """Mid tones are those of the clean picture in every clip; in some clips the rest is not."""
    codes = torch.rand(40, 1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    clean, blurred = (
        degrade(codes, torch.Generator().manual_seed(1), FAULTS[which])
        for which in ("none", "blur")
    )
    peak = clean.amax(dim=2, keepdim=True)
    middle = ((peak > 0.25) & (peak < 0.75)).expand_as(clean)
    assert torch.equal(clean[middle], blurred[middle])
    changed = (clean != blurred).flatten(1).any(dim=1)
    assert 0 < int(changed.sum()) < 40


def test_compression_comes_by_chance_and_is_real() -> None:
    """Probability 0 never, 1 always; what comes back is what a codec leaves."""
    codes = torch.rand(5, 3, 32, 64, generator=torch.Generator().manual_seed(0))

    def seeded() -> torch.Generator:
        return torch.Generator().manual_seed(1)

    assert random_compression(codes, 0.0, seeded()) is codes
    out = random_compression(codes, 1.0, seeded())
    assert out.shape == codes.shape
    assert float((out - codes).abs().mean()) > 0.02  # white noise does not pass a codec
    assert torch.equal(out, random_compression(codes, 1.0, seeded()))
