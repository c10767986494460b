"""Where Nuke's Python finds the client: ``python/`` and the wheels of this Python beside this file.

`lumivid nuke install` makes both; ``init.py`` calls :func:`add_paths` with its own folder:

    python/lumivid_fx/                 the half of lumivid_fx that runs inside Nuke
    vendor/<abi>-<platform>/           pyzmq, msgpack and msgspec, such as ``cp311-linux``

In a checkout, where nothing is installed, the client is taken from ``src/``. Standard library only.
"""

from __future__ import annotations

import json
import platform
import sys
from importlib.util import find_spec
from pathlib import Path

LIBRARIES = ("zmq", "msgpack", "msgspec")
"""What the client needs beside the standard library, by the names it is imported under."""

MANIFEST = "lumivid-manifest.json"
"""What `lumivid nuke install` wrote, file by file."""

_NATIVE = (".so", ".pyd", ".dll", ".dylib")


def abi_tag() -> str:
    """What wheels for this Python are tagged with, such as ``cp311``."""
    return f"cp{sys.version_info.major}{sys.version_info.minor}"


def platform_tag() -> str:
    """The system this Python was built for: ``linux``, ``win``, ``mac-x86_64`` or ``mac-arm64``."""
    mac = "mac-arm64" if platform.machine() == "arm64" else "mac-x86_64"
    return {"darwin": mac, "win32": "win"}.get(sys.platform, "linux")


def vendor_folder(root: str | Path) -> Path:
    """Where the wheels of this Python lie, or would."""
    return Path(root) / "vendor" / f"{abi_tag()}-{platform_tag()}"


def add_paths(root: str | Path) -> str:
    """Let this Python import the node and its client; what can be imported already goes first.

    Args:
        root: The folder that holds this file.

    Returns:
        What is missing, as one sentence with its remedy; empty if nothing is.
    """
    root = Path(root).absolute()
    if cut := _cut_off(root):
        return f"{cut} is damaged; run `lumivid nuke install --force`"
    client = root / "python"
    if not (client / "lumivid_fx").is_dir():
        client = root.resolve().parent / "src"
    for folder in (root, client, vendor_folder(root)):
        if folder.is_dir() and str(folder) not in sys.path:
            sys.path.append(str(folder))
    if find_spec("lumivid_fx") is None:
        return f"{root} holds no client; run `lumivid nuke install` again"
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return (
            f"{vendor_folder(root)} holds no {missing[0]}; run `lumivid nuke install --python "
            f"{version}`"
        )
    return ""


def _cut_off(root: Path) -> Path | None:
    """A library of this Python with another length than was written: loading it would end Nuke."""
    manifest = root / MANIFEST
    under = f"{vendor_folder(root).relative_to(root).as_posix()}/"
    try:
        files: dict[str, dict[str, int]] = json.loads(manifest.read_text("utf-8"))["files"]
        ours = [place for place in files if place.startswith(under)]
        sizes = {root / place: int(files[place]["size"]) for place in ours}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return manifest
    for path, size in sizes.items():
        native = any(each in path.suffixes for each in _NATIVE)
        if native and path.is_file() and path.stat().st_size != size:
            return path
    return None
