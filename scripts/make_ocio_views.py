"""Draw docs/images/ocio-views.png: a map in ocio/config.ocio's views, and what false colours mean.

The page is an sRGB picture. A monitor's codes are first undone to its light by the config's own
space, then shown as sRGB: as they are up to 100 cd/m2, or a whole HDR range darkened until its peak
is the page's white.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PyOpenColorIO
from OpenImageIO import ImageBuf
from PIL import Image, ImageDraw, ImageFont

from lumivid_fx.color.filmic import GREY
from lumivid_fx.color.looks import LAST_STOP

ROOT = Path(__file__).parents[1]
MAP = ROOT / "tests" / "data" / "modern_buildings_2.exr"
SHEET = ROOT / "docs" / "images" / "ocio-views.png"

REC709 = "Linear Rec.709 (sRGB)"
BACKGROUND, LETTERING = (38, 38, 38), (200, 200, 200)
WIDTH, GAP, TEXT, COLUMNS = 384, 8, 13, 3
LABEL = 24

Light = npt.NDArray[np.float32]


def main() -> None:
    """Write the sheet."""
    config = PyOpenColorIO.Config.CreateFromFile(str(ROOT / "ocio" / "config.ocio"))
    light = np.ascontiguousarray(ImageBuf(str(MAP)).get_pixels(), np.float32)[..., :3]
    peak = np.float32(0.25)
    pictures = [
        ("sRGB, Un-tone-mapped: clips at 100 cd/m2", page(config, light, "sRGB", "Un-tone-mapped")),
        ("sRGB, Filmic", page(config, light, "sRGB", "Filmic")),
        ("sRGB, False colour (stops)", page(config, light, "sRGB", "False colour (stops)")),
        ("Rec.1886 Rec.709, Filmic: the same light", page(config, light, "Rec.1886", "Filmic")),
        ("Rec.2100-PQ, Filmic: what is up to 100 cd/m2", page(config, light, "PQ", "Filmic")),
        (
            "Rec.2100-PQ, Filmic: darkened, white is 400 cd/m2",
            page(config, light, "PQ", "Filmic", peak),
        ),
        (
            "Rec.2100-HLG, Filmic: darkened, white is 400 cd/m2",
            page(config, light, "HLG", "Filmic", peak),
        ),
        (
            "Exposure -4 stops, then sRGB, Filmic",
            page(config, exposed(config, light, -4), "sRGB", "Filmic"),
        ),
        (
            "Exposure +2 stops, then sRGB, Filmic",
            page(config, exposed(config, light, 2), "sRGB", "Filmic"),
        ),
    ]
    draw_sheet(pictures, legend(config))


def page(
    config: Any, light: Light, display: str, view: str, gain: np.float32 | float = 1.0
) -> Light:
    """What a monitor shows, as sRGB codes."""
    full = next(name for name in config.getDisplays() if display in name)
    to_view = PyOpenColorIO.DisplayViewTransform(src=REC709, display=full, view=view)
    codes = apply(config, to_view, light)
    undo = PyOpenColorIO.ColorSpaceTransform(src=full, dst="sRGB - Display")
    if gain == 1.0:
        return apply(config, undo, codes)
    to_xyz = PyOpenColorIO.ColorSpaceTransform(src=full, dst="CIE-XYZ-D65")
    to_page = PyOpenColorIO.ColorSpaceTransform(src="CIE-XYZ-D65", dst="sRGB - Display")
    return apply(config, to_page, apply(config, to_xyz, codes) * np.float32(gain))


def exposed(config: Any, light: Light, stops: int) -> Light:
    """The light through one of the exposure looks."""
    name = next(n for n in config.getLookNames() if f"{stops:+d} stop" in n)
    return apply(config, PyOpenColorIO.LookTransform(src=REC709, dst=REC709, looks=name), light)


def apply(config: Any, transform: Any, pixels: Light) -> Light:
    """Send a picture through a transform."""
    out = np.array(pixels, np.float32, order="C")
    config.getProcessor(transform).getDefaultCPUProcessor().applyRGB(out)
    return out


def legend(config: Any) -> list[tuple[str, tuple[int, ...]]]:
    """The bands from dark to bright: their label and their colour."""
    bands = range(-LAST_STOP - 1, LAST_STOP + 2)
    grey = np.array([GREY * 2.0**band for band in bands], np.float32)[:, None].repeat(3, axis=1)
    codes = to_8_bit(page(config, grey[None], "sRGB", "False colour (stops)"))[0]
    labels = ["under", *(f"{band:+d}" if band else "0" for band in bands[1:-1]), "over"]
    return [(label, tuple(code.tolist())) for label, code in zip(labels, codes, strict=True)]


def to_8_bit(codes: Light) -> npt.NDArray[np.uint8]:
    """Codes as a picture holds them."""
    return np.rint(np.clip(codes, 0, 1) * 255).astype(np.uint8)


def indexed(sheet: Image.Image, exact: list[tuple[int, ...]]) -> Image.Image:
    """The sheet in 256 colours, which keeps the file small, some of them exactly as they are."""
    found = sheet.quantize(256 - len(exact) - 2, kmeans=2).getpalette() or []
    kept = [value for colour in (*exact, BACKGROUND, LETTERING) for value in colour]
    palette = Image.new("P", (1, 1))
    palette.putpalette(kept + found[: 3 * (256 - len(exact) - 2)])
    return sheet.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)


def draw_sheet(pictures: list[tuple[str, Light]], bands: list[tuple[str, tuple[int, ...]]]) -> None:
    """Lay the pictures out in rows with their labels, and the legend below."""
    height = WIDTH * pictures[0][1].shape[0] // pictures[0][1].shape[1]
    rows = -(-len(pictures) // COLUMNS)
    across = COLUMNS * (WIDTH + GAP) + GAP
    down = rows * (height + LABEL + GAP) + GAP
    sheet = Image.new("RGB", (across, down + 3 * LABEL), BACKGROUND)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT)
    for index, (label, codes) in enumerate(pictures):
        x = GAP + index % COLUMNS * (WIDTH + GAP)
        y = GAP + index // COLUMNS * (height + LABEL + GAP)
        draw.text((x, y + LABEL / 2), label, LETTERING, font, anchor="lm")
        picture = Image.fromarray(to_8_bit(codes)).resize((WIDTH, height), Image.Resampling.LANCZOS)
        sheet.paste(picture, (x, y + LABEL))
    draw.text((GAP, down), "False colour: stops from mid grey, 0.18", LETTERING, font)
    step = (across - 2 * GAP) / len(bands)
    for index, (label, colour) in enumerate(bands):
        left = GAP + index * step
        box = (left, down + LABEL, left + step - 2, down + 3 * LABEL - GAP)
        draw.rectangle(box, colour)
        ink = (0, 0, 0) if sum(colour) > 380 else (255, 255, 255)
        draw.text((left + step / 2, down + 2 * LABEL - GAP / 2), label, ink, font, anchor="mm")
    SHEET.parent.mkdir(parents=True, exist_ok=True)
    indexed(sheet, [colour for _, colour in bands]).save(SHEET, optimize=True)
    print(f"{SHEET}: {SHEET.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
