"""`lumivid keys` from first use to revocation, in the folders of a user who has none yet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import zmq
from tests.cli.plates import lumivid, the_sentence

from lumivid_fx.protocol.places import HOME, Places, check_key, read_admitted, read_key_pair


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """Folders under a home of the test's own."""
    monkeypatch.setenv(HOME, str(tmp_path / "home"))
    return Places.of()


def public_key() -> str:
    """A key that somebody else showed."""
    return zmq.curve_keypair()[0].decode()


def said(*arguments: str) -> str:
    """Run a command that succeeds and give what it printed."""
    result = lumivid("keys", *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.rstrip("\n")


def refused(*arguments: str) -> str:
    """Run a command that is refused and give its sentence."""
    result = lumivid("keys", *arguments)
    assert result.exit_code == 2, result.output
    return the_sentence(result)


def test_show_makes_the_pair_once(places: Places) -> None:
    """The key is the same ever after, its secret is never told, and nobody else reads it."""
    shown = said("show")
    path = places.keys / "client.key"
    pair = read_key_pair(path)
    assert pair is not None
    assert shown == pair.public == check_key(shown)
    assert said("show") == shown
    told = said("show", "--json")
    assert json.loads(told) == {"key": shown, "file": str(path)}
    assert pair.secret not in told
    assert path.stat().st_mode & 0o777 == 0o600
    assert places.keys.stat().st_mode & 0o777 == 0o700


def test_key_is_admitted_listed_and_revoked(places: Places) -> None:
    """What is listed is what the worker reads."""
    key, other = public_key(), public_key()
    assert said("admit", "comp", key) == "comp may submit"
    assert json.loads(said("admit", "farm-1", other, "--json")) == {"name": "farm-1", "key": other}
    assert said("list").split() == ["comp", key, "farm-1", other]
    rows = [{"name": "comp", "key": key}, {"name": "farm-1", "key": other}]
    assert json.loads(said("list", "--json")) == {"keys": rows}
    assert read_admitted(places.admitted) == {key: "comp", other: "farm-1"}
    assert (places.admitted / "comp.key").stat().st_mode & 0o777 == 0o600
    assert said("revoke", "comp") == "comp may submit no more"
    assert json.loads(said("revoke", "farm-1", "--json")) == {"name": "farm-1"}
    assert read_admitted(places.admitted) == {}
    assert json.loads(said("list", "--json")) == {"keys": []}


@pytest.mark.parametrize("start", ["-", "--", "---", "-h", "--h", "-=", "@"])
def test_key_may_begin_like_an_option(places: Places, start: str) -> None:
    """Z85 has - and =, so that one key in 85 looks like an option."""
    key = start + public_key()[len(start) :]
    said("admit", "comp", key)
    assert read_admitted(places.admitted) == {key: "comp"}


def test_empty_list_says_how_to_admit(places: Places) -> None:
    """There is no folder yet, and nothing is made."""
    result = lumivid("keys", "list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "lumivid keys admit" in result.stderr
    assert not places.keys.exists()


def test_a_name_has_one_key_and_a_key_one_name(places: Places) -> None:
    """Else a key that is revoked by one name would still be admitted by another."""
    key, other = public_key(), public_key()
    said("admit", "comp", key)
    said("admit", "comp", key)
    assert "lumivid keys revoke comp" in refused("admit", "comp", other)
    assert "admitted as comp" in refused("admit", "comp2", key)
    assert read_admitted(places.admitted) == {key: "comp"}


def test_file_without_a_key_is_listed_and_can_be_replaced(places: Places) -> None:
    """It admits nobody, and says so."""
    key = public_key()
    said("admit", "comp", key)
    (places.admitted / "comp.key").write_bytes(b"\xff\x00")
    assert "holds no key, admits nobody" in said("list")
    assert json.loads(said("list", "--json")) == {"keys": [{"name": "comp", "key": None}]}
    said("admit", "comp", key)
    assert read_admitted(places.admitted) == {key: "comp"}


@pytest.mark.parametrize("key", ["", "short", 39 * "a", 41 * "a", 39 * "a" + "\n", 40 * "~"])
def test_what_is_no_key_is_not_admitted(places: Places, key: str) -> None:
    """The sentence says where a key comes from."""
    assert "lumivid keys show" in refused("admit", "comp", key)
    assert not places.admitted.exists()


@pytest.mark.parametrize("name", ["", "../comp", "a/b", ".comp", "a b", "a\n", 65 * "a"])
@pytest.mark.parametrize("command", ["admit", "revoke"])
def test_name_that_could_be_another_file_is_refused(
    places: Places, name: str, command: str
) -> None:
    """A name becomes the name of a file."""
    more = [public_key()] if command == "admit" else []
    assert "cannot name a key" in refused(command, name, *more)
    assert not places.admitted.exists()


def test_revoking_a_stranger_is_refused(places: Places) -> None:
    """The sentence says where to look, as JSON too."""
    assert "lumivid keys list" in refused("revoke", "comp")
    result = lumivid("keys", "revoke", "comp", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["exit_code"] == 2
    assert not places.keys.exists()


@pytest.mark.parametrize("arguments", [("show",), ("admit", "comp", "k")])
def test_folder_that_cannot_be_made_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """A file stands where the folder should."""
    (tmp_path / "home").touch()
    monkeypatch.setenv(HOME, str(tmp_path / "home"))
    sentence = refused(*(public_key() if a == "k" else a for a in arguments))
    assert str(tmp_path / "home" / "keys") in sentence


def test_damaged_pair_is_not_replaced(places: Places) -> None:
    """It is the user's to delete: workers know the old key."""
    said("show")
    path = places.keys / "client.key"
    path.write_text("{}")
    assert "delete it" in refused("show")
    assert path.read_text() == "{}"


def test_two_at_once_agree_on_the_key(places: Places) -> None:
    """Whoever is shown the key later is shown what the file holds."""
    run = [sys.executable, "-m", "lumivid_fx.cli", "keys", "show"]
    both = [
        subprocess.Popen(run, stdout=subprocess.PIPE, text=True, env={**os.environ})
        for _ in range(2)
    ]
    for each in both:
        assert each.communicate(timeout=120)[0].strip()
        assert each.returncode == 0
    pair = read_key_pair(places.keys / "client.key")
    assert pair is not None
    assert said("show") == pair.public
