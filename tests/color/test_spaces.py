"""Colour spaces and views through real OpenColorIO configs: the built-in one and studios' own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PyOpenColorIO
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PyOpenColorIO import BuiltinTransform, ColorSpace, Config

from lumivid_fx.color.spaces import (
    ACES2065_1,
    ACESCG,
    DEFAULT_CONFIG,
    LINEAR_P3D65,
    LINEAR_REC709,
    LINEAR_REC2020,
    LOGC3_REC709,
    SHORT_NAMES,
    ColorSpaces,
    Pixels,
    chromaticities_to_space,
)
from lumivid_fx.color.transfer import linear_to_logc3
from lumivid_fx.errors import InputError

ACES_VIEW = "sRGB - Display/ACES 1.0 - SDR Video"
UNIT = np.eye(3, dtype=np.float32)
GREYS = np.linspace(0, 1, 1025, dtype=np.float32)[:, None].repeat(3, axis=1)
COLOURS = np.random.default_rng(1).normal(scale=3, size=(500, 3)).astype(np.float32)
"""Light as a plate has it at its worst: negative, over 1, saturated."""


@pytest.fixture(scope="module")
def spaces() -> ColorSpaces:
    """The built-in studio config."""
    return ColorSpaces()


def studio_config(*, interchange: bool = True) -> Any:
    """A small studio config: its reference is linear AP1, and its names are its own."""
    config = Config()
    config.setVersion(2, 1)
    config.addColorSpace(ColorSpace(name="studio_lin", encoding="scene-linear"))
    config.addColorSpace(
        ColorSpace(
            name="exchange",
            encoding="scene-linear",
            fromReference=BuiltinTransform("ACEScg_to_ACES2065-1"),
        )
    )
    to_display = PyOpenColorIO.ExponentTransform(
        value=[2.2, 2.2, 2.2, 1.0], direction=PyOpenColorIO.TRANSFORM_DIR_INVERSE
    )
    config.addColorSpace(ColorSpace(name="monitor", fromReference=to_display))
    config.addColorSpace(ColorSpace(name="matte", isData=True))
    config.setRole("scene_linear", "studio_lin")
    if interchange:
        config.setRole("aces_interchange", "exchange")
    config.addDisplayView("Wall", "Film", "monitor", "")
    config.addDisplayView("Wall", "Mattes", "matte", "")
    return config


def write(config: Any, folder: Path) -> str:
    """Put a config where a studio has it."""
    path = folder / "config.ocio"
    path.write_text(config.serialize(), "utf-8")
    return str(path)


def test_every_short_name_is_there(spaces: ColorSpaces) -> None:
    """What we promise resolves in the built-in config, and is listed before the config's names."""
    assert spaces.names()[: len(SHORT_NAMES)] == list(SHORT_NAMES)
    assert {name: spaces.resolve(name) for name in SHORT_NAMES} == {
        "scene_linear": "ACEScg",
        "acescg": "ACEScg",
        "aces2065-1": "ACES2065-1",
        "lin_rec709": "Linear Rec.709 (sRGB)",
        "lin_rec2020": "Linear Rec.2020",
        "lin_p3d65": "Linear P3-D65",
        "acescct": "ACEScct",
        "srgb": "sRGB - Texture",
        "logc3": "ARRI LogC3 (EI800)",
        "logc4": "ARRI LogC4",
        "slog3": "S-Log3 S-Gamut3.Cine",
        "log3g10": "Log3G10 REDWideGamutRGB",
        "clog2": "CanonLog2 CinemaGamut D55",
        "clog3": "CanonLog3 CinemaGamut D55",
        "vlog": "V-Log V-Gamut",
        "logc3_rec709": "logc3_rec709",
    }


@pytest.mark.parametrize(
    "name",
    [
        "V-Log V-Gamut",
        "vlog_vgamut",
        "Input - Panasonic - V-Log - V-Gamut",
        "VLOG",
        "v-log v-gamut",
    ],
)
def test_name_alias_and_any_case(spaces: ColorSpaces, name: str) -> None:
    """A space answers to its name, its aliases and our short name, in any case."""
    assert spaces.resolve(name) == "V-Log V-Gamut"


def test_role_resolves(spaces: ColorSpaces) -> None:
    """A role of the config is as good as a name."""
    assert spaces.resolve("compositing_log") == "ACEScct"


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("logC33", "logc3"), ("Linear Rec 709", "Linear Rec.709"), ("scene_lin", "scene_linear")],
)
def test_unknown_name_lists_near_matches(spaces: ColorSpaces, wrong: str, near: str) -> None:
    """A misspelt space names itself, the config and what was perhaps meant."""
    with pytest.raises(InputError) as caught:
        spaces.resolve(wrong)
    message = str(caught.value)
    assert repr(wrong) in message
    assert DEFAULT_CONFIG in message
    assert near in message.split("nearest are")[1]


def test_name_near_nothing_lists_our_short_names(spaces: ColorSpaces) -> None:
    """Where nothing is near, the promised names are listed."""
    with pytest.raises(InputError, match=", ".join(SHORT_NAMES)):
        spaces.convert(COLOURS, "qqqqqqqqqqqq", "acescg")


MATRICES = [
    # From AMPAS primaries with Bradford's adaptation D60 to D65, printed to 5 digits.
    (
        ACESCG,
        [[1.70505, -0.62179, -0.08326], [-0.13026, 1.1408, -0.01055], [-0.024, -0.12897, 1.15297]],
    ),
    # ITU-R BT.2407, 2020 to 709.
    (
        LINEAR_REC2020,
        [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    ),
]


@pytest.mark.parametrize(("source", "matrix"), MATRICES)
def test_known_matrices(spaces: ColorSpaces, source: str, matrix: list[list[float]]) -> None:
    """Unit vectors land in Rec.709 where the published matrices say."""
    got = spaces.convert(UNIT, source, LINEAR_REC709).T
    np.testing.assert_allclose(got, matrix, atol=6e-5)  # the digits printed


# OpenColorIO has Canon's curves as tables that end, so light under black does not come back.
UNBOUNDED = [name for name in SHORT_NAMES if not name.startswith("clog")]


@pytest.mark.parametrize("name", UNBOUNDED)
@given(colour=st.tuples(*[st.floats(-2, 50, width=32)] * 3))
def test_round_trip(name: str, spaces: ColorSpaces, colour: tuple[float, float, float]) -> None:
    """Light comes back from every space, negative and over 1 too."""
    rgb = np.array(colour, np.float32)
    back = spaces.convert(spaces.convert(rgb, LINEAR_REC709, name), name, LINEAR_REC709)
    # Float32 through a logarithm and a matrix: an ulp of code is 1e-6 of the largest channel.
    np.testing.assert_allclose(back, rgb, rtol=0, atol=1e-5 * max(1.0, np.abs(rgb).max()))


@pytest.mark.parametrize("name", ["clog2", "clog3"])
def test_canon_round_trip(spaces: ColorSpaces, name: str) -> None:
    """Canon's spaces give back the light that their tables hold."""
    back = spaces.convert(spaces.convert(GREYS, LINEAR_REC709, name), name, LINEAR_REC709)
    np.testing.assert_allclose(back, GREYS, atol=1e-5)  # float32 through a table


def test_logc3_rec709_is_the_bare_curve(spaces: ColorSpaces) -> None:
    """The added space is our LogC3 on each channel of linear Rec.709, not ARRI's camera space."""
    bare = spaces.convert(COLOURS, LINEAR_REC709, LOGC3_REC709)
    expected = linear_to_logc3(torch.from_numpy(COLOURS)).numpy()
    # 2.6e-7 in the toe, where OpenColorIO takes the offset from continuity, and float32 rounding,
    # of codes down to -60 here.
    np.testing.assert_allclose(bare, expected, atol=5e-7, rtol=3e-7)

    camera = spaces.convert(COLOURS, LINEAR_REC709, "logc3")
    assert np.abs(camera - bare).max() > 0.1  # another gamut: colours differ plainly
    grey_camera = spaces.convert(GREYS, LINEAR_REC709, "logc3")
    grey_bare = spaces.convert(GREYS, LINEAR_REC709, LOGC3_REC709)
    # One curve: greys agree, up to ARRI's matrix, whose printed rows sum to 1 within 2e-5.
    np.testing.assert_allclose(grey_camera, grey_bare, atol=1e-4)


def test_conversion_is_lossless(spaces: ColorSpaces) -> None:
    """OpenColorIO's fast power, wrong by 2e-5, is not used."""
    code = spaces.convert(GREYS, LINEAR_REC709, "Gamma 2.2 Rec.709 - Texture")
    exact = GREYS.astype(np.float64) ** (1 / 2.2)
    np.testing.assert_allclose(code, exact, rtol=0, atol=2e-7)  # float32 rounding


Method = Callable[[ColorSpaces, Pixels], Pixels]
METHODS: dict[str, Method] = {
    "convert": lambda spaces, rgb: spaces.convert(rgb, ACESCG, LINEAR_REC709),
    "convert_to_itself": lambda spaces, rgb: spaces.convert(rgb, ACESCG, ACESCG),
    "undo_curve": lambda spaces, rgb: spaces.display_to_linear(rgb, "srgb"),
    "undo_view": lambda spaces, rgb: spaces.display_to_linear(rgb, ACES_VIEW),
    "curve": lambda spaces, rgb: spaces.linear_to_display(rgb, "rec709"),
    "view": lambda spaces, rgb: spaces.linear_to_display(rgb, ACES_VIEW),
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


@every_method
def test_arrays_are_never_overwritten(spaces: ColorSpaces, method: Method) -> None:
    """Input stays as it was, even read-only memory that OpenColorIO would write through."""
    source = bytes(np.full((4, 5, 3), 0.4, np.float32))
    rgb = np.frombuffer(source, np.float32).reshape(4, 5, 3)
    assert not rgb.flags.writeable
    result = method(spaces, rgb)
    assert source == bytes(np.full((4, 5, 3), 0.4, np.float32))
    assert not np.shares_memory(result, rgb)
    assert result.flags.writeable
    assert result.flags.c_contiguous
    assert result.shape == rgb.shape
    assert result.dtype == np.float32


@every_method
@pytest.mark.parametrize("shape", [(3,), (0, 3), (2, 0, 3), (2, 3, 4, 3)], ids=str)
def test_any_leading_shape(spaces: ColorSpaces, method: Method, shape: tuple[int, ...]) -> None:
    """One colour, no colours and a batch of frames all go through."""
    assert method(spaces, np.full(shape, 0.4, np.float32)).shape == shape


@every_method
@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floats_and_strides(
    spaces: ColorSpaces, method: Method, dtype: type[np.floating[Any]]
) -> None:
    """Half, double and mirrored arrays give what their float32 copy gives."""
    rgb: Any = np.linspace(0, 1, 2 * 4 * 3).reshape(2, 4, 3)[:, ::-1].astype(dtype)[:, ::2]
    copied = np.ascontiguousarray(rgb, np.float32)
    np.testing.assert_array_equal(method(spaces, rgb), method(spaces, copied))


@every_method
def test_wrong_arrays_are_refused(spaces: ColorSpaces, method: Method) -> None:
    """Integer codes and arrays without three channels are a mistake in the calling code."""
    integers: Any = np.ones((2, 3), np.uint8)
    with pytest.raises(TypeError, match="uint8"):
        method(spaces, integers)
    with pytest.raises(ValueError, match=r"\(2, 4\)"):
        method(spaces, np.ones((2, 4), np.float32))


CHROMATICITIES = {
    # As each standard prints them: red, green, blue, white.
    LINEAR_REC709: (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290),
    ACESCG: (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767),
    ACES2065_1: (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767),
    LINEAR_REC2020: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),
    LINEAR_P3D65: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290),
}


@pytest.mark.parametrize(("name", "chroma"), CHROMATICITIES.items())
def test_working_chromaticities(spaces: ColorSpaces, name: str, chroma: tuple[float, ...]) -> None:
    """The working spaces have their published primaries, and are found again by them."""
    assert spaces.chromaticities(name) == chroma
    assert chromaticities_to_space(chroma) == name
    # OpenEXR keeps float32, and other tools round to three digits.
    assert chromaticities_to_space(np.asarray(chroma, np.float32).round(3).tolist()) == name


@pytest.mark.parametrize(
    "chroma",
    [
        (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, 0.3127, 0.3290),  # Rec.601's green, or nearly
        (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.32168, 0.33767),  # Rec.709 at another white
        (0.64, 0.33, 0.30, 0.60, 0.15, 0.06),
        (float("nan"),) * 8,
    ],
)
def test_other_chromaticities_have_no_name(chroma: tuple[float, ...]) -> None:
    """Primaries of no working space are not guessed."""
    assert chromaticities_to_space(chroma) is None


@pytest.mark.parametrize(
    ("name", "published", "tolerance"),
    [
        # RED and Panasonic went to ACES by Bradford, as we do: the printed digits come back.
        ("lin_rwg", (0.780308, 0.304253, 0.121595, 1.493994, 0.095612, -0.084589), 2e-5),
        ("lin_vgamut", (0.730, 0.280, 0.165, 0.840, 0.100, -0.030), 2e-5),
        # ARRI went by CAT02, which differs from Bradford by this much.
        ("lin_alexawide", (0.684, 0.313, 0.221, 0.848, 0.0861, -0.102), 4e-3),
    ],
)
def test_camera_chromaticities(
    spaces: ColorSpaces, name: str, published: tuple[float, ...], tolerance: float
) -> None:
    """A camera's linear space is measured through OpenColorIO, at D65."""
    chroma = spaces.chromaticities(name)
    assert chroma == pytest.approx((*published, 0.3127, 0.3290), abs=tolerance)


@pytest.mark.parametrize(
    ("name", "linear"),
    [("scene_linear", True), ("lin_alexawide", True), ("acescct", False), ("srgb", False),
     (LOGC3_REC709, False), ("Raw", False), ("CIE-XYZ-D65", False)],
)  # fmt: skip
def test_linear_spaces(spaces: ColorSpaces, name: str, linear: bool) -> None:
    """Only linear scene light counts: not a log, not data, not a display."""
    assert spaces.is_scene_linear(name) is linear
    assert (spaces.chromaticities(name) is not None) is linear


@pytest.mark.parametrize(
    ("name", "interop_id"),
    [
        (LINEAR_REC709, "lin_rec709_scene"),
        (ACESCG, "lin_ap1_scene"),
        ("scene_linear", "lin_ap1_scene"),
        (ACES2065_1, "lin_ap0_scene"),
        (LINEAR_REC2020, "lin_rec2020_scene"),
        (LINEAR_P3D65, "lin_p3d65_scene"),
        ("lin_alexawide", None),
        ("logc3", None),
        (LOGC3_REC709, None),
    ],
)
def test_interop_ids(spaces: ColorSpaces, name: str, interop_id: str | None) -> None:
    """The working spaces carry the Color Interop Forum's ids under every name."""
    assert spaces.interop_id(name) == interop_id


def test_interop_ids_are_those_of_newer_configs() -> None:
    """Our table says what OpenColorIO's newer configs say themselves; those are passed on."""
    config = "ocio://studio-config-v4.0.0_aces-v2.0_ocio-v2.5"
    newer, ours = ColorSpaces(config), ColorSpaces()
    assert newer.source == config
    for name in CHROMATICITIES:
        assert newer.interop_id(name) == ours.interop_id(name)
    assert newer.interop_id("logc3") == "ocio:arrilogc3_awg3_scene"


@pytest.mark.parametrize("config", ["cg-config-v1.0.0_aces-v1.3_ocio-v2.1"])
def test_config_without_cameras_says_so(config: str) -> None:
    """A camera space is not invented where the config has none."""
    spaces = ColorSpaces(f"ocio://{config}")
    assert "logc3" not in spaces.names()
    with pytest.raises(InputError, match=f"'logc3' is not in ocio://{config}; the nearest are"):
        spaces.resolve("logc3")


def test_studio_config_gets_the_working_spaces(tmp_path: Path, spaces: ColorSpaces) -> None:
    """A config that lacks our working spaces converts to them through its ACES role."""
    path = write(studio_config(), tmp_path)
    before = Path(path).read_bytes()
    studio = ColorSpaces(path)
    assert studio.resolve("scene_linear") == "studio_lin"
    for name in CHROMATICITIES:
        np.testing.assert_allclose(
            studio.convert(COLOURS, "studio_lin", name),
            spaces.convert(COLOURS, ACESCG, name),
            atol=1e-5,  # float32 rounding of values up to 12
        )
    np.testing.assert_allclose(
        studio.convert(COLOURS, "studio_lin", LOGC3_REC709),
        spaces.convert(COLOURS, ACESCG, LOGC3_REC709),
        atol=1e-5,
    )
    assert studio.is_scene_linear(LINEAR_REC709)
    assert Path(path).read_bytes() == before


def test_studio_space_is_known_by_its_primaries(tmp_path: Path) -> None:
    """A working space under a studio's own name has its chromaticities and id."""
    studio = ColorSpaces(write(studio_config(), tmp_path))
    assert studio.chromaticities("studio_lin") == CHROMATICITIES[ACESCG]
    assert studio.interop_id("exchange") == "lin_ap0_scene"


def test_studio_config_without_interchange_role(tmp_path: Path) -> None:
    """Without the role nothing tells what the studio's linear is, and the message says so."""
    path = write(studio_config(interchange=False), tmp_path)
    studio = ColorSpaces(path)
    for name in (LINEAR_REC709, LOGC3_REC709):
        with pytest.raises(InputError) as caught:
            studio.convert(COLOURS, "studio_lin", name)
        assert path in str(caught.value)
        assert "add that role" in str(caught.value)
    np.testing.assert_array_equal(studio.convert(GREYS, "studio_lin", "scene_linear"), GREYS)


def test_older_aces_names_are_understood(tmp_path: Path) -> None:
    """A version 1 config with the ACES 1.2 names needs no role and no aliases."""
    config = Config()
    config.setVersion(1, 0)
    config.addColorSpace(ColorSpace(name="ACES - ACES2065-1"))
    matrix = PyOpenColorIO.MatrixTransform(
        # AP1 to AP0, AMPAS S-2014-004
        [0.6954522414, 0.1406786965, 0.1638690622, 0, 0.0447945634, 0.8596711185, 0.0955343182, 0,
         -0.0055258826, 0.0040252103, 1.0015006723, 0, 0, 0, 0, 1]
    )  # fmt: skip
    config.addColorSpace(ColorSpace(name="ACES - ACEScg", toReference=matrix))
    config.setRole("scene_linear", "ACES - ACEScg")
    config.addDisplayView("ACES", "Log", "ACES - ACEScg", "")
    studio = ColorSpaces(write(config, tmp_path))
    assert studio.resolve("acescg") == "ACES - ACEScg"
    np.testing.assert_allclose(
        studio.convert(UNIT, "acescg", LINEAR_REC709).T, MATRICES[0][1], atol=6e-5
    )


def test_studios_own_logc3_rec709_is_kept(tmp_path: Path) -> None:
    """A space of that name in the config is the studio's word on it."""
    config = studio_config()
    config.addColorSpace(ColorSpace(name="theirs", aliases=[LOGC3_REC709]))
    assert ColorSpaces(write(config, tmp_path)).resolve(LOGC3_REC709) == "theirs"


@pytest.mark.parametrize("content", [b"", b"ocio_profile_version: 2\nroles: [", b"\x00\xff" * 99])
def test_broken_config_is_named(tmp_path: Path, content: bytes) -> None:
    """An empty, truncated or binary config ends in one sentence with its path."""
    path = tmp_path / "config.ocio"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"config\.ocio") as caught:
        ColorSpaces(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["absent.ocio", "."])
def test_missing_config_is_named(tmp_path: Path, name: str) -> None:
    """No such file, and a folder in its place, are told with the path."""
    path = str(tmp_path / name)
    with pytest.raises(InputError, match="cannot be used") as caught:
        ColorSpaces(path)
    assert path in str(caught.value)


def test_missing_table_of_a_config_is_named(tmp_path: Path) -> None:
    """A space whose LUT file is gone fails when asked for, naming the spaces and the file."""
    config = studio_config()
    config.addColorSpace(
        ColorSpace(name="show", toReference=PyOpenColorIO.FileTransform(src="show_look.cube"))
    )
    path = write(config, tmp_path)
    with pytest.raises(InputError, match=r"show_look\.cube") as caught:
        ColorSpaces(path).convert(COLOURS, "show", LINEAR_REC709)
    assert "'show' to 'lin_rec709'" in str(caught.value)
    assert path in str(caught.value)


def test_views_are_the_sdr_ones(spaces: ColorSpaces) -> None:
    """Four plain curves, then the config's views, without raw data and HDR displays."""
    views = spaces.views()
    assert views[:4] == ["srgb", "rec709", "gamma22", "hable"]
    assert ACES_VIEW in views
    assert not [view for view in views if view.endswith("/Raw") or "2100" in view]


@pytest.mark.parametrize(
    "view", ["sRGB - Display/Raw", "Rec.2100-PQ - Display/Un-tone-mapped", "filmic", ""]
)
def test_unknown_view_lists_the_views(spaces: ColorSpaces, view: str) -> None:
    """A view that is not there, or is not SDR, gets the list."""
    for method in (spaces.display_to_linear, spaces.linear_to_display):
        with pytest.raises(InputError) as caught:
            method(GREYS, view)
        assert ", ".join(spaces.views()) in str(caught.value)


@pytest.mark.parametrize(
    ("view", "space", "tolerance"),
    [
        # OpenColorIO moves sRGB's toe (slope 12.9232, not 12.92) so that its pieces meet smoothly.
        ("srgb", "sRGB - Texture", 1e-5),
        ("rec709", "Gamma 2.4 Rec.709 - Texture", 3e-7),  # float32 rounding
        ("gamma22", "Gamma 2.2 Rec.709 - Texture", 3e-7),
    ],
)
def test_plain_views_are_the_configs_textures(
    spaces: ColorSpaces, view: str, space: str, tolerance: float
) -> None:
    """Our arithmetic and OpenColorIO's encodings of Rec.709 are the same curves."""
    linear = spaces.convert(GREYS, space, LINEAR_REC709)
    code = spaces.convert(GREYS, LINEAR_REC709, space)
    np.testing.assert_allclose(spaces.display_to_linear(GREYS, view), linear, atol=tolerance)
    np.testing.assert_allclose(spaces.linear_to_display(GREYS, view), code, atol=tolerance)


def test_views_invert(spaces: ColorSpaces) -> None:
    """What a view shows comes back through its inverse, for light of ordinary saturation."""
    random = np.random.default_rng(7)
    stops = random.uniform(-4, 2, size=(2000, 1))
    light = (2**stops * random.uniform(0.8, 1.2, size=(2000, 3))).astype(np.float32)
    for view in spaces.views():
        code = spaces.linear_to_display(light, view.upper())
        again = spaces.linear_to_display(spaces.display_to_linear(code, view), view)
        # Half a step of 8 bits: ACES' inverse of its own look is an approximation in dark colours.
        assert np.abs(again - code).max() <= 0.5 / 255, view


@pytest.mark.parametrize("view", ["srgb", "rec709", "gamma22", "hable", ACES_VIEW])
def test_views_increase_on_greys(spaces: ColorSpaces, view: str) -> None:
    """A higher grey code is more light: `detail` can undo a plate's tone."""
    linear = spaces.display_to_linear(GREYS, view)
    assert (np.diff(linear, axis=0) > 0).all()
    np.testing.assert_allclose(spaces.linear_to_display(linear, view), GREYS, atol=2e-6)


@pytest.mark.parametrize("view", ["srgb", "rec709", "gamma22", "hable", ACES_VIEW])
def test_picture_is_clamped(spaces: ColorSpaces, view: str) -> None:
    """The model's picture is in [0, 1] whatever the light."""
    light = np.array([[-5.0, 0.5, 60_000.0], [-0.1, -0.1, 1e4]], np.float32)
    code = spaces.linear_to_display(light, view)
    assert code.min() >= 0
    assert code.max() <= 1


def test_overshoot_survives_a_plain_view(spaces: ColorSpaces) -> None:
    """Codes outside [0, 1], from a resize or a codec, are light outside [0, 1]."""
    linear = spaces.display_to_linear(np.array([-0.1, 0.5, 1.1], np.float32), "srgb")
    assert linear[0] < 0
    assert linear[2] > 1


def test_studio_views(tmp_path: Path) -> None:
    """A studio's own views are listed and used, relative to linear Rec.709."""
    studio = ColorSpaces(write(studio_config(), tmp_path))
    assert studio.views() == ["srgb", "rec709", "gamma22", "hable", "Wall/Film"]
    ap1 = studio.convert(GREYS, LINEAR_REC709, "studio_lin")
    expected = ap1 ** (1 / 2.2)  # the studio's monitor, straight on its own linear
    np.testing.assert_allclose(studio.linear_to_display(GREYS, "Wall/Film"), expected, atol=1e-5)
    linear = studio.display_to_linear(expected, "wall/film")
    np.testing.assert_allclose(linear, GREYS, atol=1e-5)


def test_an_edited_table_is_read_again(tmp_path: Path) -> None:
    """A config is its own file and the tables it names, and each load sees them as they are now."""
    config = studio_config()
    looks = PyOpenColorIO.GroupTransform([PyOpenColorIO.FileTransform("grade.spi1d")])
    config.addColorSpace(ColorSpace(name="graded", toReference=looks))
    config.addLook(
        PyOpenColorIO.Look("print", "studio_lin", PyOpenColorIO.FileTransform("none.spi1d"))
    )
    config.setSearchPath("tables")
    source = write(config, tmp_path)
    table = tmp_path / "tables" / "grade.spi1d"
    table.parent.mkdir()
    for gain in (1.0, 2.0):
        head = "Version 1\nFrom 0 1\nLength 2\nComponents 1\n"
        table.write_text(f"{head}{{\n0.0\n{gain}\n}}\n", "ascii")
        spaces = ColorSpaces(source)
        assert spaces.files() == [Path(source), table]
        grey = spaces.convert(np.full((1, 3), 0.5, np.float32), "graded", "studio_lin")
        assert np.allclose(grey, 0.5 * gain, rtol=1e-6)  # one float32 product


def test_the_built_in_config_has_no_files(spaces: ColorSpaces) -> None:
    """It comes with the library."""
    assert spaces.files() == []
