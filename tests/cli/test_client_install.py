"""The command line where only the client's packages are installed: no torch, no numpy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import lumivid_fx
from lumivid_fx.protocol.places import HOME

PROJECT = "lumivid-fx"
RUN = "from lumivid_fx.cli import main; main()"


def requirements(name: str) -> set[str]:
    """What a distribution needs here without any extra, all the way down."""
    needs = [Requirement(text) for text in metadata.requires(name) or []]
    found = {n.name for n in needs if n.marker is None or n.marker.evaluate({"extra": ""})}
    return found.union(*(requirements(each) for each in found))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to import from that holds this package and the client's packages alone."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "lumivid_fx").symlink_to(Path(lumivid_fx.__file__).parent)
    for name in {PROJECT, *requirements(PROJECT)}:
        for file in metadata.files(name) or []:
            top = file.parts[0]
            here = Path(str(metadata.distribution(name).locate_file(top)))
            if top not in ("..", "__pycache__") and not (folder / top).exists() and here.exists():
                (folder / top).symlink_to(here)
    return folder


def lumivid(client: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line with nothing else to import from: -S leaves this environment out."""
    return subprocess.run(
        [sys.executable, "-S", "-c", RUN, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(client), HOME: str(client / "home")},
        cwd=client,
    )


def test_render_says_what_to_install(client: Path) -> None:
    """There is no traceback: one sentence names the extra."""
    ended = lumivid(client, "render", "in.mp4", "out/")
    assert ended.returncode == 2, ended.stderr
    assert "install lumivid-fx[worker]" in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("submit", "in.mp4", "out/"),
        ("render", "in.mp4", "out/", "--worker"),
        ("jobs",),
        ("watch", "3f"),
        ("worker", "status"),
    ],
)
def test_without_a_worker_there_is_one_sentence(client: Path, arguments: tuple[str, ...]) -> None:
    """What speaks to a worker comes as far as to see that there is none: exit code 4."""
    ended = lumivid(client, *arguments)
    assert ended.returncode == 4, ended.stderr
    assert "start one with `lumivid worker`" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_worker_says_what_to_install(client: Path) -> None:
    """A worker whose processes could not render does not start; nothing is made."""
    ended = lumivid(client, "worker")
    assert ended.returncode == 2, ended.stderr
    assert "install lumivid-fx[worker]" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not (client / "home").exists()


def test_doctor_has_a_row_for_what_is_missing(client: Path) -> None:
    """Missing packages are rows with a remedy, and the exit code is 1."""
    ended = lumivid(client, "doctor", "--json")
    assert ended.returncode == 1, ended.stderr
    assert ended.stderr == ""
    told = json.loads(ended.stdout)
    rows = {row["name"]: row for row in told["checks"]}
    for name in ("typer", "pyzmq", "keys", "worker"):
        assert rows[name]["status"] == "ok", rows[name]
    for name in ("torch", "numpy", "diffusers", "device", "model", "EXR write and read"):
        assert rows[name]["status"] == "fail", rows[name]
        assert "lumivid-fx[worker]" in rows[name]["remedy"]
    assert rows["av"]["status"] == "warn"  # sequences render without it
    assert told["failed"] == sum(row["status"] == "fail" for row in told["checks"])
