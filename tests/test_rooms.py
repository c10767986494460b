"""The architecture as a test: which room may import which, and who may name a library.

A room is a module or folder directly under ``lumivid_fx``. The tables below are the house's plan.
An import anywhere in a module counts, at its top, inside a function or under ``TYPE_CHECKING``.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "lumivid_fx"
PACKAGE = "lumivid_fx"
FACADE = "__init__"
"""The package's own face, ``lumivid_fx.render`` and the like: for users, not for rooms."""

# fmt: off
MAY_USE: dict[str, set[str]] = {
    # room        what stands below it
    "errors":     set(),
    "color":      {"errors"},
    "protocol":   {"errors"},
    "model":      {"errors", "color"},
    "media":      {"errors", "color"},
    "client":     {"errors", "protocol"},
    "review":     {"errors", "color", "media"},
    "install":    {"errors", "protocol"},
    # It looks at a half-trained LoRA as a render does.
    "train":      {"errors", "color", "media", "model", "pipeline"},
    "doctor":     {"errors", "color", "media", "model", "protocol", "worker"},
    "pipeline":   {"errors", "color", "media", "model"},
    "worker":     {"errors", "color", "media", "model", "pipeline", "protocol"},
    "farm":       {"errors", "color", "media", "model", "pipeline", "protocol", "worker"},
    # A top floor: it measures what the pipeline renders, on the maps that training held out.
    "evaluation": {"errors", "color", "media", "model", "pipeline", "review", "train"},
    FACADE:       {"errors", "client", "pipeline"},
    "cli":        {"errors", "color", "media", "model", "pipeline", "train", "evaluation", "review",
                   "worker", "farm", "client", "protocol", "install", "doctor", FACADE},
    "demo":       {"errors", "color", "media", "model", "pipeline", "evaluation", "review", "cli",
                   FACADE},
}

MAY_BE_NAMED_BY: dict[str, set[str]] = {
    # library        the rooms that know it exists
    "PyOpenColorIO": {"color"},
    "OpenImageIO":   {"media"},
    "av":            {"media"},
    "fileseq":       {"media"},
    "diffusers":     {"model", "pipeline", "train"},
    "peft":          {"model", "pipeline", "train"},
    "accelerate":    {"model", "train"},
    "transformers":  set(),
    "huggingface_hub": {"model"},
    "torchvision":   set(),
    "pycvvdp":       {"evaluation"},  # it and lpips run in an environment of their own
    "lpips":         {"evaluation"},
    "matplotlib":    {"evaluation", "review"},
    "zmq":           {"client", "worker"},
    "msgpack":       {"protocol"},
    "msgspec":       {"farm", "protocol", "train", "worker"},
    "prometheus_client": {"worker"},
    "tensorboard":   {"train"},
    "starlette":     {"review"},
    "uvicorn":       {"review"},
    "typer":         {"cli"},
    "yaml":          {"farm"},
    "ray":           {"farm"},
}

INSIDE_NUKE: dict[str, set[str]] = {
    # room      the only libraries it may have beside the standard one
    "errors":   set(),
    "protocol": {"msgpack", "msgspec"},
    "client":   {"zmq"},
    "install":  set(),  # runs beside Nuke, before the others are there
    FACADE:     set(),
}
# fmt: on


def rooms(source: Path) -> dict[str, list[Path]]:
    """Group a package's modules by room."""
    grouped: dict[str, list[Path]] = {}
    for path in sorted(source.rglob("*.py")):
        first = path.relative_to(source).parts[0]
        grouped.setdefault(first.removesuffix(".py"), []).append(path)
    return grouped


def imported(path: Path, source: Path) -> Iterator[str]:
    """Yield the dotted name of everything a module imports, names taken from a package included."""
    inside = [PACKAGE, *path.relative_to(source).parent.parts]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = inside[: len(inside) - level + 1] if level else []
                prefix = ".".join([*base, *([module] if module else [])])
                yield from (f"{prefix}.{alias.name}" for alias in names)
            case ast.Call(
                func=ast.Name(id="import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name
            case _:
                pass


def room_of(name: str, known: dict[str, list[Path]]) -> str | None:
    """Tell which room a dotted name of this package lies in; None for a bare version or package."""
    parts = name.split(".")
    if len(parts) == 1 or parts[1] == "__version__":
        return None
    return parts[1] if parts[1] in known else FACADE


def wrong_arrows(source: Path) -> list[str]:
    """List the imports between rooms, and of libraries, that the tables do not allow."""
    known = rooms(source)
    wrong = []
    for room, paths in known.items():
        for path in paths:
            where = path.relative_to(source).as_posix()
            for name in imported(path, source):
                top = name.split(".")[0]
                if top == PACKAGE:
                    target = room_of(name, known)
                    if target not in {None, room, *MAY_USE.get(room, set())}:
                        wrong.append(f"{where}: {room} may not use {target}")
                elif room not in MAY_BE_NAMED_BY.get(top, {room}):
                    wrong.append(f"{where}: {room} may not name {top}")
                elif top not in sys.stdlib_module_names | INSIDE_NUKE.get(room, {top}):
                    wrong.append(f"{where}: {room} runs inside Nuke, which has no {top}")
    return sorted(set(wrong))


def house(source: Path, module: str, text: str) -> None:
    """Build a small package of four rooms, one module of which holds the given text."""
    for room in ("color", "media", "model"):
        (source / room).mkdir()
        (source / room / "__init__.py").touch()
    (source / "cli.py").touch()
    (source / module).write_text(text, "utf-8")


def test_imports_flow_one_way() -> None:
    """No room imports one that stands on it, and each library is named where it belongs."""
    assert wrong_arrows(SOURCE) == []


def test_every_room_is_in_the_plan() -> None:
    """A new room gets a line in the table, where its arrows are thought about."""
    assert set(rooms(SOURCE)) <= set(MAY_USE)


def test_the_plan_has_no_circle() -> None:
    """The table itself can be drawn as floors, each standing on lower ones."""
    order = list(TopologicalSorter(MAY_USE).static_order())
    assert order[0] == "errors"


@pytest.mark.parametrize(
    ("module", "text", "told"),
    [
        ("color/spaces.py", "from lumivid_fx.media import plate", "color may not use media"),
        ("color/spaces.py", "def f():\n    import lumivid_fx.cli", "color may not use cli"),
        ("color/spaces.py", "from ..media.plate import Frame", "color may not use media"),
        ("media/plate.py", "from lumivid_fx import model", "media may not use model"),
        ("model/lora.py", "from lumivid_fx import render", f"model may not use {FACADE}"),
        ("media/exr.py", "import PyOpenColorIO as ocio", "media may not name PyOpenColorIO"),
        ("cli.py", "from OpenImageIO import ImageInput", "cli may not name OpenImageIO"),
        ("cli.py", "import_module('av')", "cli may not name av"),
        ("errors.py", "import numpy", "errors runs inside Nuke, which has no numpy"),
    ],
)
def test_wrong_arrow_would_be_seen(tmp_path: Path, module: str, text: str, told: str) -> None:
    """The check can fail: each kind of import against the plan is told with its file."""
    house(tmp_path, module, text)
    assert wrong_arrows(tmp_path) == [f"{module}: {told}"]


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("model/manifest.py", "from lumivid_fx import __version__"),
        ("model/manifest.py", "from lumivid_fx.color.transfer import get_transfer"),
        ("color/spaces.py", "from . import transfer\nimport PyOpenColorIO"),
    ],
)
def test_allowed_arrow_passes(tmp_path: Path, module: str, text: str) -> None:
    """The check does not cry wolf: a room may use its own modules and those below it."""
    house(tmp_path, module, text)
    assert wrong_arrows(tmp_path) == []
