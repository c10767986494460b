"""Names of Pythons and systems."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lumivid_fx.errors import InputError
from lumivid_fx.install.interpreters import find_python
from lumivid_fx.install.payload import node_folder
from lumivid_fx.install.targets import PYTHONS, SYSTEMS, Target, targets, this_system

ASK = "import lumivid_paths as p; print(p.vendor_folder('/n'))"


@pytest.mark.parametrize("version", PYTHONS)
def test_nuke_looks_where_install_puts_it(version: str) -> None:
    """A Python of that version names the same folder: lumivid_paths runs there, targets here."""
    python = find_python(version)
    if python is None:
        pytest.skip(f"there is no python{version} here")
    looked = subprocess.run(
        [str(python), "-S", "-c", ASK],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(node_folder()), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    target = Target(version, this_system())
    assert Path(looked.stdout.strip()) == Path("/n/vendor") / target.folder


def test_every_system_has_a_folder_of_its_own() -> None:
    """Wheels of one system never overwrite another's."""
    folders = [target.folder for target in targets(PYTHONS, list(SYSTEMS))]
    assert len(set(folders)) == len(PYTHONS) * len(SYSTEMS) == 12
    assert "cp310-mac-arm64" in folders


def test_what_is_named_twice_is_there_once() -> None:
    """``--python 3.11,3.11`` is no fault."""
    assert targets(["3.11", "3.11"], ["linux"]) == (Target("3.11", "linux"),)


@pytest.mark.parametrize(
    ("pythons", "systems", "told"),
    [
        (["2.7"], ["linux"], "'2.7' is no Python that Nuke runs; give 3.10, 3.11, 3.13"),
        (["3.9"], ["linux"], "'3.9'"),
        (["cp311"], ["linux"], "'cp311'"),
        (["3.11"], ["irix"], "'irix' is no system that Nuke runs on; give linux, windows, macos"),
        ([], ["linux"], "no Python"),
        (["3.11"], [], "no system"),
    ],
)
def test_what_there_is_not_is_told(pythons: list[str], systems: list[str], told: str) -> None:
    """One sentence says what there is."""
    with pytest.raises(InputError, match=told):
        targets(pythons, systems)
