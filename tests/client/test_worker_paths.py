"""What a worker is told of paths: itself on Linux, by the studio's table from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from lumivid_fx.client.worker_paths import worker_path
from lumivid_fx.errors import InputError

WINDOWS = "Z:/show=/mnt/show; Z:\\show\\lib=/lib ;//nas/plates/=/mnt/plates;Y:=/"
MAC = "/Volumes/show=/mnt/show"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("Z:/show/a.####.exr", "/mnt/show/a.####.exr"),
        ("z:\\Show\\sh010\\..\\a.%04d.exr", "/mnt/show/a.%04d.exr"),
        ("Z:/show/lib/b.mov", "/lib/b.mov"),  # the longest name counts
        ("Z:/show/library/b.mov", "/mnt/show/library/b.mov"),  # whole names alone
        ("\\\\NAS\\plates\\c.exr", "/mnt/plates/c.exr"),
        ("Y:/d/e.exr", "/d/e.exr"),
        ("Z:/show/out/", "/mnt/show/out/"),
        ("/models/big", "/models/big"),  # a knob that says what the worker sees
        ("/models/../lora/", "/lora/"),
    ],
)
def test_windows_paths_are_renamed(path: str, told: str) -> None:
    """Drives and servers by the table, in whatever case and with whatever slashes."""
    assert worker_path(path, {"LUMIVID_PATHS": WINDOWS}, "win32") == told


@pytest.mark.parametrize("path", ["C:/Users/anna/a.exr", "//other/plates/a.exr", "Z:/shows/a.exr"])
def test_windows_path_that_nobody_knows_is_refused(path: str) -> None:
    """Before anything is sent, with the variable to set."""
    with pytest.raises(InputError, match=f"{path} is a path of this machine.*LUMIVID_PATHS"):
        worker_path(path, {"LUMIVID_PATHS": WINDOWS}, "win32")


@pytest.mark.parametrize("system", ["darwin", "linux"])
def test_paths_from_the_root_stay_or_are_renamed(system: str) -> None:
    """Most studios mount alike everywhere; where one does not, the table says so. Case counts."""
    environ = {"LUMIVID_PATHS": MAC}
    assert worker_path("/Volumes/show/a.exr", environ, system) == "/mnt/show/a.exr"
    assert worker_path("/volumes/show/a.exr", environ, system) == "/volumes/show/a.exr"
    assert worker_path("/Volumes/shows/a.exr", environ, system) == "/Volumes/shows/a.exr"
    assert worker_path("a.exr", {}, system) == str(Path.cwd() / "a.exr")
    assert worker_path("/x/../out/", {}, system) == "/out/"
    assert worker_path("/", {}, system) == "/"


@pytest.mark.parametrize("said", ["Z:/show", "=/mnt", "Z:/show=mnt", "Z:/show=/a;;junk"])
def test_table_that_cannot_be_read_is_told(said: str) -> None:
    """With the entry that is wrong."""
    with pytest.raises(InputError, match=r"LUMIVID_PATHS has .*names no two folders"):
        worker_path("Z:/show/a.exr", {"LUMIVID_PATHS": said}, "win32")
