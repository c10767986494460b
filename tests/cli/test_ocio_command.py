"""`lumivid ocio`: our config written, merged into a studio's, and configs checked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.cli.plates import lumivid, the_sentence

from lumivid_fx.color.ocio_config import config_text
from lumivid_fx.color.scene_spaces import LUMIVID_LOGC3, SCENE_SPACES
from lumivid_fx.color.spaces import SHORT_NAMES, ColorSpaces

CG_CONFIG = "ocio://cg-config-v1.0.0_aces-v1.3_ocio-v2.1"
COMMITTED = Path(__file__).parents[2] / "ocio" / "config.ocio"


def said(*arguments: str | Path) -> str:
    """Run a command that succeeds and give what it printed."""
    result = lumivid("ocio", *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: str | Path) -> str:
    """Run a command that is refused and give its sentence."""
    result = lumivid("ocio", *arguments)
    assert result.exit_code == 2, result.output
    return the_sentence(result)


def told(*arguments: str | Path) -> dict[str, Any]:
    """Run a command that succeeds and give its JSON object."""
    found: dict[str, Any] = json.loads(said(*arguments, "--json"))
    return found


def test_write_gives_the_committed_config(tmp_path: Path) -> None:
    """An installed package has the config without the repository; nothing is left beside it."""
    folder = tmp_path / "new" / "ocio"
    printed = said("write", folder)
    path = folder / "config.ocio"
    assert f"OCIO={path}" in printed
    assert path.read_bytes() == COMMITTED.read_bytes()
    assert [*folder.iterdir()] == [path]


def test_write_replaces_only_when_told(tmp_path: Path) -> None:
    """What is there may be a studio's."""
    path = tmp_path / "config.ocio"
    path.write_text("theirs")
    assert "--overwrite" in refused("write", tmp_path)
    assert path.read_text() == "theirs"
    assert told("write", tmp_path, "--overwrite") == {"config": str(path)}
    assert path.read_text("utf-8") == config_text()


@pytest.mark.parametrize("command", ["write", "merge"])
def test_folder_that_cannot_be_made_is_one_sentence(command: str, tmp_path: Path) -> None:
    """A file stands where the folder should."""
    (tmp_path / "file").touch()
    at = tmp_path / "file" / "folder"
    arguments = [at] if command == "write" else [CG_CONFIG, "--output", at / "new.ocio"]
    assert str(at) in refused(command, *arguments)


def test_merge_writes_a_config_that_renders_take(tmp_path: Path) -> None:
    """A line for each of ours, and a config with all of them."""
    new = tmp_path / "out" / "studio.ocio"
    lines = said("merge", CG_CONFIG, "--output", new).splitlines()
    assert f"added    {LUMIVID_LOGC3}" in lines
    assert "there    ACEScg" in lines
    assert lines[-1].startswith(f"{new} is written, ")
    names = [line.split(maxsplit=1)[1] for line in lines[: len(SCENE_SPACES)]]
    assert names == [space.name for space in SCENE_SPACES]
    assert ColorSpaces(str(new)).resolve("logc3_rec709") == LUMIVID_LOGC3
    assert [*new.parent.iterdir()] == [new]


def test_merge_says_the_same_as_json(tmp_path: Path) -> None:
    """What is called what, and what was left out, for scripts."""
    found = told("merge", CG_CONFIG, "--output", tmp_path)  # a folder: config.ocio in it
    assert found["config"] == str(tmp_path / "config.ocio")
    assert (found["profile_raised"], found["paths_are_searched"]) == (False, False)
    items = {item["name"]: item for item in found["items"]}
    assert items[LUMIVID_LOGC3]["outcome"] == "added"
    assert items["ACEScg"] == {
        "name": "ACEScg",
        "outcome": "present",
        "there": "ACEScg",
        "difference": 0.0,
        "dropped": [],
    }


def test_merge_leaves_the_studios_file_alone(tmp_path: Path) -> None:
    """Not even the config itself is replaced, unless it is asked for."""
    config = tmp_path / "config.ocio"
    config.write_text(config_text().replace("LumiVid LogC3 (Rec.709)", "Another name"), "utf-8")
    before = config.read_bytes()
    assert "--overwrite" in refused("merge", config, "--output", config)
    assert config.read_bytes() == before
    assert "as Another name" in said("merge", config, "--output", tmp_path / "new.ocio")
    assert config.read_bytes() == before
    said("merge", config, "--output", config, "--overwrite")
    assert "Another name" in config.read_text("utf-8")


def test_merge_tells_what_it_leaves_out(tmp_path: Path) -> None:
    """A space of ours whose name is another's, and an alias that is."""
    config = tmp_path / "config.ocio"
    text = config_text().replace("LumiVid LogC3 (Rec.709)", "Another name")
    log4 = "log_side_slope: 0.06479541963413"
    assert log4 in text
    config.write_text(text.replace(log4, "log_side_slope: 0.07"), "utf-8")
    printed = said("merge", config, "--output", tmp_path / "new.ocio")
    assert "left out ARRI LogC4: the config's own ARRI LogC4 differs by" in printed


def test_refusals_name_the_file(tmp_path: Path) -> None:
    """No config, none that is one, none with the role."""
    new = tmp_path / "new.ocio"
    gone = tmp_path / "gone.ocio"
    assert str(gone) in refused("merge", gone, "--output", new)
    gone.write_bytes(b"\xff\x00\xfe")
    assert str(gone) in refused("merge", gone, "--output", new)
    gone.write_text(config_text().replace("aces_interchange", "no_interchange"), "utf-8")
    assert "aces_interchange" in refused("merge", gone, "--output", new)
    assert str(tmp_path / "none.ocio") in refused("check", tmp_path / "none.ocio")
    assert not new.exists()


def test_check_of_ours() -> None:
    """Valid, complete, and every curve is ours."""
    printed = said("check")
    assert printed.splitlines()[0].startswith("profile 2.0, read by OpenColorIO 2.")
    assert "\nvalid\n" in printed
    assert "missing" not in printed
    assert printed.count("agrees: ") == 4
    found = told("check", COMMITTED)
    assert (found["fault"], found["messages"], found["sound"]) == (None, [], True)
    assert [*found["spaces"]] == list(SHORT_NAMES)
    assert all(curve["holds"] and curve["code"] <= 1e-5 for curve in found["curves"])


def test_check_of_a_studios_config() -> None:
    """What is missing is named with the remedy, and is no fault; what OpenColorIO says is told."""
    printed = said("check", CG_CONFIG)
    assert "logc3_rec709   missing; `lumivid ocio merge` adds it" in printed
    assert "OpenColorIO says: Inactive 'P3-D60 - Display' is neither" in printed
    assert "hlg_rec2020    not in this config" in printed


def test_check_fails_on_another_curve(tmp_path: Path) -> None:
    """A space of our name with ARRI's primaries is the mistake that this is for."""
    config = tmp_path / "config.ocio"
    # LogC3's slope, off by a fifth of a percent.
    config.write_text(config_text().replace("log_side_slope: 0.24719,", "log_side_slope: 0.2477,"))
    result = lumivid("ocio", "check", config)
    assert result.exit_code == 1
    assert "logc3_rec709   is another curve: LumiVid LogC3 (Rec.709) is within" in result.stdout


def test_check_fails_on_a_config_that_is_not_valid(tmp_path: Path) -> None:
    """OpenColorIO's own reason is given."""
    config = tmp_path / "config.ocio"
    config.write_text(config_text().replace("scene_linear: ACEScg", "scene_linear: Gone"), "utf-8")
    result = lumivid("ocio", "check", config)
    assert result.exit_code == 1
    assert "not valid: " in result.stdout
    assert "Gone" in result.stdout


def test_the_process_ends(tmp_path: Path) -> None:
    """Listening to OpenColorIO from Python is undone, else the interpreter never ends."""
    run = [sys.executable, "-m", "lumivid_fx.cli", "ocio"]
    for arguments in (["check"], ["merge", CG_CONFIG, "--output", str(tmp_path / "a.ocio")]):
        ended = subprocess.run([*run, *arguments], capture_output=True, timeout=120, check=True)
        assert ended.stderr == b""
