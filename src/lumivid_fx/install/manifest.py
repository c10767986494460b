"""What `lumivid nuke install` wrote, file by file with its hash, and what is no longer so.

    {"lumivid": "0.1.0", "protocol": 1,
     "targets": {"cp311-linux": {"pyzmq-27.3.0-….whl": "<sha256>", ...}, ...},
     "files":   {"init.py": {"sha256": "…", "size": 812}, ...},
     "links":   {"menu.py": "/home/me/lumivid-fx/nuke/menu.py", ...}}

It names what uninstall deletes, so that a place outside the folder is refused when it is read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import file_digest
from pathlib import Path, PurePosixPath, PureWindowsPath

from lumivid_fx.errors import InputError

NAME = "lumivid-manifest.json"


@dataclass(frozen=True)
class Written:
    """A file as it was written."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """What was installed.

    Attributes:
        lumivid: The release.
        protocol: Major version of the protocol that its client speaks.
        targets: SHA-256 of each wheel by its name, by its folder such as ``cp311-linux``.
        files: Every file by its place in the folder, with slashes.
        links: What each link points at, by its place.
    """

    lumivid: str
    protocol: int
    targets: dict[str, dict[str, str]]
    files: dict[str, Written]
    links: dict[str, str]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files.values())


@dataclass(frozen=True)
class Differences:
    """What is not as it was written, by its place in the folder.

    Attributes:
        missing: Not there any more.
        changed: There with other bytes, or a link to another place.
        unreadable: There, and this user cannot read it.
        extra: There, and never written; bytecode of our own files is not counted.
    """

    missing: tuple[str, ...]
    changed: tuple[str, ...]
    unreadable: tuple[str, ...]
    extra: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether everything that was written is there as it was; more may be there."""
        return not (self.missing or self.changed or self.unreadable)


def write_manifest(root: Path, manifest: Manifest) -> None:
    """Write a folder's manifest."""
    text = json.dumps(asdict(manifest), indent=1, sort_keys=True)
    (root / NAME).write_text(text + "\n", encoding="utf-8")


def read_manifest(root: Path) -> Manifest | None:
    """Read a folder's manifest; None where there is none.

    Raises:
        InputError: It is damaged.
    """
    path = root / NAME
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        manifest = Manifest(
            lumivid=str(raw["lumivid"]),
            protocol=int(raw["protocol"]),
            targets={
                str(folder): {str(wheel): str(digest) for wheel, digest in wheels.items()}
                for folder, wheels in raw["targets"].items()
            },
            files={
                str(place): Written(str(file["sha256"]), int(file["size"]))
                for place, file in raw["files"].items()
            },
            links={str(place): str(at) for place, at in raw["links"].items()},
        )
        for place in (*manifest.files, *manifest.links):
            _check_place(place)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path} is damaged ({type(error).__name__}: {error}); run `lumivid nuke install "
            "--force` to write it anew"
        ) from error
    return manifest


def describe(root: Path) -> tuple[dict[str, Written], dict[str, str]]:
    """The files and links of a folder as they are now; its manifest is none of them."""
    files, links = {}, {}
    for path in _walk(root):
        place = path.relative_to(root).as_posix()
        if path.is_symlink():
            links[place] = str(path.readlink())
        elif place != NAME:
            files[place] = _hashed(path)
    return files, links


def compare(root: Path, manifest: Manifest) -> Differences:
    """Look at every file that was written, and for what was not."""
    missing: list[str] = []
    changed: list[str] = []
    unreadable: list[str] = []
    for place, wanted in manifest.files.items():
        path = root / place
        try:
            if path.is_symlink() or not path.is_file():
                (changed if os.path.lexists(path) else missing).append(place)
            elif path.stat().st_size != wanted.size or _hashed(path) != wanted:
                changed.append(place)
        except OSError:
            unreadable.append(place)
    for place, at in manifest.links.items():
        path = root / place
        if not os.path.lexists(path):
            missing.append(place)
        elif not path.is_symlink() or str(path.readlink()) != at:
            changed.append(place)
        elif not path.exists():
            unreadable.append(place)
    known = {NAME, *manifest.files, *manifest.links}
    places = (path.relative_to(root).as_posix() for path in _walk(root))
    extra = [p for p in places if p not in known and not _is_bytecode_of(p, known)]
    return Differences(tuple(missing), tuple(changed), tuple(unreadable), tuple(sorted(extra)))


def bytecode(path: Path) -> Iterator[Path]:
    """What Pythons kept beside a source file when they imported it."""
    if path.suffix == ".py":
        yield from path.parent.glob(f"__pycache__/{path.stem}.cpython-*.pyc")


def _walk(folder: Path) -> Iterator[Path]:
    """Every file and link in a folder; links to folders are not followed."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path))
            else:
                yield Path(entry.path)


def _hashed(path: Path) -> Written:
    with path.open("rb") as file:
        return Written(file_digest(file, "sha256").hexdigest(), file.tell())


def _check_place(place: str) -> None:
    path = PurePosixPath(place)
    outside = path.is_absolute() or ".." in path.parts or bool(PureWindowsPath(place).drive)
    if outside or path.as_posix() != place or place == "." or "\0" in place:
        raise ValueError(f"it names {place!r}")


def _is_bytecode_of(place: str, known: set[str]) -> bool:
    path = PurePosixPath(place)
    source = path.parent.parent / f"{path.name.partition('.')[0]}.py"
    return path.parent.name == "__pycache__" and source.as_posix() in known
