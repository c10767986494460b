"""What a model takes, by its configs: held against modules that were run and weights that exist."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from lumivid_fx.model.checkpoint import HdrModel, load_model
from lumivid_fx.model.dry_run import dry_run
from lumivid_fx.model.manifest import read_manifest
from lumivid_fx.model.shape import ModelShape, published_shape, shape_in, shape_of
from lumivid_fx.model.video_only import predict_velocity

GRID = (2, 3, 4)


@pytest.fixture(scope="module")
def model(tiny_two_stage_folder: Path) -> HdrModel:
    """Two stages, float32."""
    return load_model(tiny_two_stage_folder)


@pytest.fixture(scope="module")
def shape(model: HdrModel) -> ModelShape:
    """Its shape."""
    return shape_of(model)


def bytes_of(module: Any) -> int:
    """Of a module's weights."""
    return sum(parameter.nbytes for parameter in module.parameters())


def measured(run: Callable[[], object]) -> tuple[int, int]:
    """Peak of the allocator as the profiler logs it, and FLOPs as torch counts them."""
    with torch.inference_mode():
        run()  # what is made once, such as the kernels' own buffers
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
            held = run()
        del held
    profiler: Any = seen.profiler
    logged = [event for event in profiler.kineto_results.events() if event.name() == "[memory]"]
    now = peak = 0
    for event in sorted(logged, key=lambda event: int(event.start_ns())):
        now += event.nbytes()
        peak = max(peak, now)
    plain = sdpa_kernel(SDPBackend.MATH)  # the one whose products torch's counter sees on the CPU
    with torch.no_grad(), plain, FlopCounterMode(display=False) as count:
        run()
    return peak, count.get_total_flops()


def test_weights_are_counted_to_the_byte(model: HdrModel, shape: ModelShape) -> None:
    """Sums over configs are sums over the weights themselves."""
    transformer = bytes_of(model.transformer) + model.context.nbytes
    assert shape.layers * shape.block_bytes + shape.ends_bytes == transformer
    assert shape.vae_bytes == bytes_of(model.vae)
    assert shape.upsampler_bytes == bytes_of(model.upsampler)


def test_a_shape_that_was_seen_is_known(model: HdrModel, shape: ModelShape) -> None:
    """So that the next shot's plan costs no dry run."""
    assert shape_of(model) is shape


def test_headers_tell_the_same_as_the_model(tiny_two_stage_folder: Path, shape: ModelShape) -> None:
    """A model on disk is planned in bfloat16, by the same numbers."""
    told = shape_in(tiny_two_stage_folder, read_manifest(tiny_two_stage_folder))
    assert told.dtype == torch.bfloat16
    assert 2 * told.block_bytes == shape.block_bytes
    assert 2 * told.ends_bytes == shape.ends_bytes
    assert told.vae_bytes == shape.vae_bytes
    assert (told.stages, told.spatial_ratio, told.temporal_ratio) == (2, 32, 8)


def test_a_pass_of_the_transformer_is_what_it_was_said_to_be(
    model: HdrModel, shape: ModelShape
) -> None:
    """Bytes to a tenth: attention on the CPU keeps sums of its own. FLOPs are equal."""
    frames, height, width = GRID
    count = frames * height * width
    transformer = model.transformer

    def run() -> object:
        groups = [torch.zeros(1, count, shape.channels) for _ in range(2)]
        at = transformer.rope.prepare_video_coords(1, *GRID, "cpu", fps=24).repeat(1, 1, 2, 1)
        levels = [torch.ones(1), torch.zeros(1)]
        return predict_velocity(transformer, groups, levels, at, model.context)

    peak, flops = measured(run)
    told = shape.velocity(frames, height, width)
    assert told.flops == flops
    assert told.peak == pytest.approx(peak, rel=0.1)


@pytest.mark.parametrize("way", ["encode", "decode", "upsample"])
def test_the_other_passes_are_too(model: HdrModel, shape: ModelShape, way: str) -> None:
    """FLOPs are equal; a convolution on the CPU takes room of its own besides its tensors."""
    latents = torch.zeros(1, shape.channels, *GRID)
    pixels = torch.zeros(1, 3, 9, 96, 128)
    vae, upsampler = model.vae, model.upsampler
    assert upsampler is not None
    runs: dict[str, Callable[[], object]] = {
        "encode": lambda: vae.encode(pixels.clone()).latent_dist.mean,
        "decode": lambda: vae.decode(latents.clone()).sample,
        "upsample": lambda: upsampler(latents.clone()),
    }
    peak, flops = measured(runs[way])
    told = getattr(shape, way)(*GRID)
    assert told.flops == flops
    assert latents.nbytes < told.peak < peak


def test_the_published_model_has_its_published_size() -> None:
    """13.12 B of the video half, 0.73 B of the VAE, 0.50 B of the upsampler, 48 blocks."""
    shape = published_shape()
    parameters = (48 * shape.block_bytes + shape.ends_bytes) / 2
    assert shape.layers == 48
    assert parameters == pytest.approx(13.124e9 + 1024 * 4096, rel=1e-3)
    assert shape.vae_bytes == pytest.approx(0.726e9 * 4, rel=1e-3)
    assert shape.upsampler_bytes == pytest.approx(0.498e9 * 2, rel=1e-3)
    assert shape.matrix_share > 0.99
    assert (shape.stages, shape.spatial_ratio, shape.temporal_ratio) == (2, 32, 8)


def test_a_size_follows_from_others_to_the_byte(shape: ModelShape) -> None:
    """What is worked out for a size is what a dry run of that size says."""
    count, frames, height, width = 12_345, 7, 9, 20
    assert shape.velocity(3, 5, count // 15) == shape._velocity(count, 1)
    latents = torch.empty(1, shape.channels, frames, height, width, device="meta")
    pixels = torch.empty(1, 3, 49, 32 * height, 32 * width, device="meta")
    vae, upsampler = shape._vae, shape._upsampler
    assert upsampler is not None
    decoded = dry_run(lambda: vae.decode(latents.clone()).sample)
    encoded = dry_run(lambda: vae.encode(pixels.clone()).latent_dist.mean)
    doubled = dry_run(lambda: upsampler(latents.clone()))
    assert shape.decode(frames, height, width) == decoded
    assert shape.encode(frames, height, width) == encoded
    assert shape.upsample(frames, height, width) == doubled


def test_a_dry_run_counts_what_lives_at_once() -> None:
    """Views are no storage of their own, and what is let go of makes room."""

    def run() -> torch.Tensor:
        first = torch.empty(100, 10, device="meta")
        second = first.t()[:5] + 1  # 5 x 100
        del first
        return second @ torch.empty(100, 7, device="meta")

    cost = dry_run(run)
    assert cost.peak == 4 * (1000 + 500)
    assert cost.flops == 2 * 5 * 100 * 7
