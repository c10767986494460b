"""A folder of wheels, fetched once, and a node installed from it by the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lumivid_fx.errors import InputError
from lumivid_fx.install.place import install
from lumivid_fx.install.targets import PYTHONS, Target, this_system
from lumivid_fx.install.wheels import fetch

TARGETS = tuple(Target(python, this_system()) for python in PYTHONS)


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client's libraries for three Pythons on this system, as pip downloads them."""
    folder = tmp_path_factory.mktemp("wheels")
    for target in TARGETS:
        try:
            fetch(target, folder)
        except InputError as error:
            pytest.skip(f"no index to fetch wheels from: {error}")
    return folder


@pytest.fixture(scope="session")
def installed(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The node with wheels for three Pythons; tests leave it as it is."""
    root = tmp_path_factory.mktemp("installed") / "lumivid"
    install(root, TARGETS, wheels=wheels)
    return root


@pytest.fixture
def node(installed: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may break."""
    return Path(shutil.copytree(installed, tmp_path / "node", symlinks=True))
