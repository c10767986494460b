"""Prometheus figures of a real worker, over HTTP."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.request import urlopen

import msgspec
from prometheus_client.parser import text_string_to_metric_families
from tests.worker.caller import Caller
from tests.worker.running import QUICK, running_worker

from lumivid_fx.protocol.messages import PathSource, Request
from lumivid_fx.protocol.places import read_key_pair


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def figures(port: int) -> dict[tuple[str, str], float]:
    """What the worker tells, by name and label."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_figures_follow_the_jobs(tmp_path: Path) -> None:
    """Jobs, frames, deaths, fall-backs and the runner's state are counted."""
    port = free_port()
    shots = tmp_path / "shots"
    asked = Request(
        source=PathSource(path=f"{shots}/p.mp4"),
        frames="1-4",
        target=f"{shots}/out",
        label="fall@2",
    )
    with running_worker(
        tmp_path / "home", roots=[shots], runner=QUICK, metrics_port=port
    ) as worker:
        pair = read_key_pair(worker.places.keys / "client.key")
        assert pair is not None
        with Caller(worker.connection, pair) as caller:
            for label in ("fall@2", "fail@2", "die1@1"):
                target = str(shots / label)
                job = caller.submit(msgspec.structs.replace(asked, label=label, target=target)).job
                caller.attach(job, frames=False)
                caller.done(job)
            told = figures(port)
    assert told["lumivid_jobs_total", "done"] == 2
    assert told["lumivid_jobs_total", "failed"] == 1
    assert told["lumivid_frames_total", "rendered"] == 10
    assert told["lumivid_runner_deaths_total", ""] == 1
    assert told["lumivid_fall_backs_total", ""] == 1
    assert told["lumivid_jobs_unended", ""] == 0
    assert told["lumivid_callers", ""] == 1
    assert sum(told["lumivid_runners", state] for state in ("ready", "starting", "busy")) == 1
