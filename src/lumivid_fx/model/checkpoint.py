"""A model on disk to modules that run: one loader for everything shaped like LTX-2.

A folder holds a small manifest, ``lumivid.toml``, and what it names::

    transformer/     config.json and safetensors shards (diffusers)
    vae/             likewise
    upsampler/       optional latent upsampler: its presence means two stages
    *.safetensors    prompt embedding and HDR LoRA

In place of each folder the manifest may name a file as Lightricks publishes it, and one file may
hold transformer and VAE both. Only safetensors are ever read. Audio weights are skipped by name and
never allocated.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch
from diffusers import AutoencoderKLLTX2Video, LTX2VideoTransformer3DModel
from diffusers.pipelines.ltx2.latent_upsampler import LTX2LatentUpsamplerModel
from safetensors import SafetensorError
from torch import Tensor, nn

from lumivid_fx.color.transfer import Transfer
from lumivid_fx.model.library import EMBEDDED, find_model
from lumivid_fx.model.manifest import Manifest, read_manifest
from lumivid_fx.model.parts import build, damaged, diffusers_part, look_at
from lumivid_fx.model.placement import RESIDENT, place
from lumivid_fx.model.ready import read_ready
from lumivid_fx.model.residency import BorrowedBlocks, Visit, Way
from lumivid_fx.model.sources import Sources, context_width, embedding_entry, open_sources
from lumivid_fx.model.video_only import build_video_transformer

__all__ = [
    "EMBEDDED",
    "HdrModel",
    "load_model",
    "load_transformer",
    "read_model",
    "working_type",
]


@dataclass(frozen=True)
class HdrModel:
    """A model ready to run.

    Attributes:
        manifest: What it said of itself.
        transformer: Video only, LoRAs fused.
        vae: Always float32 (a bfloat16 LogC3 code is 3.7 % of light).
        upsampler: Latent upsampler of stage 2, or None.
        context: Prompt embedding ``1 m d``.
        transfer: The curve it speaks.
        digest: SHA-256 over every file it was made of, and the LoRAs' strengths.
        lora: File and strength of the HDR LoRA, for the record.
        way: How its weights are held.
        blocks: The transformer's blocks where they take turns on the device, else None.
        visits: Parts that are on the device only while they work, by their :func:`id`.
        compiled: Whether the transformer's blocks run compiled.
    """

    manifest: Manifest
    transformer: LTX2VideoTransformer3DModel
    vae: AutoencoderKLLTX2Video
    upsampler: LTX2LatentUpsamplerModel | None
    context: Tensor
    transfer: Transfer
    digest: str
    lora: tuple[str, float]
    way: Way = RESIDENT
    blocks: BorrowedBlocks | None = None
    visits: Mapping[int, Visit] = field(default_factory=dict)
    compiled: bool = False

    def present(self, part: nn.Module | None) -> AbstractContextManager[None]:
        """Have a part, VAE or upsampler, on the device for a while."""
        visit = self.visits.get(id(part))
        return nullcontext() if visit is None else visit.there()

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
    model: str | os.PathLike[str] | None = None,
    *,
    lora: Path | None = None,
    lora_strength: float = 1.0,
    device: str = "cpu",
    dtype: torch.dtype | None = None,
) -> HdrModel:
    """Load a model, all of it on a device.

    Args:
        model: Its name in the library, or a folder with a manifest; None is the embedded model.
        lora: LoRA file in place of the manifest's HDR LoRA.
        lora_strength: Of that; 1 as trained, 0 none.
        device: Torch device to run on.
        dtype: Of transformer and upsampler; None is float32 on the CPU and bfloat16 elsewhere.

    Raises:
        InputError: A file is missing, damaged, or does not fit the others.
    """
    dtype = dtype or working_type(device)
    loaded = read_model(model, lora=lora, lora_strength=lora_strength, dtype=dtype)
    return place(loaded, device)


def working_type(device: str) -> torch.dtype:
    """The type in which a device runs transformer and upsampler."""
    return torch.float32 if device == "cpu" else torch.bfloat16


def read_model(
    model: str | os.PathLike[str] | None,
    *,
    lora: Path | None = None,
    lora_strength: float = 1.0,
    dtype: torch.dtype,
) -> HdrModel:
    """Read a model, whose weights are views of its files where they can be; it is placed nowhere.

    Args and errors are those of :func:`load_model`.
    """
    folder = find_model(model)
    manifest = read_manifest(folder)
    sources = open_sources(folder, manifest, lora, lora_strength)
    weights = read_ready(sources.ready_key(dtype), sources.transformer)
    if weights is None:
        weights = dict(sources.transformer.stream(sources.changes(dtype)))
    transformer = build(build_video_transformer, sources.transformer, weights)
    upsampler = None
    if sources.upsampler is not None:
        larger = {name: tensor.to(dtype) for name, tensor in sources.upsampler.stream()}
        upsampler = build(LTX2LatentUpsamplerModel.from_config, sources.upsampler, larger)
    decoder = {name: tensor.float() for name, tensor in sources.vae.stream()}
    return HdrModel(
        manifest=manifest,
        transformer=transformer,
        vae=build(AutoencoderKLLTX2Video.from_config, sources.vae, decoder),
        upsampler=upsampler,
        context=_read_context(sources, transformer).to(dtype),
        transfer=sources.transfer,
        digest=sources.digest(),
        lora=sources.hdr_lora(lora, lora_strength),
    )


def load_transformer(folder: Path, dtype: torch.dtype | None = None) -> LTX2VideoTransformer3DModel:
    """Load the video half of a diffusers LTX-2 transformer folder.

    Args:
        folder: Holds ``config.json`` and safetensors shards.
        dtype: Of the weights; None is that of the files.

    Raises:
        InputError: A file is missing or damaged, or tensors do not match the config.
    """
    part = diffusers_part(folder)
    weights = {name: tensor.to(dtype or tensor.dtype) for name, tensor in part.stream()}
    transformer: LTX2VideoTransformer3DModel = build(build_video_transformer, part, weights)
    return transformer


def _read_context(sources: Sources, transformer: LTX2VideoTransformer3DModel) -> Tensor:
    """The prompt embedding ``1 m d`` at the transformer's own width."""
    width = context_width(sources.transformer)
    embedding_entry(sources.embedding, width)
    try:
        ((_, tensor),) = look_at(sources.embedding).read(["video_context"])
    except (SafetensorError, OSError) as error:
        raise damaged(sources.embedding, error) from error
    context: Tensor = tensor.reshape(1, -1, width).clone()
    if transformer.config.use_prompt_embeddings:  # LTX-2.0; in 2.3 the file holds it projected
        with torch.inference_mode():
            context = transformer.caption_projection(context.to(transformer.dtype)).clone()
    return context
