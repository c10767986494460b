"""Models by name, and what is said when there is none of that name."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.official_files import CHECKPOINT

from lumivid_fx.errors import InputError
from lumivid_fx.model.adding import Given, add_model
from lumivid_fx.model.checkpoint import load_model
from lumivid_fx.model.library import (
    EMBEDDED,
    check_name,
    entries,
    find_model,
    library_folder,
    readable_paths,
)


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"LUMIVID_MODELS": "/big/models", "LUMIVID_HOME": "/x"}, "/big/models"),
        ({"LUMIVID_HOME": "/x"}, "/x/models"),
        ({"XDG_DATA_HOME": "/data"}, "/data/lumivid-fx/models"),
        ({}, str(Path.home() / ".local/share/lumivid-fx/models")),
    ],
)
def test_where_it_is(environ: dict[str, str], folder: str) -> None:
    """The folder named for it, or one under the home of everything else."""
    assert library_folder(environ) == Path(folder)


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "-x", "a b", "x" * 65, "ready", "embedded"])
def test_names_that_are_none(name: str) -> None:
    """A name is a word that is not taken."""
    with pytest.raises(InputError, match=r"is no model's name|is taken"):
        check_name(name)


def test_a_name_everywhere(official: Path, library: Path) -> None:
    """Added once, a model is found by its name; without one it is the embedded model."""
    folder = add_model("ltx.tiny-1", [Given(official)])
    assert folder == library / "ltx.tiny-1" == find_model("ltx.tiny-1")
    assert list(entries()) == [("ltx.tiny-1", folder)]
    assert load_model("ltx.tiny-1").manifest.name == "ltx.tiny-1"
    assert find_model(None) == find_model("embedded") == EMBEDDED
    assert find_model(folder) == folder


def test_unknown_name(library: Path) -> None:
    """A name that nobody gave is told with those that there are, and what to do."""
    with pytest.raises(InputError, match=r"no model 'ltx' in .*none yet.*models add ltx FILES"):
        find_model("ltx")
    assert not library.exists()


def test_folders_have_their_way(
    library: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of the current one is found without a slash, as long as no model is called so."""
    monkeypatch.chdir(tiny_model_folder.parent)
    name = tiny_model_folder.name
    assert find_model(name) == Path(name)
    add_model(name, [Given(tiny_model_folder)])
    assert find_model(name) == library / name


def test_what_a_worker_must_read(official: Path, library: Path) -> None:
    """The library itself, and the files that its models name wherever they lie."""
    assert readable_paths() == [library]
    add_model("ltx", [Given(official)])
    paths = readable_paths()
    assert paths[0] == library
    assert official / CHECKPOINT in paths
    assert all(path.exists() for path in paths)
