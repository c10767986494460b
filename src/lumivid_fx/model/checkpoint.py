"""A model folder on disk to modules that run: one loader for everything shaped like LTX-2.

A folder holds a small manifest, ``lumivid.toml``, and what it names::

    transformer/     config.json and safetensors shards (diffusers)
    vae/             likewise
    upsampler/       optional latent upsampler: its presence means two stages
    *.safetensors    prompt embedding and HDR LoRA

Only safetensors are ever read. Audio weights are skipped by name and never allocated.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLLTX2Video, LTX2VideoTransformer3DModel
from diffusers.pipelines.ltx2.latent_upsampler import LTX2LatentUpsamplerModel
from safetensors import SafetensorError, safe_open
from torch import Tensor

from lumivid_fx.color.transfer import Transfer, get_transfer
from lumivid_fx.errors import InputError
from lumivid_fx.model.lora import apply_lora, read_lora
from lumivid_fx.model.manifest import MANIFEST_NAME, Manifest, read_manifest
from lumivid_fx.model.tensor_file import header_is_sane
from lumivid_fx.model.video_only import build_video_transformer, is_audio

EMBEDDED = Path(__file__).parent / "embedded"
"""The model that ships with the package."""

_UNBUILDABLE = (
    *(OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError),
    *(ArithmeticError, AssertionError, NotImplementedError),
)
"""What diffusers raises for a config that is not that of the class asked for."""


@dataclass(frozen=True)
class HdrModel:
    """A model ready to run.

    Attributes:
        manifest: What it said of itself.
        transformer: Video only, LoRA fused.
        vae: Always float32 (a bfloat16 LogC3 code is 3.7 % of light).
        upsampler: Latent upsampler of stage 2, or None.
        context: Prompt embedding ``1 m d``.
        transfer: The curve it speaks.
        digest: SHA-256 over every file it was made of, and the LoRA's strength.
        lora: Path and strength of the LoRA, for the record.
    """

    manifest: Manifest
    transformer: LTX2VideoTransformer3DModel
    vae: AutoencoderKLLTX2Video
    upsampler: LTX2LatentUpsamplerModel | None
    context: Tensor
    transfer: Transfer
    digest: str
    lora: tuple[str, float]

    @property
    def spatial_ratio(self) -> int:
        """Pixels a latent covers along an edge."""
        return int(self.vae.spatial_compression_ratio)

    @property
    def temporal_ratio(self) -> int:
        """Frames a latent covers, but for the first one, which covers one."""
        return int(self.vae.temporal_compression_ratio)

    @property
    def stages(self) -> int:
        """How many stages it can run: a second one needs a latent upsampler."""
        return 1 if self.upsampler is None else 2

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return self.context.device


def load_model(
    folder: Path | None = None,
    *,
    lora: Path | None = None,
    lora_strength: float = 1.0,
    device: str = "cpu",
) -> HdrModel:
    """Load a model folder.

    Args:
        folder: Folder with a manifest; None is the embedded model.
        lora: LoRA file in place of the manifest's.
        lora_strength: 1 as trained, 0 none.
        device: Torch device to run on.

    Raises:
        InputError: A file is missing, damaged, or does not fit the others.
    """
    folder = folder or EMBEDDED
    manifest = read_manifest(folder)
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    transformer = load_transformer(folder / "transformer", dtype)
    lora_path = lora or (folder / manifest.lora if manifest.lora else None)
    transfer = get_transfer(manifest.transfer)
    if lora_path is not None:
        adapter = read_lora(lora_path)
        if adapter.transfer not in (None, manifest.transfer):
            raise InputError(
                f"{lora_path} speaks {adapter.transfer} but the model {manifest.name} speaks "
                f"{manifest.transfer}; use a LoRA made for it"
            )
        if adapter.reference_downscale_factor != 1:
            raise InputError(
                f"{lora_path} was trained with its reference {adapter.reference_downscale_factor} "
                "times smaller than its target, which is not rendered here; use one trained at 1"
            )
        apply_lora(transformer, adapter, lora_strength)
    vae = _load(AutoencoderKLLTX2Video.from_config, folder / "vae", torch.float32)
    upsampler = None
    if (folder / "upsampler").is_dir():
        upsampler = _load(LTX2LatentUpsamplerModel.from_config, folder / "upsampler", dtype)
    if len(manifest.sigmas) != (1 if upsampler is None else 2):
        raise InputError(
            f"{folder / MANIFEST_NAME} names {len(manifest.sigmas)} sigma schedules; give one, "
            "and a second exactly when there is a latent upsampler"
        )
    if vae.config.latent_channels != transformer.config.in_channels:
        raise InputError(
            f"{folder / 'vae'} has {vae.config.latent_channels} latent channels and the "
            f"transformer {transformer.config.in_channels}; take both from one model"
        )
    context = _read_context(folder / manifest.prompt_embedding, transformer)
    for module in (transformer, vae, upsampler):
        if module is not None:
            module.eval().requires_grad_(False).to(device)
    return HdrModel(
        manifest=manifest,
        transformer=transformer,
        vae=vae,
        upsampler=upsampler,
        context=context.to(device=device, dtype=dtype),
        transfer=transfer,
        digest=_digest(folder, lora_path, lora_strength),
        lora=(lora_path.name if lora_path else "", lora_strength),
    )


def load_transformer(folder: Path, dtype: torch.dtype | None = None) -> LTX2VideoTransformer3DModel:
    """Load the video half of a diffusers LTX-2 transformer folder.

    Args:
        folder: Holds ``config.json`` and safetensors shards.
        dtype: Of the weights; None is that of the files.

    Raises:
        InputError: A file is missing or damaged, or tensors do not match the config.
    """
    return _load(build_video_transformer, folder, dtype)


def _load(build: Callable[[dict[str, Any]], Any], folder: Path, dtype: torch.dtype | None) -> Any:
    """Build from ``config.json`` and fill with the shards; no tensor is left to chance."""
    config = _read_json(folder / "config.json")
    try:
        with torch.device("meta"):
            module = build(config)
    except _UNBUILDABLE as error:
        raise InputError(
            f"{folder / 'config.json'} is not that of an LTX-2 model ({_first_line(error)}); "
            "download it again"
        ) from error
    state = {
        name: tensor.to(dtype or tensor.dtype)
        for path in _weight_files(folder)
        for name, tensor in _tensors(path)
    }
    try:
        module.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        first = " ".join(line.strip() for line in str(error).splitlines()[1:2])
        raise InputError(
            f"{folder}: weights do not match config.json ({first[:120]}); download the model again"
        ) from error
    return module


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:120].rstrip(".")


def _weight_files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise InputError(f"{folder} holds no safetensors weights; download the model again")
    return files


def _tensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    try:
        if not header_is_sane(path):
            raise SafetensorError("its header is longer than that of any model")
        with safe_open(path, "pt") as file:
            names = file.keys()
            for name in names:
                if not is_audio(name):
                    yield name, file.get_tensor(name)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is damaged ({error}); download it again") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing; download the model again") from None
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON ({error}); download it again") from error
    if not isinstance(read, dict):
        raise InputError(f"{path} holds no table of settings; download it again")
    return read


def _read_context(path: Path, transformer: LTX2VideoTransformer3DModel) -> Tensor:
    if not path.is_file():
        raise InputError(f"{path} is missing: the model's prompt embedding; download it again")
    config = transformer.config
    projected = bool(config.use_prompt_embeddings)  # LTX-2.0; in 2.3 the file holds it projected
    width = config.caption_channels if projected else config.cross_attention_dim
    for name, tensor in _tensors(path):
        if name == "video_context" and tensor.ndim in (2, 3) and tensor.shape[-1] == width:
            context: Tensor = tensor.reshape(1, -1, width)
            if projected:
                with torch.inference_mode():
                    context = transformer.caption_projection(context.to(transformer.dtype)).clone()
            return context
    raise InputError(f"{path} holds no video_context of width {width}; it belongs to another model")


def _digest(folder: Path, lora: Path | None, strength: float) -> str:
    total = hashlib.sha256(f"lora strength {strength!r}".encode())
    files = [p for p in sorted(folder.rglob("*")) if p.suffix in (".safetensors", ".json", ".toml")]
    for path in [*files, *([lora] if lora else [])]:
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()
