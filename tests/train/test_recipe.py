"""Recipes say one thing, and what they cannot say is told in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.train.recipes import tiny_recipe, write_recipe

from lumivid_fx.errors import InputError
from lumivid_fx.train.recipe import read_recipe, shipped_recipes


@pytest.mark.parametrize("name", sorted(set(shipped_recipes()) - {"embedded"}))
def test_every_shipped_recipe_is_sound_and_says_what_it_is(name: str) -> None:
    """By its bare name, its bases resolved."""
    assert read_recipe(name).about


def test_ablations_differ_from_their_base_by_what_they_name_alone() -> None:
    """So that a difference in figures has one cause."""
    base = read_recipe("ablation")
    for name, part in (
        ("ablation-pq", "target"),
        ("ablation-hlg", "target"),
        ("ablation-linear16", "target"),
        ("ablation-none", "reference"),
        ("ablation-blur", "reference"),
    ):
        other = read_recipe(name)
        parts = ("sources", "clips", "training", "model", "reference", "target", "lora")
        assert [p for p in parts if getattr(base, p) != getattr(other, p)] == [part]


def test_a_base_is_amended_key_by_key(tmp_path: Path) -> None:
    """What the upper recipe does not name stays the base's."""
    write_recipe(tmp_path / "below.toml")
    upper = tmp_path / "above.toml"
    upper.write_text('base = "below.toml"\n[training]\nsteps = 99\n', encoding="utf-8")
    recipe = read_recipe(str(upper))
    assert recipe.training.steps == 99
    assert recipe.training.batch == 2
    assert recipe.clips.width == 64


@pytest.mark.parametrize(
    ("amended", "told"),
    [
        ({"training": {"stepps": 5}}, "training: the table contains unknown field stepps"),
        ({"training": {"steps": "many"}}, "training.steps: Expected int, got str"),
        ({"training": {"steps": 0}}, "training.steps: Expected int >= 1"),
        ({"clips": {"frames": [8]}}, "clips.frames has 8, and a clip has 8k+1 frames; write 9"),
        ({"target": {"transfer": "logc4"}}, "target.transfer 'logc4' is not known"),
        ({"reference": {"degradations": "some"}}, "reference.degradations: Invalid enum"),
        ({"sources": [{"kind": "maps"}]}, "source 1 is of kind maps, which needs a path"),
        ({"sources": [{"kind": "made_up", "path": "x"}]}, "of kind made_up, which has no path"),
        ({"sources": [{"kind": "maps", "path": "x", "space": "acescg"}]}, "only a plate has"),
        (
            {"sources": [{"kind": "plate", "path": "x", "held_out": ["y"]}]},
            "holds maps out, which only maps have",
        ),
    ],
)
def test_a_fault_is_told_with_its_place(tmp_path: Path, amended: Any, told: str) -> None:
    """One sentence that names the file, the key and what it should be."""
    with pytest.raises(InputError) as caught:
        tiny_recipe(tmp_path, **amended)
    sentence = str(caught.value)
    assert str(tmp_path / "recipe.toml") in sentence
    assert told in sentence
    assert "\n" not in sentence


def test_a_missing_recipe_lists_those_there_are() -> None:
    """A typing error in a shipped name is mended by reading."""
    with pytest.raises(InputError, match=r"no file and no shipped recipe.*tiny-lora"):
        read_recipe("tiny-laura")


def test_recipes_in_a_circle_are_refused(tmp_path: Path) -> None:
    """Two that stand on each other would be read for ever."""
    for one, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{one}.toml").write_text(f'base = "{other}.toml"\n', encoding="utf-8")
    with pytest.raises(InputError, match="leads in a circle"):
        read_recipe(str(tmp_path / "a.toml"))


def test_broken_toml_is_told(tmp_path: Path) -> None:
    """With the line that the reader stumbled over."""
    path = tmp_path / "broken.toml"
    path.write_text("[clips\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"broken\.toml is not valid TOML .*line 1"):
        read_recipe(str(path))


def test_what_is_passed_on_holds_no_folders(tmp_path: Path) -> None:
    """A LoRA's metadata names its sources, and not where they lay."""
    source = {"kind": "plate", "path": "/show/secret/shot.####.exr"}
    recipe = tiny_recipe(tmp_path, tmp_path / "somewhere" / "ltx", sources=[source])
    text = recipe.without_folders().text()
    assert "shot.####.exr" in text
    assert "ltx" in text
    assert "secret" not in text
    assert "somewhere" not in text
