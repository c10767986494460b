"""EXR frames: what is written is what was given, as half floats, whole or not at all."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import OpenImageIO
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lumivid_fx.color.config import WORKING_SPACES
from lumivid_fx.errors import DiskFullError, InputError, RenderError
from lumivid_fx.media import Windows, open_plate
from lumivid_fx.media.exr import (
    COMPRESSIONS,
    OutputPattern,
    is_finished,
    read_attributes,
    write_exr,
)
from lumivid_fx.media.plate import FloatImage

from .files import write_image


def light(height: int = 48, width: int = 64, seed: int = 0) -> FloatImage:
    """Scene light from -1 to some 60000, spread evenly in stops."""
    random = np.random.default_rng(seed)
    stops = random.uniform(-14, 15.8, (height, width, 3))
    sign = np.where(random.random((height, width, 3)) < 0.05, -1e-4, 1.0)
    return np.asarray(np.exp2(stops) * sign, np.float32)


def write(
    path: Path,
    rgb: FloatImage,
    alpha: FloatImage | None = None,
    *,
    attributes: dict[str, object] | None = None,
    compression: str = "zip",
    half: bool = True,
) -> int:
    """Write with windows of the picture's own size and the usual marks."""
    return write_exr(
        path,
        rgb,
        alpha,
        windows=Windows.whole(rgb.shape[1], rgb.shape[0]),
        attributes={"lumivid/frame": 1001, **(attributes or {})},
        chromaticities=WORKING_SPACES["lin_rec709"].chromaticities,
        interop_id="lin_rec709_scene",
        fps=Fraction(24),
        compression=compression,
        half=half,
    )


def bits(values: npt.NDArray[np.floating]) -> npt.NDArray[np.uint16]:
    """The bit patterns of values as halves."""
    return values.astype(np.float16).view(np.uint16)


@pytest.mark.parametrize("compression", ["zip", "zips", "piz", "none"])
def test_round_trip(tmp_path: Path, compression: str) -> None:
    """Lossless compressions give back the nearest halves, ties to even, bit for bit."""
    rgb, alpha = light(), light(seed=1)[..., 0].clip(0, 1)
    path = tmp_path / "new" / "folder" / "plate.1001.exr"
    assert write(path, rgb, alpha, compression=compression) == 0
    frame = open_plate(str(path)).read(1001)
    assert frame.alpha is not None
    assert np.array_equal(bits(frame.rgb), bits(rgb))
    assert np.array_equal(bits(frame.alpha), bits(alpha))
    assert read_attributes(path)["compression"] == compression
    assert [p.name for p in path.parent.iterdir()] == ["plate.1001.exr"]


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("matte", [False, True])
def test_layers_lie_beside_the_picture(tmp_path: Path, compression: str, matte: bool) -> None:
    """By their names and without loss, overscan included; the picture is read as without them."""
    rgb, path = light(), tmp_path / "a.exr"
    alpha = light(seed=1)[..., 0].clip(0, 1) if matte else None
    mask = light(seed=2)[..., 1].clip(0, 1)
    windows = Windows(-3, 5, 64, 48, 0, 0, 60, 50)
    write_exr(
        path,
        rgb,
        alpha,
        windows=windows,
        attributes={},
        chromaticities=None,
        interop_id=None,
        fps=None,
        compression=compression,
        layers={"lumivid.generated": mask},
    )
    image = OpenImageIO.ImageInput.open(str(path))
    assert image is not None
    spec, pixels = image.spec(), image.read_image(OpenImageIO.HALF)
    image.close()
    assert pixels is not None
    usual = ["R", "G", "B", *(["A"] if matte else [])]
    assert list(spec.channelnames) == [*usual, "lumivid.generated"]
    assert {str(kind) for kind in spec.channelformats or [spec.format]} == {"half"}
    assert (spec.x, spec.y, spec.full_width) == (-3, 5, 60)
    assert spec.alpha_channel == (3 if matte else -1)
    assert np.array_equal(bits(pixels[..., -1]), bits(mask))
    frame = open_plate(str(path)).read(1)
    assert frame.windows == windows
    assert (frame.alpha is None) == (not matte)
    if not compression.startswith("dwa"):  # lossy by design, in the picture alone
        assert np.array_equal(bits(frame.rgb), bits(rgb))


def test_layer_with_holes_is_refused(tmp_path: Path) -> None:
    """NaN is no more written there than in the picture."""
    hole = np.full((48, 64), np.nan, np.float32)
    with pytest.raises(RenderError, match="3072 of its samples are NaN"):
        write_exr(
            tmp_path / "a.exr",
            light(),
            None,
            windows=Windows.whole(64, 48),
            attributes={},
            chromaticities=None,
            interop_id=None,
            fps=None,
            layers={"lumivid.generated": hole},
        )


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_another_reader(tmp_path: Path, compression: str) -> None:
    """FFmpeg's own EXR decoder sees the same picture."""
    y, x = np.mgrid[0:48, 0:64].astype(np.float32)
    rgb = np.stack([x / 64, y / 48, (x + y) / 28], axis=-1)
    write(tmp_path / "a.exr", rgb, compression=compression)
    with av.open(str(tmp_path / "a.exr")) as container:
        decoded = next(container.decode(video=0))
        assert decoded.format.name == "gbrpf16le"
        planes = [
            np.frombuffer(memoryview(decoded.planes[part.plane]), np.float16).reshape(48, -1)
            for part in decoded.format.components
        ]
    seen = np.stack([plane[:, :64] for plane in planes], axis=-1).astype(np.float32)
    # DWA is lossy by design; at its default level of 45 a smooth ramp to 4 stays within 1 %.
    tolerance = 0.04 if compression.startswith("dwa") else 0.0
    assert np.max(np.abs(seen - rgb.astype(np.float16).astype(np.float32))) <= tolerance


@given(
    arrays(
        np.float32,
        (3, 4, 3),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=True),
    )
)
def test_any_number_is_stored_finite(
    tmp_path_factory: pytest.TempPathFactory, rgb: FloatImage
) -> None:
    """Every number but NaN is stored as its nearest half; what is beyond is clamped, counted."""
    path = tmp_path_factory.getbasetemp() / "property.exr"
    assert write(path, rgb) == np.count_nonzero(np.abs(rgb) > 65504)
    seen = open_plate(str(path)).read(1).rgb
    assert np.array_equal(bits(seen), bits(np.clip(rgb, -65504, 65504)))


def test_float_samples(tmp_path: Path) -> None:
    """32-bit files keep every bit, and clamp infinity alone."""
    rgb = light() * np.float32(1e6)
    rgb[0, 0, 0] = np.inf
    assert write(tmp_path / "a.exr", rgb, half=False) == 1
    seen = open_plate(str(tmp_path / "a.exr")).read(1).rgb
    assert seen[0, 0, 0] == np.finfo(np.float32).max
    assert np.array_equal(seen[1:], rgb[1:])


@pytest.mark.parametrize("where", ["rgb", "alpha"])
def test_nan_is_refused(tmp_path: Path, where: str) -> None:
    """NaN is told with file and frame, and an earlier file of that name stays as it was."""
    rgb, alpha = light(), light()[..., 0]
    path = tmp_path / "plate.1001.exr"
    write(path, rgb, alpha)
    before = path.read_bytes()
    (rgb if where == "rgb" else alpha)[5, 6] = np.nan
    with pytest.raises(RenderError, match=r"plate\.1001\.exr \(frame 1001\).*are NaN"):
        write(path, rgb, alpha)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_metadata(tmp_path: Path) -> None:
    """Colour, rate and our own marks are written in EXR's types; the source's colour is not."""
    attributes: dict[str, object] = {
        "lumivid/model": "embedded",
        "lumivid/seed": 2**40,
        "lumivid/strength": 0.5,
        "smpte:TimeCode": (0x01020304, 0),
        "PixelAspectRatio": 2.0,
        "worldToCamera": tuple(float(n) for n in range(16)),
        "cropWindow": (0, 0, 63, 47),
        "offset": (1.5, 2.5),
        "captureRate": Fraction(48000, 1001),
        "nuke/node_hash": "8e2",
        "views": ("left", "right"),
        "chromaticities": WORKING_SPACES["acescg"].chromaticities,
        "colorInteropID": "lin_ap1_scene",
        "framesPerSecond": Fraction(30),
        "compression": "rle",
        "oiio:UnassociatedAlpha": 1,
    }
    write(tmp_path / "a.exr", light(), attributes=attributes)
    seen = read_attributes(tmp_path / "a.exr")
    replaced = {"chromaticities", "colorInteropID", "framesPerSecond", "compression"}
    for name in set(attributes) - replaced - {"lumivid/seed", "oiio:UnassociatedAlpha"}:
        assert seen[name] == attributes[name], name
    assert seen["lumivid/seed"] == str(2**40)  # EXR's integers have 32 bits
    assert seen["lumivid/frame"] == 1001
    assert seen["framesPerSecond"] == Fraction(24)
    assert seen["colorInteropID"] == "lin_rec709_scene"
    assert seen["compression"] == "zip"
    assert "oiio:UnassociatedAlpha" not in seen
    assert isinstance(seen["chromaticities"], tuple)
    # EXR stores them as 32-bit floats.
    assert seen["chromaticities"] == pytest.approx(
        WORKING_SPACES["lin_rec709"].chromaticities, abs=1e-7
    )
    with pytest.raises(TypeError, match="attribute lumivid/x is a dict"):
        write(tmp_path / "b.exr", light(), attributes={"lumivid/x": {}})


def test_a_plate_goes_through_unchanged(tmp_path: Path) -> None:
    """Reading and writing keeps pixels, alpha, windows and metadata, again and again."""
    source = write_image(
        tmp_path / "in.1001.exr",
        np.concatenate([light(), light()[..., :1]], axis=-1).astype(np.float16),
        origin=(-4, 7),
        display=(0, 0, 100, 80),
        attributes={"smpte:TimeCode": ("timecode", [0x10203, 0]), "v": ("float[3]", [1, 2, 3])},
    )
    first = open_plate(str(source)).read(1001)
    for name in ("a.1001.exr", "b.1001.exr"):
        frame = open_plate(str(source)).read(1001)
        source = tmp_path / name
        write_exr(
            source,
            frame.rgb,
            frame.alpha,
            windows=frame.windows,
            attributes=frame.attributes,
            chromaticities=None,
            interop_id=None,
            fps=None,
        )
    last = open_plate(str(source)).read(1001)
    assert last.windows == first.windows == Windows(-4, 7, 64, 48, 0, 0, 100, 80)
    assert np.array_equal(last.rgb, first.rgb)
    assert last.alpha is not None
    assert first.alpha is not None
    assert np.array_equal(last.alpha, first.alpha)
    assert last.attributes == first.attributes


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    """No clock and no random name gets into a file."""
    write(tmp_path / "a.exr", light())
    write(tmp_path / "b.exr", light())
    assert (tmp_path / "a.exr").read_bytes() == (tmp_path / "b.exr").read_bytes()
    assert "DateTime" not in read_attributes(tmp_path / "a.exr")


@pytest.mark.parametrize("compression", ["pxr24", "htj2k", "ZIP", ""])
def test_unknown_compression(tmp_path: Path, compression: str) -> None:
    """Names outside the list are refused, for OpenImageIO would write zip instead."""
    with pytest.raises(InputError, match="use one of zip, zips, piz, dwaa, dwab, none"):
        write(tmp_path / "a.exr", light(), compression=compression)
    assert not list(tmp_path.iterdir())


def test_pixels_must_fill_the_window(tmp_path: Path) -> None:
    """A picture of another size than its window is a programming error."""
    with pytest.raises(ValueError, match="do not fill the data window"):
        write_exr(
            tmp_path / "a.exr",
            light(),
            None,
            windows=Windows.whole(64, 47),
            attributes={},
            chromaticities=None,
            interop_id=None,
            fps=None,
        )


@contextmanager
def small_disk(size: int) -> Iterator[None]:
    """No file may grow past a size, as on a disk that fills up (EFBIG where that gives ENOSPC)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("compression", ["none", "zip", "piz", "dwaa"])
def test_full_disk(tmp_path: Path, compression: str) -> None:
    """A file that does not fit leaves nothing behind, and finished frames stay."""
    rgb = light(300, 400)
    write(tmp_path / "p.1001.exr", rgb, compression=compression)
    size = (tmp_path / "p.1001.exr").stat().st_size
    for limit in (100, size // 2, size - 1):
        with small_disk(limit), pytest.raises(DiskFullError, match=r"p\.1002\.exr.*free space"):
            write(tmp_path / "p.1002.exr", rgb, compression=compression)
        assert [p.name for p in tmp_path.iterdir()] == ["p.1001.exr"]
    assert is_finished(tmp_path / "p.1001.exr")


def test_unwritable(tmp_path: Path) -> None:
    """A path that leads through a file, or is a folder, is told with a remedy; no trace is left."""
    (tmp_path / "file").touch()
    (tmp_path / "folder.exr").mkdir()
    for path in (tmp_path / "file" / "a.exr", tmp_path / "folder.exr", tmp_path / ("n" * 300)):
        with pytest.raises(InputError, match=r"cannot be written.*choose another folder"):
            write(path, light())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.exr"]


def test_finished(tmp_path: Path) -> None:
    """Only a whole file with our mark is a finished frame."""
    path = tmp_path / "a.exr"
    assert not is_finished(path)
    write(path, light(300, 400))
    whole = path.read_bytes()
    assert is_finished(path)
    for length in (0, 100, len(whole) // 2, len(whole) - 10):
        path.write_bytes(whole[:length])
        assert not is_finished(path), length
    assert not is_finished(write_image(tmp_path / "foreign.exr", light()))


@pytest.mark.parametrize(
    ("target", "still", "number", "path"),
    [
        ("out/plate.####.exr", False, 7, "out/plate.0007.exr"),
        ("out/plate.%04d.exr", False, 12345, "out/plate.12345.exr"),
        ("out/plate.@@@@@.exr", False, 7, "out/plate.00007.exr"),
        ("out/plate.####.exr", False, -5, "out/plate.-005.exr"),
        ("out", False, 1001, "out/bg.1001.exr"),
        ("out/v1.2/", False, 1001, "out/v1.2/bg.1001.exr"),
        ("out/still.exr", True, 1001, "out/still.exr"),
        ("out/still.####.exr", True, 1, "out/still.0001.exr"),
    ],
)
def test_output_pattern(target: str, still: bool, number: int, path: str) -> None:
    """Tokens, folders and single names give the file of each frame."""
    assert OutputPattern(target, stem="bg", still=still).path(number) == Path(path)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("out/plate.exr", r"one name for several frames; write plate\.####\.exr"),
        ("out/plate.####.png", "does not end in .exr"),
        ("out/plate.mov", "does not end in .exr"),
        ("out/plate_####_v2.exr", "right before .exr"),
        ("out/plate_%04d_v2.exr", "right before .exr"),
    ],
)
def test_output_patterns_that_will_not_do(target: str, told: str) -> None:
    """What would overwrite itself, or is no EXR, is refused."""
    with pytest.raises(InputError, match=told):
        OutputPattern(target)
