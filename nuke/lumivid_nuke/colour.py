"""Colour spaces by Nuke's names, and what a worker calls them.

Nuke's own names without OCIO mean curves on Rec.709 light. Names of an OCIO config are sent as they
are: the worker looks them up in the same config, or in the studio config that it brings.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import nuke

if TYPE_CHECKING:
    from collections.abc import Iterable

WORKING = "scene_linear"
"""The role that every OCIO config gives its working space."""

NUKE_NAMES = {
    "linear": "lin_rec709",
    "srgb": "srgb",
    "rec709": "rec709",
    "gamma2.2": "gamma22",
}
"""Nuke's own spaces that say what they are. Its camera spaces are a curve without primaries."""

ACES_NAMES = {
    "aces - acescg": "acescg",
    "aces - aces2065-1": "aces2065-1",
    "aces - acescct": "acescct",
    "utility - linear - srgb": "lin_rec709",
    "utility - linear - rec.709": "lin_rec709",
    "utility - linear - rec.2020": "lin_rec2020",
    "utility - linear - p3-d65": "lin_p3d65",
    "utility - srgb - texture": "srgb",
}
"""Names of the ACES 1.2 config and before, which Nuke brings and newer configs do not know."""

VIEWS = {"srgb": "srgb", "rec709": "gamma22", "rec1886": "rec709", "bt1886": "rec709"}
"""Nuke's own viewer processes, by the curve that is nearest to what they show.

``rec709`` in a viewer is the camera's curve and ``rec1886`` the display's; a worker's ``rec709`` is
the latter. The camera's curve lies nearer to gamma 2.2 than to 2.4.
"""

_INSIDE = re.compile(r".*\((.*)\)")
_DEFAULT = re.compile(r"default\s*\((.*)\)")
_VIEW = re.compile(r"(.*) \((.*)\)")


def worker_name(space: str) -> str:
    """What a worker calls a space; names that are not Nuke's own stay as they are.

    Args:
        space: As a knob says it: ``sRGB``, ``default (sRGB)``, ``scene_linear (ACES - ACEScg)``.
    """
    plain = space.strip()
    default = _DEFAULT.fullmatch(plain)
    if default is not None:
        plain = default[1].strip()
    if plain.startswith((f"{WORKING} ", f"{WORKING}(")):
        inside = _INSIDE.fullmatch(plain)
        plain = plain if inside is None else inside[1].strip()
    low = plain.lower()
    if low in ACES_NAMES:
        return ACES_NAMES[low]
    if not uses_ocio():
        return NUKE_NAMES.get("linear" if low == WORKING else low, plain)
    return plain


def is_clear(space: str) -> bool:
    """Whether a worker knows what a name of Nuke's own means; with OCIO every name is clear."""
    return uses_ocio() or worker_name(space) in NUKE_NAMES.values()


def uses_ocio() -> bool:
    """Whether the script's colours are an OCIO config's, Nuke's own default one apart."""
    management, config = _root("colorManagement"), _root("OCIO_config")
    return management.upper() == "OCIO" and config != "nuke-default"


def working_space() -> str:
    """The script's working space, by the worker's name."""
    return worker_name(_root("workingSpaceLUT") or WORKING)


def config_path() -> str | None:
    """Path of the script's own OCIO config; None for those that Nuke and the worker bring."""
    if not uses_ocio():
        return None
    named = os.environ.get("OCIO", "")
    if _root("OCIO_config") == "custom":
        named = _root("customOCIOConfigPath") or named
    return named if Path(named).is_absolute() else None


def view_names(processes: Iterable[str]) -> list[str]:
    """Viewer processes such as ``sRGB (ACES)``, by the worker's names, ``ACES/sRGB``."""
    names = []
    for process in processes:
        found = _VIEW.fullmatch(process)
        name = VIEWS.get(process.lower()) if found is None else f"{found[2]}/{found[1]}"
        if name and name not in names and _is_picture(process):
            names.append(name)
    return names


def _is_picture(process: str) -> bool:
    """Whether a viewer process shows a picture: ``None`` and ``Raw`` do not."""
    return process.partition(" (")[0].lower() not in ("none", "raw", "log")


def script_views() -> list[str]:
    """The SDR views of this script that a plate may have been made with, the worker's names."""
    return view_names(str(name) for name in nuke.ViewerProcess.registeredNames())


def _root(name: str) -> str:
    knob = nuke.root().knob(name)
    if knob is None:
        return ""
    return str((knob.evaluate() if hasattr(knob, "evaluate") else knob.value()) or "")
