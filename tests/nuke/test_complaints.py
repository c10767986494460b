"""The table of complaints in docs/nuke.md names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_complaint_has_its_test() -> None:
    """Nine rows, and a test behind each but the one that says there is none."""
    rows = re.findall(
        r"^\| (\d) \|.*\| ([^|]+) \|$", (ROOT / "docs/nuke.md").read_text(), re.MULTILINE
    )
    assert [int(number) for number, _ in rows] == list(range(1, 10))
    named = [cell.strip("` ") for _, cell in rows]
    assert named.count("none") == 1
    for each in named:
        if each != "none":
            path, _, name = each.partition("::")
            tree = ast.parse((ROOT / path).read_text())
            assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
