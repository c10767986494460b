"""Views as shaders: OpenColorIO's text, its tables, and the CPU's answer to hold a card against."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PyOpenColorIO
import pytest
from PyOpenColorIO import ColorSpace, Config, FileTransform, GroupTransform

from lumivid_fx.color.config import OUR_CONFIG
from lumivid_fx.color.looks import LAST_STOP, false_colours
from lumivid_fx.color.shaders import probe_light
from lumivid_fx.color.spaces import ACESCG, LINEAR_REC709, ColorSpaces
from lumivid_fx.errors import InputError

ACES_VIEW = "sRGB - Display/ACES 1.0 - SDR Video"


def test_a_view_is_one_function_and_the_cpus_codes() -> None:
    """All that a page joins to a program of its own begins with the function's name."""
    spaces = ColorSpaces()
    shader = spaces.view_shader(ACESCG, ACES_VIEW, "ocio_view")
    assert "vec4 ocio_view(vec4 inPixel)" in shader.text
    assert shader.tables == ()
    light = probe_light()
    expected = spaces.linear_to_display(spaces.convert(light, ACESCG, LINEAR_REC709), ACES_VIEW)
    # Two processors beside one: float32's rounding between them, which ACES' hue makes larger; 0.03
    # of an 8-bit step.
    np.testing.assert_allclose(shader.codes(light).clip(0, 1), expected, atol=1e-4)
    back = spaces.space_shader(ACESCG, "srgb", "ocio_own_source")
    codes = back.codes(spaces.convert(np.full((1, 3), 0.5, np.float32), "srgb", ACESCG))
    np.testing.assert_allclose(codes, 0.5, atol=1e-6)


def test_tables_of_a_studio_come_along(tmp_path: Path) -> None:
    """A shaper and a cube, as studios deliver a film look, are textures with what they hold."""
    (tmp_path / "shaper.spi1d").write_text(
        "Version 1\nFrom 0.0 1.0\nLength 4\nComponents 1\n{\n0.0\n0.2\n0.5\n1.0\n}\n", "utf-8"
    )
    corners = [f"{r} {g} {1 - b}" for b in (0, 1) for g in (0, 1) for r in (0, 1)]
    (tmp_path / "film.cube").write_text("LUT_3D_SIZE 2\n" + "\n".join(corners) + "\n", "utf-8")
    config = Config()
    config.setVersion(2, 1)
    config.setSearchPath(str(tmp_path))
    config.addColorSpace(ColorSpace(name="lin", encoding="scene-linear"))
    tables = [
        FileTransform("shaper.spi1d", interpolation=PyOpenColorIO.INTERP_LINEAR),
        FileTransform("film.cube", interpolation=PyOpenColorIO.INTERP_LINEAR),
    ]
    config.addColorSpace(ColorSpace(name="film", fromReference=GroupTransform(tables)))
    config.setRole("scene_linear", "lin")
    config.addDisplayView("Monitor", "Film", "film")
    path = tmp_path / "config.ocio"
    path.write_text(config.serialize(), "utf-8")
    shader = ColorSpaces(str(path)).view_shader("lin", "Monitor/Film", "ocio_view")
    cube, shaper = sorted(shader.tables, key=lambda table: -table.depth)
    assert (cube.width, cube.height, cube.depth, cube.channels, cube.smooth) == (2, 2, 2, 3, True)
    np.testing.assert_allclose(cube.values[:6], [0, 0, 1, 0, 0, 0])  # blue is a texture's x
    assert shaper.depth == 0
    assert shaper.smooth
    assert shaper.values.size == shaper.width * shaper.height * shaper.channels
    for table in shader.tables:
        assert table.sampler.startswith("ocio_view_")
        assert f"sampler{3 if table.depth else 2}D {table.sampler};" in shader.text
    seen = shader.codes(np.array([[0.5, 0.5, 0.5]], np.float32))
    np.testing.assert_allclose(seen, [[0.35, 0.35, 0.65]], atol=1e-6)


def test_a_wrong_view_is_a_sentence() -> None:
    """As for views of pixels."""
    with pytest.raises(InputError, match="view 'None of it' is not in"):
        ColorSpaces().view_shader(ACESCG, "None of it", "ocio_view")


@pytest.mark.parametrize(
    ("space", "is_picture"),
    [
        ("srgb", True),
        ("logc3", False),
        (ACESCG, False),
        ("acescct", False),
        ("logc3_rec709", False),
    ],
)
def test_pictures_are_told_from_scenes(space: str, *, is_picture: bool) -> None:
    """Codes of a display are a finished picture; light and camera codes are not."""
    assert ColorSpaces().is_picture(space) == is_picture


def test_our_own_config_is_a_config_too() -> None:
    """Its views stand beside those of the built-in one, under the same names of spaces."""
    ours = ColorSpaces(OUR_CONFIG)
    assert "sRGB - Display/Filmic" in ours.views()
    assert ours.resolve(ACESCG) == ColorSpaces().resolve(ACESCG)
    assert ours.files() == []


def test_false_colours_grow_brighter() -> None:
    """One colour a band, grey in the middle; the order is seen without colour too."""
    colours = false_colours()
    assert colours.shape == (2 * LAST_STOP + 3, 3)
    np.testing.assert_allclose(colours[LAST_STOP + 1], 0.5, atol=2e-3)
    brightness = colours @ np.array([0.30, 0.59, 0.11])
    assert (np.diff(brightness) > 0.04).all()  # even steps of 1/18, where no channel is at its end
