"""What goes into the folder."""

from __future__ import annotations

import ast

from lumivid_fx.install.payload import linked_payload, payload

FIRST = ("lumivid_paths.py", "package.py", "python/LICENSE", "python/NOTICE")


def test_it_is_the_node_and_the_client() -> None:
    """Nothing of the rooms that need torch, no bytecode, no wheels of a checkout."""
    held = payload()
    assert set(FIRST) <= set(held)
    assert all(path.is_file() for path in held.values())
    rooms = {place.split("/")[2] for place in held if place.startswith("python/lumivid_fx/")}
    assert rooms == {"__init__.py", "errors.py", "py.typed", "client", "protocol"}
    assert not [place for place in held if "__pycache__" in place or place.startswith("vendor")]


def test_all_of_it_parses_in_the_oldest_python() -> None:
    """Nuke 15 runs Python 3.10."""
    for place, path in payload().items():
        if place.endswith(".py"):
            ast.parse(path.read_text("utf-8"), place, feature_version=(3, 10))


def test_links_lead_to_the_same_files() -> None:
    """Every file that a copy would have is reached through a link, the licences apart."""
    linked = linked_payload()
    for place, source in payload().items():
        if source.name not in ("LICENSE", "NOTICE"):
            over = [at for at in linked if place == at or place.startswith(f"{at}/")]
            assert len(over) == 1, place
            assert (linked[over[0]] / place.removeprefix(over[0]).lstrip("/")) == source
