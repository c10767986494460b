"""``lumivid plan``: what it prints, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from lumivid_fx.cli import app


def run(*arguments: object) -> Any:
    """Run the command in this process."""
    return CliRunner().invoke(app, ["plan", *map(str, arguments)])


def test_the_published_model_is_planned_without_its_weights() -> None:
    """A sentence of what was chosen, a table of phases, one of ways, and what to expect."""
    told = run("--size", "1920x1080", "--frames", 49, "--vram", 12, "--model", "ltx-2.3-hdr")
    assert told.exit_code == 0, told.output
    for words in ("chosen: offload", "stage 2", "decode", "takes a card of", "Worked out, not me"):
        assert words in told.output


def test_an_added_model_is_planned_by_its_headers(tiny_two_stage_folder: Path) -> None:
    """As JSON: bytes and seconds, and every way with its reason."""
    told = run("--model", f"{tiny_two_stage_folder}/", "--frames", 60, "--vram", 8, "--json")
    said = json.loads(told.output)
    assert (said["model"], said["windows"], said["chosen"]) == ("tiny", 4, "resident")
    assert said["peak_bytes"] == max(phase["bytes"] for phase in said["phases"])
    assert [way["way"] for way in said["ways"]] == ["resident", "fp8", "offload", "stream"]


@pytest.mark.parametrize("size", ["1920", "0x100", "1920x1080x3", "99999x99999", "wide"])
def test_a_size_that_is_none_is_refused(size: str) -> None:
    """One sentence with an example or the bounds."""
    told = run("--size", size, "--vram", 24)
    assert told.exit_code != 0
    assert "give" in told.output


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card to plan for")
def test_without_a_card_its_size_is_wanted() -> None:
    """The remedy is named."""
    told = run("--frames", 9)
    assert told.exit_code != 0
    assert "--vram 24" in told.output
