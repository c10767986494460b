"""The Pythons that Nuke runs and the systems it runs on, as wheels and folders name them."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from lumivid_fx.errors import InputError

PYTHONS = ("3.10", "3.11", "3.13")
"""Nuke 15 has 3.10, Nuke 16 has 3.11; the VFX Reference Platform of 2026 names 3.13."""

MANYLINUX = range(28, 16, -1)
"""Minor versions of glibc 2 that a wheel may ask for: the VFX Reference Platform has 2.28."""

_PYTHON = re.compile(r"3\.(1\d)")


@dataclass(frozen=True)
class System:
    """A system that Nuke runs on.

    Attributes:
        folder: What its folder of wheels ends with.
        tags: What pip calls it; a wheel may have any of these.
    """

    folder: str
    tags: tuple[str, ...]


SYSTEMS = {
    "linux": System(
        "linux", (*(f"manylinux_2_{n}_x86_64" for n in MANYLINUX), "manylinux2014_x86_64")
    ),
    "windows": System("win", ("win_amd64",)),
    "macos": System("mac-x86_64", ("macosx_12_0_x86_64",)),
    "macos-arm": System("mac-arm64", ("macosx_12_0_arm64",)),
}
"""By the names of ``--platform``. macOS 12 is the oldest that Nuke 15 and 16 run on."""


@dataclass(frozen=True)
class Target:
    """One Python on one system.

    Attributes:
        python: Such as ``3.11``.
        system: A name in :data:`SYSTEMS`.
    """

    python: str
    system: str

    @property
    def folder(self) -> str:
        """Its folder of wheels: ``cp311-linux``, as ``nuke/lumivid_paths.py`` looks for it."""
        return f"cp{self.python.replace('.', '')}-{SYSTEMS[self.system].folder}"


def this_system() -> str:
    """The system of this machine, a name in :data:`SYSTEMS`."""
    mac = "macos-arm" if platform.machine() == "arm64" else "macos"
    return {"darwin": mac, "win32": "windows"}.get(sys.platform, "linux")


def targets(pythons: Sequence[str], systems: Sequence[str]) -> tuple[Target, ...]:
    """Every Python on every system, each once.

    Raises:
        InputError: One of them is none that wheels can be had for.
    """
    for python in pythons:
        if not _PYTHON.fullmatch(python):
            raise InputError(f"{python!r} is no Python that Nuke runs; give {', '.join(PYTHONS)}")
    for system in systems:
        if system not in SYSTEMS:
            raise InputError(
                f"{system!r} is no system that Nuke runs on; give {', '.join(SYSTEMS)}"
            )
    if not pythons or not systems:
        raise InputError(
            "no Python or no system was named; leave the option out for the usual ones"
        )
    each = dict.fromkeys((python, system) for system in systems for python in pythons)
    return tuple(Target(*pair) for pair in each)
