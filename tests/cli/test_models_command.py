"""`lumivid models`: official files under a name, and a render by it, here and at a worker."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.plates import files, frame_names, lumivid, the_sentence, write_plate
from tests.hub_server import serving
from tests.official_files import (
    CHECKPOINT,
    EMBEDDING,
    HDR_LORA,
    UPSAMPLER,
    write_checkpoint,
    write_parts,
)
from tests.worker.running import running_worker
from typer.testing import Result

from lumivid_fx.media.exr import read_attributes
from lumivid_fx.protocol.places import HOME

RENDER = ("--window", "9", "--overlap", "1", "--device", "cpu")


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model as Lightricks publishes it."""
    folder = tmp_path_factory.mktemp("official")
    write_checkpoint(folder / CHECKPOINT)
    write_parts(folder)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, official: Path) -> Iterator[Path]:
    """A home whose library has the model."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HOME, str(home))
        patch.delenv("LUMIVID_MODELS", raising=False)
        given = [official / name for name in (HDR_LORA, EMBEDDING, UPSAMPLER, CHECKPOINT)]
        result = lumivid("models", "add", "ltx-tiny", *given)
        assert result.exit_code == 0, result.stderr
        assert result.stdout == (
            "ltx-tiny: 8 + 2 steps, ic-lora-hdr.safetensors; render with --model ltx-tiny\n"
        )
        yield home


def rendered(home: Path, out: Path, *options: str | Path) -> Result:
    """Render two frames with the model by its name."""
    plate = write_plate(out.parent / "plate", 2)
    return lumivid("render", plate, out / "p.####.exr", "--model", "ltx-tiny", *options, home=home)


def test_render_by_name(home: Path, tmp_path: Path) -> None:
    """Frames say which model made them; the schedule, the tilers and the mask are options."""
    result = rendered(home, tmp_path / "out", *RENDER)
    assert result.exit_code == 0, result.stderr
    assert files(tmp_path / "out") == frame_names(range(1001, 1003))
    told = read_attributes(tmp_path / "out" / "p.1001.exr")
    assert told["lumivid/model"] == "ltx-tiny"
    assert told["lumivid/lora"] == HDR_LORA
    assert told["lumivid/transfer"] == "logc3_rec709"
    options = ("--schedule", "8+3", "--tilers", "reference", "--high-quality")
    result = rendered(home, tmp_path / "other", *RENDER, *options)
    assert result.exit_code == 0, result.stderr
    other = json.loads(str(read_attributes(tmp_path / "other" / "p.1001.exr")["lumivid/settings"]))
    assert [len(stage) - 1 for stage in other["sigmas"]] == [8, 3]
    assert (other["tilers"], other["high_quality"]) == ("reference", True)


def test_steps_are_said_once(home: Path, tmp_path: Path) -> None:
    """A schedule and a number of steps contradict each other."""
    result = rendered(home, tmp_path / "out", *RENDER, "--schedule", "8+3", "--steps", "4")
    assert result.exit_code == 2
    assert "steps, sigmas and a schedule are not given together" in the_sentence(result)


def test_list_and_verify(home: Path) -> None:
    """Every model is listed with what it is made of; verifying looks at each file again."""
    result = lumivid("models", "list", "--json", home=home)
    told = json.loads(result.stdout)
    assert told["folder"] == str(home / "models")
    assert [row["name"] for row in told["models"]] == ["embedded", "ltx-tiny"]
    row = told["models"][1]
    assert (row["steps"], row["loras"], row["flaw"]) == ("8 + 2", [HDR_LORA], "")
    assert "ltx-tiny" in lumivid("models", "list", home=home).stdout
    result = lumivid("models", "verify", home=home)
    assert (result.exit_code, result.stdout) == (0, "ltx-tiny: every file is what it was\n")


def test_a_file_that_was_lost(official: Path, tmp_path: Path) -> None:
    """A model whose file is gone is listed with that, verified with exit code 1, not rendered."""
    home, lora = tmp_path / "home", tmp_path / "lora.safetensors"
    os.link(official / HDR_LORA, lora)
    given = [lora, *(official / name for name in (EMBEDDING, UPSAMPLER, CHECKPOINT))]
    assert lumivid("models", "add", "ltx-tiny", *given, home=home).exit_code == 0
    lora.unlink()
    assert (
        f"{lora} is missing"
        in json.loads(lumivid("models", "list", "--json", home=home).stdout)["models"][1]["flaw"]
    )
    assert lumivid("models", "verify", home=home).exit_code == 1
    result = rendered(home, tmp_path / "out", *RENDER)
    assert result.exit_code == 2
    assert f"{lora} does not exist; check the path of the LoRA" in the_sentence(result)


def test_refusals(home: Path, official: Path, tmp_path: Path) -> None:
    """What is wrong with files, names and strengths is one sentence."""
    refused: list[tuple[tuple[str | Path, ...], str]] = [
        (("add", "ltx-tiny", official), "there is a model 'ltx-tiny' already"),
        (("add", "a/b", official), "is no model's name"),
        (
            ("add", "new", official / CHECKPOINT),
            "no scene embedding among these files; add ltx-2.3",
        ),
        (("add", "new", f"{official / UPSAMPLER}:0.5"), "is no LoRA, and has no strength"),
        (("add", "new", tmp_path / "none.safetensors"), "does not exist; check the path"),
        (("verify", "nothing"), "there is no model 'nothing'"),
        (("pull", "sora"), "'sora' is not known here; known are ltx-2.3-hdr"),
    ]
    for arguments, told in refused:
        result = lumivid("models", *arguments, home=home)
        assert result.exit_code == 2, arguments
        assert told in the_sentence(result)
    assert not (home / "models" / "new").exists()


def test_strength_of_a_lora(home: Path, official: Path) -> None:
    """FILE:0.5 is a strength, and stands in the entry."""
    given = [official / name for name in (EMBEDDING, UPSAMPLER, CHECKPOINT)]
    arguments: tuple[str | Path, ...] = (
        "add",
        "half",
        f"{official / HDR_LORA}:0.5",
        *given,
        "--json",
    )
    result = lumivid("models", *arguments, home=home)
    assert result.exit_code == 0, result.stderr
    assert "lora_strength = 0.5" in (home / "models" / "half" / "lumivid.toml").read_text("utf-8")


def test_licence_before_anything(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody there to agree: the licence and who must pay are shown, and nothing is fetched."""
    with serving() as hub:
        for repo in ("Lightricks/LTX-2.3", "Lightricks/LTX-2.3-22b-IC-LoRA-HDR"):
            hub.files[f"{repo}/LICENSE"] = b"Be kind.\n"
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        patch_offline(monkeypatch)
        result = lumivid("models", "pull", "ltx-2.3-hdr", home=home)
        assert result.exit_code == 2
        assert result.stdout.count("Be kind.") == 2
        assert "10,000,000 US dollars" in result.stdout
        assert "nobody is there to agree to the licence" in result.stderr
        assert not [path for _, path, _ in hub.asked if path.endswith(".safetensors")]


def patch_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what was read of the environment when the library was imported before this test."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


def test_at_a_worker(home: Path, official: Path, tmp_path: Path) -> None:
    """The confined worker finds the model by its name, though its files lie outside of the roots.

    The bits are those of a plain render; a name that it does not know is refused at once.
    """
    del official
    plain = rendered(home, tmp_path / "show" / "plain", *RENDER)
    assert plain.exit_code == 0, plain.stderr
    with running_worker(home, roots=[tmp_path / "show"]):
        for name, code in (("there", 0), ("again", 0)):
            out = tmp_path / "show" / name
            result = rendered(home, out, *RENDER[:4], "--worker")
            assert result.exit_code == code, result.stderr
            assert {n: (out / n).read_bytes() for n in files(out)} == {
                n: (tmp_path / "show" / "plain" / n).read_bytes() for n in files(out)
            }
        result = lumivid(
            *("render", tmp_path / "show" / "plate", tmp_path / "show" / "x.####.exr"),
            *("--model", "unknown", "--worker"),
            home=home,
        )
        assert result.exit_code == 2
        assert "there is no model 'unknown'" in the_sentence(result)
