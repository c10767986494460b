"""Where keys and the worker's address lie: who may read them, and what damaged ones do."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from hypothesis import example, given
from hypothesis import strategies as st

from lumivid_fx.errors import InputError, LumividError, WireError
from lumivid_fx.protocol.places import (
    Connection,
    KeyPair,
    Places,
    check_key,
    check_name,
    keep_key_pair,
    no_worker,
    private_folder,
    read_admitted,
    read_connection,
    read_key_pair,
    write_connection,
    write_private,
)

Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
PUBLIC, SECRET = (key.decode() for key in zmq.curve_keypair())
PAIR = KeyPair(PUBLIC, SECRET)
CONNECTION = Connection("tcp://127.0.0.1:47800", PUBLIC, 4711, "0" * 32, (1,))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=8), inside),
    max_leaves=8,
)


@pytest.fixture(params=[0o000, 0o022, 0o077], ids="umask {:03o}".format)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """A process that would let others read and write what it makes, and less careless ones."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """Who may do what with it."""
    return stat.S_IMODE(path.stat().st_mode)


# ---- where ------------------------------------------------------------------------------------


def test_one_folder_holds_all(tmp_path: Path) -> None:
    """LUMIVID_HOME goes before everything that XDG says."""
    places = Places.of({"LUMIVID_HOME": str(tmp_path), "XDG_CONFIG_HOME": "/elsewhere"})
    assert places == Places(
        tmp_path / "keys", tmp_path / "run", tmp_path / "state", tmp_path / "cache"
    )
    assert places.connection == tmp_path / "run" / "worker.json"
    assert places.admitted == tmp_path / "keys" / "admitted"


def test_relative_home_stays_where_it_was(tmp_path: Path) -> None:
    """It is made absolute at once, since a worker may change its folder later."""
    assert Places.of({"LUMIVID_HOME": "here"}).keys == Path.cwd() / "here" / "keys"
    assert Places.of({"LUMIVID_HOME": str(tmp_path)}).keys.is_absolute()


def test_xdg_folders_are_followed() -> None:
    """Each kind of file where its variable says, in a folder of our name."""
    places = Places.of(
        {
            "XDG_CONFIG_HOME": "/c",
            "XDG_RUNTIME_DIR": "/run/user/7",
            "XDG_STATE_HOME": "/s",
            "XDG_CACHE_HOME": "/x",
        }
    )
    assert places == Places(
        keys=Path("/c/lumivid/keys"),
        run=Path("/run/user/7/lumivid"),
        state=Path("/s/lumivid"),
        cache=Path("/x/lumivid/frames"),
    )


@pytest.mark.parametrize("environ", [{}, {"LUMIVID_HOME": ""}, {"XDG_CONFIG_HOME": "relative"}])
def test_without_variables_the_home_folder_holds_them(environ: dict[str, str]) -> None:
    """XDG's defaults; its specification wants relative paths passed over."""
    home = Path.home()
    assert Places.of(environ) == Places(
        keys=home / ".config/lumivid/keys",
        run=home / ".local/state/lumivid",
        state=home / ".local/state/lumivid",
        cache=home / ".cache/lumivid/frames",
    )


def test_windows_keeps_all_in_the_local_profile() -> None:
    """Never in the roaming one, which is copied to other machines; XDG's words are not heard."""
    environ = {"LOCALAPPDATA": "/u/anna/AppData/Local", "XDG_CONFIG_HOME": "/c"}
    base = Path("/u/anna/AppData/Local/lumivid")
    assert Places.of(environ, "win32") == Places(
        base / "keys", base / "run", base / "state", base / "cache"
    )
    assert Places.of({}, "win32").keys == Path.home() / "AppData/Local/lumivid/keys"


def test_macos_keeps_all_in_the_library() -> None:
    """Frames that may be thrown away among the caches."""
    library = Path.home() / "Library"
    base = library / "Application Support" / "lumivid"
    assert Places.of({"XDG_CONFIG_HOME": "/c"}, "darwin") == Places(
        base / "keys", base / "run", base / "state", library / "Caches/lumivid/frames"
    )


@pytest.mark.parametrize("system", ["linux", "win32", "darwin"])
def test_own_home_goes_first_everywhere(system: str, tmp_path: Path) -> None:
    """LUMIVID_HOME means the same on every system."""
    environ = {"LUMIVID_HOME": str(tmp_path), "LOCALAPPDATA": "/u/anna"}
    assert Places.of(environ, system).client_key == tmp_path / "keys" / "client.key"


def test_without_a_runtime_folder_the_address_lies_with_the_state() -> None:
    """Farm machines and services have none."""
    places = Places.of({"XDG_STATE_HOME": "/s"})
    assert places.connection == Path("/s/lumivid/worker.json")


# ---- who may read -----------------------------------------------------------------------------


@pytest.mark.usefixtures("umask")
def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Whatever the umask, and so is every folder that had to be made on the way."""
    key = tmp_path / "config" / "lumivid" / "keys" / "client.key"
    address = tmp_path / "run" / "worker.json"
    keep_key_pair(key, PAIR)
    write_connection(address, CONNECTION)
    assert mode(key) == mode(address) == 0o600
    made = [*key.parents[:3], address.parent]
    assert {mode(folder) for folder in made} == {0o700}
    assert read_key_pair(key) == PAIR
    assert read_connection(address) == CONNECTION
    assert {path.name for path in key.parent.iterdir()} == {"client.key"}


def test_folder_that_was_open_is_closed(tmp_path: Path) -> None:
    """Somebody made it by hand; folders above it are not ours to change."""
    tmp_path.chmod(0o755)
    folder = tmp_path / "keys"
    folder.mkdir()
    folder.chmod(0o777)
    assert private_folder(folder) == folder
    assert mode(folder) == 0o700
    assert mode(tmp_path) == 0o755


@pytest.mark.skipif(os.getuid() != 0, reason="only root makes folders of another user's")
def test_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    """What lies there could be changed by its owner."""
    os.chown(tmp_path, 12345, 12345)
    with pytest.raises(InputError, match=f"{tmp_path} belongs to another user; set LUMIVID_HOME"):
        private_folder(tmp_path)


def test_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file in its place, or above it, or a link to nowhere."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for path in (tmp_path / "file", tmp_path / "file" / "keys", tmp_path / "link"):
        with pytest.raises(InputError, match=f"{path} cannot be made .*; set LUMIVID_HOME"):
            private_folder(path)


@pytest.mark.parametrize("bits", [0o040, 0o004, 0o020, 0o001])
def test_key_that_others_may_read_is_refused(tmp_path: Path, bits: int) -> None:
    """It counts as given away; the remedy is in the message."""
    path = tmp_path / "client.key"
    keep_key_pair(path, PAIR)
    path.chmod(0o600 | bits)
    with pytest.raises(InputError, match=f"{path} may be read by others; run chmod 600"):
        read_key_pair(path)
    path.chmod(0o600)
    assert read_key_pair(path) == PAIR


def test_secret_is_not_told() -> None:
    """Neither in a traceback nor in a log."""
    assert SECRET not in repr(PAIR) + str(PAIR) + f"{[PAIR]}"


def test_link_in_place_of_a_file_is_replaced_not_followed(tmp_path: Path) -> None:
    """Whoever may write into the folder must not choose which of our files is overwritten."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    path = tmp_path / "keys" / "client.key"
    path.parent.mkdir()
    path.symlink_to(precious)
    with pytest.raises(InputError, match="is no key pair"):
        keep_key_pair(path, PAIR)
    write_private(path, "ours")
    assert precious.read_text() == "mine"
    assert not path.is_symlink()
    assert path.read_text() == "ours"


def test_first_key_pair_stays(tmp_path: Path) -> None:
    """Whoever makes a second one meanwhile gets the first, and nothing is left beside it."""
    path = tmp_path / "client.key"
    other = KeyPair(*(key.decode() for key in zmq.curve_keypair()))
    assert keep_key_pair(path, PAIR) == PAIR
    assert keep_key_pair(path, other) == PAIR == read_key_pair(path)
    assert [each.name for each in tmp_path.iterdir()] == ["client.key"]
    assert path.stat().st_nlink == 1


def test_key_pair_is_kept_where_files_have_one_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some network shares, and exFAT, know no hard links, and say so."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert keep_key_pair(tmp_path / "client.key", PAIR) == PAIR
    assert [each.name for each in tmp_path.iterdir()] == ["client.key"]


def test_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    """Whole or not at all, and no leftovers beside it."""
    path = tmp_path / "worker.json"
    write_private(path, "before")
    with pytest.raises(UnicodeEncodeError):
        write_private(path, "half of a pair: \ud800")
    assert path.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["worker.json"]


# ---- what is damaged --------------------------------------------------------------------------


def test_no_worker_is_told_as_such(tmp_path: Path) -> None:
    """The most usual of all: nobody has started one."""
    with pytest.raises(WireError, match="no worker is running here; start one with"):
        read_connection(tmp_path / "worker.json")


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_other_systems_are_told_where_the_address_goes(system: str, tmp_path: Path) -> None:
    """A worker cannot be started there, and the sentence does not ask for it."""
    told = no_worker(tmp_path / "worker.json", system)
    assert told.endswith(f"one runs on Linux alone; put its worker.json at {tmp_path}/worker.json")


def test_no_key_yet_is_no_error(tmp_path: Path) -> None:
    """One is made then."""
    assert read_key_pair(tmp_path / "client.key") is None


DAMAGED = [
    b"",
    b"{",
    b"\xff\xfe",
    b"null",
    b'"text"',
    b"[1]",
    b"[" * 100_000,
    b'{"public": 1, "secret": 2, "endpoint": 3, "public_key": 4}',
    b'{"public": "short", "secret": "short"}',
    json.dumps({"public": PUBLIC}).encode(),
    json.dumps({"public": PUBLIC, "secret": "#" * 40}).encode(),
    json.dumps({"public": PUBLIC, "secret": SECRET}).encode()[:-1],
]


def connection_with(**fields: object) -> bytes:
    """The address of a worker, with some fields another."""
    whole = {
        "endpoint": "tcp://127.0.0.1:47800",
        "public_key": PUBLIC,
        "pid": 1,
        "boot": "0" * 32,
        "versions": [1],
    }
    return json.dumps({**whole, **fields}).encode()


@pytest.mark.parametrize(
    "written",
    [
        *DAMAGED,
        connection_with(endpoint=47800),
        connection_with(public_key=PUBLIC[:-1]),
        connection_with(public_key=PUBLIC + "\n"),
        connection_with(pid="1"),
        connection_with(versions=1),
        connection_with(versions="12"),
        connection_with(versions=["1"]),
        connection_with(boot=None),
    ],
    ids=range(len(DAMAGED) + 8),
)
def test_damaged_address_is_told_with_its_file(tmp_path: Path, written: bytes) -> None:
    """Whatever is in the file, a client gets one sentence."""
    path = tmp_path / "worker.json"
    path.write_bytes(written)
    with pytest.raises(WireError, match=f"{path} cannot be read .*; start the worker again"):
        read_connection(path)


@pytest.mark.parametrize("written", DAMAGED, ids=range(len(DAMAGED)))
def test_damaged_key_pair_is_told_with_its_file(tmp_path: Path, written: bytes) -> None:
    """So it is with keys; and what the file holds is not repeated."""
    path = tmp_path / "client.key"
    path.write_bytes(written)
    path.chmod(0o600)
    with pytest.raises(InputError, match=f"{path} is no key pair .*; delete it") as caught:
        read_key_pair(path)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ["worker.json", "client.key"])
def test_folder_in_place_of_a_file_is_told(tmp_path: Path, name: str) -> None:
    """Whatever lies there, one sentence names it."""
    (tmp_path / name).mkdir(mode=0o700)
    with pytest.raises(LumividError, match=str(tmp_path / name)):
        read_connection(tmp_path / name) if name == "worker.json" else read_key_pair(
            tmp_path / name
        )


@given(st.one_of(JSON.map(json.dumps).map(str.encode), st.binary()))
def test_any_damage_is_one_of_ours(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    """No other exception comes out, whatever stands in the files."""
    path = tmp_path_factory.getbasetemp() / "anything"
    path.write_bytes(raw)
    path.chmod(0o600)
    with pytest.raises(WireError):
        read_connection(path)
    with pytest.raises(InputError):
        read_key_pair(path)


def test_field_of_a_newer_worker_is_passed_over(tmp_path: Path) -> None:
    """The address can be read by an older client, which then hears which versions are spoken."""
    path = tmp_path / "worker.json"
    path.write_bytes(connection_with(versions=[1, 2], mood="sunny"))
    assert read_connection(path).versions == (1, 2)


# ---- keys and their names ---------------------------------------------------------------------


@given(st.text(st.sampled_from(Z85), min_size=40, max_size=40))
@example("0" * 40)
@example("#" * 40)
@example("%nSc0" * 8)  # 2**32 - 1 eight times
@example("%nSc1" * 8)  # one more
def test_key_is_what_zeromq_takes_for_one(text: str) -> None:
    """Five digits of base 85 may overflow four bytes, which ZeroMQ refuses when it is too late."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        try:
            socket.setsockopt(zmq.CURVE_SERVERKEY, text.encode())
        except zmq.ZMQError:
            with pytest.raises(InputError):
                check_key(text)
        else:
            assert check_key(text) == text


@given(
    st.one_of(
        st.none(),
        st.integers(),
        st.binary(min_size=40, max_size=40),
        st.text(max_size=39),
        st.text(min_size=41),
        st.text(st.sampled_from(" \n~|`'\"\\,;_٣é"), min_size=40, max_size=40),
    )
)
@example(PUBLIC + "\n")
@example(PUBLIC.encode())
def test_what_is_no_key_is_refused(text: object) -> None:
    """Another length, other characters, or no text at all; the message does not repeat it."""
    with pytest.raises(InputError, match="one has 40 characters, as `lumivid keys show` prints"):
        check_key(text)


@given(st.from_regex(r"[A-Za-z0-9_@-][A-Za-z0-9_.@-]{0,63}", fullmatch=True))
def test_plain_name_names_a_key(name: str) -> None:
    """And the file that it becomes lies in the folder, under that name."""
    assert check_name(name) == name
    path = Path("/admitted") / f"{name}.key"
    assert (path.parent, path.stem) == (Path("/admitted"), name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".hidden",
        "../up",
        "a/b",
        "a\\b",
        "a b",
        "a\n",
        "a\0",
        "x" * 65,
        "é",
        "٣",
        "*",
    ],
)
def test_name_that_is_no_file_of_ours_is_refused(name: str) -> None:
    """No way out of the folder, nothing hidden, nothing that a shell would expand."""
    with pytest.raises(InputError, match="cannot name a key; use letters, digits"):
        check_name(name)


def test_garbage_among_admitted_keys_admits_nobody(tmp_path: Path) -> None:
    """And does not keep out the others: one bad file must not lock a studio out."""
    other, third = (zmq.curve_keypair()[0].decode() for _ in range(2))
    write_private(tmp_path / "anna.key", PUBLIC + "\n")
    write_private(tmp_path / "farm-7@site.key", f"  {other}  ")
    for name, written in {
        "empty.key": b"",
        "binary.key": b"\xff" * 40,
        "two.key": f"{third}\n{third}".encode(),
        "long.key": third.encode() * 100_000,
        "pair.key": json.dumps({"public": third}).encode(),
        "key.txt": third.encode(),
        ".hidden.key": third.encode(),
        "line\nbreak.key": third.encode(),
    }.items():
        (tmp_path / name).write_bytes(written)
    (tmp_path / "folder.key").mkdir()
    (tmp_path / "gone.key").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.key")
    assert read_admitted(tmp_path) == {PUBLIC: "anna", other: "farm-7@site"}


def test_no_folder_admits_nobody(tmp_path: Path) -> None:
    """Which is how it begins."""
    assert read_admitted(tmp_path / "admitted") == {}
