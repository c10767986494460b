"""Which movies can be decoded here."""

from __future__ import annotations

from lumivid_fx.media.decoders import MOVIE_CODECS, missing_decoders


def test_codecs_of_plates_are_there() -> None:
    """PyAV's own FFmpeg decodes all three."""
    assert missing_decoders(MOVIE_CODECS) == []


def test_missing_decoder_is_named() -> None:
    """A codec that FFmpeg does not know is told, and the known ones are not."""
    assert missing_decoders(["h264", "betamax9000"]) == ["betamax9000"]
