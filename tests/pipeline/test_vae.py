"""The VAE in tiles of space and time: whole, without seams, or as the reference code tiles."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.pipeline import reference_tilers
from lumivid_fx.pipeline.noise import SeededNoise
from lumivid_fx.pipeline.reference_tilers import Trapezoid, by_count, by_size
from lumivid_fx.pipeline.render_window import Sampling, render_window
from lumivid_fx.pipeline.tiles import MARGIN, cut_axis
from lumivid_fx.pipeline.vae import TIME_OVERLAP, decode, encode, frame_weights


def smooth(frames: int, height: int = 4, width: int = 4) -> Tensor:
    """Latents ``1 8 f h w`` that vary over some latents."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(1, 8, frames // 3 + 1, height // 2, width // 2, generator=generator)
    return F.interpolate(coarse, (frames, height, width), mode="trilinear")


def rms(values: Tensor) -> float:
    """Root of the mean square."""
    return float(values.square().mean().sqrt())


@pytest.mark.parametrize(("frames", "tile"), [(20, 9), (16, 8), (31, 12), (7, 7)])
def test_every_frame_has_weight(frames: int, tile: int) -> None:
    """Weights of all tiles in time add up to 1 but for rounding, and join where they share."""
    spans = cut_axis(frames, tile, TIME_OVERLAP)
    total = torch.zeros((frames - 1) * 8 + 1)
    for span in spans:
        weights = frame_weights(span, 8)
        if span.shared_before:
            assert torch.equal(weights[: MARGIN * 8], torch.zeros(MARGIN * 8))
        total[span.start * 8 : (span.stop - 1) * 8 + 1] += weights
    assert float(total.min()) > 0
    if all(span.shared_before in (0, TIME_OVERLAP) for span in spans):
        assert torch.allclose(total, torch.ones_like(total))


@torch.no_grad()
def test_departure_7_no_seam_in_time(local_model: HdrModel) -> None:
    """Tiles in time decode to nearly what the whole does; no join stands out of its neighbours."""
    latents = smooth(22)
    whole = decode(local_model, latents)
    tiled = decode(local_model, latents, frames=9)
    assert tiled.shape == whole.shape == (1, 3, 169, 32, 32)
    error = tiled - whole
    assert 0 < rms(error) < 0.02 * float(whole.std())
    spans = cut_axis(22, 9, TIME_OVERLAP)
    assert len(spans) > 4
    rims = {n for s in spans for n in (s.start, s.start + MARGIN, s.stop - MARGIN, s.stop)}
    joins = sorted(8 * n - 8 for n in rims if MARGIN < n < 22 - MARGIN)
    step = error.diff(dim=2).abs().mean(dim=(0, 1, 3, 4))
    inside = torch.ones_like(step, dtype=torch.bool)
    inside[joins] = False
    assert float(step[joins].max()) <= float(step[inside].max())
    # Sharpness does not depend on where in a tile a frame lies.
    ours, plain = (x.diff(dim=-1).abs().mean(dim=(0, 1, 3, 4)) for x in (tiled, whole))
    assert torch.allclose(ours, plain, rtol=0.02)


@torch.no_grad()
def test_departure_7_space_and_time_together(local_model: HdrModel) -> None:
    """Tiles in all three directions at once: what either misses adds up."""
    latents = smooth(14, 12, 20)
    whole = decode(local_model, latents)
    assert rms(decode(local_model, latents, tile=14, frames=9) - whole) < 0.04 * float(whole.std())


@torch.no_grad()
def test_tiled_encode_in_time(local_model: HdrModel) -> None:
    """The encoder looks back alone: after a run-up its tiles have seen enough."""
    pixels = decode(local_model, smooth(16)).clamp(-1, 1)
    whole = encode(local_model, pixels)
    tiled = encode(local_model, pixels, frames=10)
    assert tiled.shape == whole.shape
    # What comes later is not seen; what is left is rounding, which depends on a batch's size.
    assert torch.allclose(tiled[:, :, :10], whole[:, :, :10], atol=1e-5)
    assert 0 < rms(tiled[:, :, 10:] - whole[:, :, 10:]) < 0.02 * float(whole.std())


@torch.no_grad()
def test_still_picture_stays_still(local_model: HdrModel) -> None:
    """Still latents decode to a still picture across the tiles' joins, but at the clip's ends."""
    still = smooth(3, 4, 4)[:, :, :1].expand(-1, -1, 22, -1, -1)
    ours = decode(local_model, still, frames=9)
    flicker = ours.diff(dim=2).abs().amax(dim=(0, 1, 3, 4))
    whole = decode(local_model, still).diff(dim=2).abs().amax(dim=(0, 1, 3, 4))
    middle = slice(40, -40)
    assert float(flicker[middle].max()) <= float(whole[middle].max()) + 1e-3


def test_reference_bounds() -> None:
    """Steps of size minus overlap; in time one latent earlier; the last tile is what is left."""
    assert by_size(68, 40, 8) == [Trapezoid(0, 40, 0, 8), Trapezoid(32, 68, 8, 0)]
    assert by_size(5, 4, 2, early=True) == [
        Trapezoid(0, 4, 0, 2),
        Trapezoid(2, 5, 2, 0, early=1),
    ]
    assert by_size(4, 4, 2) == [Trapezoid(0, 4, 0, 0)]
    assert by_count(16, 2, 8) == [Trapezoid(0, 12, 0, 8), Trapezoid(4, 16, 8, 0)]
    assert by_count(1, 2, 6) == [Trapezoid(0, 1, 0, 0)]
    for size in range(1, 70):
        tiles = by_count(size, 2, 6)
        assert (tiles[0].start, tiles[-1].stop) == (0, size)
        assert all(b.start == a.stop - b.before for a, b in pairwise(tiles))


def test_reference_weights() -> None:
    """Trapezoids: interior points of lines; in time the early latent's frame has none."""
    assert Trapezoid(0, 4, 0, 2).weights().tolist() == pytest.approx([1, 1, 2 / 3, 1 / 3])
    tile = Trapezoid(2, 5, 2, 0, early=1)
    weights = tile.early_weights(8)
    assert len(weights) == 3 * 8 + 1
    assert weights[:18].tolist() == pytest.approx([k / 17 for k in range(17)] + [1])


@torch.no_grad()
def test_departure_7_reference_tiler(local_model: HdrModel) -> None:
    """Four latents at a time, blended by hand: what the reference setting decodes."""
    latents = smooth(6)
    ours = reference_tilers.decode(local_model, latents)
    raw = latents * local_model.vae.latents_std.view(1, -1, 1, 1, 1)
    raw = raw + local_model.vae.latents_mean.view(1, -1, 1, 1, 1)
    whole, total = torch.zeros(1, 3, 41, 32, 32), torch.zeros(41)
    for start, stop, weight in (
        (0, 4, [1.0] * 9 + [1 - k / 17 for k in range(1, 17)]),
        (1, 6, [k / 17 for k in range(17)] + [1.0] * 16),
    ):
        part = local_model.vae.decode(raw[:, :, start:stop]).sample
        shown = slice(8 * start, 8 * (stop - 1) + 1)
        whole[:, :, shown] += part * torch.tensor(weight)[:, None, None]
        total[shown] += torch.tensor(weight)
    assert torch.allclose(ours, whole / total[:, None, None], atol=1e-5)
    assert not torch.allclose(ours, decode(local_model, latents), atol=1e-3)


@torch.no_grad()
def test_departure_7_reference_encode(
    local_model: HdrModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small frames are encoded whole; larger ones in tiles that nearly agree with that."""
    pixels = decode(local_model, smooth(4, 8, 8)).clamp(-1, 1)
    whole = encode(local_model, pixels)
    assert torch.equal(reference_tilers.encode(local_model, pixels), whole)
    monkeypatch.setattr(reference_tilers, "ENCODE_WHOLE", 32 * 32)
    monkeypatch.setattr(reference_tilers, "ENCODE_PX", (48, 16))
    monkeypatch.setattr(reference_tilers, "ENCODE_FRAMES", (16, 8))
    tiled = reference_tilers.encode(local_model, pixels)
    assert tiled.shape == whole.shape
    # Its overlaps are short for an encoder that looks back far: near, not the same.
    assert 0 < rms(tiled - whole) < float(whole.std())


@torch.no_grad()
def test_departure_8_reference_stage_2(two_stage_model: HdrModel) -> None:
    """Eight tiles, each denoised by itself from noise of its own number, positions from 0.

    The tiles' walks are repeated here one by one with diffusers' scheduler left out: one step.
    """
    codes = torch.rand(9, 3, 64, 128, generator=torch.Generator().manual_seed(2))
    sampling = Sampling(SeededNoise(10), ((1.0, 0.0), (0.9, 0.0)), 24.0, reference_tilers=True)
    seen: list[Tensor] = []
    starts: list[Tensor] = []
    hooks = [
        two_stage_model.transformer.proj_in.register_forward_pre_hook(
            lambda _, args: seen.append(args[0].clone())
        ),
        two_stage_model.transformer.rope.register_forward_pre_hook(
            lambda _, args: starts.append(args[0].clone())
        ),
    ]
    told: list[tuple[str, int, int]] = []
    try:
        result = render_window(two_stage_model, codes, 0, sampling, lambda *s: told.append(s))
    finally:
        for hook in hooks:
            hook.remove()
    assert result.shape == codes.shape
    # 2 x 2 x 4 latents: an overlap that the axis has no room for is one less than its length.
    axes = [
        by_count(n, *stage) for n, stage in zip((2, 2, 4), reference_tilers.STAGE_2, strict=True)
    ]
    sizes = [[t.stop - t.start for t in axis] for axis in axes]
    expected = [f * h * w for f in sizes[0] for h in sizes[1] for w in sizes[2]]
    assert [tokens.shape[1] // 2 for tokens in seen[1:]] == expected
    assert told[-1] == ("stage 2", len(expected), len(expected))
    assert all(start[0, :, 0, 0].tolist() == [0, 0, 0] for start in starts)
    first = SeededNoise(10).tokens(2 * 4, 8, tile=0)[:, :4]
    assert torch.allclose(seen[0][:, :4], first)
