"""Python in a process that has a small disk of its own, where the kernel lets anybody mount one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def python(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a user and mount namespace; skip the test where there are none."""
    inside = ["unshare", "--user", "--map-root-user", "--mount"]
    try:
        subprocess.run([*inside, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this kernel lets no ordinary user mount: {error}")
    return subprocess.run(
        [*inside, sys.executable, "-c", script, *arguments],
        cwd=ROOT,  # where the tests are found
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def on_small_disk(folder: Path, size: str, script: str) -> None:
    """Run a script with `disk` mounted at a folder; what it asserts must hold.

    Beside `disk` the script has ``fill()``, which leaves no room but in the file it gives back.
    """
    done = python(_DISK + script, str(folder), size)
    assert done.returncode == 0, done.stderr


_DISK = """
import subprocess, sys
from pathlib import Path

disk = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + sys.argv[2], "tmpfs", disk], check=True)

def fill():
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for step in (65536, 4096, 1):
            try:
                while file.write(bytes(step)) == step:
                    pass
            except OSError:
                pass
    return filler
"""
