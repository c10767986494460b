"""Frame rates, and SMPTE time code: a movie's text, and the words an EXR holds for each frame."""

from __future__ import annotations

import re
from fractions import Fraction

_TEXT = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)")
_DROP_RATE = 30
_DROPPED = 2
"""Frame numbers left out at the start of a minute, but for every tenth: SMPTE ST 12-1, 5.2.2."""


def exact_rate(rate: Fraction | float) -> Fraction:
    """The true rate that a header means: 23.98 or 19001/317 are 24000/1001 and 60000/1001."""
    whole = Fraction(round(rate))
    ntsc = Fraction(round(rate * 1.001) * 1000, 1001)
    nearest = min((whole, ntsc), key=lambda true: abs(true - Fraction(rate)))
    # Whole and NTSC rates are 0.1 % apart; two decimals, or a short clip's average, err by less
    # than a quarter of that.
    if nearest and abs(Fraction(rate) / nearest - 1) < Fraction(25, 100_000):
        return nearest
    return Fraction(rate).limit_denominator(1001)


def timecode_words(start: str, offset: int, fps: Fraction) -> tuple[int, int] | None:
    """Time code of a frame, packed as EXR's `timeCode` has it.

    Args:
        start: Time code of the first frame: ``01:02:03:04``, or ``01:02:03;04`` with drop frames.
        offset: Frames since then.
        fps: Frames per second.

    Returns:
        The time and flags word of SMPTE ST 12-1 and no user data; None where the text is no time
        code, or the rate is above 60. Above 30 frames a second its two digits count pairs, and the
        field mark, bit 15 as EXR packs it, tells the second of a pair (ST 12-1:2014, 12).
    """
    match = _TEXT.fullmatch(start)
    rate = round(fps)
    if match is None or not 0 < rate <= 2 * _DROP_RATE:
        return None
    hours, minutes, seconds, frames = (int(match[group]) for group in (1, 2, 3, 5))
    per_number = 1 if rate <= _DROP_RATE else 2
    rate = -(-rate // per_number)
    drop = match[4] != ":" and rate == _DROP_RATE
    total_minutes = hours * 60 + minutes
    number, second = divmod(frames + offset, per_number)
    count = (total_minutes * 60 + seconds) * rate + number
    if drop:
        count = _number_with_drops(count - _DROPPED * (total_minutes - total_minutes // 10))
    seconds, frames = divmod(count, rate)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    word = _bcd(frames) | drop << 6 | _bcd(seconds) << 8 | second << 15 | _bcd(minutes) << 16
    return word | _bcd(hours % 24) << 24, 0


def timecode_text(words: object, fps: Fraction) -> str | None:
    """Write an EXR's `timeCode` as movies have it: the inverse of :func:`timecode_words`.

    Args:
        words: The time and flags word and the user word; anything else is no time code.
        fps: Frames per second.

    Returns:
        The text; None where there is no time code, or none that the rate has.
    """
    rate = round(fps)
    if not (isinstance(words, tuple) and len(words) == 2 and isinstance(words[0], int)):
        return None
    word = words[0] & 0xFFFFFFFF
    frames = _from_bcd(word & 0x3F)
    seconds, minutes = (_from_bcd(word >> shift & 0x7F) for shift in (8, 16))
    hours = _from_bcd(word >> 24 & 0x3F)
    if rate > _DROP_RATE:
        frames = 2 * frames + (word >> 15 & 1)
    if hours > 23 or minutes > 59 or seconds > 59 or not frames < rate <= 2 * _DROP_RATE:
        return None
    drop = word >> 6 & 1 and rate in (_DROP_RATE, 2 * _DROP_RATE)
    return f"{hours:02}:{minutes:02}:{seconds:02}{';' if drop else ':'}{frames:02}"


def _from_bcd(digits: int) -> int:
    return (digits >> 4) * 10 + (digits & 0xF)


def _number_with_drops(count: int) -> int:
    """Frames since midnight to the count that the dropped numbers would make of it."""
    minute = 60 * _DROP_RATE - _DROPPED
    ten_minutes = 10 * minute + _DROPPED
    tens, rest = divmod(count, ten_minutes)
    return count + _DROPPED * (9 * tens + max(0, rest - _DROPPED) // minute)


def _bcd(number: int) -> int:
    return number // 10 << 4 | number % 10
