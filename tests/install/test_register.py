"""The line in ~/.nuke/init.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lumivid_fx.errors import InputError
from lumivid_fx.install.register import advice, line, register, seen_by, unregister

STUB = "import sys, types; n = types.ModuleType('nuke'); n.pluginAddPath = print\n"


def run(init: Path) -> str:
    """What running the file does, with a nuke that prints what is added."""
    code = f"{STUB}sys.modules['nuke'] = n; exec(open({str(init)!r}).read(), {{}})"
    ended = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.mark.parametrize("name", ["lumivid", "with space", "quo'te", 'dou"ble', "back\\slash", "é"])
def test_the_line_adds_the_folder(tmp_path: Path, name: str) -> None:
    """Whatever the folder is called; it does nothing once the folder is gone."""
    root, init = tmp_path / name, tmp_path / ".nuke" / "init.py"
    root.mkdir()
    assert register(root, init)
    assert run(init) == str(root)
    root.rmdir()
    assert run(init) == ""


@pytest.mark.parametrize("before", [b"", b"import os\n", b"x = 1", b"x = 1\r\ny = 2\r\n"])
def test_what_is_in_the_file_stays(tmp_path: Path, before: bytes) -> None:
    """Added once, however often; taken away again, the file is what it was."""
    init = tmp_path / "init.py"
    init.write_bytes(before)
    init.chmod(0o640)
    assert register(tmp_path, init)
    assert not register(tmp_path, init)
    assert init.read_bytes().count(b"pluginAddPath") == 1
    assert init.read_bytes().startswith(before)
    assert init.stat().st_mode & 0o777 == 0o640
    assert seen_by(tmp_path, init, {}) == f"by a line in {init}"
    assert unregister(tmp_path, init)
    assert not unregister(tmp_path, init)
    after = init.read_bytes() if init.exists() else b""
    assert after.splitlines() == before.splitlines()


def test_another_folder_takes_the_lines_place(tmp_path: Path) -> None:
    """One node at a time; uninstalling the other leaves the line alone."""
    init = tmp_path / "init.py"
    for name in ("one", "two"):
        assert register(tmp_path / name, init)
    assert init.read_text().splitlines() == [line(tmp_path / "two")]
    assert not unregister(tmp_path / "one", init)
    assert seen_by(tmp_path / "two", init, {})
    assert not seen_by(tmp_path / "one", init, {})


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """Dotfiles often lie in a repository."""
    (tmp_path / "real.py").write_text("x = 1\n")
    (tmp_path / "init.py").symlink_to("real.py")
    register(tmp_path, tmp_path / "init.py")
    assert (tmp_path / "init.py").is_symlink()
    assert "pluginAddPath" in (tmp_path / "real.py").read_text()


def test_nuke_path_is_seen(tmp_path: Path) -> None:
    """Among other folders, through a link, and with a slash at its end; no other folder counts."""
    root, init = tmp_path / "node", tmp_path / "init.py"
    root.mkdir()
    (tmp_path / "link").symlink_to(root)
    for text in (f"/a:{root}", f"{root}/:/b", f"{tmp_path / 'link'}"):
        assert seen_by(root, init, {"NUKE_PATH": text}) == "in NUKE_PATH"
    for text in ("", ":", f"{root}2", f"{tmp_path}"):
        assert seen_by(root, init, {"NUKE_PATH": text}) == ""


def test_advice_works_in_a_shell(tmp_path: Path) -> None:
    """The line is pasted: with and without a NUKE_PATH from before."""
    for before, wanted in (("", f"{tmp_path}"), ("/a", f"{tmp_path}:/a")):
        told = subprocess.run(
            ["/bin/sh", "-c", f'{advice(tmp_path, "posix")}; printf %s "$NUKE_PATH"'],
            capture_output=True,
            text=True,
            check=True,
            env={"NUKE_PATH": before},
            timeout=60,
        )
        assert told.stdout == wanted


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A folder where the file should be."""
    (tmp_path / "init.py").mkdir()
    with pytest.raises(InputError, match=r"init.py cannot be written .* by hand"):
        register(tmp_path, tmp_path / "init.py")
