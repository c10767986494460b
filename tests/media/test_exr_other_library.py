"""Our EXRs read back by the OpenEXR package, and its EXRs read by us."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest

from lumivid_fx.color.config import WORKING_SPACES
from lumivid_fx.errors import InputError
from lumivid_fx.media import Windows, open_plate
from lumivid_fx.media.exr import COMPRESSIONS, write_exr
from lumivid_fx.media.plate import FloatImage

from .exr_reader import box, header_of, pixels_of, plain, write, write_parts

LOSSLESS = ("NO", "RLE", "ZIPS", "ZIP", "PIZ", "ZSTD", "HTJ2K32", "HTJ2K256")

WINDOWS = Windows(-8, -4, 80, 56, 0, 0, 64, 48)
"""Overscan on every side."""


def picture(channels: int = 4) -> FloatImage:
    """Smooth light from below 0 to above 1, and alpha."""
    y, x = np.mgrid[0:56, 0:80].astype(np.float32)
    parts = [x / 20 - 0.2, y / 30, (x + y) / 60, x / 80]
    return np.stack(parts[:channels], axis=-1)


def put(path: Path, *, space: str = "lin_rec709", compression: str = "zip", alpha: bool = True,
        half: bool = True, layers: dict[str, FloatImage] | None = None,
        **attributes: object) -> FloatImage:  # fmt: skip
    """Write the picture by our writer."""
    pixels = picture()
    write_exr(
        path,
        np.ascontiguousarray(pixels[..., :3]),
        np.ascontiguousarray(pixels[..., 3]) if alpha else None,
        windows=WINDOWS,
        attributes={"lumivid/frame": 1001, **attributes},
        chromaticities=WORKING_SPACES[space].chromaticities,
        interop_id=WORKING_SPACES[space].interop_id,
        fps=Fraction(24000, 1001),
        compression=compression,
        half=half,
        layers=layers,
    )
    return pixels if alpha else pixels[..., :3]


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_ours_by_openexr(tmp_path: Path, compression: str, alpha: bool) -> None:
    """Every compression: pixels, windows, rate and colour are what OpenEXR itself reads."""
    path = tmp_path / "a.exr"
    pixels = put(path, compression=compression, alpha=alpha)
    header, seen = header_of(path), pixels_of(path)
    name = {"none": "NO"}.get(compression, compression.upper())
    assert header["compression"] == getattr(OpenEXR, f"{name}_COMPRESSION")
    assert plain(header["dataWindow"]) == plain(box(-8, -4, 80, 56))
    assert plain(header["displayWindow"]) == plain(box(0, 0, 64, 48))
    assert header["framesPerSecond"] == Fraction(24000, 1001)
    assert header["colorInteropID"] == "lin_rec709_scene"
    assert OpenEXR.checkColorMetadata(header) == OpenEXR.OK
    assert seen.dtype == np.float16
    # DWA is lossy by design; at its level of 45 this ramp to 4 stays within 1 %.
    tolerance = 0.04 if compression.startswith("dwa") else 0.0
    assert np.max(np.abs(seen.astype(np.float32) - pixels.astype(np.float16))) <= tolerance


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize(
    ("compression", "tolerance"),
    [
        *((name, 0.0) for name in LOSSLESS),
        # Lossy by design: PXR24 drops 8 of a float's 24 bits; the others are for looks.
        ("PXR24", 4e-5), ("B44", 0.03), ("B44A", 0.03), ("DWAA", 0.04), ("DWAB", 0.04),
    ],
)  # fmt: skip
def test_openexr_by_us(
    tmp_path: Path, compression: str, tolerance: float, dtype: type[np.floating]
) -> None:
    """Any compression in, half or float, in its windows and with its alpha."""
    pixels = picture().astype(dtype)
    header = {
        "compression": getattr(OpenEXR, f"{compression}_COMPRESSION"),
        "dataWindow": box(-8, -4, 80, 56),
        "displayWindow": box(0, 0, 64, 48),
    }
    frame = open_plate(str(write(tmp_path / "a.1001.exr", pixels, header))).read(1001)
    assert frame.windows == WINDOWS
    assert frame.alpha is not None
    seen = np.concatenate([frame.rgb, frame.alpha[..., None]], axis=-1)
    assert np.max(np.abs(seen - pixels.astype(np.float32))) <= tolerance


def test_tiles(tmp_path: Path) -> None:
    """Tiles are read as lines are."""
    tiles = OpenEXR.TileDescription()
    tiles.xSize = tiles.ySize = 32
    pixels = picture().astype(np.float16)
    header = {"type": OpenEXR.tiledimage, "tiles": tiles, "dataWindow": box(0, 0, 80, 56)}
    frame = open_plate(str(write(tmp_path / "a.exr", pixels, header))).read(1)
    assert np.array_equal(frame.rgb, pixels[..., :3].astype(np.float32))


def test_parts(tmp_path: Path) -> None:
    """Of several parts, each under its own compression, the first picture is read."""
    pixels, grey = picture(3).astype(np.float16), picture(1)[..., 0].astype(np.float32)
    path = write_parts(
        tmp_path / "a.exr",
        {
            "depth": ({"Z": grey}, "ZIP"),
            "diffuse": ({"diffuse.R": grey, "diffuse.G": grey, "diffuse.B": grey}, "PIZ"),
            "beauty": ({"RGB": pixels}, "DWAB"),
            "again": ({"RGB": pixels * 0}, "ZIPS"),
        },
    )
    frame = open_plate(str(path)).read(1)
    assert np.max(np.abs(frame.rgb - pixels.astype(np.float32))) < 0.04
    with pytest.raises(InputError, match=r"no R, G and B channels \(it holds Z\)"):
        open_plate(str(write_parts(tmp_path / "b.exr", {"depth": ({"Z": grey}, "ZIP")})))


def test_a_header_goes_through_whole(tmp_path: Path) -> None:
    """Every kind of attribute comes out under its own name and type, by OpenEXR's own reading."""
    header = {
        "pixelAspectRatio": 2.0,
        "screenWindowWidth": 1.5,
        "screenWindowCenter": np.array([0.1, 0.2], np.float32),
        "dataWindow": box(-8, -4, 80, 56),
        "displayWindow": box(0, 0, 64, 48),
        "timeCode": OpenEXR.TimeCode(1, 2, 3, 4, *[False] * 6, *[1, 2, 3, 4, 5, 6, 7, 8]),
        "keyCode": OpenEXR.KeyCode(1, 2, 3, 4, 5, 6, 20),
        "owner": "the studio", "comments": 'he said "so"\nand left',
        "capDate": "2026:01:02 03:04:05",
        "utcOffset": 3600.0, "longitude": 1.5, "latitude": -2.5, "altitude": 2.5, "focus": 3.0,
        "expTime": 0.02, "aperture": 2.8, "isoSpeed": 800.0, "xDensity": 72.0,
        "whiteLuminance": 100.0,
        "worldToCamera": np.eye(4, dtype=np.float32) * 2, "worldToNDC": np.eye(4, dtype=np.float32),
        "reelName": "A001", "cameraModel": "X", "imageCounter": 7, "view": "left",
        "wrapmodes": "clamp",
        "studio/int": -7, "studio/float": 1.25, "studio/text": "é 日本",
        "studio/name with space": "x",
        "studio/v2f": np.array([1, 2], np.float32), "studio/v2i": np.array([1, 2], np.int32),
        "studio/v3f": np.array([1, 2, 3], np.float32), "studio/v3i": np.array([1, 2, 3], np.int32),
        "studio/m33f": np.arange(9, dtype=np.float32).reshape(3, 3),
        "studio/m44f": np.arange(16, dtype=np.float32).reshape(4, 4),
        "studio/box2i": box(1, 2, 3, 4),
        "studio/box2f": (np.array([0, 1], np.float32), np.array([5, 6], np.float32)),
        "studio/texts": ["a", "bb"], "nuke/input/frame_rate": "23.976", "Exif:Flash": 3,
    }  # fmt: skip
    path = write(tmp_path / "a.1001.exr", picture().astype(np.float16), header)
    frame = open_plate(str(path)).read(1001)
    write_exr(
        tmp_path / "b.exr", frame.rgb, frame.alpha, windows=frame.windows,
        attributes=frame.attributes, chromaticities=None, interop_id=None, fps=None,
    )  # fmt: skip
    before, after = header_of(path), header_of(tmp_path / "b.exr")
    for name in set(before) - {"compression", "name"}:
        assert plain(after[name]) == plain(before[name]), name
    # The unit that EXR's pixels per inch are told in, which OpenImageIO adds.
    assert set(after) - set(before) == {"ResolutionUnit"}


def test_doubles_become_floats(tmp_path: Path) -> None:
    """OpenImageIO writes no doubles: their values are kept as near as floats come."""
    values = {"studio/v3d": np.array([0.1, 0.2, 0.3]), "studio/m33d": np.eye(3) / 3}
    path = write(tmp_path / "a.exr", picture(3).astype(np.float16), values)
    frame = open_plate(str(path)).read(1)
    put(tmp_path / "b.exr", **dict[str, Any](frame.attributes))
    after = header_of(tmp_path / "b.exr")
    for name, value in values.items():
        assert np.array_equal(after[name], value.astype(np.float32))


@pytest.mark.parametrize(
    ("space", "compression", "half", "flag"),
    [
        ("aces2065-1", "none", True, True),
        ("aces2065-1", "zip", True, False),
        ("aces2065-1", "none", False, False),
        ("acescg", "none", True, False),
    ],
)
@pytest.mark.parametrize("alpha", [False, True])
def test_aces_container(
    tmp_path: Path, space: str, compression: str, half: bool, flag: bool, alpha: bool
) -> None:
    """The flag stands where all of ST 2065-4 holds and nowhere else; it is never carried on."""
    path = tmp_path / "a.exr"
    put(
        path, space=space, compression=compression, half=half, alpha=alpha, acesImageContainerFlag=1
    )
    header = header_of(path)
    assert ("acesImageContainerFlag" in header) == flag
    if flag:
        assert header["acesImageContainerFlag"] == 1
        assert OpenEXR.checkColorMetadata(header) == OpenEXR.OK


def test_a_mask_is_no_part_of_an_aces_container(tmp_path: Path) -> None:
    """ST 2065-4 allows no channel of another name: with one, the file makes no claim."""
    mask = {"lumivid.generated": np.full(picture().shape[:2], 0.5, np.float32)}
    put(tmp_path / "a.exr", space="aces2065-1", compression="none", layers=mask)
    header = header_of(tmp_path / "a.exr")
    assert [channel.name for channel in header["channels"]] == [*"ABGR", *mask]
    assert "acesImageContainerFlag" not in header


@pytest.mark.parametrize("aspect", [0.0, -1.0, float("inf"), float("nan")])
def test_an_aspect_that_no_pixel_has(tmp_path: Path, aspect: float) -> None:
    """DPX headers hold such; none gets as far as a file of ours."""
    put(tmp_path / "a.exr", PixelAspectRatio=2.0)
    assert header_of(tmp_path / "a.exr")["pixelAspectRatio"] == 2.0
    content = bytearray((tmp_path / "a.exr").read_bytes())
    at = content.index(b"pixelAspectRatio\0float\0") + 27
    content[at : at + 4] = np.float32(aspect).tobytes()
    (tmp_path / "b.exr").write_bytes(content)
    try:
        frame = open_plate(str(tmp_path / "b.exr")).read(1)
    except InputError:
        return
    assert "PixelAspectRatio" not in frame.attributes
