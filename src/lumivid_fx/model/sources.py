"""What a model is made of, opened and held against each other before any weight is read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKLLTX2Video
from diffusers.pipelines.ltx2.latent_upsampler import LTX2LatentUpsamplerModel

from lumivid_fx.color.transfer import Transfer, get_transfer
from lumivid_fx.errors import InputError
from lumivid_fx.model.digests import file_digest, joint_digest
from lumivid_fx.model.lora import Lora, check_fits, fusing, read_lora
from lumivid_fx.model.manifest import MANIFEST_NAME, Manifest
from lumivid_fx.model.parts import (
    Change,
    Part,
    build_empty,
    diffusers_part,
    look_at,
    official_transformer,
    official_upsampler,
    official_vae,
)
from lumivid_fx.model.published import (
    HDR_LORA,
    SCENE_EMBEDDING,
    UPSAMPLER,
    check_distillation,
    require_published,
)
from lumivid_fx.model.ready import ready_key
from lumivid_fx.model.tensor_file import TensorEntry, TensorFile
from lumivid_fx.model.video_only import build_video_transformer


@dataclass(frozen=True)
class Sources:
    """A model's files, whose headers fit each other; no weight has been read but the LoRAs'.

    Attributes:
        folder: Of the manifest.
        manifest: What it says.
        transformer: Where the transformer lies.
        vae: Where the VAE lies.
        upsampler: Where the latent upsampler lies, or None.
        embedding: File of the prompt embedding.
        loras: What is fused into the transformer, in that order, with strengths.
        transfer: The curve.
    """

    folder: Path
    manifest: Manifest
    transformer: Part
    vae: Part
    upsampler: Part | None
    embedding: Path
    loras: tuple[tuple[Lora, float], ...]
    transfer: Transfer

    def changes(self, dtype: torch.dtype | None) -> Change:
        """What is done to each of the transformer's tensors: its type, then the LoRAs."""
        fuse = fusing(self.loras, reference=self.manifest.lora_fusing == "bfloat16")
        return lambda name, tensor: fuse(name, tensor.to(dtype or tensor.dtype))

    def ready_key(self, dtype: torch.dtype) -> str:
        """The name of the transformer's weights as they run."""
        loras = [[lora.path.name, strength] for lora, strength in self.loras]
        said = [str(dtype), self.manifest.lora_fusing, loras, self.transformer.config]
        files = [file.path for file in self.transformer.files]
        digests = [file_digest(path) for path in [*files, *(lora.path for lora, _ in self.loras)]]
        return ready_key(said, digests)

    @property
    def parts(self) -> list[Part]:
        """Transformer, VAE and upsampler, as far as there are."""
        return [p for p in (self.transformer, self.vae, self.upsampler) if p is not None]

    @property
    def files(self) -> list[TensorFile]:
        """Every file that weights are in, each once."""
        paths = [self.embedding, *(lora.path for lora, _ in self.loras)]
        found = [file for part in self.parts for file in part.files]
        return list({f.path: f for f in [*found, *map(look_at, paths)]}.values())

    def hdr_lora(self, given: Path | None, strength: float) -> tuple[str, float]:
        """File name and strength of the HDR LoRA, for the record; `given` is not the manifest's."""
        if given is None and self.manifest.lora is None:
            return "", strength
        return self.loras[0][0].path.name, strength

    def digest(self) -> str:
        """SHA-256 over all that decides about a picture: every file, and every number beside."""
        said = [
            asdict(self.manifest.without_paths),
            [[lora.path.name, strength] for lora, strength in self.loras],
            [part.config for part in self.parts],
        ]
        return joint_digest(json.dumps(said, sort_keys=True), [file.path for file in self.files])


def open_sources(
    folder: Path, manifest: Manifest, lora: Path | None = None, lora_strength: float = 1.0
) -> Sources:
    """Open a model's files and refuse those that do not belong together.

    Args:
        folder: Of the manifest.
        manifest: What it says.
        lora: In place of the manifest's HDR LoRA.
        lora_strength: Of that one; 1 as trained, 0 none.

    Raises:
        InputError: A file is missing, damaged, or does not fit the others; it is named, and where
            it is known which file should be there, that one too.
    """
    vae = _part(folder / manifest.vae, "vae")
    build_empty(AutoencoderKLLTX2Video.from_config, vae)
    ratios = vae_ratios(vae)
    at = folder / manifest.transformer
    transformer = official_transformer(look_at(at), ratios) if at.is_file() else diffusers_part(at)
    upsampler = _upsampler(folder, manifest)
    if upsampler is not None:
        build_empty(LTX2LatentUpsamplerModel.from_config, upsampler)
    channels = vae.config.get("latent_channels", 128)
    if channels != transformer.config.get("in_channels", 128):
        raise InputError(
            f"{vae.where} has {channels} latent channels and the transformer "
            f"{transformer.config.get('in_channels')}; take both from one model"
        )
    if upsampler is not None and upsampler.config.get("in_channels", 128) != channels:
        raise InputError(
            f"{upsampler.where} upsamples latents of {upsampler.config.get('in_channels')} "
            f"channels and the VAE has {channels}; take both from one model"
        )
    if len(manifest.sigmas) != (1 if upsampler is None else 2):
        raise InputError(
            f"{folder / MANIFEST_NAME} names {len(manifest.sigmas)} sigma schedules; give one, "
            "and a second exactly when there is a latent upsampler"
        )
    stack = _loras(folder, manifest, lora, lora_strength)
    check_distillation(transformer.where, [each.path for each, strength in stack if strength])
    for path in [*(file.path for file in transformer.files), *(each.path for each, _ in stack)]:
        require_published(path)
    shapes = {f"{name}": transformer.entry(name).shape for name in transformer.places}
    for each, _ in stack:
        check_fits(shapes, each)
    embedding = folder / manifest.prompt_embedding
    embedding_entry(embedding, context_width(transformer))
    curve = _curve(folder, manifest, stack)
    build_empty(build_video_transformer, transformer)  # last: 48 blocks take most of a second
    return Sources(folder, manifest, transformer, vae, upsampler, embedding, tuple(stack), curve)


def vae_ratios(vae: Part) -> tuple[int, int]:
    """Frames and pixels that a latent covers, as the VAE's config says."""
    said = (vae.config.get(f"{way}_compression_ratio") for way in ("temporal", "spatial"))
    time, space = (int(ratio or default) for ratio, default in zip(said, (8, 32), strict=True))
    return time, space


def context_width(transformer: Part) -> int:
    """Width of the prompt embedding that a transformer takes."""
    projected = transformer.config.get("use_prompt_embeddings", True)  # LTX-2.0; not in 2.3
    name = "caption_channels" if projected else "cross_attention_dim"
    width = transformer.config.get(name)
    return width if isinstance(width, int) else 0


def embedding_entry(path: Path, width: int) -> TensorEntry:
    """The header's entry of a prompt embedding.

    Raises:
        InputError: The file is missing, damaged, or of another model.
    """
    if not path.is_file():
        raise InputError(
            f"{path} is missing: the model's prompt embedding; download it again, for LTX-2.3 it "
            f"is {SCENE_EMBEDDING}"
        )
    entry = look_at(path).tensors.get("video_context")
    if entry is None or len(entry.shape) not in (2, 3) or entry.shape[-1] != width:
        raise InputError(
            f"{path} holds no video_context of width {width}; it belongs to another model, for "
            f"LTX-2.3 give {SCENE_EMBEDDING}"
        )
    return entry


def _part(at: Path, kind: str) -> Part:
    if not at.is_file():
        return diffusers_part(at)
    return official_vae(look_at(at)) if kind == "vae" else official_upsampler(look_at(at))


def _upsampler(folder: Path, manifest: Manifest) -> Part | None:
    if manifest.upsampler is not None:
        part = _part(folder / manifest.upsampler, "upsampler")
    elif (folder / "upsampler").is_dir():
        part = diffusers_part(folder / "upsampler")
    else:
        return None
    config = part.config
    only_space = config.get("spatial_upsample", True) and not config.get("temporal_upsample", False)
    if not only_space or config.get("rational_spatial_scale", 2.0) != 2.0:
        raise InputError(
            f"{part.where} is an upsampler of another factor than 2 in height and width; "
            f"give {UPSAMPLER}"
        )
    return part


def _loras(
    folder: Path, manifest: Manifest, lora: Path | None, strength: float
) -> list[tuple[Lora, float]]:
    stack = []
    first = lora or (folder / manifest.lora if manifest.lora else None)
    if first is not None:
        strength *= 1.0 if lora else manifest.lora_strength
        stack.append((read_lora(first), strength))
    stack += [(read_lora(folder / file), each) for file, each in manifest.more_loras]
    for each, _ in stack:
        if each.reference_downscale_factor != 1:
            raise InputError(
                f"{each.path} was trained with its reference {each.reference_downscale_factor} "
                "times smaller than its target, which is not rendered here; use one trained at 1"
            )
    return stack


def _curve(folder: Path, manifest: Manifest, stack: Sequence[tuple[Lora, float]]) -> Transfer:
    """The manifest's curve, or that of the LoRA; none of the LoRAs may speak another."""
    told = [(lora.path, lora.transfer) for lora, _ in stack if lora.transfer is not None]
    name = manifest.transfer or next((transfer for _, transfer in told), None)
    if name is None:
        raise InputError(
            f"{folder / MANIFEST_NAME}: no LoRA of this model says in which curve it speaks "
            f"(metadata hdr_transform), so none of them makes HDR; add {HDR_LORA}"
        )
    curve = get_transfer(name)
    for path, transfer in told:
        if transfer != name:
            raise InputError(
                f"{path} speaks {transfer} but the model {manifest.name} speaks {name}; use a "
                "LoRA made for it"
            )
    return curve
