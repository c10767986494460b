"""Copies of a model folder, to be broken."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor


def linked_copy(folder: Path, to: Path) -> Path:
    """A copy of hard links: quick, and safe as long as files are replaced, not written into."""
    shutil.copytree(folder, to, copy_function=os.link)
    return to


def replace_text(path: Path, change: Callable[[str], str]) -> None:
    """Change a text file of a linked copy."""
    text = path.read_text("utf-8")
    path.unlink()
    path.write_text(change(text), "utf-8")


def replace_json(path: Path, **changes: Any) -> None:
    """Change entries of a JSON file of a linked copy."""
    replace_text(path, lambda text: json.dumps({**json.loads(text), **changes}))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file."""
    with safe_open(path, "pt") as file:
        names = file.keys()
        return {name: file.get_tensor(name) for name in names}


def replace_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> Path:
    """Write a safetensors file anew."""
    path.unlink(missing_ok=True)
    save_file(
        {k: v.contiguous() for k, v in tensors.items()}, path, dict(metadata) if metadata else None
    )
    return path
