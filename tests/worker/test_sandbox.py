"""What a confined process can still do, tried by real processes on real files.

Every attempt is made twice, confined and not: what the kernel refuses must otherwise succeed.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import lumivid_fx
from lumivid_fx.worker.sandbox import landlock_abi, system_paths

ABI = landlock_abi()

pytestmark = pytest.mark.skipif(ABI == 0, reason="this kernel has no Landlock to be confined by")

BEGIN = """
import errno, json, os, socket, subprocess, sys
from pathlib import Path
from lumivid_fx.worker.sandbox import confine, system_paths
root, outside = Path(sys.argv[1]), Path(sys.argv[2])
if sys.argv[3] == "confined":
    assert confine(system_paths(), [root])
"""

TRY = """
told = {}
for name, attempt in json.loads(sys.argv[4]).items():
    try:
        exec(attempt)
        told[name] = "done"
    except PermissionError:
        told[name] = "refused"
    except OSError as error:
        if error.errno != errno.EXDEV:  # so is a link or a rename refused, on one device
            raise
        told[name] = "refused"
print(json.dumps(told))
"""

OUTSIDE = {
    "read": "(outside / 'read').read_bytes()",
    "list": "list(outside.iterdir())",
    "write": "(outside / 'write').open('ab').close()",
    "overwrite": "(outside / 'overwrite').write_bytes(b'')",
    "make": "(outside / 'made').touch()",
    "make folder": "(outside / 'made folder').mkdir()",
    "remove": "(outside / 'remove').unlink()",
    "remove folder": "(outside / 'folder').rmdir()",
    "rename": "(outside / 'rename').rename(outside / 'renamed')",
    "carry in": "(outside / 'carry in').rename(root / 'carried in')",
    "carry out": "(root / 'carry out').rename(outside / 'carried out')",
    "link in": "os.link(outside / 'link in', root / 'linked in')",
    "read by a link": "(root / 'link').read_bytes()",
    "write by a link": "(root / 'link').open('ab').close()",
    "write by a folder's link": "(root / 'link to folder' / 'made by link').touch()",
    "go up": "(root / '..' / outside.name / 'read').read_bytes()",
    "read as a child": "ended = subprocess.run(['cat', outside / 'read'], capture_output=True)\n"
    "if ended.returncode: raise PermissionError",
    "run": "subprocess.run([root / 'program'], check=True)",
    "plant a link": "(root / 'planted').symlink_to(outside)",
    "make a pipe": "os.mkfifo(root / 'pipe')",
    "make a socket": "socket.socket(socket.AF_UNIX).bind('socket')",
    "write to the package": "import lumivid_fx; os.open(lumivid_fx.__file__, os.O_WRONLY)",
    "environment of another": "Path(f'/proc/{os.getppid()}/environ').read_bytes()",
    "files of another": "Path(f'/proc/{os.getppid()}/cwd').readlink()",
}
"""What must be refused by every kernel that has Landlock."""

FROM_ABI = {
    3: {"truncate": "os.truncate(outside / 'truncate', 0)"},
    4: {
        "connect": "socket.create_connection(('127.0.0.1', int(sys.argv[5])), 60).close()",
        "listen": "socket.socket().bind(('127.0.0.1', 0))",
    },
    6: {
        "abstract socket": "socket.socket(socket.AF_UNIX).connect(chr(0) + sys.argv[6])",
        "signal": "os.kill(os.getppid(), 0)",
    },
}
"""What a kernel refuses from that ABI on."""

INSIDE = {
    "read": "assert (root / 'read').read_bytes() == b'inside'",
    "list": "assert list(root.iterdir())",
    "write": "(root / 'write').write_bytes(b'new'); os.truncate(root / 'write', 1)",
    "whole or absent": "(root / '.made').write_bytes(b''); (root / '.made').replace(root / 'made')",
    "folders": "(root / 'a' / 'b').mkdir(parents=True)",
    "from folder to folder": "(root / 'read').rename(root / 'a' / 'b' / 'read')",
    "remove": "(root / 'a' / 'b' / 'read').unlink(); (root / 'a' / 'b').rmdir()",
    "link inside": "(root / 'link inside').read_bytes()",
    "processor": "Path('/proc/cpuinfo').read_bytes(); Path('/proc/self/maps').read_bytes()",
    "devices": "os.urandom(8); Path('/dev/urandom').open('rb').close(); "
    "Path('/dev/null').write_bytes(b'x')",
    "shared memory": "p = Path(f'/dev/shm/lumivid-{os.getpid()}'); p.touch(); p.unlink()",
    "child": "subprocess.run([sys.executable, '-c', ''], check=True)",
    "pair": "a, b = socket.socketpair(); a.send(b'x'); b.recv(1)",
}
"""What must go on working."""


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A root and a folder beside it, with a file for each attempt."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    for folder in (root, outside):
        folder.mkdir()
        (folder / "read").write_bytes(folder.name.replace("root", "inside").encode())
    for name in ("write", "overwrite", "remove", "rename", "carry in", "link in", "truncate"):
        (outside / name).write_bytes(b"whole")
    (outside / "folder").mkdir()
    (root / "carry out").touch()
    (root / "link").symlink_to(outside / "read")
    (root / "link to folder").symlink_to(outside)
    (root / "link inside").symlink_to(root / "carry out")
    (root / "program").write_text("#!/bin/sh\n")
    (root / "program").chmod(0o700)
    return root, outside


def run(code: str, folders: tuple[Path, Path], *arguments: str, confined: bool = True) -> str:
    """Run code in a process of its own; give what it printed."""
    root, outside = folders
    how = "confined" if confined else "free"
    finished = subprocess.run(
        [sys.executable, "-c", BEGIN + code, str(root), str(outside), how, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "TMPDIR": str(root), "HF_HOME": str(root)},
        cwd=root,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.mark.parametrize("confined", [True, False])
def test_nothing_outside_is_touched(folders: tuple[Path, Path], confined: bool) -> None:
    """Each attempt upon what is no root's is refused, and would succeed otherwise."""
    attempts = dict(OUTSIDE)
    for abi, more in FROM_ABI.items():
        attempts |= more if abi <= ABI else {}
    abstract = f"lumivid-{os.getpid()}-{confined}"
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(f"\0{abstract}")
        local.listen()
        port = str(server.getsockname()[1])
        printed = run(TRY, folders, json.dumps(attempts), port, abstract, confined=confined)
    assert json.loads(printed) == dict.fromkeys(attempts, "refused" if confined else "done")


def test_work_inside_goes_on(folders: tuple[Path, Path]) -> None:
    """A root can be worked in as before."""
    told = json.loads(run(TRY, folders, json.dumps(INSIDE)))
    assert told == dict.fromkeys(INSIDE, "done")


RACE = """
told = dict.fromkeys(["inside", "outside", "refused"], 0)
print("ready", flush=True)
while not (root / "stop").exists():
    for plate in (root / "plate.exr", root / "shot" / "plate.exr"):
        try:
            told[plate.read_text()] += 1
        except PermissionError:
            told["refused"] += 1
    try:
        with (root / "result.exr").open("r+b") as file:
            file.write(b"spoilt")
    except PermissionError:
        told["refused"] += 1
print(json.dumps(told))
"""

SWAPS = 10_000
"""As many as case 22 of the list of abuses asks for."""


@pytest.mark.parametrize("confined", [True, False])
def test_link_swapped_while_it_is_opened_lets_nothing_out(
    folders: tuple[Path, Path], confined: bool
) -> None:
    """Links to a file and to a folder change back and forth; no byte goes out or in by them."""
    root, outside = folders
    inner = root / "inner"
    inner.mkdir()
    for folder, text in ((inner, "inside"), (outside, "outside")):
        (folder / "plate.exr").write_text(text)
        (folder / "result.exr").write_text("whole")

    def swap(target: Path) -> None:
        for name in ("plate.exr", "shot", "result.exr"):
            (root / ".new").symlink_to(target if name == "shot" else target / name)
            (root / ".new").replace(root / name)

    swap(inner)
    how = "confined" if confined else "free"
    with subprocess.Popen(
        [sys.executable, "-c", BEGIN + RACE, str(root), str(outside), how],
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        for turn in range(SWAPS):
            swap((outside, inner)[turn % 2])
        (root / "stop").touch()
        told = json.loads(reader.stdout.readline())
    assert told["inside"] > 0
    assert (told["outside"] == 0) is confined, told
    assert (told["refused"] > 0) is confined, told
    assert ((outside / "result.exr").read_text() == "whole") is confined


LIBRARIES = """
import av, numpy, torch
import OpenImageIO as oiio
import PyOpenColorIO as ocio
import lumivid_fx.pipeline.render_files

assert torch.nn.functional.conv1d(torch.ones(1, 1, 8), torch.ones(1, 1, 3)).sum() == 18
image = oiio.ImageBuf(oiio.ImageSpec(4, 2, 3, "half"))
assert image.write(str(root / "plate.exr")), image.geterror()
assert oiio.ImageBuf(str(root / "plate.exr")).spec().width == 4
assert oiio.ImageInput.open(str(outside / "read")) is None and oiio.geterror()
assert ocio.Config.CreateFromBuiltinConfig("studio-config-latest").getColorSpaceNames()
with av.open(str(root / "movie.mp4"), "w") as movie:
    stream = movie.add_stream("mpeg4", rate=24, width=16, height=16, pix_fmt="yuv420p")
    for packet in (*stream.encode(av.VideoFrame(16, 16, "yuv420p")), *stream.encode()):
        movie.mux(packet)
with av.open(str(root / "movie.mp4")) as movie:
    assert len(list(movie.decode(video=0))) == 1
"""


def test_libraries_of_a_render_work(folders: tuple[Path, Path]) -> None:
    """torch, diffusers, OpenImageIO, OpenColorIO and PyAV load and do their work confined."""
    run(LIBRARIES, folders)


def test_what_a_root_that_is_missing_or_a_file_means(folders: tuple[Path, Path]) -> None:
    """A missing path is passed over, and a single file can be given."""
    code = """
missing = [root / "missing", root / "read" / "no folder"]
assert confine([*system_paths(), *missing], [outside / "write", *missing])
(outside / "write").write_bytes(b"new")
assert os.access(root, os.F_OK)
try:
    (root / "read").read_bytes()
except PermissionError:
    print("refused")
"""
    assert run(code, folders, confined=False) == "refused\n"


def test_confined_twice_is_confined_to_both(folders: tuple[Path, Path]) -> None:
    """Who is confined cannot give itself more."""
    code = """
confine(system_paths(), [root, outside])
(root / "read").read_bytes()
try:
    (outside / "read").read_bytes()
except PermissionError:
    print("refused")
"""
    assert run(code, folders) == "refused\n"


@pytest.mark.skipif(os.getuid() != 0, reason="root alone has capabilities to give up")
def test_root_keeps_its_powers_over_files_alone(folders: tuple[Path, Path]) -> None:
    """Neither the process nor a program that it starts can load a module or mount."""
    code = """
print(subprocess.check_output(["grep", "Cap[IPE]", "/proc/self/status"], text=True), end="")
print(Path("/proc/self/status").read_text().split("CapEff:\\t")[1].split()[0])
"""
    *child, own = run(code, folders).splitlines()
    assert int(own, 16) & ~0b11011 == 0
    assert len(child) == 3
    assert all(int(line.split()[1], 16) & ~0b11011 == 0 for line in child), child


def test_process_with_threads_is_not_half_confined(folders: tuple[Path, Path]) -> None:
    """The other threads would stay free, so nothing is done and it is said."""
    code = """
import threading
ended = threading.Event()
threading.Thread(target=ended.wait).start()
try:
    confine(system_paths(), [root])
except RuntimeError as error:
    print(error)
ended.set()
(outside / "read").read_bytes()
"""
    told = run(code, folders, confined=False)
    assert told == "only one of 2 threads would be confined; do it before others\n"


@pytest.mark.parametrize("safe", [True, False])
def test_folders_of_the_user_are_no_system_paths(tmp_path: Path, safe: bool) -> None:
    """What holds the user's home is not readable for being on Python's path.

    Nor is the current folder, unless Python was told not to put it there by itself.
    """
    home, here, studio = (tmp_path / name for name in ("home", "here", "studio"))
    for folder in (home, here, studio):
        folder.mkdir()
    told = subprocess.run(
        [sys.executable, "-c", BEGIN + "print(*system_paths(), sep='\\n')", "", "", "free"],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        cwd=here,
        env={
            **{name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"},
            **({"PYTHONSAFEPATH": "1"} if safe else {}),
            "HOME": str(home),
            "PYTHONPATH": ":".join(map(str, (tmp_path, home, here, studio, studio))),
            "LD_LIBRARY_PATH": f"{studio}/lib::relative",
        },
    )
    paths = told.stdout.splitlines()
    assert {str(studio), f"{studio}/lib", sys.prefix, sys.base_prefix, "/usr"} <= {*paths}
    assert len(paths) == len({*paths})
    assert not {str(tmp_path), str(home), "relative", ""} & {*paths}
    assert (str(here) in paths) is safe


def test_this_package_is_a_system_path() -> None:
    """An editable install lies outside Python's own folders."""
    assert Path(lumivid_fx.__file__).parent in system_paths()
