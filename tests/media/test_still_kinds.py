"""Stills that other programs wrote: each packing, compression and layout gives back its codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lumivid_fx.errors import InputError
from lumivid_fx.media import open_plate

from .ffmpeg import encode_still
from .files import noise, ramp, write_image

CODES = noise(np.uint16, 3)


@pytest.mark.parametrize(
    ("pix_fmt", "bits"),
    [("rgb24", 8), ("gbrp10le", 10), ("gbrp10be", 10), ("gbrp12le", 12), ("gbrp12be", 12),
     ("rgb48le", 16), ("rgb48be", 16)],
)  # fmt: skip
def test_dpx(tmp_path: Path, pix_fmt: str, bits: int) -> None:
    """Every depth in both byte orders, within the step that ffmpeg's conversion rounds by."""
    wide = np.ascontiguousarray(CODES[:, :28])
    path = encode_still(tmp_path / "a.0001.dpx", wide, pix_fmt)
    with open_plate(str(path)) as plate:
        frame = plate.read(1)
        assert (plate.space, plate.doubt, plate.fps) == ("srgb", "", None)
    step = 1 / (2**bits - 1)
    assert np.max(np.abs(frame.rgb - wide / np.float32(65535))) <= (0 if bits == 16 else 1.6 * step)
    codes = frame.rgb * (2**bits - 1)
    assert np.max(np.abs(codes - np.rint(codes))) < 2e-3  # whole codes of its own depth
    assert "PixelAspectRatio" not in frame.attributes  # ffmpeg leaves it at nought


@pytest.mark.parametrize(
    ("pix_fmt", "width"), [("rgb24", 31), ("rgb24", 30), ("rgb48be", 31), ("gbrp12be", 31)]
)
def test_filled_rows_of_dpx_are_refused(tmp_path: Path, pix_fmt: str, width: int) -> None:
    """Rows that ffmpeg fills up to 32 bits would come out sheared, and are refused."""
    path = encode_still(tmp_path / "a.dpx", np.ascontiguousarray(CODES[:, :width]), pix_fmt)
    with pytest.raises(InputError, match="fills its rows up to 32 bits"):
        open_plate(str(path))


@pytest.mark.parametrize("packing", ["Filled, method A", "Filled, method B", "Packed"])
@pytest.mark.parametrize("bits", [10, 12])
def test_packings_of_dpx(tmp_path: Path, packing: str, bits: int) -> None:
    """Codes of ten and twelve bits, however they are packed into words."""
    codes = (CODES >> (16 - bits)).astype(np.uint16)
    spread = (codes << (16 - bits)) | (codes >> (2 * bits - 16))
    path = write_image(
        tmp_path / "a.dpx", spread,
        attributes={"oiio:BitsPerSample": bits, "dpx:Packing": packing},
    )  # fmt: skip
    rgb = open_plate(str(path)).read(1).rgb
    assert np.array_equal(rgb, codes.astype(np.float32) / np.float32(2**bits - 1))


@pytest.mark.parametrize("compression", ["raw", "packbits", "lzw", "deflate"])
@pytest.mark.parametrize("pix_fmt", ["rgb24", "rgb48le", "rgba64le"])
def test_tiff(tmp_path: Path, compression: str, pix_fmt: str) -> None:
    """Every lossless compression of TIFF, 8 and 16 bits, with alpha and without."""
    codes = CODES if "48" in pix_fmt or "64" in pix_fmt else noise(np.uint8, 3)
    path = encode_still(tmp_path / "a.tif", codes, pix_fmt, "-compression_algo", compression)
    frame = open_plate(str(path)).read(1)
    peak = np.float32(np.iinfo(codes.dtype).max)
    assert np.array_equal(frame.rgb, codes.astype(np.float32) / peak)
    assert (frame.alpha is not None) == ("a" in pix_fmt)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32])
@pytest.mark.parametrize("layout", [{"planarconfig": "separate"}, {"tile": 16}])
def test_layouts_of_tiff(
    tmp_path: Path, dtype: type[np.generic], layout: dict[str, object]
) -> None:
    """Planes apart, and every sample type."""
    pixels = ramp() if np.issubdtype(dtype, np.floating) else noise(dtype, 3)  # type: ignore[arg-type]
    pixels = pixels.astype(dtype)
    frame = open_plate(str(write_image(tmp_path / "a.tif", pixels, attributes=layout))).read(1)
    peak = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1  # type: ignore[type-var]
    assert np.array_equal(frame.rgb, pixels.astype(np.float32) / np.float32(peak))


@pytest.mark.parametrize("options", [
    {"progressive": True}, {"subsampling": 0}, {"subsampling": 1}, {"subsampling": 2},
    {"optimize": True}, {"restart_marker_rows": 1},
])  # fmt: skip
def test_jpeg(tmp_path: Path, options: dict[str, int]) -> None:
    """Progressive or not, chroma halved or not: the codes that Pillow decodes."""
    picture = Image.fromarray(np.clip(ramp() * 200, 0, 255).astype(np.uint8))
    picture.save(tmp_path / "a.jpg", quality=92, **options)  # type: ignore[arg-type]
    codes = np.asarray(Image.open(tmp_path / "a.jpg"))
    rgb = open_plate(str(tmp_path / "a.jpg")).read(1).rgb
    assert np.array_equal(rgb, codes.astype(np.float32) / np.float32(255))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_png(tmp_path: Path, mode: str) -> None:
    """Grey, palette, one bit and sixteen: what Pillow sees in them."""
    if mode == "I;16":
        picture = Image.fromarray(CODES[..., 0])
        expected = (CODES[..., :1].astype(np.float32) / np.float32(65535)).repeat(3, axis=-1)
    else:
        picture = Image.fromarray(noise(np.uint8, 4)).convert("RGB").convert(mode)
        seen = np.asarray(picture.convert("RGB"))
        expected = seen.astype(np.float32) / np.float32(255)
    picture.save(tmp_path / "a.png")
    frame = open_plate(str(tmp_path / "a.png")).read(1)
    assert np.array_equal(frame.rgb, expected.astype(np.float32))
    assert (frame.alpha is not None) == mode.endswith("A")


def test_names_that_hold_anything(tmp_path: Path) -> None:
    """Quotes, line breaks, stars and per cent signs are names; a message is one line still."""
    folder = tmp_path / 'it\'s "new"\nv%02d *'
    folder.mkdir()
    for number in (1, 2):
        write_image(folder / f"a 'b' [c].{number:04d}.png", noise(np.uint8, 3, number))
    pattern = str(folder / "a 'b' [c].####.png")
    with open_plate(pattern) as plate:
        assert list(plate.frame_numbers) == [1, 2]
        assert plate.read(2).rgb.shape == (17, 31, 3)
    (folder / "a 'b' [c].0002.png").write_bytes(b"no picture")
    with pytest.raises(InputError) as caught:
        open_plate(pattern)
    said = str(caught.value)
    assert "a 'b' [c].0002.png (frame 2)" in said
    assert "\\nv%02d" in said
    assert said.isprintable()
    still = write_image(folder / "a\nb.png", noise(np.uint8, 3))
    assert open_plate(str(still)).read(1).number == 1
