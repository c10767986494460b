"""A part of a model wherever it lies: a transformer, VAE or upsampler, under diffusers' names.

A part is a config and a list of where each tensor is. Nothing is read until it is built, and what
serves the audio alone never is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from lumivid_fx.errors import InputError
from lumivid_fx.model import official
from lumivid_fx.model.tensor_file import DTYPES, TensorEntry, TensorFile, look
from lumivid_fx.model.video_only import is_audio

_UNBUILDABLE = (
    *(OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError),
    *(ArithmeticError, AssertionError, NotImplementedError),
)
"""What diffusers raises for a config that is not that of the class asked for."""

Change = Callable[[str, Tensor], Tensor]
"""What is done to each tensor on its way into a module, by its name."""


@dataclass(frozen=True)
class Part:
    """Where a part's tensors are.

    Attributes:
        where: File or folder, for messages.
        settings: Where its config stands, for messages.
        config: In diffusers' terms.
        files: All that it lies in.
        places: By diffusers' name: the file, and the tensor's own name in it.
        scales: The same for the scales of fp8 weights.
    """

    where: Path
    settings: str
    config: dict[str, Any]
    files: tuple[TensorFile, ...]
    places: Mapping[str, tuple[TensorFile, str]]
    scales: Mapping[str, tuple[TensorFile, str]]

    def entry(self, name: str) -> TensorEntry:
        """Type and shape of a tensor; fp8 weights count as bfloat16, which they become."""
        file, stored = self.places[name]
        entry = file.tensors[stored]
        return TensorEntry("BF16", entry.shape) if entry.dtype.startswith("F8_") else entry

    @property
    def order(self) -> list[str]:
        """Names in the order in which :meth:`stream` gives them."""
        return [name for file in self.files for name, (at, _) in self.places.items() if at is file]

    def stream(self, change: Change = lambda _, tensor: tensor) -> Iterator[tuple[str, Tensor]]:
        """All tensors one by one, memory-mapped where nothing is done to them.

        Raises:
            InputError: A file is damaged, or was changed meanwhile.
        """
        for file in self.files:
            names = {stored: name for name, (at, stored) in self.places.items() if at is file}
            scales = {stored: name for name, (at, stored) in self.scales.items() if at is file}
            try:
                factors = {scales[stored]: factor for stored, factor in file.read(scales)}
                for stored, tensor in file.read(names):
                    name = names[stored]
                    yield name, change(name, _plain(tensor, factors.get(name)))
            except (SafetensorError, OSError) as error:
                raise damaged(file.path, error) from error


def diffusers_part(folder: Path) -> Part:
    """A folder with ``config.json`` and safetensors shards.

    Raises:
        InputError: Something is missing or damaged.
    """
    config = read_json(folder / "config.json")
    paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        raise InputError(f"{folder} holds no safetensors weights; download the model again")
    files = tuple(look_at(path) for path in paths)
    places = {name: (file, name) for file in files for name in file.tensors if not is_audio(name)}
    settings = str(folder / "config.json")
    return _with_known_types(Part(folder, settings, config, files, places, {}))


def official_transformer(file: TensorFile, ratios: tuple[int, int]) -> Part:
    """The transformer of a single-file checkpoint, or of a file of its own.

    Args:
        file: Where.
        ratios: Frames and pixels that a latent of the VAE covers.

    Raises:
        InputError: The file is of another kind, or was saved without its config.
    """
    prefix = transformer_prefix(file)
    if prefix is None:
        raise InputError(f"{file.path} holds no LTX-2 transformer; give the checkpoint's file")
    inside = _inside(file, prefix)
    if any(name.endswith(".weight_scale_2") for name in inside):
        raise InputError(
            f"{file.path} is quantised to nvfp4, which is not read here; give the bf16 or fp8 file"
        )
    said = _config(file, "transformer")
    places, scales = {}, {}
    for name, stored in inside.items():
        new = official.transformer_name(name)
        if new is not None:
            places[new] = (file, stored)
    for name, stored in inside.items():
        if end := next((end for end in official.SCALES if name.endswith(end)), None):
            weight = official.transformer_name(f"{name.removesuffix(end)}.weight")
            if weight in places:
                scales[weight] = (file, stored)
    config = official.transformer_config(said, ratios)
    part = Part(file.path, f"the metadata of {file.path}", config, (file,), places, scales)
    return _with_known_types(part)


def official_vae(file: TensorFile) -> Part:
    """The video VAE of a single-file checkpoint, or of a file of its own.

    Raises:
        InputError: The file is of another kind, or was saved without its config.
    """
    prefix = vae_prefix(file)
    if prefix is None:
        raise InputError(f"{file.path} holds no video VAE; give the checkpoint's file")
    said = _config(file, "vae")
    blocks = len(said.get("encoder_blocks", ()))
    places = {
        new: (file, stored)
        for name, stored in _inside(file, prefix).items()
        if (new := official.vae_name(name, blocks)) is not None
    }
    settings = f"the metadata of {file.path}"
    try:
        config = official.vae_config(said)
    except official.UnknownLayoutError as error:
        raise InputError(f"{file.path} {error}") from error
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise InputError(f"{settings} is not that of an LTX-2 VAE; download it again") from error
    return _with_known_types(Part(file.path, settings, config, (file,), places, {}))


def official_upsampler(file: TensorFile) -> Part:
    """A latent upsampler's own file.

    Raises:
        InputError: It does something else than double height and width.
    """
    try:
        config = official.upsampler_config(file.tensors)
    except official.UnknownLayoutError as error:
        raise InputError(f"{file.path} {error}") from error
    except (KeyError, IndexError, ZeroDivisionError) as error:
        raise InputError(f"{file.path} is no latent upsampler; download it again") from error
    places = {name: (file, name) for name in file.tensors}
    return _with_known_types(Part(file.path, str(file.path), config, (file,), places, {}))


def transformer_prefix(file: TensorFile) -> str | None:
    """Where in a file the transformer lies, or None."""
    mark = "patchify_proj.weight"
    return official.common_prefix(file.tensors, official.TRANSFORMER_PREFIXES, mark)


def vae_prefix(file: TensorFile) -> str | None:
    """Where in a file the video VAE lies, or None; the audio VAE's has other words before it."""
    mark = "encoder.conv_in.conv.weight"
    return official.common_prefix(file.tensors, official.VAE_PREFIXES, mark)


def build(
    make: Callable[[dict[str, Any]], Any], part: Part, tensors: Mapping[str, Tensor] | None = None
) -> Any:
    """Build a module from a part's config, and fill it; no tensor is left to chance.

    Args:
        make: From a config to a module.
        part: The part.
        tensors: Its tensors, where something was done to them; None reads them as they are.

    Raises:
        InputError: The config is that of something else, or the tensors do not match it.
    """
    module = build_empty(make, part)
    state = dict(part.stream()) if tensors is None else tensors
    try:
        module.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        raise _mismatch(part, " ".join(str(error).splitlines()[1:2]).strip()) from error
    return module


def build_empty(make: Callable[[dict[str, Any]], Any], part: Part) -> Any:
    """A module without weights, once names and shapes are known to match the part's.

    Raises:
        InputError: As :func:`build`; nothing has been read but headers by then.
    """
    try:
        with torch.device("meta"):
            module = make(part.config)
    except _UNBUILDABLE as error:
        said = next(iter(str(error).splitlines()), type(error).__name__)[:120].rstrip(".")
        raise InputError(
            f"{part.settings} is not that of an LTX-2 model ({said}); download it again"
        ) from error
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    held = {name: part.entry(name).shape for name in part.places}
    for name in sorted({*wanted, *held}):
        if wanted.get(name) != held.get(name):
            raise _mismatch(
                part, f"{name} is {held.get(name, 'missing')}, not {wanted.get(name, 'there')}"
            )
    return module


def look_at(path: Path) -> TensorFile:
    """A file's header.

    Raises:
        InputError: It is damaged; the sentence names it.
    """
    try:
        return look(path)
    except (SafetensorError, OSError) as error:
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> InputError:
    """What is said of a file that cannot be read."""
    if isinstance(error, PermissionError):
        return InputError(
            f"{path} may not be read here; check its permissions, and start a worker again that "
            "was there before the model was added"
        )
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return InputError(f"{path} is damaged ({said}); download it again")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that holds a table.

    Raises:
        InputError: It is missing or damaged.
    """
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing; download the model again") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error}); download it again") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the path") from error
    if not isinstance(read, dict):
        raise InputError(f"{path} holds no table of settings; download it again")
    return read


def _plain(tensor: Tensor, scale: Tensor | None) -> Tensor:
    """An fp8 weight as bfloat16, its scale multiplied in; any other as it is."""
    if tensor.dtype not in (torch.float8_e4m3fn, torch.float8_e5m2):
        return tensor
    if scale is None:
        return tensor.bfloat16()
    by_row = scale.float().reshape(-1, *[1] * (tensor.ndim - 1)) if scale.numel() > 1 else scale
    return (tensor.float() * by_row.float()).bfloat16()


def _inside(file: TensorFile, prefix: str) -> dict[str, str]:
    """Names without the prefix, and as they are stored."""
    return {name[len(prefix) :]: name for name in file.tensors if name.startswith(prefix)}


def _config(file: TensorFile, part: str) -> dict[str, Any]:
    try:
        return official.read_config(file.metadata, part)
    except official.UnknownLayoutError as error:
        raise InputError(f"{file.path} {error}") from error


def _with_known_types(part: Part) -> Part:
    for file, stored in part.places.values():
        if file.tensors[stored].dtype not in DTYPES:
            raise InputError(
                f"{file.path} holds {stored} as {file.tensors[stored].dtype}, which is not read "
                "here; give the bf16 or fp8 file"
            )
    return part


def _mismatch(part: Part, said: str) -> InputError:
    kept = "config.json" if part.settings.endswith("config.json") else part.settings
    return InputError(
        f"{part.where}: weights do not match {kept} ({said[:120]}); download the model again"
    )
