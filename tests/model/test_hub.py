"""Pulling from a hub: real requests to a server that speaks its protocol.

The library beneath reads its environment when it is imported, so that pulls are made in a process
of their own; one makes all that need no other environment.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.hub_server import Hub, serving

LICENCE = b"Licence of tiny: be kind.\n"

PULL = """
import json, os, sys
os.environ["HF_HUB_OFFLINE"] = "0"
from lumivid_fx.errors import LumividError
from lumivid_fx.model.hub import pull, read_licences
from lumivid_fx.model.published import PublishedFile
told = {}
for name, rows in json.loads(sys.argv[1]):
    files = [PublishedFile(*row) for row in rows]
    try:
        if name == "licences":
            told[name] = read_licences(files)
        else:
            told[name] = [str(path) for path in pull(files)]
    except LumividError as error:
        told[name] = {"error": str(error), "kind": type(error).__name__}
print(json.dumps(told))
"""

Rows = list[list[object]]


def content(name: str, size: int = 1000) -> bytes:
    """Bytes that only one file has."""
    return hashlib.shake_128(name.encode()).digest(size)


LARGE = 24_000_000
"""Bytes of a file that is fetched in more than one piece."""


def known(name: str, size: int = 1000) -> list[object]:
    """What is known of a file beforehand."""
    return ["maker/tiny", name, size, hashlib.sha256(content(name, size)).hexdigest()]


CASES: list[tuple[str, Rows]] = [
    ("licences", [known("a.safetensors")]),
    ("whole", [known("a.safetensors"), ["maker/tiny", "b.safetensors"]]),
    ("again", [known("a.safetensors"), ["maker/tiny", "b.safetensors"]]),
    ("cut", [known("large.safetensors", LARGE)]),
    ("changed", [known("changed.safetensors")]),
    ("longer", [known("longer.safetensors")]),
    ("gone", [known("gone.safetensors")]),
    ("gated", [["maker/gated", "a.safetensors"]]),
]


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """A hub with good files, spoilt ones and a gated repository."""
    with serving() as hub:
        served = {name: content(f"{name}.safetensors") for name in ("a", "b")}
        served["large"] = content("large.safetensors", LARGE)
        served["changed"] = content("something else")
        served["longer"] = content("longer.safetensors", 1001)
        hub.files = {f"maker/tiny/{name}.safetensors": data for name, data in served.items()}
        hub.files["maker/tiny/LICENSE"] = LICENCE
        hub.files["maker/gated/a.safetensors"] = served["a"]
        hub.gated = {"maker/gated"}
        hub.cut["maker/tiny/large.safetensors"] = LARGE - 1_000_000
        yield hub


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that is pulled into."""
    return tmp_path_factory.mktemp("library")


@pytest.fixture(scope="module")
def told(hub: Hub, folder: Path) -> dict[str, Any]:
    """What came of each case."""
    return ask(hub.endpoint, folder, CASES)


def ask(
    endpoint: str, folder: Path, cases: list[tuple[str, Rows]], token: str | None = None
) -> dict[str, Any]:
    """Pull in a process of its own."""
    environ = {
        **{name: value for name, value in os.environ.items() if name != "HF_TOKEN"},
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(folder / "hf"),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "LUMIVID_MODELS": str(folder),
        **({} if token is None else {"HF_TOKEN": token}),
    }
    ran = subprocess.run(
        [sys.executable, "-c", PULL, json.dumps(cases)],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    told: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return told


def test_licence(hub: Hub, told: dict[str, Any]) -> None:
    """The licence that stands beside the files comes first, and nothing else for that."""
    assert told["licences"] == [["maker/tiny", LICENCE.decode()]]
    paths = [path for _, path, _ in hub.asked if "/resolve/" in path]
    assert paths[0].endswith("/LICENSE")


def test_whole_files(hub: Hub, told: dict[str, Any], folder: Path) -> None:
    """What comes is whole; asked again, it is there already. Unknown digests are the hub's."""
    paths = [folder / "files" / "maker/tiny" / f"{name}.safetensors" for name in ("a", "b")]
    assert told["whole"] == told["again"] == [str(path) for path in paths]
    assert [path.read_bytes() for path in paths] == [content(path.name) for path in paths]
    got = [path for how, path, _ in hub.asked if how == "GET" and "tiny" in path]
    assert len([path for path in got if path.endswith("/a.safetensors")]) == 1


def test_goes_on_where_it_stopped(hub: Hub, told: dict[str, Any]) -> None:
    """A connection that breaks costs what was under way, no more."""
    assert Path(told["cut"][0]).read_bytes() == content("large.safetensors", LARGE)
    got = [wanted for how, path, wanted in hub.asked if how == "GET" and "large" in path]
    assert got[0] == ""
    assert int(got[1].removeprefix("bytes=").removesuffix("-")) > LARGE // 3


def test_other_content_is_refused(told: dict[str, Any], folder: Path) -> None:
    """A file that is not the published one does not stay, or does not come at all."""
    assert "did not come as it was published, and was removed" in told["changed"]["error"]
    assert "holds another longer.safetensors than is known" in told["longer"]["error"]
    assert "has no file gone.safetensors any more" in told["gone"]["error"]
    there = {path.name for path in folder.rglob("*.safetensors")}
    assert there == {"a.safetensors", "b.safetensors", "large.safetensors"}


def test_gated(hub: Hub, told: dict[str, Any], tmp_path: Path) -> None:
    """Without the user's token the hub lets nobody in, and it is said how to get one."""
    assert told["gated"]["kind"] == "InputError"
    assert "accept its terms at https://huggingface.co/maker/gated" in told["gated"]["error"]
    (path,) = ask(hub.endpoint, tmp_path, CASES[-1:], token=hub.word)["gated"]
    assert Path(path).read_bytes() == content("a.safetensors")


def test_nobody_answers(tmp_path: Path) -> None:
    """A hub that cannot be reached is told as that."""
    told = ask("http://127.0.0.1:9", tmp_path, CASES[1:2])["whole"]
    assert told["kind"] == "WireError"
    assert "the hub did not answer for maker/tiny" in told["error"]
