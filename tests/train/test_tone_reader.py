"""Training of the reader of tone curves: plates from maps, and a network that beats the shares."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Generator

from lumivid_fx.color.transfer import LOGC3_REC709
from lumivid_fx.pipeline.tone_fit import known_curves
from lumivid_fx.pipeline.tone_reader import MARKS, WEIGHTS, judge
from lumivid_fx.train import tone_reader
from lumivid_fx.train.scenes import Scenes, made_up_environment
from lumivid_fx.train.tone_reader import (
    CURVES,
    VIEWS,
    Plates,
    draw_plates,
    save_reader,
    train_reader,
)

MAPS, DRAWS = 3, 12


@pytest.fixture(scope="module")
def plates() -> Plates:
    """Small plates of made-up maps."""
    scenes = Scenes.of(
        [made_up_environment(64, 128, Generator().manual_seed(seed)) for seed in range(MAPS)]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tone_reader, "SIZES", ((48, 64),))
        return draw_plates(scenes, DRAWS, 1, lambda _: None)


def test_each_draw_gives_plates_of_one_map(plates: Plates) -> None:
    """Maps take turns; every plate has its marks, its true curve, and how its codes spread."""
    count = DRAWS * VIEWS * CURVES
    assert plates.marks.shape == (count, MARKS)
    assert plates.curves.shape == plates.spread.shape == (count, 256)
    assert plates.map.unflatten(0, (DRAWS, -1)).unique(dim=1).tolist() == [
        [draw % MAPS] for draw in range(DRAWS)
    ]
    assert bool((plates.curves.diff(dim=1) >= 0).all())
    total = plates.spread.sum(dim=1)
    assert bool(((total - 1).abs() < 1e-4).logical_or(total == 0).all())
    assert not bool(plates.spread[:, :4].any() or plates.spread[:, 241:255].any())


def test_training_beats_the_shares_it_begins_with(plates: Plates, tmp_path: Path) -> None:
    """On the plates it learned from, curves come out a quarter nearer than by the shares alone."""
    lines = list[str]()
    weights = train_reader(plates, 30, [], lines.append)
    save_reader(weights, tmp_path / "reader.safetensors")
    read = {name: x.float() for name, x in load_file(tmp_path / "reader.safetensors").items()}
    tables, shares = (x.float() for x in known_curves(LOGC3_REC709))

    def error(found: torch.Tensor) -> float:
        apart = (plates.spread * (found @ tables - plates.curves).square()).sum(dim=1)
        return float(apart.sqrt().mean())

    learned = judge(plates.marks, read).exp()
    assert error(learned) < 0.75 * error(shares.expand(len(learned), -1))
    assert len(lines) == 3
    assert all("unseen" not in line for line in lines)


def test_maps_that_are_held_out_are_only_looked_at(plates: Plates) -> None:
    """What their plates went through changes nothing in the weights."""
    torch.manual_seed(0)
    changed = Plates(plates.marks, plates.curves.clone(), plates.spread, plates.map)
    changed.curves[plates.map == 1] = 0
    lines = list[str]()
    first = train_reader(plates, 2, [1], lines.append)
    second = train_reader(changed, 2, [1], lines.append)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert "unseen" in lines[0]
    assert lines[0] != lines[1]


def test_the_shipped_reader_knows_these_curves() -> None:
    """Its file has a row for each of the curves that are known, and the marks that are counted."""
    shipped = load_file(WEIGHTS)
    assert len(shipped["last.bias"]) == len(known_curves(LOGC3_REC709)[1])
    assert shipped["mean"].shape == (MARKS,)
