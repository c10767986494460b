"""Where results lie: by content, so that the same plate with the same settings is rendered once.

    <cache_dir>/<key>/result.####.exr

The key is a hash of the plate, the settings and the release. It stands in a knob of the node, and
the Read inside the node reads from there: a script plays its results without this package.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from lumivid_fx import __version__
from lumivid_fx.errors import InputError
from lumivid_nuke import host, knobs

if TYPE_CHECKING:
    import nuke

    from lumivid_nuke.knobs import NodeSettings

CACHE = "LUMIVID_NUKE_CACHE"
"""Environment variable: where nodes keep results that do not say so themselves."""

FORM = "2"
"""What results are like: EXRs with a mask. Those of another form are not taken for these."""

_KEY = re.compile(r"[0-9a-f]{64}")
_RESULT = re.compile(r"result\.(-?[0-9]+)\.exr")


def result_key(
    identity: str, settings: NodeSettings, input_space: str, output_space: str, ocio: str | None
) -> str:
    """What a result is found by.

    Args:
        identity: Of the plate.
        settings: What the artist decided.
        input_space: Of the plate, whoever said it.
        output_space: Of the result.
        ocio: The studio's config.
    """
    said = {**asdict(settings), "input_space": input_space, "output_space": output_space}
    parts = [FORM, __version__, identity, ocio or "", json.dumps(said, sort_keys=True)]
    return hashlib.sha256("\0".join(parts).encode("utf-8")).hexdigest()


def is_key(name: str) -> bool:
    """Whether a folder's name is a key."""
    return _KEY.fullmatch(name) is not None


def cache_dir(node: nuke.Node) -> Path:
    """Where a node keeps its results: what its knob says, which is filled in if it is empty.

    Raises:
        InputError: It is no absolute path.
    """
    said = knobs.text(node, "cache_dir")
    if not said:
        said = default_cache_dir()
        node["cache_dir"].setValue(said)
    path = Path(os.path.normpath(said))
    if not path.is_absolute():
        raise InputError(
            f"the cache directory {said!r} of {node.name()} is not absolute; give all of its path"
        )
    return path


def default_cache_dir() -> str:
    """What the environment says, else ``lumivid`` beside the script, else in the home."""
    told, script = os.environ.get(CACHE, ""), host.script_name()
    if told:
        return told
    base = Path(script).parent if Path(script).is_absolute() else Path.home()
    return (base / "lumivid").as_posix()


def result_folder(cache: Path, key: str) -> Path:
    """Where the frames of a result lie."""
    return cache / key


def result_pattern(folder: Path, hashes: str = "####") -> str:
    """The frames of a result as one path."""
    return f"{folder.as_posix()}/result.{hashes}.exr"


def frames_there(folder: Path) -> set[int]:
    """Numbers of the frames that are finished."""
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError:
        return set()
    return {int(found[1]) for found in map(_RESULT.fullmatch, names) if found}


def missing_frames(folder: Path, first: int, last: int) -> list[int]:
    """Numbers of the frames of a range that are not."""
    return sorted(set(range(first, last + 1)) - frames_there(folder))
