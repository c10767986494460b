"""The config of ``ocio/``: spaces a plate comes in, previews and looks, for OpenColorIO 2.0.

It stands beside an ACES config and gives the same numbers under the same names. What it adds is
:data:`~lumivid_fx.color.scene_spaces.LUMIVID_LOGC3`, the Filmic views and the looks.

camera_curves   the curves
scene_spaces    the spaces
primaries       their matrices
filmic          the views
looks           the looks
"""

from __future__ import annotations

from typing import Any, NamedTuple

import PyOpenColorIO
from PyOpenColorIO import (
    BuiltinTransform,
    ColorSpace,
    Config,
    ExponentTransform,
    ExponentWithLinearTransform,
    FileRules,
    GroupTransform,
    RangeTransform,
    ViewTransform,
)

from lumivid_fx.color import primaries
from lumivid_fx.color.config import SCENE_LINEAR, SHORT_NAMES, find_space
from lumivid_fx.color.filmic import PEAKS, view_transform
from lumivid_fx.color.looks import EXPOSURES, FALSE_COLOUR, exposure_look, false_colour_look
from lumivid_fx.color.scene_spaces import LUMIVID_LOGC3, SCENE_SPACES, matrix_transform

PROFILE = (2, 0)
"""The oldest OpenColorIO that reads the config."""

DISPLAY_REFERENCE = "CIE-XYZ-D65"
RAW = "Raw"
UN_TONE_MAPPED = "Un-tone-mapped"
FILMIC = "Filmic"
FALSE_COLOUR_VIEW = "False colour (stops)"

_ACES = "ACES2065-1"
_SDR, _HDR = PEAKS
_INVERSE = PyOpenColorIO.TRANSFORM_DIR_INVERSE

_ABOUT = f"""\
lumivid-fx: spaces a plate comes in, previews and looks.

Names and numbers are those of the ACES studio configs. {LUMIVID_LOGC3} is ARRI's curve on Rec.709 \
light and no camera's space. The Filmic views are LumiVid's previews; a studio's own views decide.
Written by ocio/make_config.py of lumivid-fx; change it there."""

ROLES = {
    "aces_interchange": _ACES,
    "cie_xyz_d65_interchange": DISPLAY_REFERENCE,
    "color_picking": "sRGB - Texture",
    "color_timing": "ACEScct",
    "compositing_log": "ACEScct",
    "data": RAW,
    "default": RAW,
    "matte_paint": "ACEScct",
    "reference": _ACES,
    "rendering": "ACEScg",
    SCENE_LINEAR: "ACEScg",
    "texture_paint": "sRGB - Texture",
}


class Display(NamedTuple):
    """A monitor.

    Attributes:
        name: As ACES configs call it.
        aliases: Other names of it.
        encoding: What kind of codes it takes.
        tone: The Filmic view transform for it.
        about: What it is.
    """

    name: str
    aliases: tuple[str, ...]
    encoding: str
    tone: str
    about: str


DISPLAYS = (
    Display(
        "sRGB - Display",
        ("srgb_display", "srgb_rec709_display"),
        *("sdr-video", _SDR, "A computer's monitor, IEC 61966-2-1."),
    ),
    Display(
        "Rec.1886 Rec.709 - Display",
        ("rec1886_rec709_display", "g24_rec709_display"),
        *("sdr-video", _SDR, "A video monitor, ITU-R BT.1886 with the primaries of BT.709."),
    ),
    Display(
        "Rec.2100-PQ - Display",
        ("rec2100_pq_display", "pq_rec2020_display"),
        *("hdr-video", _HDR, "An HDR monitor with PQ, SMPTE ST 2084; code 1 is 10,000 cd/m2."),
    ),
    Display(
        "Rec.2100-HLG - Display",
        ("rec2100_hlg_display", "hlg_rec2020_display"),
        *("hdr-video", _HDR, "An HDR monitor with HLG, ITU-R BT.2100, of 1000 cd/m2."),
    ),
)
"""Monitors, the usual one first."""


def build_config() -> Any:
    """Build the config.

    Returns:
        A ``PyOpenColorIO.Config`` that needs no file beside it.
    """
    config = Config()
    config.setVersion(*PROFILE)
    config.setDescription(_ABOUT)
    config.setStrictParsingEnabled(True)
    for space in SCENE_SPACES:
        config.addColorSpace(space.color_space())
    config.addColorSpace(
        ColorSpace(
            name=RAW,
            aliases=["Utility - Raw"],
            family="Utility",
            equalityGroup=RAW,
            description="Numbers that are no colour, and files that nothing is known of.",
            isData=True,
            bitDepth=PyOpenColorIO.BIT_DEPTH_F32,
            categories=["file-io", "texture"],
        )
    )
    for role, name in ROLES.items():
        if name != DISPLAY_REFERENCE:
            config.setRole(role, name)
    _add_displays(config)
    for stops in EXPOSURES:
        config.addLook(exposure_look(stops, "ACEScg"))
    config.addLook(false_colour_look(_ACES))
    config.setFileRules(_file_rules(config))
    return config


def config_text() -> str:
    """The config as the text of a ``config.ocio``."""
    return str(build_config().serialize())


def _add_displays(config: Any) -> None:
    """Add monitors, and what of the scene they can show."""
    display_referred = PyOpenColorIO.REFERENCE_SPACE_DISPLAY
    config.addColorSpace(
        ColorSpace(
            display_referred,
            name=DISPLAY_REFERENCE,
            aliases=["cie_xyz_d65", "CIE XYZ-D65 - Display-referred", "cie_xyz_d65_display"],
            equalityGroup=DISPLAY_REFERENCE,
            bitDepth=PyOpenColorIO.BIT_DEPTH_F32,
            description="A monitor's light as CIE XYZ at D65; Y is 1 at 100 cd/m2.",
        )
    )
    config.setRole("cie_xyz_d65_interchange", DISPLAY_REFERENCE)
    for display in DISPLAYS:
        config.addColorSpace(
            ColorSpace(
                display_referred,
                name=display.name,
                aliases=list(display.aliases),
                family="Display",
                equalityGroup=display.name,
                description=display.about,
                encoding=display.encoding,
                bitDepth=PyOpenColorIO.BIT_DEPTH_F32,
                categories=["file-io"],
                fromReference=_from_xyz(display.name),
            )
        )
    for name in PEAKS:
        config.addViewTransform(view_transform(name))
    config.addViewTransform(
        ViewTransform(
            PyOpenColorIO.REFERENCE_SPACE_SCENE,
            name=UN_TONE_MAPPED,
            description="The scene's light as the monitor's own; light 1.0 is 100 cd/m2.",
            fromReference=matrix_transform(primaries.to_xyz_d65("AP0")),
        )
    )
    config.setDefaultViewTransformName(UN_TONE_MAPPED)
    for display in DISPLAYS:
        for view, tone, look in (
            (FILMIC, display.tone, ""),
            (UN_TONE_MAPPED, UN_TONE_MAPPED, ""),
            (FALSE_COLOUR_VIEW, UN_TONE_MAPPED, FALSE_COLOUR),
        ):
            config.addDisplayView(
                display.name, view, tone, displayColorSpaceName=display.name, looks=look
            )
        config.addDisplayView(display.name, RAW, RAW)
    config.setActiveDisplays(", ".join(display.name for display in DISPLAYS))
    config.setActiveViews(f"{FILMIC}, {UN_TONE_MAPPED}, {FALSE_COLOUR_VIEW}, {RAW}")
    hidden = (DISPLAY_REFERENCE, *(display.name for display in DISPLAYS))
    config.setInactiveColorSpaces(", ".join(hidden))


def _from_xyz(display: str) -> Any:
    """From CIE XYZ at D65 to a monitor's codes.

    PQ and HLG are OpenColorIO's own, since 2.0. They are cut to the codes there are, as 2.0 did by
    itself: from 2.4 on, light below black or above HLG's peak has codes that no monitor takes.
    """
    every_code = RangeTransform(0.0, 1.0, 0.0, 1.0)
    to_rec709 = matrix_transform(primaries.invert(primaries.to_xyz_d65("Rec.709")))
    match display:
        case "sRGB - Display":
            gamma, offset = [2.4, 2.4, 2.4, 1.0], [0.055, 0.055, 0.055, 0.0]
            curve = ExponentWithLinearTransform(gamma, offset, direction=_INVERSE)
            return GroupTransform([to_rec709, curve])
        case "Rec.1886 Rec.709 - Display":
            return GroupTransform(
                [to_rec709, ExponentTransform([2.4, 2.4, 2.4, 1.0], direction=_INVERSE)]
            )
        case "Rec.2100-PQ - Display":
            pq = BuiltinTransform("DISPLAY - CIE-XYZ-D65_to_REC.2100-PQ")
            return GroupTransform([pq, every_code])
        case _:
            hlg = BuiltinTransform("DISPLAY - CIE-XYZ-D65_to_REC.2100-HLG-1000nit")
            return GroupTransform([hlg, every_code])


def _file_rules(config: Any) -> Any:
    """What a file is by its name: a short name between dots, dashes or underscores comes first.

    Frames named ``plate_lin_rec709.1001.exr`` or ``plate.acescg.1001.exr`` say what they are. An
    EXR that does not say is taken for the working space, as compositing programs do.
    """
    rules = FileRules()
    by_length = sorted(SHORT_NAMES, key=len, reverse=True)  # logc3_rec709 before logc3
    for short in by_length:
        if short != SCENE_LINEAR:
            space = find_space(config, short).getName()
            _add_rule(rules, f"named {short}", space, rf".*[._-]{short}[._-][^/\\]*")
    _add_rule(rules, "EXR", "ACEScg", r".*\.[eE][xX][rR]")
    stills = r".*\.([pP][nN][gG]|[jJ][pP][eE]?[gG]|[tT][iI][fF][fF]?|[wW][eE][bB][pP])"
    _add_rule(rules, "stills", "sRGB - Texture", stills)
    movies = r".*\.([mM][pP]4|[mM][oO][vV]|[mM][xX][fF]|[mM][kK][vV])"
    _add_rule(rules, "movies", "Gamma 2.4 Rec.709 - Texture", movies)
    rules.setDefaultRuleColorSpace(RAW)
    return rules


def _add_rule(rules: Any, name: str, space: str, regex: str) -> None:
    rules.insertRule(rules.getNumEntries() - 1, name, space, regex)
