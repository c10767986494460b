"""LoRAs: read as published, applied as diffusers does, and refused when they would do nothing."""

from __future__ import annotations

import copy
import json
import pickle
import struct
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.loaders import LTX2LoraLoaderMixin
from safetensors.torch import save_file
from tests.tiny_model import RANK, WIDTH, tiny_lora, tiny_transformer
from torch import Tensor

from lumivid_fx.errors import InputError
from lumivid_fx.model.lora import Lora, apply_lora, read_lora
from lumivid_fx.model.tensor_file import MAX_HEADER
from lumivid_fx.model.video_only import strip_audio

Tensors = dict[str, Tensor]

FIRST, SECOND = "transformer_blocks.0.attn1.to_q", "transformer_blocks.1.ff.net.2"

OTHER_ORDER = 1e-6
"""Weights of about 0.1 in float32, to which a product of rank 4 is added in another order."""


@pytest.fixture(scope="module")
def stock() -> Any:
    """A whole transformer, audio included; tests take copies."""
    return tiny_transformer()


@pytest.fixture(scope="module")
def video(stock: Any) -> Any:
    """Its video half; tests take copies."""
    return strip_audio(copy.deepcopy(stock))


def small_lora() -> Tensors:
    """The tiny LoRA's tensors of two modules."""
    return {n: t for n, t in tiny_lora().items() if f".{FIRST}." in n or f".{SECOND}." in n}


def write(path: Path, tensors: Tensors, metadata: dict[str, str] | None = None) -> Path:
    """Write a LoRA file."""
    save_file(tensors, path, metadata)
    return path


def fused(video: Any, path: Path, strength: float = 1.0) -> Tensors:
    """Weights of the video half with a LoRA file fused by us."""
    video = copy.deepcopy(video)
    apply_lora(video, read_lora(path), strength)
    return dict(video.state_dict())


def scaled(first: float, second: float) -> Tensors:
    """The small LoRA, with B of either module times a factor."""
    tensors = small_lora()
    tensors[f"diffusion_model.{FIRST}.lora_B.weight"] *= first
    tensors[f"diffusion_model.{SECOND}.lora_B.weight"] *= second
    return tensors


def pair(
    module: str, rows: int, columns: int, *, rank: int = 2, inner: int = 2, value: float = 0.0
) -> Tensors:
    """A LoRA of one module."""
    return {
        f"diffusion_model.{module}.lora_A.weight": torch.full((rank, columns), value),
        f"diffusion_model.{module}.lora_B.weight": torch.full((rows, inner), value),
    }


def assert_same(one: Tensors, other: Tensors, tolerance: float = 0.0) -> None:
    """The same names and weights, bit for bit unless a tolerance is given."""
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert float((tensor - other[name]).abs().max()) <= tolerance, name


def refused(path: Path, told: str, video: Any = None) -> None:
    """Reading, or applying where a model is given, fails quickly with one sentence on that file."""
    started = time.perf_counter()
    with pytest.raises(InputError, match=told) as caught:
        read_and_apply(path, video)
    # A header is all that is looked at; seconds would mean that a claimed size was believed.
    assert time.perf_counter() - started < 5
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def read_and_apply(path: Path, video: Any) -> None:
    """Apply a LoRA file to a model, or read it only."""
    lora = read_lora(path)
    if video is not None:
        apply_lora(video, lora, 1.0)


@pytest.mark.parametrize("strength", [1.0, 0.6])
def test_fusing_equals_diffusers(tmp_path: Path, stock: Any, video: Any, strength: float) -> None:
    """The video half fused by us has the very weights of the stock class fused by diffusers."""
    path = write(tmp_path / "lora.safetensors", tiny_lora(), {"hdr_transform": "logc3"})
    theirs = copy.deepcopy(stock)
    state = LTX2LoraLoaderMixin.lora_state_dict(tiny_lora())
    theirs.load_lora_adapter(state, prefix="transformer", adapter_name="x")
    theirs.fuse_lora(lora_scale=strength)
    theirs.unload_lora()
    ours, weights = fused(video, path, strength), theirs.state_dict()
    assert_same(ours, {name: weights[name] for name in ours})


def test_fusing_equals_the_formula(tmp_path: Path, video: Any) -> None:
    """W + strength * B @ A, at every module that the file names and at no other."""
    ours = fused(video, write(tmp_path / "lora.safetensors", small_lora()), 0.6)
    expected = dict(video.state_dict())
    tensors = small_lora()
    for module in (FIRST, SECOND):
        down, up = (tensors[f"diffusion_model.{module}.lora_{part}.weight"] for part in "AB")
        expected[f"{module}.weight"] = expected[f"{module}.weight"] + 0.6 * up @ down
    assert_same(ours, expected, OTHER_ORDER)


def test_strength_0_is_no_lora(tmp_path: Path, video: Any) -> None:
    """Not one bit of a weight moves."""
    path = write(tmp_path / "lora.safetensors", small_lora())
    untouched = dict(video.state_dict())
    assert_same(fused(video, path, 0.0), untouched)
    assert fused(video, path)[f"{FIRST}.weight"].ne(untouched[f"{FIRST}.weight"]).any()


@pytest.mark.parametrize("prefix", ["transformer.", ""])
def test_published_names(tmp_path: Path, video: Any, prefix: str) -> None:
    """LTX's names, diffusers' and bare ones mean the same; diffusers alone drops the last."""
    published = write(tmp_path / "a.safetensors", small_lora())
    tensors = {prefix + n.removeprefix("diffusion_model."): t for n, t in small_lora().items()}
    other = write(tmp_path / "b.safetensors", tensors)
    assert_same(fused(video, other), fused(video, published))


def test_renamed_modules(tmp_path: Path, video: Any) -> None:
    """Modules whose name in LTX is not the one in diffusers are met too."""
    tensors = {
        **pair("patchify_proj", WIDTH, 8, value=1.0),
        **pair("adaln_single.linear", 9 * WIDTH, WIDTH, value=1.0),
    }
    ours = fused(video, write(tmp_path / "a.safetensors", tensors))
    plain = video.state_dict()
    changed = {name for name, tensor in ours.items() if not torch.equal(tensor, plain[name])}
    assert changed == {"proj_in.weight", "time_embed.linear.weight"}


def test_audio_is_passed_over(tmp_path: Path, video: Any) -> None:
    """What a LoRA says to the audio half is not applied, for that half is not there."""
    tensors = small_lora()
    for module in ("audio_attn1.to_q", "audio_to_video_attn.to_q", "video_to_audio_attn.to_q"):
        tensors |= pair(f"transformer_blocks.0.{module}", 4, 4, value=1.0)
    path = write(tmp_path / "a.safetensors", tensors)
    plain = write(tmp_path / "b.safetensors", small_lora())
    assert_same(fused(video, path), fused(video, plain))


def test_alpha_beside_each_module(tmp_path: Path, video: Any) -> None:
    """A module is scaled by its own alpha over its rank; one without alpha is not."""
    alpha = {f"diffusion_model.{FIRST}.alpha": torch.tensor(2.0)}
    assert_same(
        fused(video, write(tmp_path / "a.safetensors", {**small_lora(), **alpha})),
        fused(video, write(tmp_path / "b.safetensors", scaled(2 / RANK, 1))),
    )


@pytest.mark.parametrize("name", ["transformer.lora_alpha", "lora_alpha"])
def test_alpha_of_the_whole_file(tmp_path: Path, video: Any, name: str) -> None:
    """Alpha as peft records it, in the file's metadata, counts for every module."""
    adapter = {name: 2 * RANK, "transformer.r": RANK, "transformer.use_rslora": False}
    metadata = {"lora_adapter_metadata": json.dumps(adapter)}
    assert_same(
        fused(video, write(tmp_path / "a.safetensors", small_lora(), metadata)),
        fused(video, write(tmp_path / "b.safetensors", scaled(2, 2))),
    )


def test_ranks_may_differ(tmp_path: Path, video: Any) -> None:
    """A module of another rank than the rest still counts once."""
    tensors = small_lora()
    for part, axis in (("A", 0), ("B", 1)):
        key = f"diffusion_model.{FIRST}.lora_{part}.weight"
        tensors[key] = torch.cat([tensors[key], torch.zeros_like(tensors[key])], dim=axis)
    path = write(tmp_path / "a.safetensors", tensors)
    assert read_lora(path).rank == 2 * RANK
    same = fused(video, write(tmp_path / "b.safetensors", small_lora()))
    assert_same(fused(video, path), same, OTHER_ORDER)


@pytest.mark.parametrize(
    ("metadata", "transfer", "factor"),
    [
        ({}, None, 1),
        ({"hdr_transform": "LogC3"}, "logc3_rec709", 1),
        ({"hdr_transform": "acescct", "reference_downscale_factor": "2"}, "acescct_ap1", 2),
    ],
)
def test_metadata(
    tmp_path: Path, metadata: dict[str, str], transfer: str | None, factor: int
) -> None:
    """The curve and the reference's size are read from the file."""
    path = write(tmp_path / "a.safetensors", tiny_lora(), metadata)
    lora = read_lora(path)
    assert isinstance(lora, Lora)
    assert (lora.path, lora.transfer, lora.reference_downscale_factor, lora.rank) == (
        path,
        transfer,
        factor,
        RANK,
    )


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"hdr_transform": "vlog"}, "curve 'vlog', which is not known here; known are logc3"),
        ({"reference_downscale_factor": "half"}, "damaged metadata"),
        ({"lora_adapter_metadata": "{"}, "damaged metadata"),
        ({"lora_adapter_metadata": "[1]"}, "damaged metadata"),
        ({"lora_adapter_metadata": '{"lora_alpha": "x"}'}, "damaged metadata"),
        ({"lora_adapter_metadata": '{"transformer.use_rslora": true}'}, "trained with use_rslora"),
        (
            {"lora_adapter_metadata": '{"transformer.alpha_pattern": {"to_q": 8}}'},
            "trained with alpha_pattern",
        ),
    ],
)
def test_metadata_that_is_refused(tmp_path: Path, metadata: dict[str, str], told: str) -> None:
    """An unknown curve, a scale that would not be applied, and damaged metadata."""
    refused(write(tmp_path / "a.safetensors", tiny_lora(), metadata), told)


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        ({}, "not an LTX LoRA"),
        ({"weight": torch.zeros(2, 2)}, "not an LTX LoRA"),
        (
            {
                "lora_unet_blocks_0_attn_to_q.lora_down.weight": torch.zeros(4, 64),
                "lora_unet_blocks_0_attn_to_q.lora_up.weight": torch.zeros(64, 4),
                "lora_unet_blocks_0_attn_to_q.alpha": torch.tensor(4.0),
            },
            "not an LTX LoRA",
        ),
        (
            {
                "diffusion_model.a.lora_A.weight": torch.zeros(4, 64),
                "diffusion_model.b.lora_B.weight": torch.zeros(64, 4),
            },
            "not an LTX LoRA",
        ),
        (
            {
                f"diffusion_model.{FIRST}.lora_A.weight": torch.tensor(1.0),
                f"diffusion_model.{FIRST}.lora_B.weight": torch.tensor(1.0),
            },
            "not an LTX LoRA",
        ),
        ({f"diffusion_model.{FIRST}.alpha": torch.ones(4)}, "not an LTX LoRA"),
        (
            {**tiny_lora(), f"diffusion_model.{FIRST}.alpha": torch.ones(4)},
            "damaged metadata",
        ),
        (
            {
                **tiny_lora(),
                "text_encoder.q.lora_A.weight": torch.zeros(4, 64),
                "text_encoder.q.lora_B.weight": torch.zeros(64, 4),
            },
            "mixes keys of several models",
        ),
    ],
    ids=["empty", "weights", "kohya", "unpaired", "scalars", "alpha", "long alpha", "mixed"],
)
def test_tensors_that_are_refused(tmp_path: Path, tensors: Tensors, told: str) -> None:
    """A file without LTX's pairs of matrices, whatever else it is."""
    refused(write(tmp_path / "a.safetensors", tensors), told)


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        (pair("transformer_blocks.7.attn1.to_q", 64, 64), r"blocks\.7\.attn1\.to_q is missing"),
        (pair("text_projection", 64, 64), "text_projection is missing"),
        (pair("transformer_blocks.0.attn1", 64, 64), r"blocks\.0\.attn1 is missing"),
        (pair(FIRST, 64, 128), rf"{FIRST} is of another size"),
        (pair(FIRST, 128, 64), rf"{FIRST} is of another size"),
        (pair(FIRST, 64, 64, rank=2, inner=3), rf"{FIRST} is of another size"),
    ],
)
def test_lora_of_another_model(tmp_path: Path, video: Any, tensors: Tensors, told: str) -> None:
    """A module that is not there, or not of that size, is named; nothing is applied in part."""
    before = copy.deepcopy(video.state_dict())
    path = write(tmp_path / "a.safetensors", {**small_lora(), **tensors})
    refused(path, told, video)
    assert_same(dict(video.state_dict()), dict(before))


def claims(header: bytes, length: int | None = None) -> bytes:
    """A safetensors file that is a header alone, of its own or a claimed length."""
    return struct.pack("<Q", len(header) if length is None else length) + header


def header(**entry: object) -> bytes:
    """The JSON header of one tensor."""
    return json.dumps({f"diffusion_model.{FIRST}.lora_A.weight": entry}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 7,
        b"PK\x03\x04" + b"\x00" * 100,
        pickle.dumps({"weight": 1}),
        claims(b"{}", length=2**63),
        claims(b"{" * 100_000),
        claims(b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
        claims(b"\xff\xfe\x00"),
        claims(header(dtype="F32", shape=[2**40, 2**40], data_offsets=[0, 2**62])),
        claims(header(dtype="F32", shape=[4, 64], data_offsets=[0, 1024])),
        claims(header(dtype="F32", shape=[4, 64], data_offsets=[8, 4])),
        claims(header(dtype="EVIL", shape=[1], data_offsets=[0, 4]) + b"\x00" * 4),
        claims(b"[1, 2]"),
    ],
    ids=[
        *("empty", "short", "zip", "pickle", "huge header", "braces", "nested", "no text"),
        *("absurd tensor", "no data", "backwards", "unknown type", "a list"),
    ],
)
def test_hostile_files(tmp_path: Path, content: bytes) -> None:
    """What is no whole safetensors file is refused at once, whatever it claims to be."""
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    refused(path, "is not a whole safetensors file")


@pytest.mark.parametrize("share", [0.01, 0.3, 0.999])
def test_truncated_file(tmp_path: Path, share: float) -> None:
    """A download that stopped is told apart."""
    path = write(tmp_path / "a.safetensors", tiny_lora())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    refused(path, "is not a whole safetensors file.*download it again")


def test_missing_file(tmp_path: Path) -> None:
    """A wrong path is called that; a folder too."""
    refused(tmp_path / "none.safetensors", "does not exist; check the path")
    refused(tmp_path, "is not a whole safetensors file")


@pytest.mark.parametrize("length", [MAX_HEADER + 1, 2**63, 2**64 - 1])
def test_header_of_absurd_length(tmp_path: Path, length: int) -> None:
    """A header longer than any model's is not read, whether the file has so many bytes or not."""
    path = tmp_path / "a.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", length) + b"{")
        file.truncate(8 + MAX_HEADER + 1)
    refused(path, "its header is longer than that of any model")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 3e38])
def test_values_that_are_no_numbers(tmp_path: Path, stock: Any, value: float) -> None:
    """NaN, infinity, and what overflows when it is multiplied out."""
    tensors = pair(FIRST, WIDTH, WIDTH, value=value)
    path = write(tmp_path / "a.safetensors", tensors)
    refused(path, "holds values that are no numbers", strip_audio(copy.deepcopy(stock)))
