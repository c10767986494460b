"""Time codes of single frames, against counting by hand."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice

import pytest

from lumivid_fx.media.timecode import exact_rate, timecode_text, timecode_words

NTSC = Fraction(30000, 1001)


def packed(text: str) -> int:
    """Words of SMPTE ST 12-1 by reading the digits as hexadecimal; bit 6 for drop frame."""
    return int(text.replace(":", "").replace(";", ""), 16) | (64 if ";" in text else 0)


def counted(rate: int, *, drop: bool) -> Iterator[str]:
    """Every time code of a day, as a clock that leaves out 00 and 01 would count."""
    for hour in range(24):
        for minute in range(60):
            for second in range(60):
                for frame in range(rate):
                    if drop and second == 0 and frame < 2 and minute % 10:
                        continue
                    separator = ";" if drop else ":"
                    yield f"{hour:02}:{minute:02}:{second:02}{separator}{frame:02}"


@pytest.mark.parametrize(
    ("fps", "drop"),
    [(Fraction(24), False), (Fraction(24000, 1001), False), (Fraction(25), False), (NTSC, False),
     (NTSC, True)],
)  # fmt: skip
@pytest.mark.parametrize("begin", [0, 1795, 17975, 108_000])
def test_against_a_clock(fps: Fraction, drop: bool, begin: int) -> None:
    """Across minutes, tens of minutes and hours, each frame has the clock's next time code."""
    clock = list(islice(counted(round(fps), drop=drop), begin, begin + 2000))
    for offset in range(0, 2000, 7):
        assert timecode_words(clock[0], offset, fps) == (packed(clock[offset]), 0)


@pytest.mark.parametrize("rate", [48, 50, 60])
def test_pairs_of_frames(rate: int) -> None:
    """Above 30 frames a second two frames share a number, and a bit tells the second of them."""
    clock = list(islice(counted(rate, drop=False), 100_000))
    for place in range(0, 100_000, 997):
        whole, frame = clock[place].rsplit(":", 1)
        words = timecode_words(clock[40], place - 40, Fraction(rate)) if place > 40 else None
        if words is not None:
            pair = f"{whole}:{int(frame) // 2:02}"
            assert words == (packed(pair) | (int(frame) % 2) << 15, 0)


def test_pairs_that_drop_numbers() -> None:
    """59.94 frames a second leave out the pairs 00 and 01 of most minutes."""
    ntsc = Fraction(60000, 1001)
    assert timecode_words("00:00:59;58", 3, ntsc) == (packed("00:01:00;02") | 1 << 15, 0)
    assert timecode_words("00:09:59;58", 2, ntsc) == (packed("00:10:00;00"), 0)


def test_midnight() -> None:
    """After the last frame of a day comes the first."""
    assert timecode_words("23:59:59:23", 1, Fraction(24)) == (0, 0)
    assert timecode_words("23:59:59;29", 1, NTSC) == (packed("00:00:00;00"), 0)


@pytest.mark.parametrize(
    ("text", "fps"),
    [("", Fraction(24)), ("1:2:3:4", Fraction(24)), ("01:02:03:04", Fraction(120)),
     ("reel 7", Fraction(25))],
)  # fmt: skip
def test_what_is_no_time_code(text: str, fps: Fraction) -> None:
    """Other text, and rates whose frames need more digits, give none."""
    assert timecode_words(text, 0, fps) is None


@pytest.mark.parametrize("rate", [24, 25, 30, 48, 50, 60, 120])
def test_exact_rate(rate: int) -> None:
    """Whole rates stay, rounded NTSC rates become exact, other rates are left alone."""
    ntsc = Fraction(rate * 1000, 1001)
    assert exact_rate(float(rate)) == rate
    assert exact_rate(ntsc) == ntsc
    assert exact_rate(round(float(ntsc), 2)) == ntsc
    assert exact_rate(round(float(ntsc), 3)) == ntsc
    assert exact_rate(rate + 0.25) == Fraction(4 * rate + 1, 4)


def test_slow_rates() -> None:
    """Time lapses run at fractions of a frame a second."""
    assert exact_rate(0.25) == Fraction(1, 4)
    assert exact_rate(Fraction(1, 3)) == Fraction(1, 3)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("01:02:03:04", Fraction(24)),
        ("23:59:59:23", Fraction(24000, 1001)),
        ("00:01:00;02", Fraction(30000, 1001)),
        ("00:01:00;05", Fraction(60000, 1001)),
        ("10:00:00:49", Fraction(50)),
    ],
)
def test_words_as_text(text: str, rate: Fraction) -> None:
    """What a movie's text became goes back to that text."""
    assert timecode_text(timecode_words(text, 0, rate), rate) == text


@pytest.mark.parametrize("words", [None, "01:02:03:04", (0x24000000, 0), (0x00000024, 0), (1,)])
def test_words_that_are_no_time_code(words: object) -> None:
    """Other values, hour 24, and more frames than the rate has."""
    assert timecode_text(words, Fraction(24)) is None
