"""Paths that a worker takes and those that it refuses, on real folders and links."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lumivid_fx.errors import InputError
from lumivid_fx.worker.roots import Roots, current_folder, default_roots, home_folder


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A show's folder with a worker's own folder in it, an archive, and folders beside."""
    base = Path(os.path.realpath(tmp_path_factory.mktemp("roots")))
    for folder in ("show/shot", "show/worker/keys", "archive", "show-evil", "elsewhere"):
        (base / folder).mkdir(parents=True)
    (base / "show/shot/plate.1001.exr").touch()
    (base / "archive/plate.exr").touch()
    (base / "elsewhere/plate.exr").touch()
    for link, target in (
        ("published.exr", "../archive/plate.exr"),
        ("publish", "../archive"),
        ("out", "../elsewhere"),
        ("out.exr", "../elsewhere/plate.exr"),
        ("dangling.exr", "../elsewhere/none.exr"),
        ("frame.####.exr", "../elsewhere/plate.exr"),
        ("to_keys", "worker/keys"),
        ("absolute", "/etc"),
        ("proc", "/proc/self/root"),
        ("loop", "loop"),
    ):
        (base / "show" / link).symlink_to(target)
    (base / "linked").symlink_to(base / "show")
    return base


def roots_of(base: Path) -> Roots:
    """The show, by a link, and the archive, without the worker's own folder."""
    return Roots([base / "linked", base / "archive"], [base / "show/worker"])


def refusal(roots: Roots, path: str) -> str:
    """The sentence by which a path is refused."""
    with pytest.raises(InputError) as refused:
        roots.check(path, "the plate")
    assert refused.value.code == "E_PATH"
    said = str(refused.value)
    assert said.startswith("the plate ")
    assert "\n" not in said
    return said


@pytest.mark.parametrize(
    "path",
    [
        "show",
        "show/",
        "show/shot/plate.1001.exr",
        "show/shot/plate.####.exr",
        "show/shot/plate.%04d.exr",
        "show/shot/./plate.1001.exr",
        "show/shot//plate.1001.exr",
        "show/new/deep/result.####.exr",
        "show/shot/..plate.exr",
        "show/shot/console.exr",
        "show/shot/com10.exr",
        "show/shot/Plan B, \N{LATIN SMALL LETTER U WITH DIAERESIS}ber.exr",
        "show/published.exr",
        "show/publish/plate.exr",
        "show/loop/plate.exr",
        "show/worker-1/plate.exr",
        "linked/shot/plate.1001.exr",
        "archive/plate.exr",
        "show/" + 255 * "a",
    ],
)
def test_path_under_a_root_passes(show: Path, path: str) -> None:
    """Folders, files, patterns and what is yet to be made, links from root to root included."""
    roots_of(show).check(f"{show}/{path}", "the plate")


@pytest.mark.parametrize(
    "path",
    [
        "elsewhere/plate.exr",
        "show-evil/plate.exr",
        "show/out/plate.exr",
        "show/out/new/plate.####.exr",
        "show/out.exr",
        "show/dangling.exr",
        "show/frame.####.exr",
        "show/absolute/passwd",
        "show/proc/etc/passwd",
        "",
    ],
)
def test_path_that_leads_elsewhere_is_refused(show: Path, path: str) -> None:
    """The sentence names the path, the roots and the remedy."""
    said = refusal(roots_of(show), f"{show}/{path}")
    assert f"{show}/{path}" in said
    assert f"({show}/show, {show}/archive)" in said
    assert "lumivid worker --root FOLDER" in said


def test_links_without_end_are_refused(tmp_path: Path) -> None:
    """More links than Python's recursion bears, and links that change while they are followed."""
    roots = Roots([tmp_path], [])
    for number in range(3000):
        (tmp_path / str(number)).symlink_to(str(number + 1))
    assert "through links that cannot be followed" in refusal(roots, f"{tmp_path}/0")
    folder, link, place = tmp_path / "folder", tmp_path / "link", tmp_path / "place"
    folder.mkdir()
    link.symlink_to(folder)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for path in (folder, link):
                path.rename(place)
                place.rename(path)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(20_000):
            with suppress(InputError):  # and nothing else, which would end the server
                roots.check(f"{place}/plate.exr", "the plate")
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize(
    "path", ["show/worker", "show/worker/keys/worker.key", "show/to_keys/new", "linked/worker/x"]
)
def test_what_is_the_workers_own_is_nobodys_plate(show: Path, path: str) -> None:
    """It may lie in a root, as a home does, and is refused all the same."""
    assert "the worker's own files" in refusal(roots_of(show), f"{show}/{path}")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("plate.exr", "is not absolute"),
        ("./plate.exr", "is not absolute"),
        ("~/plate.exr", "is not absolute"),
        ("", "is not absolute"),
        ("file:///show/plate.exr", "is not absolute"),
        ("C:/show/plate.exr", "is not absolute"),
        ("C:\\show\\plate.exr", "has backslashes"),
        ("\\\\host\\share\\plate.exr", "has backslashes"),
        ("//host/share/plate.exr", "names a host"),
        ("{show}/../elsewhere/plate.exr", "goes up by .."),
        ("{show}/shot/..", "goes up by .."),
        ("{show}/shot/../shot/plate.exr", "goes up by .."),
        ("{show}/plate\0.exr", "has control characters"),
        ("{show}/plate\n.exr", "has control characters"),
        ("{show}/plate\x7f.exr", "has control characters"),
        ("{show}/plate\x85.exr", "has control characters"),
        ("{show}/plate\u2028.exr", "has control characters"),
        ("{show}/plate\ud800.exr", "has control characters"),
        ("{show}/" + 256 * "a", "more than 255 bytes"),
        ("{show}/" + 128 * "\N{LATIN SMALL LETTER U WITH DIAERESIS}", "more than 255 bytes"),
        ("{show}" + 2048 * "/a", "longer than 4095 bytes"),
        ("{show}/nul", "which Windows keeps"),
        ("{show}/CON/plate.exr", "which Windows keeps"),
        ("{show}/aux.####.exr", "which Windows keeps"),
        ("{show}/Com1.exr", "which Windows keeps"),
        ("{show}/lpt\N{SUPERSCRIPT TWO}", "which Windows keeps"),
        ("{show}/prn .exr", "which Windows keeps"),
        ("{show}/conout$", "which Windows keeps"),
    ],
)
def test_path_that_is_written_wrongly_is_refused(show: Path, path: str, told: str) -> None:
    """Each flaw has its own words, whatever the folder."""
    assert told in refusal(roots_of(show), path.replace("{show}", f"{show}/show"))


PARTS = st.one_of(
    st.sampled_from(
        [
            *("..", ".", "", "show", "show-evil", "elsewhere", "archive", "worker", "keys"),
            *("shot", "out", "publish", "absolute", "proc", "to_keys", "loop", "nul", "new"),
        ]
    ),
    st.text(max_size=8),
)


@given(parts=st.lists(PARTS, max_size=6), start=st.sampled_from(["", "/", "//", "{base}/"]))
@example(parts=["show", "out", "..", "show", "shot"], start="{base}/")
@example(parts=["show", "proc", "etc", "passwd"], start="{base}/")
@example(parts=["show", "publish", "plate.exr"], start="{base}/")
@example(parts=["show", "loop", "new"], start="{base}/")
def test_what_passes_lies_in_a_root(show: Path, parts: list[str], start: str) -> None:
    """Whatever is asked for is refused in a sentence, or under a root as the kernel sees it."""
    path = start.replace("{base}", str(show)) + "/".join(parts)
    refused = None
    try:
        roots_of(show).check(path, "the plate")
    except InputError as error:
        refused = error
    if refused is not None:
        assert refused.code == "E_PATH"
        assert str(refused).isprintable()
        return
    there = next(parent for parent in (Path(path), *Path(path).parents) if parent.exists())
    inodes = {inode(folder) for folder in climb(there)}
    assert inodes & {inode(show / "show"), inode(show / "archive")}
    assert inode(show / "show" / "worker") not in inodes


def inode(path: Path) -> tuple[int, int]:
    """What the kernel knows a folder by."""
    status = path.stat()
    return status.st_dev, status.st_ino


def climb(path: Path) -> list[Path]:
    """A file or folder and all above it, as the kernel sees what a path opens."""
    descriptor = os.open(path, os.O_PATH)
    try:
        here = Path(f"/proc/self/fd/{descriptor}").readlink()
    finally:
        os.close(descriptor)
    return [here, *here.parents]


def test_roots_are_told_without_links(show: Path) -> None:
    """A root given by a link, or twice, is one root; a relative one is absolute."""
    again = Roots([show / "linked", show / "show", show / "archive" / ".." / "show"], [])
    assert again.names == (f"{show}/show",)
    relative = Roots([Path(os.path.relpath(show / "show"))], [])
    assert relative.folders == (show / "show",)


@pytest.mark.parametrize(
    ("roots", "private", "told"),
    [
        ([], [], "no folder to work in"),
        (["missing"], [], "missing is no folder"),
        (["archive/plate.exr"], [], "plate.exr is no folder"),
        (["show", "show/dangling.exr"], [], "none.exr is no folder"),
        (["show/worker"], ["show/worker"], "worker's own"),
        (["show/worker/keys"], ["show/worker"], "worker's own"),
        (["show/to_keys"], ["show/worker"], "worker's own"),
    ],
)
def test_root_that_cannot_be_one_is_refused(
    show: Path, roots: list[str], private: list[str], told: str
) -> None:
    """The worker does not start, and the sentence has the remedy."""
    with pytest.raises(InputError, match=told) as refused:
        Roots([show / root for root in roots], [show / folder for folder in private])
    assert "lumivid worker --root" in str(refused.value)


def test_private_folder_may_come_later(tmp_path: Path) -> None:
    """It is private before it is made."""
    roots = Roots([tmp_path], [tmp_path / "keys"])
    assert "the worker's own" in refusal(roots, f"{tmp_path}/keys/worker.key")


def defaults(home: str, cwd: Path) -> list[str]:
    """The default roots of a process with that home and current folder."""
    code = "from lumivid_fx.worker.roots import default_roots; print(*default_roots(), sep='\\n')"
    told = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        cwd=cwd,
        env={**os.environ, "HOME": home},
    )
    return told.stdout.split()


def test_default_roots_are_home_and_here(show: Path) -> None:
    """One folder counts once, and a service in / with no home gets no roots by default."""
    home = show / "elsewhere"
    assert defaults(str(home), show / "archive") == [str(home), str(show / "archive")]
    assert defaults(str(show / "linked"), show / "show") == [str(show / "show")]
    assert defaults("/nonexistent", Path("/")) == []
    assert defaults("/", show / "archive") == [str(show / "archive")]


def test_defaults_are_folders_of_this_process() -> None:
    """The functions agree with the process they are called in."""
    assert current_folder() == Path(os.path.realpath("."))
    assert {*default_roots()} <= {home_folder(), current_folder()}


def test_removed_current_folder_is_no_root(tmp_path: Path) -> None:
    """A process may stand in a folder that is gone."""
    gone = tmp_path / "gone"
    gone.mkdir()
    code = (
        "import os; os.rmdir(os.getcwd())\n"
        "from lumivid_fx.worker.roots import current_folder; print(current_folder())"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=gone
    )
    assert told.stdout == "None\n"
