"""Small recipes for tests: a tiny random model, clips of a few pixels, a handful of steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lumivid_fx.train.recipe import Recipe, read_recipe

TINY: dict[str, dict[str, Any]] = {
    "clips": {"count": 4, "width": 64, "height": 32, "frames": [1, 9], "validation": 0},
    "lora": {"rank": 4},
    "training": {
        "steps": 12,
        "batch": 2,
        "learning_rate": 5e-3,
        "warmup": 2,
        "precision": "fp32",
        "gradient_checkpointing": False,
        "save_every": 5,
        "report_every": 4,
        "validate_every": 100,
    },
}


def write_recipe(path: Path, model: Path | None = None, **amended: Any) -> Path:
    """Write a tiny recipe, each table of it amended by the one given."""
    tables: dict[str, Any] = {
        name: {**TINY.get(name, {}), **amended.get(name, {})}
        for name in {*TINY, *(n for n, v in amended.items() if isinstance(v, dict))}
    }
    if model is not None:
        tables["model"] = {"folder": str(model)}
    sources = amended.get("sources", [{"kind": "made_up"}])
    lines = []
    for source in sources:
        lines += ["[[sources]]", *_lines(source), ""]
    for name, table in tables.items():
        lines += [f"[{name}]", *_lines(table), ""]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def tiny_recipe(folder: Path, model: Path | None = None, **amended: Any) -> Recipe:
    """Write it and read it."""
    return read_recipe(str(write_recipe(folder / "recipe.toml", model, **amended)))


def _lines(table: dict[str, Any]) -> list[str]:
    return [f"{key} = {json.dumps(value)}" for key, value in table.items()]
