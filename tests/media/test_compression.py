"""Real codecs, in memory: each quality costs what it should, and the same again each time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lumivid_fx.media.compression import CODECS, Codec, compress
from lumivid_fx.media.plate import FloatImage


def moving(height: int = 48, width: int = 64, frames: int = 5) -> FloatImage:
    """A clip of moving waves with some texture."""
    rows, columns = np.mgrid[0:height, 0:width] / 50
    grain = np.random.default_rng(0).standard_normal((frames, height, width, 3)) * 0.02
    clip = []
    for t in range(frames):
        waves = [np.sin(6 * columns + t / 3), np.cos(9 * rows), columns / 4]
        clip.append(0.5 + 0.4 * np.stack(waves, axis=-1))
    return (np.stack(clip) + grain).clip(0, 1).astype(np.float32)


@pytest.mark.parametrize("codec", CODECS)
def test_worse_quality_is_further_from_the_clip(codec: Codec) -> None:
    """And the best is near it: 8 bits and half-size chroma are all that is lost."""
    clip = moving()
    errors = [float(np.abs(compress(clip, codec, q) - clip).mean()) for q in (0, 25, 45)]
    assert errors[0] < errors[1] < errors[2]
    assert errors[0] < 0.015  # the grain's chroma, averaged over 2 by 2
    assert errors[2] > 0.02  # the grain is gone: its mean size is 0.016


@pytest.mark.parametrize("codec", CODECS)
def test_the_same_clip_gives_the_same_bits_on_any_thread(codec: Codec) -> None:
    """A pair is a function of its number, whatever else runs beside it."""
    clip = moving()
    alone = compress(clip, codec, 30)
    with ThreadPoolExecutor(3) as pool:
        beside = list(pool.map(lambda _: compress(clip, codec, 30), range(3)))
    assert all(np.array_equal(alone, other) for other in beside)


@pytest.mark.parametrize("codec", CODECS)
def test_the_same_clip_gives_the_same_bits_whatever_memory_held(codec: Codec) -> None:
    """Nothing of what was freed before gets into a clip, in a width that codecs have to fill up."""
    clip = moving(width=96)
    seen = set()
    for value in range(8):
        freed = [np.full(size, 31 * value, np.uint8) for size in range(1000, 200_000, 7919)]
        del freed
        seen.add(compress(clip, codec, 30).tobytes())
    assert len(seen) == 1


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(("frames", "height", "width"), [(1, 17, 23), (9, 33, 64)])
def test_any_size_comes_back_as_it_was(codec: Codec, frames: int, height: int, width: int) -> None:
    """Odd edges, stills and pictures smaller than a codec's block."""
    clip = np.full((frames, height, width, 3), 0.25, np.float32)
    shown = compress(clip, codec, 20)
    assert shown.shape == clip.shape
    assert shown.dtype == np.float32
    assert np.allclose(shown, clip, atol=3 / 255)  # rounding of luma and of both chromas


@pytest.mark.parametrize("codec", CODECS)
def test_frames_keep_their_order(codec: Codec) -> None:
    """Codecs store frames out of order; the third is the third again."""
    clip = np.stack([np.full((32, 32, 3), level, np.float32) for level in np.linspace(0, 1, 9)])
    shown = compress(clip, codec, 20).mean(axis=(1, 2, 3))
    assert np.allclose(shown, np.linspace(0, 1, 9), atol=0.02)  # eight levels lie 0.125 apart


def test_a_quality_no_codec_has_is_refused() -> None:
    """Its range is 0 to 51."""
    with pytest.raises(ValueError, match="0 to 51, got 60"):
        compress(moving(), "h264", 60)
