"""Models by name: where they are kept, and how a name becomes a folder.

    models/NAME/lumivid.toml   an entry: what the model is made of, by paths
    models/ready/*.safetensors weights as they run, by what made them (:mod:`.ready`)
    models/files/              what `lumivid models pull` fetched
    models/digests.json        SHA-256 of large files, so that none is hashed at every start

``LUMIVID_MODELS`` names the folder; else it is ``models`` under ``LUMIVID_HOME``, or under
``lumivid-fx`` in the XDG data directory. A worker's sandbox may read it, and the files it names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from lumivid_fx.errors import InputError
from lumivid_fx.model.manifest import MANIFEST_NAME, Manifest, read_manifest

MODELS = "LUMIVID_MODELS"
"""Environment variable: the library's folder."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_TAKEN = ("ready", "files", "embedded")

EMBEDDED = Path(__file__).parent / "embedded"
"""The model that ships with the package; by name, ``embedded``."""


def library_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where models are kept; it need not exist yet."""
    if environ.get(MODELS):
        return Path(environ[MODELS]).absolute()
    if environ.get("LUMIVID_HOME"):
        return Path(environ["LUMIVID_HOME"]).absolute() / "models"
    data = environ.get("XDG_DATA_HOME") or str(Path.home() / ".local/share")
    return Path(data).absolute() / "lumivid-fx" / "models"


def check_name(name: str) -> str:
    """Refuse a name that is none.

    Raises:
        InputError: It has other characters than letters, digits, dots, dashes and underscores, or
            is taken.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} is no model's name; use letters, digits, dots, dashes and underscores, at "
            "most 64, a letter or digit first"
        )
    if name in _TAKEN:
        raise InputError(f"the name {name!r} is taken; choose another")
    return name


def is_entry_name(model: str | os.PathLike[str] | None) -> bool:
    """Whether this is a name and not a path: a word without a slash."""
    return model is not None and _NAME.fullmatch(os.fspath(model)) is not None


def find_model(model: str | os.PathLike[str] | None) -> Path:
    """The folder of a model.

    Args:
        model: A name, a folder, or None for the embedded model. A folder of the current one wants
            a slash, as ``./mine``, unless no model is called so.

    Raises:
        InputError: There is no model of that name.
    """
    if model is None:
        return EMBEDDED
    known = is_entry_name(model) and (library_folder() / model / MANIFEST_NAME).is_file()
    if not known and (Path(model) / MANIFEST_NAME).is_file():
        return Path(model)
    return find_entry(os.fspath(model)) if is_entry_name(model) else Path(model)


def find_entry(name: str) -> Path:
    """The folder of a model of the library, or of the embedded one by its name.

    Raises:
        InputError: There is no model of that name.
    """
    if name == "embedded":
        return EMBEDDED
    folder = library_folder() / name
    if not (folder / MANIFEST_NAME).is_file():
        there = ", ".join(known for known, _ in entries()) or "none yet"
        raise InputError(
            f"there is no model {name!r} in {library_folder()} ({there}); add it with `lumivid "
            f"models add {name} FILES`, or give a folder's path"
        )
    return folder


def entries() -> Iterator[tuple[str, Path]]:
    """Names and folders of all models in the library, by name."""
    with suppress(OSError):
        for path in sorted(library_folder().glob(f"*/{MANIFEST_NAME}")):
            if _NAME.fullmatch(path.parent.name):
                yield path.parent.name, path.parent


def named_files(folder: Path, manifest: Manifest) -> list[Path]:
    """Every file and folder that a model's manifest names, whether it is there or not."""
    names = [manifest.transformer, manifest.vae, manifest.upsampler, manifest.prompt_embedding]
    names += [manifest.lora, *(file for file, _ in manifest.more_loras)]
    return list(dict.fromkeys(folder / name for name in names if name))


def readable_paths() -> list[Path]:
    """What a process must be able to read to load any model of the library."""
    paths = [library_folder()]
    for _, folder in entries():
        with suppress(InputError):
            paths += [p for p in named_files(folder, read_manifest(folder)) if p.exists()]
    return list(dict.fromkeys(paths))
