"""A broken install never stops Nuke from starting: init.py and menu.py end well, and say why."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lumivid_fx.install.interpreters import find_python
from lumivid_fx.install.manifest import NAME
from lumivid_fx.install.targets import PYTHONS

NUKE = """
import sys, types
class Anything:
    def __getattr__(self, name): return self
    def __call__(self, *arguments, **keywords): return self
nuke = types.ModuleType("nuke")
nuke.__getattr__ = lambda name: Anything()
nuke.tprint = print
sys.modules["nuke"] = nuke
for path in sys.argv[1:]:
    with open(path) as file:
        exec(compile(file.read(), path, "exec"), {"__file__": path, "nuke": nuke})
print("Nuke is up")
"""
"""A Nuke of which every function does nothing, running init.py and menu.py as Nuke does."""


def no_vendor(node: Path) -> None:
    """Installed for other Pythons."""
    shutil.rmtree(node / "vendor")


def no_client(node: Path) -> None:
    """Half of the folder was copied."""
    shutil.rmtree(node / "python")


def no_node(node: Path) -> None:
    """The other half was."""
    shutil.rmtree(node / "lumivid_nuke")


def no_paths(node: Path) -> None:
    """A file that init.py imports."""
    (node / "lumivid_paths.py").unlink()


def bad_paths(node: Path) -> None:
    """The same, damaged."""
    (node / "lumivid_paths.py").write_bytes(b"\x00def (")


def bad_client(node: Path) -> None:
    """Damaged source."""
    (node / "python/lumivid_fx/__init__.py").write_bytes(b"\xff\xfe")


def bad_libraries(node: Path) -> None:
    """Bytes of the same length that are no library."""
    for path in node.glob("vendor/**/*.so*"):
        path.write_bytes(b"x" * path.stat().st_size)


def cut_libraries(node: Path) -> None:
    """The disk was full."""
    for path in node.glob("vendor/**/*.so*"):
        path.write_bytes(path.read_bytes()[:5000])


def unreadable_client(node: Path) -> None:
    """A file without rights; root reads it all the same, so that a link to itself stands for it."""
    (node / "python/lumivid_fx/errors.py").unlink()
    (node / "python/lumivid_fx/errors.py").symlink_to("errors.py")


def bad_manifest(node: Path) -> None:
    """Not JSON any more."""
    (node / NAME).write_text("{")


BREAKS = (
    no_vendor,
    no_client,
    no_node,
    no_paths,
    bad_paths,
    bad_client,
    bad_libraries,
    cut_libraries,
    unreadable_client,
    bad_manifest,
)
SEEN_AT_START = {no_vendor, no_client, no_paths, bad_paths, cut_libraries, bad_manifest}
"""What init.py has a line for; the others are told when the node is used."""


def start(node: Path, version: str, use: str = "") -> subprocess.CompletedProcess[str]:
    """Start our Nuke with this folder, and run something in it."""
    python = find_python(version)
    if python is None:
        pytest.skip(f"there is no python{version} here")
    files = [str(node / name) for name in ("init.py", "menu.py")]
    return subprocess.run(
        [str(python), "-I", "-S", "-B", "-c", NUKE + use, *files],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd="/",
    )


@pytest.mark.parametrize("version", PYTHONS)
def test_a_whole_one_says_nothing(installed: Path, version: str) -> None:
    """The console stays as it was."""
    started = start(installed, version)
    assert (started.returncode, started.stdout) == (0, "Nuke is up\n"), started.stderr


@pytest.mark.parametrize("version", PYTHONS)
def test_the_node_is_imported(installed: Path, version: str) -> None:
    """What the gizmo's knobs do first, with nothing but what is installed."""
    started = start(installed, version, "import lumivid_nuke; print(lumivid_nuke.__file__)")
    assert started.returncode == 0, started.stderr
    assert Path(started.stdout.splitlines()[-1]).is_relative_to(installed)


@pytest.mark.parametrize("damage", BREAKS)
def test_nuke_starts(node: Path, damage: Callable[[Path], None]) -> None:
    """Whatever is broken, in one line or none, and without a traceback."""
    damage(node)
    for version in filter(find_python, PYTHONS):
        started = start(node, version)
        assert started.returncode == 0, started.stderr
        *told, last = started.stdout.splitlines()
        assert last == "Nuke is up"
        assert "Traceback" not in started.stdout + started.stderr
        assert len(told) <= 2
        assert all(line.startswith("lumivid") for line in told)
        assert bool(told) == (damage in SEEN_AT_START), told
