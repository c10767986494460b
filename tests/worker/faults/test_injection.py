"""Words of others in logs and messages: none begins a line or moves a terminal's cursor."""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata

import msgspec
import pytest
from tests.media.files import encode_movie, write_image
from tests.media.movies import numbered
from tests.pipeline.plates import picture, write_png
from tests.worker.caller import new_id
from tests.worker.faults.real import RealWorker, request
from tests.worker.faults.taker import Taker
from tests.worker.faults.workers import own_pair

from lumivid_fx.protocol import messages as m

FORGED = json.dumps({"level": "error", "message": "forged"})
CONTROLS = ["\n", "\r\n", "\x1b[2J", "\x00", "\x7f", "\x1b]0;owned\x07"]
LINES = ["\u0085", "\u2028", "\u2029", "\x9b2J"]


def nothing_forged(real: RealWorker) -> None:
    """Every line of the log is one that the worker wrote, and plain ASCII."""
    log = real.worker.places.keys.parent / "log.jsonl"
    for line in log.read_bytes().splitlines():
        assert all(0x20 <= byte < 0x7F for byte in line), line
        told = json.loads(line)
        assert {"time", "level", "where", "message", "boot"} <= told.keys()
        assert told["boot"] == real.worker.connection.boot
        assert told["message"] != "forged"


@pytest.mark.parametrize("control", CONTROLS + LINES)
def test_labels_and_names(real: RealWorker, control: str) -> None:
    """Log injection: control characters in labels, names of clients, and keys of sessions.

    What could break a line is refused where it comes in.
    """
    words = f"shot{control}{FORGED}"
    asked = request(real.plate, real.new_folder("no"))
    for request_ in (
        msgspec.structs.replace(asked, label=words),
        msgspec.structs.replace(asked, settings=m.Settings(input_space=words)),
        msgspec.structs.replace(asked, settings=m.Settings(output_space=words)),
        msgspec.structs.replace(asked, settings=m.Settings(source_view=words)),
    ):
        assert real.run(request_).code == "E_SCHEMA"
    with Taker(real.worker, own_pair(real.worker)) as taker:
        taker.send(m.Hello(id=new_id(), versions=(1,), client=words, session=new_id()))
        assert taker.error().code == "E_SCHEMA"
    nothing_forged(real)
    real.still_renders()


@pytest.mark.parametrize("control", ["\t", "\x1b[2J", "\u2028", "\udc80"])
def test_names_of_files(real: RealWorker, control: str) -> None:
    """Log injection: names on disk may hold anything; what is told of them is one plain line."""
    folder = real.new_folder("in")
    for stem in ("a", f"b{control}{FORGED}".replace("/", "")):
        pixels = picture(24, 32, 1)
        path = write_image(folder / "p.exr", pixels)
        path.rename(folder / f"{stem}.1001.exr")
    outcome = real.refused(request(folder, real.new_folder("no")), "E_INPUT", "holds 2 sequences")
    assert "forged" in outcome.message
    nothing_forged(real)
    real.still_renders()


def test_words_inside_files(real: RealWorker) -> None:
    """Log injection: what a movie or a LoRA says of itself is carried, or told on one line."""
    path = real.new_folder("in") / "clip.mov"
    encode_movie(path, numbered(9), metadata={"title": f"a\n{FORGED}\x1b[2J", "comment": "\r"})
    out = real.new_folder("out")
    outcome = real.run(request(path, out))
    assert outcome.code == "", outcome.message
    model = real.new_folder("model")
    (model / "lumivid.toml").write_text(
        f'name = "a\\n{json.dumps(FORGED)[1:-1]}"\nsigmas = "\\u001b[2J"\n'
    )
    asked = msgspec.structs.replace(request(real.plate, real.new_folder("no")), model=str(model))
    real.refused(asked, "E_INPUT", "")
    ocio = model / "config.ocio"
    ocio.write_text(f"ocio_profile_version: 2\n{FORGED}\x1b[2J: [\n")
    asked = msgspec.structs.replace(request(real.plate, real.new_folder("no")), ocio=str(ocio))
    real.refused(asked, "E_INPUT", "")
    nothing_forged(real)
    real.still_renders()


def test_lists_on_a_terminal(real: RealWorker) -> None:
    """Log injection: what ``lumivid jobs --all`` prints of labels and paths moves no cursor."""
    plate = write_png(real.new_folder("[red]in[bold]"), range(1, 3))
    label = "[bold]shot[/bold] {0} %s \\033[2J"
    out = real.new_folder("out")
    asked = msgspec.structs.replace(request(plate, out), label=label)
    assert real.run(asked).code == ""
    done = subprocess.run(
        [sys.executable, "-m", "lumivid_fx.cli", "jobs", "--all"],
        env={**real.worker.environ, "COLUMNS": "400"},
        capture_output=True,
        check=False,
        timeout=120,
    )
    told = done.stdout.decode()
    assert done.returncode == 0, done.stderr
    assert "shot[/bold]" in told, "markup of others is not markup"
    found = {c for c in told if unicodedata.category(c) in ("Cc", "Zl", "Zp")}
    assert found <= {"\n"}, found
