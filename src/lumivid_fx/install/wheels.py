"""The client's libraries for a Python and a system that need not be this one.

pip chooses and fetches, from an index, a mirror or a folder; nothing is built. A wheel is unpacked
as it is, so that its licences stay beside it and its hash says what was installed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from hashlib import sha256
from importlib import metadata
from pathlib import Path, PurePosixPath

from lumivid_fx.errors import InputError
from lumivid_fx.install.targets import SYSTEMS, Target

LIBRARIES = ("pyzmq", "msgpack", "msgspec")
"""What the client needs beside the standard library; none of them needs another."""

PATIENCE_S = 600.0
"""How long pip may take for one Python on one system: three wheels, 2 MB together."""

_NAME = re.compile(r"[^\w.-]")
"""What ends a library's name in a requirement such as ``msgpack<2,>=1.2.1``."""


def requirements() -> list[str]:
    """The libraries with the versions that this release of lumivid-fx asks for.

    Raises:
        InputError: lumivid-fx is on the path without having been installed.
    """
    try:
        asked = metadata.requires("lumivid-fx") or []
    except metadata.PackageNotFoundError:
        raise InputError(
            "lumivid-fx was not installed, and does not know which wheels it needs; install it "
            "with pip"
        ) from None
    named = {_NAME.split(text, maxsplit=1)[0]: text for text in asked if ";" not in text}
    return [named[library] for library in LIBRARIES]


def fetch(target: Target, into: Path, folder: Path | None = None) -> list[Path]:
    """Fetch the wheels for one Python on one system.

    Args:
        target: What they are for.
        into: An empty folder for them.
        folder: Take them from this folder alone, and ask no index.

    Raises:
        InputError: There is no pip here, or it has no such wheel.
    """
    options = ["--no-deps", "--only-binary=:all:", "--implementation", "cp"]
    options += ["--python-version", target.python, "--dest", str(into)]
    options += [part for tag in SYSTEMS[target.system].tags for part in ("--platform", tag)]
    environ = dict(os.environ)
    if folder is not None:
        if not folder.is_dir():
            raise InputError(
                f"{folder} is no folder of wheels; give the one that pip downloaded to"
            )
        options += ["--isolated", "--no-index", "--find-links", str(folder.absolute())]
        environ["PIP_CONFIG_FILE"] = os.devnull  # a studio's settings may name an index
    quiet = ["--quiet", "--no-input", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *quiet, *options, *requirements()]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=PATIENCE_S, env=environ
        )
    except subprocess.TimeoutExpired:
        raise InputError(
            f"pip did not fetch the wheels for Python {target.python} on {target.system} within "
            f"{PATIENCE_S:.0f} s; give --wheels with a folder that holds them"
        ) from None
    if ended.returncode:
        raise InputError(_why(ended.stderr, target, folder))
    return sorted(into.glob("*.whl"))


def unpack(wheel: Path, into: Path) -> str:
    """Unpack a wheel, and tell its SHA-256.

    Raises:
        InputError: It is damaged.
    """
    try:
        digest = sha256(wheel.read_bytes()).hexdigest()
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.infolist():
                place = _place(member.filename)
                if place is None or member.is_dir():
                    continue
                path = into / place
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.read(member))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        raise InputError(f"{wheel.name} is damaged ({error}); fetch it again") from error
    return digest


def _place(name: str) -> PurePosixPath | None:
    """Where a member of a wheel goes; None for scripts and headers, which nothing here needs."""
    head, dot_data, rest = name.partition(".data/")
    if dot_data and "/" not in head:
        kind, _, name = rest.partition("/")
        if kind not in ("purelib", "platlib"):
            return None
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts or "\\" in name or ":" in name:
        raise ValueError(f"it names {name}")
    return place


def _why(said: str, target: Target, folder: Path | None) -> str:
    """What pip said, as one sentence."""
    where = f"in {folder}" if folder is not None else "at the index"
    lines = [line.removeprefix("ERROR: ") for line in said.splitlines() if "ERROR: " in line]
    if any("No matching distribution" in line for line in lines):
        wanted = lines[-1].rpartition(" for ")[2]
        return (
            f"there is no wheel of {wanted} for Python {target.python} on {target.system} {where}; "
            "fetch it there with pip download, or leave out that Python"
        )
    if "No module named pip" in said:
        return (
            f"{sys.executable} has no pip to fetch wheels with; run `{sys.executable} -m ensurepip`"
        )
    last = " ".join((lines or said.strip().splitlines() or ["it said nothing"])[-1].split())
    return (
        f"pip could not fetch the wheels for Python {target.python} on {target.system} "
        f"({last[:200]}); give --wheels with a folder that holds them"
    )
