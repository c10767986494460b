"""Wheels, fetched by a real pip from a real folder, and unpacked."""

from __future__ import annotations

import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from lumivid_fx.errors import InputError
from lumivid_fx.install.targets import Target, this_system
from lumivid_fx.install.wheels import LIBRARIES, fetch, requirements, unpack


def make_wheel(path: Path, members: dict[str, bytes]) -> Path:
    """A zip archive of that name."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_this_release_knows_what_it_needs() -> None:
    """The bounds are those of pyproject.toml, and reach pip as they are."""
    assert [text[: len(name)] for text, name in zip(requirements(), LIBRARIES, strict=True)] == [
        *LIBRARIES
    ]
    assert all(">=" in text for text in requirements())


def test_a_folder_is_enough(wheels: Path, tmp_path: Path) -> None:
    """With a folder no index is asked: what is not in it is not found."""
    target = Target("3.10", this_system())
    found = fetch(target, tmp_path, wheels)
    assert sorted(path.name.split("-")[0] for path in found) == sorted(LIBRARIES)
    assert all((wheels / path.name).read_bytes() == path.read_bytes() for path in found)


@pytest.mark.parametrize("missing", LIBRARIES)
def test_a_folder_with_a_hole_is_told(wheels: Path, tmp_path: Path, missing: str) -> None:
    """The sentence names the library, the Python and the folder."""
    (tmp_path / "wheels").mkdir()
    for path in wheels.iterdir():
        if not path.name.startswith(missing):
            (tmp_path / "wheels" / path.name).symlink_to(path)
    told = rf"no wheel of {missing}\S* for Python 3.11 on \S+ in {tmp_path / 'wheels'}"
    with pytest.raises(InputError, match=told):
        fetch(Target("3.11", this_system()), tmp_path / "fetched", tmp_path / "wheels")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Of itself, pip would only say that it found nothing."""
    with pytest.raises(InputError, match=f"{tmp_path / 'none'} is no folder"):
        fetch(Target("3.11", this_system()), tmp_path, tmp_path / "none")


def test_source_archives_are_never_built(tmp_path: Path) -> None:
    """A source archive in the folder, whose build would run code, is as good as none."""
    (tmp_path / "pyzmq-99.0.tar.gz").write_bytes(b"")
    with pytest.raises(InputError, match="no wheel of pyzmq"):
        fetch(Target("3.11", this_system()), tmp_path / "fetched", tmp_path)


def test_a_wheel_is_unpacked_as_it_is(tmp_path: Path) -> None:
    """Library and licence arrive, scripts and headers do not, and the hash is the wheel's."""
    wheel = make_wheel(
        tmp_path / "a-1-py3-none-any.whl",
        {
            "a/__init__.py": b"1",
            "a/empty/": b"",
            "a-1.data/platlib/a/native.so": b"2",
            "a-1.data/scripts/a": b"3",
            "a-1.dist-info/licenses/LICENSE": b"4",
        },
    )
    assert unpack(wheel, tmp_path / "to") == sha256(wheel.read_bytes()).hexdigest()
    held = {p.relative_to(tmp_path / "to").as_posix(): p for p in (tmp_path / "to").rglob("*")}
    files = {place: path.read_bytes() for place, path in held.items() if path.is_file()}
    assert files == {
        "a/__init__.py": b"1",
        "a/native.so": b"2",
        "a-1.dist-info/licenses/LICENSE": b"4",
    }


@pytest.mark.parametrize(
    "name",
    ["../out", "/etc/out", "a/../../out", "a-1.data/purelib/../../out", "..\\out", "C:out"],
)
def test_no_wheel_writes_elsewhere(tmp_path: Path, name: str) -> None:
    """A member that names a place outside is refused, and nothing of it is written."""
    wheel = make_wheel(tmp_path / "a-1-py3-none-any.whl", {name: b"gotcha"})
    with pytest.raises(InputError, match=r"a-1-py3-none-any.whl is damaged \(it names"):
        unpack(wheel, tmp_path / "a" / "b" / "to")
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == [wheel.name]


@pytest.mark.parametrize("part", ["head", "body"])
def test_a_damaged_wheel_is_told(wheels: Path, tmp_path: Path, part: str) -> None:
    """A cut one is no archive; a flipped bit in the middle fails its checksum."""
    content = bytearray(next(wheels.glob("msgspec-*")).read_bytes())
    if part == "head":
        del content[1000:]
    else:
        content[len(content) // 2] ^= 1
    wheel = tmp_path / "msgspec-1-cp311-cp311-any.whl"
    wheel.write_bytes(content)
    with pytest.raises(InputError, match=f"{wheel.name} is damaged"):
        unpack(wheel, tmp_path / "to")


def test_every_library_keeps_its_licence(installed: Path) -> None:
    """Beside each library, in its dist-info, lies a licence; pyzmq's names libzmq and libsodium."""
    for folder in (installed / "vendor").iterdir():
        infos = list(folder.glob("*.dist-info"))
        assert sorted(info.name.split("-")[0] for info in infos) == sorted(LIBRARIES)
        for info in infos:
            found = [p for p in info.rglob("*") if p.name.upper().startswith(("LICENS", "COPYING"))]
            assert any(path.is_file() and path.stat().st_size > 500 for path in found), info
