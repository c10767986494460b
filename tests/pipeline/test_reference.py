"""The reference picture: fitted, padded and halved so that everything stays where it is."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from diffusers.pipelines.ltx2.image_processor import LTX2VideoHDRProcessor
from hypothesis import given
from hypothesis import strategies as st

from lumivid_fx.pipeline.reference import (
    fit_size,
    from_vae_range,
    halve,
    reflect_index,
    reflect_pad,
    shrink,
    to_vae_range,
)

sizes = st.integers(1, 80)


@given(sizes, sizes, st.sampled_from([8, 16, 32, 64]))
def test_padding_adds_below_and_at_the_right(height: int, width: int, multiple: int) -> None:
    """The picture stays where it is, up to the next multiple, and what is added is its own."""
    picture = torch.rand(1, 3, height, width)
    padded = reflect_pad(picture, multiple)
    assert padded.shape[-2] == -(-height // multiple) * multiple
    assert padded.shape[-1] == -(-width // multiple) * multiple
    assert torch.equal(padded[..., :height, :width], picture)
    assert set(padded.flatten().tolist()) == set(picture.flatten().tolist())


@given(st.integers(2, 80), st.data())
def test_padding_is_reflection(size: int, data: st.DataObject) -> None:
    """Where torch's own reflection reaches, the two are the same."""
    padded = data.draw(st.integers(size, 2 * size - 1))
    row = torch.rand(1, 1, size)
    theirs = F.pad(row, (0, padded - size), mode="reflect")
    assert torch.equal(row[..., reflect_index(size, padded)], theirs)


def test_reflection_goes_on() -> None:
    """A picture smaller than its padding goes to and fro; one pixel repeats."""
    assert reflect_index(3, 9).tolist() == [0, 1, 2, 1, 0, 1, 2, 1, 0]
    assert reflect_index(1, 4).tolist() == [0, 0, 0, 0]
    assert reflect_index(2, 5).tolist() == [0, 1, 0, 1, 0]


def rows_of_feature(pictures: torch.Tensor) -> list[int]:
    """Rows on which the brightest line of ``... h w`` lies."""
    profile = pictures.mean(dim=-1).flatten(0, -2).mean(dim=0)
    return torch.nonzero(profile > 0.5 * profile.max()).flatten().tolist()


def test_departure_1_a_row_stays_on_its_row() -> None:
    """Of 1080 rows, row 1000 is row 1000 in stage 2 and 500 in stage 1: no squeeze, no shift."""
    plate = torch.zeros(1, 3, 1080, 40)
    plate[..., 1000:1002, :] = 1
    second = to_vae_range(reflect_pad(plate, 64))
    assert second.shape[-2:] == (1088, 64)
    first = halve(second)
    assert rows_of_feature((second + 1) / 2) == [1000, 1001]
    assert rows_of_feature((first + 1) / 2) == [500]

    theirs = LTX2VideoHDRProcessor().preprocess_reference_video_hdr(plate[None], 1088, 64)
    assert rows_of_feature((theirs + 1) / 2)[0] < 985  # squeezed to 1056 rows before it is padded


@pytest.mark.parametrize(("height", "width"), [(1556, 1828), (17, 23), (100, 150)])
def test_departure_1_stages_agree_on_odd_sizes(height: int, width: int) -> None:
    """Each pixel of stage 1 is the mean of the four of stage 2 that it covers, to the last."""
    ramp = torch.linspace(0, 1, height)[:, None] + torch.linspace(0, 1, width)
    second = to_vae_range(reflect_pad(ramp[None, None].expand(1, 3, -1, -1) / 2, 64))
    first = halve(second)
    assert first.shape[-2] * 2 == second.shape[-2]
    assert first.shape[-2] % 32 == first.shape[-1] % 32 == 0
    blocks = second.unfold(-2, 2, 2).unfold(-2, 2, 2).mean(dim=(-1, -2))
    # The same four values added in another order.
    assert torch.allclose(first, blocks, atol=1e-6)


@given(sizes, sizes, st.integers(1, 100) | st.none())
def test_fitting_never_enlarges(height: int, width: int, longest: int | None) -> None:
    """The longest side is at most what was asked, and proportions are kept to half a pixel."""
    rows, columns = fit_size(height, width, longest)
    assert 1 <= rows <= height
    assert 1 <= columns <= width
    if longest is None or max(height, width) <= longest:
        assert (rows, columns) == (height, width)
    else:
        assert max(rows, columns) == longest
        scale = longest / max(height, width)
        assert abs(rows - max(1, height * scale)) <= 0.5
        assert abs(columns - max(1, width * scale)) <= 0.5


def test_shrinking() -> None:
    """The picture's own size is left as it is; a smaller one keeps the mean and its range."""
    picture = torch.rand(2, 3, 60, 90)
    assert torch.equal(shrink(picture, 60, 90), picture)
    small = shrink(picture, 20, 30)
    assert small.shape == (2, 3, 20, 30)
    # An antialiased third of noise: means agree to what the rim's narrower filter weighs.
    assert float((small.mean() - picture.mean()).abs()) < 0.01
    assert float(small.min()) >= 0
    assert float(small.max()) <= 1


def test_vae_range() -> None:
    """Codes in [0, 1] become [-1, 1] with frames after channels, and back."""
    codes = torch.rand(9, 3, 4, 5)
    codes[0, 0, 0, :2] = torch.tensor([0.0, 1.0])
    pixels = to_vae_range(codes)
    assert pixels.shape == (1, 3, 9, 4, 5)
    assert (float(pixels.min()), float(pixels.max())) == (-1, 1)
    # Doubling is exact, taking 1 off rounds to 2^-24, half of which comes back.
    assert torch.allclose(from_vae_range(pixels), codes, rtol=0, atol=1e-7)


@pytest.mark.parametrize("code", [-1e-6, 1 + 1e-6, float("inf")])
def test_codes_outside_are_refused(code: float) -> None:
    """Nothing is clamped here without a word."""
    with pytest.raises(ValueError, match="codes must lie in"):
        to_vae_range(torch.tensor([[[[0.5, code]]]]))
