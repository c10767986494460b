"""Model folders: what is loaded, what never is, and one sentence for each way to be broken."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKLLTX2Video, LTX2VideoTransformer3DModel
from safetensors import SafetensorError
from tests.tiny_model import CHANNELS, WIDTH, tiny_lora

from lumivid_fx.errors import InputError
from lumivid_fx.model.checkpoint import HdrModel, load_model, load_transformer
from lumivid_fx.model.video_only import is_audio

from .model_folders import (
    linked_copy,
    read_tensors,
    replace_json,
    replace_tensors,
    replace_text,
)

WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def model(tiny_model_folder: Path) -> HdrModel:
    """A loaded one-stage model."""
    return load_model(tiny_model_folder)


@pytest.fixture
def folder(tiny_model_folder: Path, tmp_path: Path) -> Path:
    """A copy of its folder, to be broken."""
    return linked_copy(tiny_model_folder, tmp_path / "model")


@pytest.fixture
def bare(folder: Path) -> Path:
    """Such a copy without a LoRA, which takes half the time to load."""
    replace_text(folder / "lumivid.toml", lambda text: text.replace("lora =", "other ="))
    return folder


def refused(folder: Path, told: str) -> None:
    """Loading fails with one sentence that says so and names a file or folder of the model."""
    with pytest.raises(InputError, match=told) as caught:
        load_model(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def is_video_weight(name: str) -> bool:
    """Whether a stored tensor is one that is loaded."""
    return not is_audio(name)


def test_whole_model(model: HdrModel) -> None:
    """Everything is float32 on the CPU, set to infer, and knows its ratios."""
    for module in (model.transformer, model.vae):
        assert not module.training
        assert all(p.dtype == torch.float32 and not p.requires_grad for p in module.parameters())
    assert model.context.shape == (1, 6, WIDTH)
    assert (model.spatial_ratio, model.temporal_ratio, model.stages) == (32, 8, 1)
    assert model.transfer.name == "logc3_rec709"
    assert model.lora == ("hdr_lora.safetensors", 1.0)
    assert model.device == torch.device("cpu")


def test_two_stages(tiny_two_stage_folder: Path) -> None:
    """An upsampler beside the rest makes a second stage."""
    model = load_model(tiny_two_stage_folder)
    assert model.upsampler is not None
    assert model.stages == 2


def test_audio_is_not_there(model: HdrModel, tiny_model_folder: Path) -> None:
    """Departure 2: the file holds audio weights, the loaded transformer not one of them."""
    stored = read_tensors(tiny_model_folder / "transformer" / WEIGHTS)
    audio = {name for name in stored if is_audio(name)}
    assert audio
    loaded = model.transformer.state_dict()
    assert set(loaded) == set(stored) - audio
    kept = sum(t.numel() for n, t in stored.items() if n not in audio)
    assert sum(p.numel() for p in model.transformer.parameters()) == kept
    assert not [name for name, _ in model.transformer.named_modules() if is_audio(name)]


def test_audio_is_never_read(bare: Path) -> None:
    """Audio tensors of a type that torch cannot read are no hindrance, for nobody reads them."""
    path = bare / "transformer" / WEIGHTS
    header, data = {}, b""
    for name, tensor in read_tensors(path).items():
        # Four numbers of six bits: the format knows them, torch has no such type.
        unreadable = ("F6_E2M3", [4], b"abc")
        readable = ("F32", list(tensor.shape), tensor.numpy().tobytes())
        kind, shape, content = unreadable if is_audio(name) else readable
        place = [len(data), len(data) + len(content)]
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": place}
        data += content
    packed = json.dumps(header).encode()
    path.unlink()
    path.write_bytes(struct.pack("<Q", len(packed)) + packed + data)
    with pytest.raises((ValueError, TypeError, KeyError, SafetensorError)):
        read_tensors(path)
    assert load_transformer(bare / "transformer").state_dict().keys() == {
        name for name in header if not is_audio(name)
    }


def test_files_may_be_half_and_sharded(bare: Path, model: HdrModel) -> None:
    """Half precision shards, as they are published, load to the same float32 weights."""
    stock = LTX2VideoTransformer3DModel.from_pretrained(bare / "transformer")
    stock.half().save_pretrained(bare / "half", max_shard_size="500KB")
    assert len(list((bare / "half").glob("*.safetensors"))) > 1
    stored = load_transformer(bare / "half").state_dict()
    loaded = load_transformer(bare / "half", torch.float32).state_dict()
    assert {t.dtype for t in stored.values()} == {torch.float16}
    assert {t.dtype for t in loaded.values()} == {torch.float32}
    whole = load_transformer(bare / "transformer").state_dict()
    assert loaded.keys() == whole.keys() == model.transformer.state_dict().keys()
    assert all(torch.equal(loaded[n], whole[n].half().float()) for n in whole)


def test_digest(tiny_model_folder: Path, folder: Path, model: HdrModel) -> None:
    """The digest is the same wherever the folder lies, and another for each thing that counts."""
    assert load_model(folder).digest == model.digest
    replace_text(folder / "lumivid.toml", lambda text: text.replace('"tiny"', '"other"'))
    renamed = load_model(folder).digest
    half = load_model(tiny_model_folder, lora_strength=0.5).digest
    assert len({model.digest, renamed, half}) == 3


def test_another_lora(model: HdrModel, folder: Path) -> None:
    """A LoRA of the user's takes the place of the manifest's, and shows in the digest."""
    tensors = {name: 2 * t for name, t in tiny_lora().items()}
    lora = replace_tensors(folder.parent / "mine.safetensors", tensors)
    other = load_model(folder, lora=lora, lora_strength=0.25)
    assert other.lora == ("mine.safetensors", 0.25)
    assert other.digest != model.digest
    weights, same = other.transformer.state_dict(), model.transformer.state_dict()
    # A and B are doubled and the strength is a quarter: only rounding is left between them.
    assert all(torch.allclose(weights[n], same[n], atol=1e-6) for n in same)


def test_no_lora(bare: Path, tiny_model_folder: Path) -> None:
    """A model whose weights have it already needs none; strength 0 is the same, bit for bit."""
    model = load_model(bare)
    assert model.lora == ("", 1.0)
    silenced = load_model(tiny_model_folder, lora_strength=0).transformer.state_dict()
    weights = model.transformer.state_dict()
    assert all(torch.equal(weights[n], silenced[n]) for n in silenced)


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"hdr_transform": "acescct"}, "speaks acescct_ap1 but the model tiny speaks logc3_rec709"),
        ({"reference_downscale_factor": "2"}, "reference 2 times smaller than its target"),
    ],
)
def test_lora_of_another_kind(folder: Path, metadata: dict[str, str], told: str) -> None:
    """A LoRA in another curve, or with a smaller reference, would give wrong light."""
    replace_tensors(folder / "hdr_lora.safetensors", tiny_lora(), metadata)
    refused(folder, told)


def test_unknown_curve(folder: Path) -> None:
    """A manifest that names no curve of ours is told which there are."""
    replace_text(folder / "lumivid.toml", lambda text: text.replace("logc3_rec709", "vlog"))
    with pytest.raises(InputError, match="transfer 'vlog' is not known; use one of logc3_rec709"):
        load_model(folder)


def test_stages_and_upsampler_go_together(bare: Path, tiny_two_stage_folder: Path) -> None:
    """Two schedules without an upsampler are refused, and one schedule with it."""
    two = linked_copy(tiny_two_stage_folder, bare.parent / "two")
    replace_text(two / "lumivid.toml", lambda text: text.replace(", [0.909375, 0.725, 0.0]]", "]"))
    refused(two, "names 1 sigma schedules")
    replace_text(bare / "lumivid.toml", lambda text: text.replace("0.0]]", "0.0], [0.9, 0.0]]"))
    refused(bare, "names 2 sigma schedules")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("lumivid.toml", "is not a model folder"),
        ("transformer/config.json", r"config\.json is missing; download the model again"),
        (f"transformer/{WEIGHTS}", "holds no safetensors weights"),
        ("vae/config.json", r"config\.json is missing; download the model again"),
        (f"vae/{WEIGHTS}", "holds no safetensors weights"),
        ("scene_embedding.safetensors", "is missing: the model's prompt embedding"),
        ("hdr_lora.safetensors", "does not exist; check the path of the LoRA"),
    ],
)
def test_missing_file(folder: Path, name: str, told: str) -> None:
    """Each file that a model needs is missed by name."""
    (folder / name).unlink()
    refused(folder, told)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (f"transformer/{WEIGHTS}", "is damaged"),
        (f"vae/{WEIGHTS}", "is damaged"),
        ("scene_embedding.safetensors", "is damaged"),
        ("transformer/config.json", "is not valid JSON"),
        ("vae/config.json", "is not valid JSON"),
    ],
)
@pytest.mark.parametrize("share", [0.0, 0.6])
def test_truncated_file(bare: Path, name: str, told: str, share: float) -> None:
    """A file that was cut short, or is empty, is told as damaged."""
    path = bare / name
    whole = path.read_bytes()
    path.unlink()
    path.write_bytes(whole[: int(len(whole) * share)])
    refused(bare, told)


@pytest.mark.parametrize("part", ["transformer", "vae"])
def test_missing_shard(bare: Path, part: str) -> None:
    """Of several shards one is gone: nothing is filled in by chance."""
    kind = {"transformer": LTX2VideoTransformer3DModel, "vae": AutoencoderKLLTX2Video}[part]
    module = kind.from_pretrained(bare / part)
    (bare / part / WEIGHTS).unlink()
    module.save_pretrained(bare / part, max_shard_size="300KB")
    shards = sorted((bare / part).glob("*.safetensors"))
    assert len(shards) > 2
    next(s for s in shards if any(map(is_video_weight, read_tensors(s)))).unlink()
    refused(bare, r"weights do not match config\.json .*download the model again")


@pytest.mark.parametrize("part", ["transformer", "vae", "upsampler"])
@pytest.mark.parametrize("change", ["lost", "extra", "resized"])
def test_weights_that_do_not_match(
    tiny_two_stage_folder: Path, tmp_path: Path, part: str, change: str
) -> None:
    """A tensor lost, added or of another size; diffusers itself fills the first by chance."""
    folder = linked_copy(tiny_two_stage_folder, tmp_path / "model")
    path = folder / part / WEIGHTS
    tensors = read_tensors(path)
    name = next(n for n in tensors if not is_audio(n) and tensors[n].ndim > 1)
    if change == "lost":
        del tensors[name]
    elif change == "extra":
        tensors["extra.weight"] = torch.zeros(2)
    else:
        tensors[name] = tensors[name][:-1]
    replace_tensors(path, tensors)
    refused(folder, r"weights do not match config\.json .*download the model again")


@pytest.mark.parametrize(
    ("part", "entries"),
    [
        ("transformer", {"num_layers": "two"}),
        ("transformer", {"attention_head_dim": -4}),
        ("transformer", {"rope_type": "round"}),
        ("transformer", {"num_layers": 3}),
        ("vae", {"block_out_channels": 7}),
        ("vae", {"down_block_types": ["NoSuchBlock"] * 4}),
        ("vae", {"latent_channels": 16}),
    ],
)
def test_config_of_something_else(bare: Path, part: str, entries: dict[str, object]) -> None:
    """A config that builds nothing, or something of other sizes, is told with its bare."""
    replace_json(bare / part / "config.json", **entries)
    refused(bare, "is not that of an LTX-2 model|weights do not match")


@pytest.mark.parametrize("text", ["[]", '"config"', "{", "\x00", "null", "7"])
def test_config_that_is_no_table(bare: Path, text: str) -> None:
    """JSON of another kind, or none."""
    replace_text(bare / "transformer" / "config.json", lambda _: text)
    refused(bare, r"config\.json")


@pytest.mark.parametrize(
    "tensors",
    [
        {"video_context": torch.zeros(6, WIDTH + 1)},
        {"video_context": torch.tensor(1.0)},
        {"video_context": torch.zeros(WIDTH)},
        {"video_context": torch.zeros(2, 3, 4, WIDTH)},
        {"audio_context": torch.zeros(6, WIDTH)},
        {},
    ],
    ids=["width", "scalar", "vector", "rank 4", "audio", "empty"],
)
def test_embedding_of_another_model(bare: Path, tensors: dict[str, torch.Tensor]) -> None:
    """An embedding of another width or rank, or none at all."""
    replace_tensors(bare / "scene_embedding.safetensors", tensors)
    refused(bare, f"holds no video_context of width {WIDTH}; it belongs to another model")


def test_embedding_is_projected_where_the_transformer_does(bare: Path) -> None:
    """LTX-2.0 projects the text embedding at each step, which is done once, when it is loaded."""
    stock = LTX2VideoTransformer3DModel(
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        num_attention_heads=4,
        attention_head_dim=WIDTH // 4,
        cross_attention_dim=WIDTH,
        caption_channels=48,
        audio_in_channels=8,
        audio_out_channels=8,
        audio_num_attention_heads=4,
        audio_attention_head_dim=8,
        audio_cross_attention_dim=32,
        num_layers=1,
    )
    for path in (bare / "transformer").iterdir():
        path.unlink()
    stock.save_pretrained(bare / "transformer")
    refused(bare, "holds no video_context of width 48; it belongs to another model")
    told = torch.randn(6, 48)
    replace_tensors(bare / "scene_embedding.safetensors", {"video_context": told})
    context = load_model(bare).context
    assert context.shape == (1, 6, WIDTH)
    assert not context.requires_grad
    assert torch.equal(context, stock.caption_projection(told[None]))


def test_vae_of_another_model(bare: Path) -> None:
    """A VAE whose latents the transformer does not take is told before anything is rendered."""
    other = AutoencoderKLLTX2Video(
        latent_channels=2 * CHANNELS,
        block_out_channels=(8, 8),
        down_block_types=("LTX2VideoDownBlock3D",) * 2,
        layers_per_block=(1, 1, 1),
        spatio_temporal_scaling=(True, True),
        downsample_type=("spatiotemporal", "spatiotemporal"),
        decoder_block_out_channels=(8, 8),
        decoder_layers_per_block=(1, 1, 1),
        decoder_spatio_temporal_scaling=(True, True),
        upsample_type=("spatiotemporal", "spatiotemporal"),
        upsample_residual=(True, True),
        upsample_factor=(2, 2),
    )
    for path in (bare / "vae").iterdir():
        path.unlink()
    other.save_pretrained(bare / "vae")
    refused(bare, "has 16 latent channels and the transformer 8; take both from one model")


def test_no_folder(tmp_path: Path) -> None:
    """A path where nothing is."""
    refused(tmp_path / "nothing", "is not a model folder")
