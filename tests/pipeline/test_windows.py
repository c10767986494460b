"""Windows: each frame in one or two, weights that sum to one, starts on the latents' grid."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumivid_fx.errors import InputError
from lumivid_fx.pipeline.windows import cut_windows, round_up_frames


@st.composite
def plans(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """Frames of a shot, and a window's length, overlap and ratio that fit together."""
    ratio = draw(st.sampled_from([4, 8]))
    length = ratio * draw(st.integers(1, 20)) + 1
    overlap = ratio * draw(st.integers(0, (length // 2 - 1) // ratio)) + 1
    return draw(st.integers(1, 400)), length, overlap, ratio


@given(plans())
def test_every_frame_is_covered(plan: tuple[int, int, int, int]) -> None:
    """Each frame lies in one or two windows, and their weights in it sum to 1."""
    frames, length, overlap, ratio = plan
    windows = cut_windows(frames, length, overlap, ratio)
    for frame in range(frames):
        weights = [w.weight(frame) for w in windows if w.first <= frame <= w.last]
        assert 1 <= len(weights) <= 2
        assert all(0 <= weight <= 1 for weight in weights)
        assert all(weights) or overlap > 3 * ratio
        # Two fractions of an overlap of at most 81 frames, in float64.
        assert sum(weights) == pytest.approx(1, abs=1e-12)


def test_ends_of_long_overlaps_have_no_weight() -> None:
    """What two windows share is faded over in its middle; either's outer latent is left out."""
    first, second = cut_windows(100, 57, 25)[:2]
    shares = [second.weight(frame) for frame in range(second.first, first.last + 1)]
    assert len(shares) == 25
    assert shares[:8] == [0.0] * 8
    assert shares[8:17] == pytest.approx([k / 10 for k in range(1, 10)])
    assert shares[17:] == [1.0] * 8
    assert cut_windows(100, 57, 17)[1].margin == 0  # too short for that: faded over all of it


@given(plans())
def test_windows_lie_on_the_latents_grid(plan: tuple[int, int, int, int]) -> None:
    """Starts are multiples of the ratio, what the model sees is 8k+1, and padding is at the end."""
    frames, length, overlap, ratio = plan
    windows = cut_windows(frames, length, overlap, ratio)
    assert [w.index for w in windows] == list(range(len(windows)))
    assert windows[0].first == 0
    assert windows[-1].last == frames - 1
    for window in windows:
        own = window.last - window.first + 1
        assert window.first % ratio == 0
        assert window.padded % ratio == 1
        assert max(own, ratio + 1) <= window.padded <= length
        assert window.padded - own < ratio or window.padded == ratio + 1
    for before, after in pairwise(windows):
        assert before.padded == length
        assert before.last - after.first + 1 == before.fade_out == after.fade_in == overlap
    assert windows[0].fade_in == windows[-1].fade_out == 0


@given(plans(), st.integers(1, 400))
def test_windows_do_not_know_the_end(plan: tuple[int, int, int, int], longer: int) -> None:
    """A longer shot has the same windows, but for those that reach the shorter one's end."""
    frames, length, overlap, ratio = plan
    short = cut_windows(frames, length, overlap, ratio)
    long = cut_windows(frames + longer, length, overlap, ratio)
    whole = [w for w in short if w.fade_out]
    assert long[: len(whole)] == whole


def test_a_still_is_9_frames() -> None:
    """One frame is shown to the model nine times; two latents is the least it takes."""
    (window,) = cut_windows(1, 25, 9)
    assert (window.first, window.last, window.padded) == (0, 0, 9)
    assert window.weight(0) == 1
    assert [round_up_frames(n) for n in (1, 2, 9, 10, 17, 18)] == [9, 9, 9, 17, 17, 25]


def test_fade_is_linear() -> None:
    """Over 9 shared frames the weights go up by tenths, and the neighbour's down."""
    before, after = cut_windows(33, 25, 9)[:2]
    assert (before.last, after.first) == (24, 16)
    rising = [after.weight(frame) for frame in range(16, 25)]
    assert rising == pytest.approx([n / 10 for n in range(1, 10)], abs=1e-12)
    assert [before.weight(f) for f in range(16, 25)] == pytest.approx(rising[::-1], abs=1e-12)
    assert before.weight(15) == after.weight(25) == 1


@pytest.mark.parametrize(
    ("length", "overlap"), [(24, 9), (25, 8), (25, 17), (17, 9), (25, 0), (25, -7), (0, 9), (-7, 9)]
)
def test_lengths_that_do_not_fit(length: int, overlap: int) -> None:
    """A window or overlap off the grid, or an overlap of more than half, is told with both."""
    with pytest.raises(InputError, match=rf"window of {length} frames and an overlap of {overlap}"):
        cut_windows(100, length, overlap)
