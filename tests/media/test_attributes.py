"""Header values as plain Python, and what of them a new file may repeat."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import OpenImageIO
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumivid_fx.media import Windows, open_plate
from lumivid_fx.media.attributes import carried, frame_rate, from_spec, to_spec
from lumivid_fx.media.exr import read_attributes, write_exr

from .files import ramp, write_image

numbers = st.integers(-(2**31), 2**31 - 1)
floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
values = st.one_of(
    numbers,
    floats,
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40),
    st.lists(numbers, min_size=2, max_size=3).map(tuple),
    st.lists(floats, min_size=1, max_size=16).map(tuple),
    st.builds(Fraction, numbers, st.integers(1, 2**31 - 1)),
)


@given(values)
def test_any_value_survives_a_header(value: object) -> None:
    """What goes into a header comes out equal, and of the same kind."""
    spec = OpenImageIO.ImageSpec(4, 4, 3, "half")
    to_spec(spec, "lumivid/thing", value)
    seen = from_spec(spec)["lumivid/thing"]
    assert seen == value
    assert type(seen) is type(value)


@pytest.mark.parametrize(
    ("attributes", "rate"),
    [
        ({"framesPerSecond": Fraction(24000, 1001)}, Fraction(24000, 1001)),
        ({"FramesPerSecond": 25.0}, Fraction(25)),
        ({"dpx:FrameRate": 23.976}, Fraction(24000, 1001)),
        ({"dpx:FrameRate": 23.98}, Fraction(24000, 1001)),
        ({"dpx:FrameRate": 29.97}, Fraction(30000, 1001)),
        ({"dpx:TemporalFrameRate": 12.5}, Fraction(25, 2)),
        ({"dpx:FrameRate": float("nan")}, None),
        ({"dpx:FrameRate": 0.0}, None),
        ({"framesPerSecond": "24"}, None),
        ({}, None),
    ],
)
def test_frame_rate(attributes: dict[str, object], rate: Fraction | None) -> None:
    """Rounded NTSC rates become exact; nonsense is no rate."""
    assert frame_rate(attributes) == rate


def test_carried() -> None:
    """Storage and our own marks stay behind, the rest comes along."""
    kept = {"smpte:TimeCode": (1, 0), "nuke/node_hash": "8e2", "Exif:FNumber": 2.8}
    left = {"compression": "zip", "oiio:ColorSpace": "x", "tiff:Compression": 1, "lumivid/seed": 1}
    assert carried({**kept, **left}) == kept


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """A name of broken bytes is left out; a value is read as the older encoding it is of."""
    path = write_image(
        tmp_path / "a.exr", ramp(), attributes={"studio/ab": 1.5, "studio/name": "Andre"}
    )
    content = path.read_bytes().replace(b"studio/ab\0", b"studio/\xff\xfe\0")
    path.write_bytes(content.replace(b"Andre", b"Andr\xe9"))
    frame = open_plate(str(path)).read(1)
    assert frame.attributes["studio/name"] == "André"
    assert all(name.isprintable() for name in frame.attributes)
    whole = Windows.whole(40, 24)
    write_exr(
        tmp_path / "b.exr", frame.rgb, None, windows=whole, attributes=frame.attributes,
        chromaticities=None, interop_id=None, fps=None,
    )  # fmt: skip
    assert read_attributes(tmp_path / "b.exr")["studio/name"] == "André"
