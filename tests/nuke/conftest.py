"""The host under the name ``nuke``, anew for each test, and ``lumivid_nuke`` beside it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.nuke.host import nuke

NODE = Path(__file__).parents[2] / "nuke"

sys.modules["nuke"] = nuke
if str(NODE) not in sys.path:
    sys.path.append(str(NODE))


@pytest.fixture
def host() -> Iterator[ModuleType]:
    """Nuke with windows, an empty script; at the end nothing may be left open or unheard.

    A test that expects a callback to fail empties ``session.errors``.
    """
    nuke._start(gui=True)
    yield nuke
    session = nuke.state.session
    assert session.errors == []
    assert session.undo_open == [], "Undo.begin() without end()"
    assert session.undo_off == 0, "Undo.disable() without enable()"
    assert session.groups == [], "a group was begun and not ended"


@pytest.fixture
def terminal(host: ModuleType) -> ModuleType:
    """The same as ``nuke -t``."""
    nuke._start(gui=False)
    return host
