"""Install and uninstall."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.install.conftest import TARGETS

from lumivid_fx.errors import InputError
from lumivid_fx.install.manifest import NAME, compare, read_manifest
from lumivid_fx.install.payload import payload
from lumivid_fx.install.place import COMMAND, FORGOTTEN_S, install, settle, uninstall
from lumivid_fx.install.targets import Target, this_system

NO_WHEELS: tuple[Target, ...] = ()
"""For what has nothing to do with wheels."""


def tree(root: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def left_beside(root: Path) -> list[str]:
    """What an install did not clean away."""
    return [path.name for path in root.parent.iterdir() if path.name.startswith(f".{root.name}")]


def test_it_is_whole(installed: Path) -> None:
    """Node, client and three folders of wheels are there, as the manifest says."""
    manifest = read_manifest(installed)
    assert manifest is not None
    assert compare(installed, manifest) == compare(installed, manifest)
    assert compare(installed, manifest).whole
    assert not compare(installed, manifest).extra
    assert set(manifest.targets) == {target.folder for target in TARGETS}
    assert all(len(wheels) == 3 for wheels in manifest.targets.values())
    assert set(payload()) <= set(manifest.files)
    assert not left_beside(installed)


def test_again(tmp_path: Path, wheels: Path) -> None:
    """What is whole stays, to the very inode; what somebody deleted comes back without --force."""
    root = tmp_path / "node"
    install(root, TARGETS[:1], wheels=wheels)
    whole, inode = tree(root), root.stat().st_ino
    assert install(root, TARGETS[:1], wheels=wheels).unchanged
    assert root.stat().st_ino == inode
    (root / "lumivid_paths.py").unlink()
    shutil.rmtree(root / "vendor" / TARGETS[0].folder)
    assert not install(root, TARGETS[:1], wheels=wheels).unchanged
    assert tree(root) == whole
    assert not left_beside(root)


def test_a_changed_file_is_not_replaced_unasked(tmp_path: Path) -> None:
    """A TD's own line in menu.py, say; with --force it goes."""
    root = tmp_path / "node"
    install(root, NO_WHEELS)
    before = tree(root)
    (root / "package.py").write_text("mine")
    with pytest.raises(InputError, match=r"package.py changed since .* --force to replace it"):
        install(root, NO_WHEELS)
    assert (root / "package.py").read_text() == "mine"
    outcome = install(root, NO_WHEELS, force=True)
    assert outcome.was == outcome.manifest.lumivid
    assert tree(root) == before


def test_what_others_put_there_stays(tmp_path: Path) -> None:
    """Files that install did not write are in the new folder too, and outlive uninstall."""
    root = tmp_path / "node"
    install(root, NO_WHEELS)
    (root / "studio" / "notes").mkdir(parents=True)
    (root / "studio" / "notes" / "read.me").write_text("ours")
    (root / "lumivid_paths.py").unlink()
    install(root, NO_WHEELS)
    assert (root / "studio/notes/read.me").read_text() == "ours"
    _, stays = uninstall(root)
    assert stays == ("studio/notes/read.me",)
    assert tree(root) == {"studio/notes/read.me": b"ours"}


def test_uninstall_leaves_nothing(node: Path) -> None:
    """Bytecode that Nuke made of our files goes as well."""
    cache = node / "python/lumivid_fx/__pycache__"
    cache.mkdir()
    (cache / "errors.cpython-310.pyc").touch()
    manifest, stays = uninstall(node)
    assert len(manifest.files) > 300
    assert stays == ()
    assert not node.exists()


def test_uninstall_removes_no_changed_file_unasked(tmp_path: Path) -> None:
    """It says which one, and has removed nothing yet; with --force it goes."""
    root = tmp_path / "node"
    install(root, NO_WHEELS)
    (root / "package.py").write_text("mine")
    before = tree(root)
    with pytest.raises(InputError, match=r"package.py changed since .* --force to remove it"):
        uninstall(root)
    assert tree(root) == before
    uninstall(root, force=True)
    assert not root.exists()


def test_uninstall_follows_no_link_out(tmp_path: Path) -> None:
    """A folder of ours that became a link to another place: nothing there is deleted."""
    root, other = tmp_path / "node", tmp_path / "other"
    install(root, NO_WHEELS)
    shutil.move(root / "python", other)
    (root / "python").symlink_to(other)
    before = tree(other)
    uninstall(root, force=True)
    assert tree(other) == before


@pytest.mark.parametrize("what", ["folder", "file", "nothing", "empty"])
def test_uninstall_where_nothing_is_installed(tmp_path: Path, what: str) -> None:
    """Nothing is touched."""
    root = tmp_path / "node"
    if what in ("folder", "empty"):
        root.mkdir()
    if what == "folder":
        (root / "plate.exr").write_bytes(b"1")
    if what == "file":
        root.write_bytes(b"1")
    with pytest.raises(InputError, match=f"{root} has no node for Nuke in it"):
        uninstall(root)
    assert root.exists() == (what != "nothing")


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """``--target ~/.nuke`` would mix with the artist's own files, with --force too."""
    (tmp_path / "menu.py").write_text("artist")
    for force in (False, True):
        with pytest.raises(InputError, match=f"{tmp_path} holds something else"):
            install(tmp_path, NO_WHEELS, force=force)
    assert tree(tmp_path) == {"menu.py": b"artist"}


def test_a_failed_install_leaves_the_old_one(installed: Path, node: Path, tmp_path: Path) -> None:
    """The folder of wheels has nothing for the second target: all is as before, to the byte."""
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="no wheel of"):
        install(node, (Target("3.11", this_system()),), wheels=tmp_path / "none")
    assert tree(node) == tree(installed)
    assert not left_beside(node)


def test_a_damaged_manifest_is_replaced_with_force(tmp_path: Path) -> None:
    """Without it nobody knows what is whose."""
    root = tmp_path / "node"
    install(root, NO_WHEELS)
    before = tree(root)
    (root / NAME).write_text("{")
    with pytest.raises(InputError, match="--force"):
        install(root, NO_WHEELS)
    install(root, NO_WHEELS, force=True)
    assert tree(root) == before


def test_the_moment_between_two_renames(tmp_path: Path) -> None:
    """The power went when the old folder was aside: it is back before anything else is done."""
    root = tmp_path / "node"
    install(root, NO_WHEELS)
    before = tree(root)
    root.rename(tmp_path / ".node.old-3f9c3f9c")
    settle(root)
    assert tree(root) == before
    assert not left_beside(root)


def test_forgotten_builds_go(tmp_path: Path) -> None:
    """One of yesterday goes, one of now may be another's that goes on."""
    for age, name in ((FORGOTTEN_S + 60, ".node.new-1"), (0.0, ".node.new-2")):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    settle(tmp_path / "node")
    assert left_beside(tmp_path / "node") == [".node.new-2"]


KILLED = """
import os, signal, sys
from pathlib import Path
from lumivid_fx.install.place import install
from lumivid_fx.install.targets import Target, this_system
def tell(what):
    if "3.11" in what:
        os.kill(os.getpid(), signal.SIGKILL)
both = (Target("3.10", this_system()), Target("3.11", this_system()))
install(Path(sys.argv[1]), both, wheels=Path(sys.argv[2]), tell=tell)
"""


def test_killed_in_the_middle(tmp_path: Path, wheels: Path) -> None:
    """Killed with half of the wheels there: the old folder is as it was, and the next one works."""
    root = tmp_path / "node"
    install(root, NO_WHEELS)
    before = tree(root)
    command = [sys.executable, "-c", KILLED, str(root), str(wheels)]
    assert subprocess.run(command, check=False, timeout=120).returncode == -signal.SIGKILL
    assert tree(root) == before
    assert len(left_beside(root)) == 1
    install(root, TARGETS[:1], wheels=wheels)
    manifest = read_manifest(root)
    assert manifest is not None
    assert set(manifest.targets) == {TARGETS[0].folder}
    assert compare(root, manifest).whole


def test_links(tmp_path: Path) -> None:
    """Links lead to this package; uninstall removes the links and nothing behind them."""
    root = tmp_path / "node"
    outcome = install(root, NO_WHEELS, link=True)
    sources = payload()
    assert (root / "lumivid_paths.py").resolve() == sources["lumivid_paths.py"]
    assert (root / "python/lumivid_fx/client").is_symlink()
    assert set(outcome.manifest.files) == {COMMAND}
    assert install(root, NO_WHEELS, link=True).unchanged
    uninstall(root)
    assert not root.exists()
    assert all(path.is_file() for path in sources.values())


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """A file where a folder is to be: a sentence, not a traceback."""
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be written .* --target"):
        install(tmp_path / "file" / "node", NO_WHEELS)
