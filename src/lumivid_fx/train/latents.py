"""Training pairs after the VAE, made once and kept in shards on disk.

The folder's name is a hash of all that the latents depend on: the files of the sources, the VAE and
the settings, so that a change makes new ones and nothing stale is ever read. A shard is whole or
absent; a run that was killed goes on with the first one missing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lumivid_fx.errors import InputError, LimitError
from lumivid_fx.media.whole_file import remove_leftovers, whole_file
from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.pipeline.reference import to_vae_range
from lumivid_fx.pipeline.render_window import pack
from lumivid_fx.pipeline.vae import encode
from lumivid_fx.train.examples import Example, Examples
from lumivid_fx.train.recipe import ClipPart, Recipe
from lumivid_fx.train.sources import Sources

PAIRS_A_SHARD = 8

FORMAT = "1"
"""Raised when the same settings come to mean other latents."""

_WORKERS = min(4, os.cpu_count() or 1)
"""Threads that make pairs: the codecs and the camera leave Python's lock alone."""

Progress = Callable[[int, int], None]
"""Told pairs done and pairs in all."""


@dataclass(frozen=True)
class Geometry:
    """What a VAE makes of a clip.

    Attributes:
        channels: Of a latent.
        spatial: Pixels a latent covers along an edge.
        temporal: Frames a latent covers, but for the first one, which covers one.
    """

    channels: int
    spatial: int
    temporal: int

    @classmethod
    def of(cls, model: HdrModel) -> Geometry:
        """That of a loaded model."""
        channels = int(model.vae.config.latent_channels)
        return cls(channels, model.spatial_ratio, model.temporal_ratio)

    def grid(self, frames: int, clips: ClipPart) -> tuple[int, int, int]:
        """Latents of a clip: frames, height, width."""
        down = self.spatial
        return 1 + (frames - 1) // self.temporal, clips.height // down, clips.width // down

    def tokens(self, frames: int, clips: ClipPart) -> int:
        """Tokens of a clip's target."""
        depth, height, width = self.grid(frames, clips)
        return depth * height * width

    def check(self, clips: ClipPart) -> None:
        """Refuse clips that do not fill whole latents.

        Raises:
            InputError: The size is no multiple of what a latent covers.
        """
        for name, size in (("width", clips.width), ("height", clips.height)):
            if size % self.spatial:
                near = max(self.spatial, round(size / self.spatial) * self.spatial)
                raise InputError(
                    f"clips.{name} is {size}, and this model needs a multiple of {self.spatial}; "
                    f"write {near}"
                )


def size_bytes(recipe: Recipe, geometry: Geometry) -> int:
    """Bytes that all latents of a recipe take on disk."""
    lengths = recipe.clips.frames
    total = 0
    for number in range(recipe.clips.count):
        tokens = geometry.tokens(lengths[number % len(lengths)], recipe.clips)
        total += tokens * (2 * geometry.channels + 1) * 2
    return total


class LatentCache:
    """Latents on disk, read a few pairs at a time.

    Args:
        shards: Files by number of pixel frames, in order.
    """

    def __init__(self, shards: dict[int, list[Path]]) -> None:
        self.lengths = sorted(shards)
        self._open: dict[int, list[Any]] = {}
        self._where: dict[int, list[tuple[int, int]]] = {}
        for frames, paths in shards.items():
            self._open[frames] = [safe_open(path, "pt") for path in paths]
            self._where[frames] = [
                (shard, row)
                for shard, file in enumerate(self._open[frames])
                for row in range(file.get_slice("target").get_shape()[0])
            ]

    def count(self, frames: int) -> int:
        """How many pairs of so many frames there are."""
        return len(self._where[frames])

    def batch(self, frames: int, picks: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Read pairs.

        Returns:
            Target and reference tokens ``b n c``, and the clipped share of each token ``b n 1``,
            all float32.
        """
        rows = []
        for pick in picks:
            shard, row = self._where[frames][pick]
            file = self._open[frames][shard]
            rows.append([file.get_slice(name)[row] for name in ("target", "reference", "clipped")])
        target, reference, clipped = (torch.stack(x).float() for x in zip(*rows, strict=True))
        return target, reference, clipped


def latent_folder(root: Path, recipe: Recipe, sources: Sources, model: HdrModel) -> Path:
    """Where the latents of a recipe are kept: a name that changes with all they depend on."""
    told = hashlib.sha256(FORMAT.encode())
    told.update(recipe.text("sources", "clips", "reference", "target").encode())
    told.update(sources.digest().encode())
    for name, tensor in sorted(model.vae.state_dict().items()):
        told.update(name.encode())
        told.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy())
    return root / f"latents-{told.hexdigest()[:16]}"


def make_latents(
    recipe: Recipe, pairs: Examples, model: HdrModel, folder: Path, progress: Progress
) -> LatentCache:
    """Make the shards that are not there, and open all.

    Args:
        recipe: What to make.
        pairs: Its pairs.
        model: Whose VAE encodes.
        folder: From :func:`latent_folder`.
        progress: Told after every pair.

    Raises:
        LimitError: The disk has no room for them.
    """
    wanted = _plan(recipe, pairs)
    shards = {
        frames: [folder / f"{frames:04d}-{i:05d}.safetensors" for i in range(len(groups))]
        for frames, groups in wanted.items()
    }
    paths = [path for of_length in shards.values() for path in of_length]
    remove_leftovers(paths)
    missing = {
        path: numbers
        for frames, groups in wanted.items()
        for path, numbers in zip(shards[frames], groups, strict=True)
        if not _whole(path)
    }
    if missing:
        _require_room(folder, size_bytes(recipe, Geometry.of(model)) * len(missing) // len(paths))
    done = recipe.clips.count - sum(len(numbers) for numbers in missing.values())
    progress(done, recipe.clips.count)
    made = _ahead(pairs, [number for numbers in missing.values() for number in numbers])
    for path, numbers in missing.items():
        rows = []
        for _ in numbers:
            rows.append(encode_pair(model, next(made)))
            done += 1
            progress(done, recipe.clips.count)
        columns = zip(("target", "reference", "clipped"), zip(*rows, strict=True), strict=True)
        tensors = {name: torch.stack(list(column)).half() for name, column in columns}
        with whole_file(path, str(path)) as beside:
            save_file(tensors, beside)
    return LatentCache(shards)


@torch.inference_mode()
def encode_pair(model: HdrModel, pair: Example) -> tuple[Tensor, Tensor, Tensor]:
    """Encode a pair: target and reference tokens ``n c``, clipped share of each token ``n 1``."""

    def tokens(codes: Tensor) -> Tensor:
        return pack(encode(model, to_vae_range(codes.to(model.device))))[0].cpu()

    covered = F.avg_pool2d(pair.clipped, model.spatial_ratio).flatten(1)
    later = (len(covered) - 1) // model.temporal_ratio
    groups = covered.split([1] + [model.temporal_ratio] * later)
    share = torch.cat([group.mean(dim=0) for group in groups])[:, None]
    return tokens(pair.target), tokens(pair.reference), share


def _plan(recipe: Recipe, pairs: Examples) -> dict[int, list[list[int]]]:
    """Numbers of the pairs of each shard, by frames."""
    of_length: dict[int, list[int]] = {}
    for number in range(recipe.clips.count):
        of_length.setdefault(pairs.frames_of(number), []).append(number)
    return {
        frames: [numbers[i : i + PAIRS_A_SHARD] for i in range(0, len(numbers), PAIRS_A_SHARD)]
        for frames, numbers in of_length.items()
    }


def _ahead(pairs: Examples, numbers: Sequence[int]) -> Iterator[Example]:
    """Examples in order, a few of them made ahead on threads."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        waiting: list[Future[Example]] = []
        try:
            for number in numbers:
                waiting.append(pool.submit(pairs.example, number))
                if len(waiting) > _WORKERS:
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        finally:
            for future in waiting:
                future.cancel()


def _whole(path: Path) -> bool:
    try:
        with safe_open(path, "pt") as file:
            return "clipped" in file.keys()  # noqa: SIM118 - the file is no mapping
    except (SafetensorError, OSError):
        return False


def _require_room(folder: Path, needed: int) -> None:
    beside = next(parent for parent in folder.absolute().parents if parent.is_dir())
    free = shutil.disk_usage(beside).free
    if free < needed:
        raise LimitError(
            f"the latents take {needed / 1e9:.1f} GB and {beside} has {free / 1e9:.1f} GB left; "
            "free space there or choose another --latents"
        )
