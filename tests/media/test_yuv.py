"""Y'CbCr to RGB, against the standards' own encoding matrices inverted in float64."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumivid_fx.media.yuv import (
    REC601,
    REC709,
    REC2020,
    SMPTE240M,
    decode_rgb,
    decode_yuv,
    scale_luma,
)

from .files import Array


def encoding_matrix(red: float, blue: float) -> npt.NDArray[np.float64]:
    """R'G'B' to Y'CbCr as BT.601, BT.709 and BT.2020 print it."""
    luma = np.array([red, 1 - red - blue, blue])
    return np.stack(
        [
            luma,
            (np.array([0, 0, 1]) - luma) / (2 * (1 - blue)),
            (np.array([1, 0, 0]) - luma) / (2 * (1 - red)),
        ]
    )


@pytest.mark.parametrize("weights", [REC601, REC709, REC2020, SMPTE240M])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("bits", [8, 10, 12])
def test_against_the_printed_matrix(
    weights: tuple[float, float], full_range: bool, bits: int
) -> None:
    """Any codes decode as the inverse of the printed equations, at every depth and range."""
    random = np.random.default_rng(bits)
    dtype = np.uint8 if bits == 8 else np.uint16
    codes = random.integers(0, 1 << bits, (3, 20, 30), dtype)
    step = 1 << (bits - 8)
    peak = (1 << bits) - 1
    luma, chroma = ((0, peak), (128 * step, peak)) if full_range else (
        (16 * step, 219 * step), (128 * step, 224 * step),
    )  # fmt: skip
    signal = np.stack([(codes[0] - float(luma[0])) / luma[1]]
                      + [(c - float(chroma[0])) / chroma[1] for c in codes[1:]])  # fmt: skip
    expected = np.einsum("ij,jhw->hwi", np.linalg.inv(encoding_matrix(*weights)), signal)
    rgb = decode_yuv(list(codes), bits=bits, full_range=full_range, weights=weights, halved=(1, 1))
    # A handful of float32 operations on values up to 2: far below a 16-bit code (1.5e-5).
    assert np.max(np.abs(rgb - expected)) < 2e-6


def chroma_seen(cb: Array, size: tuple[int, int], halved: tuple[int, int]) -> Array:
    """Cb at the size of luma, in codes, told from the blue it makes over grey."""
    grey = np.full(size, 512, np.uint16)
    rgb = decode_yuv(
        [grey, cb, np.full_like(cb, 512)],
        bits=10,
        full_range=True,
        weights=REC709,
        halved=halved,
    )
    return (rgb[..., 2] - rgb[..., 0]) / np.float32(2 - 2 * REC709[1]) * 1023 + 512


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([(1, 1), (1, 2), (2, 2), (1, 4)]))
def test_flat_chroma_stays_flat(height: int, width: int, halved: tuple[int, int]) -> None:
    """At any size, odd ones included, one colour is stretched into itself."""
    stored = (-(-height // halved[0]), -(-width // halved[1]))
    seen = chroma_seen(np.full(stored, 700, np.uint16), (height, width), halved)
    assert seen.shape == (height, width)
    assert np.ptp(seen) == 0
    assert seen[0, 0] == pytest.approx(700, abs=1e-3)  # float32 of a value near 1000


def test_siting() -> None:
    """A slope of chroma stays that slope: sited left in x, half way between rows in y."""
    x = np.tile(np.arange(400, 464, 2, dtype=np.uint16), (4, 1))
    across = chroma_seen(x, (4, 64), (1, 2))[0]
    assert across[:63] == pytest.approx(np.arange(400, 463), abs=1e-3)
    assert across[63] == pytest.approx(462, abs=1e-3)  # beyond the last sample stands the last
    y = np.tile(np.arange(400, 528, 4, dtype=np.uint16)[:, None], (1, 4))
    down = chroma_seen(y, (64, 4), (2, 1))[:, 0]
    assert down[1:63] == pytest.approx(np.arange(401, 525, 2), abs=1e-3)


@pytest.mark.parametrize("halved", [(1, 1), (1, 2), (2, 2), (2, 1), (1, 4), (4, 4)])
def test_chroma_of_any_size_lies_where_it_is_sited(halved: tuple[int, int]) -> None:
    """4:4:4 to 4:1:0 against interpolation at the printed places, in a size that none divides."""
    size = (39, 53)
    stored = tuple(-(-n // factor) for n, factor in zip(size, halved, strict=True))
    cb = np.random.default_rng(0).integers(0, 1024, stored, np.uint16)
    rows = (np.arange(size[0]) - (halved[0] - 1) / 2) / halved[0]
    columns = np.arange(size[1]) / halved[1]
    across = np.array([np.interp(columns, np.arange(stored[1]), row) for row in cb])
    expected = np.array([np.interp(rows, np.arange(stored[0]), column) for column in across.T]).T
    # float32 of values up to 2, told apart by 1/1023: a thousandth of a code.
    assert np.max(np.abs(chroma_seen(cb, size, halved) - expected)) < 1e-3


def test_widest_codes_round_nothing_on_the_way() -> None:
    """16 bits in 4:1:0, the largest numbers there are between codes and RGB: flat stays flat."""
    cb = np.full((5, 5), 65535, np.uint16)
    rgb = decode_yuv(
        [np.full((17, 19), 32768, np.uint16), cb, np.full_like(cb, 32768)],
        bits=16,
        full_range=True,
        weights=REC709,
        halved=(4, 4),
    )
    assert np.ptp(rgb, axis=(0, 1)).tolist() == [0, 0, 0]
    blue = 32768 / 65535 + (2 - 2 * REC709[1]) * 32767 / 65535
    assert rgb[0, 0, 2] == pytest.approx(blue, abs=2e-7)  # two roundings of a value near 1.4


@pytest.mark.parametrize("bits", [8, 10, 16])
def test_planes_of_rgb_are_scaled_apart(bits: int) -> None:
    """Each channel is its own plane's codes, white exactly 1, alpha left alone."""
    peak = (1 << bits) - 1
    dtype = np.uint8 if bits == 8 else np.uint16
    codes = np.random.default_rng(bits).integers(0, peak + 1, (4, 35, 21), dtype)
    codes[:, 0, 0], codes[:, 0, 1] = 0, peak
    rgb = decode_rgb(list(codes), bits=bits, full_range=True)
    assert rgb.shape == (35, 21, 3)
    assert rgb.flags.c_contiguous
    assert np.array_equal(rgb, np.moveaxis(codes[:3].astype(np.float32) / np.float32(peak), 0, -1))


@given(st.integers(0, 255), st.booleans(), st.sampled_from([REC601, REC709, REC2020]))
def test_grey_is_neutral(code: int, full_range: bool, weights: tuple[float, float]) -> None:
    """Where chroma is nil, R, G and B are luma itself, to the last bit."""
    luma, nil = np.full((4, 4), code, np.uint8), np.full((2, 2), 128, np.uint8)
    rgb = decode_yuv(
        [luma, nil, nil], bits=8, full_range=full_range, weights=weights, halved=(2, 2)
    )
    assert np.all(rgb == scale_luma(luma, 8, full_range=full_range)[..., None])
