"""Runners seen from the server: real processes that live, hang, lie and die."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lumivid_fx.protocol.messages import PathSource, Request
from lumivid_fx.worker.orders import Cancel, Ended, FrameDone, Render, Report, RunnerConfig
from lumivid_fx.worker.supervisor import Patience, Runner

JOB = "0" * 32

QUICK = (sys.executable, "-m", "tests.worker.quick_runner")


@pytest.fixture
def make() -> Iterator[Callable[..., Runner]]:
    """Make runners, and see to it that none is left."""
    made: list[Runner] = []

    def build(command: tuple[str, ...] = QUICK, patience: Patience | None = None) -> Runner:
        config = RunnerConfig(roots=(), private=(), cache="", cache_bytes=0)
        environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        runner = Runner("quick", command, config, environ, patience or Patience())
        made.append(runner)
        return runner

    yield build
    for runner in made:
        runner.kill()
        runner.bury(0)


def turn(runner: Runner, until: Callable[[list[Report], bool], bool]) -> tuple[list[Report], bool]:
    """Do what the server's loop does until something is the case; what was reported by then."""
    said: list[Report] = []
    gone = False
    deadline = time.monotonic() + 30
    while not until(said, gone):
        assert time.monotonic() < deadline, (said, runner.state, runner.overdue)
        now = time.monotonic()
        more, gone = runner.reports(now)
        said += more
        runner.tick(now)
        time.sleep(0.01)
    return said, gone


def render(target: Path, label: str = "") -> Render:
    """An order of four frames."""
    request = Request(source=PathSource(path="/p"), frames="1-4", target=str(target), label=label)
    return Render(job=JOB, request=request, spool=str(target), finished={}, rung=0)


def begin(runner: Runner, order: Render) -> None:
    """Wait until it is ready and give it a job."""
    turn(runner, lambda *_: runner.state == "ready")
    runner.begin(order.job)
    runner.give(order, time.monotonic())


def test_reports_come_in_order(make: Callable[..., Runner], tmp_path: Path) -> None:
    """A job's frames are told one after another, and then its end; the runner is free again."""
    runner = make()
    begin(runner, render(tmp_path))
    said, _ = turn(runner, lambda said, _: any(isinstance(r, Ended) for r in said))
    assert [r.frame for r in said if isinstance(r, FrameDone)] == [1, 2, 3, 4]
    assert isinstance(said[-1], Ended)
    runner.finish()
    assert (runner.state, runner.job, runner.starts) == ("ready", "", 1)


@pytest.mark.parametrize(
    ("label", "patience", "why", "hung"),
    [
        ("die@2", Patience(), "was killed by SIGKILL", False),
        ("mute@2", Patience(pulse=1), "gave no sign of life for 1 s", True),
        ("hang@2", Patience(stall=1), "made no progress for 1 s", True),
        ("junk@2", Patience(), "was killed by SIGKILL", False),
    ],
)
def test_faults_end_in_a_burial(
    make: Callable[..., Runner],
    tmp_path: Path,
    label: str,
    patience: Patience,
    why: str,
    hung: bool,
) -> None:
    """Dead, stopped, stuck or talking nonsense: what came before counts, and a new one starts."""
    runner = make(patience=patience)
    begin(runner, render(tmp_path, label))
    before = runner.pid
    said, _ = turn(runner, lambda _, gone: gone)
    assert [r.frame for r in said if isinstance(r, FrameDone)] == [1, 2]
    assert runner.bury(time.monotonic()) == (why, hung)
    assert (runner.state, runner.job, runner.pid) == ("down", "", 0)
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)
    turn(runner, lambda *_: runner.state == "ready")
    assert runner.pid not in (0, before)


def test_deaf_runner_is_killed(make: Callable[..., Runner], tmp_path: Path) -> None:
    """A cancel that is not heeded in time ends the process."""
    runner = make(patience=Patience(cancel=0.5))
    begin(runner, render(tmp_path, "deaf hang@2"))
    turn(runner, lambda said, _: len(said) > 2)
    runner.give(Cancel(job=JOB), time.monotonic())
    runner.cancelled(time.monotonic())
    turn(runner, lambda _, gone: gone)
    assert runner.bury(time.monotonic()) == ("did not stop within 0.5 s", True)


def test_what_never_gets_ready_is_killed(make: Callable[..., Runner]) -> None:
    """A process that starts and says nothing is not waited for longer than its patience."""
    runner = make((sys.executable, "-c", "import time; time.sleep(600)"), Patience(start=0.5))
    turn(runner, lambda _, gone: gone)
    assert runner.bury(time.monotonic()) == ("was not ready within 0.5 s", True)


def test_deaths_are_followed_by_longer_pauses(make: Callable[..., Runner]) -> None:
    """A runner that cannot start is not started in a circle at full speed."""
    runner = make((sys.executable, "-c", "raise SystemExit(3)"))
    for _ in range(2):
        turn(runner, lambda _, gone: gone)
        now = time.monotonic()
        assert runner.bury(now) == ("ended with status 3", False)
    runner.tick(now + 0.3)  # the second pause is 0.4 s
    assert runner.pid == 0
    runner.tick(now + 0.5)
    assert runner.pid != 0


def test_spoilt_runner_takes_no_other_job(make: Callable[..., Runner], tmp_path: Path) -> None:
    """It is not ready again until a new process is."""
    runner = make()
    begin(runner, render(tmp_path, "spoil@1"))
    turn(runner, lambda said, _: any(isinstance(r, Ended) for r in said))
    runner.finish(spoilt=True)
    assert runner.state != "ready"
    turn(runner, lambda _, gone: gone)
    assert runner.bury(time.monotonic()) == ("was no longer to be trusted", True)


def test_end_is_orderly(make: Callable[..., Runner]) -> None:
    """A runner that is told to end does; nothing of it is left."""
    runner = make()
    turn(runner, lambda *_: runner.state == "ready")
    process = runner.pid
    runner.end(time.monotonic())
    assert not list(runner.descriptors())
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_children_die_with_it(make: Callable[..., Runner], tmp_path: Path) -> None:
    """What a runner has started is killed with it."""
    child = tmp_path / "child"
    code = (
        "import subprocess, sys, time, pathlib\n"
        "c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(child)!r}).write_text(str(c.pid))\n"
        "time.sleep(600)"
    )
    runner = make((sys.executable, "-c", code))
    turn(runner, lambda *_: child.exists() and child.read_text() != "")
    os.kill(runner.pid, signal.SIGCONT)
    runner.kill()
    runner.bury(time.monotonic())
    deadline = time.monotonic() + 10
    status = Path(f"/proc/{child.read_text()}/stat")
    while status.exists() and status.read_text().split()[2] != "Z":  # its new parent reaps it
        assert time.monotonic() < deadline
        time.sleep(0.05)
