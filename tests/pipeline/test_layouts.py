"""Every layout that is accepted renders what a plain chain of diffusers' modules renders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from diffusers import LTX2VideoTransformer3DModel
from safetensors.torch import load_file
from tests.official_files import (
    CHECKPOINT,
    EMBEDDING,
    HDR_LORA,
    UPSAMPLER,
    as_fp8,
    audio_tensors,
    config,
    official_vae,
    save,
    transformer_tensors,
    vae_tensors,
    write_checkpoint,
    write_parts,
)
from tests.tiny_model import tiny_transformer, write_tiny_model
from torch import Tensor

from lumivid_fx.model.adding import Given, add_model
from lumivid_fx.model.checkpoint import HdrModel, load_model
from lumivid_fx.model.schedules import SCHEDULES
from lumivid_fx.pipeline.noise import SeededNoise, window_noise
from lumivid_fx.pipeline.reference import reflect_pad
from lumivid_fx.pipeline.render_window import Sampling, render_window

from .plain_chain import PlainChain

FPS = 24.0

ROUNDING = 2e-5
"""Of the largest code: float32 through 8 + 2 or 8 + 3 steps of two blocks, and an upsampler."""

Change = Callable[[str, Tensor], Tensor]


def codes() -> Tensor:
    """SDR codes ``f 3 h w`` in [0, 1]."""
    return torch.rand(9, 3, 50, 70, generator=torch.Generator().manual_seed(1))


def chain(folder: Path, change: Change | None = None) -> PlainChain:
    """The same weights in diffusers' own folder, each of the transformer's changed first."""
    write_tiny_model(folder, stages=2, vae=official_vae())
    if change is not None:
        transformer = tiny_transformer()
        with torch.no_grad():
            for name, weight in transformer.state_dict().items():
                weight.copy_(change(name, weight))
        transformer.save_pretrained(folder / "transformer")
    return PlainChain(folder)


def rendered_by(plain: PlainChain, schedule: str = "8+2") -> Tensor:
    """Codes of the plain chain: pad, halve, 8 steps, upsample, the second stage, decode."""
    first, second = SCHEDULES[schedule]
    full = reflect_pad(codes(), 64).transpose(0, 1)[None] * 2 - 1
    half = torch.nn.functional.avg_pool3d(full, (1, 2, 2))

    def noise(height: int, width: int, stage: int) -> Tensor:
        shape = (8, 2, height, width)
        return window_noise(SeededNoise(3), shape, first=0, ratio=8, stage=stage)

    small = plain.stage(half, noise(1, 2, 0), first, fps=FPS)
    larger = plain.upsampled(small.latents)
    large = plain.stage(full, noise(2, 4, 1), second, fps=FPS, initial=larger)
    return (plain.decoded(large.latents)[0].transpose(0, 1)[..., :50, :70] + 1) / 2


def rendered(model: HdrModel, schedule: str | None = None) -> Tensor:
    """Ours."""
    sigmas = model.manifest.sigmas if schedule is None else SCHEDULES[schedule]
    return render_window(model, codes(), 0, Sampling(SeededNoise(3), sigmas, FPS), lambda *_: None)


def assert_near(ours: Tensor, theirs: Tensor) -> None:
    """The same to rounding."""
    assert float((ours - theirs).abs().max()) < ROUNDING * float(theirs.abs().max())


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Upsampler, LoRA and embedding in a folder."""
    folder = tmp_path_factory.mktemp("files")
    write_parts(folder)
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> PlainChain:
    """Diffusers' modules with the same weights in float32."""
    return chain(tmp_path_factory.mktemp("plain"))


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty library."""
    monkeypatch.setenv("LUMIVID_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def parts_of(folder: Path) -> list[Given]:
    """What goes with a checkpoint."""
    return [Given(folder / name) for name in (UPSAMPLER, HDR_LORA, EMBEDDING)]


def single_file(folder: Path, files: Path) -> list[Given]:
    """The official checkpoint: everything in one file."""
    return [Given(write_checkpoint(folder / CHECKPOINT)), *parts_of(files)]


def separate_files(folder: Path, files: Path) -> list[Given]:
    """Transformer and VAE in files of their own, without the prefix of the single file."""
    transformer = save(folder / "transformer.safetensors", transformer_tensors(""), config())
    vae = save(folder / "vae.safetensors", vae_tensors(""), config())
    return [Given(vae), Given(transformer), *parts_of(files)]


def diffusers_folder(folder: Path, files: Path) -> list[Given]:
    """A pipeline's folder as diffusers writes it, with its upsampler in a folder of its name."""
    write_tiny_model(folder / "pipeline", stages=2, vae=official_vae())
    (folder / "pipeline" / "lumivid.toml").unlink()
    (folder / "pipeline" / "upsampler").rename(folder / "pipeline" / "latent_upsampler")
    return [Given(folder / "pipeline"), Given(files / HDR_LORA), Given(files / EMBEDDING)]


def folder_with_manifest(folder: Path, files: Path) -> list[Given]:
    """A folder that has a manifest already."""
    del files
    write_tiny_model(folder / "whole", stages=2, vae=official_vae())
    path = folder / "whole" / "lumivid.toml"
    first, second = (list(stage) for stage in SCHEDULES["8+2"])
    lines = [line for line in path.read_text("utf-8").splitlines() if "sigmas" not in line]
    path.write_text("\n".join([f"sigmas = {[first, second]}", *lines]), "utf-8")
    return [Given(folder / "whole")]


@torch.no_grad()
@pytest.mark.parametrize(
    "layout", [single_file, separate_files, diffusers_folder, folder_with_manifest]
)
def test_layout_renders_the_plain_chain(
    layout: Callable[[Path, Path], list[Given]],
    files: Path,
    plain: PlainChain,
    library: Path,
    tmp_path: Path,
) -> None:
    """Added, loaded by name and rendered, each layout gives the plain chain's codes."""
    folder = add_model("real", layout(tmp_path, files))
    assert folder == library / "real"
    model = load_model("real")
    assert model.stages == 2
    assert not any("audio" in name for name in model.transformer.state_dict())
    assert_near(rendered(model), rendered_by(plain))


@torch.no_grad()
def test_eleven_steps(files: Path, plain: PlainChain, library: Path, tmp_path: Path) -> None:
    """8 + 3 by setting: the paper's 11 steps; another picture than 8 + 2."""
    del library
    add_model("real", single_file(tmp_path, files))
    model = load_model("real")
    assert [len(stage) - 1 for stage in model.manifest.sigmas] == [8, 2]
    ours = rendered(model, "8+3")
    assert_near(ours, rendered_by(plain, "8+3"))
    assert float((ours - rendered(model)).abs().max()) > 0.01


def in_bfloat16(_: str, weight: Tensor) -> Tensor:
    """A weight as the bf16 release has it."""
    return weight.bfloat16().float()


def in_fp8(name: str, weight: Tensor) -> Tensor:
    """A weight as the fp8 release has it, its scale multiplied in."""
    stored = as_fp8({name: weight})
    scale = stored.get(f"{name.removesuffix('.weight')}.weight_scale")
    plain = stored[name].float() if scale is None else stored[name].float() * scale
    return plain.bfloat16().float()


def half_tensors() -> Mapping[str, Tensor]:
    """A checkpoint's tensors in bfloat16, the VAE's excepted so that it stays comparable."""
    return {name: tensor.bfloat16() for name, tensor in transformer_tensors().items()}


@torch.no_grad()
@pytest.mark.parametrize(
    ("tensors", "change"),
    [(half_tensors, in_bfloat16), (lambda: as_fp8(transformer_tensors()), in_fp8)],
    ids=["bf16", "fp8"],
)
def test_smaller_types(
    tensors: Callable[[], Mapping[str, Tensor]],
    change: Change,
    files: Path,
    library: Path,
    tmp_path: Path,
) -> None:
    """The bf16 and fp8 releases are read as what they stand for; the LoRA comes in float32."""
    del library
    path = tmp_path / "ltx-2.3-22b-distilled.safetensors"
    save(path, {**tensors(), **vae_tensors(), **audio_tensors()}, config())
    add_model("real", [Given(path), *parts_of(files)])
    assert_near(rendered(load_model("real")), rendered_by(chain(tmp_path / "plain", change)))


@torch.no_grad()
def test_bfloat16_fusing(files: Path, library: Path, tmp_path: Path) -> None:
    """On request LoRAs are rounded as the reference code rounds: product and sum in bfloat16."""
    del library
    path = save(
        tmp_path / "ltx-distilled.safetensors",
        {**half_tensors(), **vae_tensors(), **audio_tensors()},
        config(),
    )
    given = [Given(path), *parts_of(files)]
    for name in ("float32", "bfloat16"):
        add_model(name, given, lora_fusing=name)
    exact, rounded = (
        load_model(name, dtype=torch.bfloat16).transformer.state_dict()
        for name in ("float32", "bfloat16")
    )
    lora = load_file(files / HDR_LORA)
    key = "transformer_blocks.0.attn1.to_q"
    down, up = (lora[f"diffusion_model.{key}.lora_{part}.weight"] for part in "AB")
    weight = tiny_transformer().state_dict()[f"{key}.weight"].bfloat16()
    assert torch.equal(exact[f"{key}.weight"], (weight.float() + up @ down).bfloat16())
    delta = up.bfloat16() @ down.bfloat16()
    assert torch.equal(rounded[f"{key}.weight"], delta + weight)
    assert not torch.equal(exact[f"{key}.weight"], rounded[f"{key}.weight"])
    assert load_model("float32").digest != load_model("bfloat16").digest


def test_padding_mode_is_the_files(files: Path, library: Path, tmp_path: Path) -> None:
    """`spatial_padding_mode` is the decoder's; a file that does not say it means reflect."""
    del library
    told = {}
    for name, vae in {"zeros": {}, "none": {"spatial_padding_mode": None}}.items():
        changed = config(vae=vae)
        if vae:
            changed["config"] = changed["config"].replace('"spatial_padding_mode": null, ', "")
        path = save(
            tmp_path / f"{name}.safetensors", {**transformer_tensors(), **vae_tensors()}, changed
        )
        add_model(name, [Given(path), *parts_of(files)])
        config_of = load_model(name).vae.config
        told[name] = (
            config_of["encoder_spatial_padding_mode"],
            config_of["decoder_spatial_padding_mode"],
        )
    assert told == {"zeros": ("zeros", "zeros"), "none": ("zeros", "reflect")}


@torch.no_grad()
def test_stacked_loras(files: Path, library: Path, tmp_path: Path) -> None:
    """LoRAs are fused one after the other, each at its strength; as diffusers fuses them."""
    del library
    tensors = {k: 0.5 * v.flip(0) for k, v in load_file(files / HDR_LORA).items()}
    style = save(tmp_path / "style.safetensors", tensors)
    given = single_file(tmp_path, files)
    given = [Given(each.path, 0.8) if each.path.name == HDR_LORA else each for each in given]
    add_model("real", [*given, Given(style, 0.3)])
    ours = load_model("real").transformer.state_dict()

    theirs = tiny_transformer()
    stack = {"hdr": (load_file(files / HDR_LORA), 0.8), "style": (tensors, 0.3)}
    for name, (weights, strength) in stack.items():
        state = {k.replace("diffusion_model.", "transformer."): v for k, v in weights.items()}
        theirs.load_lora_adapter(state, prefix="transformer", adapter_name=name)
        theirs.fuse_lora(lora_scale=strength, adapter_names=[name])
        theirs.unload_lora()
    expected = theirs.state_dict()
    assert isinstance(theirs, LTX2VideoTransformer3DModel)
    # Weights of about 0.1 plus two products of rank 4, in float32.
    assert all(float((ours[n] - expected[n]).abs().max()) < 1e-6 for n in ours)
