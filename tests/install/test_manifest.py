"""What was written, and what is no longer so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lumivid_fx.errors import InputError
from lumivid_fx.install.manifest import (
    NAME,
    Manifest,
    compare,
    describe,
    read_manifest,
    write_manifest,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of three files and a link, with its manifest."""
    folder = tmp_path / "root"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.py", "b.so", "sub/c.py"):
        (folder / name).write_text(f"# {name}")
    (folder / "link").symlink_to("a.py")
    files, links = describe(folder)
    write_manifest(folder, Manifest("0.1.0", 1, {"cp311-linux": {"x.whl": "ab"}}, files, links))
    return folder


def manifest_of(root: Path) -> Manifest:
    """Its manifest, which must be there."""
    manifest = read_manifest(root)
    assert manifest is not None
    return manifest


def test_it_is_read_as_it_was_written(root: Path) -> None:
    """Files with their sizes, links with their targets, wheels with their hashes."""
    manifest = manifest_of(root)
    assert set(manifest.files) == {"a.py", "b.so", "sub/c.py"}
    assert manifest.links == {"link": "a.py"}
    assert manifest.size == sum(len(f"# {name}") for name in manifest.files)
    assert manifest.targets == {"cp311-linux": {"x.whl": "ab"}}
    assert compare(root, manifest).whole


def test_none_where_there_is_none(tmp_path: Path) -> None:
    """Nothing, an empty folder and a file are no install."""
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "nothing", tmp_path / "file"):
        assert read_manifest(path) is None


def test_each_difference_is_told(root: Path) -> None:
    """Same size with other bytes, gone, a folder in a file's place, a link elsewhere, and more."""
    (root / "a.py").write_text("# a.pY")
    (root / "b.so").unlink()
    (root / "sub/c.py").unlink()
    (root / "sub/c.py").mkdir()
    (root / "link").unlink()
    (root / "link").symlink_to("b.so")
    (root / "mine.txt").touch()
    found = compare(root, manifest_of(root))
    assert found.changed == ("a.py", "sub/c.py", "link")
    assert found.missing == ("b.so",)
    assert found.extra == ("mine.txt",)
    assert not found.whole


def test_a_link_to_nothing_is_told(root: Path) -> None:
    """The checkout that was linked to has moved."""
    (root / "a.py").unlink()
    found = compare(root, manifest_of(root))
    assert (found.missing, found.unreadable) == (("a.py",), ("link",))


def test_bytecode_is_nobodys_work(root: Path) -> None:
    """What Python keeps beside our sources is not counted; beside other files it is."""
    for path in ("__pycache__/a.cpython-311.pyc", "__pycache__/other.cpython-311.pyc"):
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).touch()
    assert compare(root, manifest_of(root)).extra == ("__pycache__/other.cpython-311.pyc",)


@pytest.mark.parametrize("place", ["../x", "/etc/passwd", "a/../../x", "C:/x", "a//b", ".", "a\0b"])
@pytest.mark.parametrize("kind", ["files", "links"])
def test_no_place_outside_is_taken(root: Path, place: str, kind: str) -> None:
    """A manifest says what is deleted, so that it may name nothing outside its folder."""
    raw = json.loads((root / NAME).read_text())
    raw[kind][place] = {"sha256": "", "size": 0} if kind == "files" else "a.py"
    (root / NAME).write_text(json.dumps(raw))
    with pytest.raises(InputError, match="is damaged"):
        read_manifest(root)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"lumivid": "1"}', "[" * 100_000, "\udcff"]
)
def test_a_damaged_one_is_told(root: Path, text: str) -> None:
    """In one sentence, with the remedy."""
    (root / NAME).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=r"is damaged .*--force"):
        read_manifest(root)


def test_a_copy_elsewhere_is_as_whole(root: Path, tmp_path: Path) -> None:
    """The folder may be moved to a share, or into a rez repository."""
    moved = shutil.copytree(root, tmp_path / "moved", symlinks=True)
    assert compare(moved, manifest_of(moved)).whole
