"""Open Job Description's command line, where ``scripts/openjd.sh`` has put it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

_HERE = Path(__file__).parents[2]
_ENVIRONMENT = Path(os.environ.get("LUMIVID_OPENJD_ENV") or _HERE / ".venv-openjd")

OPENJD = program if (program := _ENVIRONMENT / "bin" / "openjd").is_file() else None

needs_openjd = pytest.mark.skipif(OPENJD is None, reason="scripts/openjd.sh makes its environment")

_LUMIVID = f"#!{sys.executable}\nimport sys\nfrom lumivid_fx.cli import main\nmain()\n"


def openjd(
    *arguments: str | Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it to its end, both streams together as a session's log is."""
    return subprocess.run(
        [str(OPENJD), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=None if environment is None else dict(environment),
        check=False,
    )


def with_lumivid(folder: Path, program: str = _LUMIVID) -> dict[str, str]:
    """An environment in which ``lumivid`` is this checkout's.

    Args:
        folder: Gets the program.
        program: What it is.
    """
    folder.mkdir(exist_ok=True)
    (folder / "lumivid").write_text(program)
    (folder / "lumivid").chmod(0o755)
    source = str(_HERE / "src")
    return {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")])),
    }
