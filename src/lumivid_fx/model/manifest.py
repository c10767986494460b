"""The few lines that a model folder says of itself, ``lumivid.toml``, read and checked."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from lumivid_fx.errors import InputError

MANIFEST_NAME = "lumivid.toml"

LORA_FUSINGS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Manifest:
    """What ``lumivid.toml`` says.

    Attributes:
        name: The model's name, as written into every plate it makes.
        transfer: Curve the model speaks, by name; None leaves it to the LoRA's metadata.
        sigmas: Noise levels of each stage, from the first to 0.
        native_size: Longest side in pixels the model renders best at; None is the plate's own.
        window_frames: Frames rendered at once, 8k+1.
        overlap_frames: Frames two windows share, 8k+1.
        grain_px: Structure in highlights finer than this, in pixels the model sees, is the
            decoder's own and is smoothed away; 1 leaves them as they are.
        grain_frames: What wavers in highlights faster than this is the decoder's own too, and is
            averaged under a tent of so many frames to each side; 1 leaves them as they are.
        highlight_rise: Stops by which the model draws highlights too dim for each stop that the
            plate's curve reaches beyond a plain clip; they are lifted by so much.
        highlight_least: Stops over white that the inside of a highlight has at least, where the
            model draws it darker than a picture that clipped can be; the rise comes on top.
        prompt_embedding: File with the scene embedding.
        lora: File with the HDR LoRA, or None where it is already in the weights.
        lora_strength: What the user's strength of it is multiplied with.
        more_loras: Files of LoRAs fused after it, with their strengths.
        lora_fusing: ``float32``, or ``bfloat16`` as the reference code rounds.
        transformer: Folder as diffusers writes it, or file as Lightricks does.
        vae: Likewise.
        upsampler: Likewise; None is the folder ``upsampler``, if there is one.
        vae_tile: Edge of the VAE's tiles in latents; None is no tiles.
        vae_frames: Length of the VAE's tiles in latents; None is no tiles.
    """

    name: str
    transfer: str | None
    sigmas: tuple[tuple[float, ...], ...]
    native_size: int | None
    window_frames: int
    overlap_frames: int
    grain_px: int
    prompt_embedding: str
    lora: str | None
    grain_frames: int = 1
    highlight_rise: float = 0.0
    highlight_least: float = 0.0
    lora_strength: float = 1.0
    more_loras: tuple[tuple[str, float], ...] = ()
    lora_fusing: str = "float32"
    transformer: str = "transformer"
    vae: str = "vae"
    upsampler: str | None = None
    vae_tile: int | None = None
    vae_frames: int | None = None

    @property
    def without_paths(self) -> Manifest:
        """The same with files by name alone, for a digest that does not know where they lie."""
        return replace(
            self,
            prompt_embedding=Path(self.prompt_embedding).name,
            lora=None if self.lora is None else Path(self.lora).name,
            more_loras=tuple((Path(file).name, strength) for file, strength in self.more_loras),
            transformer="",
            vae="",
            upsampler="",
        )


def read_manifest(folder: Path) -> Manifest:
    """Read and check ``lumivid.toml``.

    Raises:
        InputError: It is missing, damaged or incomplete.
    """
    path = folder / MANIFEST_NAME
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{folder} is not a model folder: it has no {MANIFEST_NAME}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML ({error}); mend it") from error
    try:
        manifest = Manifest(
            name=str(raw["name"]),
            transfer=_text(raw, "transfer"),
            sigmas=tuple(tuple(float(s) for s in stage) for stage in raw["sigmas"]),
            native_size=_number(raw, "native_size"),
            window_frames=int(raw["window_frames"]),
            overlap_frames=int(raw["overlap_frames"]),
            grain_px=int(raw.get("grain_px", 1)),
            grain_frames=int(raw.get("grain_frames", 1)),
            highlight_rise=float(raw.get("highlight_rise", 0.0)),
            highlight_least=float(raw.get("highlight_least", 0.0)),
            prompt_embedding=str(raw["prompt_embedding"]),
            lora=_text(raw, "lora"),
            lora_strength=float(raw.get("lora_strength", 1.0)),
            more_loras=tuple(
                (str(each["file"]), float(each["strength"])) for each in raw.get("more_loras", ())
            ),
            lora_fusing=str(raw.get("lora_fusing", "float32")),
            transformer=str(raw.get("transformer", "transformer")),
            vae=str(raw.get("vae", "vae")),
            upsampler=_text(raw, "upsampler"),
            vae_tile=_number(raw, "vae_tile"),
            vae_frames=_number(raw, "vae_frames"),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} lacks or misstates {error}; compare the embedded model's"
        ) from error
    if manifest.lora_fusing not in LORA_FUSINGS:
        raise InputError(f"{path}: lora_fusing is one of {', '.join(LORA_FUSINGS)}")
    check_sigmas(manifest.sigmas, str(path))
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``lumivid.toml`` into a folder; what is left to its default is not written."""
    lines = ["# Written by `lumivid models add`; `lumivid models verify` looks at its files."]
    tables = []
    for field in fields(manifest):
        value = getattr(manifest, field.name)
        if field.name == "more_loras":
            tables = [
                f"\n[[more_loras]]\nfile = {json.dumps(file)}\nstrength = {strength!r}"
                for file, strength in value
            ]
        elif value is not None and value != field.default:
            lines.append(f"{field.name} = {json.dumps(value)}")  # which TOML reads alike
    path = folder / MANIFEST_NAME
    path.write_text("\n".join([*lines, *tables]) + "\n", encoding="utf-8")


def _text(raw: Mapping[str, Any], name: str) -> str | None:
    return str(raw[name]) if name in raw else None


def _number(raw: Mapping[str, Any], name: str) -> int | None:
    return int(raw[name]) if name in raw else None


def check_sigmas(stages: Sequence[Sequence[float]], where: str) -> None:
    """Refuse schedules that are no walk from noise to picture.

    Raises:
        InputError: A stage does not fall strictly from at most 1 to 0.
    """
    for stage in stages:
        falls = all(high > low for high, low in pairwise(stage))
        if len(stage) < 2 or not falls or not stage[0] <= 1 or stage[-1] != 0:
            raise InputError(
                f"{where}: sigmas {list(stage)} must fall strictly, from at most 1 to 0"
            )
