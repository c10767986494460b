"""What ``nuke/`` may import and say: it runs in Nuke's Python, beside whatever else is there."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

NODE = Path(__file__).parents[2] / "nuke"
MODULES = sorted((NODE / "lumivid_nuke").glob("*.py"))
FILES = [*MODULES, *sorted(NODE.glob("*.py"))]

ALLOWED = ("lumivid_fx.client", "lumivid_fx.errors", "lumivid_fx.protocol", "lumivid_nuke", "nuke")
"""Beside the standard library."""


def imported(text: str) -> Iterator[str]:
    """Every module that a text imports, wherever in it."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


def forbidden(text: str) -> list[str]:
    """What of that is not there in Nuke."""
    return [
        name
        for name in imported(text)
        if name.partition(".")[0] not in sys.stdlib_module_names
        and name != "lumivid_fx.__version__"
        and not f"{name}.".startswith(tuple(f"{each}." for each in ALLOWED))
        and name != "lumivid_fx.client"
    ]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_imports(path: Path) -> None:
    """The standard library, Nuke, and the half of lumivid_fx without torch."""
    assert forbidden(path.read_text("utf-8")) == []


@pytest.mark.parametrize("text", ["import numpy", "from lumivid_fx import render", "import zmq"])
def test_forbidden_import_would_be_seen(text: str) -> None:
    """The check can fail."""
    assert forbidden(text) != []


def test_every_environment_variable_is_documented() -> None:
    """Each that the node, its client or the protocol looks at has its row for pipeline TDs."""
    package = NODE.parent / "src" / "lumivid_fx"
    rooms = [*FILES, *(package / "client").glob("*.py"), *(package / "protocol").glob("*.py")]
    texts = [path.read_text("utf-8") for path in rooms]
    named = {name for text in texts for name in re.findall(r'"(LUMIVID_[A-Z_]+)"', text)}
    assert {"LUMIVID_HOME", "LUMIVID_PATHS", "LUMIVID_ROOTS"} <= named
    page = (NODE.parent / "docs" / "nuke-pipeline.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", page.partition("## Environment")[2], re.MULTILINE)
    assert named - set(rows) == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_grammar_of_the_oldest_python(path: Path) -> None:
    """Nuke 15 has Python 3.10."""
    ast.parse(path.read_text("utf-8"), feature_version=(3, 10))
