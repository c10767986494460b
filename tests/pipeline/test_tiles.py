"""Tiles: they cover, they overlap, they add up, and they leave no seam."""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from lumivid_fx.errors import InputError
from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.pipeline.tiles import MARGIN, Tile, cut_axis, cut_tiles, over_tiles
from lumivid_fx.pipeline.vae import decode, encode


@st.composite
def axes(draw: st.DrawFn) -> tuple[int, int, int]:
    """An axis, and a tile and overlap that fit together."""
    overlap = draw(st.integers(2 * MARGIN + 1, 16))
    return draw(st.integers(1, 100)), draw(st.integers(overlap + 1, 48)), overlap


@given(axes())
def test_an_axis_is_covered(axis: tuple[int, int, int]) -> None:
    """Tiles of one size lie from end to end, and share at least what was asked."""
    size, tile, overlap = axis
    spans = cut_axis(size, tile, overlap)
    assert (spans[0].start, spans[-1].stop) == (0, size)
    assert {s.stop - s.start for s in spans} == {min(size, tile)}
    for before, after in pairwise(spans):
        shared = before.stop - after.start
        assert before.shared_after == after.shared_before == shared >= overlap
        assert after.start > before.start
    assert spans[0].shared_before == spans[-1].shared_after == 0


@given(axes(), st.sampled_from([1, 2, 8]))
def test_every_sample_has_weight(axis: tuple[int, int, int], scale: int) -> None:
    """No sample is left without a tile; the picture's own edge has full weight."""
    spans = cut_axis(*axis)
    total = torch.zeros(axis[0] * scale)
    for span in spans:
        weights = span.weights(scale)
        assert 0 <= float(weights.min()) <= float(weights.max()) <= 1
        total[span.start * scale : span.stop * scale] += weights
    # The narrowest fade is of one latent, its least weight half of a sample's step.
    assert float(total.min()) > 0.01
    assert float(total[0]) == float(total[-1]) == 1


def test_two_tiles_fade_as_lines() -> None:
    """Without a third tile near, two weights add up to 1, and the margin of either has none."""
    first, second = cut_axis(24, 16, 8)
    assert (second.start, first.shared_after) == (8, 8)
    falling, rising = first.weights(2)[16:], second.weights(2)[:16]
    assert torch.allclose(falling + rising, torch.ones(16))
    assert torch.equal(rising, falling.flip(0))
    assert rising[:4].tolist() == [0.0] * 4
    assert rising[4:12].diff().tolist() == pytest.approx([1 / 8] * 7)


@settings(max_examples=25)
@given(axes(), axes(), st.sampled_from([1, 3]))
def test_tiles_of_a_picture_give_it_back(
    rows: tuple[int, int, int], columns: tuple[int, int, int], scale: int
) -> None:
    """Cut into tiles and joined, a picture is itself again."""
    tiles = [Tile(r, c) for r in cut_axis(*rows) for c in cut_axis(*columns)]
    height, width = rows[0], columns[0]
    picture = torch.rand(2, height * scale, width * scale)

    def run(tile: Tile) -> Tensor:
        top, left = tile.rows.start * scale, tile.columns.start * scale
        return picture[..., top : tile.rows.stop * scale, left : tile.columns.stop * scale]

    # A mean of equal numbers under at most a dozen float32 weights.
    assert torch.allclose(over_tiles(run, tiles, height, width, scale), picture, atol=1e-6)


def test_no_tiles_is_one() -> None:
    """Without a tile size, or with one as large as the picture, nothing is cut."""
    for tile in (None, 40, 64):
        (whole,) = cut_tiles(30, 40, tile)
        latents = torch.rand(1, 8, 3, 30, 40)
        assert torch.equal(whole.crop(latents), latents)


@pytest.mark.parametrize(("tile", "overlap"), [(8, 8), (6, 8), (16, 4), (16, 0), (4, 16)])
def test_tiles_that_do_not_fit(tile: int, overlap: int) -> None:
    """No room for a fade, or for progress: both numbers are told."""
    with pytest.raises(InputError, match=f"tiles of {tile} latents cannot overlap by {overlap}"):
        cut_axis(100, tile, overlap)


def smooth(channels: int, height: int, width: int) -> Tensor:
    """Latents of two frames that vary over some latents, as those of pictures do."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(channels, 2, height // 4 + 1, width // 4 + 1, generator=generator)
    return F.interpolate(coarse, (height, width), mode="bilinear")[None]


def rms(values: Tensor) -> float:
    """Root of the mean square."""
    return float(values.square().mean().sqrt())


@pytest.fixture(scope="module")
def local_model(quick_model: HdrModel) -> HdrModel:
    """A model whose VAE looks mostly near, as trained ones do: outer taps a fifth of random ones.

    Measured on a trained VAE of 16 pixels a latent, with these tiles: 0.0027 of a code at most,
    0.0002 rms.
    """
    vae = copy.deepcopy(quick_model.vae)
    taps = torch.full((3, 3), 0.2)
    taps[1, 1] = 1
    with torch.no_grad():
        for layer in vae.modules():
            if isinstance(layer, nn.Conv3d) and layer.kernel_size[1:] == (3, 3):
                layer.weight.mul_(taps)
    return replace(quick_model, vae=vae)


@torch.no_grad()
def test_departure_7_tiled_decode_has_no_seam(local_model: HdrModel) -> None:
    """Tiles decode to nearly what the whole does, and the joins are no worse than the inside."""
    latents = smooth(8, 12, 36)
    whole = decode(local_model, latents)
    tiled = decode(local_model, latents, tile=16)
    error = tiled - whole
    # What the decoder misses beyond a tile's rim fades in after the margin: 1 % rms, measured.
    assert rms(error) < 0.02 * float(whole.std())

    ratio = local_model.spatial_ratio
    spans = cut_axis(36, 16, 8)
    assert len(spans) > 2
    rims = {n for s in spans for n in (s.start, s.start + MARGIN, s.stop - MARGIN, s.stop)}
    joins = [n * ratio - 1 for n in rims if MARGIN < n < 36 - MARGIN]
    step = error.diff(dim=-1).abs().mean(dim=(0, 1, 2, 3))
    inside = torch.ones_like(step, dtype=torch.bool)
    inside[joins] = False
    assert float(step[joins].max()) < float(step[inside].max())
    # No line shows: across a join the picture changes as much as the whole one does there.
    ours, plain = (x.diff(dim=-1).abs().mean(dim=(0, 1, 2, 3))[joins] for x in (tiled, whole))
    assert torch.allclose(ours, plain, rtol=0.02)


@torch.no_grad()
def test_departure_7_diffusers_own_tiles_are_another_picture(local_model: HdrModel) -> None:
    """What diffusers' switch for tiling gives is much further from the whole than ours."""
    latents = smooth(8, 12, 36)
    whole, tiled = decode(local_model, latents), decode(local_model, latents, tile=16)
    edge = 16 * local_model.spatial_ratio
    vae = copy.deepcopy(local_model.vae)
    vae.enable_tiling(edge, edge, None, edge // 2, edge // 2)
    theirs = decode(replace(local_model, vae=vae), latents)
    assert rms(theirs - whole) > 4 * rms(tiled - whole)


@torch.no_grad()
def test_tiled_encode_is_near_the_whole(local_model: HdrModel) -> None:
    """Tiles encode to nearly the same latents."""
    pixels = decode(local_model, smooth(8, 10, 24)).clamp(-1, 1)
    whole = encode(local_model, pixels)
    tiled = encode(local_model, pixels, tile=14)
    assert not torch.equal(tiled, whole)
    assert rms(tiled - whole) < 0.02 * float(whole.std())  # as for decoding
