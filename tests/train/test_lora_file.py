"""The file loads in any LTX tool: diffusers' own loader and ours make the same of it."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import Literal

import pytest
import torch
from diffusers import LTX2VideoTransformer3DModel
from diffusers.pipelines.ltx2 import LTX2Pipeline
from safetensors import safe_open
from tests.tiny_model import LAYERS, LORA_MODULES, tiny_transformer
from torch import Tensor

from lumivid_fx.model.lora import apply_lora, read_lora
from lumivid_fx.model.video_only import strip_audio
from lumivid_fx.train.adapter import add_lora
from lumivid_fx.train.lora_file import published_name, write_lora

RANK = 4


@pytest.fixture(scope="module")
def trained() -> tuple[LTX2VideoTransformer3DModel, dict[str, Tensor]]:
    """A transformer with a LoRA that has learned something."""
    transformer = strip_audio(tiny_transformer())
    learned = add_lora(transformer, RANK, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in learned.values():
            tensor.copy_(0.1 * torch.randn(tensor.shape, generator=generator))
    return transformer, learned


def write(
    path: Path,
    learned: dict[str, Tensor],
    transfer: str | None = "logc3_rec709",
    dtype: Literal["bf16", "fp16"] = "bf16",
) -> Path:
    """Write it as a run does."""
    made = {"made_by": "test"}
    write_lora(path, learned, rank=RANK, transfer=transfer, dtype=dtype, made=made)
    return path


def stock_pipeline() -> LTX2Pipeline:
    """Diffusers' own LTX-2 pipeline, both streams of the transformer and nothing else in it."""
    parts = set(signature(LTX2Pipeline.__init__).parameters) - {"self", "transformer"}
    return LTX2Pipeline(**dict.fromkeys(parts), transformer=tiny_transformer())


def weights_of(transformer: LTX2VideoTransformer3DModel) -> dict[str, Tensor]:
    """The weights a LoRA may change."""
    modules = [f"transformer_blocks.{n}.{m}" for n in range(LAYERS) for m in LORA_MODULES]
    return {name: transformer.get_submodule(name).weight.detach().clone() for name in modules}


def test_names_and_metadata_are_the_published_ones(
    tmp_path: Path, trained: tuple[LTX2VideoTransformer3DModel, dict[str, Tensor]]
) -> None:
    """Ten modules a block under ``diffusion_model.``, in bfloat16, and what the curve is."""
    with safe_open(write(tmp_path / "lora.safetensors", trained[1]), "pt") as file:
        names, told = set(file.keys()), file.metadata()
        assert {file.get_tensor(name).dtype for name in names} == {torch.bfloat16}
    assert names == {
        f"diffusion_model.transformer_blocks.{n}.{m}.lora_{part}.weight"
        for n in range(LAYERS)
        for m in LORA_MODULES
        for part in "AB"
    }
    assert told["hdr_transform"] == "logc3"
    assert told["reference_downscale_factor"] == "1"
    assert told["rank"] == told["alpha"] == str(RANK)
    assert told["made_by"] == "test"


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_diffusers_and_our_loader_make_the_same_of_it(
    tmp_path: Path,
    trained: tuple[LTX2VideoTransformer3DModel, dict[str, Tensor]],
    dtype: Literal["bf16", "fp16"],
) -> None:
    """Both fuse to base plus B A of what was trained, rounded once to the file's precision."""
    learned = trained[1]
    path = write(tmp_path / "lora.safetensors", learned, dtype=dtype)
    ours = strip_audio(tiny_transformer())
    before = weights_of(ours)
    apply_lora(ours, read_lora(path), 1.0)
    theirs = stock_pipeline()
    theirs.load_lora_weights(str(tmp_path), weight_name=path.name, adapter_name="hdr")
    theirs.fuse_lora()
    theirs.unload_lora_weights()
    digits = torch.bfloat16 if dtype == "bf16" else torch.float16
    ours_now, theirs_now = weights_of(ours), weights_of(theirs.transformer)
    for name, weight in ours_now.items():
        assert torch.equal(weight, theirs_now[name])
        down, up = (learned[f"{name}.lora_{x}.hdr.weight"].to(digits).float() for x in "AB")
        assert torch.allclose(weight, before[name] + up @ down, atol=1e-5)  # float32 products
        assert not torch.allclose(weight, before[name], atol=1e-3)


@pytest.mark.parametrize(
    "curve", ["logc3_rec709", "acescct_ap1", "pq_rec2020", "hlg_rec2020", "linear16_rec709"]
)
def test_its_curve_is_read_back(
    tmp_path: Path,
    trained: tuple[LTX2VideoTransformer3DModel, dict[str, Tensor]],
    curve: str,
) -> None:
    """Under LTX's word for it where there is one."""
    lora = read_lora(write(tmp_path / "lora.safetensors", trained[1], transfer=curve))
    assert lora.transfer == curve
    assert lora.rank == RANK
    assert lora.reference_downscale_factor == 1


def test_an_sdr_lora_claims_no_curve(
    tmp_path: Path, trained: tuple[LTX2VideoTransformer3DModel, dict[str, Tensor]]
) -> None:
    """It has none."""
    path = write(tmp_path / "lora.safetensors", trained[1], transfer=None)
    assert read_lora(path).transfer is None


def test_published_name_drops_the_adapters_own() -> None:
    """And keeps the module's."""
    name = "transformer_blocks.7.ff.net.0.proj.lora_B.hdr.weight"
    assert published_name(name) == (
        "diffusion_model.transformer_blocks.7.ff.net.0.proj.lora_B.weight"
    )
