"""The client on Windows and macOS, as far as that can be seen from Linux.

A fresh interpreter without anything installed loses what Python lacks there (see
:mod:`tests.client.other_systems`), then makes its keys and talks to a real worker, as an artist's
machine does to one across the network: by a key that was admitted and a copied ``worker.json``.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.client.other_systems import lacking, lacking_modules, prelude
from tests.worker.quick_runner import pixels
from tests.worker.running import QUICK, RunningWorker, running_worker

from lumivid_fx.protocol.places import Places, no_worker, read_key_pair, write_private

SOURCE = Path(__file__).parents[2] / "src"

SYSTEMS = ("win32", "darwin")

# What each system's own variable says, and where the folders are then.
HOMES = {
    "win32": ("LOCALAPPDATA", "lumivid"),
    "darwin": ("HOME", "Library/Application Support/lumivid"),
}

IMPORT = """
sys.path += sys.argv[1:3]
from lumivid_fx import client, errors, protocol
from lumivid_fx.client.keys import own_key_pair
from lumivid_fx.protocol.places import Places
"""

MAKE_KEYS = """
places = Places.of()
print(own_key_pair(places).public == own_key_pair(places).public)
"""

TALK = """
import hashlib, json
with client.connect(name="artist") as worker:
    job = worker.submit(sys.argv[3], deliver="pixels", frames="1001-1006", label="edge500")
    told = {frame.number: hashlib.sha256(frame.pixels).hexdigest() for frame in job.frames(60)}
    done = job.wait(60)
print(json.dumps({"frames": told, "state": done.state}))
"""


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorker]:
    """A real worker without a model, that knows the clip as its own machine calls it."""
    folder = tmp_path_factory.mktemp("worker")
    with running_worker(folder / "home", roots=[folder / "show"], runner=QUICK) as running:
        (folder / "show" / "clip.mp4").touch()
        yield running


@pytest.fixture(params=SYSTEMS)
def system(request: pytest.FixtureRequest) -> str:
    """As ``sys.platform`` calls it."""
    return str(request.param)


def run_there(
    system: str, code: str, home: Path, *arguments: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run code as on another system, in a Python with no more than the client's libraries."""
    return subprocess.run(
        [
            *(sys.executable, "-I", "-S", "-B", "-c", prelude(system) + IMPORT + code),
            *(str(SOURCE), sysconfig.get_paths()["purelib"], *arguments),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd="/",
        env={"HOME": str(home), HOMES[system][0]: str(home), **environ},
    )


def places_there(system: str, home: Path) -> Places:
    """The folders that the code there has used."""
    folder = home / HOMES[system][1]
    return Places(folder / "keys", folder / "run", folder / "state", folder / "cache")


@pytest.mark.parametrize(
    "code", ["import fcntl", "import os; os.getuid", "import select; select.poll"]
)
def test_what_windows_lacks_is_absent(code: str, tmp_path: Path) -> None:
    """The interpreter is as poor as it says: each of these, which the client once used, fails."""
    ended = run_there("win32", code, tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith(("AttributeError", "ModuleNotFoundError"))


def test_typeshed_knows_the_difference() -> None:
    """What is taken away is what the documentation says is Unix's alone."""
    assert {"getuid", "register_at_fork", "fork", "O_NOFOLLOW", "fchmod"} <= lacking("os", "win32")
    assert {"poll", "epoll"} <= lacking("select", "win32")
    assert {"fcntl", "pwd", "resource"} <= set(lacking_modules("win32"))
    assert "poll" not in lacking("select", "darwin")
    assert not lacking("os", "linux")


def test_keys_are_made_where_they_belong(system: str, tmp_path: Path) -> None:
    """In the user's own folders, once; Windows says of every file that it is open to all."""
    made = run_there(system, MAKE_KEYS, tmp_path)
    assert (made.stdout, made.stderr) == ("True\n", "")
    path = places_there(system, tmp_path).client_key
    assert [each.name for each in path.parent.iterdir()] == ["client.key"]
    assert read_key_pair(path) is not None
    before = path.read_text()
    path.chmod(0o666)  # as Windows says it
    again = run_there(system, MAKE_KEYS, tmp_path)
    assert path.read_text() == before
    if system == "win32":
        assert again.stdout == "True\n"
    else:
        assert "may be read by others" in again.stderr


def test_it_talks_to_a_worker_on_linux(system: str, worker: RunningWorker, tmp_path: Path) -> None:
    """By a key that was admitted, a copied address and the disk's other name; bit for bit."""
    ended = run_there(system, MAKE_KEYS, tmp_path)
    assert ended.returncode == 0, ended.stderr
    there = places_there(system, tmp_path)
    pair = read_key_pair(there.client_key)
    assert pair is not None
    show = worker.places.keys.parents[1] / "show"
    disk = {"win32": "Z:/show", "darwin": "/Volumes/show"}[system]
    clip = {"win32": "z:\\show\\clip.mp4", "darwin": "/Volumes/show/clip.mp4"}[system]

    without = run_there(system, TALK, tmp_path, clip, LUMIVID_PATHS=f"{disk}={show}")
    assert no_worker(there.connection, system) in without.stderr
    there.connection.parent.mkdir(parents=True)
    shutil.copy(worker.places.connection, there.connection)
    unknown = run_there(system, TALK, tmp_path, clip, LUMIVID_PATHS=f"{disk}={show}")
    assert "lumivid keys admit" in unknown.stderr

    write_private(worker.places.admitted / f"{system}.key", pair.public)
    ended = run_there(system, TALK, tmp_path, clip, LUMIVID_PATHS=f"{disk}={show}")
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    told = json.loads(ended.stdout)
    assert told["state"] == "done"
    assert list(told["frames"]) == [str(number) for number in range(1001, 1007)]
    assert told["frames"]["1003"] == hashlib.sha256(pixels(1003, 500)).hexdigest()
