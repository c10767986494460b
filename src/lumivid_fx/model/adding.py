"""A model into the library: files looked at, told apart by what they hold, checked and made ready.

What a file is, its tensors' names say; its own name may be anything. Nothing is copied but the
transformer's weights as they will run, and an entry appears in the library whole or not at all.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import torch

from lumivid_fx.errors import DiskFullError, InputError
from lumivid_fx.model.digests import file_digest
from lumivid_fx.model.library import check_name, library_folder
from lumivid_fx.model.lora import read_lora
from lumivid_fx.model.manifest import MANIFEST_NAME, Manifest, read_manifest, write_manifest
from lumivid_fx.model.parts import look_at, read_json, transformer_prefix, vae_prefix
from lumivid_fx.model.published import (
    DISTILLED,
    HDR_LORA,
    LTX_OVERLAP,
    LTX_WINDOW,
    SCENE_EMBEDDING,
    require_published,
)
from lumivid_fx.model.ready import ready_file, write_ready
from lumivid_fx.model.schedules import SCHEDULES
from lumivid_fx.model.sources import Sources, open_sources

FILES_NAME = "files.json"
"""Beside the manifest: path, size and SHA-256 of every file, for `verify`."""

VAE_TILE, VAE_FRAMES = 24, 12
"""Edge and length of its VAE's tiles, in latents: 768 pixels and 89 frames."""

Progress = Callable[[str, int, int], None]
"""Told what is being done, and bytes done of all; raise to stop, and nothing is left."""


@dataclass(frozen=True)
class Given:
    """A path that a user gave, and the strength behind it if it is a LoRA."""

    path: Path
    strength: float = 1.0


def add_model(
    name: str,
    given: Sequence[Given],
    *,
    lora_fusing: str = "float32",
    replace: bool = False,
    on_progress: Progress = lambda *_: None,
) -> Path:
    """Put a model into the library.

    Args:
        name: What it is called from now on.
        given: Its files and folders, in any order: a folder as diffusers writes it, a single-file
            checkpoint or separate files as Lightricks publishes them, a latent upsampler, LoRAs,
            the scene embedding; or one folder that has a manifest already.
        lora_fusing: ``float32``, or ``bfloat16`` as the reference code rounds.
        replace: Take the place of a model of that name.
        on_progress: Progress and cancel.

    Returns:
        The entry's folder.

    Raises:
        InputError: A file is missing, damaged, not known, or does not fit the others.
        DiskFullError: There is no room for the weights as they run.
    """
    folder = library_folder() / check_name(name)
    if folder.exists() and not replace:
        raise InputError(
            f"there is a model {name!r} already; choose another name, or give --replace"
        )
    manifest = _manifest(name, given, lora_fusing)
    beside = folder.with_name(f".{uuid4().hex}.part")
    beside.mkdir(parents=True)
    try:
        write_manifest(beside, manifest)
        sources = open_sources(beside, read_manifest(beside))
        files = _hash(sources, on_progress)
        ready = _make_ready(sources, on_progress)
        if ready is not None:
            files.append(ready)
        rows = [[str(path), path.stat().st_size, file_digest(path)] for path in files]
        (beside / FILES_NAME).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        beside.rename(folder)
    except OSError as error:
        raise DiskFullError(
            f"{folder} cannot be written ({error.strerror}); free space on that disk, or name "
            "another folder in LUMIVID_MODELS"
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def verify_model(folder: Path, on_progress: Progress = lambda *_: None) -> list[str]:
    """Hash a model's files again, and say of each that is not what it was what is wrong.

    Raises:
        InputError: The folder is no entry of the library.
    """
    try:
        rows = json.loads((folder / FILES_NAME).read_text(encoding="utf-8"))
        told = [(Path(path), int(size), str(digest)) for path, size, digest in rows]
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"{folder} has no list of its files; add the model again with --replace"
        ) from error
    total, done, flaws = sum(size for _, size, _ in told), 0, []
    for path, size, digest in told:
        if not path.is_file():
            flaws.append(f"{path} is missing; put it back, or add the model again with --replace")
            continue
        if path.stat().st_size != size:
            flaws.append(f"{path} has {path.stat().st_size:,} bytes, not {size:,}; it was changed")
            continue

        def count(more: int, path: Path = path) -> None:
            nonlocal done
            done += more
            on_progress(f"verifying {path.name}", done, total)

        if file_digest(path, count, anew=True) != digest:
            flaws.append(f"{path} is not what it was, by its SHA-256; download it again")
    return flaws


def identify(path: Path) -> set[str]:
    """What a file holds: transformer, vae, upsampler, lora, embedding.

    Raises:
        InputError: It holds none of them, or is no safetensors file.
    """
    if path.suffix != ".safetensors":
        raise InputError(
            f"{path} is no safetensors file, and nothing else is opened; give the file that was "
            "published"
        )
    if not path.exists():
        raise InputError(f"{path} does not exist; check the path")
    file = look_at(path)
    names = file.tensors.keys()
    if any(name.endswith(".lora_A.weight") for name in names):
        return {"lora"}
    if "video_context" in names:
        return {"embedding"}
    if {"initial_conv.weight", "final_conv.weight"} <= names:
        return {"upsampler"}
    holds = {"transformer"} if transformer_prefix(file) is not None else set()
    holds |= {"vae"} if vae_prefix(file) is not None else set()
    if not holds:
        first = next(iter(names), "nothing")
        raise InputError(
            f"{path} holds no part of an HDR model (its first tensor is {first[:80]!r}); leave it "
            "out: no text encoder and no audio file is needed"
        )
    return holds


def _manifest(name: str, given: Sequence[Given], lora_fusing: str) -> Manifest:
    if len(given) == 1 and (given[0].path / MANIFEST_NAME).is_file():
        return _moved(name, given[0].path.absolute(), lora_fusing)
    found = _sort_out(given)
    loras = [(path, read_lora(path).transfer, strength) for path, strength in found["lora"]]
    hdr = [(path, strength) for path, transfer, strength in loras if transfer is not None]
    if len(hdr) > 1:
        raise InputError(f"{hdr[0][0]} and {hdr[1][0]} both make HDR; leave one of them out")
    parts = {kind: _only(found[kind], kind) for kind in ("transformer", "vae", "upsampler")}
    if parts["transformer"] is None or parts["vae"] is None:
        missing = "transformer" if parts["transformer"] is None else "video VAE"
        raise InputError(f"there is no {missing} among these files; add {DISTILLED}, or its parts")
    embedding = _only(found["embedding"], "scene embedding")
    if embedding is None:
        raise InputError(
            f"there is no scene embedding among these files; add {SCENE_EMBEDDING} (a prompt of "
            "one's own would take the Gemma text encoder, which is not read here)"
        )
    if not hdr:
        raise InputError(f"there is no HDR LoRA among these files; add {HDR_LORA}")
    schedule = SCHEDULES["8+2"]
    return Manifest(
        name=name,
        transfer=None,
        sigmas=schedule if parts["upsampler"] else schedule[:1],
        native_size=None,
        window_frames=LTX_WINDOW,
        overlap_frames=LTX_OVERLAP,
        grain_px=1,
        prompt_embedding=str(embedding),
        lora=str(hdr[0][0]),
        lora_strength=hdr[0][1],
        more_loras=tuple(
            (str(path), strength) for path, transfer, strength in loras if transfer is None
        ),
        lora_fusing=lora_fusing,
        transformer=str(parts["transformer"]),
        vae=str(parts["vae"]),
        upsampler=None if parts["upsampler"] is None else str(parts["upsampler"]),
        vae_tile=VAE_TILE,
        vae_frames=VAE_FRAMES,
    )


def _moved(name: str, folder: Path, lora_fusing: str) -> Manifest:
    """A folder's own manifest under another name, its files by absolute paths."""
    said = read_manifest(folder)
    upsampler = said.upsampler or ("upsampler" if (folder / "upsampler").is_dir() else None)
    return dataclasses.replace(
        said,
        name=name,
        lora_fusing=lora_fusing if lora_fusing != "float32" else said.lora_fusing,
        prompt_embedding=str(folder / said.prompt_embedding),
        lora=None if said.lora is None else str(folder / said.lora),
        more_loras=tuple((str(folder / file), each) for file, each in said.more_loras),
        transformer=str(folder / said.transformer),
        vae=str(folder / said.vae),
        upsampler=None if upsampler is None else str(folder / upsampler),
    )


def _sort_out(given: Iterable[Given]) -> dict[str, list[tuple[Path, float]]]:
    """Which file or folder is which part."""
    found: dict[str, list[tuple[Path, float]]] = defaultdict(list)
    for each in given:
        path = each.path.absolute()
        if path.is_dir():
            _sort_out_folder(path, each.strength, found)
            continue
        kinds = identify(path)
        if each.strength != 1 and kinds != {"lora"}:
            raise InputError(f"{path} is no LoRA, and has no strength; leave the number out")
        for kind in kinds:
            found[kind].append((path, each.strength))
    return found


def _sort_out_folder(
    folder: Path, strength: float, found: dict[str, list[tuple[Path, float]]]
) -> None:
    """A pipeline's folder as diffusers writes it, or one with such files in it."""
    parts = {"transformer": "transformer", "vae": "vae", "upsampler": "upsampler"}
    parts |= {"upsampler": "latent_upsampler"} if (folder / "latent_upsampler").is_dir() else {}
    there = {kind: folder / name for kind, name in parts.items() if (folder / name).is_dir()}
    if (folder / "config.json").is_file():
        said = read_json(folder / "config.json")
        kind = _CLASSES.get(str(said.get("_class_name")))
        there = {kind: folder} if kind else there
    for kind, path in there.items():
        found[kind].append((path, 1.0))
    if not there:
        files = sorted(folder.glob("*.safetensors"))
        if not files:
            raise InputError(f"{folder} holds no part of a model; give its files")
        for kind, more in _sort_out(Given(file, strength) for file in files).items():
            found[kind] += more


_CLASSES = {
    "LTX2VideoTransformer3DModel": "transformer",
    "AutoencoderKLLTX2Video": "vae",
    "LTX2LatentUpsamplerModel": "upsampler",
}


def _only(found: Sequence[tuple[Path, float]], what: str) -> Path | None:
    if len(found) > 1:
        raise InputError(
            f"{found[0][0]} and {found[1][0]} both hold a {what}; leave one of them out"
        )
    return found[0][0] if found else None


def _hash(sources: Sources, on_progress: Progress) -> list[Path]:
    """Hash every file of a model; those with a published name must be what was published."""
    paths = [file.path for file in sources.files]
    total, done = sum(path.stat().st_size for path in paths), 0
    for path in paths:
        require_published(path)
        reached = done

        def count(more: int, path: Path = path) -> None:
            nonlocal reached
            reached += more
            on_progress(f"hashing {path.name}", reached, total)

        require_published(path, file_digest(path, count))
        done += path.stat().st_size
    return paths


def _make_ready(sources: Sources, on_progress: Progress) -> Path | None:
    """Write the transformer's weights as they will run, unless they are there."""
    part = sources.transformer
    types = {part.entry(name).dtype for name in part.places if len(part.entry(name).shape) > 1}
    dtype = torch.float32 if types == {"F32"} else torch.bfloat16
    key = sources.ready_key(dtype)
    path = ready_file(key)
    if path.exists():
        return path
    size = sum(part.entry(n).nbytes for n in part.places)
    with suppress(FileNotFoundError):
        free = shutil.disk_usage(library_folder()).free
        if free < size:
            raise DiskFullError(
                f"{library_folder()} has {free / 1e9:.1f} GB free, and the weights as they run "
                f"take {size / 1e9:.1f} GB; free space, or name another folder in LUMIVID_MODELS"
            )

    def told(done: int, total: int) -> None:
        on_progress("making weights ready", done, total)

    return write_ready(key, part, sources.changes(dtype), dtype, told)
