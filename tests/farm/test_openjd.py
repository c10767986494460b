"""An exported bundle in Open Job Description's own sessions, killed in the middle and run again."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import psutil
import pytest
from tests.pipeline.plates import write_png

from lumivid_fx.farm.job_bundle import TEMPLATE, job_parameters, write_bundle
from lumivid_fx.farm.plan_file import Plan, write_plan
from lumivid_fx.farm.stitching import missing_windows
from lumivid_fx.model.checkpoint import HdrModel

from .openjd import needs_openjd, openjd, with_lumivid
from .shots import files, in_one_run, planned

pytestmark = needs_openjd

KILLED_ONCE = f"""#!{sys.executable}
import os, signal, sys
from pathlib import Path
from lumivid_fx.cli import main, window_log

step, marker = window_log.WindowLog.step, Path(__file__).with_name("was-killed")

def dying(log, phase, done, steps):
    step(log, phase, done, steps)
    if phase == "reading the plate" and "--index=1" in sys.argv and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)

window_log.WindowLog.step = dying
main()
"""
"""``lumivid`` whose task of window 1 dies once, as by a machine that ran out of memory."""

NAME = "a $(touch PWNED); `id` \u2028openjd_env: EVIL=1 'x' \"y\""


@pytest.fixture
def plan(tmp_path: Path, model_folder: Path) -> Plan:
    """Three windows of a plate in a folder with a hostile name."""
    source = write_png(tmp_path / NAME, range(1001, 1026))
    settings = {"window": 9, "overlap": 1}
    return planned(source, tmp_path / NAME, model_folder, settings=settings)


def test_killed_and_run_again_it_is_one_render(tmp_path: Path, plan: Plan, model: HdrModel) -> None:
    """One window's task is killed: its neighbour stays, the rest is made by a second session.

    The plate's folder is named to inject a line, a word of a shell and an environment variable.
    """
    path = tmp_path / NAME / "plan.json"
    write_plan(path, plan)
    write_bundle(plan, path, tmp_path / "bundle", gpu=False)
    given = {key: str(value) for key, value in job_parameters(plan, path).items()}
    run: list[str | Path] = [
        "run",
        tmp_path / "bundle" / TEMPLATE,
        "--step",
        "Stitch",
        "--run-dependencies",
    ]
    run += ["--job-param", json.dumps(given)]
    environment = with_lumivid(tmp_path / "bin", KILLED_ONCE)

    first = openjd(*run, environment=environment)
    assert first.returncode != 0, first.stdout
    assert missing_windows(plan) == [1, 2]
    assert not (tmp_path / NAME / "out").exists()
    assert holders(path) == []

    second = openjd(*run, environment=environment)
    assert second.returncode == 0, second.stdout
    told = re.findall(r"openjd_status: (window \d \w+)", second.stdout)
    assert told == ["window 0 kept", "window 1 rendered", "window 2 rendered"]
    assert second.stdout.count("| the model is loaded on cpu") == 1
    assert files(tmp_path / NAME / "out") == in_one_run(plan, model, tmp_path / "here")
    assert holders(path) == []

    for log in (first.stdout, second.stdout):
        said = [line.split("\t", 1)[-1] for line in log.splitlines()]
        orders = {line.split(":")[0] for line in said if line.lstrip().startswith("openjd_")}
        assert orders == {"openjd_status", "openjd_progress"}
        assert "EVIL=1" not in {line.split("openjd_env: ")[-1] for line in said}
    assert not list(tmp_path.rglob("PWNED"))


def holders(path: Path) -> list[psutil.Process]:
    """Processes that hold a plan's model once those that are ending have had time to."""
    found = [p for p in psutil.process_iter(["cmdline"]) if str(path) in (p.info["cmdline"] or [])]
    _, alive = psutil.wait_procs(found, timeout=60)
    return alive
