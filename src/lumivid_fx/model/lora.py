"""LoRA files as published for LTX, read with care and fused into the weights.

A LoRA whose keys do not fit loads silently as nothing, and one whose alpha is lost comes out at the
wrong strength. Here both are found out: every key must meet a module of the transformer, and alpha
is read from the file and folded into the weights.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import LTX2VideoTransformer3DModel
from diffusers.loaders import LTX2LoraLoaderMixin
from safetensors import SafetensorError
from torch import Tensor

from lumivid_fx.errors import InputError
from lumivid_fx.model.parts import Change
from lumivid_fx.model.published import HDR_LORA
from lumivid_fx.model.tensor_file import look
from lumivid_fx.model.video_only import is_audio

TRANSFORM_NAMES = {
    "logc3": "logc3_rec709",
    "acescct": "acescct_ap1",
    "pq": "pq_rec2020",
    "hlg": "hlg_rec2020",
    "linear16": "linear16_rec709",
}
"""The LoRA's word for its curve (metadata ``hdr_transform``) and our name of it."""

UNFOLDABLE = ("use_rslora", "use_dora", "alpha_pattern")
"""peft settings that scale a LoRA by more than alpha / rank, and are refused."""


@dataclass(frozen=True)
class Lora:
    """A LoRA file's contents.

    Attributes:
        path: Where it came from.
        weights: Tensors under diffusers' names (``transformer.<module>.lora_A.weight``).
        transfer: Our name of the curve it was trained in, or None where the file does not say.
        reference_downscale_factor: How much smaller its reference video was in training.
        rank: Largest rank in it.
    """

    path: Path
    weights: dict[str, Tensor]
    transfer: str | None
    reference_downscale_factor: int
    rank: int

    def pairs(self) -> Iterator[tuple[str, Tensor, Tensor]]:
        """Each module it changes, by the transformer's name, with its A ``r n`` and B ``m r``."""
        for key, down in self.weights.items():
            if key.endswith(".lora_A.weight"):
                name = key.removeprefix("transformer.").removesuffix(".lora_A.weight")
                yield name, down, self.weights[key.replace(".lora_A.", ".lora_B.")]


def read_lora(path: Path) -> Lora:
    """Read a LoRA with published (``diffusion_model.``), diffusers (``transformer.``) or bare keys.

    Raises:
        InputError: No such file, not safetensors, no LoRA tensors in it, or metadata that is
            damaged or names an unknown curve.
    """
    raw, metadata = _read_tensors(path)
    weights = {k: v for k, v in raw.items() if not k.endswith(".alpha") and not is_audio(k)}
    downs = {
        key.removesuffix(".lora_A.weight"): tensor
        for key, tensor in weights.items()
        if key.endswith(".lora_A.weight")
    }
    expected = {f"{module}.lora_{part}.weight" for module in downs for part in "AB"}
    if not downs or expected != set(weights) or any(v.ndim != 2 for v in weights.values()):
        raise InputError(
            f"{path} is not an LTX LoRA (it should hold pairs of lora_A and lora_B matrices); "
            "give the HDR IC-LoRA's safetensors file"
        )
    try:
        factor = int(metadata.get("reference_downscale_factor", 1))
        alphas = _alphas(raw, metadata, path)
    except (ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise InputError(f"{path} has damaged metadata ({error}); download it again") from error
    for module, down in downs.items():
        alpha = alphas.get(module, alphas.get("", down.shape[0]))
        if alpha != down.shape[0]:
            up = f"{module}.lora_B.weight"
            weights[up] = weights[up] * (alpha / down.shape[0])
    return Lora(
        path=path,
        weights=_diffusers_names(weights, path),
        transfer=_transfer(path, metadata),
        reference_downscale_factor=factor,
        rank=max(down.shape[0] for down in downs.values()),
    )


def check_fits(shapes: Mapping[str, tuple[int, ...]], lora: Lora) -> None:
    """Refuse a LoRA that was made for another transformer.

    Args:
        shapes: Of the transformer's weights, by name.
        lora: The LoRA.

    Raises:
        InputError: A tensor of the LoRA meets no weight, or one of another size.
    """
    for module, down, up in lora.pairs():
        weight = shapes.get(f"{module}.weight")
        if weight != (up.shape[0], down.shape[1]) or up.shape[1] != down.shape[0]:
            raise InputError(
                f"{lora.path} does not fit this model: {module} is "
                f"{'missing' if weight is None else 'of another size'}; "
                f"use a LoRA made for this base, such as {HDR_LORA} for LTX-2.3"
            )


def fusing(stack: Sequence[tuple[Lora, float]], *, reference: bool = False) -> Change:
    """What fuses LoRAs into a transformer's weights, one after the other as they are read.

    ``W + strength * B @ A``, in float32 and rounded once. The reference code multiplies and adds in
    bfloat16, which is another 0.4 % of what the LoRA does.

    Args:
        stack: LoRAs and their strengths; one of strength 0 leaves the weights bit for bit.
        reference: Round as the reference code does.

    Returns:
        From a weight's name and value to its new value.

    Raises:
        InputError: When a weight would become NaN or infinite.
    """
    by_weight: dict[str, list[tuple[Lora, float, Tensor, Tensor]]] = {}
    for lora, strength in stack:
        for module, down, up in lora.pairs() if strength else ():
            by_weight.setdefault(f"{module}.weight", []).append((lora, strength, down, up))

    def change(name: str, weight: Tensor) -> Tensor:
        fused = weight
        for lora, strength, down, up in by_weight.get(name, ()):
            if reference:
                delta = (up.bfloat16() * strength) @ down.bfloat16()
                fused = (delta + fused.bfloat16()).to(weight.dtype)
            else:
                delta = up.to(weight.device, torch.float32) @ down.to(weight.device, torch.float32)
                fused = (fused.float() + delta * strength).to(weight.dtype)
            if not bool(torch.isfinite(fused).all()):
                raise InputError(
                    f"{lora.path} holds values that are no numbers, or makes such at strength "
                    f"{strength:g}; download it again"
                )
        return fused

    return change


def apply_lora(transformer: LTX2VideoTransformer3DModel, lora: Lora, strength: float) -> None:
    """Fuse a LoRA into the weights of a transformer that is loaded.

    Raises:
        InputError: It does not fit, or weights would become NaN or infinite; the transformer is of
            no more use after that.
    """
    weights = transformer.state_dict()
    check_fits({name: tuple(weight.shape) for name, weight in weights.items()}, lora)
    change = fusing([(lora, strength)])
    with torch.no_grad():
        for name, weight in weights.items():
            fused = change(name, weight)
            if fused is not weight:
                weight.copy_(fused)


def _read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        file = look(path)
        return dict(file.read(file.tensors)), dict(file.metadata)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; check the path of the LoRA") from None
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path} is not a whole safetensors file ({error}); download it again"
        ) from error


def _alphas(raw: Mapping[str, Tensor], metadata: Mapping[str, str], path: Path) -> dict[str, float]:
    """Alpha by module; that of all others stands under the empty name, if the file tells it."""
    alphas = {k.removesuffix(".alpha"): float(v) for k, v in raw.items() if k.endswith(".alpha")}
    told = {
        name.removeprefix("transformer."): value
        for name, value in json.loads(metadata.get("lora_adapter_metadata", "{}")).items()
    }
    if odd := [name for name in UNFOLDABLE if told.get(name)]:
        raise InputError(
            f"{path} was trained with {', '.join(odd)}, which is not applied here; use a plain LoRA"
        )
    if told.get("lora_alpha") is not None:
        alphas[""] = float(told["lora_alpha"])
    return alphas


def _diffusers_names(weights: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    named, _ = LTX2LoraLoaderMixin.lora_state_dict(dict(weights), return_lora_metadata=True)
    if len(named) != len(weights):
        raise InputError(
            f"{path} mixes keys of several models; give the HDR IC-LoRA's safetensors file"
        )
    return {
        key if key.startswith("transformer.") else f"transformer.{key}": tensor
        for key, tensor in named.items()
    }


def _transfer(path: Path, metadata: dict[str, str]) -> str | None:
    word = metadata.get("hdr_transform")
    if word is None and metadata.get("use_hdr_transform", "").lower() in ("true", "1"):
        word = "logc3"  # said so before there was a second curve
    if word is None:
        return None
    name = TRANSFORM_NAMES.get(word.lower())
    if name is None:
        raise InputError(
            f"{path} was trained in the curve {word!r}, which is not known here; "
            f"known are {', '.join(TRANSFORM_NAMES)}"
        )
    return name
