"""Golden scripts, and what submitting each of their nodes must say to the worker.

``scenes/NAME.nk`` is opened in the host and every node in it submitted to a real worker;
``scenes/NAME.json`` holds the requests, node by node. The folder that differs from run to run
stands as ``$SHOW``; keys of results and ids of jobs as ``<key 1>``, ``<job 1>``, in the order they
come. To write them anew after a change that is meant, run this with ``LUMIVID_GOLDEN=write``, and
read the difference.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import nuke
import pytest

import lumivid_nuke
from lumivid_fx.protocol.messages import Request
from lumivid_nuke import connection, knobs
from lumivid_nuke.node import FAILED
from tests.nuke.host.nuke.state import session
from tests.nuke.shots import EXR_RUNNER, NODE, level, wait_until_idle, write_frame
from tests.worker.running import RunningWorker, running_worker

SCENES = Path(__file__).parent / "scenes"
NAMES = sorted(path.stem for path in SCENES.glob("*.nk"))
WRITE = os.environ.get("LUMIVID_GOLDEN") == "write"

pytestmark = pytest.mark.usefixtures("host")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of this module's worker."""
    return tmp_path_factory.mktemp("scenes")


@pytest.fixture(scope="module")
def worker(base: Path) -> Iterator[RunningWorker]:
    """A worker whose runner needs no model."""
    with running_worker(base / "home", roots=[base], runner=EXR_RUNNER) as started:
        started.wait_until_ready()
        yield started
    connection.let_go()


@pytest.fixture
def show(
    base: Path,
    worker: RunningWorker,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A shot with the plate that the scenes read, as a rule with more frames than they ask for."""
    folder = base / re.sub(r"\W", "_", str(request.node.name))
    frames = range(-3, 3) if "negative" in folder.name else range(1001, 1010)
    for frame in frames:
        (folder / "plate").mkdir(parents=True, exist_ok=True)
        write_frame(folder / "plate" / f"plate.{frame:04d}.exr", level(frame))
    monkeypatch.setenv("SHOW", folder.as_posix())
    monkeypatch.setenv("LUMIVID_HOME", worker.environ["LUMIVID_HOME"])
    monkeypatch.delenv("OCIO", raising=False)
    session.plugin_path.append(str(NODE))
    return folder


@pytest.fixture
def sent() -> Iterator[list[tuple[str, Request]]]:
    """What is submitted, with the node's full name."""
    seen: list[tuple[str, Request]] = []

    def note(node: nuke.Node | None, request: Request) -> None:
        assert node is not None
        seen.append((node.fullName(), request))

    lumivid_nuke.add_callback("before_submit", note)
    yield seen
    lumivid_nuke.remove_callback("before_submit", note)


def ours() -> list[nuke.Node]:
    """The scene's nodes."""
    return [node for node in nuke.allNodes("Group") if knobs.is_ours(node)]


def plain(sent: list[tuple[str, Request]], show: Path) -> list[dict[str, object]]:
    """Requests as they are kept: only what is not the default, and no folder of this machine."""
    text = json.dumps([{"node": n, "request": msgspec.to_builtins(_short(r))} for n, r in sent])
    text = text.replace(show.as_posix(), "$SHOW")
    for digits, word in ((64, "key"), (32, "job")):
        for count, found in enumerate(
            dict.fromkeys(re.findall(rf"\b[0-9a-f]{{{digits}}}\b", text))
        ):
            text = text.replace(found, f"<{word} {count + 1}>")
    kept: list[dict[str, object]] = json.loads(text)
    return kept


def _short(request: Request) -> dict[str, object]:
    """All fields of a request and its settings that say something."""
    said: dict[str, object] = msgspec.to_builtins(request)
    settings = said["settings"]
    assert isinstance(settings, dict)
    said["settings"] = {name: value for name, value in settings.items() if value is not None}
    return {name: value for name, value in said.items() if value is not None}


@pytest.mark.parametrize("name", NAMES)
def test_scene_says_what_it_must(name: str, show: Path, sent: list[tuple[str, Request]]) -> None:
    """Every node's request is the golden one, and the worker does it."""
    nuke.scriptOpen(str(SCENES / f"{name}.nk"))
    nodes = ours()
    assert nodes
    before = [node.fullName() for node in nuke.allNodes(recurseGroups=True)]
    for node in nodes:
        assert node["job_id"].value() == "", "a copy took the job of what it was copied from"
        lumivid_nuke.submit(node)
        wait_until_idle(node)
        assert node["tile_color"].value() != FAILED, node["status"].value()
        assert (show / "cache" / str(node["result_key"].value())).is_dir()
    assert [node.fullName() for node in nuke.allNodes(recurseGroups=True)] == before
    found = plain(sent, show)
    golden = SCENES / f"{name}.json"
    if WRITE:
        golden.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", "utf-8")
    assert found == json.loads(golden.read_text("utf-8"))


@pytest.mark.parametrize("name", ["two_nodes", "negative_frames"])
def test_saved_scene_says_the_same(name: str, show: Path, sent: list[tuple[str, Request]]) -> None:
    """A script as Nuke saves it, the whole group inside, needs no gizmo and asks for the same."""
    nuke.scriptOpen(str(SCENES / f"{name}.nk"))
    saved = show / f"{name}.nk"
    nuke.scriptSaveAs(str(saved))
    session.plugin_path.clear()
    nuke.scriptOpen(str(saved))
    for node in ours():
        lumivid_nuke.submit(node)
        wait_until_idle(node)
    golden = json.loads((SCENES / f"{name}.json").read_text("utf-8"))
    assert plain(sent, show) == golden


def test_scene_plays_without_us(show: Path, sent: list[tuple[str, Request]]) -> None:
    """What was rendered comes out of the scene's own Write, by the group's nodes alone."""
    nuke.scriptOpen(str(SCENES / "bare_read.nk"))
    (node,) = ours()
    lumivid_nuke.submit(node)
    wait_until_idle(node)
    node["exposure"].setValue(1.0)
    for name in ("onCreate", "knobChanged", "updateUI"):
        node[name].setValue("")
    nuke.execute("Write1", 1001, 1004)
    assert len(list((show / "out").glob("hdr.*.exr"))) == 4
    assert len(sent) == 1


def test_every_scene_has_its_golden_file() -> None:
    """And no golden file is left over."""
    assert NAMES
    assert sorted(path.stem for path in SCENES.glob("*.json")) == NAMES
