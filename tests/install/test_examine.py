"""What doctor finds."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from tests.install.conftest import TARGETS

import lumivid_fx
from lumivid_fx.install.examine import Finding, examine
from lumivid_fx.install.interpreters import find_python
from lumivid_fx.install.manifest import NAME


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, in which pyenv's Pythons are still found."""
    folder = tmp_path / "home"
    folder.mkdir()
    if (pyenv := Path.home() / ".pyenv").is_dir():
        (folder / ".pyenv").symlink_to(pyenv)
    monkeypatch.setenv("HOME", str(folder))
    return folder


def rows(root: Path, **environ: str) -> dict[str, Finding]:
    """By name."""
    return {row.name: row for row in examine(root, environ)}


def test_a_whole_one(installed: Path) -> None:
    """Every row is well; a Python that is not here is passed over."""
    found = rows(installed, NUKE_PATH=str(installed))
    for target in TARGETS:
        assert found[target.folder].status == "ok"
        assert "pyzmq 27" in found[target.folder].detail
        tried = found[f"client in Python {target.python}"]
        assert tried.status == ("ok" if find_python(target.python) else "skip"), tried
    for name in ("folder", "files", "NUKE_PATH"):
        assert (found[name].status, found[name].remedy) == ("ok", ""), found[name]
    assert len(found) == 3 + 2 * len(TARGETS)


def test_nothing_installed(tmp_path: Path) -> None:
    """One row with what to do."""
    assert rows(tmp_path / "none")["folder"] == Finding(
        "folder", "fail", f"nothing is installed in {tmp_path / 'none'}", "lumivid nuke install"
    )


def test_a_damaged_manifest(node: Path) -> None:
    """Nothing else can be said."""
    (node / NAME).write_text("{}")
    found = rows(node)
    assert list(found) == ["folder"]
    assert found["folder"].status == "fail"
    assert found["folder"].remedy.endswith("--force")


def test_what_is_missing_and_changed(node: Path) -> None:
    """Named, with the remedy; the client is tried all the same, and fails where it is broken."""
    target = TARGETS[1]
    (node / "python/lumivid_fx/errors.py").write_text("raise SystemError('mine')")
    shutil.rmtree(node / "vendor" / target.folder)
    (node / "mine.txt").touch()
    found = rows(node)
    assert found["files"].status == "fail"
    assert "python/lumivid_fx/errors.py changed" in found["files"].detail
    assert "more missing" in found["files"].detail
    assert "mine.txt not installed by lumivid" in found["files"].detail
    assert found["files"].remedy == "lumivid nuke install --force"
    assert found[target.folder].status == "fail"
    for python in ("3.10", "3.13"):
        if find_python(python):
            assert "SystemError: mine" in found[f"client in Python {python}"].detail
    if find_python(target.python):
        assert "holds no zmq" in found[f"client in Python {target.python}"].detail


def test_a_library_of_other_bytes(node: Path) -> None:
    """One flipped bit in a library is a changed file, of whatever Python it is."""
    path = next(node.glob(f"vendor/{TARGETS[2].folder}/msgspec/_core*"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert f"{path.relative_to(node).as_posix()} changed" in rows(node)["files"].detail


def test_another_release(node: Path) -> None:
    """The node is of another release than this command: told, and the import disagrees."""
    raw = json.loads((node / NAME).read_text())
    raw["lumivid"] = "0.0.9"
    (node / NAME).write_text(json.dumps(raw))
    found = rows(node)
    assert found["folder"].status == "warn"
    assert f"0.0.9 in {node}" in found["folder"].detail
    assert f"here is {lumivid_fx.__version__}" in found["folder"].detail


@pytest.mark.parametrize("how", ["variable", "line", "neither"])
def test_whether_nuke_finds_it(node: Path, home: Path, how: str) -> None:
    """By NUKE_PATH, by the line in init.py, or not."""
    from lumivid_fx.install.register import register, user_init

    assert user_init() == home / ".nuke" / "init.py"
    if how == "line":
        register(node, user_init())
    path = os.pathsep.join(["/studio", str(node)]) if how == "variable" else "/studio"
    found = rows(node, NUKE_PATH=path)["NUKE_PATH"]
    assert found.status == ("warn" if how == "neither" else "ok")
    if how == "neither":
        assert f'export NUKE_PATH="{node}' in found.remedy
