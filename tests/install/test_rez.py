"""The folder as a rez package; rez 3.4 resolved it and set NUKE_PATH when this was written."""

from __future__ import annotations

import runpy

import lumivid_fx
from lumivid_fx.install.payload import node_folder


def test_it_says_what_rez_reads_and_no_more() -> None:
    """Its version is this release's; any other name would become an attribute of the package."""
    told = runpy.run_path(str(node_folder() / "package.py"))
    said = {name: told[name] for name in told if not name.startswith("__")}
    assert set(said) == {"name", "version", "description", "authors", "commands"}
    assert said["name"] == "lumivid_nuke"
    assert said["version"] == lumivid_fx.__version__
    assert said["commands"] == "env.NUKE_PATH.append('{root}')"
