"""Job bundles: those of five shots as they were looked at once, and what hostile text does to one.

``bundles/SHOT/`` holds what each must come to, with the shot's folder written ``/SHOW``. To write
them anew after a change that is meant, run this with ``LUMIVID_GOLDEN=write``, and read the diff.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import yaml
from tests.media.files import write_image
from tests.pipeline.plates import write_png

from lumivid_fx.errors import InputError
from lumivid_fx.farm.job_bundle import (
    ASSETS,
    PARAMETERS,
    TEMPLATE,
    asset_references,
    job_parameters,
    template,
    write_bundle,
)
from lumivid_fx.farm.plan_file import Plan
from lumivid_fx.protocol.messages import PathSource

from .openjd import OPENJD, needs_openjd, openjd
from .shots import planned

BUNDLES = Path(__file__).parent / "bundles"
WRITE = os.environ.get("LUMIVID_GOLDEN") == "write"


def four_k(folder: Path) -> str:
    """Two frames of DCI 4K."""
    folder.mkdir()
    for number in (1001, 1002):
        write_image(folder / f"plate.{number}.png", np.full((2160, 4096, 3), 90, np.uint8))
    return str(folder / "plate.####.png")


SHOTS: dict[str, tuple[Any, bool]] = {
    "short": (lambda folder: write_png(folder, range(1001, 1004)), False),
    "long": (lambda folder: write_png(folder, range(1001, 1101)), True),
    "odd_length": (lambda folder: write_png(folder, range(1, 12)), False),
    "still": (lambda folder: write_png(folder, [7]), False),
    "4k": (four_k, True),
}


@pytest.mark.parametrize("shot", SHOTS)
def test_bundles_are_what_they_were(tmp_path: Path, model_folder: Path, shot: str) -> None:
    """Template, parameters and assets, as files."""
    make, gpu = SHOTS[shot]
    plan = planned(make(tmp_path / "in"), tmp_path, model_folder)
    write_bundle(plan, tmp_path / "plan.json", tmp_path / "bundle", gpu=gpu)
    made = {
        path.name: path.read_text()
        .replace(str(tmp_path), "/SHOW")
        .replace(str(model_folder), "/MODELS/small")
        for path in (tmp_path / "bundle").iterdir()
    }
    assert set(made) == {TEMPLATE, PARAMETERS, ASSETS}
    golden = BUNDLES / shot
    if WRITE:
        golden.mkdir(parents=True, exist_ok=True)
        for name, text in made.items():
            (golden / name).write_text(text)
    assert made == {path.name: path.read_text() for path in golden.iterdir()}


@needs_openjd
@pytest.mark.parametrize("shot", SHOTS)
def test_the_form_itself_takes_them(shot: str) -> None:
    """Open Job Description's own checker, without extensions."""
    checked = openjd("check", BUNDLES / shot / TEMPLATE)
    assert checked.returncode == 0, checked.stdout
    assert "passes validation checks" in checked.stdout


HOSTILE = [
    "$(touch PWNED);`id`'\".png",
    "-rf --plan=x.png",
    "a\u2028openjd_env: LD_PRELOAD=evil.so\u0085.png",
    "{{Param.Plan}}{{Session.WorkingDirectory}}.png",
    "été \U0001f3ac & | > < * ? ~ # !.png",
]


def named(plan: Plan, name: str) -> Plan:
    """The plan of a plate that is called so."""
    request = msgspec.structs.replace(plan.request, source=PathSource(path=f"/show/{name}"))
    return msgspec.structs.replace(plan, request=request)


@pytest.fixture
def plan(tmp_path: Path, model_folder: Path) -> Plan:
    """A still."""
    return planned(write_png(tmp_path / "in", [1]), tmp_path, model_folder)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_of_a_user_reaches_the_template(plan: Plan, tmp_path: Path, name: str) -> None:
    """The template is the same for any shot; what is given comes back as it was, in ASCII."""
    hostile = named(plan, name)
    write_bundle(hostile, tmp_path / name, tmp_path / "bundle", gpu=False)
    texts = {path.name: path.read_bytes() for path in (tmp_path / "bundle").iterdir()}
    assert yaml.safe_load(texts[TEMPLATE]) == template(gpu=False)
    assert all(text.isascii() for text in texts.values())
    for text in texts.values():
        assert not any(line.lstrip().startswith(b"openjd_") for line in text.splitlines())
    given = {
        each["name"]: each["value"] for each in yaml.safe_load(texts[PARAMETERS])["parameterValues"]
    }
    assert given == job_parameters(hostile, tmp_path / name)
    assert given["Plan"] == str(tmp_path / name)
    assert given["JobName"].isprintable()


def test_a_job_is_called_after_its_plate(plan: Plan) -> None:
    """Cut to what the form takes."""
    assert job_parameters(plan, Path("/p.json"))["JobName"] == "lumivid plate.####.png"
    assert job_parameters(named(plan, 300 * "x"), Path("/p.json"))["JobName"] == (
        "lumivid " + 92 * "x"
    )


def test_what_a_farm_carries_along(plan: Plan) -> None:
    """Plate, mask and LoRA are read; a model by name is installed there, and named nowhere."""
    request = msgspec.structs.replace(plan.request, model="ltx-hdr", lora="/show/l.safetensors")
    said = asset_references(msgspec.structs.replace(plan, request=request), Path("/show/p.json"))
    there = said["assetReferences"]
    assert there["inputs"]["filenames"] == ["/show/p.json", plan.files[0].path, request.lora]
    assert there["outputs"]["directories"] == [str(Path(plan.target).parent), plan.folder]
    assert there["referencedPaths"] == []


def test_a_plan_too_deep_for_a_parameter(plan: Plan, tmp_path: Path) -> None:
    """It is told before a farm refuses it."""
    with pytest.raises(InputError, match="is longer than a job's parameter may be"):
        write_bundle(plan, Path("/" + 1100 * "x"), tmp_path / "bundle", gpu=False)
    assert not (tmp_path / "bundle").exists()


def test_the_checker_is_where_it_is_said_to_be() -> None:
    """An environment that was named must be one: a slip of the pen skips no test."""
    if "LUMIVID_OPENJD_ENV" in os.environ:
        assert OPENJD is not None
