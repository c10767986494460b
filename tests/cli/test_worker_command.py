"""`lumivid worker`: started, looked at and ended, in processes of its own."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from tests.cli.plates import lumivid, the_sentence
from tests.worker.running import QUICK, SOON_S, RunningWorker, running_worker

from lumivid_fx import __version__, client
from lumivid_fx.cli.worker_process import LOG_NAME, MAX_LOG_BYTES
from lumivid_fx.protocol.places import HOME, Places, read_connection

NEVER_READY = (sys.executable, "-c", "import time; time.sleep(600)")
"""A runner that says nothing."""

DIES = (sys.executable, "-c", "raise SystemExit(3)")
"""A runner that does not come up."""


def home(worker: RunningWorker) -> Path:
    """The worker's LUMIVID_HOME."""
    return Path(worker.environ[HOME])


def command(*arguments: str | Path) -> list[str]:
    """A command line for a process of its own."""
    return [sys.executable, "-m", "lumivid_fx.cli", *map(str, arguments)]


def run(environ: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, where nobody looks on."""
    return subprocess.run(
        command(*arguments),
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * SOON_S,
    )


@contextmanager
def detached(environ: dict[str, str]) -> Iterator[Places]:
    """End what a test leaves running."""
    places = Places.of(environ)
    try:
        yield places
    finally:
        with suppress(Exception):
            psutil.Process(read_connection(places.connection).pid).kill()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment with a home of its own."""
    (tmp_path / "show").mkdir()
    return {
        **os.environ,
        HOME: str(tmp_path / "home"),
        "LUMIVID_DEBUG": "0",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_foreground_logs_json_and_ends_in_order(number: int, tmp_path: Path) -> None:
    """Every line of the log parses; a signal ends it with 0, and its address goes with it."""
    with running_worker(tmp_path / "home", roots=[tmp_path / "show"]) as worker:
        connection = worker.connection
        listens = f"worker listens at {connection.endpoint}"
        worker.wait_until(lambda: worker.logged(listens), "it says where it listens")
        assert worker.kill(number) == 0
        assert all({"time", "level", "where", "boot"} <= set(line) for line in worker.log())
        assert worker.logged("worker ends")
        assert not worker.places.connection.exists()


def test_a_person_is_told_in_words(environ: dict[str, str], tmp_path: Path) -> None:
    """On a terminal a line says where it listens; Ctrl-C there ends it well."""
    screen, terminal = pty.openpty()
    start = command("worker", "--root", tmp_path / "show", "--devices", "cpu")
    with subprocess.Popen(start, stderr=terminal, env=environ) as process:
        os.close(terminal)
        shown = b""
        try:
            while b"its log follows as JSON lines" not in shown:
                shown += os.read(screen, 4096)
            process.send_signal(signal.SIGINT)
            # Reading a terminal whose other end is closed is an error on Linux.
            with suppress(OSError):
                while piece := os.read(screen, 4096):
                    shown += piece
            assert process.wait(timeout=SOON_S) == 0
        finally:
            process.kill()
            os.close(screen)
    assert b"lumivid worker listens at tcp://127.0.0.1:" in shown
    assert b"Traceback" not in shown


def test_status_of_one_that_can_render(tmp_path: Path) -> None:
    """The exit code is 0; words and JSON say where, what and how."""
    with running_worker(tmp_path / "home", roots=[tmp_path / "show"], runner=QUICK) as worker:
        worker.wait_until_ready()
        told = lumivid("worker", "status", home=home(worker))
        assert told.exit_code == 0, told.stderr
        assert worker.connection.endpoint in told.stdout
        assert "quick: ready" in told.stdout
        status = json.loads(lumivid("worker", "status", "--json", home=home(worker)).stdout)
        assert status["endpoint"] == worker.connection.endpoint
        assert status["boot"] == worker.connection.boot
        assert (status["pid"], status["release"]) == (worker.pid, __version__)
        assert status["roots"] == [str(tmp_path / "show")]
        assert status["jobs"] == 0
        assert 0 <= status["up_seconds"] < SOON_S
        (device,) = status["devices"]
        assert device == {
            "name": "quick",
            "state": "ready",
            "model": "",
            "restarts": 0,
            "confined": False,
        }


@pytest.mark.parametrize(("runner", "restarts"), [(NEVER_READY, 0), (DIES, 2)])
def test_status_follows_what_renders(runner: Sequence[str], restarts: int, tmp_path: Path) -> None:
    """A worker that answers but cannot render is no healthy one: exit code 1."""
    with running_worker(tmp_path / "home", roots=[tmp_path / "show"], runner=runner) as worker:
        with client.connect(places=worker.places) as there:
            worker.wait_until(
                lambda: there.ping().devices[0].restarts >= restarts, f"{restarts} restarts"
            )
        told = lumivid("worker", "status", "--json", home=home(worker))
        assert told.exit_code == 1, told.stdout
        (device,) = json.loads(told.stdout)["devices"]
        # What dies is started again after a pause, and so is either.
        assert device["state"] in (("starting", "down") if restarts else ("starting",))
        assert device["restarts"] >= restarts
        assert "cpu: " in lumivid("worker", "status", home=home(worker)).stdout


def test_stop_waits_until_it_has_ended(tmp_path: Path) -> None:
    """Afterwards nothing of it is left, and stopping again is well too."""
    with running_worker(tmp_path / "home", roots=[tmp_path / "show"], runner=QUICK) as worker:
        worker.wait_until_ready()
        pid, runners = worker.pid, worker.runners
        told = lumivid("worker", "stop", home=home(worker))
        assert told.exit_code == 0, told.stderr
        assert told.stdout.startswith(f"the worker (pid {pid}) has ended")
        assert told.stderr == ""
        assert worker.process is not None
        assert worker.process.wait(timeout=SOON_S) == 0
        assert not any(map(psutil.pid_exists, runners))
        again = lumivid("worker", "stop", home=home(worker))
        assert (again.exit_code, again.stdout) == (0, "no worker is running\n")
        as_json = lumivid("worker", "stop", "--json", home=home(worker))
        assert json.loads(as_json.stdout) == {"stopped": False, "pid": None}
        status = lumivid("worker", "status", home=home(worker))
        assert status.exit_code == 4
        assert "no worker is running" in the_sentence(status)


def test_address_of_a_killed_worker_misleads_nobody(tmp_path: Path) -> None:
    """`stop` has nothing to do, `status` says 4, also when the number is another process's."""
    with running_worker(tmp_path / "home", roots=[tmp_path / "show"], runner=QUICK) as worker:
        worker.kill()
        assert worker.places.connection.exists()
        assert lumivid("worker", "stop", home=home(worker)).stdout == "no worker is running\n"
        status = lumivid("worker", "status", home=home(worker))
        assert status.exit_code == 4
        assert f"(pid {worker.pid}) is gone without a word" in the_sentence(status)
        # Now as if the kernel had given its number to a process that began later: this one's child.
        text = worker.places.connection.read_text()
        with subprocess.Popen([*NEVER_READY]) as other:
            worker.places.connection.write_text(text.replace(str(worker.pid), str(other.pid)))
            before = time.time() - 60
            os.utime(worker.places.connection, (before, before))
            told = lumivid("worker", "stop", home=home(worker))
            assert told.stdout == "no worker is running\n"
            assert other.poll() is None
            other.kill()


def test_stop_of_one_that_hangs_says_what_to_do(tmp_path: Path) -> None:
    """A worker that does not answer is named, with the command that ends it."""
    with running_worker(tmp_path / "home", roots=[tmp_path / "show"], runner=QUICK) as worker:
        os.kill(worker.pid, signal.SIGSTOP)
        told = lumivid("worker", "stop", home=home(worker))
        assert told.exit_code == 4
        sentence = the_sentence(told)
        assert f"the worker (pid {worker.pid}) does not answer" in sentence
        assert f"`kill {worker.pid}`" in sentence


def test_detached_worker(environ: dict[str, str], tmp_path: Path) -> None:
    """It outlives its command, logs to a file that is bounded, and is there but once."""
    with detached(environ) as places:
        places.state.mkdir(mode=0o700, parents=True)
        log = places.state / LOG_NAME
        with log.open("wb") as old:
            old.truncate(MAX_LOG_BYTES + 1)
        start = ("worker", "--root", tmp_path / "show", "--devices", "cpu", "--detach")
        told = run(environ, *start)
        assert told.returncode == 0, told.stderr
        connection = read_connection(places.connection)
        assert f"worker listens at {connection.endpoint}" in told.stdout
        assert str(log) in told.stdout
        assert log.stat().st_mode & 0o777 == 0o600
        assert log.with_name(f"{LOG_NAME}.1").stat().st_size == MAX_LOG_BYTES + 1
        assert os.getsid(connection.pid) == connection.pid

        again = run(environ, *start, "--json")
        assert again.returncode == 2
        error = json.loads(again.stdout)["error"]
        assert "a worker already keeps its state in" in error
        assert "lumivid worker stop" in error
        assert read_connection(places.connection) == connection

        stopped = run(environ, "worker", "stop")
        assert stopped.returncode == 0, stopped.stderr
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        boots = [line["boot"] for line in lines]
        assert len(set(boots)) == 2  # the second start is in the log too
        assert boots[0] == boots[-1] == connection.boot


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--devices", "gpu"), "devices are 'gpu'; give auto, cpu, or each GPU's number"),
        (("--devices", "0,0"), "devices are '0,0'"),
        (("--model", "no/model"), "no/model is not a model folder"),
    ],
)
def test_options_that_cannot_be_are_refused(
    options: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    """Before anything is started or made."""
    result = lumivid("worker", *options, home=tmp_path / "home")
    assert result.exit_code == 2
    assert told in the_sentence(result)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--root", "/no/such/folder"), "/no/such/folder is no folder"),
        (("--port", "5560", "--listen", "192.0.2.1"), "belongs to Nuke's Frame Server"),
    ],
)
def test_start_that_fails_is_told_in_the_log(
    environ: dict[str, str], tmp_path: Path, options: tuple[str, ...], told: str
) -> None:
    """Where nobody looks on, the sentence is the log's last line, and JSON as all others."""
    root = () if "--root" in options else ("--root", tmp_path / "show")
    ended = run(environ, "worker", "--devices", "cpu", *root, *options)
    assert ended.returncode == 2
    assert ended.stdout == ""
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert told in lines[-1]["message"]
    assert lines[-1]["level"] == "critical"
    warned = [line["message"] for line in lines if line["level"] == "warning"]
    open_to_others = "--listen" in options
    assert (
        any("other machines may reach this worker" in words for words in warned) == open_to_others
    )
    assert not Places.of(environ).connection.exists()
