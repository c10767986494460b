"""Submit, list, watch, attach, cancel: the command line against a worker whose runner is quick."""

from __future__ import annotations

import fcntl
import inspect
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from tests.cli.plates import START, lumivid, the_sentence
from tests.worker.running import QUICK, SOON_S, RunningWorker, running_worker
from typer.testing import Result

from lumivid_fx import client
from lumivid_fx.cli.submit_command import submit
from lumivid_fx.protocol.messages import JobRow, PathSource, Request, Settings
from lumivid_fx.protocol.places import HOME, Places


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorker]:
    """A worker that all tests of this module share."""
    folder = tmp_path_factory.mktemp("worker")
    with running_worker(folder / "home", roots=[folder / "show"], runner=QUICK) as running:
        running.wait_until_ready()
        yield running


@pytest.fixture
def show(worker: RunningWorker) -> Path:
    """A folder of one test's own, in the worker's root."""
    folder = home(worker).parent / "show" / uuid4().hex[:8]
    folder.mkdir()
    return folder


def home(worker: RunningWorker) -> Path:
    """The worker's LUMIVID_HOME."""
    return Path(worker.environ[HOME])


def ask(worker: RunningWorker, *arguments: str | Path) -> Result:
    """Run a command of the worker's user."""
    return lumivid(*arguments, home=home(worker))


def submitted(worker: RunningWorker, show: Path, label: str = "", frames: str = "1-4") -> str:
    """Submit a job; its id."""
    result = ask(
        *(worker, "submit", show / "plate.####.png", show / "out"),
        *("--frames", frames, "--label", label),
    )
    assert result.exit_code == 0, result.stderr
    return result.stdout.strip()


def row(worker: RunningWorker, job: str) -> JobRow:
    """What the worker says of a job."""
    with client.connect(places=worker.places) as there:
        return there.jobs(job=job)[0]


def wait_for_state(worker: RunningWorker, job: str, state: str) -> None:
    """Wait until a job is in a state."""
    with client.connect(places=worker.places) as there:
        worker.wait_until(lambda: there.jobs(job=job)[0].state == state, f"the job is {state}")


def test_job_from_submit_to_end(worker: RunningWorker, show: Path) -> None:
    """Submit prints the id alone, watch waits, and lists show the job where it belongs."""
    submitted(worker, show, "an older one")
    job = submitted(worker, show, "slow look-dev", "1001-1020")
    assert len(job) == 32
    listed = json.loads(ask(worker, "jobs", "--json").stdout)["jobs"]
    assert listed[0]["job"] == job
    assert listed[0]["label"] == "slow look-dev"
    assert listed[0]["target"] == f"{show}/out"
    table = ask(worker, "jobs").stdout
    assert job[:8] in table
    assert "slow look-dev" in table

    watched = ask(worker, "watch", job[:8])
    assert watched.exit_code == 0, watched.stderr
    assert watched.stdout.startswith("20 frames rendered in ")
    assert "denoise" in watched.stderr.splitlines()

    assert job[:8] not in ask(worker, "jobs").stdout
    everything = json.loads(ask(worker, "jobs", "--all", "--json").stdout)["jobs"]
    states = {each["label"]: each["state"] for each in everything}
    assert states["slow look-dev"] == states["an older one"] == "done"
    ages = [each["created"] for each in everything]
    assert ages == sorted(ages, reverse=True)
    told = ask(worker, "jobs", job[:8]).stdout.splitlines()
    assert f"job        {job}" in told
    assert "frames     20 of 20" in told


def test_watch_as_json_tells_progress_and_the_end(worker: RunningWorker, show: Path) -> None:
    """Every line parses; the last says what was done."""
    job = submitted(worker, show, "slow", "1-10")
    result = ask(worker, "watch", job, "--json")
    assert result.exit_code == 0
    assert result.stderr == ""
    *progress, summary = [json.loads(line) for line in result.stdout.splitlines()]
    assert [each["progress"]["job"] for each in progress] == [job] * len(progress)
    counts = [each["progress"]["frames"] for each in progress]
    assert counts == sorted(counts)
    assert counts[-1] == 10
    assert (summary["job"], summary["state"]) == (job, "done")
    assert (summary["rendered"], summary["kept"], summary["cached"]) == (10, 0, 0)


def test_attach_prints_every_frame_from_the_first(worker: RunningWorker, show: Path) -> None:
    """While it runs and long after, with nothing else on standard output; kept frames too."""
    job = submitted(worker, show, "slow", "7-12")
    files = [f"{show}/out/q.{number:04d}.exr" for number in range(7, 13)]
    for _ in range(2):
        result = ask(worker, "attach", job)
        assert result.exit_code == 0, result.stderr
        assert result.stdout.splitlines() == files
    again = submitted(worker, show, "", "7-12")
    told = ask(worker, "attach", again, "--json")
    *frames, summary = [json.loads(line) for line in told.stdout.splitlines()]
    assert [(each["frame"], each["how"]) for each in frames] == [(n, "kept") for n in range(7, 13)]
    assert summary["frames"] == [each["path"] for each in frames] == files
    assert (summary["rendered"], summary["kept"]) == (0, 6)


def test_attach_sends_pixels_to_scripts(worker: RunningWorker, show: Path) -> None:
    """A job without files has nothing to print."""
    with client.connect(places=worker.places) as there:
        job = there.submit(show / "plate.####.png", deliver="pixels", frames="1-2").id
    result = ask(worker, "attach", job)
    assert result.exit_code == 2
    assert "pixels, which go to a script" in the_sentence(result)
    assert ask(worker, "watch", job).exit_code == 0


def test_cancel_stops_and_keeps(worker: RunningWorker, show: Path) -> None:
    """Frames that were finished stay; whoever watches gets exit code 130; once is enough."""
    job = submitted(worker, show, "slow", "1-1000")
    wait_for_state(worker, job, "running")
    result = ask(worker, "cancel", job[:10])
    assert result.exit_code == 0
    assert "finished stay" in result.stdout
    watched = ask(worker, "watch", job)
    assert watched.exit_code == 130
    assert "Stopped: " in watched.stderr
    assert len(list((show / "out").glob("q.*.exr"))) == row(worker, job).frames < 1000
    again = ask(worker, "cancel", job)
    assert again.exit_code == 0
    assert "had ended before: cancelled" in again.stdout
    assert json.loads(ask(worker, "cancel", job, "--json").stdout)["state"] == "cancelled"


@pytest.mark.parametrize("command", ["watch", "attach"])
def test_failed_job_fails_the_command(worker: RunningWorker, show: Path, command: str) -> None:
    """The exit code is that of a render that failed, and the job's sentence is told."""
    job = submitted(worker, show, "fail@2")
    result = ask(worker, command, job)
    assert result.exit_code == 3
    assert result.stderr.splitlines()[-1] == "Error: as asked"
    assert row(worker, job).code == "E_RENDER"


def test_fall_back_is_told_once(worker: RunningWorker, show: Path) -> None:
    """What an artist should know stands in the lines of whoever watches."""
    result = ask(worker, "watch", submitted(worker, show, "slow fall@2"))
    assert result.exit_code == 0
    assert result.stderr.splitlines().count("note: memory ran out") == 1


def test_ctrl_c_leaves_a_watched_job_running(worker: RunningWorker, show: Path) -> None:
    """The exit code is 130, and one sentence says how to stop it."""
    job = submitted(worker, show, "slow", "1-1000")
    with subprocess.Popen(
        [sys.executable, "-c", START, "watch", job, "--json"],
        stdout=subprocess.PIPE,
        env=worker.environ,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "progress" in json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        *_, last = process.stdout.readlines()
        assert process.wait(timeout=SOON_S) == 130
    assert f"`lumivid cancel {job}` stops it" in json.loads(last)["error"]
    assert row(worker, job).state == "running"
    assert ask(worker, "cancel", job).exit_code == 0


def test_reader_that_has_had_enough_is_no_fault(worker: RunningWorker, show: Path) -> None:
    """`lumivid attach JOB | head -n1` says nothing of a broken pipe."""
    job = submitted(worker, show, "", "1-100")
    assert ask(worker, "watch", job).exit_code == 0
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)  # so that a hundred lines do not fit
    with subprocess.Popen(
        [sys.executable, "-c", START, "attach", job],
        stdout=writer,
        stderr=subprocess.PIPE,
        env=worker.environ,
        text=True,
    ) as process:
        os.close(writer)
        with os.fdopen(reader) as lines:
            assert lines.readline() == f"{show}/out/q.0001.exr\n"
        _, said = process.communicate(timeout=SOON_S)
    assert said == ""


def test_ids_are_told_by_their_beginning(worker: RunningWorker, show: Path) -> None:
    """One that fits several jobs, or none, or is no id, is refused by name."""
    ids = ["abcd" + uuid4().hex[4:], "abcd" + uuid4().hex[4:]]
    with client.connect(places=worker.places) as there:
        for job in ids:
            there.submit(show / "p.####.png", show / job, frames="1", job=job).wait(SOON_S)
    assert ask(worker, "jobs", ids[0][:12]).exit_code == 0
    for given, told in (
        ("abcd", "abcd stands for 2 jobs ("),
        ("0" * 32, "no job of yours begins with 000"),
        ("0123456", "no job of yours begins with 0123456"),
        ("xyz", "'xyz' is no job's id"),
        ("", "'' is no job's id"),
    ):
        result = ask(worker, "watch", given)
        assert result.exit_code == 2
        assert told in the_sentence(result)


def test_paths_are_sent_from_the_root(
    worker: RunningWorker, show: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker has another current folder; a slash at the end goes on meaning a folder."""
    (show / "work").mkdir()
    monkeypatch.chdir(show / "work")
    for source, target, sent in (
        ("plate.####.png", "out/", (f"{show}/work/plate.####.png", f"{show}/work/out/")),
        ("../p.mp4", "../out", (f"{show}/p.mp4", f"{show}/out")),
        (str(show), f"{show}/a.####.exr", (str(show), f"{show}/a.####.exr")),
    ):
        job = ask(worker, "submit", source, target, "--frames", "1").stdout.strip()
        assert (row(worker, job).source, row(worker, job).target) == sent


def test_path_outside_the_roots_is_refused(worker: RunningWorker, tmp_path: Path) -> None:
    """It says which, and how to add a root; there is no job of it."""
    before = len(json.loads(ask(worker, "jobs", "--all", "--json").stdout)["jobs"])
    result = ask(worker, "submit", tmp_path / "plate.####.png", tmp_path / "out")
    assert result.exit_code == 2
    assert "does not lie under the worker's roots" in the_sentence(result)
    assert len(json.loads(ask(worker, "jobs", "--all", "--json").stdout)["jobs"]) == before


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--detail", "1.5", "detail is 1.5; give at most 1"),
        ("--detail", "nan", "detail is nan; give at least 0"),
        ("--lora-strength", "3", "LoRA strength is 3; give at most 2"),
        ("--exposure", "inf", "exposure is inf; give at most 20"),
        ("--seed", "-1", "seed is -1; give at least 0"),
        ("--fps", "0", "fps is 0; give more than 0"),
        ("--steps", "0", "steps is 0; give at least 1"),
        ("--priority", "101", "priority is 101; give at most 100"),
        ("--compression", "rar", "compression is 'rar'; give what --help names"),
        ("--label", "two\nlines", "label is 'two\\nlines'; give text without control characters"),
        ("--label", "x" * 201, "give at most 200 characters"),
    ],
)
def test_number_out_of_range_is_refused(option: str, value: str, told: str, tmp_path: Path) -> None:
    """Each is named with what was given, before a worker is even looked for."""
    result = lumivid("submit", "in.mp4", "out/", option, value, home=tmp_path)
    assert result.exit_code == 2
    assert told in the_sentence(result)
    assert not list(tmp_path.iterdir())


def test_defaults_are_those_of_a_request() -> None:
    """`lumivid submit` without options asks for what a request without fields does."""
    options = {name: each.default for name, each in inspect.signature(submit).parameters.items()}
    settings, request = Settings(), Request(source=PathSource(path="/p"))
    for name in Settings.__struct_fields__:
        if name != "sigmas":
            assert options[name] == getattr(settings, name), name
    for name in ("frames", "model", "lora", "lora_strength", "ocio", "compression", "overwrite"):
        assert options[name] == getattr(request, name), name
    assert (options["priority"], options["label"]) == (request.priority, request.label)


@pytest.mark.parametrize(
    "command",
    [("jobs",), ("watch", "ab"), ("attach", "ab"), ("cancel", "ab"), ("submit", "in.mp4", "out/")],
)
def test_without_a_worker(command: tuple[str, ...], tmp_path: Path) -> None:
    """The exit code is 4, and one sentence says how to start one."""
    result = lumivid(*command, home=tmp_path)
    assert result.exit_code == 4
    assert "start one with `lumivid worker`" in the_sentence(result)
    told = json.loads(lumivid(*command, "--json", home=tmp_path).stdout)
    assert told["exit_code"] == 4


def test_unknown_key_is_not_admitted(worker: RunningWorker, tmp_path: Path) -> None:
    """Who knows the address alone is told so at once: exit code 5."""
    places = Places.of({HOME: str(tmp_path)})
    places.run.mkdir(mode=0o700)
    shutil.copy(worker.places.connection, places.connection)
    result = lumivid("jobs", home=tmp_path)
    assert result.exit_code == 5
    assert "key" in the_sentence(result)
