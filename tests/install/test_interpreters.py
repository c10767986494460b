"""Pythons of this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lumivid_fx.install.interpreters import find_python, try_client
from lumivid_fx.install.targets import PYTHONS

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.mark.parametrize("version", PYTHONS)
def test_what_is_found_is_what_it_says(version: str) -> None:
    """A file called python3.10 may be a shim for whatever was chosen."""
    python = find_python(version)
    if python is None:
        pytest.skip(f"there is no python{version} here")
    told = subprocess.run(
        [str(python), "-V"], capture_output=True, text=True, check=True, timeout=60
    )
    assert told.stdout.startswith(f"Python {version}.")


def test_a_shim_that_does_not_start_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that ends with an error, and one that is another version."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    for text in ("#!/bin/sh\nexit 1\n", f'#!/bin/sh\nexec {sys.executable} "$@"\n'):
        for version in ("3.10", "3.99"):
            shim = tmp_path / f"python{version}"
            shim.write_text(text)
            shim.chmod(0o755)
            assert find_python(version) is None
    assert find_python(HERE) == Path(sys.executable)


def test_a_python_that_fails_is_told(installed: Path, tmp_path: Path) -> None:
    """Killed without a word, or not there at all."""
    shim = tmp_path / "python"
    shim.write_text("#!/bin/sh\nkill -BUS $$\n")
    shim.chmod(0o755)
    assert try_client(shim, installed).error == "it ended with -7"
    assert "No such file" in try_client(tmp_path / "none", installed).error
