"""``lumivid nuke``, as a person runs it: in a process of its own, in a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from tests.worker.running import QUICK, running_worker

import lumivid_fx
from lumivid_fx.errors import InputError
from lumivid_fx.install.targets import Target, this_system
from lumivid_fx.install.wheels import fetch
from lumivid_fx.protocol.places import HOME

ROOT = Path(__file__).parents[2]
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
ONE = ("--python", HERE)
"""Wheels for one Python are enough for most of it."""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels for this Python."""
    folder = tmp_path_factory.mktemp("wheels")
    try:
        fetch(Target(HERE, this_system()), folder)
    except InputError as error:
        pytest.skip(f"no index to fetch wheels from: {error}")
    return folder


def lumivid(
    home: Path, *arguments: str | Path, code: int = 0, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of `lumivid nuke`; its exit code is as expected."""
    ended = subprocess.run(
        [sys.executable, "-m", "lumivid_fx.cli", "nuke", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={
            **os.environ,
            "HOME": str(home),
            HOME: str(home / "lumivid"),
            "LUMIVID_DEBUG": "0",
            "NUKE_PATH": "",
            **environ,
        },
        cwd=home,
    )
    assert ended.returncode == code, ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr
    return ended


def test_from_install_to_uninstall(tmp_path: Path, wheels: Path) -> None:
    """The default folder, the line, again, doctor, and away: nothing is left."""
    offline = ("--wheels", wheels, *ONE)
    said = lumivid(tmp_path, "install", *offline).stdout
    root = tmp_path / ".nuke" / "lumivid"
    assert f"installed lumivid-fx {lumivid_fx.__version__} in {root}: cp3" in said
    assert f'export NUKE_PATH="{root}' in said
    assert not (tmp_path / ".nuke" / "init.py").exists()
    command = (root / "lumivid_command.txt").read_text().strip()
    assert Path(command) == Path(sys.executable).with_name("lumivid")

    again = lumivid(tmp_path, "install", *offline, "--register").stdout
    assert "already" in again
    assert f"by a line in {tmp_path / '.nuke' / 'init.py'}" in again

    told = json.loads(lumivid(tmp_path, "doctor", "--json").stdout)
    rows = {row["name"]: row for row in told["checks"]}
    assert told["failed"] == 0
    assert rows["worker"]["status"] == "warn"
    assert "start one with `lumivid worker`" in rows["worker"]["detail"]
    assert rows[f"client in Python {HERE}"]["status"] == "ok"
    assert rows["NUKE_PATH"]["status"] == "ok"

    said = lumivid(tmp_path, "uninstall").stdout
    assert f"removed lumivid-fx {lumivid_fx.__version__} from {root}" in said
    assert "took its line out" in said
    assert not list((tmp_path / ".nuke").iterdir())


def test_doctor_sees_the_worker(tmp_path: Path, wheels: Path) -> None:
    """Of the same release; and of another, which is no fault as long as they speak one protocol."""
    lumivid(tmp_path, "install", "--wheels", wheels, *ONE)
    with running_worker(tmp_path / "lumivid", roots=[tmp_path / "show"], runner=QUICK) as worker:
        text = lumivid(tmp_path, "doctor").stdout
        assert "worker" in text
        told = json.loads(lumivid(tmp_path, "doctor", "--json").stdout)
        row = told["checks"][-1]
        endpoint = worker.connection.endpoint
        assert row["status"] == "ok"
        assert row["detail"] == f"{endpoint}, release {lumivid_fx.__version__}"
        manifest = tmp_path / ".nuke/lumivid/lumivid-manifest.json"
        manifest.write_text(manifest.read_text().replace('"lumivid": "0', '"lumivid": "9', 1))
        row = json.loads(lumivid(tmp_path, "doctor", "--json", code=1).stdout)["checks"][-1]
        assert row["status"] == "warn"
        assert "the node is 9" in row["detail"]


def test_json(tmp_path: Path, wheels: Path) -> None:
    """For a pipeline: one object on standard output, nothing on standard error."""
    ended = lumivid(
        tmp_path, "install", "--target", "here", "--wheels", wheels, *ONE, "--link", "--json"
    )
    told = json.loads(ended.stdout)
    assert ended.stderr == ""
    assert told["target"] == str(tmp_path / "here")
    assert (told["was"], told["unchanged"], told["found"]) == (None, False, False)
    assert {name.split("-")[0] for name in next(iter(told["wheels"].values()))} == {
        "pyzmq",
        "msgpack",
        "msgspec",
    }
    assert told["bytes"] > 1_000_000
    gone = json.loads(lumivid(tmp_path, "uninstall", "--target", "here", "--json").stdout)
    assert (gone["removed"], gone["stays"], gone["unregistered"]) == (told["files"], [], False)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("install", "--python", "2.7"), "'2.7' is no Python that Nuke runs"),
        (("install", "--platform", "irix"), "'irix' is no system"),
        (("install", "--wheels", "none"), "none is no folder"),
        (("install", "--wheels", "."), "there is no wheel of pyzmq"),
        (("uninstall",), "has no node for Nuke in it"),
    ],
)
def test_what_cannot_be_done(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    """Exit code 2, one sentence, nothing left behind."""
    ended = lumivid(tmp_path, *arguments, code=2)
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("wheels for")]
    assert len(lines) == 1
    assert lines[0].startswith("Error: ")
    assert told in lines[0]
    assert not list((tmp_path / ".nuke").rglob("*"))


def test_what_cannot_be_done_as_json(tmp_path: Path) -> None:
    """A line of JSON on standard output in place of the sentence."""
    ended = lumivid(tmp_path, "uninstall", "--json", code=2)
    said = json.loads(ended.stdout)
    assert (said["exit_code"], ended.stderr) == (2, "")
    assert "has no node for Nuke in it" in said["error"]


def test_doctor_where_nothing_is(tmp_path: Path) -> None:
    """Exit code 1, and what to do."""
    assert "nothing is installed" in lumivid(tmp_path, "doctor", code=1).stdout.replace("\n", " ")


def test_an_installed_wheel_has_the_node_with_it(tmp_path: Path, wheels: Path) -> None:
    """The wheel alone, without a checkout beside it, installs the same node."""
    build = "import sys, hatchling.build as b; print(b.build_wheel(sys.argv[1]))"
    built = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    site = tmp_path / "site"
    with zipfile.ZipFile(tmp_path / built.stdout.splitlines()[-1]) as archive:
        archive.extractall(site)
    code = (
        "import sys; sys.path.append(sys.argv.pop(1))\n"  # the libraries, after the wheel
        "from lumivid_fx.cli import main; main()"
    )
    libraries = str(metadata.distribution("typer").locate_file(""))
    ended = subprocess.run(
        [sys.executable, "-S", "-c", code, libraries, "nuke", "install", "--target",
         str(tmp_path / "node"), "--wheels", str(wheels), *ONE, "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(site), "HOME": str(tmp_path)},
        cwd=tmp_path,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr + ended.stdout
    shipped = site / "lumivid_fx" / "shipped" / "nuke"
    for path in (ROOT / "nuke").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            place = path.relative_to(ROOT / "nuke")
            assert (shipped / place).read_bytes() == path.read_bytes()
            assert (tmp_path / "node" / place).read_bytes() == path.read_bytes()
    assert (tmp_path / "node/python/LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert (site / "lumivid_fx/shipped/ocio/config.ocio").is_file()
