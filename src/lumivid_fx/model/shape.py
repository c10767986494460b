"""What a model takes, by its configs alone: bytes of its weights, and the cost of each pass.

Modules are built on the meta device, the transformer with two of its blocks: all blocks are alike.
No weight is read, so that a model that is not here can be planned for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from diffusers import AutoencoderKLLTX2Video, LTX2VideoTransformer3DModel
from diffusers.pipelines.ltx2.latent_upsampler import LTX2LatentUpsamplerModel
from torch import Tensor

from lumivid_fx.model.dry_run import Cost, dry_run
from lumivid_fx.model.manifest import Manifest
from lumivid_fx.model.published import (
    LTX_2_3,
    LTX_2_3_VAE,
    LTX_CONTEXT_TOKENS,
    LTX_OVERLAP,
    LTX_WINDOW,
)
from lumivid_fx.model.residency import is_large_matrix
from lumivid_fx.model.schedules import SCHEDULES
from lumivid_fx.model.sources import context_width, embedding_entry, open_sources
from lumivid_fx.model.video_only import build_video_transformer, predict_velocity

if TYPE_CHECKING:
    from lumivid_fx.model.checkpoint import HdrModel

PUBLISHED_LAYERS = 48
"""Of LTX-2; a config leaves out what is diffusers' default."""

LENGTHS = (4096, 8192, 16384)
"""Latents of the dry runs from which those of any other number follow: tensors grow with it, and
arithmetic with it and with its square, for attention."""

EDGE = 16
"""Latents along an edge in dry runs of VAE and upsampler, whose costs grow with the area."""


@dataclass(frozen=True)
class ModelShape:
    """A model without its weights.

    Attributes:
        manifest: What it says of itself.
        transformer: Config in diffusers' terms.
        vae: Likewise.
        upsampler: Likewise, or None.
        context: Tokens and width of its prompt embedding.
        dtype: Of transformer and upsampler when they run.
    """

    manifest: Manifest
    transformer: Mapping[str, Any]
    vae: Mapping[str, Any]
    upsampler: Mapping[str, Any] | None
    context: tuple[int, int]
    dtype: torch.dtype = torch.bfloat16

    @property
    def layers(self) -> int:
        """Blocks of the transformer."""
        return int(self.transformer.get("num_layers", PUBLISHED_LAYERS))

    @property
    def stages(self) -> int:
        """How many stages it renders in."""
        return 1 if self.upsampler is None else 2

    @property
    def spatial_ratio(self) -> int:
        """Pixels a latent covers along an edge."""
        return int(self._vae.spatial_compression_ratio)

    @property
    def temporal_ratio(self) -> int:
        """Frames a latent covers, but for the first one, which covers one."""
        return int(self._vae.temporal_compression_ratio)

    @property
    def channels(self) -> int:
        """Of a latent."""
        return int(self._vae.config.latent_channels)

    @cached_property
    def block_bytes(self) -> int:
        """Weights of one block."""
        return _bytes(self._transformer.transformer_blocks[0].parameters())

    @cached_property
    def ends_bytes(self) -> int:
        """Weights of the transformer around its blocks, and the prompt embedding."""
        blocks = _bytes(self._transformer.transformer_blocks.parameters())
        context = self.context[0] * self.context[1] * self.dtype.itemsize
        return _bytes(self._transformer.parameters()) - blocks + context

    @cached_property
    def matrix_share(self) -> float:
        """Share of a block's bytes that are in its large matrices."""
        block = self._transformer.transformer_blocks[0]
        large = (p for name, p in block.named_parameters() if is_large_matrix(name))
        return _bytes(large) / self.block_bytes

    @cached_property
    def vae_bytes(self) -> int:
        """Weights of the VAE, float32."""
        return _bytes(self._vae.parameters())

    @cached_property
    def upsampler_bytes(self) -> int:
        """Weights of the latent upsampler; 0 where there is none."""
        return 0 if self._upsampler is None else _bytes(self._upsampler.parameters())

    def velocity(self, frames: int, height: int, width: int, outputs: int = 1) -> Cost:
        """One pass of the transformer over latents of this size and a reference as large.

        Args:
            frames: Latents in time.
            height: Rows of latents.
            width: Columns of latents.
            outputs: 2 where the reference's velocity is wanted too.
        """
        count = frames * height * width
        known = [self._velocity(n, outputs) for n in LENGTHS]
        peak = _through(
            [(n, cost.peak) for n, cost in zip(LENGTHS[:2], known, strict=False)], count
        )
        flops = _through([(n, cost.flops) for n, cost in zip(LENGTHS, known, strict=True)], count)
        return Cost(peak, flops)

    def encode(self, frames: int, height: int, width: int) -> Cost:
        """The VAE's encoder, pixels to latents of this size, without tiles."""
        return self._by_area(self._encode, frames, height * width)

    def decode(self, frames: int, height: int, width: int) -> Cost:
        """The VAE's decoder, latents of this size to pixels, without tiles."""
        return self._by_area(self._decode, frames, height * width)

    def upsample(self, frames: int, height: int, width: int) -> Cost:
        """The latent upsampler on latents of this size, before they are doubled."""
        return self._by_area(self._upsample, frames, height * width)

    def _by_area(self, run: Callable[[int], Cost], frames: int, area: int) -> Cost:
        """A pass of convolutions: linear in the area, and in the time of each of its samples."""
        known = [(n, self._known(run, n)) for n in (4, 8)]
        peak, flops = (
            _through([(n, getattr(cost, name)) for n, cost in known], frames) * area // EDGE**2
            for name in ("peak", "flops")
        )
        return Cost(peak, flops)

    @cached_property
    def _costs(self) -> dict[tuple[str, tuple[int, ...]], Cost]:
        return {}

    def _known(self, run: Callable[..., Cost], *size: int) -> Cost:
        """A dry run of a size, made once."""
        what = (run.__name__, size)
        if what not in self._costs:
            self._costs[what] = run(*size)
        return self._costs[what]

    def _velocity(self, count: int, outputs: int) -> Cost:
        if self.layers == 1:
            return self._known(self._one_block, count, outputs)
        one, two = (self._known(run, count, outputs) for run in (self._one_block, self._two_blocks))
        return Cost(two.peak, one.flops + (self.layers - 1) * (two.flops - one.flops))

    def _one_block(self, count: int, outputs: int) -> Cost:
        return self._pass(self._shallow, count, outputs)

    def _two_blocks(self, count: int, outputs: int) -> Cost:
        return self._pass(self._transformer, count, outputs)

    def _pass(self, transformer: LTX2VideoTransformer3DModel, count: int, outputs: int) -> Cost:
        channels = int(transformer.config.in_channels)

        def run() -> object:
            with torch.device("meta"):
                groups = [torch.empty(1, count, channels, dtype=self.dtype) for _ in range(2)]
                levels = [torch.empty(1) for _ in groups]
                context = torch.empty(1, *self.context, dtype=self.dtype)
                at = transformer.rope.prepare_video_coords(1, 1, 1, count, "meta", fps=24)
            return predict_velocity(
                transformer, groups, levels, at.repeat(1, 1, 2, 1), context, outputs
            )

        return dry_run(run)

    def _encode(self, frames: int) -> Cost:
        edge, length = EDGE * self.spatial_ratio, (frames - 1) * self.temporal_ratio + 1

        def run() -> object:
            pixels = torch.empty(1, 3, length, edge, edge, device="meta")
            return self._vae.encode(pixels).latent_dist.mode()

        return dry_run(run)

    def _decode(self, frames: int) -> Cost:
        shape = (1, self.channels, frames, EDGE, EDGE)
        return dry_run(lambda: self._vae.decode(torch.empty(shape, device="meta")).sample)

    def _upsample(self, frames: int) -> Cost:
        if self._upsampler is None:
            return Cost(0, 0)
        shape, upsampler = (1, self.channels, frames, EDGE, EDGE), self._upsampler
        return dry_run(lambda: upsampler(torch.empty(shape, dtype=self.dtype, device="meta")))

    @cached_property
    def _transformer(self) -> LTX2VideoTransformer3DModel:
        """Its first two blocks at the most, and all that is around the blocks."""
        return self._cut(min(2, self.layers))

    @cached_property
    def _shallow(self) -> LTX2VideoTransformer3DModel:
        return self._cut(1)

    def _cut(self, layers: int) -> LTX2VideoTransformer3DModel:
        transformer = build_video_transformer({**self.transformer, "num_layers": layers})
        return _typed(transformer, self.dtype)

    @cached_property
    def _vae(self) -> AutoencoderKLLTX2Video:
        with torch.device("meta"):
            return _typed(AutoencoderKLLTX2Video.from_config(dict(self.vae)), torch.float32)

    @cached_property
    def _upsampler(self) -> LTX2LatentUpsamplerModel | None:
        if self.upsampler is None:
            return None
        with torch.device("meta"):
            return _typed(LTX2LatentUpsamplerModel.from_config(dict(self.upsampler)), self.dtype)


def shape_of(model: HdrModel) -> ModelShape:
    """The shape of a model that is loaded; of the same model it is the same, with what it knows."""
    shape = ModelShape(
        model.manifest,
        dict(model.transformer.config),
        dict(model.vae.config),
        None if model.upsampler is None else dict(model.upsampler.config),
        (model.context.shape[-2], model.context.shape[-1]),
        model.context.dtype,
    )
    for known in _SEEN:
        if known == shape:
            return known
    _SEEN.append(shape)
    return shape


_SEEN: deque[ModelShape] = deque(maxlen=4)
"""Shapes of the last models: dry runs take seconds, and a worker has one job after another."""


def shape_in(folder: Path, manifest: Manifest) -> ModelShape:
    """The shape of a model on disk, of which headers and configs are read.

    Args:
        folder: Of the manifest.
        manifest: What it says.

    Raises:
        InputError: A file is missing, damaged, or does not fit the others.
    """
    sources = open_sources(folder, manifest)
    width = context_width(sources.transformer)
    said = embedding_entry(sources.embedding, width)
    inner = sources.transformer.config.get("cross_attention_dim", width)
    return ModelShape(
        manifest,
        sources.transformer.config,
        sources.vae.config,
        None if sources.upsampler is None else sources.upsampler.config,
        (said.shape[-2], int(inner)),
    )


def published_shape() -> ModelShape:
    """LTX-2.3 22B with the HDR LoRA and its latent upsampler, as published."""
    manifest = Manifest(
        name="ltx-2.3-hdr",
        transfer=None,
        sigmas=SCHEDULES["8+2"],
        native_size=None,
        window_frames=LTX_WINDOW,
        overlap_frames=LTX_OVERLAP,
        grain_px=1,
        prompt_embedding="",
        lora=None,
    )
    return ModelShape(manifest, LTX_2_3, LTX_2_3_VAE, {}, (LTX_CONTEXT_TOKENS, 4096))


def _through(points: Sequence[tuple[int, int]], at: int) -> int:
    """The polynomial of the least degree through some points, at another place."""
    total = Fraction(0)
    for i, (place, value) in enumerate(points):
        term = Fraction(value)
        for j, (other, _) in enumerate(points):
            if j != i:
                term *= Fraction(at - other, place - other)
        total += term
    return round(total)


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _typed(module: Any, dtype: torch.dtype) -> Any:
    """A module of meta tensors with its parameters in a type."""
    for parameter in module.parameters():
        parameter.data = parameter.data.to(dtype)
    return module.eval().requires_grad_(False)
