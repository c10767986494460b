"""Pairs: one scene as the plate a user has, and as the light that was there."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor

from lumivid_fx.color.primaries import between
from lumivid_fx.color.tone_curves import MID_GREY, srgb_encode
from lumivid_fx.color.transfer import LOGC3_REC709, TRANSFERS, Transfer
from lumivid_fx.train.degradations import Faults
from lumivid_fx.train.pairs import GAMUTS, Pairs, make_pairs
from lumivid_fx.train.scenes import Scenes, made_up_environment

SHAPE = (6, 3, 32, 48)
"""Clips, frames, rows, columns."""

NONE = Faults(contrast=0, blur=0, noise=0, compression=0)
ALL = Faults(contrast=1, blur=1, noise=1, compression=1)


@pytest.fixture(scope="module")
def scenes() -> Scenes:
    """Three made-up maps."""
    return Scenes.of([made_up_environment(64, 128, Generator().manual_seed(i)) for i in range(3)])


def pairs_of(
    scenes: Scenes,
    *,
    seed: int = 0,
    still: bool = False,
    transfer: Transfer = LOGC3_REC709,
    faults: Faults | None = None,
) -> Pairs:
    """Pairs that are the same every time."""
    generator = Generator().manual_seed(seed)
    return make_pairs(scenes, SHAPE, generator, still=still, transfer=transfer, faults=faults)


def streams(pairs: Pairs) -> tuple[Tensor, ...]:
    """All four."""
    return pairs.reference, pairs.sdr, pairs.hdr, pairs.clipped


def in_rec709(pairs: Pairs, transfer: Transfer) -> Tensor:
    """The target's light in linear Rec.709."""
    matrix = torch.tensor(between(GAMUTS[transfer.primaries], "Rec.709"), dtype=torch.float64)
    return torch.einsum("bfchw,dc->bfdhw", transfer.inverse(pairs.hdr.double()), matrix)


@pytest.mark.parametrize("name", TRANSFERS)
def test_codes_fill_the_unit_interval_and_go_no_further(scenes: Scenes, name: str) -> None:
    """In every curve."""
    pairs = pairs_of(scenes, transfer=TRANSFERS[name])
    for codes in streams(pairs)[:3]:
        assert codes.shape == (6, 3, 3, 32, 48)
        assert float(codes.min()) >= 0
        assert float(codes.max()) <= 1 + 1e-6  # float rounding
    assert pairs.clipped.shape == (6, 3, 1, 32, 48)


@pytest.mark.parametrize("name", TRANSFERS)
def test_light_over_the_curve_is_clamped(name: str) -> None:
    """Lamps of 60,000 times the middle lie over any curve; the most it holds is in the target."""
    transfer = TRANSFERS[name]
    dazzling = torch.ones(3, 32, 64)
    dazzling[:, ::8, ::8] = 1e6
    pairs = pairs_of(Scenes.of([dazzling]), transfer=transfer)
    assert bool(pairs.hdr.isfinite().all())
    assert float(transfer.inverse(pairs.hdr).max()) == pytest.approx(
        transfer.linear_range[1], rel=1e-3
    )


def test_frames_of_a_still_are_one_picture(scenes: Scenes) -> None:
    """In all streams, faults included; those of a clip differ."""
    still = pairs_of(scenes, still=True, faults=ALL)
    for codes in streams(still):
        assert codes.shape[1] == 3
        assert torch.equal(codes, codes[:, :1].expand_as(codes))
    moving = pairs_of(scenes)
    for codes in streams(moving)[:3]:
        assert all(not torch.equal(clip[0], clip[1]) for clip in codes)


def test_what_is_shown_as_mid_grey_is_mid_grey_in_the_target(scenes: Scenes) -> None:
    """The convention that fixes exposure, sample for sample."""
    pairs = pairs_of(scenes, seed=2)
    grey = float(srgb_encode(torch.tensor(MID_GREY)))
    shown = (pairs.sdr - grey).abs() < 0.004
    light = LOGC3_REC709.inverse(pairs.hdr)[shown]
    assert len(light) > 100
    # Half an 8-bit code, in the flattest of the curves, and the table's step of 1.1 %.
    assert float((light / MID_GREY).log2().abs().max()) < 0.1


def test_clipped_is_where_the_picture_has_run_out_and_the_light_goes_on(scenes: Scenes) -> None:
    """A channel over 0.98; there the target holds more than elsewhere."""
    pairs = pairs_of(scenes, seed=3)
    assert torch.equal(pairs.clipped, (pairs.sdr.amax(dim=2, keepdim=True) > 0.98).float())
    assert 0.01 < float(pairs.clipped.mean()) < 0.4
    peak = pairs.hdr.amax(dim=2, keepdim=True)
    for clip, clipped in zip(peak, pairs.clipped.bool(), strict=True):
        if clipped.any() and not clipped.all():
            assert float(clip[clipped].min()) >= float(clip[~clipped].max()) - 1e-5


def test_faults_meet_the_reference_alone(scenes: Scenes) -> None:
    """Target and clean SDR are the same with all faults and with none, which rounds to 8 bits."""
    spared, struck = pairs_of(scenes, faults=NONE), pairs_of(scenes, faults=ALL)
    for one, other in zip(streams(spared)[1:], streams(struck)[1:], strict=True):
        assert torch.equal(one, other)
    assert torch.equal(spared.reference, (spared.sdr * 255).round() / 255)
    assert float((struck.reference - struck.sdr).abs().mean()) > 0.005


@pytest.mark.parametrize("name", [name for name in TRANSFERS if name != LOGC3_REC709.name])
def test_every_curve_tells_the_same_light(scenes: Scenes, name: str) -> None:
    """On its own primaries, and the same reference: within what all the curves hold."""
    transfer = TRANSFERS[name]
    plain, other = pairs_of(scenes), pairs_of(scenes, transfer=transfer)
    assert torch.equal(plain.reference, other.reference)
    truth, light = in_rec709(plain, LOGC3_REC709), in_rec709(other, transfer)
    lowest, highest = (x.amin(dim=2, keepdim=True).expand_as(x) for x in (truth, -truth))
    fits = (lowest > 0.02) & (-highest < 8)
    assert float(fits.float().mean()) > 0.2
    # Codes are float32: a step of 6e-8 near 1, times the steepest inverse, HLG's and PQ's.
    assert torch.allclose(light[fits], truth[fits], rtol=2e-4)
