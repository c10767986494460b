"""Pythons of this machine that can try the client as Nuke would: with nothing else to import."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 60.0
"""How long a Python may take to import three small libraries from a slow disk."""

_BARE = ("-I", "-S", "-B")
"""No environment, no site-packages, no bytecode left behind."""

_VERSION = "import sys; print(sys.version_info[:2])"

_TRY = """
import json, sys
sys.path.insert(0, sys.argv[1])
import lumivid_paths
missing = lumivid_paths.add_paths(sys.argv[1])
if missing:
    sys.exit(missing)
import lumivid_fx.client, msgpack, msgspec, zmq
from lumivid_fx.protocol.messages import VERSION
print(json.dumps({
    "lumivid": lumivid_fx.__version__,
    "protocol": VERSION,
    "from": {m.__name__: m.__file__ for m in (lumivid_fx, zmq, msgpack, msgspec)},
}))
"""


@dataclass(frozen=True)
class Tried:
    """What came of importing the client.

    Attributes:
        release: The client's; empty if it was not imported.
        protocol: Major version of the protocol that it speaks, 0 if it was not imported.
        error: Why it was not, as Python ended; empty if it was.
    """

    release: str
    protocol: int
    error: str


def find_python(version: str) -> Path | None:
    """A Python of this version that starts: this one, one on PATH, or one of pyenv's."""
    return next((path for path in _candidates(version) if _is(path, version)), None)


def try_client(python: Path, root: Path) -> Tried:
    """Import the installed client in a Python that has nothing else, from another folder."""
    with tempfile.TemporaryDirectory(prefix="lumivid-try-") as elsewhere:
        command = [str(python), *_BARE, "-c", _TRY, str(root.absolute())]
        try:
            ended = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE_S,
                cwd=elsewhere,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return Tried("", 0, str(error))
    if ended.returncode:
        said = ended.stderr.strip().splitlines() or [f"it ended with {ended.returncode}"]
        return Tried("", 0, said[-1])
    told = json.loads(ended.stdout.splitlines()[-1])
    return Tried(str(told["lumivid"]), int(told["protocol"]), "")


def _candidates(version: str) -> Iterator[Path]:
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        yield Path(sys.executable)
    if found := shutil.which(f"python{version}"):
        yield Path(found)
    yield from sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))


def _is(path: Path, version: str) -> bool:
    """Whether this starts and is what it says: a shim of pyenv may name what is not chosen."""
    try:
        ended = subprocess.run(
            [str(path), *_BARE, "-c", _VERSION],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ended.stdout.strip() == f"({version.replace('.', ', ')})"
