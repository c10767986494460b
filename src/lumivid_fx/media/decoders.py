"""Which movies this machine's FFmpeg can decode."""

from __future__ import annotations

from collections.abc import Sequence

MOVIE_CODECS = ("h264", "hevc", "prores", "dnxhd")
"""FFmpeg's names of the codecs that plates come in; DNxHR is of the same decoder as DNxHD."""


def missing_decoders(names: Sequence[str] = MOVIE_CODECS) -> list[str]:
    """Name the codecs that PyAV's FFmpeg has no decoder for.

    Raises:
        ImportError: PyAV is not installed, or its libraries do not load.
    """
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    missing = []
    for name in names:
        try:
            Codec(name, "r")
        except UnknownCodecError:
            missing.append(name)
    return missing
