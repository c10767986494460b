"""Send to farm: plan and bundle of a node, made by the command, for others to render."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import nuke
import pytest
import yaml

import lumivid_nuke
from lumivid_fx.errors import InputError, LumividError
from lumivid_fx.farm.plan_file import read_plan
from lumivid_fx.protocol.messages import Request
from lumivid_fx.protocol.wire import read_request
from lumivid_nuke import connection
from lumivid_nuke.node import CALM, FAILED
from tests.nuke.host.nuke.state import process_events, session
from tests.nuke.shots import new_grade, new_node, new_read, write_plate

ROOT = Path(__file__).parents[2]

START = (
    f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); import lumivid_fx.cli as c; c.main()"
)
LUMIVID = (sys.executable, "-c", START)
"""The command of this checkout: the node passes no PYTHONPATH on."""

NOTES = """
import json, sys
from pathlib import Path
*_, request, folder = sys.argv
Path(folder, "called.json").write_text(json.dumps(sys.argv[1:]))
if Path(folder, "fail").exists():
    sys.exit("Error: the plate cannot be planned; look at it")
"""
"""A command that notes how it was called."""


@pytest.fixture
def noting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the node call that one."""
    (tmp_path / "note.py").write_text(NOTES)
    called = shlex.join([sys.executable, str(tmp_path / "note.py")])
    monkeypatch.setenv(connection.COMMAND, called)


@pytest.fixture
def told() -> Iterator[list[tuple[nuke.Node | None, Path]]]:
    """What `on_farm` hears."""
    heard: list[tuple[nuke.Node | None, Path]] = []

    def hear(node: nuke.Node | None, folder: Path) -> None:
        heard.append((node, folder))

    lumivid_nuke.add_callback("on_farm", hear)
    yield heard
    lumivid_nuke.remove_callback("on_farm", hear)


def test_a_node_becomes_a_plan_and_a_bundle(
    terminal: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    told: list[tuple[nuke.Node | None, Path]],
) -> None:
    """With the real command: what Nuke wrote is planned, and the node waits for those frames.

    The script's name is one that would inject a line, a word and an order.
    """
    monkeypatch.setenv(connection.COMMAND, shlex.join(LUMIVID))
    evil = "$(touch PWNED) 'x';\u2028openjd_env: EVIL=1\nopenjd_fail: no {{Param.Plan}}.nk"
    terminal.root()["name"].setValue(f"{tmp_path}/{evil}")
    read = new_read(write_plate(tmp_path / "plate", size=(16, 32)))
    node = new_node(new_grade(read, 0.5), tmp_path / "cache", None)
    folder = lumivid_nuke.send_to_farm(node, tmp_path / "farm")
    assert folder == tmp_path / "farm"
    assert [(node, folder)] == told

    plan = read_plan(folder / "plan.json")
    written = Path(plan.source).parent
    assert sorted(path.name for path in written.iterdir()) == [
        f"plate.{frame}.exr" for frame in range(1001, 1005)
    ]
    key = str(node["result_key"].value())
    assert plan.target == f"{tmp_path}/cache/{key}/result.####.exr"
    assert plan.request.settings.generated
    assert node["status"].value() == f"for the farm: {folder / 'bundle'}"
    assert node["tile_color"].value() == CALM
    assert not node["job_id"].value()

    template = (folder / "bundle" / "template.yaml").read_text()
    assert "PWNED" not in template
    listed = yaml.safe_load((folder / "bundle" / "parameter_values.yaml").read_text())
    name = {each["name"]: each["value"] for each in listed["parameterValues"]}["JobName"]
    assert name.startswith("LumiVid1 in $(touch PWNED)")
    assert name.isprintable()
    assert not list(tmp_path.rglob("PWNED"))


@pytest.mark.usefixtures("host", "noting")
def test_in_the_gui_nuke_stays_free(
    tmp_path: Path, told: list[tuple[nuke.Node | None, Path]]
) -> None:
    """A bare Read is planned as its path; the command hears of two paths and nothing else."""
    node = new_node(new_read(write_plate(tmp_path / "plate")), tmp_path / "cache", None)
    node["send_to_farm"].execute()  # type: ignore[attr-defined]
    assert node["status"].value() == "planning for the farm"
    assert told == []
    process_events(lambda: bool(told))
    folder = told[0][1]
    assert folder.parent == tmp_path / "cache" / "farm"
    called = json.loads((folder / "called.json").read_text())
    assert called == ["farm", "bundle", "--", str(folder / "request.msgpack"), str(folder)]
    request = read_request((folder / "request.msgpack").read_bytes())
    assert request.frames == "1001-1004"
    assert not (tmp_path / "cache" / "plates").exists()
    assert node["result_key"].value()


@pytest.mark.usefixtures("terminal", "noting")
def test_what_fails_is_the_commands_own_sentence(
    tmp_path: Path, told: list[tuple[nuke.Node | None, Path]]
) -> None:
    """The node is red, its result is the one before, and what Nuke wrote is gone."""
    read = new_read(write_plate(tmp_path / "plate"))
    node = new_node(new_grade(read, 0.5), tmp_path / "cache", None)
    (tmp_path / "farm").mkdir()
    (tmp_path / "farm" / "fail").touch()
    with pytest.raises(LumividError, match=r"^the plate cannot be planned; look at it$"):
        lumivid_nuke.send_to_farm(node, tmp_path / "farm")
    assert node["tile_color"].value() == FAILED
    assert not node["result_key"].value()
    assert list((tmp_path / "cache" / "plates").iterdir()) == []
    assert told == []


@pytest.mark.usefixtures("terminal", "noting")
def test_a_studio_may_change_or_refuse(
    tmp_path: Path, told: list[tuple[nuke.Node | None, Path]]
) -> None:
    """`before_submit` sees a request for a farm as it sees one for a worker."""
    node = new_node(new_read(write_plate(tmp_path / "plate")), tmp_path / "cache", None)

    def refuse(*_: object) -> Request:
        raise InputError("not tonight")

    lumivid_nuke.add_callback("before_submit", refuse)
    try:
        with pytest.raises(InputError, match="not tonight"):
            lumivid_nuke.send_to_farm("LumiVid1")
    finally:
        lumivid_nuke.remove_callback("before_submit", refuse)
    assert told == []
    assert not (tmp_path / "cache" / "farm").exists()
    assert [text for how, text in session.told if "bundle" in text] == []
    assert not node["result_key"].value()
