"""The host has no name that Nuke has not, and its calls are Nuke's calls."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.nuke.conform import Stubs, departures
from tests.nuke.host import nuke


@pytest.fixture(scope="module")
def stubs() -> Stubs:
    """What types-nuke says."""
    found = Stubs.installed()
    if found is None:
        pytest.skip("types-nuke is not installed; `make setup` installs it")
    return found


def module_of(path: Path, text: str) -> ModuleType:
    """A module of such a text, as a fault in the host would stand in it."""
    path.write_text(text, "utf-8")
    module = ModuleType("faulty")
    found = runpy.run_path(str(path)).items()
    vars(module).update({name: member for name, member in found if not name.startswith("_")})
    for member in vars(module).values():
        if callable(member):
            member.__module__ = "faulty"
    return module


def test_stubs_are_read(stubs: Stubs) -> None:
    """The check looks at something: types-nuke 13.2.8.0 has 317 functions in all its modules."""
    assert len(stubs.functions) > 250
    assert stubs.methods("Root", "fullName")
    assert "Array_Knob" in stubs.bases("Enumeration_Knob")


def test_host_conforms(stubs: Stubs) -> None:
    """Every public function, class and method of the host is Nuke's, with its parameters."""
    assert departures(nuke, stubs) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def toNodes(s): ...", "toNodes: there is no such function"),
        ("def toNode(name): ...", "toNode(name): Nuke has (s: str)"),
        ("def toNode(s, group): ...", "toNode(s, group): Nuke has (s: str)"),
        ("def root(s): ...", "root(s): Nuke has ()"),
        ("def tprint(): ...", None),
        ("class Nod: ...", "class Nod: there is no such class"),
        ("class Node:\n def rename(self, name): ...", "Node.rename: there is no such method"),
        (
            "class Node:\n def knob(self, name, follow_link=True): ...",
            "Node.knob(self, name, follow_link=True): Nuke has",
        ),
        ("class Knob: ...\nclass Node(Knob): ...", "class Node: is no Knob"),
        ("SOMETHING = 1", "SOMETHING: there is no such constant"),
        ("something = 1", "something: there is no such name"),
    ],
)
def test_faults_are_told(stubs: Stubs, tmp_path: Path, text: str, told: str | None) -> None:
    """The check can fail: on names, arity, parameters' names and ancestry."""
    found = departures(module_of(tmp_path / "faulty.py", text), stubs)
    assert len(found) == (told is not None), found
    if told is not None:
        assert found[0].startswith(told)


def test_a_call_of_the_hosts_own_reaches_it() -> None:
    """`import nuke` is the host in these tests, not some Nuke that happens to be there."""
    assert sys.modules["nuke"] is nuke
