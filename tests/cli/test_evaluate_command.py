"""``lumivid evaluate`` as it is typed: pairs with and without their name, and its complaints."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lumivid_fx.cli import app
from lumivid_fx.evaluation.perceptual import ENVIRONMENT
from lumivid_fx.media import Windows
from lumivid_fx.media.exr import write_exr


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No metrics environment: JOD is n/a, and nothing waits for it."""
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "none"))


def still(path: Path, gain: float) -> str:
    """An EXR of noise at an exposure."""
    rgb = (gain * np.random.default_rng(0).uniform(0.05, 4, (16, 16, 3))).astype(np.float32)
    write_exr(
        path,
        rgb,
        None,
        windows=Windows.whole(16, 16),
        attributes={},
        chromaticities=None,
        interop_id=None,
        fps=None,
        half=False,
    )
    return str(path)


def test_two_pictures_are_compared(tmp_path: Path) -> None:
    """``evaluate A B`` prints a line a figure; n/a says why below."""
    given = [still(tmp_path / "a.exr", 2), still(tmp_path / "b.exr", 1)]
    done = CliRunner().invoke(app, ["evaluate", *given])
    assert done.exit_code == 0, done.output
    lines = dict(line.split("  ", 1) for line in done.stdout.splitlines() if "  " in line)
    assert lines["Name"].strip() == "a"
    assert float(lines["raw"]) < 30
    assert "jod is n/a" in done.stdout
    assert done.stdout == CliRunner().invoke(app, ["evaluate", "pairs", *given]).stdout


def test_json_is_one_object(tmp_path: Path) -> None:
    """Programs get numbers, and null where there is none."""
    given = [still(tmp_path / "a.exr", 1), still(tmp_path / "b.exr", 1)]
    done = CliRunner().invoke(app, ["evaluate", *given, "--json"])
    (row,) = json.loads(done.stdout)["pairs"]
    assert row["ssim"] == pytest.approx(1)
    assert row["jod"] is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["absent.exr", "b.exr"], "absent.exr"),
        (["tables", "7", "--maps", "."], "there is no table 7"),
        (["tables", "2", "--maps", "nowhere"], "nowhere lacks autoshop_01"),
        (["pictures", "--maps", "nowhere"], "nowhere lacks autoshop_01"),
    ],
)
def test_complaints_are_one_sentence(given: list[str], told: str) -> None:
    """What cannot be done is said in a line, with exit code 2."""
    done = CliRunner().invoke(app, ["evaluate", *given])
    assert done.exit_code == 2
    assert told in done.stderr
    assert "Traceback" not in done.output
