"""Whether an installed node is whole and works: one row for each thing it stands on.

A fault is a row like any other, with what to do about it; nothing here raises.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import lumivid_fx
from lumivid_fx.errors import InputError
from lumivid_fx.install.interpreters import find_python, try_client
from lumivid_fx.install.manifest import Differences, Manifest, compare, read_manifest
from lumivid_fx.install.register import advice, seen_by, user_init
from lumivid_fx.install.targets import SYSTEMS, this_system

MB = 1_000_000

AGAIN = "lumivid nuke install"

Status = Literal["ok", "skip", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """One row.

    Attributes:
        name: What was looked at.
        status: "ok"; "skip" if it cannot be tried here; "warn" where the node works with a limit;
            "fail" where it does not.
        detail: What was found.
        remedy: What to do about it, empty where all is well.
    """

    name: str
    status: Status
    detail: str
    remedy: str = ""


def examine(root: Path, environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Look at everything but the worker, one row after the other.

    Args:
        root: The folder for Nuke.
        environ: Where ``NUKE_PATH`` is looked for.
    """
    try:
        manifest = read_manifest(root)
    except InputError as error:
        yield Finding("folder", "fail", str(error), f"{AGAIN} --force")
        return
    if manifest is None:
        yield Finding("folder", "fail", f"nothing is installed in {root}", AGAIN)
        return
    yield _folder(root, manifest)
    yield _files(root, manifest)
    for target in sorted(manifest.targets):
        yield from _target(root, target, manifest)
    yield _seen(root, environ)


def _folder(root: Path, manifest: Manifest) -> Finding:
    what = f"lumivid-fx {manifest.lumivid} in {root}, {manifest.size / MB:.1f} MB"
    here = lumivid_fx.__version__
    if manifest.lumivid == here:
        return Finding("folder", "ok", what)
    return Finding("folder", "warn", f"{what}; here is {here}", AGAIN)


def _files(root: Path, manifest: Manifest) -> Finding:
    try:
        found = compare(root, manifest)
    except OSError as error:
        return Finding("files", "fail", f"{error}", "let this user read the folder")
    extra = f"; {_some(found.extra)} not installed by lumivid" if found.extra else ""
    if found.whole:
        count = len(manifest.files) + len(manifest.links)
        return Finding("files", "ok", f"all {count} as they were installed{extra}")
    force = " --force" if found.changed else ""
    told = "; ".join(_faults(found))
    return Finding("files", "fail", f"{told}{extra}", f"{AGAIN}{force}")


def _faults(found: Differences) -> Iterator[str]:
    for what, places in (
        ("missing", found.missing),
        ("changed", found.changed),
        ("unreadable", found.unreadable),
    ):
        if places:
            yield f"{_some(places)} {what}"


def _some(places: tuple[str, ...]) -> str:
    more = f" and {len(places) - 2} more" if len(places) > 2 else ""
    return f"{', '.join(places[:2])}{more}"


def _target(root: Path, target: str, manifest: Manifest) -> Iterator[Finding]:
    """The wheels for one Python on one system, and the client in such a Python."""
    wheels = manifest.targets[target]
    names = ", ".join(" ".join(name.split("-")[:2]) for name in sorted(wheels))
    under = f"vendor/{target}/"
    files = {place: file for place, file in manifest.files.items() if place.startswith(under)}
    size = sum(file.size for file in files.values())
    if (root / under).is_dir() and wheels:
        yield Finding(target, "ok", f"{names}, {size / MB:.1f} MB")
    else:
        yield Finding(target, "fail", f"{root / under} is missing", AGAIN)
    abi, _, folder = target.partition("-")
    version = f"{abi[2:3]}.{abi[3:]}"
    name = f"client in Python {version}"
    if folder != SYSTEMS[this_system()].folder:
        return
    python = find_python(version)
    if python is None:
        yield Finding(name, "skip", f"there is no python{version} here to try it in")
        return
    tried = try_client(python, root)
    if tried.error:
        yield Finding(name, "fail", f"{python}: {tried.error}", f"{AGAIN} --force")
    elif (tried.release, tried.protocol) != (manifest.lumivid, manifest.protocol):
        yield Finding(
            name, "fail", f"{python} imported release {tried.release}", f"{AGAIN} --force"
        )
    else:
        yield Finding(name, "ok", f"{python} imports it, with nothing else installed")


def _seen(root: Path, environ: Mapping[str, str]) -> Finding:
    try:
        how = seen_by(root, user_init(), environ)
    except OSError as error:
        return Finding("NUKE_PATH", "warn", str(error), "let this user read it")
    if how:
        return Finding("NUKE_PATH", "ok", f"Nuke finds the folder {how}")
    remedy = f"{advice(root)}, or {AGAIN} --register"
    return Finding("NUKE_PATH", "warn", "Nuke of this user does not find the folder", remedy)
