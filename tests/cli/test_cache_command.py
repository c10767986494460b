"""`lumivid cache` against a real cache on disk."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from tests.cli.plates import files, lumivid, the_sentence

from lumivid_fx.protocol.places import HOME, Places
from lumivid_fx.worker.result_cache import ResultCache

SIZE = 100_000


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A LUMIVID_HOME whose cache holds five frames, each used a minute after the one before."""
    cache = ResultCache(Places.of({HOME: str(tmp_path / "home")}).cache, 10**9)
    frame = tmp_path / "frame.exr"
    for index in range(5):
        frame.write_bytes(bytes([index]) * SIZE)
        cache.keep(hashlib.sha256(bytes([index])).hexdigest(), frame)
    for index in range(5):
        entry = cache.entries()[index]
        os.utime(entry.path, ns=(entry.used_ns, entry.used_ns - (5 - index) * 60 * 10**9))
    return tmp_path / "home"


def test_show_counts(home: Path) -> None:
    """How many, how large, where; in words and as JSON, whether `show` is said or not."""
    told = lumivid("cache", home=home)
    assert told.exit_code == 0, told.stderr
    assert told.stdout.splitlines()[0] == f"5 frames, 500 kB in {home / 'cache'}"
    assert lumivid("cache", "show", home=home).stdout.splitlines()[0] == told.stdout.splitlines()[0]
    for command in (("cache",), ("cache", "show")):
        found = json.loads(lumivid(*command, "--json", home=home).stdout)
        # A frame in the cache is longer than its file by its digest.
        assert (found["frames"], found["bytes"]) == (5, 5 * (SIZE + 32))
        assert found["newest"] - found["oldest"] == pytest.approx(4 * 60, abs=30)


def test_empty_cache_is_no_fault(tmp_path: Path) -> None:
    """Before the first worker there is no folder, and looking makes none."""
    told = lumivid("cache", home=tmp_path / "home")
    assert told.exit_code == 0
    assert told.stdout == f"0 frames, 0 kB in {tmp_path / 'home' / 'cache'}\n"
    assert not (tmp_path / "home").exists()


def test_prune_keeps_what_was_used_last(home: Path) -> None:
    """What is over the limit goes, the oldest first; of the rest no byte changes."""
    kept = {path.name: path.read_bytes() for path in sorted((home / "cache").rglob("*.frame"))}
    told = lumivid("cache", "prune", "--to-gb", "0.00025", "--json", home=home)
    assert told.exit_code == 0, told.stderr
    assert json.loads(told.stdout)["frames"] == 2
    left = {path.name: path.read_bytes() for path in (home / "cache").rglob("*.frame")}
    assert {content[32] for content in left.values()} == {3, 4}
    assert left.items() <= kept.items()


def test_prune_all(home: Path) -> None:
    """Nothing is left but what is none of the cache's."""
    (home / "cache" / "notes.txt").write_text("mine")
    told = lumivid("cache", "prune", "--all", home=home)
    assert told.exit_code == 0
    assert told.stdout.startswith("0 frames, 0 kB")
    assert files(home / "cache") == ["notes.txt"]


@pytest.mark.parametrize("options", [(), ("--all", "--to-gb", "1")])
def test_prune_wants_to_know_how_far(home: Path, options: tuple[str, ...]) -> None:
    """Neither and both are refused, and nothing goes."""
    told = lumivid("cache", "prune", *options, home=home)
    assert told.exit_code == 2
    assert "--to-gb" in the_sentence(told)
    assert len(files(home / "cache")) == 5
