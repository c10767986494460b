"""The package as a whole: what importing it costs, what it never does, what its wheel holds."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import lumivid_fx

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "lumivid_fx"
MODULES = sorted(SOURCE.rglob("*.py"))

HEAVY = {
    "OpenImageIO",
    "PyOpenColorIO",
    "accelerate",
    "av",
    "diffusers",
    "numpy",
    "peft",
    "scipy",
    "starlette",
    "torch",
    "transformers",
    "uvicorn",
}
"""Libraries of extras that a client need not have and `--help` must not wait for."""

NUKE_SYNTAX = (3, 10)
"""Nuke 14 and 15 run Python 3.10."""

INSIDE_NUKE = ("errors.py", "client", "protocol")
"""Modules and rooms that Nuke's own Python imports."""

SERVER = ("gate", "roots", "sandbox")
"""Modules of the worker whose import must not load torch: those of its server."""

UNSAFE_MODULES = {"cPickle", "cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
"""Modules whose reader can run code that a file names."""


def heavy_after(code: str, *arguments: str) -> tuple[set[str], str]:
    """Run code in a fresh interpreter; tell the heavy libraries it loaded and what it printed."""
    report = f"\nimport json, sys\nprint(json.dumps(sorted({HEAVY!r} & set(sys.modules))))"
    finished = subprocess.run(
        [sys.executable, "-c", code + report, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stderr
    *printed, last = finished.stdout.splitlines()
    return set(json.loads(last)), "\n".join(printed)


def unsafe_reads(source: str) -> list[str]:
    """Name what in a module's source could run code out of a data file."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found += [n.name for n in names if n.name.split(".")[0] in UNSAFE_MODULES]
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in UNSAFE_MODULES:
                found.append(module)
            case ast.ImportFrom(module="torch", names=names):
                found += ["torch.load" for n in names if n.name == "load"]
            case ast.Attribute(value=ast.Name(id="torch"), attr="load"):
                found.append("torch.load")
            case ast.keyword(arg="allow_pickle", value=ast.Constant(value=True)):
                found.append("allow_pickle=True")
            case _:
                pass
    return found


@pytest.mark.parametrize("statement", ["import lumivid_fx", "import lumivid_fx.errors"])
def test_import_loads_nothing_heavy(statement: str) -> None:
    """A client-only install, which has no torch and no numpy, can import the package."""
    loaded, _ = heavy_after(statement)
    assert loaded == set()


@pytest.mark.parametrize("module", SERVER)
def test_worker_server_loads_nothing_heavy(module: str) -> None:
    """What the process that owns the socket is made of never waits for torch."""
    loaded, _ = heavy_after(f"import lumivid_fx.worker.{module}")
    assert loaded == set()


@pytest.mark.parametrize("library", ["numpy", "OpenImageIO"])
def test_heavy_import_would_be_seen(library: str) -> None:
    """The check above can fail: a heavy import in a fresh interpreter is told by name."""
    loaded, _ = heavy_after(f"import lumivid_fx\nimport {library}")
    assert library in loaded


def test_help_loads_nothing_heavy() -> None:
    """`lumivid --help` prints the commands without waiting for torch."""
    run_cli = (
        "import runpy\n"
        "try:\n"
        "    runpy.run_module('lumivid_fx.cli', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as stop:\n"
        "    assert not stop.code, stop.code\n"
    )
    loaded, printed = heavy_after(run_cli, "--help")
    assert "Usage" in printed
    assert loaded == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(SOURCE).as_posix())
def test_module_parses_where_it_runs(path: Path) -> None:
    """Modules that run inside Nuke keep to Python 3.10's grammar, all others to 3.11's."""
    inside_nuke = path.relative_to(SOURCE).parts[0] in INSIDE_NUKE
    ast.parse(path.read_text("utf-8"), feature_version=NUKE_SYNTAX if inside_nuke else (3, 11))


def test_newer_grammar_would_be_seen() -> None:
    """The check above can fail: `except*`, new in 3.11, is no 3.10 grammar."""
    newer = "try:\n    pass\nexcept* OSError:\n    pass\n"
    with pytest.raises(SyntaxError):
        ast.parse(newer, feature_version=NUKE_SYNTAX)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(SOURCE).as_posix())
def test_no_file_can_run_code(path: Path) -> None:
    """No module unpickles: weights are safetensors, settings are JSON."""
    assert unsafe_reads(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("import pickle", "pickle"),
        ("from pickle import loads", "pickle"),
        ("def f():\n    import cloudpickle.compat", "cloudpickle.compat"),
        ("torch.load(path, weights_only=True)", "torch.load"),
        ("from torch import load", "torch.load"),
        ("np.load(path, allow_pickle=True)", "allow_pickle=True"),
    ],
)
def test_unsafe_reads_would_be_seen(source: str, named: str) -> None:
    """The check above can fail: each way to unpickle is told by name."""
    assert unsafe_reads(source) == [named]


def test_wheel_ships_all_that_lies_in_the_package(tmp_path: Path) -> None:
    """The wheel holds each file of the package, of nuke/ and of ocio/, and the licence."""
    build = "import sys, hatchling.build as b; print(b.build_wheel(sys.argv[1]))"
    finished = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stderr
    wheel = tmp_path / finished.stdout.splitlines()[-1]
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    package = {
        path.relative_to(SOURCE.parent).as_posix()
        for path in SOURCE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert package <= held
    shipped = {
        f"lumivid_fx/shipped/{path.relative_to(ROOT).as_posix()}"
        for folder in ("nuke", "ocio")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert shipped <= held
    assert "lumivid_fx/py.typed" in held
    info = f"lumivid_fx-{lumivid_fx.__version__}.dist-info"
    assert {f"{info}/licenses/LICENSE", f"{info}/licenses/NOTICE"} <= held
