"""What of this package goes into the folder for Nuke: the node, and the half that it imports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import lumivid_fx
from lumivid_fx.errors import InputError

CLIENT = ("__init__.py", "errors.py", "py.typed", "client", "protocol")
"""What of ``lumivid_fx`` runs inside Nuke; none of it needs torch or numpy."""

SHIPPED = "shipped"
"""Where the wheel has the folders of a checkout that are not Python packages."""

_LEFT_OUT = {"__pycache__", "vendor"}
_PACKAGE = Path(lumivid_fx.__file__).parent


def node_folder() -> Path:
    """The folder ``nuke/``: inside an installed package, or at the top of a checkout.

    Raises:
        InputError: There is neither.
    """
    for folder in (_PACKAGE / SHIPPED / "nuke", _PACKAGE.parents[1] / "nuke"):
        if (folder / "lumivid_paths.py").is_file():
            return folder
    raise InputError(f"{_PACKAGE} has no node for Nuke with it; install lumivid-fx again")


def payload() -> dict[str, Path]:
    """Every file and where it comes from, by its place in the folder for Nuke, with slashes."""
    node = node_folder()
    held = {path.relative_to(node).as_posix(): path for path in _files(node)}
    for name in CLIENT:
        for path in _files(_PACKAGE / name):
            held[f"python/lumivid_fx/{path.relative_to(_PACKAGE).as_posix()}"] = path
    held |= {f"python/{path.name}": path for path in _licences()}
    return dict(sorted(held.items()))


def linked_payload() -> dict[str, Path]:
    """The same as links: as few as will do, so that a new file in a folder is there at once."""
    node = node_folder()
    held = {path.name: path for path in node.iterdir() if not _left_out(path)}
    held |= {f"python/lumivid_fx/{name}": _PACKAGE / name for name in CLIENT}
    return dict(sorted(held.items()))


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for each in sorted(path.iterdir()):
        if not _left_out(each):
            yield from _files(each)


def _left_out(path: Path) -> bool:
    return path.name in _LEFT_OUT or path.name.startswith(".")


def _licences() -> Iterator[Path]:
    """LICENSE and NOTICE, from beside the installed package or the top of a checkout."""
    beside = f"lumivid_fx-{lumivid_fx.__version__}.dist-info/licenses"
    for folder in (_PACKAGE.parent / beside, _PACKAGE.parents[1]):
        found = [folder / name for name in ("LICENSE", "NOTICE") if (folder / name).is_file()]
        if found:
            yield from found
            return
