"""A plan as a file: what is written is read, what was tampered with is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.pipeline.plates import write_png

from lumivid_fx.errors import InputError
from lumivid_fx.farm.path_rules import PathRule, mapped, read_plan_here
from lumivid_fx.farm.plan_file import MAX_PLAN, Plan, read_plan, write_plan

from .shots import planned


@pytest.fixture
def plan(tmp_path: Path, model_folder: Path) -> Plan:
    """Three windows."""
    return planned(write_png(tmp_path / "in", range(1001, 1051)), tmp_path, model_folder)


@pytest.fixture
def path(tmp_path: Path, plan: Plan) -> Path:
    """It as a file."""
    write_plan(tmp_path / "plan.json", plan)
    return tmp_path / "plan.json"


def test_a_plan_comes_back(plan: Plan, path: Path) -> None:
    """Every field, by way of JSON that people can read."""
    assert read_plan(path) == plan
    assert json.loads(path.read_text())["lumivid_plan"] == 1
    assert [(w.first, w.last) for w in plan.windows] == [(1001, 1025), (1017, 1041), (1033, 1050)]


Tamper = Callable[[dict[str, Any]], object]

TAMPERED: dict[str, tuple[Tamper, str]] = {
    "field": (lambda p: p.update(run="rm"), "unknown field `run`"),
    "version": (lambda p: p.update(lumivid_plan=2), "Invalid enum value 2"),
    "missing": (lambda p: p.pop("folder"), "missing required field `folder`"),
    "up": (lambda p: p.update(folder="/show/../etc"), "is no absolute path without"),
    "relative": (lambda p: p["request"].update(target="out.exr"), "is no absolute path"),
    "newline": (lambda p: p["request"]["source"].update(path="/a\nb"), "matching regex"),
    "file": (lambda p: p["files"][0].update(path="../x"), "is no absolute path without"),
    "digest": (lambda p: p["files"][0].update(sha256="0"), "matching regex"),
    "place": (lambda p: p["windows"][0].update(files=[999]), "names files that are not there"),
    "huge": (lambda p: p["windows"][0].update(width=10**6), "Expected `int` <= 16384"),
    "none": (lambda p: p.update(windows=[]), "length >= 1"),
    "pixels": (lambda p: p["request"].update(deliver="pixels"), "delivers something else"),
    "release": (lambda p: p.update(made_by="9.9"), "was made by lumivid-fx 9.9 and this is"),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_what_was_tampered_with_is_refused(path: Path, case: str) -> None:
    """One sentence names the plan and the fault."""
    tamper, told = TAMPERED[case]
    said = json.loads(path.read_text())
    tamper(said)
    path.write_text(json.dumps(said))
    with pytest.raises(InputError, match=told) as caught:
        read_plan(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_plan(tmp_path: Path) -> None:
    """Nothing there, no JSON, and a file larger than any plan."""
    path = tmp_path / "plan.json"
    with pytest.raises(InputError, match="cannot be read"):
        read_plan(path)
    path.write_text("{")
    with pytest.raises(InputError, match="is no plan"):
        read_plan(path)
    with path.open("wb") as file:
        file.truncate(MAX_PLAN + 1)
    with pytest.raises(InputError, match="larger than any plan"):
        read_plan(path)


def test_paths_by_a_sessions_rules(tmp_path: Path, plan: Plan, path: Path) -> None:
    """The longest rule counts, whole names alone match, and the keys of windows stay."""
    rules = tmp_path / "rules.json"
    there = str(tmp_path)
    rule = {"source_path_format": "POSIX", "source_path": there, "destination_path": "/mnt/a"}
    longer = {**rule, "source_path": f"{there}/in", "destination_path": "/mnt/plates/"}
    other = {**rule, "source_path": f"{there}/wind", "destination_path": "/no"}
    windows = {**rule, "source_path_format": "WINDOWS", "source_path": f"{there}/in/plate"}
    rules.write_text(
        json.dumps(
            {"version": "pathmapping-1.0", "path_mapping_rules": [rule, longer, other, windows]}
        )
    )
    here = read_plan_here(path, rules)
    assert here.source == "/mnt/plates/plate.####.png"
    assert here.folder == "/mnt/a/windows"
    assert here.files[0].path == "/mnt/plates/plate.1001.png"
    assert here.window_key(0) == plan.window_key(0)
    rules.write_text('{"version": "pathmapping-1.0"}')
    assert read_plan_here(path, rules) == plan


def test_a_machine_may_name_its_roots(
    tmp_path: Path, plan: Plan, path: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside of them a plan is refused, and so is a link that leads out."""
    monkeypatch.setenv("LUMIVID_FARM_ROOTS", f"{tmp_path}:{model_folder}")
    assert read_plan_here(path, None) == plan
    monkeypatch.setenv("LUMIVID_FARM_ROOTS", str(tmp_path))
    with pytest.raises(InputError, match=f"names {model_folder}, which does not lie under this"):
        read_plan_here(path, None)
    monkeypatch.setenv("LUMIVID_FARM_ROOTS", f"{tmp_path}:{model_folder}")
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    (tmp_path / "in").rename(outside)
    (tmp_path / "in").symlink_to(outside)
    with pytest.raises(InputError, match=r"in/plate\.####\.png, which does not lie under"):
        read_plan_here(path, None)


def test_a_rule_that_leads_nowhere(plan: Plan, path: Path, tmp_path: Path) -> None:
    """A rule cannot make of a plan what a plan may not say."""
    rules = tmp_path / "rules.json"
    rules.write_text("[]")
    with pytest.raises(InputError, match="holds no path mapping rules"):
        read_plan_here(path, rules)
    with pytest.raises(InputError, match="is no absolute path without"):
        mapped(plan, [PathRule(str(tmp_path), "/show/../../etc")], path)
