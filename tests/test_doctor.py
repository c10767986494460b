"""The doctor: rows for what is there, and for what is not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lumivid_fx.cli import app
from lumivid_fx.doctor import Check, examine
from lumivid_fx.protocol.places import (
    HOME,
    Connection,
    KeyPair,
    Places,
    keep_key_pair,
    write_connection,
)


@pytest.fixture(scope="module")
def rows(tiny_model_folder: Path) -> dict[str, Check]:
    """Every row of this machine, with a tiny model."""
    return {check.name: check for check in examine(tiny_model_folder)}


def test_sound_install_has_no_failure(rows: dict[str, Check]) -> None:
    """Where the tests run, everything a render stands on works."""
    assert [check for check in rows.values() if check.status == "fail"] == []


def test_every_part_has_its_row(rows: dict[str, Check]) -> None:
    """Python, packages, devices, room, model, colour, files and movies are all looked at."""
    packages = {"typer", "rich", "torch", "diffusers", "numpy", "opencolorio", "av"}
    machine = {"Python", "lumivid-fx", "device", "memory", "disk"}
    works = {"model", "OCIO config", "EXR write and read", "movies"}
    colour = {"LogC3, published", "LogC3, OpenColorIO"}
    worker = {"keys", "confinement", "worker"}
    assert packages | machine | works | colour | worker <= set(rows)


def test_model_row_says_which(rows: dict[str, Check]) -> None:
    """Name, size, curve, steps and digest tell one model from another."""
    detail = rows["model"].detail
    assert detail.startswith("tiny, ")
    assert "MB, logc3_rec709, 3 steps, digest " in detail


def test_faults_say_what_to_do(tiny_model_folder: Path, tmp_path: Path) -> None:
    """A damaged model and a missing config are rows with a remedy, and hinder no other row."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_model_folder, folder)
    (folder / "scene_embedding.safetensors").write_bytes(b"cut")
    found = {check.name: check for check in examine(folder, str(tmp_path / "none.ocio"))}
    assert found["model"].status == "fail"
    assert "scene_embedding.safetensors" in found["model"].detail
    assert "download it again" in found["model"].remedy
    assert found["OCIO config"].status == "fail"
    assert "config.ocio" in found["OCIO config"].remedy
    assert found["EXR write and read"].status == "ok"


def test_worker_rows_say_who_runs_and_which_keys_are_safe(
    tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is gone is told, and so is a key that others can read."""
    monkeypatch.setenv(HOME, str(tmp_path))
    places = Places.of()
    # The public and the secret key of ZeroMQ's own documentation (zmq_curve).
    pair = KeyPair(
        "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"
    )
    keep_key_pair(places.keys / "client.key", pair)

    def look(pid: int) -> dict[str, Check]:
        listens = Connection("tcp://127.0.0.1:47800", pair.public, pid, "0" * 32, (1,))
        write_connection(places.connection, listens)
        return {check.name: check for check in examine(tiny_model_folder)}

    found = look(os.getpid())
    assert (found["keys"].status, found["worker"].status) == ("ok", "ok")
    assert "client.key" in found["keys"].detail
    assert "tcp://127.0.0.1:47800" in found["worker"].detail
    (places.keys / "client.key").chmod(0o644)
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    found = look(ended.pid)
    assert (found["keys"].status, found["worker"].status) == ("fail", "warn")
    assert "chmod 600" in found["keys"].remedy
    assert "lumivid worker" in found["worker"].remedy


def test_json_parses_and_exit_code_is_0(tiny_model_folder: Path) -> None:
    """A sound install ends well, and a program can read why."""
    result = CliRunner().invoke(app, ["doctor", "--json", "--model", str(tiny_model_folder)])
    assert result.exit_code == 0, result.stdout
    told = json.loads(result.stdout)
    assert told["failed"] == 0
    assert {"name", "status", "detail", "remedy"} == set(told["checks"][0])


def test_failure_ends_with_1(tmp_path: Path) -> None:
    """The table names the fault, and the exit code tells a script."""
    result = CliRunner().invoke(app, ["doctor", "--model", str(tmp_path)], env={"COLUMNS": "200"})
    assert result.exit_code == 1
    assert "Traceback" not in result.stdout + result.stderr
    assert "is not a model folder" in result.stdout
