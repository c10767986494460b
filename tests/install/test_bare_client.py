"""The installed client in bare Pythons: nothing else to import, no environment, another folder."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.worker.quick_runner import pixels
from tests.worker.running import QUICK, RunningWorker, running_worker

import lumivid_fx
from lumivid_fx.install.interpreters import find_python, try_client
from lumivid_fx.install.targets import PYTHONS

BARE = ("-I", "-S", "-B")

START = """
import sys
sys.path.insert(0, sys.argv[1])
import lumivid_paths
print(lumivid_paths.add_paths(sys.argv[1]), file=sys.stderr, end="")
"""

SUBMIT = """
import hashlib, json
from lumivid_fx import client
with client.connect(name="bare") as worker:
    release = worker.welcome.worker
    job = worker.submit(sys.argv[2], deliver="pixels", frames="1001-1006", label="edge500")
    told = {frame.number: hashlib.sha256(frame.pixels).hexdigest() for frame in job.frames(60)}
    state = job.wait(60).state
used = {name: sys.modules[name].__file__ for name in ("lumivid_fx", "zmq", "msgpack", "msgspec")}
print(json.dumps({"release": release, "frames": told, "state": state, "used": used}))
"""


@pytest.fixture(params=PYTHONS)
def python(request: pytest.FixtureRequest) -> Path:
    """Each Python that Nuke runs, where there is one."""
    version = str(request.param)
    found = find_python(version)
    if found is None:
        pytest.skip(f"there is no python{version} here")
    return found


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorker]:
    """A real worker without a model."""
    folder = tmp_path_factory.mktemp("worker")
    with running_worker(folder / "home", roots=[folder], runner=QUICK) as running:
        (folder / "clip.mp4").touch()
        yield running


def bare(
    python: Path, code: str, *arguments: str | Path, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run code in a Python that has nothing but its standard library."""
    return subprocess.run(
        [str(python), *BARE, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd="/",
        env={"HOME": os.environ.get("HOME", "/"), **environ},
    )


def test_it_submits_a_job_and_takes_its_frames(
    python: Path, installed: Path, worker: RunningWorker
) -> None:
    """Half-float pixels arrive bit for bit, and every library is the installed one."""
    home = worker.places.keys.parent
    ended = bare(
        python, START + SUBMIT, installed, home.parent / "clip.mp4", LUMIVID_HOME=str(home)
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    told = json.loads(ended.stdout)
    assert told["state"] == "done"
    assert told["release"] == lumivid_fx.__version__
    assert list(told["frames"]) == [str(number) for number in range(1001, 1007)]
    assert told["frames"]["1003"] == digest(1003)
    assert all(Path(file).is_relative_to(installed) for file in told["used"].values())


def digest(frame: int) -> str:
    """Of the pixels that the quick runner makes."""
    from hashlib import sha256

    return sha256(pixels(frame, 500)).hexdigest()


def test_try_client_says_that_it_works(python: Path, installed: Path) -> None:
    """What doctor runs."""
    tried = try_client(python, installed)
    assert (tried.release, tried.protocol, tried.error) == (lumivid_fx.__version__, 1, "")


def test_a_cut_library_does_not_end_python(python: Path, node: Path) -> None:
    """Loading one is a bus error; it is seen by its length, and nothing is loaded."""
    for path in node.glob("vendor/*/pyzmq.libs/libzmq*"):
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size // 2)
    ended = bare(python, START + "import lumivid_fx.client", node)
    assert ended.returncode == 1, ended.stderr
    assert "is damaged; run `lumivid nuke install --force`" in ended.stderr
    assert "ModuleNotFoundError: No module named 'lumivid_fx'" in ended.stderr
    assert "is damaged" in try_client(python, node).error


def test_what_is_there_already_goes_first(python: Path, installed: Path, tmp_path: Path) -> None:
    """A studio's own pyzmq is not replaced for the rest of Nuke."""
    (tmp_path / "msgspec.py").write_text("whose = 'studio'")
    code = f"{START}sys.path.insert(0, sys.argv[2]); import msgspec; print(msgspec.whose)"
    assert bare(python, code, installed, tmp_path).stdout.strip() == "studio"
