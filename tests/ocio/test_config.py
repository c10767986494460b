"""The committed config: what it is generated from, what reads it, and its spaces' numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import PyOpenColorIO
import pytest
from tests.ocio.configs import (
    COMMITTED,
    LOSSLESS,
    REC709,
    STUDIO_CONFIGS,
    Numbers,
    greys,
    read,
    send,
)

from lumivid_fx.color.config import BUILTIN_NAMES, SHORT_NAMES
from lumivid_fx.color.ocio_check import AGREES, check, ocio_messages
from lumivid_fx.color.ocio_config import ROLES, config_text
from lumivid_fx.color.scene_spaces import LUMIVID_LOGC3, SCENE_SPACES
from lumivid_fx.color.spaces import DEFAULT_CONFIG, ColorSpaces

SPACES = [space.name for space in SCENE_SPACES]
CODED = [space.name for space in SCENE_SPACES if space.curve]

CODES = np.concatenate([np.linspace(-0.5, 1.2, 6001), np.geomspace(1e-6, 100, 2001)])
COLOURS = np.random.default_rng(2).uniform(-0.2, 1.2, (4000, 3))
PROBE = np.concatenate([greys(CODES), COLOURS])
"""Codes and light at their worst: under 0, over 1, saturated."""

BUILTINS_OF_2_0 = {
    "CANON_CLOG2-CGAMUT_to_ACES2065-1",
    "CANON_CLOG3-CGAMUT_to_ACES2065-1",
    "DISPLAY - CIE-XYZ-D65_to_REC.2100-HLG-1000nit",
    "DISPLAY - CIE-XYZ-D65_to_REC.2100-PQ",
}
"""Those of ours that src/OpenColorIO/transforms/builtins of OpenColorIO's tag v2.0.0 registers."""


def test_committed_config_is_what_the_script_writes() -> None:
    """Whoever changes one changes both: python ocio/make_config.py."""
    assert COMMITTED.read_text("utf-8") == config_text()


def test_config_validates_and_nothing_is_said() -> None:
    """No warning and no remark, neither from the file nor from what it is made of."""
    for source in (None, str(COMMITTED)):
        found = check(source)
        assert (found.fault, found.messages, found.sound) == (None, [], True)


def test_a_remark_would_be_heard() -> None:
    """The check above can fail: a fault of the kind that OpenColorIO only mentions is told."""
    with ocio_messages() as messages:
        text = config_text().replace("search_path:", "not_a_key: 1\nsearch_path:")
        PyOpenColorIO.Config.CreateFromStream(text)
    assert any("not_a_key" in message for message in messages)


def test_config_asks_for_nothing_newer_than_2_0() -> None:
    """No other profile, no newer builtin, no file beside it, no attribute of a later version."""
    config, text = read(), COMMITTED.read_text("utf-8")
    assert (config.getMajorVersion(), config.getMinorVersion()) == (2, 0)
    assert set(re.findall(r"BuiltinTransform> \{style: ([^,}]*)\}", text)) == BUILTINS_OF_2_0
    assert not re.search("FileTransform|interop_id|amf_transform|icc_profile|^name:|named_tr", text)
    config.validate()  # OpenColorIO refuses what its own records say the profile does not have


def test_profile_check_can_fail() -> None:
    """OpenColorIO does hold a config to its profile."""
    newer = config_text().replace(
        "CANON_CLOG2-CGAMUT_to_ACES2065-1", "CANON_CLOG2-CGAMUT_to_ACES2065-1x"
    )
    with pytest.raises(PyOpenColorIO.Exception, match="CLOG2"):
        PyOpenColorIO.Config.CreateFromStream(newer).validate()
    newer = config_text().replace("CANON_CLOG2-CGAMUT", "APPLE_LOG")
    with pytest.raises(PyOpenColorIO.Exception, match=r"2\.4"):
        PyOpenColorIO.Config.CreateFromStream(newer).validate()


def test_roles() -> None:
    """Programs find what they ask for by role."""
    config = read()
    assert (
        dict(
            zip(
                config.getRoleNames(),
                map(config.getRoleColorSpace, config.getRoleNames()),
                strict=True,
            )
        )
        == ROLES
    )
    assert ROLES["scene_linear"] == "ACEScg"
    assert config.getColorSpace("aces_interchange").getName() == "ACES2065-1"


def test_every_short_name_is_an_alias() -> None:
    """What LumiVid calls a space, the config does too."""
    names = {short: read().getColorSpace(short).getName() for short in SHORT_NAMES}
    assert names == {"scene_linear": "ACEScg", **BUILTIN_NAMES, "logc3_rec709": LUMIVID_LOGC3}


def test_render_can_use_the_config() -> None:
    """`--ocio ocio/config.ocio` has every short name, and its numbers are the default config's."""
    ours, default = ColorSpaces(str(COMMITTED)), ColorSpaces()
    assert ours.names()[: len(SHORT_NAMES)] == list(SHORT_NAMES)
    assert "sRGB - Display/Filmic" in ours.views()
    light = np.random.default_rng(4).uniform(0, 4, (100, 3)).astype(np.float32)
    for short in SHORT_NAMES:
        there = ours.convert(light, "lin_rec709", short)
        assert np.array_equal(there, default.convert(light, "lin_rec709", short)), short
        assert ours.interop_id(short) == default.interop_id(short) or short == "srgb"


@pytest.mark.parametrize("source", STUDIO_CONFIGS)
def test_spaces_are_the_studio_configs(source: str) -> None:
    """Under the same name stand the same numbers, so a script may move between configs."""
    theirs, found = read(source), 0
    for name in SPACES:
        if (space := theirs.getColorSpace(name)) is None:
            continue
        found += 1
        for ends in ((name, "ACES2065-1"), ("ACES2065-1", name)):
            ours = send(read(), PROBE, *ends)
            # 1e-6: matrices are printed to 13 digits here and to 15 there; then both are float32.
            other = send(theirs, PROBE, *[space.getName() if e == name else e for e in ends])
            np.testing.assert_allclose(ours, other, rtol=1e-6, atol=1e-7, err_msg=f"{ends}")
    assert found >= len(SPACES) - 2  # all but LumiVid's own, and Canon Log 2 in the first


@pytest.mark.parametrize("source", STUDIO_CONFIGS)
def test_names_are_the_studio_configs(source: str) -> None:
    """Each of our aliases that a studio config knows means the same space there."""
    theirs = read(source)
    for space in SCENE_SPACES:
        known = {theirs.getColorSpace(label) for label in (space.name, *space.aliases.split(", "))}
        assert len({found.getName() for found in known if found}) <= 1, space.name


def test_monitors_are_the_studio_configs() -> None:
    """Monitors take the codes that an ACES config sends them."""
    ours, theirs = read(), read(DEFAULT_CONFIG)
    xyz = np.random.default_rng(3).uniform(0, 2, (2000, 3))
    for display in ours.getDisplays():
        codes, others = (send(each, xyz, "CIE-XYZ-D65", display) for each in (ours, theirs))
        if "2100" in display:  # ours ends where the monitor does, in every version
            others = others.clip(0, 1)
        np.testing.assert_allclose(codes, others, atol=1e-6)


def log10(values: Numbers) -> Numbers:
    """Of numbers under 0 nothing is asked."""
    return np.log10(np.maximum(values, 1e-30))


def pieces(light: Numbers, cut: float, above: Numbers, below: Numbers) -> Numbers:
    """A curve above a cut and another below."""
    return np.where(light >= cut, above, below)


def logc4(light: Numbers) -> Numbers:
    """ARRI, LogC4 specification, equation 1, with the constants it prints."""
    a, b, c = 2231.82630906769, 0.9071358748778103, 0.0928641251221896
    s, t = 0.1135972086105891, -0.01805699611991131
    above = (np.log2(np.maximum(a * light + 64, 1e-30)) - 6) / 14 * b + c
    return pieces(light, t, above, (light - t) / s)


def canon(light: Numbers, scale: float, slope: float, low: float, high: float) -> Numbers:
    """Canon's logarithms above and below black, of light over 0.9."""
    x = light / 0.9
    below = low - scale * log10(1 - slope * x)
    return pieces(x, 0, high + scale * log10(slope * x + 1), below)


def clog3(light: Numbers) -> Numbers:
    """Canon Log 3 has a line in its middle."""
    x = light / 0.9
    outside = canon(light, 0.36726845, 14.98325, 0.12783901, 0.12240537)
    return np.where(np.abs(x) <= 0.014, 1.9754798 * x + 0.12512219, outside)


def logc3(light: Numbers) -> Numbers:
    """ARRI, "ALEXA Log C Curve - Usage in VFX", EI 800."""
    above = 0.247190 * log10(5.555556 * light + 0.052272) + 0.385537
    return pieces(light, 0.010591, above, 5.367655 * light + 0.092809)


def slog3(light: Numbers) -> Numbers:
    """Sony, technical summary of S-Log3."""
    above = (420 + log10((light + 0.01) / 0.19) * 261.5) / 1023
    return pieces(light, 0.01125, above, (light * (171.2102946929 - 95) / 0.01125 + 95) / 1023)


def log3g10(light: Numbers) -> Numbers:
    """RED, white paper on Log3G10, version 3."""
    moved = light + 0.01
    return pieces(moved, 0, 0.224282 * log10(155.975327 * moved + 1), 15.1927 * moved)


def vlog(light: Numbers) -> Numbers:
    """Panasonic, V-Log reference manual."""
    return pieces(light, 0.01, 0.241514 * log10(light + 0.00873) + 0.598206, 5.6 * light + 0.125)


def intermediate(light: Numbers) -> Numbers:
    """Blackmagic Design, DaVinci Intermediate."""
    above = 0.07329248 * (np.log2(np.maximum(light + 0.0075, 1e-30)) + 7)
    return pieces(light, 0.00262409, above, 10.44426855 * light)


def acescct(light: Numbers) -> Numbers:
    """AMPAS S-2016-001."""
    above = (np.log2(np.maximum(light, 1e-30)) + 9.72) / 17.52
    return pieces(light, 0.0078125, above, 10.5402377416545 * light + 0.0729055341958355)


def clog2(light: Numbers) -> Numbers:
    """Canon Log 2."""
    return canon(light, 0.24136077, 87.099375, 0.092864125, 0.092864125)


class Published(NamedTuple):
    """What a maker says of a curve.

    Attributes:
        linear: The space of its light.
        formula: Light to codes.
        grey: Mid grey's code.
        lowest: Under this, codes are negative and OpenColorIO's tables for Canon have ended.
        highest: What is asked for above; Canon's tables end at code 1.
    """

    linear: str
    formula: Callable[[Numbers], Numbers]
    grey: float
    lowest: float = -1.0
    highest: float = 100.0


PUBLISHED = {
    LUMIVID_LOGC3: Published(REC709, logc3, 0.391007),
    "ARRI LogC3 (EI800)": Published("Linear ARRI Wide Gamut 3", logc3, 0.391007),
    "ARRI LogC4": Published("Linear ARRI Wide Gamut 4", logc4, 0.278396),
    "S-Log3 S-Gamut3.Cine": Published("Linear S-Gamut3.Cine", slog3, 420 / 1023),
    "S-Log3 S-Gamut3": Published("Linear S-Gamut3", slog3, 420 / 1023),
    "Log3G10 REDWideGamutRGB": Published("Linear REDWideGamutRGB", log3g10, 1 / 3),
    "V-Log V-Gamut": Published("Linear V-Gamut", vlog, 433 / 1023),
    "DaVinci Intermediate WideGamut": Published("Linear DaVinci WideGamut", intermediate, 0.336043),
    "ACEScct": Published("ACEScg", acescct, 0.413588),
    "CanonLog2 CinemaGamut D55": Published("Linear CinemaGamut D55", clog2, 0.398254, -0.014, 1),
    "CanonLog3 CinemaGamut D55": Published("Linear CinemaGamut D55", clog3, 0.343389, -0.014, 1),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_curves_are_the_makers(name: str) -> None:
    """Codes and light agree with the printed formula over the whole range, under 0 too."""
    told = PUBLISHED[name]
    # 5e-5: two makers print mid grey as a 10-bit code.
    assert told.formula(np.array([0.18]))[0] == pytest.approx(told.grey, abs=5e-5)
    steps = np.linspace(told.lowest, told.highest, 20_001)
    light = np.concatenate([steps, np.geomspace(1e-6, told.highest, 20_001)]).astype(np.float32)
    codes = told.formula(light.astype(np.float64))
    got = send(read(), greys(light), told.linear, name)[:, 0]
    np.testing.assert_allclose(got, codes, rtol=3e-6, atol=3e-6)  # the tightest that holds for all
    back = send(read(), greys(codes), name, told.linear)[:, 0]
    # 1e-5 of the light, or 1e-7 of white near black. ARRI prints six digits here and ten to ACES.
    rtol = 1.2e-5 if name == "ARRI LogC3 (EI800)" else 1e-5
    np.testing.assert_allclose(back, light, rtol=rtol, atol=1e-7)


def srgb(light: Numbers) -> Numbers:
    """IEC 61966-2-1."""
    above = 1.055 * np.maximum(light, 0.003) ** (1 / 2.4) - 0.055
    return pieces(light, 0.0031308, above, 12.92 * light)


def camera_rec709(light: Numbers) -> Numbers:
    """ITU-R BT.709-6, section 1.2."""
    return pieces(light, 0.018, 1.099 * np.maximum(light, 0.01) ** 0.45 - 0.099, 4.5 * light)


VIDEO: dict[str, tuple[Callable[[Numbers], Numbers], float]] = {
    # space: formula, largest difference in codes. OpenColorIO's lines meet the power smoothly, with
    # slopes of 12.9232 and 4.5137 where the standards round to 12.92 and 4.5.
    "sRGB - Texture": (srgb, 2e-5),
    "Camera Rec.709": (camera_rec709, 5e-4),
    "Gamma 2.4 Rec.709 - Texture": (lambda light: light ** (1 / 2.4), 1e-6),
    "Gamma 2.2 Rec.709 - Texture": (lambda light: light ** (1 / 2.2), 1e-6),
}


@pytest.mark.parametrize("name", VIDEO)
def test_video_curves_are_the_standards(name: str) -> None:
    """Stills and movies decode as the standards say."""
    formula, apart = VIDEO[name]
    light = np.linspace(0, 1, 20_001).astype(np.float32)
    codes = send(read(), greys(light), REC709, name)[:, 0]
    np.testing.assert_allclose(codes, formula(light.astype(np.float64)), atol=apart)


def test_every_curve_is_tested() -> None:
    """A new space brings its formula."""
    curves = {space.curve for space in SCENE_SPACES if space.curve}
    tested = {space.curve for space in SCENE_SPACES if space.name in {*PUBLISHED, *VIDEO}}
    assert tested == curves


def test_tensors_and_config_are_one() -> None:
    """What a render does in tensors, a compositor gets from the config: 1e-5, the whole range."""
    curves = check(str(COMMITTED)).curves
    assert [curve.curve for curve in curves] == [
        "logc3_rec709",
        "acescct_ap1",
        "pq_rec2020",
        "hlg_rec2020",
    ]
    for curve in curves:
        assert curve.code is not None
        assert curve.light is not None
        assert max(curve.code, curve.light) <= AGREES, curve


@pytest.mark.parametrize("name", SPACES)
def test_round_trip(name: str) -> None:
    """Light comes back from every space, negative and saturated too."""
    light = np.random.default_rng(5).uniform(-2, 50, (4000, 3))
    if "Canon" in name:  # OpenColorIO's tables end
        light = np.random.default_rng(5).uniform(0, 0.9, (4000, 3))
    gamut = next(space.gamut for space in SCENE_SPACES if space.name == name)
    linear = next((s.name for s in SCENE_SPACES if s.gamut == gamut and not s.curve), "ACES2065-1")
    back = send(read(), send(read(), light, linear, name), name, linear)
    # Float32 through a logarithm: an ulp of a code of 1 is 1e-6 of the light.
    np.testing.assert_allclose(back, light, rtol=1e-5, atol=1e-5)


def test_lumivid_logc3_is_no_cameras_space() -> None:
    """One curve, other primaries: greys agree with ARRI's space, colours plainly do not."""
    light = np.random.default_rng(6).uniform(0, 4, (500, 3))
    ours, camera = (send(read(), light, REC709, name) for name in (LUMIVID_LOGC3, "logc3"))
    assert np.abs(ours - camera).max() > 0.1
    grey = np.linspace(0, 4, 500)
    ours, camera = (send(read(), greys(grey), REC709, name) for name in (LUMIVID_LOGC3, "logc3"))
    # White goes to white by CAT02 there and by Bradford here, which are one for greys; then ARRI's
    # printed digits: 1e-6.
    np.testing.assert_allclose(ours, camera, atol=3e-6)
    about = read().getColorSpace(LUMIVID_LOGC3).getDescription()
    assert "not ARRI LogC3 (EI800)" in about
    assert "wide gamut" not in LUMIVID_LOGC3.lower()


@pytest.mark.parametrize(
    ("path", "space"),
    [
        ("/show/sh010/plate_lin_rec709.1001.exr", REC709),
        ("/show/sh010/plate.acescg.1001.exr", "ACEScg"),
        ("plate.aces2065-1.####.exr", "ACES2065-1"),
        ("plate-lin_rec2020-v2.1001.exr", "Linear Rec.2020"),
        ("plate_lin_p3d65.%04d.exr", "Linear P3-D65"),
        ("C:\\show\\plate_logc3_rec709.1001.exr", LUMIVID_LOGC3),
        ("plate_logc3.1001.dpx", "ARRI LogC3 (EI800)"),
        ("A001_vlog.mov", "V-Log V-Gamut"),
        ("/show/logc3/plate.1001.exr", "ACEScg"),  # a folder says nothing
        ("/show/my_logc3_notes.d/plate.1001.dpx", "Raw"),
        ("plate.1001.EXR", "ACEScg"),
        ("logc3.exr", "ACEScg"),  # nothing before it: a name, no mark
        ("still.JPG", "sRGB - Texture"),
        ("still.tiff", "sRGB - Texture"),
        ("clip.mov", "Gamma 2.4 Rec.709 - Texture"),
        ("scan.1001.dpx", "Raw"),
        ("depth.dat", "Raw"),
    ],
)
def test_file_rules(path: str, space: str) -> None:
    """A file's name says what it is, by the short names that renders are asked for with."""
    assert read().getColorSpaceFromFilepath(path)[0] == space


def test_every_space_says_what_it_is() -> None:
    """Menus have families, programs encodings, and nobody has to guess."""
    for space in read().getColorSpaces():
        assert space.getDescription().endswith(".")
        assert space.getFamily()
        assert space.getEqualityGroup() == space.getName()
        assert space.getEncoding() or space.isData()
    log = {space.getName() for space in read().getColorSpaces() if space.getEncoding() == "log"}
    assert {*PUBLISHED} <= log


def test_guide_names_every_space() -> None:
    """docs/ocio.md is the table of what is there."""
    guide = (COMMITTED.parents[1] / "docs" / "ocio.md").read_text("utf-8")
    listed = [*SPACES, *read().getDisplays(), *read().getLookNames()]
    assert [name for name in listed if name not in guide] == []


def test_default_processors_are_near() -> None:
    """What programs use by default is faster, and stays under half a step of a half float."""
    colours = np.random.default_rng(7).uniform(0, 1, (4000, 3))
    for name in CODED:
        fast = PyOpenColorIO.OPTIMIZATION_DEFAULT
        exact, quick = (
            send(read(), colours, name, "ACES2065-1", how=how) for how in (LOSSLESS, fast)
        )
        np.testing.assert_allclose(quick, exact, rtol=2e-4, atol=2e-4)
