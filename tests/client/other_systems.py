"""What Python lacks on Windows and macOS, by typeshed's word, taken away from a Python here.

typeshed ships with mypy, and says of every function and module of the standard library on which
systems it is. :func:`prelude` is code for the start of a fresh interpreter: from then on
``sys.platform`` is that of the other system, modules that it lacks cannot be imported, and
functions that it lacks are gone. What stays as it is here: ``os.name``, because ``pathlib`` would
write paths with backslashes to this machine's disk; and what the disk does with modes and links.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

TOUCHED = ("os", "select", "signal", "_socket", "time")
"""Modules whose functions differ from system to system; ``socket`` is made of ``_socket``."""

NEEDED_HERE = ("os", "posix", "posixpath", "subprocess")
"""Loaded before anything is taken away: on this machine they cannot do without."""


def prelude(system: str) -> str:
    """Code that makes a fresh interpreter as poor as one on that system."""
    gone = {name: sorted(lacking(name, system)) for name in TOUCHED}
    return f"""
import importlib, sys
import {", ".join(NEEDED_HERE)}
for _name, _gone in {gone!r}.items():
    _module = importlib.import_module(_name)
    for _each in _gone:
        if hasattr(_module, _each):
            delattr(_module, _each)
for _name in {lacking_modules(system)!r}:
    sys.modules[_name] = None
sys.platform = {system!r}
"""


@cache
def lacking(module: str, system: str) -> frozenset[str]:
    """Names of a module that Linux has and the other system has not."""
    stub = _stub(module)
    if stub is None:
        return frozenset()
    return frozenset(_names(stub, "linux")) - frozenset(_names(stub, system))


@cache
def lacking_modules(system: str) -> tuple[str, ...]:
    """Modules of which nothing is left on the other system."""
    stubs = [stub for stub in sorted(_stdlib().glob("*.pyi")) if stub.stem not in NEEDED_HERE]
    return tuple(
        stub.stem for stub in stubs if [*_names(stub, "linux")] and not [*_names(stub, system)]
    )


def _stdlib() -> Path:
    spec = find_spec("mypy")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "typeshed" / "stdlib"


def _stub(module: str) -> Path | None:
    places = (_stdlib() / f"{module}.pyi", _stdlib() / module / "__init__.pyi")
    return next((place for place in places if place.is_file()), None)


def _names(stub: Path, system: str) -> Iterator[str]:
    """What a stub defines on a system; what it imports from others for itself is not counted."""
    seen = SimpleNamespace(platform=system, version_info=sys.version_info)
    todo: list[ast.stmt] = [*ast.parse(stub.read_text("utf-8")).body]
    while todo:
        match todo.pop():
            case ast.If(test=test, body=body, orelse=orelse):
                code = compile(ast.Expression(test), str(stub), "eval")
                todo += body if eval(code, {"sys": seen}) else orelse  # noqa: S307 - of typeshed
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name)) if name != "__all__":
                yield name
            case ast.Assign(targets=[ast.Name(id=name)]) if name != "__all__":
                yield name
            case ast.ImportFrom(module=origin, names=names) if origin == f"_{stub.stem}":
                yield from (each.asname or each.name for each in names)
            case _:
                pass
