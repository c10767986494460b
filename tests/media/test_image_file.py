"""Image files: every code exact, windows and alpha kept, other layers left, faults told."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import OpenImageIO
import pytest
from PIL import Image, ImageOps

from lumivid_fx.errors import InputError
from lumivid_fx.media import Windows, open_plate

from .files import fill, noise, ramp, write_image


@pytest.mark.parametrize("extension", ["png", "tif", "dpx"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_codes_are_exact(tmp_path: Path, extension: str, dtype: type[np.unsignedinteger]) -> None:
    """8-bit codes read as code/255 and 16-bit codes as code/65535, to the last bit."""
    codes = noise(dtype, 3)
    plate = open_plate(str(write_image(tmp_path / f"a.{extension}", codes)))
    frame = plate.read(1)
    assert np.array_equal(frame.rgb, codes.astype(np.float32) / np.float32(np.iinfo(dtype).max))
    assert frame.rgb.dtype == np.float32
    assert frame.rgb.flags.c_contiguous
    assert (plate.space, plate.has_alpha, frame.alpha) == ("srgb", False, None)
    assert (plate.width, plate.height, plate.fps) == (31, 17, None)


@pytest.mark.parametrize(("bits", "name"), [(10, "gbrp10be"), (12, "gbrp12be")])
def test_dpx_of_another_maker(tmp_path: Path, bits: int, name: str) -> None:
    """All codes of a 10 or 12 bit DPX that FFmpeg wrote come back as code/1023 or code/4095."""
    levels = 1 << bits
    codes = np.arange(levels, dtype=np.uint16).reshape(-1, 64)
    frame = av.VideoFrame(64, levels // 64, name)
    fill(frame, [codes] * 3)
    codec = av.CodecContext.create("dpx", "w")
    assert isinstance(codec, av.VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = 64, levels // 64, name
    codec.time_base = Fraction(1, 24)
    path = tmp_path / "a.1001.dpx"
    path.write_bytes(bytes(codec.encode(frame)[0]))
    rgb = open_plate(str(path)).read(1001).rgb
    expected = codes.astype(np.float32) / np.float32(levels - 1)
    assert np.array_equal(rgb, np.repeat(expected[..., None], 3, axis=-1))


def test_jpeg_agrees_with_pillow(tmp_path: Path) -> None:
    """Colour and grey JPEG decode to the same codes as in Pillow; grey is replicated."""
    picture = np.clip(ramp() * 200, 0, 255).astype(np.uint8)
    for name, mode in (("colour.jpg", "RGB"), ("grey.jpg", "L")):
        Image.fromarray(picture).convert(mode).save(tmp_path / name, quality=95)
        codes = np.asarray(Image.open(tmp_path / name).convert("RGB"))
        rgb = open_plate(str(tmp_path / name)).read(1).rgb
        # Both libraries use libjpeg-turbo's default decoder, so that not one code may differ.
        assert np.array_equal(rgb, codes.astype(np.float32) / np.float32(255))


@pytest.mark.parametrize("extension", ["png", "tif"])
def test_colour_is_not_multiplied_by_alpha(tmp_path: Path, extension: str) -> None:
    """Straight alpha stays straight, to the code, and the frame says so."""
    codes = noise(np.uint8, 4)
    Image.fromarray(codes).save(tmp_path / f"a.{extension}")
    plate = open_plate(str(tmp_path / f"a.{extension}"))
    frame = plate.read(1)
    assert plate.has_alpha
    assert frame.alpha is not None
    assert np.array_equal(np.rint(frame.rgb * 255), codes[..., :3])
    assert np.array_equal(np.rint(frame.alpha * 255), codes[..., 3])
    assert frame.attributes["oiio:UnassociatedAlpha"] == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_honoured(tmp_path: Path, orientation: int) -> None:
    """A photograph stands as Pillow turns it, whichever way the camera was held."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(noise(np.uint8, 3)).save(tmp_path / "a.jpg", exif=exif, subsampling=0)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.jpg")))
    with open_plate(str(tmp_path / "a.jpg")) as plate:
        frame = plate.read(1)
    assert (plate.height, plate.width) == upright.shape[:2]
    assert np.array_equal(np.rint(frame.rgb * 255), upright)
    assert "Orientation" not in frame.attributes


@pytest.mark.parametrize("compression", ["none", "rle", "zip", "zips", "piz"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_exr_with_windows_layers_and_alpha(
    tmp_path: Path, compression: str, dtype: type[np.floating]
) -> None:
    """The main layer of an EXR is read in its data window, other layers are passed over."""
    pixels = ramp(channels=8)
    stored = pixels.astype(dtype)
    path = write_image(
        tmp_path / "a.1001.exr",
        stored,
        channels=["diffuse.R", "diffuse.G", "diffuse.B", "R", "G", "B", "A", "Z"],
        origin=(-3, 5),
        display=(0, 0, 64, 48),
        attributes={"compression": compression},
    )
    frame = open_plate(str(path)).read(1001)
    assert np.array_equal(frame.rgb, stored[..., 3:6].astype(np.float32))
    assert frame.alpha is not None
    assert np.array_equal(frame.alpha, stored[..., 6].astype(np.float32))
    assert frame.windows == Windows(-3, 5, 40, 24, 0, 0, 64, 48)


def test_exr_of_one_channel_is_grey(tmp_path: Path) -> None:
    """Y alone is replicated; depth alone is no picture."""
    pixels = ramp(channels=1)
    rgb = open_plate(str(write_image(tmp_path / "grey.exr", pixels, channels=["Y"]))).read(1).rgb
    assert np.array_equal(rgb, np.repeat(pixels, 3, axis=-1))
    with pytest.raises(InputError, match=r"no R, G and B channels \(it holds Z\)"):
        open_plate(str(write_image(tmp_path / "depth.exr", pixels, channels=["Z"])))


def test_exr_of_several_parts(tmp_path: Path) -> None:
    """The first part that holds a picture is read, whatever parts come before it."""
    path = str(tmp_path / "parts.exr")
    depth = OpenImageIO.ImageSpec(40, 24, 1, "half")
    depth.channelnames = ("Z",)
    depth.attribute("oiio:subimagename", "depth")
    colour = OpenImageIO.ImageSpec(40, 24, 3, "half")
    colour.attribute("oiio:subimagename", "rgba")
    output = OpenImageIO.ImageOutput.create(path)
    assert output is not None
    assert output.open(path, (depth, colour))
    pixels = ramp().astype(np.float16)
    assert output.write_image(np.zeros((24, 40, 1), np.float16))
    assert output.open(path, colour, "AppendSubimage")
    assert output.write_image(pixels)
    assert output.close()
    assert np.array_equal(open_plate(path).read(1).rgb, pixels.astype(np.float32))


@pytest.mark.parametrize(
    ("attributes", "space"),
    [
        ({}, "lin_rec709"),
        ({"colorInteropID": "lin_ap1_scene"}, "acescg"),
        ({"colorInteropID": "lin_ap0_scene"}, "aces2065-1"),
        (
            {"chromaticities": (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767)},
            "acescg",
        ),
        (
            {"chromaticities": (0.708, 0.292, 0.17, 0.797, 0.131, 0.046, 0.3127, 0.329)},
            "lin_rec2020",
        ),
        ({"chromaticities": (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329)}, "lin_p3d65"),
    ],
)
def test_space_of_an_exr(tmp_path: Path, attributes: dict[str, object], space: str) -> None:
    """The space is told by the interop id, else by the primaries; silence means Rec.709."""
    told = {k: ("float[8]", v) if isinstance(v, tuple) else v for k, v in attributes.items()}
    assert open_plate(str(write_image(tmp_path / "a.exr", ramp(), attributes=told))).space == space


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channel", [1, 3])
def test_nan_and_infinity_are_refused(tmp_path: Path, value: float, channel: int) -> None:
    """One such sample, in colour or alpha, is told with file and frame."""
    pixels = ramp(channels=4)
    pixels[3, 4, channel] = value
    plate = open_plate(str(write_image(tmp_path / "a.1007.exr", pixels)))
    with pytest.raises(InputError, match=r"a\.1007\.exr \(frame 1007\) holds 1 samples that are"):
        plate.read(1007)


@pytest.mark.parametrize("extension", ["exr", "png", "tif", "jpg", "dpx"])
def test_damaged_files(tmp_path: Path, extension: str) -> None:
    """Empty, cut, foreign and misnamed files give one sentence, on opening or on reading."""
    picture = ramp(120, 160) if extension == "exr" else noise(np.uint8, 3)
    path = write_image(tmp_path / f"a.{extension}", picture)
    whole = path.read_bytes()
    foreign = {"exr": "png", "png": "jpg"}.get(extension, "png")
    other = write_image(tmp_path / f"b.{foreign}", noise(np.uint8, 3)).read_bytes()
    for content, told in (
        (b"", "empty"),
        (b"hello, I am a text file\n" * 20, "not what its name says"),
        (whole[: len(whole) // 10], "cut short"),
        (whole[: len(whole) // 2], "cut short"),
        (whole[: len(whole) * 95 // 100], "cut short"),
        (other, "under the name of another format"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=told) as caught:
            open_plate(str(path)).read(1)
        assert f"a.{extension} (frame 1)" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_other_kinds_are_refused(tmp_path: Path) -> None:
    """Deep images, object identifiers and unknown endings say what to do instead."""
    path = str(tmp_path / "deep.exr")
    spec = OpenImageIO.ImageSpec(4, 3, 5, "float")
    spec.channelnames = ("R", "G", "B", "A", "Z")
    spec.deep = True
    deep = OpenImageIO.DeepData()
    deep.init(spec)
    output = OpenImageIO.ImageOutput.create(path)
    assert output is not None
    assert output.open(path, spec)
    assert output.write_deep_image(deep)
    assert output.close()
    with pytest.raises(InputError, match="deep image; flatten it"):
        open_plate(path)
    with pytest.raises(InputError, match="stores colour as uint"):
        open_plate(str(write_image(tmp_path / "ids.exr", noise(np.uint32, 3))))
    (tmp_path / "a.gif").write_bytes(b"GIF89a")
    with pytest.raises(InputError, match="convert it to EXR, PNG"):
        open_plate(str(tmp_path / "a.gif"))


@pytest.mark.parametrize("side", [20_000, 200_000, 2**30])
def test_absurd_sizes_take_no_memory(tmp_path: Path, side: int) -> None:
    """A header that claims a vast picture is refused before its pixels are allocated."""
    path = write_image(tmp_path / "a.exr", ramp())
    content = bytearray(path.read_bytes())
    for window in (b"dataWindow\0box2i\0", b"displayWindow\0box2i\0"):
        at = content.index(window) + len(window) + 4
        content[at : at + 16] = np.array([0, 0, side - 1, side - 1], "<i4").tobytes()
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.exr \(frame 1\) (says it is|is cut short)"):
        open_plate(str(path))
