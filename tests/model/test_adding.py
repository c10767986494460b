"""Adding a model: told apart by content, refused by name, made ready once, and verified."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.official_files import (
    CHECKPOINT,
    EMBEDDING,
    HDR_LORA,
    HDR_METADATA,
    UPSAMPLER,
    config,
    save,
    transformer_tensors,
    vae_tensors,
)
from tests.tiny_model import WIDTH, tiny_lora

from lumivid_fx.errors import InputError
from lumivid_fx.model import digests, ready
from lumivid_fx.model.adding import Given, add_model, identify, verify_model
from lumivid_fx.model.checkpoint import load_model
from lumivid_fx.model.digests import file_digest

from .model_folders import linked_copy


@pytest.fixture
def folder(official: Path, tmp_path: Path) -> Path:
    """A copy of the official files, to be broken."""
    return linked_copy(official, tmp_path / "files")


def refused(folder: Path, told: str) -> None:
    """Adding fails with one sentence, and nothing is left in the library."""
    with pytest.raises(InputError, match=told) as caught:
        add_model("ltx", [Given(folder)])
    assert "\n" not in str(caught.value)
    left = Path(os.environ["LUMIVID_MODELS"])
    assert not [path for path in left.rglob("*") if path.suffix in (".toml", ".part")]


def replaced(path: Path, **tensors: torch.Tensor) -> Path:
    """Write a file of a linked copy anew."""
    path.unlink(missing_ok=True)
    return save(path, tensors)


def test_files_are_known_by_content(official: Path) -> None:
    """Whatever they are called."""
    holds = {path.name: identify(path) for path in official.iterdir()}
    assert holds == {
        CHECKPOINT: {"transformer", "vae"},
        UPSAMPLER: {"upsampler"},
        HDR_LORA: {"lora"},
        EMBEDDING: {"embedding"},
    }


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (CHECKPOINT, r"no transformer among these files; add ltx-2\.3-22b-distilled-1\.1\.saf"),
        (HDR_LORA, r"no HDR LoRA among these files; add ltx-2\.3-22b-ic-lora-hdr-0\.9\.saf"),
        (EMBEDDING, r"no scene embedding .*ltx-2\.3-22b-ic-lora-hdr-scene-emb.*Gemma"),
    ],
)
def test_missing_part(folder: Path, library: Path, name: str, told: str) -> None:
    """What is missing is called by the name under which it is published."""
    del library
    (folder / name).unlink()
    refused(folder, told)


def test_no_upsampler_is_one_stage(folder: Path, library: Path) -> None:
    """Without an upsampler the model renders in one stage of 8 steps."""
    del library
    (folder / UPSAMPLER).unlink()
    add_model("one", [Given(folder)])
    model = load_model("one")
    assert model.stages == 1
    assert [len(stage) - 1 for stage in model.manifest.sigmas] == [8]


def undistilled(folder: Path) -> None:
    """The model that was not distilled, on the distilled schedule."""
    (folder / CHECKPOINT).rename(folder / "ltx-2.3-22b-dev.safetensors")


def twice_distilled(folder: Path) -> None:
    """The distilled model with the LoRA that distils."""
    save(folder / "ltx-2.3-22b-distilled-lora-384-1.1.safetensors", tiny_lora())


def two_hdr_loras(folder: Path) -> None:
    """Two LoRAs that both make HDR."""
    save(folder / "other.safetensors", tiny_lora(), HDR_METADATA)


def no_curve(folder: Path) -> None:
    """A LoRA that says nothing of HDR in place of the one that does."""
    replaced(folder / HDR_LORA, **tiny_lora())


def other_curve(folder: Path) -> None:
    """A LoRA in a curve that is not known."""
    (folder / HDR_LORA).unlink()
    save(folder / HDR_LORA, tiny_lora(), {"hdr_transform": "vlog"})


def smaller_reference(folder: Path) -> None:
    """A LoRA that was trained on a smaller reference."""
    (folder / HDR_LORA).unlink()
    metadata = {**HDR_METADATA, "reference_downscale_factor": "2"}
    save(folder / HDR_LORA, tiny_lora(), metadata)


def other_base(folder: Path) -> None:
    """A LoRA of a wider transformer."""
    (folder / HDR_LORA).unlink()
    tensors = {n: t.repeat(1, 2) if ".lora_A." in n else t for n, t in tiny_lora().items()}
    save(folder / HDR_LORA, tensors, HDR_METADATA)


def other_width(folder: Path) -> None:
    """A scene embedding of another model."""
    replaced(folder / EMBEDDING, video_context=torch.zeros(6, WIDTH + 1))


def temporal_upsampler(folder: Path) -> None:
    """An upsampler in time."""
    tensors = load_file(folder / UPSAMPLER)
    tensors = {n: t for n, t in tensors.items() if not n.startswith("upsampler.")}
    tensors["upsampler.0.weight"] = torch.zeros(64, 32, 3, 3, 3)
    replaced(folder / UPSAMPLER, **tensors)


def other_latents(folder: Path) -> None:
    """An upsampler of latents of another width."""
    tensors = load_file(folder / UPSAMPLER)
    tensors["initial_conv.weight"] = torch.zeros(32, 16, 3, 3, 3)
    tensors["final_conv.weight"] = torch.zeros(16, 32, 3, 3, 3)
    tensors["final_conv.bias"] = torch.zeros(16)
    replaced(folder / UPSAMPLER, **tensors)


def no_config(folder: Path) -> None:
    """A checkpoint that another program saved again."""
    (folder / CHECKPOINT).unlink()
    save(folder / CHECKPOINT, {**transformer_tensors(), **vae_tensors()})


def damaged_config(folder: Path) -> None:
    """A config that is no JSON."""
    (folder / CHECKPOINT).unlink()
    save(folder / CHECKPOINT, {**transformer_tensors(), **vae_tensors()}, {"config": "{"})


def lost_tensor(folder: Path) -> None:
    """A checkpoint without one of its tensors."""
    (folder / CHECKPOINT).unlink()
    tensors = {**transformer_tensors(), **vae_tensors()}
    del tensors["model.diffusion_model.transformer_blocks.1.ff.net.2.bias"]
    save(folder / CHECKPOINT, tensors, config())


def four_bits(folder: Path) -> None:
    """A checkpoint in nvfp4."""
    (folder / CHECKPOINT).unlink()
    tensors = {**transformer_tensors(), **vae_tensors()}
    key = "model.diffusion_model.transformer_blocks.0.attn1.to_q.weight"
    tensors[key] = torch.zeros(WIDTH, WIDTH // 2, dtype=torch.uint8)
    tensors[f"{key}_scale_2"] = torch.ones(1)
    save(folder / CHECKPOINT, tensors, config())


def cut_short(folder: Path) -> None:
    """A download that stopped."""
    content = (folder / CHECKPOINT).read_bytes()
    (folder / CHECKPOINT).unlink()
    (folder / CHECKPOINT).write_bytes(content[:-100])


def published_name(folder: Path) -> None:
    """A file with a published name that is another."""
    (folder / HDR_LORA).rename(folder / "ltx-2.3-22b-ic-lora-hdr-0.9.safetensors")


def text_encoder(folder: Path) -> None:
    """A file that no HDR model is made of."""
    save(folder / "gemma.safetensors", {"language_model.embed.weight": torch.ones(2)})


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (undistilled, r"undistilled model.*give ltx-2\.3-22b-distilled-1\.1.*or add ltx-2\.3-22b-"),
        (twice_distilled, r"distilled already and ltx-2\.3-22b-distilled-lora-384"),
        (two_hdr_loras, "both make HDR; leave one of them out"),
        (no_curve, r"no HDR LoRA among these files; add ltx-2\.3-22b-ic-lora-hdr-0\.9"),
        (other_curve, "curve 'vlog', which is not known here"),
        (smaller_reference, "reference 2 times smaller than its target"),
        (other_base, r"to_. is of another size; .*such as ltx-2\.3-22b-ic-lora-hdr-0\.9"),
        (other_width, rf"no video_context of width {WIDTH};.*give ltx-2\.3-22b-ic-lora-hdr-scene"),
        (temporal_upsampler, r"another factor than 2 .*give ltx-2\.3-spatial-upscaler-x2-1\.1"),
        (other_latents, "upsamples latents of 16 channels and the VAE has 8"),
        (no_config, "lacks the config of its vae in its metadata.*as it was published"),
        (damaged_config, "damaged config in its metadata; download it again"),
        (lost_tensor, r"weights do not match .*transformer_blocks\.1\.ff\.net\.2\.bias is missing"),
        (four_bits, "nvfp4, which is not read here; give the bf16 or fp8 file"),
        (cut_short, "is damaged .*tensors take .* bytes and the file holds"),
        (published_name, "was published with 327,309,312; download it again from Lightricks"),
        (text_encoder, "holds no part of an HDR model.*no text encoder .* is needed"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_wrong_files(folder: Path, library: Path, spoil: Callable[[Path], None], told: str) -> None:
    """Each is refused in one sentence, before any weight of the model is read."""
    del library
    spoil(folder)
    refused(folder, told)


@pytest.mark.parametrize("name", ["model.gguf", "model.ckpt", "model.pt"])
def test_nothing_else_is_opened(tmp_path: Path, library: Path, name: str) -> None:
    """Pickles least of all."""
    del library
    (tmp_path / name).write_bytes(b"\x80\x04")
    with pytest.raises(InputError, match="no safetensors file, and nothing else is opened"):
        add_model("ltx", [Given(tmp_path / name)])


def test_made_ready_once(official: Path, library: Path) -> None:
    """The weights as they run are one file: the video alone, LoRA fused, mapped at the next start.

    Loaded without it, they are the same bit for bit.
    """
    add_model("ltx", [Given(official)])
    (path,) = (library / "ready").iterdir()
    loaded = load_model("ltx").transformer.state_dict()
    stored = load_file(path)
    assert loaded.keys() == stored.keys()
    assert not any("audio" in name or "a2v" in name for name in stored)
    assert all(torch.equal(loaded[name], stored[name]) for name in stored)
    inode = path.stat().st_ino
    add_model("again", [Given(official)])
    assert [p.stat().st_ino for p in (library / "ready").iterdir()] == [inode]
    path.unlink()
    anew = load_model("ltx").transformer.state_dict()
    assert all(torch.equal(anew[name], loaded[name]) for name in stored)


def test_ready_is_what_it_was_made_from(official: Path, library: Path) -> None:
    """Another strength finds no ready weights, and those of a spoilt file are not taken."""
    add_model("ltx", [Given(official)])
    (path,) = (library / "ready").iterdir()
    tensors = {name: torch.zeros_like(tensor) for name, tensor in load_file(path).items()}
    plain = load_model("ltx", lora_strength=0.5).transformer.state_dict()
    path.unlink()
    save(path, tensors)  # without the key that says what it was made from
    assert all(
        torch.equal(load_model("ltx", lora_strength=0.5).transformer.state_dict()[n], plain[n])
        for n in plain
    )
    assert float(load_model("ltx").transformer.state_dict()["proj_in.weight"].abs().max()) > 0


def test_stopped_half_way(official: Path, library: Path) -> None:
    """Ctrl-C while weights are written leaves neither a model nor a half file."""

    def stop(words: str, _done: int, _total: int) -> None:
        if "ready" in words:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_model("ltx", [Given(official)], on_progress=stop)
    assert [p for p in library.rglob("*") if p.is_file() and p.name != "digests.json"] == []


def test_names_are_not_taken_twice(official: Path, library: Path) -> None:
    """A model is replaced on request alone."""
    add_model("ltx", [Given(official)])
    with pytest.raises(InputError, match=r"there is a model 'ltx' already.*--replace"):
        add_model("ltx", [Given(official)])
    add_model("ltx", [Given(official)], replace=True)
    assert [path.name for path in library.glob("*/lumivid.toml")] == ["lumivid.toml"]


def test_verify(folder: Path, library: Path) -> None:
    """A file that was changed, cut or removed since is told by name."""
    added = add_model("ltx", [Given(folder)])
    assert added.parent == library
    assert verify_model(added) == []
    lora, scene = folder / HDR_LORA, folder / EMBEDDING
    content = bytearray(lora.read_bytes())
    content[-1] ^= 1
    lora.unlink()
    lora.write_bytes(content)
    replaced(scene, video_context=torch.zeros(7, WIDTH))
    (folder / UPSAMPLER).unlink()
    flaws = verify_model(added)
    assert len(flaws) == 3
    assert f"{folder / UPSAMPLER} is missing" in flaws[0]
    assert str(scene) in flaws[1]
    assert f"{lora} is not what it was, by its SHA-256" in flaws[2]


def test_large_files_are_hashed_once(
    tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A digest is believed while size, time and header stay; `verify` hashes in any case."""
    monkeypatch.setattr(digests, "SMALL", 0)
    path = save(tmp_path / "a.safetensors", {"a": torch.arange(8.0)})
    told: list[int] = []
    first = file_digest(path, told.append)
    assert not (library / "digests.json").exists()  # too young for its time of change to tell
    os.utime(path, (1, 1))
    assert file_digest(path, told.append) == first
    count = len(told)
    assert file_digest(path, told.append) == first
    assert len(told) == count  # not read again
    assert file_digest(path, told.append, anew=True) == first
    assert len(told) == count + 1
    save(path, {"a": torch.arange(8.0) + 1})
    os.utime(path, (2, 2))
    assert file_digest(path) != first
    (library / "digests.json").write_text("[]", "utf-8")
    assert file_digest(path) != first


def test_no_room(official: Path, library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full is told before anything is written to it."""
    full = shutil.disk_usage(official)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    library.mkdir()
    with pytest.raises(Exception, match="GB free, and the weights as they run take"):
        add_model("ltx", [Given(official)])
    assert not ready.ready_file("x").parent.exists()
